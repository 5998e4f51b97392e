"""fsck on real databases: every change, removal and addition is named, and nothing else."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select, text, update

from archive.checkpoint import CheckpointSigner, attach_timestamp, sign_checkpoint
from archive.finding import Finding, FindingKind
from archive.fsck import fsck
from archive.journal import Journal, head, start_journal
from archive.log import Frontier
from archive.objects import FileObjectStore
from archive.tables import METADATA, checkpoints, journal, journal_head
from pecete.evidence.log_proof import leaf_hash, parse_entry
from server.database import Database

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORIGIN = "primaria.example.ro/journal"
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ORIGIN)
JOURNAL = Journal(lambda: NOW)
TABLES = MetaData()
things = Table("things", TABLES, Column("id", String(64), primary_key=True), Column("sha256", String(64)))


class House:
    """Eleven things made in eleven acts with checkpoints after 4, 8 and 11, and one act that removed one."""

    def __init__(self, database: Database, store: FileObjectStore) -> None:
        self.database = database
        self.store = store
        self.objects: list[str] = []
        with database.begin() as connection:
            METADATA.create_all(connection)
            TABLES.create_all(connection)
            start_journal(connection)
        for number in range(10):
            with database.begin() as connection:
                self.make(connection, number)
                if number in (3, 7):
                    sign_checkpoint(connection, SIGNER, NOW)
        with database.begin() as connection:
            connection.execute(delete(things).where(things.c.id == "2"))
            self.act(connection, "things/2", None)
            sign_checkpoint(connection, SIGNER, NOW)
        store.delete(self.objects[2])

    def make(self, connection: Connection, number: int) -> None:
        data = b"thing %d" % number
        with self.store.writer(len(data)) as writer:
            writer.write(data)
            self.objects.append(writer.commit().sha256)
        row = {"id": str(number), "sha256": self.objects[-1]}
        self.act(connection, f"things/{number}", row)
        connection.execute(insert(things).values(row))

    def act(self, connection: Connection, resource: str, row: Mapping[str, object] | None) -> None:
        JOURNAL.append(
            connection, actor="a", act="thing.make", resource=resource, request_id="", digest=None, row=row
        )

    def check(self) -> list[Finding]:
        with self.database.read() as connection:
            found = fsck(
                connection,
                self.store,
                public_key=SIGNER.public_key,
                origin=ORIGIN,
                row_sources=[rows],
                references=[references],
            )
            return list(found)

    def found(self) -> set[tuple[str, str]]:
        return {(finding.kind.value, finding.subject) for finding in self.check()}


def rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    for row in connection.execute(select(things)).mappings():
        yield f"things/{row['id']}", dict(row)


def references(connection: Connection) -> Iterator[tuple[str, str]]:
    for row in connection.execute(select(things)):
        yield f"things/{row.id}", row.sha256


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    database = Database(database_url)
    yield House(database, FileObjectStore(tmp_path / "store"))
    database.close()


def test_nothing_is_wrong(house: House) -> None:
    assert house.check() == []


def test_empty_archive(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    with database.begin() as connection:
        METADATA.create_all(connection)
        start_journal(connection)
        found = fsck(
            connection,
            FileObjectStore(tmp_path / "store"),
            public_key=SIGNER.public_key,
            origin=ORIGIN,
            row_sources=[],
            references=[],
        )
        assert list(found) == []
    database.close()


def test_progress_is_told(house: House) -> None:
    told: list[tuple[str, int]] = []
    with house.database.read() as connection:
        found = fsck(
            connection,
            house.store,
            public_key=SIGNER.public_key,
            origin=ORIGIN,
            row_sources=[rows],
            references=[references],
            progress=lambda stage, done: told.append((stage, done)),
        )
        assert list(found) == []
    journal_told = [("journal", done) for done in range(1, 12)]
    assert told == journal_told + [("rows", done) for done in range(1, 10)] + [
        ("objects", done) for done in range(1, 10)
    ]


def test_flipped_bit_in_an_object(house: House) -> None:
    path = house.store.path(house.objects[4])
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[3] ^= 0x10
    path.write_bytes(data)
    [finding] = house.check()
    assert (finding.kind, finding.subject) == (FindingKind.OBJECT_ALTERED, house.objects[4])
    assert "things/4" in finding.detail
    assert finding.is_fault


def test_removed_and_added_objects(house: House) -> None:
    house.store.delete(house.objects[4])
    with house.store.writer(5) as writer:
        writer.write(b"added")
        added = writer.commit().sha256
    findings = {finding.subject: finding for finding in house.check()}
    assert findings[house.objects[4]].kind is FindingKind.OBJECT_REMOVED
    assert "things/4" in findings[house.objects[4]].detail
    assert findings[added].kind is FindingKind.OBJECT_ORPHANED
    assert not findings[added].is_fault
    assert len(findings) == 2


def entry_of(connection: Connection, leaf_index: int) -> bytes:
    query = select(journal.c.entry).where(journal.c.leaf_index == leaf_index)
    return bytes(connection.execute(query).scalar_one())


def forge(connection: Connection, leaf_index: int) -> bytes:
    """An entry that says another actor."""
    return replace(parse_entry(entry_of(connection, leaf_index)), actor="somebody else").to_bytes()


def edit_row(house: House, connection: Connection) -> None:
    connection.execute(update(things).where(things.c.id == "5").values(id="50"))
    connection.execute(update(things).where(things.c.id == "6").values(sha256=house.objects[7]))


def add_row(house: House, connection: Connection) -> None:
    connection.execute(insert(things).values(id="99", sha256=house.objects[1]))


def revive_row(house: House, connection: Connection) -> None:
    connection.execute(insert(things).values(id="2", sha256=house.objects[1]))


def remove_row(house: House, connection: Connection) -> None:
    connection.execute(delete(things).where(things.c.id == "5"))


def edit_entry(house: House, connection: Connection) -> None:
    connection.execute(update(journal).where(journal.c.leaf_index == 5).values(entry=forge(connection, 5)))


def garble_entry(house: House, connection: Connection) -> None:
    connection.execute(update(journal).where(journal.c.leaf_index == 5).values(entry=b"nonsense"))


def refile_entry(house: House, connection: Connection) -> None:
    connection.execute(update(journal).where(journal.c.leaf_index == 5).values(resource="things/1"))


def edit_entry_and_leaf_hash(house: House, connection: Connection) -> None:
    forged = forge(connection, 4)
    connection.execute(
        update(journal).where(journal.c.leaf_index == 4).values(entry=forged, node_hashes=leaf_hash(forged))
    )


def recompute_tree(connection: Connection) -> None:
    """What a forger does who knows how the tree is made, but has not the key."""
    frontier = Frontier()
    for row in connection.execute(select(journal).order_by(journal.c.leaf_index)).all():
        frontier, completed = frontier.append(leaf_hash(row.entry))
        connection.execute(
            update(journal)
            .where(journal.c.leaf_index == row.leaf_index)
            .values(node_hashes=b"".join(completed))
        )
    connection.execute(update(journal_head).values(size=frontier.size, frontier=frontier.to_bytes()))


def edit_entry_and_whole_tree(house: House, connection: Connection) -> None:
    edit_entry(house, connection)
    recompute_tree(connection)


def remove_entry(house: House, connection: Connection) -> None:
    connection.execute(delete(journal).where(journal.c.leaf_index == 5))


def remove_first_entries(house: House, connection: Connection) -> None:
    connection.execute(delete(journal).where(journal.c.leaf_index <= 1))


def remove_tail(house: House, connection: Connection) -> None:
    connection.execute(delete(journal).where(journal.c.leaf_index >= 9))


def remove_tail_and_head(house: House, connection: Connection) -> None:
    remove_tail(house, connection)
    recompute_tree(connection)


def remove_everything(house: House, connection: Connection) -> None:
    connection.execute(delete(journal))
    connection.execute(update(journal_head).values(size=0, frontier=b""))


def add_entry(house: House, connection: Connection) -> None:
    frontier = head(connection)
    house.act(connection, "things/1", {"id": "1", "sha256": house.objects[1]})
    connection.execute(update(journal_head).values(size=frontier.size, frontier=frontier.to_bytes()))


def add_far_entry(house: House, connection: Connection) -> None:
    row = connection.execute(select(journal).where(journal.c.leaf_index == 1)).mappings().one()
    connection.execute(insert(journal).values({**row, "leaf_index": 2**59}))


def edit_node(house: House, connection: Connection) -> None:
    hashes = connection.execute(select(journal.c.node_hashes).where(journal.c.leaf_index == 3)).scalar_one()
    edited = hashes[:-1] + bytes([hashes[-1] ^ 1])
    connection.execute(update(journal).where(journal.c.leaf_index == 3).values(node_hashes=edited))


def edit_leaf_hash(house: House, connection: Connection) -> None:
    connection.execute(update(journal).where(journal.c.leaf_index == 4).values(node_hashes=bytes(32)))


def edit_head(house: House, connection: Connection) -> None:
    connection.execute(update(journal_head).values(frontier=bytes(96)))


def shrink_head(house: House, connection: Connection) -> None:
    connection.execute(update(journal_head).values(size=8, frontier=bytes(32)))


def remove_head(house: House, connection: Connection) -> None:
    connection.execute(delete(journal_head))


def edit_checkpoint(house: House, connection: Connection) -> None:
    note = connection.execute(select(checkpoints.c.note).where(checkpoints.c.size == 8)).scalar_one()
    edited = re.sub(r"\n8\n", "\n9\n", note)
    assert edited != note
    connection.execute(update(checkpoints).where(checkpoints.c.size == 8).values(note=edited))


def edit_checkpoint_root(house: House, connection: Connection) -> None:
    connection.execute(update(checkpoints).where(checkpoints.c.size == 8).values(root=bytes(32)))


def edit_timestamp(house: House, connection: Connection) -> None:
    attach_timestamp(connection, 8, b"no token")


def move_checkpoint(house: House, connection: Connection) -> None:
    connection.execute(update(checkpoints).where(checkpoints.c.size == 11).values(size=500))


DAMAGES: list[tuple[Callable[[House, Connection], None], set[tuple[str, str]]]] = [
    (
        edit_row,
        {
            ("ROW_REMOVED", "things/5"),
            ("ROW_ADDED", "things/50"),
            ("ROW_ALTERED", "things/6"),
            ("OBJECT_ORPHANED", "object 6"),
        },
    ),
    (add_row, {("ROW_ADDED", "things/99")}),
    (revive_row, {("ROW_ADDED", "things/2")}),
    (remove_row, {("ROW_REMOVED", "things/5"), ("OBJECT_ORPHANED", "object 5")}),
    (edit_entry, {("JOURNAL_ENTRY_ALTERED", "journal/5"), ("ROW_UNPROVEN", "things/5")}),
    (garble_entry, {("JOURNAL_ENTRY_ALTERED", "journal/5"), ("ROW_UNPROVEN", "things/5")}),
    (refile_entry, {("JOURNAL_ENTRY_ALTERED", "journal/5")}),
    (edit_entry_and_leaf_hash, {("JOURNAL_TREE_ALTERED", "journal/4-5")}),
    (edit_entry_and_whole_tree, {("JOURNAL_TREE_ALTERED", "journal/4-7")}),
    (remove_entry, {("JOURNAL_ENTRY_REMOVED", "journal/5"), ("ROW_ADDED", "things/5")}),
    (
        remove_first_entries,
        {("JOURNAL_ENTRY_REMOVED", "journal/0-1"), ("ROW_ADDED", "things/0"), ("ROW_ADDED", "things/1")},
    ),
    (
        remove_tail,
        {("JOURNAL_ENTRY_REMOVED", "journal/9-10"), ("ROW_ADDED", "things/9"), ("ROW_REMOVED", "things/2")},
    ),
    (
        remove_tail_and_head,
        {("JOURNAL_ENTRY_REMOVED", "journal/9-10"), ("ROW_ADDED", "things/9"), ("ROW_REMOVED", "things/2")},
    ),
    (
        remove_everything,
        {("JOURNAL_ENTRY_REMOVED", "journal/0-10")}
        | {("ROW_ADDED", f"things/{number}") for number in range(10) if number != 2},
    ),
    (add_entry, {("JOURNAL_ENTRY_ADDED", "journal/11")}),
    (edit_node, {("JOURNAL_TREE_ALTERED", "journal/0-3")}),
    (edit_leaf_hash, {("JOURNAL_ENTRY_ALTERED", "journal/4"), ("ROW_UNPROVEN", "things/4")}),
    (edit_head, {("JOURNAL_HEAD_ALTERED", "journal_head")}),
    (shrink_head, {("JOURNAL_HEAD_ALTERED", "journal_head")}),
    (remove_head, {("JOURNAL_HEAD_ALTERED", "journal_head")}),
    (edit_checkpoint, {("CHECKPOINT_ALTERED", "checkpoints/8")}),
    (edit_checkpoint_root, {("CHECKPOINT_ALTERED", "checkpoints/8")}),
    (edit_timestamp, {("CHECKPOINT_ALTERED", "checkpoints/8")}),
    (move_checkpoint, {("CHECKPOINT_ALTERED", "checkpoints/500")}),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_damage_is_named(
    house: House, damage: Callable[[House, Connection], None], expected: set[tuple[str, str]]
) -> None:
    with house.database.begin() as connection:
        damage(house, connection)
    named = {f"object {number}": sha256 for number, sha256 in enumerate(house.objects)}
    assert house.found() == {(kind, named.get(subject, subject)) for kind, subject in expected}


def test_an_entry_far_away_does_not_stop_the_check(house: House) -> None:
    with house.database.begin() as connection:
        add_far_entry(house, connection)
    found = house.found()
    assert ("JOURNAL_ENTRY_ALTERED", f"journal/{2**59}") in found


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET entry = 'text' WHERE leaf_index = 5",
        "UPDATE journal SET node_hashes = 'text' WHERE leaf_index = 5",
        "UPDATE journal SET node_hashes = 7 WHERE leaf_index = 5",
        "UPDATE journal_head SET frontier = 'text'",
        "UPDATE journal_head SET size = 'text'",
        "UPDATE checkpoints SET note = x'00' WHERE size = 8",
        "UPDATE checkpoints SET root = 'text' WHERE size = 8",
        "UPDATE checkpoints SET timestamp_token = 'text' WHERE size = 8",
        "UPDATE things SET sha256 = 1.5 WHERE id = '5'",
    ],
)
def test_values_of_another_type_are_findings_too(tmp_path: Path, statement: str) -> None:
    """SQLite stores any type in any column."""
    database = Database(f"sqlite:///{tmp_path / 'pecete.db'}")
    house = House(database, FileObjectStore(tmp_path / "store"))
    with database.begin() as connection:
        connection.execute(text(statement))
    assert any(finding.is_fault for finding in house.check())
    database.close()
