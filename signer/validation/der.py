"""Reading ASN.1 as stored, by position. BER is accepted, as CMS may use it; nothing is encoded again."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31
_MAX_DEPTH = 60
_MAX_IDENTIFIER = 64


class DerError(ValueError):
    """The bytes are not the ASN.1 that was expected; never leaves `signer`."""


class Element(NamedTuple):
    """One element of `data`: its identifier octet and where it and its content stand."""

    data: bytes
    tag: int
    start: int
    content_start: int
    content_end: int
    end: int

    @property
    def raw(self) -> bytes:
        """The whole element."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content octets."""
        return self.data[self.content_start : self.content_end]

    def children(self) -> Iterator["Element"]:
        """Elements of a constructed element. Raises DerError."""
        position = self.content_start
        while position < self.content_end:
            child = read(self.data, position, self.content_end)
            yield child
            position = child.end

    def parts(self, tag: int, least: int = 0) -> list["Element"]:
        """Children of an element that must have `tag`, at least so many. Raises DerError."""
        expect(self, tag)
        found = list(self.children())
        if len(found) < least:
            raise DerError(f"too few elements at {self.start}")
        return found


def expect(element: Element, tag: int) -> Element:
    """`element` if it has that tag. Raises DerError."""
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#x} where {tag:#x} is due, at {element.start}")
    return element


def read(data: bytes, position: int = 0, limit: int | None = None, depth: int = 0) -> Element:
    """The element at `position`, which must end before `limit`. Raises DerError."""
    limit = len(data) if limit is None else limit
    if position + 2 > limit or depth > _MAX_DEPTH:
        raise DerError(f"cut short at {position}")
    tag, length, start = data[position], data[position + 1], position + 2
    if tag & 0x1F == 0x1F:
        raise DerError(f"a tag number above 30 at {position}")
    if length == 0x80:
        end_of_content = _end_of_indefinite(data, start, limit, depth)
        return Element(data, tag, position, start, end_of_content, end_of_content + 2)
    if length & 0x80:
        size = length & 0x7F
        if size > 4 or start + size > limit:
            raise DerError(f"bad length at {position}")
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if start + length > limit:
        raise DerError(f"cut short at {position}")
    return Element(data, tag, position, start, start + length, start + length)


def _end_of_indefinite(data: bytes, position: int, limit: int, depth: int) -> int:
    while data[position : position + 2] != b"\0\0":
        position = read(data, position, limit, depth + 1).end
    if position + 2 > limit:
        raise DerError("open element")
    return position


def octets(element: Element, depth: int = 0) -> bytes:
    """Content of an OCTET STRING, also one that BER put together from parts. Raises DerError."""
    if element.tag == OCTET_STRING | 0x20 and depth < _MAX_DEPTH:
        return b"".join(octets(part, depth + 1) for part in element.children())
    return expect(element, OCTET_STRING).content


def oid(element: Element) -> str:
    """Dotted form of an OBJECT IDENTIFIER. Raises DerError."""
    return _dotted(expect(element, OBJECT_IDENTIFIER).content)


@lru_cache(maxsize=1024)
def _dotted(content: bytes) -> str:
    if not content or content[-1] & 0x80 or len(content) > _MAX_IDENTIFIER:
        raise DerError("bad object identifier")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def integer(element: Element) -> int:
    """Value of an INTEGER. Raises DerError."""
    return int.from_bytes(expect(element, INTEGER).content, "big", signed=True)
