"""The database: the only place that makes an engine, and the way to a transaction.

SQLite (WAL, synchronous=FULL) and PostgreSQL behave alike: a writing transaction commits whole or not at all,
a reading one sees one moment and cannot write, and both run in threads beside the event loop.
"""

import asyncio
import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pecete.errors import (
    AbortedError,
    InvalidArgumentError,
    PeceteError,
    ResourceExhaustedError,
    UnavailableError,
)

THREADS = 8
"""Transactions at one time in one process; further ones wait for a thread."""

LOCK_SECONDS = 30
"""How long a transaction waits for another one's lock."""

ATTEMPTS = 5
"""How often a transaction that lost against another one is run in all."""

_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
_FULL = frozenset({"53100"})
_SQLITE_PRAGMAS = (
    f"busy_timeout={LOCK_SECONDS * 1000}",
    "synchronous=FULL",
    "foreign_keys=ON",
)
_WRITES = "pecete_writes"

P = ParamSpec("P")
Result = TypeVar("Result")


class Database:
    """One database with its connections and threads.

    url: `sqlite:///…` or `postgresql+psycopg://…`. What callers wrote never stands in an error's text.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.engine = _engine(self.url)
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._reader = self.engine.execution_options(**_reading(self.url))
        # SQLite has one writer; queueing here is fair and idle, its own waiting is neither.
        self._writing = threading.Lock() if self.is_sqlite else None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a writing transaction; it commits when the block ends and rolls back when it raises.

        Raises AbortedError DATABASE_CONFLICT when a concurrent change won, UnavailableError
        DATABASE_UNAVAILABLE, ResourceExhaustedError DATABASE_FULL and InvalidArgumentError
        VALUE_NOT_STORABLE.
        """
        with _typed_errors(), self._turn(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees the database at one moment and cannot write. Raises as `begin`."""
        with _typed_errors(), self._reader.begin() as connection:
            yield connection

    async def run(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run `function(connection, …)` in a thread within one writing transaction.

        The function is run again when the transaction lost against a concurrent one, so it has no effect
        outside the database that may not happen twice. Raises as `begin`, and whatever the function raises.
        """
        return await self._in_thread(self._attempts, function, args, kwargs)

    async def fetch(
        self, function: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run `function(connection, …)` in a thread within one reading transaction. Raises as `run`."""

        def work() -> Result:
            with self.read() as connection:
                return function(connection, *args, **kwargs)

        return await self._in_thread(work)

    def close(self) -> None:
        """Finish what runs and close every connection."""
        self._threads.shutdown()
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=LOCK_SECONDS):
            raise _unavailable()
        try:
            yield
        finally:
            self._writing.release()

    async def _in_thread(self, function: Callable[..., Result], *args: object) -> Result:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, function, *args)

    def _attempts(
        self,
        function: Callable[..., Result],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Result:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.begin() as connection:
                    return function(connection, *args, **kwargs)
            except AbortedError as error:
                if error.reason != "DATABASE_CONFLICT" or attempt == ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=THREADS, max_overflow=THREADS, hide_parameters=True)
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_size=THREADS,
        max_overflow=THREADS,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "pecete",
            "options": f"-c lock_timeout={LOCK_SECONDS}s",
        },
    )


def _reading(url: URL) -> dict[str, object]:
    if url.get_backend_name() == "sqlite":
        return {_WRITES: False}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _open_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Leave transactions to us: the driver's own plain BEGIN makes a read that turns into a write fail."""
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _keep_write_ahead_log(connection)


def _keep_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to WAL, which lasts; of two that switch a new file at once SQLite lets one fail at once."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, True)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise _unavailable() from error
    except DBAPIError as error:
        typed = _typed(error)
        if typed is None:
            raise
        raise typed from error


def _typed(error: DBAPIError) -> PeceteError | None:
    """Give what a driver's error means to a caller; None: a fault of ours, not of the database."""
    state = getattr(error.orig, "sqlstate", None) or ""
    name = getattr(error.orig, "sqlite_errorname", "")
    if state in _CONFLICTS or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return AbortedError("DATABASE_CONFLICT", "A concurrent change won; try again.")
    if state in _FULL or name == "SQLITE_FULL":
        return ResourceExhaustedError("DATABASE_FULL", "The database has no space left.")
    if isinstance(error, DataError):
        return InvalidArgumentError(
            "VALUE_NOT_STORABLE", "A value is too long or has characters that cannot be kept, such as NUL."
        )
    lost = error.connection_invalidated or state.startswith(("08", "57P"))
    unreachable = isinstance(error, OperationalError | InterfaceError) and not state
    if lost or (unreachable and (not name or name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")))):
        return _unavailable()
    return None


def _unavailable() -> UnavailableError:
    return UnavailableError("DATABASE_UNAVAILABLE", "The database does not answer now.")
