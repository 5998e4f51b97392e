"""A file that is about to be written, as pieces: octets at hand, and parts of files that are only copied."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pecete.errors import AbortedError, NotFoundError

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class FileSlice:
    """Octets of a file. sha256: what they must be; empty where nobody looked."""

    path: Path
    start: int
    length: int
    sha256: bytes = b""

    def chunks(self) -> Iterator[bytes]:
        """The octets. Raises NotFoundError DOCUMENT_UNREADABLE, AbortedError DOCUMENT_CHANGED."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                left = self.length
                while chunk := file.read(min(left, _CHUNK)):
                    left -= len(chunk)
                    if self.sha256:
                        digest.update(chunk)
                    yield chunk
        except OSError as error:
            raise NotFoundError(
                "DOCUMENT_UNREADABLE", f"The file {self.path.name} cannot be read.", field="document"
            ) from error
        if left or (self.sha256 and digest.digest() != self.sha256):
            raise AbortedError(
                "DOCUMENT_CHANGED", "The document is not the one that was signed.", field="document"
            )


Piece = bytes | FileSlice


def octets(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The octets of all pieces, some at a time. Raises what `FileSlice.chunks` raises."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from piece.chunks()


def length(pieces: Iterable[Piece]) -> int:
    """How many octets the pieces have together."""
    return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in pieces)
