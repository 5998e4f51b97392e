"""Records on real databases: written once, proven inside and, offline, outside."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore
from sqlalchemy import Connection, delete, update

from archive.checkpoint import CheckpointSigner, attach_timestamp, sign_checkpoint, timestamp_imprint
from archive.description import Description
from archive.journal import Journal, first_entry, start_journal
from archive.objects import FileObjectStore
from archive.proof import Outcome, record_proof, verify_record
from archive.record import (
    Record,
    Submission,
    archive_document,
    get_record,
    is_referenced,
    journalled_rows,
    list_records,
    referenced_objects,
)
from archive.tables import METADATA, checkpoints, journal, records
from pecete.errors import (
    AbortedError,
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
)
from pecete.evidence.log_proof import parse_entry, row_sha256
from pecete.evidence.record_proof import RecordProofVerdict, verify_record_proof
from server.database import Database

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
ORIGIN = "primaria.example.ro/journal"
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ORIGIN)
KEY_PEM = SIGNER.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JOURNAL = Journal(lambda: NOW)
CONTENT = b"Dispozitia nr. 12 din 20.11.2026"
DESCRIPTION = Description(
    owner="UAT Municipiul Exemplu",
    issuer="Primarul",
    rights_holder="UAT Municipiul Exemplu",
    history="Emisă la propunerea Direcției de Asistență Socială",
    document_type="dispoziție",
    classification="I.A.3",
    keywords=("ajutor social",),
    issue_date="2026-11-20",
    retention="P",
)


class Archive:
    """A database, a store and the few steps that a test takes with them."""

    def __init__(self, database: Database, store: FileObjectStore) -> None:
        self.database = database
        self.store = store

    def put(self, data: bytes = CONTENT) -> Submission:
        with self.store.writer(len(data)) as writer:
            writer.write(data)
            stored = writer.commit()
        return Submission(
            sha256=bytes.fromhex(stored.sha256),
            size_bytes=stored.size,
            media_type="application/pdf",
            kind="original",
            archivist="principals/ana",
            description=DESCRIPTION,
            validation_report='{"indication":"TOTAL_PASSED"}',
        )

    def archive(self, submission: Submission, record_id: str = "r1", now: datetime = NOW) -> Record:
        with self.database.begin() as connection:
            return archive_document(
                connection,
                JOURNAL,
                submission,
                record_id=record_id,
                request_id="q-1",
                now=now,
                carrier_location="Sediul primăriei, camera serverelor",
                exists=self.store.exists,
            )

    def sign_checkpoint(self) -> None:
        with self.database.begin() as connection:
            sign_checkpoint(connection, SIGNER, NOW)

    def outcomes(self, name: str = "records/r1") -> dict[str, str]:
        verdict = verify_record(
            self.database.read, self.store, name, public_key=SIGNER.public_key, origin=ORIGIN
        )
        assert verdict.record == name
        return {check.check: check.outcome.value for check in verdict.checks}

    def proof(self, name: str = "records/r1") -> str:
        with self.database.read() as connection:
            return record_proof(connection, name).to_json()


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Iterator[Archive]:
    database = Database(database_url)
    with database.begin() as connection:
        METADATA.create_all(connection)
        start_journal(connection)
    yield Archive(database, FileObjectStore(tmp_path / "store"))
    database.close()


PASSED = {"fixity": "PASSED", "row": "PASSED", "journal": "PASSED", "checkpoint": "PASSED"}


def check(proof: str, data: bytes | Path = CONTENT, trust: tuple[bytes, ...] = ()) -> RecordProofVerdict:
    return verify_record_proof(proof, data, journal_key=KEY_PEM, origin=ORIGIN, trust=trust, at=NOW)


def test_archived_record_is_read_back(archive: Archive) -> None:
    record = archive.archive(archive.put())
    described = record.descriptive_record
    assert record.name == described.unique_identifier == "records/r1"
    assert (described.format, described.archive_date) == ("application/pdf", "2026-11-24")
    assert described.carrier_location == "Sediul primăriei, camera serverelor"
    with archive.database.read() as connection:
        assert get_record(connection, "records/r1") == record
        assert is_referenced(connection, record.sha256)
        assert not is_referenced(connection, bytes(32))
        assert list(referenced_objects(connection)) == [("records/r1", record.sha256.hex())]
        [(name, row)] = journalled_rows(connection)
        entry = parse_entry(first_entry(connection, name).entry)
    assert (row["file_code"], row["retention"], row["create_time"]) == ("I.A.3", "P", 1_795_521_600_123_456)
    assert entry.row_sha256 == row_sha256(row).hex()
    assert (entry.act, entry.actor, entry.digest) == ("record.archive", "principals/ana", record.sha256.hex())


@pytest.mark.parametrize("name", ["records/absent", "records/", "records", "documents/r1", "", "r1"])
def test_absent_record(archive: Archive, name: str) -> None:
    archive.archive(archive.put())
    with pytest.raises(NotFoundError, match="RECORD_NOT_FOUND"), archive.database.read() as connection:
        get_record(connection, name)


def test_refused_record_leaves_nothing(archive: Archive) -> None:
    submission = archive.put()
    archive.archive(submission)
    refusals: list[tuple[Submission, str, type[PeceteError], str]] = [
        (submission, "r1", AlreadyExistsError, "RECORD_EXISTS"),
        (replace(submission, sha256=bytes(32)), "r2", AbortedError, "OBJECT_GONE"),
        (replace(submission, kind=cast("object", "scan")), "r2", InvalidArgumentError, "RECORD_KIND_INVALID"),  # type: ignore[arg-type]
        (
            replace(submission, description=replace(DESCRIPTION, owner="")),
            "r2",
            InvalidArgumentError,
            "DESCRIPTION_MISSING",
        ),
    ]
    for refused, record_id, kind, reason in refusals:
        with pytest.raises(kind, match=reason):
            archive.archive(refused, record_id)
    archive.archive(submission, "r3")
    with archive.database.read() as connection:
        assert first_entry(connection, "records/r3").leaf_index == 1
        assert len(list_records(connection, page_size=0).records) == 2


def test_pages_newest_first(archive: Archive) -> None:
    submission = archive.put()
    for number in range(5):
        archive.archive(submission, f"r{number}", NOW + timedelta(seconds=number // 2))
    with archive.database.read() as connection:
        names, token = [], ""
        while True:
            page = list_records(connection, page_size=2, page_token=token)
            names.append([record.id for record in page.records])
            token = page.next_page_token
            if not token:
                break
        assert names == [["r4", "r3"], ["r2", "r1"], ["r0"]]
        assert list_records(connection, page_size=5).next_page_token == ""
        for token in ("x", "ăă", "MTIz", "AAAA"):
            with pytest.raises(InvalidArgumentError, match="PAGE_TOKEN_INVALID"):
                list_records(connection, page_size=2, page_token=token)
        with pytest.raises(InvalidArgumentError, match="PAGE_SIZE_NEGATIVE"):
            list_records(connection, page_size=-1)


def test_verdict_of_an_intact_record(archive: Archive) -> None:
    archive.archive(archive.put())
    assert archive.outcomes() == {**PASSED, "checkpoint": "PENDING"}
    with pytest.raises(FailedPreconditionError, match="CHECKPOINT_PENDING"):
        archive.proof()
    archive.sign_checkpoint()
    archive.archive(archive.put(b"another"), "r2")
    assert archive.outcomes() == PASSED
    assert archive.outcomes("records/r2")["checkpoint"] == "PENDING"


def flip_object(archive: Archive, connection: Connection) -> None:
    [(_, sha256)] = referenced_objects(connection)
    path = archive.store.path(sha256)
    path.chmod(0o640)
    path.write_bytes(CONTENT[:-1] + b"7")


def lose_object(archive: Archive, connection: Connection) -> None:
    [(_, sha256)] = referenced_objects(connection)
    archive.store.delete(sha256)


def edit_row(archive: Archive, connection: Connection) -> None:
    connection.execute(update(records).values(retention="1"))


def edit_entry(archive: Archive, connection: Connection) -> None:
    stored = first_entry(connection, "records/r1")
    forged = replace(parse_entry(stored.entry), actor="principals/ion").to_bytes()
    connection.execute(update(journal).values(entry=forged))


def lose_entry(archive: Archive, connection: Connection) -> None:
    connection.execute(delete(journal))


def edit_checkpoint(archive: Archive, connection: Connection) -> None:
    connection.execute(update(checkpoints).values(note="nonsense"))


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        (flip_object, {"fixity"}),
        (lose_object, {"fixity"}),
        (edit_row, {"row"}),
        (edit_entry, {"journal", "checkpoint"}),
        (lose_entry, {"row", "journal", "checkpoint"}),
        (edit_checkpoint, {"checkpoint"}),
    ],
)
def test_verdict_names_what_was_damaged(
    archive: Archive, damage: Callable[[Archive, Connection], None], failed: set[str]
) -> None:
    archive.archive(archive.put())
    archive.sign_checkpoint()
    with archive.database.begin() as connection:
        damage(archive, connection)
    outcomes = archive.outcomes()
    assert {check for check, outcome in outcomes.items() if outcome == Outcome.FAILED} == failed
    assert {check for check, outcome in outcomes.items() if outcome == Outcome.PASSED} == set(PASSED) - failed


def test_proof_holds_offline(archive: Archive, tmp_path: Path) -> None:
    for number in range(7):
        archive.archive(archive.put(), f"r{number}")
    archive.sign_checkpoint()
    document = tmp_path / "dispozitie.pdf"
    document.write_bytes(CONTENT)
    for data in (CONTENT, document):
        verdict = check(archive.proof("records/r4"), data)
        assert (verdict.record, verdict.archivist, verdict.archive_time) == (
            "records/r4",
            "principals/ana",
            NOW,
        )
        assert verdict.descriptive_record["owner"] == "UAT Municipiul Exemplu"
        assert verdict.checkpoint.size == 7
        assert verdict.existed_by is None


@pytest.fixture
def proof(archive: Archive) -> dict[str, object]:
    for number in range(3):
        archive.archive(archive.put(), f"r{number}")
    archive.sign_checkpoint()
    fields: dict[str, object] = json.loads(archive.proof())
    return fields


Change = Callable[[dict[str, object]], Mapping[str, object]]


def entry_with(**changes: object) -> Change:
    def change(proof: dict[str, object]) -> Mapping[str, object]:
        entry = parse_entry(str(proof["journal_entry"]).encode())
        return {"journal_entry": replace(entry, **changes).to_bytes().decode()}  # type: ignore[arg-type]

    return change


def record_with(**changes: object) -> Change:
    return lambda proof: {"record": {**cast("dict[str, object]", proof["record"]), **changes}}


def replaced(**changes: object) -> Change:
    return lambda proof: changes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (record_with(retention="1"), "RECORD_ALTERED"),
        (record_with(extra="1"), "RECORD_ALTERED"),
        (record_with(id="r2"), "JOURNAL_ENTRY_DIFFERS"),
        (record_with(size_bytes=1.5), "RECORD_PROOF_MALFORMED"),
        (entry_with(act="document.upload"), "JOURNAL_ENTRY_DIFFERS"),
        (entry_with(index=2), "JOURNAL_ENTRY_DIFFERS"),
        (entry_with(time=1), "INCLUSION_PROOF_INVALID"),
        (entry_with(actor="principals/ion"), "INCLUSION_PROOF_INVALID"),
        (replaced(journal_entry="{}"), "JOURNAL_ENTRY_MALFORMED"),
        (replaced(leaf_index=2), "JOURNAL_ENTRY_DIFFERS"),
        (replaced(tree_size=2), "TREE_SIZE_DIFFERS"),
        (replaced(inclusion_proof=[]), "INCLUSION_PROOF_INVALID"),
        (replaced(inclusion_proof=["?"]), "RECORD_PROOF_MALFORMED"),
        (replaced(inclusion_proof=[7]), "RECORD_PROOF_MALFORMED"),
        (replaced(checkpoint="nonsense"), "CHECKPOINT_MALFORMED"),
        (replaced(version=2), "RECORD_PROOF_MALFORMED"),
        (replaced(version=True), "RECORD_PROOF_MALFORMED"),
        (replaced(more=1), "RECORD_PROOF_MALFORMED"),
        (replaced(journal_entry="\ud800"), "RECORD_PROOF_MALFORMED"),
    ],
)
def test_forged_proof_is_refused(proof: dict[str, object], change: Change, reason: str) -> None:
    with pytest.raises(PeceteError) as caught:
        check(json.dumps({**proof, **change(proof)}))
    assert caught.value.reason == reason
    assert check(json.dumps(proof)).record == "records/r1"


def test_proof_of_other_bytes_key_or_journal_is_refused(proof: dict[str, object]) -> None:
    text = json.dumps(proof)
    with pytest.raises(PeceteError, match="DOCUMENT_ALTERED"):
        check(text, CONTENT + b" ")
    with pytest.raises(PeceteError, match="DOCUMENT_UNREADABLE"):
        check(text, Path("/no/such/file"))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    for pem, origin, reason in (
        (other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), ORIGIN, "CHECKPOINT_UNSIGNED"),
        (KEY_PEM, "other.example/journal", "CHECKPOINT_ORIGIN_DIFFERS"),
        (b"not PEM", ORIGIN, "JOURNAL_KEY_INVALID"),
    ):
        with pytest.raises(PeceteError, match=reason):
            verify_record_proof(text, CONTENT, journal_key=pem, origin=origin)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, b"\xff", "\ud800"])
def test_nonsense_is_no_proof(text: str | bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="RECORD_PROOF_MALFORMED"):
        verify_record_proof(text, CONTENT, journal_key=KEY_PEM, origin=ORIGIN)


def time_stamping_unit() -> tuple[DummyTimeStamper, bytes]:
    """A time-stamping unit that is its own trust anchor, and its certificate (DER)."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TSU")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    stamper = DummyTimeStamper(
        tsa_cert=asn1_x509.Certificate.load(certificate),
        tsa_key=asn1_keys.PrivateKeyInfo.load(private),
        certs_to_embed=SimpleCertificateStore(),
        fixed_dt=NOW.replace(microsecond=0),
    )
    return stamper, certificate


async def test_time_stamped_checkpoint_dates_the_record(archive: Archive) -> None:
    archive.archive(archive.put())
    archive.sign_checkpoint()
    stamper, certificate = time_stamping_unit()
    with pytest.raises(PeceteError, match="TIMESTAMP_MISSING"):
        check(archive.proof(), trust=(certificate,))
    with archive.database.read() as connection:
        imprint = timestamp_imprint(connection, 1)
    assert imprint is not None
    token = (await stamper.async_timestamp(imprint, "sha256")).dump()
    with archive.database.begin() as connection:
        attach_timestamp(connection, 1, token)
    assert check(archive.proof(), trust=(certificate,)).existed_by == NOW.replace(microsecond=0)
    assert check(archive.proof()).existed_by is None
    _, stranger = time_stamping_unit()
    with pytest.raises(PeceteError, match="TIMESTAMP_PATH_NOT_FOUND"):
        check(archive.proof(), trust=(stranger,))
    with archive.database.begin() as connection:
        other = (await stamper.async_timestamp(bytes(32), "sha256")).dump()
        connection.execute(update(checkpoints).values(timestamp_token=other))
    with pytest.raises(PeceteError, match="TIMESTAMP_IMPRINT_MISMATCH"):
        check(archive.proof(), trust=(certificate,))
