"""fsck names what was put into a SQLite file behind the service's back, of whatever kind it is."""

import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive.fsck import fsck
from archive.journal import Journal
from archive.objects import FileObjectStore
from server import checking, identity
from server.authorization import Role
from server.database import Database
from server.migrations import upgrade
from server.times import utc_now
from workflow.journal import Act


def findings(database: Database, folder: Path) -> list[tuple[str, str]]:
    with database.read() as connection:
        checking._read_any_text(connection)
        found = fsck(
            connection,
            FileObjectStore(folder),
            public_key=Ed25519PrivateKey.generate().public_key(),
            origin="example/journal",
            row_sources=checking.ROW_SOURCES,
            references=checking.REFERENCES,
        )
        return [(finding.kind.value, finding.subject) for finding in found]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE principals SET roles = CAST(x'ff' AS TEXT)", [("ROW_ALTERED", "principals/seal")]),
        (
            "UPDATE principals SET id = CAST(x'ff' AS TEXT)",
            [("ROW_ADDED", r"principals/\xff"), ("ROW_REMOVED", "principals/seal")],
        ),
        (
            "UPDATE journal SET resource = CAST(x'ff' AS TEXT) WHERE leaf_index = 0",
            [("JOURNAL_ENTRY_ALTERED", "journal/0")],
        ),
        ("UPDATE credentials SET sha256 = 'text'", [("ROW_ADDED", "credentials/'text'")]),
        ("UPDATE credentials SET sha256 = 7", [("ROW_ADDED", "credentials/7")]),
    ],
)
def test_values_of_another_kind_are_named(
    tmp_path: Path, statement: str, expected: list[tuple[str, str]]
) -> None:
    file = tmp_path / "pecete.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    journal, act = Journal(utc_now), Act("principals/administrator", "", 1)
    with database.begin() as connection:
        identity.add(connection, journal, act, "principals/seal", [Role.SIGNER])
        identity.add_token(connection, journal, act, "principals/seal")
    assert findings(database, tmp_path) == []
    with sqlite3.connect(file) as intruder:
        intruder.execute(statement)
    intruder.close()
    found = findings(database, tmp_path)
    database.close()
    assert found[: len(expected)] == expected
