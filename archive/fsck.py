"""Checking everything that is kept against itself and against the journal.

It runs in one snapshot of the database (SQLite in WAL mode: a deferred transaction; PostgreSQL: REPEATABLE
READ, READ ONLY), streams everything and keeps its notes on disk. Objects stored while it runs come out as
orphans, objects lawfully removed while it runs as removed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from archive.finding import Finding, FindingKind, Progress, readable
from archive.journal_audit import JournalAudit
from archive.objects import FileObjectStore
from archive.scratch import Expected, Scratch
from pecete.errors import DataLossError, NotFoundError, PeceteError, UnavailableError
from pecete.evidence.log_proof import row_sha256

RowSource = Callable[[Connection], Iterator[tuple[str, Mapping[str, object]]]]
"""Gives (resource name, row) of every row of some tables, as given to `Journal.append`."""

ObjectReferences = Callable[[Connection], Iterator[tuple[str, str]]]
"""Gives (resource name, SHA-256 in hex) of every object that the rows of some tables need."""


def fsck(
    connection: Connection,
    store: FileObjectStore,
    *,
    public_key: Ed25519PublicKey,
    origin: str,
    row_sources: Iterable[RowSource],
    references: Iterable[ObjectReferences],
    progress: Progress = lambda stage, done: None,
) -> Iterator[Finding]:
    """Recompute the journal's tree, every journalled row's digest and every object's; give what is wrong.

    public_key and origin: the journal's. row_sources must cover every table whose rows are journalled.
    """
    with Scratch() as scratch:
        yield from JournalAudit(connection, scratch, public_key, origin).run(progress)
        yield from _check_rows(connection, scratch, row_sources, progress)
        for read_references in references:
            for resource, sha256 in read_references(connection):
                scratch.expect_object(sha256, readable(resource))
        yield from _check_objects(store, scratch, progress)


def _check_rows(
    connection: Connection, scratch: Scratch, row_sources: Iterable[RowSource], progress: Progress
) -> Iterator[Finding]:
    done = 0
    for rows in row_sources:
        for name, row in rows(connection):
            resource = readable(name)
            yield from _check_row(resource, row, scratch.see_row(resource))
            done += 1
            progress("rows", done)
    for resource in scratch.unseen_rows():
        yield Finding(FindingKind.ROW_REMOVED, resource, "The journal knows a row that is not there.")


def _check_row(resource: str, row: Mapping[str, object], expected: str | Expected) -> Iterator[Finding]:
    if expected is Expected.UNKNOWN:
        yield Finding(FindingKind.ROW_UNPROVEN, resource, "The journal's last entry on it was altered.")
    elif expected is Expected.ABSENT:
        yield Finding(FindingKind.ROW_ADDED, resource, "The journal knows no such row.")
    elif _digest(row) != expected:
        yield Finding(FindingKind.ROW_ALTERED, resource, "The row is not the one that was journalled last.")


def _digest(row: Mapping[str, object]) -> str | None:
    try:
        return row_sha256(row).hex()
    except PeceteError:  # a value of a kind that never was journalled
        return None


def _check_objects(store: FileObjectStore, scratch: Scratch, progress: Progress) -> Iterator[Finding]:
    for done, stored in enumerate(store.iterate(), start=1):
        resources = scratch.see_object(stored.sha256)
        yield from _check_object(store, stored.sha256, resources)
        progress("objects", done)
    for sha256, resource in scratch.unseen_objects():
        yield Finding(FindingKind.OBJECT_REMOVED, sha256, f"{resource} needs it.")


def _check_object(store: FileObjectStore, sha256: str, resources: list[str]) -> Iterator[Finding]:
    needed = f"{', '.join(resources)} needs it." if resources else "No row needs it."
    try:
        store.verify(sha256)
    except DataLossError as error:
        yield Finding(FindingKind.OBJECT_ALTERED, sha256, f"{error.message} {needed}")
    except UnavailableError as error:
        yield Finding(FindingKind.OBJECT_UNREADABLE, sha256, f"{error.message} {needed}")
    except NotFoundError:  # deleted since it was listed
        return
    if not resources:
        yield Finding(FindingKind.OBJECT_ORPHANED, sha256, needed)
