"""pyHanko's incremental writer on a view of the file that only grows at its end.

Everything that pyHanko may raise for a broken document is fenced in and becomes DOCUMENT_DAMAGED.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from pecete.errors import PeceteError
from signer.pades.admission import Admitted, damaged


class GrowingFile(io.RawIOBase):
    """A file that is read where it is and written only behind its end, into `tail`."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self._length = length
        self._position = 0
        self.tail = bytearray()

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Always, though only behind the end of the file."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position, from the beginning of the file."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As files do."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length + len(self.tail)}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read from the file, then from the tail."""
        wanted = len(buffer)
        if self._position < self._length:
            self._file.seek(self._position)
            data = self._file.read(min(wanted, self._length - self._position))
        else:
            start = self._position - self._length
            data = bytes(self.tail[start : start + wanted])
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write into the tail. Raises io.UnsupportedOperation before it."""
        start = self._position - self._length
        if start < 0:
            raise io.UnsupportedOperation
        self.tail[start : start + len(data)] = data
        self._position += len(data)
        return len(data)


class _Writer(IncrementalPdfFileWriter):
    """pyHanko's writer, which leaves the document's metadata as they are: a new Producer breaks PDF/A."""

    def _update_meta(self) -> None:
        """Nothing: neither /Info nor XMP is written anew."""


@contextmanager
def written_anew(document: Admitted) -> Iterator[tuple[IncrementalPdfFileWriter, GrowingFile]]:
    """A writer on a document, and the file whose `tail` has what it wrote.

    Raises InvalidArgumentError DOCUMENT_DAMAGED for whatever goes wrong inside the block.
    """
    try:
        with document.path.open("rb") as file:
            stream = GrowingFile(file, document.length)
            yield _Writer(stream, strict=False), stream
    except PeceteError:
        raise
    except Exception:  # fence: pyHanko raises many things for a broken document
        raise damaged() from None
