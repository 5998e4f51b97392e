"""Writing a container as pieces: new members are stored, members that are kept are copied as they stand."""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pecete.errors import NotFoundError, ResourceExhaustedError
from signer.asic.container import MIMETYPE, MIMETYPES, Container, Kind
from signer.asic.directory import MAX_MEMBERS, STORED, UTF_8_NAME, Member
from signer.pieces import FileSlice, Piece

_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION
_READABLE = 0o100644 << 16
"""On Unix, and for all to read: of names made on DOS some tools think that they are in its alphabet."""

_MAX_SIZE = 0xFFFFFFFF - 1
_CHUNK = 256 * 1024
_OFFSET = 42
"""Where a central directory entry says where its member begins."""


@dataclass(frozen=True)
class FileContent:
    """The content of a file that is to become a member: how long it is, its CRC-32 and SHA-256."""

    path: Path
    size: int
    crc32: int
    sha256: bytes


@dataclass(frozen=True)
class NewMember:
    """A member to be written; its content is at hand or a file."""

    name: str
    content: bytes | FileContent


def measure(path: Path) -> FileContent:
    """Read a file once, in pieces. Raises NotFoundError DOCUMENT_UNREADABLE."""
    size, crc32, digest = 0, 0, hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size, crc32 = size + len(chunk), zlib.crc32(chunk, crc32)
                digest.update(chunk)
    except OSError as error:
        raise NotFoundError(
            "DOCUMENT_UNREADABLE", f"The file {path.name} cannot be read.", field="document"
        ) from error
    return FileContent(path, size, crc32, digest.digest())


def new_container(kind: Kind, members: Sequence[NewMember], time: datetime) -> tuple[Piece, ...]:
    """A container of these members, with its `mimetype` before them. time: aware, stated of each member.

    Raises ResourceExhaustedError CONTAINER_TOO_LARGE.
    """
    writer = _Writer(time)
    writer.add(NewMember(MIMETYPE, MIMETYPES[kind].encode("ascii")))
    for member in members:
        writer.add(member)
    return writer.finish(b"")


def changed_container(
    path: Path, container: Container, members: Sequence[NewMember], time: datetime
) -> tuple[Piece, ...]:
    """The container at `path` with these members at its end, in place of those that have their names.

    All others are copied octet for octet. Raises ResourceExhaustedError CONTAINER_TOO_LARGE.
    """
    writer = _Writer(time)
    replaced = {member.name for member in members}
    for kept in container.members:
        if kept.name not in replaced:
            writer.keep(path, kept)
    for member in members:
        writer.add(member)
    return writer.finish(container.comment)


class _Writer:
    def __init__(self, time: datetime) -> None:
        self._time = _dos_time(time)
        self._pieces: list[Piece] = []
        self._entries: list[bytes] = []
        self._position = 0

    def add(self, member: NewMember) -> None:
        """Write a member: a local header and its content, stored."""
        content = member.content
        piece: Piece
        if isinstance(content, bytes):
            crc32, size, piece = zlib.crc32(content), len(content), content
        else:
            crc32, size = content.crc32, content.size
            piece = FileSlice(content.path, 0, size, content.sha256)
        if size > _MAX_SIZE:
            raise _too_large()
        name = member.name.encode("utf-8")
        flags = 0 if name.isascii() else UTF_8_NAME
        common = struct.pack("<3H", _VERSION, flags, STORED) + self._time
        common += struct.pack("<3L2H", crc32, size, size, len(name), 0)
        rest = struct.pack("<3H2L", 0, 0, 0, _READABLE, self._position)
        self._entries.append(b"PK\x01\x02" + struct.pack("<H", _MADE_BY) + common + rest + name)
        self._append(b"PK\x03\x04" + common + name, len(common) + 4 + len(name))
        self._append(piece, size)

    def keep(self, path: Path, member: Member) -> None:
        """Copy a member, its local header and whatever follows its data."""
        if self._position > _MAX_SIZE:
            raise _too_large()
        offset = struct.pack("<L", self._position)
        self._entries.append(member.entry[:_OFFSET] + offset + member.entry[_OFFSET + 4 :])
        length = member.end - member.start
        self._append(FileSlice(path, member.start, length), length)

    def finish(self, comment: bytes) -> tuple[Piece, ...]:
        """All pieces, with the central directory."""
        directory = b"".join(self._entries)
        if self._position + len(directory) > _MAX_SIZE or len(self._entries) > MAX_MEMBERS:
            raise _too_large()
        count = len(self._entries)
        end = struct.pack(
            "<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), self._position, len(comment)
        )
        return (*self._pieces, directory + end + comment)

    def _append(self, piece: Piece, length: int) -> None:
        self._pieces.append(piece)
        self._position += length
        if self._position > _MAX_SIZE:
            raise _too_large()


def _dos_time(time: datetime) -> bytes:
    """Time and date as ZIP has them, in UTC: two seconds fine, from 1980 to 2107."""
    utc = time.astimezone(UTC)
    year = min(max(utc.year, 1980), 2107)
    return struct.pack(
        "<2H",
        utc.hour << 11 | utc.minute << 5 | utc.second // 2,
        (year - 1980) << 9 | utc.month << 5 | utc.day,
    )


def _too_large() -> ResourceExhaustedError:
    return ResourceExhaustedError(
        "CONTAINER_TOO_LARGE",
        f"A container has less than 4 GiB and at most {MAX_MEMBERS} members here.",
        field="document",
    )
