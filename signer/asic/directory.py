"""The directory of a ZIP file (APPNOTE 6.3), read so that no two readers can see different files in it.

Every octet must belong to one member, the central directory or the end record; both headers of a member must
say the same; names, sizes and ratios are bounded. What is not so is refused.
"""

import struct
from dataclasses import dataclass
from typing import IO
from unicodedata import category

from pecete.errors import InvalidArgumentError, ResourceExhaustedError

STORED, DEFLATED = 0, 8
MAX_MEMBERS = 1_000
MAX_RATIO = 100
"""How often its compressed length a member may have, beyond FREE_SIZE."""

FREE_SIZE = 1 << 20
LOCAL_HEADER_SIZE = 30
"""Octets of a member's own header before its name."""

UTF_8_NAME = 0x0800
_ENCRYPTED, _DESCRIPTOR, _STRONG_ENCRYPTION, _MASKED = 0x0001, 0x0008, 0x0040, 0x2000
_MAX_VERSION = 63
_UNICODE_PATH, _ZIP64 = 0x7075, 0x0001
_LONG_SIZES = struct.Struct("<2Q")
_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_32, _MAX_16 = 0xFFFFFFFF, 0xFFFF


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


class Directory:
    """The members of an open ZIP file, in the order in which they stand, and its comment.

    Raises InvalidArgumentError CONTAINER_DAMAGED, CONTAINER_AMBIGUOUS, CONTAINER_NAME_INVALID,
    CONTAINER_ENCRYPTED or CONTAINER_NOT_SUPPORTED; ResourceExhaustedError CONTAINER_TOO_LARGE.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        directory, count, self.comment = self._end_record()
        self.members = self._read_members(directory, count)
        if len({member.name for member in self.members}) != len(self.members):
            raise ambiguous("two members have the same name")

    def read(self, position: int, length: int) -> bytes:
        """So many octets of the file. Raises CONTAINER_DAMAGED where it has fewer."""
        self._file.seek(position)
        data = self._file.read(length)
        if len(data) != length:
            raise damaged("it ends too soon")
        return data

    def _end_record(self) -> tuple[int, int, bytes]:
        """Where the central directory begins, how many members it has, and the archive's comment."""
        length = min(self._size, _END.size + _MAX_16)
        tail = self.read(self._size - length, length)
        position = tail.rfind(b"PK\x05\x06")
        if position < 0 or len(tail) - position < _END.size:
            raise damaged("it has no end record")
        _, disk, first_disk, here, count, size, directory, comment = _END.unpack_from(tail, position)
        if _MAX_16 in (disk, count) or _MAX_32 in (size, directory):
            raise _not_supported("is in ZIP64")
        if (disk, first_disk) != (0, 0) or here != count:
            raise _not_supported("is split over several files")
        if position + _END.size + comment != len(tail):
            raise ambiguous("octets follow the end record")
        if directory + size != self._size - len(tail) + position:
            raise ambiguous("octets stand between the directory and the end record")
        return directory, count, tail[position + _END.size :]

    def _read_members(self, directory: int, count: int) -> tuple[Member, ...]:
        if count > MAX_MEMBERS:
            raise too_large(f"it has more than {MAX_MEMBERS} members")
        length = self._size - _END.size - len(self.comment) - directory
        if length > count * (_ENTRY.size + 3 * _MAX_16):
            raise damaged("its directory is longer than its members")
        entries, data, at = [], self.read(directory, length), 0
        for _ in range(count):
            if len(data) - at < _ENTRY.size:
                raise damaged("its directory ends too soon")
            fields = _ENTRY.unpack_from(data, at)
            if fields[0] != b"PK\x01\x02":
                raise damaged("its directory has something that is no entry")
            end = at + _ENTRY.size + fields[10] + fields[11] + fields[12]
            entries.append((fields[16], data[at:end], fields))
            at = end
        if at != len(data):
            raise ambiguous("its directory has more than its members")
        entries.sort(key=lambda entry: entry[0])
        ends = [start for start, _, _ in entries[1:]] + [directory]
        if entries and entries[0][0] != 0:
            raise ambiguous("octets stand before the first member")
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
            raise too_large(f"{name} is compressed more than {MAX_RATIO} times")
        if name.endswith("/") and size:
            raise ambiguous("a folder has content")
        data = self._check_local_header(entry, fields, start)
        if data + compressed > end or (method == STORED and compressed != size):
            raise damaged(f"{name} does not fit into its place")
        member = Member(name, method, flags, crc32, compressed, size, start, data, end, entry)
        self._check_rest(member)
        return member

    def _check_local_header(self, entry: bytes, fields: tuple[int, ...], start: int) -> int:
        """Where a member's data begin. Both headers must say the same."""
        local = _LOCAL.unpack(self.read(start, _LOCAL.size))
        signature, _, flags, method, _, _, crc32, compressed, size, name_length, extra_length = local
        if signature != b"PK\x03\x04":
            raise damaged("a member is not where the directory says")
        name = self.read(start + _LOCAL.size, name_length)
        extra = self.read(start + _LOCAL.size + name_length, extra_length)
        if (compressed, size) == (_MAX_32, _MAX_32):
            compressed, size = _long_sizes(extra)
        sizes = (crc32, compressed, size)
        if (flags, method, name) != (fields[3], fields[4], entry[_ENTRY.size : _ENTRY.size + fields[10]]) or (
            not flags & _DESCRIPTOR and sizes != fields[7:10]
        ):
            raise ambiguous("a member's own header differs from the directory")
        _check_extra(extra)
        return int(start + _LOCAL.size + name_length + extra_length)

    def _check_rest(self, member: Member) -> None:
        """What follows the data is the data descriptor that the flags announce, or nothing."""
        length = member.end - member.data - member.compressed_size
        wanted: set[bytes] = {b""}
        if member.flags & _DESCRIPTOR:
            values = (member.crc32, member.compressed_size, member.size)
            bare = (struct.pack("<3L", *values), struct.pack("<L2Q", *values))
            wanted = {head + each for each in bare for head in (b"", b"PK\x07\x08")}
        longest = max(map(len, wanted))
        if length > longest or self.read(member.end - length, length) not in wanted:
            raise ambiguous(f"unknown octets follow {member.name}")


def is_safe_name(name: str) -> bool:
    """Whether a member of this name stays below the folder into which somebody unpacks it."""
    parts = name.removesuffix("/").split("/")
    plain = all(char.isprintable() or category(char) == "Zs" for char in name)
    if not plain or "\\" in name or ":" in parts[0]:
        return False
    return all(part not in ("", ".", "..") for part in parts)


def _long_sizes(extra: bytes) -> tuple[int, int]:
    """The compressed and the full size in a ZIP64 extra field, -1 where there is none (APPNOTE §4.5.3).

    Some writers have it in a member's own header even where the directory does without.
    """
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP64 and length == _LONG_SIZES.size and len(extra) >= 4 + length:
            size, compressed = _LONG_SIZES.unpack_from(extra, 4)
            return compressed, size
        extra = extra[4 + length :]
    return -1, -1


def _check_extra(extra: bytes) -> None:
    """Refuse a second name in an extra field, by which some readers go (APPNOTE §4.6.9)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _UNICODE_PATH:
            raise ambiguous("a member has two names")
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


def damaged(why: str) -> InvalidArgumentError:
    """The error of a container that cannot be read."""
    return InvalidArgumentError(
        "CONTAINER_DAMAGED", f"The container cannot be read: {why}.", field="document"
    )


def ambiguous(why: str) -> InvalidArgumentError:
    """The error of a container that two readers would read differently."""
    return InvalidArgumentError(
        "CONTAINER_AMBIGUOUS", f"The container could be read in two ways: {why}.", field="document"
    )


def _not_supported(what: str) -> InvalidArgumentError:
    return InvalidArgumentError("CONTAINER_NOT_SUPPORTED", f"The container {what}.", field="document")


def too_large(why: str) -> ResourceExhaustedError:
    """The error of a container that costs too much."""
    return ResourceExhaustedError(
        "CONTAINER_TOO_LARGE", f"The container is not unpacked: {why}.", field="document"
    )
