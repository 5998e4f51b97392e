"""`pecete-server keys`: from an empty hand to a seal that signs, and what is refused on the way."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from pecete.errors import InvalidArgumentError
from pecete.evidence.log_proof import parse_entry
from pecete.signing.v1 import signing_pb2
from pecete.validation.v1 import validation_pb2
from server.keys_command import keys_app
from server.trial import DEPARTMENT, SEAL, Settings, Trial, TrialServer, make_trial, running_server
from softhsm.pki import Holder
from softhsm.provision import CITY_HALL

pytestmark = pytest.mark.e2e

MAYOR = "primar"
PLANS = tuple(plan for plan in CITY_HALL if plan.label in (MAYOR, SEAL))
QUALIFIED_SEAL = bytes.fromhex(
    "3029 3008060604008e460101 3008060604008e460104 3013060604008e460106 3009060704008e46010602"
)
"""QCStatements: QcCompliance, QcSSCD, QcType of seals."""

KINDS_SHOWN = {("ec", 256): "p256", ("rsa", 3072): "rsa3072", ("ed25519", 256): "ed25519"}
"""Kinds of keys by the type and bits that are shown of them."""

LOOK_INSIDE = """
import sys
from pkcs11 import Attribute, ObjectClass
from signer.tokens.module import load
module, label, pin = sys.argv[1:]
with load(module).get_token(token_label=label).open(user_pin=pin) as session:
    for key in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}):
        print(key[Attribute.ID].hex(), key[Attribute.EXTRACTABLE], key[Attribute.SENSITIVE])
"""
"""Gives a token's private keys: CKA_ID, extractable, sensitive."""


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A city hall of its own: keys are added to its tokens."""
    return make_trial(tmp_path_factory.mktemp("keys"), Settings(plans=PLANS))


@pytest.fixture(scope="module")
def running(hall: Trial, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    with running_server(hall, tmp_path_factory.mktemp("log") / "server.log") as server:
        yield server


def run(hall: Trial, *arguments: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `pecete-server keys` without a terminal, so that what is asked for comes from standard input."""
    command = [sys.executable, "-W", "ignore", "-m", "server.cli", "keys", *map(str, arguments)]
    return subprocess.run(
        [*command, "--config", str(hall.configuration)],
        env=hall.environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def done(hall: Trial, *arguments: str | Path, typed: str = "") -> str:
    result = run(hall, *arguments, typed=typed)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(hall: Trial, *arguments: str | Path, typed: str = "") -> str:
    """Give the reason of a refusal."""
    result = run(hall, *arguments, typed=typed)
    assert (result.returncode, result.stdout) == (1, "")
    assert hall.pin(SEAL) not in result.stderr and hall.pin(MAYOR) not in result.stderr
    line = result.stderr.splitlines()[-1]
    # What was asked for on standard error stands before it on the same line.
    return line.rpartition("pecete-server: ")[2].partition(":")[0]


def listed(hall: Trial, token: str) -> list[dict[str, Any]]:
    """Give the keys of a token."""
    tokens = {each["name"]: each for each in json.loads(done(hall, "list", "--json"))["tokens"]}
    keys: list[dict[str, Any]] = tokens[token]["keys"]
    return keys


def generated(hall: Trial, kind: str, *options: str) -> dict[str, Any]:
    arguments = ("--token", SEAL, "--kind", kind, "--label", f"nou-{kind}", "--json", *options)
    key: dict[str, Any] = json.loads(done(hall, "generate", *arguments))
    return key


def requested(hall: Trial, key: str) -> x509.CertificateSigningRequest:
    subject = ("--common-name", "Sigiliul comunei", "--organisation", "Comuna Lunca Teilor (TEST)")
    request = x509.load_pem_x509_csr(done(hall, "request", "--token", SEAL, "--key", key, *subject).encode())
    assert request.is_signature_valid
    return request


def written(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    return path


def private_keys(hall: Trial, token: str) -> dict[str, tuple[str, str]]:
    command = [sys.executable, "-c", LOOK_INSIDE, str(hall.provisioned.module), token, hall.pin(token)]
    shown = subprocess.run(command, env=hall.environment, check=True, capture_output=True, text=True).stdout
    return {line.split()[0]: (line.split()[1], line.split()[2]) for line in shown.splitlines()}


def journalled(hall: Trial) -> list[tuple[str, str, str]]:
    """Give actor, act and resource of everything that concerns a key of a token."""
    with sqlite3.connect(hall.directory / "data" / "pecete.db") as database:
        rows = database.execute("SELECT entry FROM journal ORDER BY leaf_index").fetchall()
    entries = [parse_entry(entry) for (entry,) in rows]
    return [(each.actor, each.act, each.resource) for each in entries if each.resource.startswith("tokens/")]


@pytest.mark.parametrize(("kind", "level"), [("p256", "B-T"), ("rsa3072", "B-B"), ("ed25519", "B-T")])
def test_from_a_new_key_to_a_signed_document(
    hall: Trial, running: TrialServer, disposition: Path, tmp_path: Path, kind: str, level: str
) -> None:
    pki = hall.provisioned.pki
    made = generated(hall, kind)
    assert KINDS_SHOWN[made["key_type"], made["key_bits"]] == kind
    unlisted = ["ALGORITHM_NOT_IN_TS_119_312"] if kind == "ed25519" else []
    assert [notice["reason"] for notice in made["notices"]] == ["CERTIFICATE_MISSING", *unlisted]
    assert made in listed(hall, SEAL)
    assert private_keys(hall, SEAL)[made["id"]] == ("False", "True")
    certificate = pki.issue_requested(
        requested(hall, made["id"][:12]), life=timedelta(days=3650), statements=QUALIFIED_SEAL
    )
    file = written(tmp_path / "seal.pem", certificate, pki.intermediate, pki.root)
    imported = json.loads(done(hall, "import-certificate", "--token", SEAL, file, "--json"))
    assert (imported["id"], imported["purpose"]) == (made["id"], "signature")
    assert [notice["reason"] for notice in imported["notices"]] == unlisted
    assert "CN=Sigiliul comunei" in imported["subject"] and imported["days_left"] > 365
    with running.client(DEPARTMENT) as department:
        key = department.get_signing_key(f"signingKeys/{certificate.fingerprint(SHA256()).hex()}")
        assert key.certificate == certificate.public_bytes(Encoding.DER)
        assert list(key.chain) == [pki.intermediate.public_bytes(Encoding.DER)]
        assert key.qc_statements == signing_pb2.QcStatements(
            compliance=True, sscd=True, types=[signing_pb2.QC_TYPE_ESEAL]
        )
        assert [notice.reason for notice in key.notices] == unlisted
        signed = department.sign(department.upload(disposition).name, key.name, level=level)
        (verdict,) = department.validate(signed.document.name).signatures
    assert verdict.indication == validation_pb2.INDICATION_TOTAL_PASSED
    assert (verdict.signer, verdict.level) == ("Sigiliul comunei", f"PAdES-BASELINE-{level[-1]}")
    acts = [(actor, act) for actor, act, resource in journalled(hall) if resource.endswith(made["id"])]
    assert acts == [
        ("pecete/keys", "key.generate"),
        ("pecete/keys", "certificate.request"),
        ("pecete/keys", "certificate.import"),
    ]


def test_fsck_finds_nothing_wrong_after_key_changes(hall: Trial) -> None:
    generated(hall, "p256")
    command = [sys.executable, "-m", "server.cli", "fsck", "--config", str(hall.configuration)]
    result = subprocess.run(command, env=hall.environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("kind", ["p384", "rsa3072", "ed25519"])
def test_openssl_verifies_a_request(hall: Trial, tmp_path: Path, kind: str) -> None:
    key, file = generated(hall, kind)["id"], tmp_path / f"{kind}.csr"
    subject = ["--common-name", "Ioana Mureșan", "--title", "Primar", "--surname", "Mureșan"]
    subject += ["--given-name", "Ioana", "--serial-number", "-", "--organisation-identifier", "VATRO-1"]
    request = ("request", "--token", SEAL, "--key", key, *subject, "--out", file)
    done(hall, *request, typed="PNORO-1960101000000\n")
    command = ["openssl", "req", "-in", str(file), "-verify", "-noout", "-subject"]
    command += ["-nameopt", "utf8,sep_comma_plus"]
    judged = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "verify OK" in judged.stderr + judged.stdout
    assert "serialNumber=PNORO-1960101000000" in judged.stdout and "CN=Ioana Mureșan" in judged.stdout
    before = file.read_bytes()
    assert refused(hall, *request, typed="x\n") == "FILE_EXISTS (out)"
    assert file.read_bytes() == before


@pytest.mark.parametrize("number", ["PNORO-1960101000000", "1960101000000", "tinro-1", "IDCRO-AB123456"])
def test_a_personal_number_is_not_taken_from_the_command_line(hall: Trial, number: str) -> None:
    arguments = ["--token", SEAL, "--key", "00", "--common-name", "x", "--serial-number", number]
    result = CliRunner().invoke(keys_app, ["request", *arguments, "--config", str(hall.configuration)])
    assert isinstance(result.exception, InvalidArgumentError)
    assert result.exception.reason == "SERIAL_NUMBER_PERSONAL"
    assert number not in str(result.exception)


def test_what_does_not_fit_is_refused_and_changes_nothing(hall: Trial, tmp_path: Path) -> None:
    pki = hall.provisioned.pki
    key = requested(hall, generated(hall, "p256")["id"]).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    elsewhere = ec.generate_private_key(ec.SECP256R1()).public_key()
    holder, past = Holder("x"), timedelta(days=365)
    seal = pki.issue_signer(holder, key)
    cases: dict[str, tuple[x509.Certificate, ...]] = {
        "CERTIFICATE_KEY_NOT_IN_TOKEN (certificate)": (pki.issue_signer(holder, elsewhere),),
        "CERTIFICATE_USAGE_WRONG (certificate)": (pki.intermediate,),
        "CERTIFICATE_EXPIRED (certificate)": (pki.issue_signer(holder, key, life=past),),
        "CERTIFICATE_CHAIN_WRONG (chain)": (seal, type(pki)().intermediate),
        "CERTIFICATE_UNREADABLE (certificate)": (),
    }
    before, journal = listed(hall, SEAL), journalled(hall)
    for reason, certificates in cases.items():
        file = written(tmp_path / "wrong.pem", *certificates)
        assert refused(hall, "import-certificate", "--token", SEAL, file) == reason
    file = written(tmp_path / "seal.pem", seal)
    elsewhere_too = refused(hall, "import-certificate", "--token", MAYOR, file)
    assert elsewhere_too == "CERTIFICATE_KEY_NOT_IN_TOKEN (certificate)"
    assert (listed(hall, SEAL), journalled(hall)) == (before, journal)
    chain = written(tmp_path / "chain.pem", pki.intermediate)
    done(hall, "import-certificate", "--token", SEAL, file, "--chain", chain)
    twice = refused(hall, "import-certificate", "--token", SEAL, file, "--chain", chain)
    assert twice == "CERTIFICATE_EXISTS (certificate)"


def test_rsa2048_is_made_on_express_wish_and_lives_until_2029(hall: Trial, tmp_path: Path) -> None:
    pki = hall.provisioned.pki
    arguments = ("generate", "--token", SEAL, "--kind", "rsa2048", "--label", "vechi")
    assert refused(hall, *arguments) == "KEY_TOO_SHORT (kind)"
    made = generated(hall, "rsa2048", "--allow-rsa2048")
    assert {notice["reason"] for notice in made["notices"]} == {"CERTIFICATE_MISSING", "ALGORITHM_ENDS"}
    request = requested(hall, made["id"])
    life = datetime.fromisoformat("2029-01-01T00:00:00Z") - pki.valid_from
    late = written(tmp_path / "late.pem", pki.issue_requested(request, life=life + timedelta(days=1)))
    reason = refused(hall, "import-certificate", "--token", SEAL, late)
    assert reason == "CERTIFICATE_OUTLIVES_ALGORITHM (certificate)"
    in_time = written(tmp_path / "in-time.pem", pki.issue_requested(request, life=life))
    assert "(ALGORITHM_ENDS)" in done(hall, "import-certificate", "--token", SEAL, in_time)


def test_the_pin_is_asked_for_where_none_is_configured(hall: Trial) -> None:
    before = private_keys(hall, MAYOR)
    arguments = ("generate", "--token", MAYOR, "--label", "nou")
    assert refused(hall, *arguments, typed="00000000\n") == "PIN_INCORRECT (pin)"
    assert refused(hall, *arguments, typed="\n") == "PIN_REQUIRED (pin)"
    assert private_keys(hall, MAYOR) == before
    result = run(hall, *arguments, "--json", typed=hall.pin(MAYOR) + "\n")
    assert json.loads(result.stdout)["id"] in private_keys(hall, MAYOR)
    assert hall.pin(MAYOR) not in result.stdout + result.stderr


def test_names_that_lead_nowhere(hall: Trial) -> None:
    assert refused(hall, "generate", "--token", "nobody", "--label", "x") == "TOKEN_NOT_CONFIGURED (token)"
    assert refused(hall, "generate", "--token", SEAL, "--label", " ") == "LABEL_MISSING (label)"
    request = ("request", "--token", SEAL, "--key")
    assert refused(hall, *request, "zz", "--common-name", "x") == "TOKEN_KEY_NOT_FOUND (key)"
    generated(hall, "p256")
    assert refused(hall, *request, "", "--common-name", "x") == "KEY_AMBIGUOUS (key)"
    assert refused(hall, *request, "", "--common-name", "x" * 65) == "SUBJECT_MALFORMED (common_name)"


def test_a_key_that_the_journal_does_not_take_is_destroyed_again(tmp_path: Path) -> None:
    hall = make_trial(tmp_path, Settings(plans=PLANS))
    before = private_keys(hall, SEAL)
    with sqlite3.connect(hall.directory / "data" / "pecete.db") as database:
        database.execute("DELETE FROM journal_head")
    assert refused(hall, "generate", "--token", SEAL, "--label", "x") == "JOURNAL_HEAD_MISSING"
    assert private_keys(hall, SEAL) == before
    assert len(listed(hall, SEAL)) == 1


def test_a_token_that_is_away_is_named_and_hides_no_other(hall: Trial) -> None:
    text = hall.configuration.read_text().replace(f'token_label = "{MAYOR}"', 'token_label = "elsewhere"')
    (moved := hall.configuration.with_name("away.toml")).write_text(text)
    command = [sys.executable, "-m", "server.cli", "keys", "list", "--config", str(moved)]
    result = subprocess.run(command, env=hall.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"{MAYOR}: TOKEN_NOT_PRESENT" in result.stdout
    assert f"{SEAL}: Primăria Comunei Lunca Teilor (TEST)" in result.stdout.splitlines()


def test_the_server_says_of_a_key_what_is_to_be_known(hall: Trial, running: TrialServer) -> None:
    with running.client(DEPARTMENT) as department:
        keys = {key.name: key for key in department.list_signing_keys()}
        seal = keys[hall.signing_key(SEAL)]
        assert department.get_signing_key(seal.name) == seal
    assert seal.token_state == signing_pb2.TOKEN_STATE_READY and not seal.token_fault
    assert seal.days_left > 365 and not seal.qc_statements.compliance
    (notice,) = seal.notices
    assert notice.reason == "CERTIFICATE_OUTLIVES_ALGORITHM"
    assert notice.severity == signing_pb2.SigningKeyNotice.SEVERITY_WARNING
    assert notice.effective_time.ToJsonString() == "2029-01-01T00:00:00Z"
