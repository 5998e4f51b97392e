"""Taking documents in: bytes first, durable, then the row and the act; nothing half after a crash."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from archive.journal import Journal
from archive.objects import FileObjectStore, ObjectWriter, StoredObject
from pecete.errors import InvalidArgumentError, ResourceExhaustedError
from server.database import Database
from server.documents import Document, add, new_id
from server.idempotency import RequestKey, recall_in_turn, remember
from server.media_type import SNIFF_BYTES, media_type
from server.times import microseconds
from signer.pieces import Piece, length, octets
from workflow.journal import Act

INLINE_MAXIMUM = 4 * 1024 * 1024
"""The longest document that travels inside one message; longer ones are streamed."""

P = ParamSpec("P")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Claims:
    """What a sender says of the bytes: length (0: nothing said) and SHA-256 (empty: nothing said)."""

    size_bytes: int = 0
    sha256: bytes = b""

    def check_before(self, maximum: int) -> None:
        """Refuse a claim that cannot be met. Raises ResourceExhaustedError DOCUMENT_TOO_LARGE."""
        if self.size_bytes < 0:
            raise InvalidArgumentError(
                "SIZE_INVALID", "A length is never negative.", field="metadata.size_bytes"
            )
        if self.size_bytes > maximum:
            raise ResourceExhaustedError(
                "DOCUMENT_TOO_LARGE",
                f"At most {maximum} bytes are taken.",
                field="metadata.size_bytes",
                metadata={"maximum_bytes": str(maximum)},
            )
        if self.sha256 and len(self.sha256) != 32:
            raise InvalidArgumentError("SHA256_INVALID", "A SHA-256 has 32 octets.", field="metadata.sha256")

    def check_after(self, stored: StoredObject) -> None:
        """Refuse bytes that are not what was claimed. Raises InvalidArgumentError *_MISMATCH."""
        if self.size_bytes and self.size_bytes != stored.size:
            raise InvalidArgumentError(
                "SIZE_MISMATCH", "Fewer or more bytes came than were claimed.", field="metadata.size_bytes"
            )
        if self.sha256 and self.sha256.hex() != stored.sha256:
            raise InvalidArgumentError(
                "SHA256_MISMATCH",
                "The bytes are not those whose SHA-256 was claimed.",
                field="metadata.sha256",
            )


class DocumentKeeper:
    """Stores documents' bytes and registers them. One for the whole server."""

    def __init__(
        self,
        *,
        store: FileObjectStore,
        database: Database,
        journal: Journal,
        clock: Callable[[], datetime],
        maximum_bytes: int,
        expire_after: timedelta,
    ) -> None:
        self.store = store
        self.journal = journal
        self.maximum_bytes = maximum_bytes
        self._database = database
        self._clock = clock
        self._expire_after = expire_after

    async def store_chunks(self, chunks: AsyncIterator[bytes], claims: Claims) -> tuple[StoredObject, bytes]:
        """Store streamed bytes durably; give the object and its first bytes. Nothing stays when it fails."""
        claims.check_before(self.maximum_bytes)
        writer = self.store.writer(self.maximum_bytes)
        with writer:
            head = await self._write(writer, chunks)
            if not head:
                raise InvalidArgumentError("DOCUMENT_EMPTY", "The document has no bytes.", field="content")
            claims.check_after(StoredObject(writer.sha256, writer.size))
            return await _to_its_end(writer.commit), head

    async def _write(self, writer: ObjectWriter, chunks: AsyncIterator[bytes]) -> bytes:
        head = b""
        async for chunk in chunks:
            if len(head) < SNIFF_BYTES:
                head += chunk[: SNIFF_BYTES - len(head)]
            await _to_its_end(writer.write, chunk)
        return head

    async def store_pieces(self, pieces: Iterable[Piece]) -> StoredObject:
        """Store a file that is given as pieces, none of which is held in memory if it is a file's.

        Raises what `signer.pieces.octets` raises. Nothing stays when it fails.
        """
        return await _to_its_end(self._write_pieces, tuple(pieces))

    def _write_pieces(self, pieces: tuple[Piece, ...]) -> StoredObject:
        with self.store.writer(length(pieces)) as writer:
            for chunk in octets(pieces):
                writer.write(chunk)
            return writer.commit()

    def describe(
        self, stored: StoredObject, *, media: str, display_name: str, owner: str, time: int
    ) -> Document:
        """Give the row of newly stored bytes; it expires after the configured time."""
        expire = time + self._expire_after // timedelta(microseconds=1)
        return Document(
            id=new_id(),
            sha256=bytes.fromhex(stored.sha256),
            size_bytes=stored.size,
            media_type=media,
            display_name=display_name,
            owner=owner,
            create_time=time,
            expire_time=expire,
        )

    def register(self, connection: Connection, act: Act, document: Document, kind: str) -> None:
        """Write the row and its act in the caller's transaction."""
        add(connection, self.journal, act, document, kind=kind, exists=self.store.exists)

    async def store_inline(self, content: bytes, *, principal: str) -> Document:
        """Store bytes that came inside another request; give the row, which that request may register.

        Raises InvalidArgumentError CONTENT_TOO_LARGE or DOCUMENT_EMPTY.
        """
        check_inline(content)
        stored, head = await self.store_chunks(one_chunk(content), Claims())
        time = microseconds(self._clock())
        return self.describe(stored, media=media_type(head), display_name="", owner=principal, time=time)

    async def keep(
        self,
        chunks: AsyncIterator[bytes],
        *,
        claims: Claims,
        display_name: str,
        key: RequestKey,
        answer: Callable[[Document], Message],
    ) -> tuple[Document | None, bytes | None]:
        """Store, register and remember the answer; gives the new document, or the first answer's bytes."""
        stored, head = await self.store_chunks(chunks, claims)
        act = Act(key.principal, key.request_id, microseconds(self._clock()))
        document = self.describe(
            stored, media=media_type(head), display_name=display_name, owner=key.principal, time=act.time
        )

        def commit(connection: Connection) -> bytes | None:
            if (first := recall_in_turn(connection, key)) is not None:
                return first
            self.register(connection, act, document, "document.upload")
            remember(connection, key, answer(document), act.time)
            return None

        first = await self._database.run(commit)
        return (document, None) if first is None else (None, first)


async def one_chunk(content: bytes) -> AsyncIterator[bytes]:
    """Give bytes held in memory as a stream of one chunk."""
    yield content


def check_inline(content: bytes) -> None:
    """Refuse inline bytes that must be streamed. Raises InvalidArgumentError CONTENT_TOO_LARGE."""
    if len(content) > INLINE_MAXIMUM:
        raise InvalidArgumentError(
            "CONTENT_TOO_LARGE",
            f"At most {INLINE_MAXIMUM} bytes travel inline; upload longer documents by stream.",
            field="content",
        )


async def _to_its_end(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Run a function in a thread and return when it is over, even when the call is cancelled meanwhile.

    A file that was closed under a thread would lend its number to another upload's, which the thread would
    then write into.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        raise
