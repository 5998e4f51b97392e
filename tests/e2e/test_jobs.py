"""Background work: done once, retried, held, and taken over from a killed server."""

import asyncio
import select
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table, insert, text, update
from sqlalchemy import select as sql_select

from server.database import Database
from server.jobs import Jobs, Work
from server.metrics import Metrics

pytestmark = pytest.mark.e2e

EVERY_SECOND = "* * * * * *"
TABLES = MetaData()
items = Table("items", TABLES, Column("id", String(16), primary_key=True), Column("done_by", String(16)))
starts = Table("starts", TABLES, Column("item", String(16)), Column("by", String(16)))


def fill(database: Database, *names: str) -> None:
    with database.begin() as connection:
        TABLES.create_all(connection)
        connection.execute(insert(items), [{"id": name} for name in names])


def due_items(connection: Connection) -> list[str]:
    return list(connection.execute(sql_select(items.c.id).where(items.c.done_by.is_(None))).scalars())


def book(connection: Connection, item: str, by: str) -> bool:
    """Commit the effect, unless somebody has."""
    query = update(items).where(items.c.id == item, items.c.done_by.is_(None)).values(done_by=by)
    return connection.execute(query).rowcount == 1


def begin(connection: Connection, item: str, by: str) -> None:
    connection.execute(insert(starts).values(item=item, by=by))


@asynccontextmanager
async def running(jobs: Jobs) -> AsyncIterator[None]:
    task = asyncio.create_task(jobs.run())
    yield
    jobs.stop()
    await task


async def until(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 30)


def count(metrics: Metrics, work: str, outcome: str) -> float | None:
    return metrics.registry.get_sample_value("pecete_jobs_total", {"work": work, "outcome": outcome})


async def test_what_is_due_is_done_once(database_url: str) -> None:
    database, metrics, finished = Database(database_url), Metrics(), asyncio.Event()
    names = [f"i{number}" for number in range(30)]
    fill(database, *names)

    async def do(key: str) -> None:
        assert await database.run(book, key, "me")
        if not await database.fetch(due_items):
            finished.set()

    async def due() -> list[str]:
        return await database.fetch(due_items)

    async with running(Jobs([Work("book", due, do, EVERY_SECOND)], database, metrics)):
        await until(finished)
        await database.run(lambda connection: connection.execute(insert(items).values(id="late")) and None)
        finished.clear()
        await until(finished)
    assert count(metrics, "book", "done") == 31
    assert count(metrics, "book", "failed") is None
    database.close()


async def test_a_failure_is_retried_then_held(database_url: str) -> None:
    database, metrics = Database(database_url), Metrics()
    tried, looked_after = [], asyncio.Event()

    async def do(key: str) -> None:
        tried.append(key)
        raise OSError("no route")

    async def due() -> list[str]:
        # The third look after the last attempt: a key that is not held would have been tried again by then.
        if len(tried) >= 2:
            after.append(len(tried))
        if len(after) >= 4:
            looked_after.set()
        return ["x"]

    after: list[int] = []
    work = Work("hook", due, do, EVERY_SECOND, attempts=2, first_delay=timedelta(milliseconds=100))
    async with running(Jobs([work], database, metrics)):
        await until(looked_after)
    assert tried == ["x", "x"]
    assert count(metrics, "hook", "failed") == 2
    database.close()


async def test_stopping_lets_a_job_finish(database_url: str) -> None:
    database, started, gate, done = Database(database_url), asyncio.Event(), asyncio.Event(), []

    async def do(key: str) -> None:
        started.set()
        await gate.wait()
        done.append(key)

    async def due() -> list[str]:
        return [] if done else ["x"]

    jobs = Jobs([Work("slow", due, do)], database, Metrics())
    task = asyncio.create_task(jobs.run())
    await until(started)
    jobs.stop()
    asyncio.get_running_loop().call_later(0.2, gate.set)
    await asyncio.wait_for(task, 30)
    assert done == ["x"]
    database.close()


async def test_a_lost_connection_is_opened_again(postgres_database_url: str) -> None:
    database, finished = Database(postgres_database_url), asyncio.Event()
    fill(database, "before")

    async def do(key: str) -> None:
        await database.run(book, key, "me")
        finished.set()

    async def due() -> list[str]:
        return await database.fetch(due_items)

    def cut_and_add(connection: Connection) -> None:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> 'pecete'")
        )
        connection.execute(insert(items).values(id="after"))

    async with running(Jobs([Work("book", due, do, EVERY_SECOND)], database, Metrics())):
        await until(finished)
        finished.clear()
        await database.run(cut_and_add)
        await until(finished)
    assert await database.fetch(due_items) == []
    database.close()


async def server(url: str, name: str, hang: bool) -> None:
    """Run one server's jobs: say when one begins and ends; hang in it for ever when asked to."""
    database = Database(url)

    async def do(key: str) -> None:
        await database.run(begin, key, name)
        sys.stdout.write(f"begun {key}\n")
        sys.stdout.flush()
        if hang:
            await asyncio.Event().wait()
        if await database.run(book, key, name):
            sys.stdout.write(f"done {key}\n")
            sys.stdout.flush()

    async def due() -> list[str]:
        return await database.fetch(due_items)

    works = [Work("book", due, do, EVERY_SECOND)]
    await Jobs(works, database, Metrics(), takeover=timedelta(seconds=2)).run()


def spawn(url: str, name: str, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(Path(__file__).resolve()), url, name, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def read_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "the server says nothing"
    return process.stdout.readline().decode().strip()


def test_another_server_takes_over_from_a_killed_one(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    fill(database, "x")
    first = spawn(postgres_database_url, "first", "hang")
    assert read_line(first) == "begun x"
    second = spawn(postgres_database_url, "second")
    first.kill()
    first.wait()
    assert read_line(second) == "begun x"
    assert read_line(second) == "done x"
    second.kill()
    second.wait()
    with database.read() as connection:
        assert connection.execute(sql_select(items.c.id, items.c.done_by)).all() == [("x", "second")]
        begun = connection.execute(sql_select(starts.c.by)).scalars().all()
    assert sorted(begun) == ["first", "second"]
    for process in (first, second):
        assert process.stdout is not None
        process.stdout.close()
    database.close()


if __name__ == "__main__":
    asyncio.run(server(sys.argv[1], sys.argv[2], "hang" in sys.argv))
