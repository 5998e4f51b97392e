"""The journal and its checkpoints on real databases: one chain of leaves, whoever writes."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from archive.checkpoint import (
    CheckpointSigner,
    attach_timestamp,
    covering_checkpoint,
    latest_checkpoint,
    sign_checkpoint,
    size_to_sign,
    sizes_to_timestamp,
    timestamp_imprint,
)
from archive.journal import Journal, first_entry, head, latest_entry, read_subtrees, start_journal
from archive.log import Frontier, inclusion_proof
from archive.tables import METADATA, checkpoints, journal, journal_head
from pecete.errors import DataLossError, NotFoundError
from pecete.evidence.log_proof import leaf_hash, parse_entry, row_sha256, verify_checkpoint, verify_inclusion
from server.database import Database

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
ORIGIN = "primaria.example.ro/journal"
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ORIGIN)
JOURNAL = Journal(lambda: NOW)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.begin() as connection:
        METADATA.create_all(connection)
        start_journal(connection)
    yield database
    database.close()


def act(connection: Connection, resource: str = "documents/a", row: dict[str, object] | None = None) -> int:
    return JOURNAL.append(
        connection,
        actor="principals/ana",
        act="document.upload",
        resource=resource,
        request_id="r-1",
        digest=b"\x01" * 32,
        row=row,
    )


def act_often(database: Database, times: int) -> None:
    for number in range(times):
        with database.begin() as connection:
            act(connection, f"documents/{number}")


def test_entry_is_kept_as_hashed(database: Database) -> None:
    row: dict[str, object] = {"id": "a", "sha256": b"\x01" * 32, "size_bytes": 2**40, "note": None}
    with database.begin() as connection:
        assert act(connection, row=row) == 0
        stored = first_entry(connection, "documents/a")
        entry = parse_entry(stored.entry)
        frontier = head(connection)
    assert (entry.index, entry.actor, entry.act) == (0, "principals/ana", "document.upload")
    assert entry.time == 1_795_521_600_123_456
    assert (entry.request_id, entry.digest) == ("r-1", "01" * 32)
    assert entry.row_sha256 == row_sha256(row).hex()
    assert frontier == Frontier(1, (leaf_hash(stored.entry),))


def test_first_and_latest_entry(database: Database) -> None:
    act_often(database, 3)
    with database.begin() as connection:
        assert act(connection, "documents/1") == 3
        assert first_entry(connection, "documents/1").leaf_index == 1
        assert latest_entry(connection, "documents/1").leaf_index == 3
        with pytest.raises(NotFoundError, match="JOURNAL_ENTRY_NOT_FOUND"):
            first_entry(connection, "documents/9")


def test_rolled_back_act_leaves_no_gap(database: Database) -> None:
    act_often(database, 3)
    with pytest.raises(RuntimeError), database.begin() as connection:
        act(connection)
        raise RuntimeError
    with database.begin() as connection:
        assert act(connection) == 3
        assert connection.execute(select(journal.c.leaf_index)).scalars().all() == [0, 1, 2, 3]


def test_concurrent_writers_make_one_chain(database: Database) -> None:
    indices: list[int] = []

    def write() -> None:
        for _ in range(10):
            with database.begin() as connection:
                indices.append(act(connection))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(indices) == list(range(40))
    frontier = Frontier()
    with database.read() as connection:
        for row in connection.execute(select(journal).order_by(journal.c.leaf_index)):
            frontier, completed = frontier.append(leaf_hash(row.entry))
            assert row.node_hashes == b"".join(completed)
        assert head(connection) == frontier


def test_every_entry_is_proven_from_the_database(database: Database) -> None:
    act_often(database, 21)
    with database.read() as connection:
        frontier = head(connection)
        for row in connection.execute(select(journal)).all():
            proof = inclusion_proof(row.leaf_index, 21, partial(read_subtrees, connection))
            verify_inclusion(leaf_hash(row.entry), row.leaf_index, 21, proof, frontier.root())


def test_damaged_head_stops_writing(database: Database) -> None:
    act_often(database, 3)
    faults = [
        (update(journal_head).values(size=2, frontier=b"\0" * 32), "JOURNAL_HEAD_BEHIND"),
        (update(journal_head).values(frontier=b"\0" * 31), "JOURNAL_HEAD_MALFORMED"),
        (delete(journal_head), "JOURNAL_HEAD_MISSING"),
    ]
    for fault, reason in faults:
        with pytest.raises(DataLossError, match=reason), database.begin() as connection:
            connection.execute(fault)
            act(connection)
    with database.begin() as connection:
        assert act(connection) == 3


def test_missing_node_is_named(database: Database) -> None:
    act_often(database, 4)
    with database.begin() as connection:
        connection.execute(delete(journal).where(journal.c.leaf_index == 1))
        with pytest.raises(DataLossError, match="JOURNAL_NODE_MISSING"):
            inclusion_proof(3, 4, partial(read_subtrees, connection))


def test_checkpoints_follow_the_journal(database: Database) -> None:
    with database.begin() as connection:
        assert size_to_sign(connection) is None
        assert sign_checkpoint(connection, SIGNER, NOW) is None
    for size in (1, 2, 5, 8, 13):
        with database.begin() as connection:
            while head(connection).size < size:
                act(connection)
            assert size_to_sign(connection) == size
            signed = sign_checkpoint(connection, SIGNER, NOW)
            assert signed is not None
            checkpoint = verify_checkpoint(signed.note, SIGNER.public_key, ORIGIN)
            assert (checkpoint.size, checkpoint.root) == (size, head(connection).root())
            assert size_to_sign(connection) is None
            assert sign_checkpoint(connection, SIGNER, NOW + timedelta(hours=1)) == signed
            assert latest_checkpoint(connection) == signed
    with database.read() as connection:
        assert connection.execute(select(checkpoints.c.size)).scalars().all() == [1, 2, 5, 8, 13]


def test_time_stamps_are_attached_once(database: Database) -> None:
    for _ in range(2):
        with database.begin() as connection:
            act(connection)
            sign_checkpoint(connection, SIGNER, NOW)
    with database.begin() as connection:
        assert sizes_to_timestamp(connection) == [1, 2]
        signed = covering_checkpoint(connection, 0)
        assert signed is not None and signed.size == 2  # the last one, as none is stamped
        assert timestamp_imprint(connection, 2) == hashlib.sha256(signed.note.encode()).digest()
        attach_timestamp(connection, 1, b"token")
        attach_timestamp(connection, 1, b"another")
        assert sizes_to_timestamp(connection) == [2]
        assert timestamp_imprint(connection, 1) is None
        stamped = covering_checkpoint(connection, 0)
        assert stamped is not None and (stamped.size, stamped.timestamp_token) == (1, b"token")
        with pytest.raises(NotFoundError, match="CHECKPOINT_NOT_FOUND"):
            timestamp_imprint(connection, 3)
        assert covering_checkpoint(connection, 2) is None


def cut(connection: Connection) -> None:
    """Cut off the tail and the head together."""
    connection.execute(delete(journal).where(journal.c.leaf_index >= 3))
    frontier = Frontier()
    for entry in connection.execute(select(journal.c.entry).order_by(journal.c.leaf_index)).scalars():
        frontier, _ = frontier.append(leaf_hash(entry))
    connection.execute(update(journal_head).values(size=3, frontier=frontier.to_bytes()))


def rewrite(connection: Connection) -> None:
    """Write the whole journal anew, consistent in itself, with other content."""
    size = head(connection).size
    connection.execute(delete(journal))
    connection.execute(update(journal_head).values(size=0, frontier=b""))
    for _ in range(size + 2):
        act(connection, "documents/rewritten")


def test_a_journal_that_did_not_only_grow_is_never_signed(database: Database) -> None:
    act_often(database, 5)
    with database.begin() as connection:
        sign_checkpoint(connection, SIGNER, NOW)
    for damage, reason in ((cut, "CHECKPOINT_BEYOND_JOURNAL"), (rewrite, "CONSISTENCY_PROOF_INVALID")):
        with pytest.raises(DataLossError, match=reason), database.begin() as connection:
            damage(connection)
            sign_checkpoint(connection, SIGNER, NOW)
    other = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), ORIGIN)
    with pytest.raises(DataLossError, match="CHECKPOINT_UNSIGNED"), database.begin() as connection:
        sign_checkpoint(connection, other, NOW)


def test_a_second_head_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(journal_head).values(id=2, size=0, frontier=b""))
