"""Notes on disk for checking an archive larger than memory: what the journal says beside what is there."""

import sqlite3
from collections.abc import Iterator
from enum import Enum
from types import TracebackType
from typing import Self


class Expected(Enum):
    """What the journal says of a row when it says no digest."""

    ABSENT = "absent"
    UNKNOWN = "unknown"


class Scratch:
    """Lives while it is entered, in a temporary file that SQLite removes."""

    def __enter__(self) -> Self:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            """
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            CREATE TABLE resources (
                name TEXT PRIMARY KEY, row_sha256 TEXT, known INTEGER, seen INTEGER DEFAULT 0
            ) WITHOUT ROWID;
            CREATE TABLE objects (
                sha256 TEXT, resource TEXT, present INTEGER DEFAULT 0, PRIMARY KEY (sha256, resource)
            ) WITHOUT ROWID;
            BEGIN;
            """
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def expect_row(self, resource: str, row_sha256: str | None) -> None:
        """Note what the latest act left of a resource: the digest of its row, or None for no row."""
        self._expect(resource, row_sha256, known=True)

    def expect_anything(self, resource: str) -> None:
        """Note that the latest act on a resource cannot be read."""
        self._expect(resource, None, known=False)

    def _expect(self, resource: str, row_sha256: str | None, *, known: bool) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO resources (name, row_sha256, known) VALUES (?, ?, ?)",
            (resource, row_sha256, known),
        )

    def see_row(self, resource: str) -> str | Expected:
        """Note that a row is there; give the digest that it should have, or what else is known."""
        update = "UPDATE resources SET seen = 1 WHERE name = ? RETURNING row_sha256, known"
        for row_sha256, known in self._database.execute(update, (resource,)).fetchall():
            if not known:
                return Expected.UNKNOWN
            return Expected.ABSENT if row_sha256 is None else str(row_sha256)
        return Expected.ABSENT

    def unseen_rows(self) -> Iterator[str]:
        """Give the resources that should have a row and were not seen."""
        query = "SELECT name FROM resources WHERE seen = 0 AND row_sha256 IS NOT NULL ORDER BY name"
        for (name,) in self._database.execute(query):
            yield name

    def expect_object(self, sha256: str, resource: str) -> None:
        """Note that a resource refers to an object."""
        self._database.execute(
            "INSERT OR IGNORE INTO objects (sha256, resource) VALUES (?, ?)", (sha256, resource)
        )

    def see_object(self, sha256: str) -> list[str]:
        """Note that an object is there; give the resources that refer to it."""
        update = "UPDATE objects SET present = 1 WHERE sha256 = ? RETURNING resource"
        return [resource for (resource,) in self._database.execute(update, (sha256,)).fetchall()]

    def unseen_objects(self) -> Iterator[tuple[str, str]]:
        """Give SHA-256 and resource of each reference to an object that was not seen."""
        yield from self._database.execute(
            "SELECT sha256, resource FROM objects WHERE present = 0 ORDER BY sha256, resource"
        )
