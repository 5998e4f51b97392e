"""Documents on their way: bytes or files out in chunks, files in by way of a checked temporary file.

Nothing here holds more than one chunk of a file, whatever its length.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Generic, Self, TypeVar

from pecete.archive.v1.archive_pb2 import Record
from pecete.documents.v1.documents_pb2 import (
    Document,
    DocumentMetadata,
    UploadDocumentRequest,
    UploadDocumentStart,
)
from pecete.errors import DataLossError, InvalidArgumentError

Description = TypeVar("Description", Document, Record)

CHUNK = 256 << 10
"""Bytes of a document in one message."""

Progress = Callable[[int, int], None]
"""Is told the bytes transferred so far and their total; it may be called in another thread."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


class Upload:
    """One document to send, measured beforehand so that the service refuses any other bytes.

    content: the bytes or the path of the file that has them. display_name: empty for the file's name.
    Raises InvalidArgumentError FILE_UNREADABLE (field `content`).
    """

    def __init__(self, content: bytes | Path, display_name: str, request_id: str) -> None:
        if isinstance(content, Path):
            display_name = display_name or content.name
            size, digest = _measure(content)
        else:
            size, digest = len(content), hashlib.sha256(content).digest()
        self._content = content
        metadata = DocumentMetadata(display_name=display_name, size_bytes=size, sha256=digest)
        self.start = UploadDocumentStart(metadata=metadata, request_id=request_id)

    def messages(self, progress: Progress = no_progress) -> Iterator[UploadDocumentRequest]:
        """Give the messages of one try, from the first byte on."""
        yield UploadDocumentRequest(start=self.start)
        total, sent = self.start.metadata.size_bytes, 0
        for chunk in self._chunks():
            yield UploadDocumentRequest(chunk=chunk)
            sent += len(chunk)
            progress(sent, total)

    def read(self) -> bytes:
        """Give the whole document, for one that is short."""
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._content, bytes):
            for begin in range(0, len(self._content), CHUNK):
                yield self._content[begin : begin + CHUNK]
            return
        # A file that can be read no longer ends the stream early, and the service refuses it by its claimed
        # digest; an error here would reach the caller as a cancelled call.
        with suppress(OSError), self._content.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _measure(path: Path) -> tuple[int, bytes]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            return file.tell(), digest
    except OSError as error:
        raise InvalidArgumentError(
            "FILE_UNREADABLE", f"{path} cannot be read: {error.strerror}.", field="content"
        ) from error


class Reception(Generic[Description]):
    """One try of a download into a file: it appears whole and checked under its name, or not at all.

    The bytes go to a temporary file beside the target; leaving the context without `finish` removes it.
    Raises InvalidArgumentError FILE_UNWRITABLE (field `target`).
    """

    def __init__(self, target: Path, progress: Progress = no_progress) -> None:
        self._target = target
        self._temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        self._progress = progress
        self._digest = hashlib.sha256()
        self._received = 0
        self._description: Description | None = None
        self._file: BinaryIO

    def __enter__(self) -> Self:
        with self._writing():
            self._file = self._temporary.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._writing():
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def take(self, description: Description | None, chunk: bytes) -> None:
        """Take the next message: the description first, then chunks."""
        if description is not None:
            self._description = description
            return
        if self._description is None:
            raise DataLossError("DOWNLOAD_MALFORMED", "The service sent bytes before it described them.")
        with self._writing():
            self._file.write(chunk)
        self._digest.update(chunk)
        self._received += len(chunk)
        self._progress(self._received, self._description.size_bytes)

    def finish(self) -> Description:
        """Give the file its name. Raises DataLossError DOWNLOAD_DAMAGED when it is not what was described."""
        described = self._description
        if described is None or described.sha256 != self._digest.digest():
            raise DataLossError(
                "DOWNLOAD_DAMAGED", "The bytes that came are not those that the service described."
            )
        with self._writing():
            self._file.flush()
            os.fsync(self._file.fileno())  # or a crash could leave the name without the bytes
            self._file.close()
            self._temporary.replace(self._target)
        return described

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InvalidArgumentError(
                "FILE_UNWRITABLE", f"{self._target} cannot be written: {error.strerror}.", field="target"
            ) from error
