"""Transactions, faults and migrations, on SQLite and PostgreSQL alike."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from pecete.errors import AbortedError, FailedPreconditionError, UnavailableError
from server import migrations
from server.database import ATTEMPTS, Database
from server.schema import METADATA

pytestmark = pytest.mark.e2e

TABLES = MetaData()
counters = Table("counters", TABLES, Column("id", Integer, primary_key=True), Column("value", Integer))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def counting(database: Database) -> Database:
    """A database with one counter at 0."""
    with database.begin() as connection:
        TABLES.create_all(connection)
        connection.execute(insert(counters).values(id=1, value=0))
    return database


def value(connection: Connection) -> int | None:
    return connection.execute(select(counters.c.value)).scalar()


def increment(connection: Connection) -> None:
    """Read, then write: what loses updates when transactions are not begun for writing."""
    query = select(counters.c.value).where(counters.c.id == 1).with_for_update()
    present = connection.execute(query).scalar_one()
    connection.execute(update(counters).values(value=present + 1))


async def test_concurrent_writers_lose_nothing(counting: Database) -> None:
    await asyncio.gather(*(counting.run(increment) for _ in range(100)))
    assert await counting.fetch(value) == 100


async def test_a_failure_rolls_back_and_passes_through(counting: Database) -> None:
    def fail(connection: Connection) -> None:
        increment(connection)
        raise FailedPreconditionError("NO", "No.")

    with pytest.raises(FailedPreconditionError):
        await counting.run(fail)
    assert await counting.fetch(value) == 0


async def test_a_reader_cannot_write(counting: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):
        await counting.fetch(lambda connection: connection.execute(update(counters).values(value=5)))
    await counting.run(increment)
    assert await counting.fetch(value) == 1


def test_a_reader_sees_one_moment(counting: Database) -> None:
    with counting.read() as reader:
        before = value(reader)
        with counting.begin() as writer:
            increment(writer)
        assert value(reader) == before == 0
    with counting.read() as reader:
        assert value(reader) == 1


async def test_functions_see_the_callers_context(counting: Database) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("seen")
    assert await counting.run(lambda _connection: variable.get()) == "seen"
    assert await counting.fetch(lambda _connection: variable.get()) == "seen"


async def test_a_conflict_is_retried_a_few_times(counting: Database) -> None:
    tries = []

    def lose(connection: Connection, losses: int) -> int:
        tries.append(1)
        if len(tries) <= losses:
            raise AbortedError("DATABASE_CONFLICT", "Lost.")
        increment(connection)
        return len(tries)

    assert await counting.run(lose, 2) == 3
    assert await counting.fetch(value) == 1
    tries.clear()
    with pytest.raises(AbortedError):
        await counting.run(lose, 100)
    assert len(tries) == ATTEMPTS
    assert await counting.fetch(value) == 1


async def test_a_conflict_of_the_domain_is_not_retried(counting: Database) -> None:
    tries = []

    def answered(_connection: Connection) -> None:
        tries.append(1)
        raise AbortedError("REQUEST_ANSWERED", "Answered.")

    with pytest.raises(AbortedError, match="REQUEST_ANSWERED"):
        await counting.run(answered)
    assert len(tries) == 1


async def test_a_deadlock_is_resolved_by_retrying(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    with database.begin() as connection:
        TABLES.create_all(connection)
        connection.execute(insert(counters), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    both_hold = threading.Barrier(2)

    def cross(connection: Connection, first: int, second: int, waits: list[bool]) -> None:
        for identifier in (first, second):
            connection.execute(
                update(counters).where(counters.c.id == identifier).values(value=counters.c.value + 1)
            )
            if waits.pop():
                both_hold.wait(timeout=30)

    # Each waits once, after its first lock in its first try.
    plan = [False] * 20
    await asyncio.gather(database.run(cross, 1, 2, [*plan, True]), database.run(cross, 2, 1, [*plan, True]))
    with database.read() as connection:
        assert connection.execute(select(counters.c.value)).scalars().all() == [2, 2]
    database.close()


async def test_a_lost_connection_is_typed_and_healed(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)

    def cut(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(UnavailableError, match="DATABASE_UNAVAILABLE"):
        await database.run(cut)
    assert await database.run(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1
    database.close()


async def test_an_absent_database_is_typed(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder.db", postgres_url.replace("/postgres", "/absent")):
        database = Database(url)
        with pytest.raises(UnavailableError, match="DATABASE_UNAVAILABLE"):
            await database.fetch(value)
        database.close()


def test_sqlite_is_durable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.begin() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    database.close()


def test_an_unmigrated_database_is_refused(database: Database) -> None:
    assert migrations.current(database) is None
    with pytest.raises(FailedPreconditionError, match="DATABASE_NOT_MIGRATED"):
        migrations.require_newest(database)


def test_a_database_from_the_future_is_refused(database: Database) -> None:
    migrations.upgrade(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f000'"))
    with pytest.raises(FailedPreconditionError, match="DATABASE_TOO_NEW") as refusal:
        migrations.require_newest(database)
    assert refusal.value.metadata["found"] == "f000"


def test_migrating_gives_the_tables_that_the_code_knows(database: Database) -> None:
    assert migrations.upgrade(database) == migrations.newest() == migrations.current(database)
    migrations.require_newest(database)
    known = MetaData()
    for metadata in METADATA:
        for table in metadata.tables.values():
            table.to_metadata(known)
    with database.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), known) == []


def test_two_servers_may_migrate_at_the_same_time(database: Database) -> None:
    errors: list[BaseException] = []

    def migrate() -> None:
        other = Database(database.url)
        try:
            migrations.upgrade(other)
        except BaseException as error:
            errors.append(error)
        other.close()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    migrations.require_newest(database)


def test_a_failed_migration_leaves_nothing(database: Database) -> None:
    with database.begin() as connection:
        Table("records", MetaData(), Column("id", Integer)).create(connection)
    with pytest.raises(DBAPIError):
        migrations.upgrade(database)
    with database.begin() as connection:
        assert inspect(connection).get_table_names() == ["records"]
