"""gRPC front of documents: translates, and streams in chunks."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from pecete.documents.v1 import documents_pb2 as pb
from pecete.documents.v1 import documents_pb2_grpc as rpc
from pecete.errors import InvalidArgumentError
from server import documents
from server.database import Database
from server.document_keeping import Claims, DocumentKeeper, check_inline, one_chunk
from server.idempotency import RequestLocks, recall, request_key
from server.interceptors import caller
from server.times import timestamp
from workflow.names import check_text

CHUNK_BYTES = 256 * 1024
"""Length of the chunks that the service sends."""

DISPLAY_NAME_MAXIMUM = 255
"""Longest name of a document, in characters: that of a file."""


def document_message(document: documents.Document) -> pb.Document:
    """Give a document's row as its message."""
    return pb.Document(
        name=document.name,
        display_name=document.display_name,
        sha256=document.sha256,
        size_bytes=document.size_bytes,
        media_type=document.media_type,
        create_time=timestamp(document.create_time),
        expire_time=timestamp(document.expire_time),
    )


class DocumentService(rpc.DocumentServiceServicer):
    """Takes documents in and gives them out."""

    def __init__(self, database: Database, keeper: DocumentKeeper, locks: RequestLocks) -> None:
        self._database = database
        self._keeper = keeper
        self._locks = locks

    async def CreateDocument(
        self, request: pb.CreateDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Document:
        """Store a document sent whole."""
        check_inline(request.content)
        key = request_key(caller().principal, "CreateDocument", request)
        async with self._locks.hold(key):
            if (first := await self._database.fetch(recall, key)) is not None:
                return pb.Document.FromString(first)
            kept, first = await self._keeper.keep(
                one_chunk(request.content),
                claims=_claims(request.metadata),
                display_name=_display_name(request.metadata),
                key=key,
                answer=document_message,
            )
            return document_message(kept) if kept else pb.Document.FromString(first or b"")

    async def UploadDocument(
        self,
        request_iterator: AsyncIterator[pb.UploadDocumentRequest],
        context: grpc.aio.ServicerContext[object, object],
    ) -> pb.Document:
        """Store a streamed document. A retry streams again; the request id is bound to the metadata."""
        opening = await anext(aiter(request_iterator), None)
        if opening is None or opening.WhichOneof("payload") != "start":
            raise InvalidArgumentError(
                "UPLOAD_START_MISSING", "The first message has the metadata.", field="start"
            )
        start = opening.start
        key = request_key(caller().principal, "UploadDocument", start)
        async with self._locks.hold(key):
            if (first := await self._database.fetch(recall, key)) is not None:
                return pb.Document.FromString(first)
            kept, first = await self._keeper.keep(
                _chunks(request_iterator),
                claims=_claims(start.metadata),
                display_name=_display_name(start.metadata),
                key=key,
                answer=document_message,
            )
            return document_message(kept) if kept else pb.Document.FromString(first or b"")

    async def GetDocument(
        self, request: pb.GetDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Document:
        """Describe a document."""
        return document_message(await self._database.fetch(documents.get, request.name))

    async def DownloadDocument(
        self, request: pb.DownloadDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncIterator[pb.DownloadDocumentResponse]:
        """Send a document: its description, then its bytes."""
        document = await self._database.fetch(documents.get, request.name)
        yield pb.DownloadDocumentResponse(document=document_message(document))
        async for chunk in object_chunks(self._keeper, document.sha256.hex()):
            yield pb.DownloadDocumentResponse(chunk=chunk)


async def object_chunks(keeper: DocumentKeeper, sha256: str) -> AsyncIterator[bytes]:
    """Give a stored object's bytes in chunks, read in threads."""
    with await asyncio.to_thread(keeper.store.open, sha256) as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _display_name(metadata: pb.DocumentMetadata) -> str:
    """Give the name for people, if there is one. Raises InvalidArgumentError TEXT_INVALID."""
    name = metadata.display_name
    return check_text(name, "metadata.display_name", DISPLAY_NAME_MAXIMUM) if name else ""


def _claims(metadata: pb.DocumentMetadata) -> Claims:
    return Claims(metadata.size_bytes, metadata.sha256)


async def _chunks(messages: AsyncIterator[pb.UploadDocumentRequest]) -> AsyncIterator[bytes]:
    async for message in messages:
        if message.WhichOneof("payload") != "chunk":
            raise InvalidArgumentError(
                "UPLOAD_CHUNK_EXPECTED", "Every message after the first has a chunk.", field="chunk"
            )
        yield message.chunk
