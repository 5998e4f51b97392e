"""`pecete sign --token`: shown, checked, asked for a PIN, signed on the desk, and judged by others."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import cms

from pecete.client import Client
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.workflow.v1.workflow_pb2 import STEP_STATE_DUE, STEP_STATE_SIGNED
from server.trial import TrialServer, running_server
from tests.e2e.desk import (
    ANA,
    BARBU,
    CORINA,
    DAN,
    Desk,
    make_desk,
    make_dossier,
    make_hall,
    make_procedure,
    sign_at_desk,
)
from tests.e2e.observation import count_documents

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="module")
def server(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    hall = make_hall(tmp_path_factory.mktemp("city"), desk)
    with running_server(hall, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


@pytest.mark.parametrize("label", [ANA, BARBU, CORINA, DAN])
def test_a_file_is_shown_and_signed(
    server: TrialServer, department: Client, desk: Desk, disposition: Path, tmp_path: Path, label: str
) -> None:
    signed = tmp_path / "signed.pdf"
    arguments = ("--out", signed, "--reason", "Avizat", "--capacity", "Consilier", "--json")
    done = sign_at_desk(server, desk, label, disposition, *arguments)
    assert done.code == 0, done.shown
    holder = desk.token(label).plan.holder.common_name
    for fact in (
        disposition.name,
        "Avizat",
        "Consilier",
        holder,
        "No earlier signatures",
        "level        B-T",
    ):
        assert fact in done.shown
    assert desk.token(label).pin not in done.shown + done.output
    assert done.json["signature"]["signing_key"] == f"signingKeys/{desk.certificate_sha256(label).hex()}"
    assert signed.read_bytes().startswith(disposition.read_bytes())
    (verdict,) = department.validate(signed).signatures
    assert (verdict.indication, verdict.signer) == (INDICATION_TOTAL_PASSED, holder)


def test_a_document_of_the_service_is_signed_after_others(
    server: TrialServer, department: Client, desk: Desk, disposition: Path, tmp_path: Path
) -> None:
    first = sign_at_desk(server, desk, ANA, disposition, "--out", tmp_path / "1.pdf", "--json")
    name = first.json["document"]["name"]
    second = sign_at_desk(server, desk, BARBU, name, "--out", tmp_path / "2.pdf", "--level", "B-B")
    assert second.code == 0, second.shown
    assert re.search(r"1\. Ana Țepeș, .*: TOTAL_PASSED, PAdES-BASELINE-T, changes since: none", second.shown)
    assert "Barbu Știrbei" in second.output
    verdicts = department.validate(tmp_path / "2.pdf").signatures
    assert [verdict.indication for verdict in verdicts] == [INDICATION_TOTAL_PASSED] * 2


def test_a_step_is_signed(
    server: TrialServer, department: Client, desk: Desk, disposition: Path, tmp_path: Path
) -> None:
    dossier = make_dossier(department, make_procedure(server, desk), disposition)
    done = sign_at_desk(server, desk, ANA, f"{dossier.name}/steps/1", "--out", tmp_path / "signed.pdf")
    assert done.code == 0, done.shown
    assert "Post ana" in done.shown and f"{dossier.name}/steps/1" in done.shown
    after = department.get_dossier(dossier.name)
    assert [step.state for step in after.steps] == [STEP_STATE_SIGNED, STEP_STATE_DUE]
    assert (
        department.get_document(after.document).sha256
        == sha256((tmp_path / "signed.pdf").read_bytes()).digest()
    )


def test_a_wrong_pin_is_tried_once_and_nothing_is_signed(
    server: TrialServer, desk: Desk, disposition: Path, tmp_path: Path
) -> None:
    before = count_documents(server.trial)
    done = sign_at_desk(server, desk, ANA, disposition, "--out", tmp_path / "no.pdf", pin="00000000")
    assert done.code == 1 and "PIN_INCORRECT (pin)" in done.shown
    assert not (tmp_path / "no.pdf").exists()
    assert count_documents(server.trial) == before + 1  # the one that was sent


def test_no_pin_is_no_signature(server: TrialServer, desk: Desk, disposition: Path, tmp_path: Path) -> None:
    done = sign_at_desk(server, desk, ANA, disposition, "--out", tmp_path / "no.pdf", pin="\n")
    assert done.code == 1 and "SIGNING_CANCELLED" in done.shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--certificate", "f" * 64), "TOKEN_KEY_NOT_FOUND (token)"),
        (("--token-label", "nobody"), "TOKEN_KEY_NOT_FOUND (token)"),
        (("--token-label", ""), "TOKEN_KEY_AMBIGUOUS (certificate)"),
        (("--token", "/usr/lib/nosuch.so"), "TOKEN_MODULE_NOT_LOADED (token)"),
        (("--key", "abc"), "KEY_MISSING (key)"),
    ],
)
def test_a_key_must_be_one(
    server: TrialServer,
    desk: Desk,
    disposition: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    reason: str,
) -> None:
    done = sign_at_desk(server, desk, ANA, disposition, "--out", tmp_path / "no.pdf", *arguments)
    assert done.code == 1 and reason in done.shown


def test_a_certificate_is_chosen_by_its_digest(
    server: TrialServer, desk: Desk, disposition: Path, tmp_path: Path
) -> None:
    wanted = desk.certificate_sha256(ANA).hex()
    arguments = (
        "--token-label",
        "",
        "--certificate",
        wanted[:16],
        "--out",
        tmp_path / "signed.pdf",
        "--json",
    )
    done = sign_at_desk(server, desk, ANA, disposition, *arguments)
    assert done.code == 0, done.shown
    assert json.loads(done.output)["signature"]["signing_key"] == f"signingKeys/{wanted}"


@pytest.mark.parametrize("label", [ANA, BARBU, CORINA])
def test_others_judge_the_signature_valid(
    server: TrialServer, desk: Desk, disposition: Path, tmp_path: Path, label: str
) -> None:
    signed = tmp_path / "signed.pdf"
    assert sign_at_desk(server, desk, label, disposition, "--out", signed).code == 0
    if shutil.which("pdfsig") is None or shutil.which("openssl") is None:
        pytest.skip("pdfsig (poppler-utils) or openssl is not installed")
    judged = subprocess.run(["pdfsig", "-nocert", signed], capture_output=True, text=True, check=True).stdout
    assert "Signature Validation: Signature is Valid." in judged
    assert "Total document signed" in judged
    octets = signed.read_bytes()
    with pikepdf.open(signed) as pdf:
        value = pdf.Root.AcroForm.Fields[0].V
        _, start, end, _ = (int(number) for number in value.ByteRange)
        (tmp_path / "cms.der").write_bytes(cms.ContentInfo.load(bytes(value.Contents)).dump())
    (tmp_path / "content").write_bytes(octets[:start] + octets[end:])
    command = [
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-in",
        "cms.der",
        "-content",
        "content",
    ]
    command += ["-CAfile", str(desk.tokens.root), "-purpose", "any", "-out", "verified"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
