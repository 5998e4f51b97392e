"""An upload that is cancelled never has its file closed under the thread that writes it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import pytest

from archive.objects import FileObjectStore, ObjectWriter
from server.document_keeping import Claims, DocumentKeeper


class Gate:
    """Holds a thread where the test wants it, and notes what happens to the file meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.events: list[str] = []
        slow, leave = getattr(ObjectWriter, method), ObjectWriter.__exit__

        def wait(writer: ObjectWriter, *args: object) -> object:
            self.entered.set()
            assert self.open.wait(10)
            result: object = slow(writer, *args)
            self.events.append(method)
            return result

        def note(
            writer: ObjectWriter,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            self.events.append("closed")
            leave(writer, kind, error, trace)

        monkeypatch.setattr(ObjectWriter, method, wait)
        monkeypatch.setattr(ObjectWriter, "__exit__", note)


async def one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


@pytest.mark.parametrize("method", ["write", "commit"])
async def test_a_cancelled_upload_closes_its_file_when_its_thread_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    gate = Gate(monkeypatch, method)
    keeper = DocumentKeeper(
        store=FileObjectStore(tmp_path),
        database=cast(Any, None),
        journal=cast(Any, None),
        clock=cast(Any, None),
        maximum_bytes=100,
        expire_after=cast(Any, None),
    )
    upload = asyncio.create_task(keeper.store_chunks(one(b"bytes"), Claims()))
    assert await asyncio.to_thread(gate.entered.wait, 10)
    for _ in range(2):
        upload.cancel()
        await asyncio.sleep(0)
    assert gate.events == []
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert gate.events == [method, "closed"]
    assert list((tmp_path / "incoming").iterdir()) == []
