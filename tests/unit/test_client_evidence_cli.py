"""`pecete verify-timestamp` and `pecete verify-proof` check files, and need nothing else."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner, Result

from pecete.cli import app
from pecete.evidence.log_proof import Checkpoint, JournalEntry, leaf_hash, row_sha256, signature_line
from pecete.evidence.record_proof import RecordProof
from timestamping.der import object_identifier
from timestamping.issuing import TokenWriter
from timestamping.request import parse_time_stamp_req, write_time_stamp_req
from timestamping.software_key import SoftwareKey

DATA = "Dispoziția nr. 7".encode()
GEN_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORIGIN = "primaria.example.ro/journal"
JOURNAL_KEY = Ed25519PrivateKey.generate()
Run = Callable[..., Result]


def make_unit() -> SoftwareKey:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Unit")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(GEN_TIME).not_valid_after(GEN_TIME + timedelta(days=1))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return SoftwareKey(key, builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))


UNIT = make_unit()


def stamp(data: bytes) -> bytes:
    request = parse_time_stamp_req(write_time_stamp_req("sha256", hashlib.sha256(data).digest(), 99))
    writer = TokenWriter(UNIT, timedelta(seconds=1))
    prepared = writer.prepare(request, policy=object_identifier("1.2.3"), serial=b"\x07", gen_time=GEN_TIME)
    return writer.assemble(prepared, asyncio.run(UNIT.sign(prepared.signed_attributes)))


def prove() -> RecordProof:
    """Make the proof of the only record of a journal."""
    row = {
        "id": "1",
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "descriptive_record": '{"owner": "Primăria"}',
    }
    digest = hashlib.sha256(DATA).hexdigest()
    act = ("principals/ana", "record.archive", "records/1", "request")
    entry = JournalEntry(0, 1_700_000_000_000_000, *act, digest, row_sha256(row).hex()).to_bytes()
    text = Checkpoint(ORIGIN, 1, leaf_hash(entry)).to_text()
    line = signature_line(ORIGIN, JOURNAL_KEY.public_key(), JOURNAL_KEY.sign(text.encode()))
    note = f"{text}\n{line}"
    return RecordProof(row, entry, 0, 1, (), note, stamp(note.encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "act.pdf").write_bytes(DATA)
    (tmp_path / "other.pdf").write_bytes(DATA + b"x")
    (tmp_path / "act.tst").write_bytes(stamp(DATA))
    (tmp_path / "unit.pem").write_bytes(
        x509.load_der_x509_certificate(UNIT.certificate).public_bytes(Encoding.PEM)
    )
    (tmp_path / "unit.der").write_bytes(UNIT.certificate)
    (tmp_path / "proof.json").write_text(prove().to_json())
    key = JOURNAL_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "journal.pub.pem").write_bytes(key)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a command; arguments with a dot are files of the folder."""

    def run(*arguments: str) -> Result:
        paths = [str(folder / part) if (folder / part).is_file() else part for part in arguments]
        return CliRunner().invoke(app, paths)

    return run


THEN = ("--time", "2026-03-01T13:00:00Z")
EXPIRED = ("--trust", "unit.pem", "--time", "2026-03-03T13:00:00Z")
PROOF = ("verify-proof", "proof.json", "--key", "journal.pub.pem", "--origin", ORIGIN)


@pytest.mark.parametrize("anchor", ["unit.pem", "unit.der"])
def test_a_trusted_timestamp_tells_its_time(run: Run, anchor: str) -> None:
    result = run("verify-timestamp", "act.tst", "--data", "act.pdf", "--trust", anchor, *THEN, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "gen_time": "2026-03-01T12:00:00+00:00",
        "serial_number": "7",
        "policy": "1.2.3",
        "digest_algorithm": "sha256",
        "digest": hashlib.sha256(DATA).hexdigest(),
        "trusted": True,
    }


def test_an_untrusted_timestamp_is_said_to_be_intact_only(run: Run) -> None:
    assert (
        "not asked"
        not in run("verify-timestamp", "act.tst", "--data", "act.pdf", "--trust", "unit.pem", *THEN).stdout
    )
    result = run("verify-timestamp", "act.tst", "--data", "act.pdf")
    assert result.exit_code == 0
    assert "whether its authority is trusted was not asked" in result.stdout
    assert (
        json.loads(run("verify-timestamp", "act.tst", "--data", "act.pdf", "--json").stdout)["trusted"]
        is False
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("verify-timestamp", "act.tst", "--data", "other.pdf"), "TIMESTAMP_IMPRINT_MISMATCH"),
        (("verify-timestamp", "act.pdf", "--data", "act.pdf"), "TIMESTAMP_MALFORMED"),
        (
            ("verify-timestamp", "act.tst", "--data", "act.pdf", "--trust", "act.pdf"),
            "TRUST_ANCHOR_UNREADABLE",
        ),
        (("verify-timestamp", "act.tst", "--data", "act.pdf", *EXPIRED), "TIMESTAMP_PATH_NOT_FOUND"),
        ((*PROOF, "--data", "act.pdf", *EXPIRED), "TIMESTAMP_PATH_NOT_FOUND"),
        ((*PROOF, "--data", "other.pdf"), "DOCUMENT_ALTERED"),
        ((*PROOF, "--data", "act.pdf", "--key", "unit.pem"), "JOURNAL_KEY_INVALID"),
        (("verify-proof", "act.pdf", *PROOF[2:], "--data", "act.pdf"), "RECORD_PROOF_MALFORMED"),
    ],
)
def test_what_does_not_hold_is_said(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"pecete: {reason}") and result.stderr.count("\n") == 1


def test_a_proof_tells_what_it_proves(run: Run) -> None:
    result = run(*PROOF, "--data", "act.pdf", "--trust", "unit.pem", *THEN, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "record": "records/1",
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "descriptive_record": {"owner": "Primăria"},
        "archive_time": "2023-11-14T22:13:20+00:00",
        "archivist": "principals/ana",
        "tree_size": 1,
        "existed_by": "2026-03-01T12:00:00+00:00",
    }
    shown = run(*PROOF, "--data", "act.pdf").stdout
    assert "is the document of records/1, archived by principals/ana" in shown
    assert "trusted time-stamp" not in shown
