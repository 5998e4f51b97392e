"""Records: documents in the archive. Written once; nothing here changes or removes one."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, RowMapping, insert, select, tuple_
from sqlalchemy.exc import IntegrityError

from archive.description import Description, DescriptiveRecord
from archive.journal import Journal, microseconds
from archive.tables import records
from pecete.errors import AbortedError, AlreadyExistsError, InvalidArgumentError, NotFoundError

COLLECTION = "records"
ARCHIVE_ACT = "record.archive"
MAXIMUM_PAGE_SIZE = 200
ROWS_AT_ONCE = 1000
"""Rows that a pass over the table holds in memory."""

RecordKind = Literal["original", "copy"]

_PAGE_TOKEN = re.compile(r"([0-9]{1,18})/(.{1,64})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is to be archived: stored bytes, what they are, and who says so.

    sha256: digest of the object, 32 octets. validation_report: verdict on the signatures now, JSON.
    """

    sha256: bytes
    size_bytes: int
    media_type: str
    kind: RecordKind
    archivist: str
    description: Description
    validation_report: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """A document in the archive. `id` is without the collection; `create_time` in microseconds UTC."""

    id: str
    sha256: bytes
    size_bytes: int
    media_type: str
    kind: RecordKind
    archivist: str
    descriptive_record: DescriptiveRecord
    validation_report: str
    create_time: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"{COLLECTION}/{self.id}"


@dataclass(frozen=True)
class RecordPage:
    """Some records, newest first, and the token that gives the next page ("" on the last)."""

    records: tuple[Record, ...]
    next_page_token: str


def archive_document(
    connection: Connection,
    journal: Journal,
    submission: Submission,
    *,
    record_id: str,
    request_id: str,
    now: datetime,
    carrier_location: str,
    exists: Callable[[str], bool],
) -> Record:
    """Write a record and its act `record.archive` in the caller's transaction.

    exists: asks the object store, by SHA-256 in hex. Raises InvalidArgumentError as `Description.check` does
    or RECORD_KIND_INVALID, AlreadyExistsError RECORD_EXISTS, AbortedError OBJECT_GONE when the bytes were
    removed meanwhile, and what `Journal.append` raises.
    """
    submission.description.check(now)
    if submission.kind not in get_args(RecordKind):
        raise InvalidArgumentError("RECORD_KIND_INVALID", "A record is an original or a copy.", field="kind")
    record = _complete(submission, record_id, now, carrier_location)
    row = _row(record)
    journal.append(
        connection,
        actor=record.archivist,
        act=ARCHIVE_ACT,
        resource=record.name,
        request_id=request_id,
        digest=record.sha256,
        row=row,
    )
    # The journal's head is held now: who removes objects does so holding it too.
    if not exists(record.sha256.hex()):
        raise AbortedError("OBJECT_GONE", "The stored bytes were removed meanwhile; send them again.")
    try:
        connection.execute(insert(records).values(row))
    except IntegrityError as error:
        raise AlreadyExistsError("RECORD_EXISTS", "There is a record of this name.") from error
    return record


def _complete(submission: Submission, record_id: str, now: datetime, carrier_location: str) -> Record:
    create_time = microseconds(now)
    described = DescriptiveRecord(
        **asdict(submission.description),
        format=submission.media_type,
        carrier_location=carrier_location,
        unique_identifier=f"{COLLECTION}/{record_id}",
        archive_date=now.date().isoformat(),
    )
    return Record(
        id=record_id,
        sha256=submission.sha256,
        size_bytes=submission.size_bytes,
        media_type=submission.media_type,
        kind=submission.kind,
        archivist=submission.archivist,
        descriptive_record=described,
        validation_report=submission.validation_report,
        create_time=create_time,
    )


def _row(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "sha256": record.sha256,
        "size_bytes": record.size_bytes,
        "media_type": record.media_type,
        "kind": record.kind,
        "archivist": record.archivist,
        "descriptive_record": record.descriptive_record.to_json(),
        "validation_report": record.validation_report,
        "file_code": record.descriptive_record.classification,
        "retention": record.descriptive_record.retention,
        "create_time": record.create_time,
    }


def _record(row: RowMapping) -> Record:
    return Record(
        id=row["id"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        media_type=row["media_type"],
        kind=row["kind"],
        archivist=row["archivist"],
        descriptive_record=DescriptiveRecord.from_json(row["descriptive_record"]),
        validation_report=row["validation_report"],
        create_time=row["create_time"],
    )


def read_row(connection: Connection, name: str) -> dict[str, object]:
    """Give a record's row as it is kept. Raises NotFoundError RECORD_NOT_FOUND."""
    return dict(_find(connection, name))


def get_record(connection: Connection, name: str) -> Record:
    """Give the record of a resource name.

    Raises NotFoundError RECORD_NOT_FOUND and DataLossError DESCRIPTIVE_RECORD_UNREADABLE.
    """
    return _record(_find(connection, name))


def _find(connection: Connection, name: str) -> RowMapping:
    collection, _, record_id = name.partition("/")
    row = None
    if collection == COLLECTION and record_id:
        row = connection.execute(select(records).where(records.c.id == record_id)).mappings().first()
    if row is None:
        raise NotFoundError("RECORD_NOT_FOUND", "There is no such record.", field="name")
    return row


def list_records(connection: Connection, *, page_size: int, page_token: str = "") -> RecordPage:
    """Give a page of records, newest first (AIP-158); page_size 0 or beyond 200 gives at most 200.

    Raises InvalidArgumentError PAGE_SIZE_NEGATIVE or PAGE_TOKEN_INVALID.
    """
    if page_size < 0:
        raise InvalidArgumentError("PAGE_SIZE_NEGATIVE", "A page has no negative size.", field="page_size")
    size = min(page_size or MAXIMUM_PAGE_SIZE, MAXIMUM_PAGE_SIZE)
    query = select(records).order_by(records.c.create_time.desc(), records.c.id.desc()).limit(size + 1)
    if page_token:
        query = query.where(tuple_(records.c.create_time, records.c.id) < _read_page_token(page_token))
    rows = [_record(row) for row in connection.execute(query).mappings()]
    page = tuple(rows[:size])
    return RecordPage(page, _page_token(page[-1]) if len(rows) > size else "")


def _page_token(last: Record) -> str:
    return urlsafe_b64encode(f"{last.create_time}/{last.id}".encode()).decode()


def _read_page_token(token: str) -> tuple[int, str]:
    try:
        found = _PAGE_TOKEN.fullmatch(urlsafe_b64decode(token).decode())
    except ValueError:
        found = None
    if found is None:
        raise InvalidArgumentError("PAGE_TOKEN_INVALID", "The page token is not ours.", field="page_token")
    return int(found[1]), found[2]


def is_referenced(connection: Connection, sha256: bytes) -> bool:
    """Say whether any record has these bytes."""
    return (
        connection.execute(select(records.c.id).where(records.c.sha256 == sha256).limit(1)).first()
        is not None
    )


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each record's resource name and row as it was journalled."""
    query = select(records).order_by(records.c.id).execution_options(yield_per=ROWS_AT_ONCE)
    for row in connection.execute(query).mappings():
        yield f"{COLLECTION}/{row['id']}", dict(row)


def referenced_objects(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give each record's resource name and the SHA-256 of its bytes in hex, where the row still holds one."""
    query = select(records.c.id, records.c.sha256).execution_options(yield_per=ROWS_AT_ONCE)
    for record_id, sha256 in connection.execute(query):
        if isinstance(sha256, bytes):
            yield f"{COLLECTION}/{record_id}", sha256.hex()
