"""Background work: the domain's tables say what is due, pgqueuer runs it.

On SQLite the queue lives in the one server's memory, on PostgreSQL in tables that all servers share. It may
be lost: whatever was not done is due again at the next look.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, cast

import asyncpg
from pgqueuer import AsyncpgDriver, DatabaseRetryEntrypointExecutor, Job, PgQueuer, Queries
from pgqueuer import run as run_queue
from pgqueuer.core.executors import EntrypointExecutorParameters
from pgqueuer.models import Schedule
from sqlalchemy import URL

from server import logs
from server.database import Database
from server.metrics import Metrics

CONCURRENT = 8
"""Jobs that one server runs at a time; without a limit the first server would take all there is."""

_HELD_LISTED = 1000
_TIDY = "29 * * * *"
"""When the queue's own log is emptied: it would grow for ever, and ours tells of each job."""


class _KeepsLog(Protocol):
    """What pgqueuer's own types leave out of its queries."""

    async def clear_queue_log(self) -> None:
        """Forget what became of each job."""

    async def clear_statistics_log(self) -> None:
        """Forget how many there were."""


@dataclass(frozen=True)
class Work:
    """One kind of background work.

    due: gives the keys of what is to be done now. do: does it for one key; at least once, perhaps at the same
    time twice, so it looks again, and commits the effect that takes the key out of `due`. look: when to ask
    `due`, a cron expression in UTC with seconds as an optional sixth part. at_start: to ask also when a
    server starts, before anything is worked at. limit: jobs of this kind at a time over all servers, 0: any
    number. priority: below 0 for bulk. After `attempts` failures, the first retried after `first_delay` and
    each next after twice as long, the key is held until somebody requeues it.
    """

    name: str
    due: Callable[[], Awaitable[Iterable[str]]]
    do: Callable[[str], Awaitable[None]]
    look: str = "* * * * *"
    at_start: bool = True
    limit: int = 0
    priority: int = 0
    attempts: int = 5
    first_delay: timedelta = timedelta(seconds=30)


class Jobs:
    """Runs background work beside the server's calls.

    takeover: after this time without a sign of life of a server, another takes its jobs.
    """

    def __init__(
        self,
        works: Sequence[Work],
        database: Database,
        metrics: Metrics,
        takeover: timedelta = timedelta(seconds=30),
    ) -> None:
        self._works = works
        self._url = None if database.is_sqlite else database.url
        self._metrics = metrics
        self._takeover = takeover
        self._log = logs.get("jobs")
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; a lost database is waited for."""
        await run_queue(
            self._open,
            batch_size=CONCURRENT // 2,
            max_concurrent_tasks=CONCURRENT,
            dequeue_timeout=min(self._takeover, timedelta(seconds=30)),
            heartbeat_timeout=self._takeover,
            restart_on_failure=True,
            restart_delay=timedelta(seconds=2),
            shutdown=self._stop,
        )

    def stop(self) -> None:
        """Begin nothing more; `run` returns when the jobs under way are done."""
        self._stop.set()

    def _open(self) -> AbstractAsyncContextManager[PgQueuer]:
        return _in_memory(self._register) if self._url is None else _shared(self._url, self._register)

    async def _register(self, queue: PgQueuer) -> None:
        for work in self._works:
            await self._register_work(queue, work)
        queries = cast("_KeepsLog", queue.qm.queries)

        async def tidy(_schedule: Schedule) -> None:
            await queries.clear_queue_log()
            await queries.clear_statistics_log()

        queue.schedule("tidy", _TIDY)(tidy)

    async def _register_work(self, queue: PgQueuer, work: Work) -> None:
        async def look(_schedule: Schedule | None = None) -> None:
            held = await queue.qm.queries.list_failed_jobs(limit=_HELD_LISTED)
            held_keys = {job.payload for job in held if job.entrypoint == work.name}
            keys = [key for key in await work.due() if key.encode() not in held_keys]
            if keys:
                await queue.qm.queries.enqueue(
                    [work.name] * len(keys),
                    [key.encode() for key in keys],
                    [work.priority] * len(keys),
                    dedupe_key=[f"{work.name}/{key}" for key in keys],
                    on_conflict="skip",
                )

        async def do(job: Job) -> None:
            await self._do(work, (job.payload or b"").decode())

        def retrying(parameters: EntrypointExecutorParameters) -> DatabaseRetryEntrypointExecutor:
            return DatabaseRetryEntrypointExecutor(
                parameters, max_attempts=work.attempts - 1, initial_delay=work.first_delay
            )

        queue.entrypoint(
            work.name, concurrency_limit=work.limit, on_failure="hold", executor_factory=retrying
        )(do)
        queue.schedule(f"look/{work.name}", work.look)(look)
        if work.at_start:
            await look()

    async def _do(self, work: Work, key: str) -> None:
        outcome = "failed"
        try:
            await work.do(key)
            outcome = "done"
        finally:
            self._metrics.jobs.labels(work.name, outcome).inc()
            self._log.info("job", work=work.name, key=key, outcome=outcome)


Register = Callable[[PgQueuer], Awaitable[None]]


@asynccontextmanager
async def _in_memory(register: Register) -> AsyncIterator[PgQueuer]:
    queue = PgQueuer.in_memory()
    await register(queue)
    yield queue


@asynccontextmanager
async def _shared(url: URL, register: Register) -> AsyncIterator[PgQueuer]:
    """The queue's own tables are made where they are missing; they are no part of our migrations."""
    # asyncpg, as pgqueuer's psycopg driver holds its connection for a second at a time while it listens.
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address, timeout=10)
    try:
        driver = AsyncpgDriver(connection)
        queries = Queries(driver)
        async with queries.schema_lock():
            if not await queries.schema_is_installed():
                await queries.install()
        await queries.upgrade()
        queue = PgQueuer(driver)
        await register(queue)
        yield queue
    finally:
        await connection.close()
