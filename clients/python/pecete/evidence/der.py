"""A small reader of DER (X.690 §10): elements by position, nothing copied before it is asked for."""

from collections.abc import Iterator
from typing import NamedTuple

INTEGER, OCTET_STRING, OBJECT_IDENTIFIER, SEQUENCE = 0x02, 0x04, 0x06, 0x30
_INDEFINITE = 0x80
_MAXIMUM_DEPTH = 60


class DerError(ValueError):
    """The octets are not the DER that was expected; never leaves the package."""


class Element(NamedTuple):
    """An element of `data`: its identifier octet, and where it, its content and what follows it begin."""

    data: bytes
    tag: int
    start: int
    content_start: int
    end: int

    @property
    def raw(self) -> bytes:
        """The whole element as it is stored."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content octets."""
        return self.data[self.content_start : self.end]

    def children(self, tag: int) -> Iterator["Element"]:
        """The elements of a constructed element, which must have `tag`. Raises DerError."""
        expect(self, tag)
        position = self.content_start
        while position < self.end:
            child = read_element(self.data, position, self.end)
            yield child
            position = child.end


def read_element(data: bytes, position: int = 0, limit: int | None = None) -> Element:
    """The element at `position`, which ends at or before `limit`. Raises DerError."""
    tag, start, length = _header(data, position, len(data) if limit is None else limit)
    if length is None:
        raise DerError(f"an indefinite length at {position}")
    return Element(data, tag, position, start, start + length)


def read_stored_element(data: bytes, position: int, limit: int) -> Element:
    """The same for what is kept as it came and may be BER, such as a token. Raises DerError."""
    tag, start, _ = _header(data, position, limit)
    return Element(data, tag, position, start, _end(data, position, limit, 0))


def expect(element: Element, tag: int) -> Element:
    """`element` if it has that tag. Raises DerError."""
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} is due, at {element.start}")
    return element


def dotted(element: Element) -> str:
    """The dotted form of an OBJECT IDENTIFIER. Raises DerError."""
    content = expect(element, OBJECT_IDENTIFIER).content
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DerError("an object identifier that is none")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def sequence_header(length: int) -> bytes:
    """Identifier and length octets of a SEQUENCE with so many octets of content."""
    if length < 0x80:
        return bytes((SEQUENCE, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((SEQUENCE, 0x80 | len(octets))) + octets


def _header(data: bytes, position: int, limit: int) -> tuple[int, int, int | None]:
    """Identifier octet, where the content begins, and its length: None where that is indefinite."""
    if position + 2 > limit:
        raise DerError(f"cut short at {position}")
    tag, length, start = data[position], data[position + 1], position + 2
    if tag & 0x1F == 0x1F:
        raise DerError(f"a tag number above 30 at {position}")
    if length == _INDEFINITE:
        return tag, start, None
    if length & 0x80:
        size = length & 0x7F
        if size > 4 or start + size > limit:
            raise DerError(f"a bad length at {position}")
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
        if length < 0x80 or length.bit_length() <= 8 * (size - 1):
            raise DerError(f"a length that is not the shortest at {position}")
    if start + length > limit:
        raise DerError(f"cut short at {position}")
    return tag, start, length


def _end(data: bytes, position: int, limit: int, depth: int) -> int:
    """Where an element ends that may have an indefinite length (X.690 §8.1.3.6)."""
    _, start, length = _header(data, position, limit)
    if length is not None:
        return start + length
    if depth == _MAXIMUM_DEPTH:
        raise DerError(f"nested too deeply at {position}")
    while data[start : start + 2] != b"\0\0":
        start = _end(data, start, limit, depth + 1)
    if start + 2 > limit:
        raise DerError("an element without an end")
    return start + 2
