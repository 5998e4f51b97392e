"""Reading an ASiC container (EN 319 162-1 Annex A, ZIP by APPNOTE 6.3) strictly and within bounds.

A reader that follows the central directory and one that follows the local headers must see the same files:
so every octet of the file belongs to one member, the directory or the end record, and whatever could be read
in two ways is refused. What is inside is handed out in pieces.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Literal
from unicodedata import category

from pecete.errors import InvalidArgumentError, NotFoundError, ResourceExhaustedError

Kind = Literal["ASiC-E", "ASiC-S"]
MIMETYPES: dict[Kind, str] = {
    "ASiC-E": "application/vnd.etsi.asic-e+zip",
    "ASiC-S": "application/vnd.etsi.asic-s+zip",
}
"""What the member `mimetype` says, which is also the media type of the container."""

META_INF = "META-INF/"
MIMETYPE = "mimetype"
STORED, DEFLATED = 0, 8
MAX_MEMBERS = 1_000
MAX_RATIO = 100
"""How often its compressed length a member may have, beyond FREE_SIZE."""

FREE_SIZE = 1 << 20
MAX_META_SIZE = 64 << 20
"""Octets of the largest signature, manifest or time-stamp that is read into memory."""

UTF_8_NAME = 0x0800
_ENCRYPTED, _DESCRIPTOR, _STRONG_ENCRYPTION, _MASKED = 0x0001, 0x0008, 0x0040, 0x2000
_MAX_VERSION = 63
_UNICODE_PATH = 0x7075
_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MIMETYPE_DATA = _LOCAL.size + len(MIMETYPE)
_MAX_32, _MAX_16 = 0xFFFFFFFF, 0xFFFF
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class Member:
    """A file in a container.

    start, data, end: where its local header, its data, and what follows all of it begin. entry: its record in
    the central directory, as stored.
    """

    name: str
    method: int
    flags: int
    crc32: int
    compressed_size: int
    size: int
    start: int
    data: int
    end: int
    entry: bytes

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder, and has no content."""
        return self.name.endswith("/")

    @property
    def is_signed_file(self) -> bool:
        """Whether it is one of the files that signatures are over (EN 319 162-1 §4.4.2)."""
        return self.name != MIMETYPE and not self.name.startswith(META_INF) and not self.is_folder


class Container:
    """The members of an open container, in the order in which they stand.

    Raises InvalidArgumentError DOCUMENT_NOT_ASIC, CONTAINER_DAMAGED, CONTAINER_AMBIGUOUS,
    CONTAINER_NAME_INVALID, CONTAINER_ENCRYPTED or CONTAINER_NOT_SUPPORTED; ResourceExhaustedError
    CONTAINER_TOO_LARGE.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.kind = self._read_kind()
        directory, count, self.comment = self._end_record()
        self.members = self._read_members(directory, count)
        self._by_name = {member.name: member for member in self.members}
        if len(self._by_name) != len(self.members):
            raise _ambiguous("two members have the same name")
        self._check_kind()

    @cached_property
    def signed_files(self) -> tuple[Member, ...]:
        """The files that signatures are over."""
        return tuple(member for member in self.members if member.is_signed_file)

    @cached_property
    def meta_names(self) -> tuple[str, ...]:
        """Names of the files in META-INF."""
        return tuple(
            member.name
            for member in self.members
            if member.name.startswith(META_INF) and not member.is_folder
        )

    def find(self, name: str) -> Member | None:
        """The member of a name, if there is one."""
        return self._by_name.get(name)

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The content of a member in pieces.

        Raises InvalidArgumentError CONTAINER_DAMAGED where it is not what the directory says.
        """
        checksum, size = 0, 0
        for chunk in self._inflated(member) if member.method == DEFLATED else self._raw(member):
            checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
            if size > member.size:
                break
            yield chunk
        if (checksum, size) != (member.crc32, member.size):
            raise _damaged(f"{member.name} is not what the directory says")

    def read(self, name: str) -> bytes:
        """The content of a member that is no file to be signed.

        Raises InvalidArgumentError CONTAINER_DAMAGED also where there is no such member;
        ResourceExhaustedError CONTAINER_TOO_LARGE.
        """
        member = self.find(name)
        if member is None:
            raise _damaged(f"there is no {name}")
        if member.size > MAX_META_SIZE:
            raise _too_large(f"{name} is longer than {MAX_META_SIZE >> 20} MiB")
        return b"".join(self.chunks(member))

    def digest(self, member: Member, algorithm: str) -> bytes:
        """The digest of a member's content by an algorithm, as hashlib names it. Raises as `chunks`."""
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for chunk in self.chunks(member):
            digest.update(chunk)
        return digest.digest()

    # ---- content

    def _raw(self, member: Member) -> Iterator[bytes]:
        position, left = member.data, member.compressed_size
        while left:
            chunk = self._read(position, min(left, _CHUNK))
            position, left = position + len(chunk), left - len(chunk)
            yield chunk

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-15)
        try:
            for raw in self._raw(member):
                waiting = raw
                while waiting and not inflater.eof:
                    yield inflater.decompress(waiting, _CHUNK)
                    waiting = inflater.unconsumed_tail
            while chunk := inflater.decompress(b"", _CHUNK):
                yield chunk
        except zlib.error:
            raise _damaged(f"{member.name} cannot be decompressed") from None
        if not inflater.eof or inflater.unused_data:
            raise _damaged(f"{member.name} cannot be decompressed")

    # ---- structure

    def _read(self, position: int, length: int) -> bytes:
        self._file.seek(position)
        data = self._file.read(length)
        if len(data) != length:
            raise _damaged("it ends too soon")
        return data

    def _end_record(self) -> tuple[int, int, bytes]:
        """Where the central directory begins, how many members it has, and the archive's comment."""
        length = min(self._size, _END.size + _MAX_16)
        tail = self._read(self._size - length, length)
        position = tail.rfind(b"PK\x05\x06")
        if position < 0 or len(tail) - position < _END.size:
            raise _damaged("it has no end record")
        _, disk, first_disk, here, count, size, directory, comment = _END.unpack_from(tail, position)
        if _MAX_16 in (disk, count) or _MAX_32 in (size, directory):
            raise _not_supported("is in ZIP64")
        if (disk, first_disk) != (0, 0) or here != count:
            raise _not_supported("is split over several files")
        if position + _END.size + comment != len(tail):
            raise _ambiguous("octets follow the end record")
        if directory + size != self._size - len(tail) + position:
            raise _ambiguous("octets stand between the directory and the end record")
        return directory, count, tail[position + _END.size :]

    def _read_members(self, directory: int, count: int) -> tuple[Member, ...]:
        if count > MAX_MEMBERS:
            raise _too_large(f"it has more than {MAX_MEMBERS} members")
        length = self._size - _END.size - len(self.comment) - directory
        if length > count * (_ENTRY.size + 3 * _MAX_16):
            raise _damaged("its directory is longer than its members")
        entries, data, at = [], self._read(directory, length), 0
        for _ in range(count):
            if len(data) - at < _ENTRY.size:
                raise _damaged("its directory ends too soon")
            fields = _ENTRY.unpack_from(data, at)
            if fields[0] != b"PK\x01\x02":
                raise _damaged("its directory has something that is no entry")
            end = at + _ENTRY.size + fields[10] + fields[11] + fields[12]
            entries.append((fields[16], data[at:end], fields))
            at = end
        if at != len(data):
            raise _ambiguous("its directory has more than its members")
        entries.sort(key=lambda entry: entry[0])
        ends = [start for start, _, _ in entries[1:]] + [directory]
        if entries and entries[0][0] != 0:
            raise _ambiguous("octets stand before the first member")
        return tuple(
            self._member(entry, fields, end) for (_, entry, fields), end in zip(entries, ends, strict=True)
        )

    def _member(self, entry: bytes, fields: tuple[int, ...], end: int) -> Member:
        _, _, version, flags, method, _, _, crc32, compressed, size, name_length, *rest = fields
        extra = _ENTRY.size + name_length
        name = _name(entry[_ENTRY.size : extra])
        _check_extra(entry[extra : extra + rest[0]])
        start = rest[-1]
        if flags & (_ENCRYPTED | _STRONG_ENCRYPTION | _MASKED):
            raise InvalidArgumentError(
                "CONTAINER_ENCRYPTED", "A member of the container is encrypted.", field="document"
            )
        if method not in (STORED, DEFLATED) or version & 0xFF > _MAX_VERSION or rest[2]:
            raise _not_supported("has a member that is neither stored nor deflated")
        if _MAX_32 in (compressed, size, start):
            raise _not_supported("is in ZIP64")
        if size > FREE_SIZE and size > MAX_RATIO * compressed:
            raise _too_large(f"{name} is compressed more than {MAX_RATIO} times")
        if name.endswith("/") and size:
            raise _ambiguous("a folder has content")
        data = self._check_local_header(entry, fields, start)
        if data + compressed > end or (method == STORED and compressed != size):
            raise _damaged(f"{name} does not fit into its place")
        member = Member(name, method, flags, crc32, compressed, size, start, data, end, entry)
        self._check_rest(member)
        return member

    def _check_local_header(self, entry: bytes, fields: tuple[int, ...], start: int) -> int:
        """Where a member's data begin. Both headers must say the same."""
        local = _LOCAL.unpack(self._read(start, _LOCAL.size))
        signature, _, flags, method, _, _, crc32, compressed, size, name_length, extra_length = local
        if signature != b"PK\x03\x04":
            raise _damaged("a member is not where the directory says")
        name = self._read(start + _LOCAL.size, name_length)
        sizes = (crc32, compressed, size)
        if (flags, method, name) != (fields[3], fields[4], entry[_ENTRY.size : _ENTRY.size + fields[10]]) or (
            not flags & _DESCRIPTOR and sizes != fields[7:10]
        ):
            raise _ambiguous("a member's own header differs from the directory")
        data = int(start + _LOCAL.size + name_length + extra_length)
        _check_extra(self._read(data - extra_length, extra_length))
        return data

    def _check_rest(self, member: Member) -> None:
        """What follows the data is the data descriptor that the flags announce, or nothing."""
        length = member.end - member.data - member.compressed_size
        wanted: set[bytes] = {b""}
        if member.flags & _DESCRIPTOR:
            values = (member.crc32, member.compressed_size, member.size)
            bare = (struct.pack("<3L", *values), struct.pack("<L2Q", *values))
            wanted = {head + each for each in bare for head in (b"", b"PK\x07\x08")}
        longest = max(map(len, wanted))
        if length > longest or self._read(member.end - length, length) not in wanted:
            raise _ambiguous(f"unknown octets follow {member.name}")

    def _read_kind(self) -> Kind:
        """The kind of container: `mimetype` is first, stored and has no extra field (Annex A)."""
        head = self._read(0, min(self._size, _MIMETYPE_DATA + max(map(len, MIMETYPES.values()))))
        for kind, mimetype in MIMETYPES.items():
            if head.startswith(b"PK\x03\x04") and head[_LOCAL.size :] == f"{MIMETYPE}{mimetype}".encode(
                "ascii"
            ):
                return kind
        raise InvalidArgumentError(
            "DOCUMENT_NOT_ASIC", "This is no ASiC: it does not begin with its media type.", field="document"
        )

    def _check_kind(self) -> None:
        """What the beginning says is what the first member says."""
        first = self.members[0] if self.members else None
        stated = MIMETYPES[self.kind].encode("ascii")
        if first is None or first.name != MIMETYPE or (first.method, first.data) != (STORED, _MIMETYPE_DATA):
            raise _ambiguous("its first member is not its media type")
        if first.size != len(stated) or b"".join(self.chunks(first)) != stated:
            raise _ambiguous("its media type is longer than it seems")


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open the container at `path`. Raises what `Container` raises; NotFoundError DOCUMENT_UNREADABLE."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFoundError(
            "DOCUMENT_UNREADABLE", f"The file {path.name} cannot be read.", field="document"
        ) from error
    with file:
        yield Container(file)


def is_safe_name(name: str) -> bool:
    """Whether a member of this name stays below the folder into which somebody unpacks it."""
    parts = name.removesuffix("/").split("/")
    plain = all(char.isprintable() or category(char) == "Zs" for char in name)
    if not plain or "\\" in name or ":" in parts[0]:
        return False
    return all(part not in ("", ".", "..") for part in parts)


def _check_extra(extra: bytes) -> None:
    """Refuse a second name in an extra field, by which some readers go (APPNOTE §4.6.9)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _UNICODE_PATH:
            raise _ambiguous("a member has two names")
        extra = extra[4 + length :]


def _name(octets: bytes) -> str:
    """A member's name, which is UTF-8 whatever its flags say. Raises CONTAINER_NAME_INVALID."""
    try:
        name = octets.decode("utf-8")
    except UnicodeDecodeError:
        name = ""
    if not is_safe_name(name):
        raise InvalidArgumentError(
            "CONTAINER_NAME_INVALID", "A member of the container has a name that is unsafe.", field="document"
        )
    return name


def _damaged(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "CONTAINER_DAMAGED", f"The container cannot be read: {why}.", field="document"
    )


def _ambiguous(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "CONTAINER_AMBIGUOUS", f"The container could be read in two ways: {why}.", field="document"
    )


def _not_supported(what: str) -> InvalidArgumentError:
    return InvalidArgumentError("CONTAINER_NOT_SUPPORTED", f"The container {what}.", field="document")


def _too_large(why: str) -> ResourceExhaustedError:
    return ResourceExhaustedError(
        "CONTAINER_TOO_LARGE", f"The container is not unpacked: {why}.", field="document"
    )
