"""PDF signatures with every provider's keys, by the server and by `pecete sign --token`."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pecete.client import Client
from pecete.errors import PeceteError
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from server.trial import DEPARTMENT, TrialServer
from signer.tokens.provision import KeyKind
from softhsm import kryoptic, opencryptoki, piv
from softhsm.provision import ProvisionedToken
from tests.conformance.provider_matrix import CARD_PROVIDERS, SERVER_KINDS, SIGNER, SOFTHSM, Matrix
from tests.e2e.desk import caller_environment, sign_on_terminal

pytestmark = [pytest.mark.conformance, pytest.mark.hsm]

DISPOSITION = Path(__file__).parent.parent / "samples" / "dispozitia-primarului.pdf"
CASES = [(name, kind) for name, kinds in SERVER_KINDS.items() for kind in kinds]
TERMINAL_CASES: tuple[tuple[str, KeyKind], ...] = (
    (SOFTHSM, "ed25519"),
    (opencryptoki.NAME, "rsa3072"),
    (kryoptic.NAME, "p384"),
    (piv.OPENSC, "rsa2048"),
    (piv.OPENSC, "rsa3072"),
    (piv.OPENSC, "p256"),
    (piv.OPENSC, "p384"),
    (piv.YKCS11, "p256"),
)


@pytest.fixture
def department(server: TrialServer) -> Iterator[Client]:
    with server.client(DEPARTMENT) as client:
        yield client


def key_id(token: ProvisionedToken) -> str:
    return hashlib.sha256(token.certificate).hexdigest()


def sign(server: TrialServer, name: str, token: ProvisionedToken) -> str:
    """Sign the disposition with a token's key and give the name of what came of it."""
    principal = token.plan.kind if name == SOFTHSM else SIGNER
    with server.client(principal) as client:
        return client.sign(
            DISPOSITION, f"signingKeys/{key_id(token)}", level="B-T", pin=token.pin
        ).document.name


def judge(department: Client, document: str | Path, token: ProvisionedToken) -> None:
    """Have our own engine judge a document with one signature."""
    (verdict,) = department.validate(document).signatures
    assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-T")
    assert verdict.signer == token.plan.holder.common_name


def judge_by_pdfsig(path: Path, kind: KeyKind) -> None:
    if kind == "ed25519":
        return  # pdfsig cannot do it: docs/conformance-signatures.md
    if shutil.which("pdfsig") is None:
        pytest.skip("pdfsig (poppler-utils) is not installed")
    answer = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=True).stdout
    assert "Signature Validation: Signature is Valid." in answer
    assert "Total document signed" in answer


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_server_signs_with_every_provider(
    matrix: Matrix, server: TrialServer, department: Client, tmp_path: Path, name: str, kind: KeyKind
) -> None:
    token = matrix.provider(name).token(kind)
    document = sign(server, name, token)
    judge(department, document, token)
    department.download(document, tmp_path / "signed.pdf")
    judge_by_pdfsig(tmp_path / "signed.pdf", kind)


def test_all_modules_sign_at_once(matrix: Matrix, server: TrialServer, department: Client) -> None:
    cases = [(name, matrix.running[name].token(kind)) for name, kind in CASES if name in matrix.running] * 2
    with ThreadPoolExecutor(len(cases)) as pool:
        documents = list(pool.map(lambda case: sign(server, *case), cases))
    assert len(set(documents)) == len(cases)
    for document, (_, token) in zip(documents, cases, strict=True):
        judge(department, document, token)


@pytest.mark.parametrize(("name", "kind"), [(piv.OPENSC, "rsa2048"), (piv.YKCS11, "p256")])
def test_a_card_pulled_at_any_moment_takes_no_other_module_along(
    matrix: Matrix, server: TrialServer, department: Client, name: str, kind: KeyKind
) -> None:
    """Before pcscd has noticed, OpenSC 0.23 may wait for itself for ever; the server then ends its worker."""
    token, card = matrix.provider(name).token(kind), matrix.readers().card(kind)
    judge(department, sign(server, name, token), token)
    card.slot.pull()
    try:
        with pytest.raises(PeceteError) as refused:
            sign(server, name, token)
        other = matrix.provider(SOFTHSM).token(kind)
        judge(department, sign(server, SOFTHSM, other), other)
    finally:
        card.slot.insert()
    assert refused.value.reason in ("TOKEN_NOT_PRESENT", "PIN_OUTCOME_UNKNOWN", "WORKER_TIMED_OUT")
    assert card.card.wrong_pins == 0
    judge(department, sign(server, name, token), token)


@pytest.mark.parametrize(("name", "kind"), TERMINAL_CASES)
def test_a_person_signs_on_a_terminal(
    matrix: Matrix, server: TrialServer, department: Client, tmp_path: Path, name: str, kind: KeyKind
) -> None:
    provider = matrix.provider(name)
    token, signed = provider.token(kind), tmp_path / "signed.pdf"
    arguments = ("--token", provider.module, "--certificate", key_id(token), "--out", signed)
    environment = {**os.environ, **caller_environment(server, SIGNER)}
    before = matrix.card_signatures(kind)
    done = sign_on_terminal((DISPOSITION, *arguments), environment, token.pin)
    assert done.code == 0, done.shown
    assert token.plan.holder.common_name in done.shown and token.pin not in done.shown
    assert matrix.card_signatures(kind) == before + (name in CARD_PROVIDERS)
    judge(department, signed, token)
    judge_by_pdfsig(signed, kind)


@pytest.mark.parametrize("name", CARD_PROVIDERS)
def test_a_card_signs_many_files_with_one_pin(
    matrix: Matrix, server: TrialServer, department: Client, tmp_path: Path, name: str
) -> None:
    """The PIN is typed once, though the card wants it before each signature."""
    provider, card = matrix.provider(name), matrix.readers().card("p256").card
    token, before = provider.token("p256"), card.signatures
    files = [tmp_path / f"{number}.pdf" for number in range(1, 6)]
    for file in files:
        file.write_bytes(DISPOSITION.read_bytes())
    arguments = ("--token", provider.module, "--certificate", key_id(token), "--out", tmp_path / "signed")
    environment = {**os.environ, **caller_environment(server, SIGNER)}
    done = sign_on_terminal((*files, *arguments), environment, token.pin)
    assert done.code == 0, done.shown
    assert done.shown.count("in order to sign: ") == 1 and token.pin not in done.shown
    assert card.signatures == before + len(files)
    for file in files:
        judge(department, tmp_path / "signed" / f"{file.stem}-signed.pdf", token)


@pytest.mark.parametrize("name", CARD_PROVIDERS)
def test_a_person_is_told_of_a_wrong_pin_and_it_is_one_try(
    matrix: Matrix, server: TrialServer, tmp_path: Path, name: str
) -> None:
    provider, card = matrix.provider(name), matrix.readers().card("p384").card
    token, before = provider.token("p384"), card.wrong_pins
    arguments = (DISPOSITION, "--token", provider.module, "--token-label", token.label)
    environment = {**os.environ, **caller_environment(server, SIGNER)}
    wrong = f"{(int(token.pin) + 1) % 10**8:08}"
    done = sign_on_terminal((*arguments, "--out", tmp_path / "no.pdf"), environment, wrong)
    assert done.code == 1 and "PIN_INCORRECT (pin)" in done.shown
    assert not (tmp_path / "no.pdf").exists()
    assert card.wrong_pins == before + 1
    done = sign_on_terminal((*arguments, "--out", tmp_path / "yes.pdf"), environment, token.pin)
    assert done.code == 0, done.shown
