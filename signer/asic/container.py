"""Reading an ASiC container (EN 319 162-1 Annex A) strictly and within bounds, in pieces."""

import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Literal

from pecete.errors import InvalidArgumentError, NotFoundError
from signer.asic.directory import (
    DEFLATED,
    LOCAL_HEADER_SIZE,
    STORED,
    Directory,
    Member,
    ambiguous,
    damaged,
    too_large,
)

Kind = Literal["ASiC-E", "ASiC-S"]
MIMETYPES: dict[Kind, str] = {
    "ASiC-E": "application/vnd.etsi.asic-e+zip",
    "ASiC-S": "application/vnd.etsi.asic-s+zip",
}
"""What the member `mimetype` says, which is also the media type of the container."""

META_INF = "META-INF/"
MIMETYPE = "mimetype"
MAX_META_SIZE = 64 << 20
"""Octets of the largest signature, manifest or time-stamp that is read into memory."""

_MIMETYPE_DATA = LOCAL_HEADER_SIZE + len(MIMETYPE)
_MAX_MIMETYPE = 100
_TELLING: dict[Kind, re.Pattern[str]] = {
    "ASiC-S": re.compile(rf"{META_INF}(signature\.p7s|timestamp\.tst|evidencerecord\.(ers|xml))"),
    "ASiC-E": re.compile(rf"{META_INF}(ASiC\w*Manifest[^/]*|signatures[^/]*)\.xml"),
}
_CHUNK = 256 * 1024


class Container:
    """The members of an open container, in the order in which they stand.

    is_strict: whether its media type must stand first, as in every container that is added to; one that is
    only judged may say by its media type elsewhere, or by its files alone, what it is. findings: sentences on
    that. Raises InvalidArgumentError DOCUMENT_NOT_ASIC, and what `Directory` raises.
    """

    def __init__(self, file: IO[bytes], *, is_strict: bool = True) -> None:
        begins_with = _beginning_kind(file)
        if begins_with is None and is_strict:
            raise _not_asic()
        try:
            self._directory = Directory(file)
        except InvalidArgumentError as error:
            if begins_with is None and error.reason == "CONTAINER_DAMAGED":
                raise _not_asic() from error
            raise
        self.members = self._directory.members
        self.comment = self._directory.comment
        self._by_name = {member.name: member for member in self.members}
        self.kind = begins_with or self._kind_elsewhere()
        self.findings = () if begins_with else ("the media type does not stand first in the container",)
        if begins_with:
            self._check_kind()

    @cached_property
    def signed_files(self) -> tuple[Member, ...]:
        """The files that signatures are over."""
        return tuple(member for member in self.members if _is_signed_file(member))

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
            raise damaged(f"{member.name} is not what the directory says")

    def read(self, name: str) -> bytes:
        """The content of a member that is no file to be signed.

        Raises InvalidArgumentError CONTAINER_DAMAGED also where there is no such member;
        ResourceExhaustedError CONTAINER_TOO_LARGE.
        """
        member = self.find(name)
        if member is None:
            raise damaged(f"there is no {name}")
        if member.size > MAX_META_SIZE:
            raise too_large(f"{name} is longer than {MAX_META_SIZE >> 20} MiB")
        return b"".join(self.chunks(member))

    def digest(self, member: Member, algorithm: str) -> bytes:
        """The digest of a member's content by an algorithm, as hashlib names it. Raises as `chunks`."""
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for chunk in self.chunks(member):
            digest.update(chunk)
        return digest.digest()

    def _raw(self, member: Member) -> Iterator[bytes]:
        position, left = member.data, member.compressed_size
        while left:
            chunk = self._directory.read(position, min(left, _CHUNK))
            position, left = position + len(chunk), left - len(chunk)
            yield chunk

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-15)
        try:
            for raw in self._raw(member):
                if inflater.eof:
                    raise damaged(f"octets follow the content of {member.name}")
                waiting = raw
                while waiting and not inflater.eof:
                    yield inflater.decompress(waiting, _CHUNK)
                    waiting = inflater.unconsumed_tail
            while chunk := inflater.decompress(b"", _CHUNK):
                yield chunk
        except zlib.error:
            raise damaged(f"{member.name} cannot be decompressed") from None
        if not inflater.eof or inflater.unused_data:
            raise damaged(f"{member.name} cannot be decompressed")

    def _kind_elsewhere(self) -> Kind:
        """The kind by a media type that is not the first member, or by what only this kind has.

        An ASiC-S may state the media type of its file (EN 319 162-1 §4.3.3.1); an ASiC-E that states another
        kind of file is not taken for an ASiC.
        """
        member = self.find(MIMETYPE)
        stated = b"".join(self.chunks(member)) if member and member.size <= _MAX_MIMETYPE else b""
        for kind, mimetype in MIMETYPES.items():
            if stated.strip() == mimetype.encode("ascii"):
                return kind
        for kind, names in _TELLING.items():
            if any(names.fullmatch(name) for name in self.meta_names):
                if member and kind == "ASiC-E":
                    break
                return kind
        raise _not_asic()

    def _check_kind(self) -> None:
        """What the beginning says is what the first member says."""
        first = self.members[0] if self.members else None
        stated = MIMETYPES[self.kind].encode("ascii")
        if first is None or first.name != MIMETYPE or (first.method, first.data) != (STORED, _MIMETYPE_DATA):
            raise ambiguous("its first member is not its media type")
        if first.size != len(stated) or b"".join(self.chunks(first)) != stated:
            raise ambiguous("its media type is longer than it seems")


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


def _beginning_kind(file: IO[bytes]) -> Kind | None:
    """The kind of container whose `mimetype` is first, stored and has no extra field (Annex A)."""
    file.seek(0)
    head = file.read(_MIMETYPE_DATA + max(map(len, MIMETYPES.values())))
    for kind, mimetype in MIMETYPES.items():
        stated = f"{MIMETYPE}{mimetype}".encode("ascii")
        if head.startswith(b"PK\x03\x04") and head[LOCAL_HEADER_SIZE:] == stated:
            return kind
    return None


def _not_asic() -> InvalidArgumentError:
    return InvalidArgumentError(
        "DOCUMENT_NOT_ASIC", "This is no ASiC: it does not begin with its media type.", field="document"
    )


def _is_signed_file(member: Member) -> bool:
    """Whether it is one of the files that signatures are over (EN 319 162-1 §4.4)."""
    return member.name != MIMETYPE and not member.name.startswith(META_INF) and not member.is_folder
