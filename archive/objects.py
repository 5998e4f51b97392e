"""The file store: write-once objects named by their SHA-256, durable before they are named.

An object is written to `incoming/`, flushed to disk, given its name under `objects/` with link(2), and the
folder is flushed: after a crash an object is there whole or not at all. Several processes, also on several
machines, may share one store on a file system with links and flock(2).
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Self

from pecete.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
    ResourceExhaustedError,
    UnavailableError,
)

CHUNK_SIZE = 256 * 1024
"""Bytes read at once; also the length of a chunk on the wire."""

_SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIBC = ctypes.CDLL(None, use_errno=True)
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class StoredObject:
    """An object: SHA-256 of its bytes in lower-case hex, and their number."""

    sha256: str
    size: int


class FileObjectStore:
    """Objects below a folder, which is made when absent.

    Opening it removes what writers that died left in `incoming/`. Faults of the disk come out as
    ResourceExhaustedError STORAGE_FULL or UnavailableError STORAGE_FAILED.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._durable_folders: set[Path] = set()
        with _storage_faults():
            new = [path for path in (self._objects, self._incoming, root, *root.parents) if not path.is_dir()]
            for folder in reversed(new):
                folder.mkdir(exist_ok=True)
                _flush_folder(folder.parent)
        self._sweep()

    def writer(self, limit: int) -> "ObjectWriter":
        """Give a writer for one object of at most `limit` bytes."""
        return ObjectWriter(self, limit)

    def append_object(self, base_sha256: str, tail: bytes) -> StoredObject:
        """Store the bytes of an object followed by `tail`; the base is checked on the way.

        Neither object is held in memory. Raises NotFoundError OBJECT_NOT_FOUND and DataLossError
        OBJECT_ALTERED when the base is no longer what its name says.
        """
        with self._appending(base_sha256, tail) as writer:
            return writer.commit()

    def append_objects(self, appended: Sequence[tuple[str, bytes]]) -> list[StoredObject | PeceteError]:
        """As `append_object` for many bases with their tails; gives for each its object or its error.

        They are made durable together, with two flushes of the file system for all of them. Raises
        ResourceExhaustedError STORAGE_FULL or UnavailableError STORAGE_FAILED when that fails.
        """
        with ExitStack() as writers, _storage_faults():
            written: list[ObjectWriter | PeceteError] = []
            for base_sha256, tail in appended:
                try:
                    written.append(writers.enter_context(self._appending(base_sha256, tail)))
                except PeceteError as error:
                    written.append(error)
            _flush_file_system(self._incoming)
            outcomes = [_outcome(each) for each in written]
            _flush_file_system(self._objects)
        return outcomes

    @contextmanager
    def _appending(self, base_sha256: str, tail: bytes) -> Iterator["ObjectWriter"]:
        with self.writer(self.size(base_sha256) + len(tail)) as writer:
            for chunk in self.chunks(base_sha256):
                writer.write(chunk)
            if writer.sha256 != base_sha256:
                raise _altered()
            writer.write(tail)
            yield writer

    def path(self, sha256: str) -> Path:
        """Give the file of an object. Raises NotFoundError OBJECT_NOT_FOUND."""
        path = self._path(sha256)
        with _reading():
            path.stat()
        return path

    def exists(self, sha256: str) -> bool:
        """Say whether an object is there."""
        with _storage_faults():
            return self._path(sha256).is_file()

    def size(self, sha256: str) -> int:
        """Give the number of an object's bytes. Raises NotFoundError OBJECT_NOT_FOUND."""
        with _reading():
            return self._path(sha256).stat().st_size

    def open(self, sha256: str) -> BufferedReader:
        """Open an object for reading. Raises NotFoundError OBJECT_NOT_FOUND."""
        with _reading():
            return self._path(sha256).open("rb")

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """Read an object in chunks of CHUNK_SIZE. Raises NotFoundError OBJECT_NOT_FOUND."""
        with self.open(sha256) as file:
            while True:
                with _storage_faults():
                    chunk = file.read(CHUNK_SIZE)
                if not chunk:
                    return
                yield chunk

    def verify(self, sha256: str) -> StoredObject:
        """Read an object and check that its bytes have its name.

        Raises NotFoundError OBJECT_NOT_FOUND and DataLossError OBJECT_ALTERED.
        """
        with self.open(sha256) as file, _storage_faults():
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        if digest != sha256:
            raise _altered()
        return StoredObject(sha256, size)

    def last_put(self, sha256: str) -> datetime:
        """Say when somebody last stored these bytes, again or for the first time.

        Who sweeps objects without rows leaves young ones alone: their rows may be on the way.
        Raises NotFoundError OBJECT_NOT_FOUND.
        """
        with _reading():
            return datetime.fromtimestamp(self._path(sha256).stat().st_mtime, UTC)

    def delete(self, sha256: str) -> None:
        """Remove an object; an absent one is no error."""
        path = self._path(sha256)
        with _storage_faults(), suppress(FileNotFoundError):
            path.unlink()
            _flush_folder(path.parent)

    def iterate(self) -> Iterator[StoredObject]:
        """Give every object in the order of names."""
        for folder in _sorted_folders(self._objects):
            yield from self._objects_in(folder)

    def _objects_in(self, folder: Path) -> Iterator[StoredObject]:
        with _storage_faults():
            names = sorted(entry.name for entry in os.scandir(folder) if _SHA256_HEX.fullmatch(entry.name))
        for name in names:
            with suppress(NotFoundError):  # deleted since the folder was read
                if self._path(name).parent == folder:
                    yield StoredObject(name, self.size(name))

    def _path(self, sha256: str) -> Path:
        if not _SHA256_HEX.fullmatch(sha256):
            raise InvalidArgumentError(
                "OBJECT_NAME_INVALID", "An object is named by 64 lower-case hex digits."
            )
        return self._objects / sha256[:2] / sha256

    def _publish(self, temporary: Path, stored: StoredObject) -> Path:
        """Give a flushed file its name, in a folder that is yet to be flushed, and give that.

        An object that is there already is checked and marked as put again.
        """
        path = self._path(stored.sha256)
        self._make_folder(path.parent)
        while True:
            try:
                os.link(temporary, path)
            except FileExistsError:
                try:
                    os.utime(path)
                    self.verify(stored.sha256)
                except (FileNotFoundError, NotFoundError):  # deleted between the calls: link again
                    continue
            break
        return path.parent

    def _make_folder(self, folder: Path) -> None:
        """Make a folder that survives a crash.

        One that exists may have been made a moment ago by another process, so its parent is flushed too,
        once in each process.
        """
        if folder not in self._durable_folders:
            folder.mkdir(exist_ok=True)
            _flush_folder(folder.parent)
            self._durable_folders.add(folder)

    def _sweep(self) -> None:
        """Remove the files of dead writers: those whose lock can be had."""
        with _storage_faults():
            for path in sorted(self._incoming.iterdir()):
                with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


class ObjectWriter:
    """Writes one object; leaving it without `commit` leaves nothing behind."""

    def __init__(self, store: FileObjectStore, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._size = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        with _storage_faults():
            self._path, self._file = _locked_file(self._store._incoming)
        return self

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far, in hex."""
        return self._hash.hexdigest()

    @property
    def size(self) -> int:
        """Number of bytes written so far."""
        return self._size

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises ResourceExhaustedError DOCUMENT_TOO_LARGE beyond the limit."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise ResourceExhaustedError(
                "DOCUMENT_TOO_LARGE", f"At most {self._limit} bytes are taken.", field="document"
            )
        self._hash.update(chunk)
        with _storage_faults():
            _write_all(self._file, chunk)

    def commit(self) -> StoredObject:
        """Make the object durable and give its name; storing the same bytes again changes nothing.

        Raises DataLossError OBJECT_ALTERED when an object of this name is there whose bytes are others.
        """
        with _storage_faults():
            os.fsync(self._file)
            stored, folder = self._name()
            _flush_folder(folder)
        return stored

    def _name(self) -> tuple[StoredObject, Path]:
        """Give the flushed file its name; gives the object and the folder, which is yet to be flushed."""
        stored = StoredObject(self.sha256, self._size)
        with _storage_faults():
            return stored, self._store._publish(self._path, stored)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what stays is swept at the next start
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def _locked_file(folder: Path) -> tuple[Path, int]:
    """Make a new file and lock it, so that a sweep knows its writer lives.

    A sweep may come between the two; then the file has no name any more, and another one is made.
    """
    while True:
        path = folder / secrets.token_hex(16)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.fchmod(file, 0o440)
            if os.fstat(file).st_nlink:
                return path, file
        except OSError:
            path.unlink(missing_ok=True)
            os.close(file)
            raise
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_file_system(folder: Path) -> None:
    """Call syncfs(2), which Python has not; since Linux 5.8 it also tells of writes that failed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _LIBC.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), "syncfs failed")
    finally:
        os.close(descriptor)


def _outcome(written: ObjectWriter | PeceteError) -> StoredObject | PeceteError:
    """Name a flushed object, unless it could not be written."""
    if isinstance(written, PeceteError):
        return written
    try:
        return written._name()[0]
    except PeceteError as error:
        return error


def _sorted_folders(folder: Path) -> list[Path]:
    with _storage_faults():
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))


@contextmanager
def _storage_faults() -> Iterator[None]:
    """Turn what the file system answers into errors that callers know."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise ResourceExhaustedError("STORAGE_FULL", "The object store has no space left.") from error
        raise UnavailableError("STORAGE_FAILED", "The object store cannot be read or written now.") from error


@contextmanager
def _reading() -> Iterator[None]:
    """As `_storage_faults`, where an absent file is an absent object."""
    with _storage_faults():
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError("OBJECT_NOT_FOUND", "The object store has no such object.") from error


def _altered() -> DataLossError:
    return DataLossError("OBJECT_ALTERED", "The kept bytes are not those that were stored.")
