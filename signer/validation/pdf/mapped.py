"""Large documents without holding them: files mapped into memory, pages let go once they were read."""

import errno
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

Buffer: TypeAlias = bytes | mmap.mmap
"""A document: its bytes, or its file mapped into memory. Slices are bytes; positions count from its start."""
MAPPED_FROM = 8 << 20
"""Size in bytes from which a file is mapped; a smaller one is read whole, which is faster."""
BLOCK = 1 << 20
"""Most bytes that are taken in hand at once."""


@contextmanager
def contents_of(file: BinaryIO) -> Iterator[Buffer]:
    """The bytes of an open file, which must not shrink meanwhile, for the time of the context.

    Raises OSError, and MemoryError where the process may not have so much address space.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if size < MAPPED_FROM:
        yield file.read()
        return
    with _map(file, size) as data:
        yield data


def _map(file: BinaryIO, size: int) -> mmap.mmap:
    try:
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        raise


def blocks(data: Buffer, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to `end`, piece by piece, each let go before the next."""
    while start < end:
        stop = min(end, start - start % BLOCK + BLOCK)
        yield data[start:stop]
        if stop % BLOCK == 0:
            let_go(data, stop - BLOCK, stop)
        start = stop


def let_go(data: Buffer, start: int, end: int) -> None:
    """Take the pages of a mapped file out of the process's memory; they come back when they are looked at.

    start, end: multiples of BLOCK, or the end of the file.
    """
    if isinstance(data, mmap.mmap) and end > start:
        data.madvise(mmap.MADV_DONTNEED, start, end - start)
