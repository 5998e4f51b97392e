"""The journal: every act one row, in the transaction of its effect, a leaf of a Merkle tree (RFC 9162).

The head row serialises all writers: who has appended holds it until commit. So append late in a transaction,
and after appending read what must not change before commit. On SQLite the transaction must have begun with
BEGIN IMMEDIATE.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from archive.log import Frontier, Subtree, split_hashes
from archive.tables import journal, journal_head
from pecete.errors import DataLossError, NotFoundError
from pecete.evidence.log_proof import JournalEntry, leaf_hash, row_sha256

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_KEYS_PER_QUERY = 500


def microseconds(time: datetime) -> int:
    """Give an aware time as microseconds since the epoch, UTC, exactly."""
    return (time - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class StoredEntry:
    """A row of the journal: leaf index, and the bytes that its leaf hash covers."""

    leaf_index: int
    entry: bytes


@dataclass(frozen=True)
class NewEntry:
    """An act to append.

    digest: hash of the bytes concerned. row: the row that the resource has after the act, values str, int,
    bytes or None; None when the act leaves the resource without a row.
    """

    actor: str
    act: str
    resource: str
    request_id: str
    digest: bytes | None
    row: Mapping[str, object] | None


class Journal:
    """Appends acts. `clock` gives the aware time of each."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        act: str,
        resource: str,
        request_id: str,
        digest: bytes | None,
        row: Mapping[str, object] | None,
    ) -> int:
        """Append one act in the caller's transaction and give its leaf index. As `append_all`."""
        return self.append_all(connection, [NewEntry(actor, act, resource, request_id, digest, row)])

    def append_all(self, connection: Connection, entries: Sequence[NewEntry]) -> int:
        """Append acts in the caller's transaction, one after the other; give the first one's leaf index.

        Raises DataLossError JOURNAL_HEAD_MISSING, JOURNAL_HEAD_MALFORMED or JOURNAL_HEAD_BEHIND (the leaf is
        there already), InternalError ROW_VALUE_UNSUPPORTED and InvalidArgumentError TEXT_NOT_UNICODE.
        """
        frontier = locked_head(connection)
        first, time, rows = frontier.size, microseconds(self._clock()), []
        for new in entries:
            entry = JournalEntry(
                index=frontier.size,
                time=time,
                actor=new.actor,
                act=new.act,
                resource=new.resource,
                request_id=new.request_id,
                digest=None if new.digest is None else new.digest.hex(),
                row_sha256=None if new.row is None else row_sha256(new.row).hex(),
            ).to_bytes()
            grown, completed = frontier.append(leaf_hash(entry))
            rows.append(
                {
                    "leaf_index": frontier.size,
                    "resource": new.resource,
                    "entry": entry,
                    "node_hashes": b"".join(completed),
                }
            )
            frontier = grown
        try:
            connection.execute(insert(journal), rows)
        except IntegrityError as error:
            raise DataLossError(
                "JOURNAL_HEAD_BEHIND", "The journal holds more entries than its head counts."
            ) from error
        connection.execute(update(journal_head).values(size=frontier.size, frontier=frontier.to_bytes()))
        return first


def start_journal(connection: Connection) -> None:
    """Write the head of an empty journal, once, when the tables are made."""
    connection.execute(insert(journal_head).values(id=1, size=0, frontier=b""))


def locked_head(connection: Connection) -> Frontier:
    """Read the head and keep every other writer of the journal away until the transaction ends.

    Raises DataLossError JOURNAL_HEAD_MISSING or JOURNAL_HEAD_MALFORMED.
    """
    return _head(connection, lock=True)


def head(connection: Connection) -> Frontier:
    """Read the head. Raises DataLossError JOURNAL_HEAD_MISSING or JOURNAL_HEAD_MALFORMED."""
    return _head(connection, lock=False)


def _head(connection: Connection, *, lock: bool) -> Frontier:
    query = select(journal_head.c.size, journal_head.c.frontier)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise DataLossError("JOURNAL_HEAD_MISSING", "The journal has no head.")
    return Frontier.from_bytes(row.size, row.frontier)


def read_subtrees(connection: Connection, subtrees: Sequence[Subtree]) -> dict[Subtree, bytes]:
    """Give the kept roots of perfect subtrees; see `archive.log.ReadSubtrees`.

    Raises DataLossError JOURNAL_NODE_MISSING.
    """
    hashes: dict[int, tuple[bytes, ...]] = {}
    leaves = sorted({subtree.last_leaf for subtree in subtrees})
    for start in range(0, len(leaves), _KEYS_PER_QUERY):
        query = select(journal.c.leaf_index, journal.c.node_hashes).where(
            journal.c.leaf_index.in_(leaves[start : start + _KEYS_PER_QUERY])
        )
        hashes.update((row.leaf_index, split_hashes(row.node_hashes)) for row in connection.execute(query))
    try:
        return {subtree: hashes[subtree.last_leaf][subtree.level] for subtree in subtrees}
    except (KeyError, IndexError) as error:
        raise DataLossError("JOURNAL_NODE_MISSING", "The journal's tree has a hole.") from error


def first_entry(connection: Connection, resource: str) -> StoredEntry:
    """Give the act that made a resource. Raises NotFoundError JOURNAL_ENTRY_NOT_FOUND."""
    return _entry_at_end(connection, resource, newest=False)


def latest_entry(connection: Connection, resource: str) -> StoredEntry:
    """Give the last act on a resource. Raises NotFoundError JOURNAL_ENTRY_NOT_FOUND."""
    return _entry_at_end(connection, resource, newest=True)


def _entry_at_end(connection: Connection, resource: str, *, newest: bool) -> StoredEntry:
    order = journal.c.leaf_index.desc() if newest else journal.c.leaf_index
    query = select(journal.c.leaf_index, journal.c.entry).where(journal.c.resource == resource)
    row = connection.execute(query.order_by(order).limit(1)).first()
    if row is None:
        raise NotFoundError("JOURNAL_ENTRY_NOT_FOUND", "The journal knows no act on this resource.")
    return StoredEntry(row.leaf_index, row.entry)
