"""Writing DER (X.690): only what an RFC 3161 authority puts into its answers."""

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06


def element(tag: int, *contents: bytes) -> bytes:
    """Encode one element from its tag octet and the pieces of its contents."""
    body = b"".join(contents)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + body


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode an INTEGER; `tag` for an implicitly tagged one."""
    size = (value.bit_length() if value >= 0 else (~value).bit_length()) // 8 + 1
    return element(tag, value.to_bytes(size, "big", signed=True))


def object_identifier(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER such as `1.2.840.113549`. Raises ValueError when it is none."""
    arcs = [int(arc) for arc in dotted.split(".")]
    if len(arcs) < 2 or arcs[0] > 2 or min(arcs) < 0 or (arcs[0] < 2 and arcs[1] > 39):
        raise ValueError(f"{dotted} is not an object identifier")
    return element(OBJECT_IDENTIFIER, *(_arc(arc) for arc in (arcs[0] * 40 + arcs[1], *arcs[2:])))


def _arc(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
