"""The archive over the wire: kept with its description and verdict, proven offline, and watched over."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.archive.v1.archive_pb2 import DescriptiveRecord, Record, RecordCheck, RecordProof, RecordVerdict
from pecete.client import Client
from pecete.errors import DataLossError, InvalidArgumentError, NotFoundError, PeceteError
from pecete.evidence.record_proof import parse_record_proof, verify_record_proof
from server.trial import ORIGIN, SEAL, TrialServer
from tests.e2e.observation import acts, faults, object_path, until

pytestmark = pytest.mark.e2e


@pytest.fixture
def record(
    server: TrialServer, department: Client, disposition: Path, description: DescriptiveRecord
) -> Record:
    """The record of a sealed disposition; each has bytes of its own."""
    signed = department.sign(disposition, server.trial.signing_key(SEAL))
    return department.archive(signed.document, description)


def stamped_proof(department: Client, record: Record) -> RecordProof:
    """Wait until a time-stamped checkpoint covers a record."""

    def look() -> RecordProof | None:
        try:
            proof = department.record_proof(record.name)
        except PeceteError as error:
            assert error.reason == "CHECKPOINT_PENDING"
            return None
        return proof if parse_record_proof(proof.proof_json).timestamp_token else None

    return until("a time-stamped checkpoint", look)


def outcomes(verdict: RecordVerdict) -> dict[str, str]:
    names = {check.check: RecordCheck.Outcome.Name(check.outcome) for check in verdict.checks}
    return {check: name.removeprefix("OUTCOME_") for check, name in names.items()}


def test_a_record_says_what_was_kept_and_how_it_was_judged(
    server: TrialServer, department: Client, record: Record, description: DescriptiveRecord, tmp_path: Path
) -> None:
    assert department.get_record(record.name) == record
    assert next(department.list_records()) == record
    assert record.archivist == "principals/registratura"
    for field in ("owner", "issuer", "history", "document_type", "classification", "issue_date", "retention"):
        assert getattr(record.descriptive_record, field) == getattr(description, field)
    filled = record.descriptive_record
    assert (filled.format, filled.unique_identifier) == ("application/pdf", record.name)
    assert filled.archive_date == f"{record.create_time.ToDatetime():%Y-%m-%d}"
    assert filled.carrier_location
    report = json.loads(record.validation_report_json)
    assert report["error"] is None
    assert [each["indication"] for each in report["signatures"]] == ["TOTAL_PASSED"]
    target = tmp_path / "kept.pdf"
    department.download_record(record.name, target)
    assert hashlib.sha256(target.read_bytes()).digest() == record.sha256
    assert acts(server.trial, record.name) == ["record.archive"]


def test_a_retry_gets_the_first_record(
    server: TrialServer, department: Client, disposition: Path, description: DescriptiveRecord
) -> None:
    document = department.upload(disposition)
    first = department.archive(document, description, request_id="archive-once")
    assert department.archive(document, description, request_id="archive-once") == first


def test_what_cannot_be_judged_is_kept_with_its_reason(
    department: Client, scan: Path, description: DescriptiveRecord
) -> None:
    scanned = department.archive(scan, description, kind="copy")
    report = json.loads(scanned.validation_report_json)
    assert (report["error"], report["signatures"]) == (None, [])
    letter = department.archive("Stimată doamnă primar,\n".encode(), description)
    assert letter.media_type == letter.descriptive_record.format == "text/plain"
    report = json.loads(letter.validation_report_json)
    assert (report["error"]["reason"], report["signatures"]) == ("UNSUPPORTED_FORMAT", [])


@pytest.mark.parametrize(
    "field",
    [
        "owner",
        "issuer",
        "rights_holder",
        "history",
        "document_type",
        "classification",
        "keywords",
        "issue_date",
        "retention",
    ],
)
def test_a_missing_field_is_refused_by_name(
    department: Client, scan: Path, description: DescriptiveRecord, field: str
) -> None:
    description.ClearField(field)  # type: ignore[arg-type]
    before = [record.name for record in department.list_records()]
    with pytest.raises(InvalidArgumentError) as refused:
        department.archive(scan, description)
    assert refused.value.field == f"descriptive_record.{field}"
    assert refused.value.reason in ("DESCRIPTION_MISSING", "DESCRIPTION_INVALID")
    assert [record.name for record in department.list_records()] == before


def test_what_is_not_there_is_not_found(department: Client, description: DescriptiveRecord) -> None:
    with pytest.raises(NotFoundError) as record:
        department.get_record("records/nosuch")
    assert record.value.reason == "RECORD_NOT_FOUND"
    with pytest.raises(NotFoundError) as document:
        department.archive("documents/nosuch", description)
    assert (document.value.reason, document.value.field) == ("DOCUMENT_NOT_FOUND", "document")


def test_a_record_is_proven_offline(
    server: TrialServer, department: Client, record: Record, tmp_path: Path
) -> None:
    proof = stamped_proof(department, record)
    department.download_record(record.name, tmp_path / "kept.pdf")
    root = server.trial.provisioned.pki.root.public_bytes(Encoding.DER)
    key = proof.journal_public_key.encode()

    def verify(proof_json: str, document: Path | bytes) -> str:
        verdict = verify_record_proof(proof_json, document, journal_key=key, origin=ORIGIN, trust=[root])
        assert verdict.existed_by is not None
        return verdict.record

    assert verify(proof.proof_json, tmp_path / "kept.pdf") == record.name
    with pytest.raises(DataLossError) as other_bytes:
        verify(proof.proof_json, b"something else")
    assert other_bytes.value.reason == "DOCUMENT_ALTERED"
    with pytest.raises(DataLossError) as other_row:
        verify(proof.proof_json.replace("dispoziție", "hotărâre"), tmp_path / "kept.pdf")
    assert other_row.value.reason == "RECORD_ALTERED"


@contextmanager
def one_byte_flipped(path: Path) -> Iterator[None]:
    """Alter a kept object as rot or an intruder would, then put it right again."""
    mode, whole = path.stat().st_mode, path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        yield
    finally:
        path.write_bytes(whole)
        path.chmod(mode)


def test_a_flipped_byte_is_found_and_named(server: TrialServer, department: Client, record: Record) -> None:
    stamped_proof(department, record)
    whole = {"fixity": "PASSED", "row": "PASSED", "journal": "PASSED", "checkpoint": "PASSED"}
    assert outcomes(department.verify_record(record.name)) == whole
    assert faults(server.trial) == []
    with one_byte_flipped(object_path(server.trial, record.sha256)):
        assert outcomes(department.verify_record(record.name)) == {**whole, "fixity": "FAILED"}
        found = [line.split("\t")[:2] for line in faults(server.trial)]
        assert found == [["OBJECT_ALTERED", record.sha256.hex()]]
    assert outcomes(department.verify_record(record.name)) == whole
