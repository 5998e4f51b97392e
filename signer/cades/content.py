"""What a signature is over, as far as the making of it needs to know: its digests."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pecete.errors import NotFoundError

ContentDigest = Callable[[str], bytes]
"""Gives the digest of the signed content by an algorithm, as hashlib names it."""


def file_content(path: Path) -> ContentDigest:
    """The content is a file; it is read in pieces, once for each algorithm asked for.

    The answer raises NotFoundError DOCUMENT_UNREADABLE.
    """

    @cache
    def digest(algorithm: str) -> bytes:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, algorithm).digest()
        except OSError as error:
            raise NotFoundError(
                "DOCUMENT_UNREADABLE", f"The file {path.name} cannot be read.", field="document"
            ) from error

    return digest


def octets_content(content: bytes) -> ContentDigest:
    """The content is at hand."""

    @cache
    def digest(algorithm: str) -> bytes:
        return hashlib.new(algorithm, content).digest()

    return digest
