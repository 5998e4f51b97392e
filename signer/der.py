"""DER (X.690 §8 and §10): writing elements, and reading them strictly."""

from collections.abc import Iterator
from dataclasses import dataclass

INTEGER, OCTET_STRING, UTF8_STRING = 0x02, 0x04, 0x0C
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31


def header(tag: int, length: int) -> bytes:
    """Identifier and length octets of an element with so many content octets."""
    if length < 0x80:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element of `tag`."""
    content = b"".join(parts)
    return header(tag, len(content)) + content


class NotDerError(ValueError):
    """The bytes are not the DER that was expected; it never leaves `signer`."""


@dataclass(frozen=True)
class Element:
    """One DER element: its tag, all its octets, and its content octets."""

    tag: int
    octets: bytes
    content: bytes

    def children(self) -> list["Element"]:
        """The elements inside a constructed one. Raises NotDerError."""
        return list(elements(self.content))


def elements(data: bytes) -> Iterator[Element]:
    """The DER elements that `data` is a concatenation of. Raises NotDerError."""
    position = 0
    while position < len(data):
        head = data[position : position + 2]
        if len(head) < 2 or head[0] & 0x1F == 0x1F:
            raise NotDerError
        start, length = position + 2, head[1]
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[start : start + size], "big")
            start += size
            if not 1 <= size <= 4 or length < 0x80 or length >> (8 * (size - 1)) == 0:
                raise NotDerError
        if start + length > len(data):
            raise NotDerError
        yield Element(head[0], data[position : start + length], data[start : start + length])
        position = start + length


def single(data: bytes, tag: int) -> Element:
    """The one element that `data` is, which must have `tag`. Raises NotDerError."""
    found = list(elements(data))
    if len(found) != 1 or found[0].tag != tag:
        raise NotDerError
    return found[0]
