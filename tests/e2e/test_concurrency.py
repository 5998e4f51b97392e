"""What calls do to each other: equal requests to two servers, and long work beside short."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, text

from archive.journal import Journal
from archive.objects import FileObjectStore
from archive.proof import RecordVerdict
from pecete.archive.v1 import archive_pb2
from pecete.workflow.v1 import workflow_pb2
from server import archive_service, workflow_service
from server.archive_service import ArchiveService
from server.database import Database
from server.document_keeping import Claims, DocumentKeeper
from server.documents import Document
from server.documents_service import document_message
from server.idempotency import RequestKey, RequestLocks
from server.interceptors import Caller
from server.migrations import upgrade
from server.workflow_service import WorkflowService

pytestmark = pytest.mark.e2e

PATIENCE = 60
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


# Equal requests to two servers: the second waits for the first and gets its answer.


@pytest.fixture
def databases(postgres_database_url: str) -> Iterator[tuple[Database, Database]]:
    """The database as two servers have it."""
    with ExitStack() as stack:
        pair = (Database(postgres_database_url), Database(postgres_database_url))
        for database in pair:
            stack.callback(database.close)
        upgrade(pair[0])
        yield pair


def somebody_waits(database: Database) -> bool:
    with database.read() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(waiting).scalar_one())


class SlowJournal(Journal):
    """A journal whose first act waits, its transaction open, until another transaction waits for it."""

    def __init__(self, clock: Callable[[], datetime], other_waits: Callable[[], bool]) -> None:
        super().__init__(clock)
        self.appended = threading.Event()
        self._other_waits = other_waits

    def append(self, connection: Connection, **act: Any) -> int:  # noqa: ANN401 - passed on
        index = super().append(connection, **act)
        if not self.appended.is_set():
            self.appended.set()
            deadline = time.monotonic() + PATIENCE
            while not self._other_waits() and time.monotonic() < deadline:
                time.sleep(0.01)
        return index


async def overlapping(
    databases: tuple[Database, Database], ask: Callable[[Database, Journal], Any]
) -> tuple[Any, Any]:
    """Ask two servers the same; the second begins while the first has done its work but not committed."""
    slow = SlowJournal(lambda: NOW, lambda: somebody_waits(databases[1]))
    first = asyncio.ensure_future(ask(databases[0], slow))
    assert await asyncio.to_thread(slow.appended.wait, PATIENCE)
    second = asyncio.ensure_future(ask(databases[1], Journal(lambda: NOW)))
    return await first, await second


async def bytes_once() -> AsyncIterator[bytes]:
    yield b"the same bytes"


async def test_one_upload_to_two_servers_is_one_document(
    databases: tuple[Database, Database], tmp_path: Path
) -> None:
    key = RequestKey("principals/registry", "r1", "UploadDocument", bytes(32))
    store = FileObjectStore(tmp_path)

    async def upload(database: Database, journal: Journal) -> tuple[Document | None, bytes | None]:
        keeper = DocumentKeeper(
            store=store,
            database=database,
            journal=journal,
            clock=lambda: NOW,
            maximum_bytes=100,
            expire_after=timedelta(hours=1),
        )
        return await keeper.keep(
            bytes_once(), claims=Claims(), display_name="", key=key, answer=document_message
        )

    (made, nothing), (none, first) = await overlapping(databases, upload)
    assert made is not None
    assert (nothing, none) == (None, None)
    assert first == document_message(made).SerializeToString()


async def test_one_enrolment_at_two_servers_is_one_person(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    who = Caller("principals/administrator", frozenset(), "call")
    monkeypatch.setattr(workflow_service, "caller", lambda: who)
    request = workflow_pb2.CreatePersonRequest(
        person=workflow_pb2.Person(
            display_name="Primar", principal="principals/primar", certificate_sha256=[bytes(32)]
        ),
        request_id="r1",
    )

    def enrol(database: Database, journal: Journal) -> Any:  # noqa: ANN401 - a coroutine
        service = WorkflowService(
            database=database,
            journal=journal,
            keeper=cast(Any, None),
            signer=cast(Any, None),
            locks=RequestLocks(),
            clock=lambda: NOW,
        )
        return service.CreatePerson(request, cast(Any, None))

    one, other = await overlapping(databases, enrol)
    assert one == other


# Long work beside short.


async def test_records_that_are_verified_leave_the_threads_of_short_work_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = threading.Event()

    def verify(*_args: object, **_named: object) -> RecordVerdict:
        assert done.wait(PATIENCE)
        return RecordVerdict("records/a", ())

    monkeypatch.setattr(archive_service, "verify_record", verify)
    service = ArchiveService(**dict.fromkeys(_ARCHIVE_PARTS, cast(Any, _Anything())))
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    request = archive_pb2.VerifyRecordRequest(name="records/a")
    verifying = [asyncio.ensure_future(service.VerifyRecord(request, cast(Any, None))) for _ in range(10)]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE / 2):
        assert await asyncio.to_thread(lambda: "short work")
    assert not any(task.done() for task in verifying)
    done.set()
    assert {verdict.record for verdict in await asyncio.gather(*verifying)} == {"records/a"}


_ARCHIVE_PARTS = (
    "database",
    "keeper",
    "journal",
    "judge",
    "signer",
    "journal_public_key",
    "carrier_location",
    "locks",
    "clock",
)


class _Anything:
    """Has every attribute."""

    def __getattr__(self, name: str) -> "_Anything":
        return self
