"""Indirect objects (ISO 32000-2 §7.3.10) and the plain bytes of structural streams."""

import re
import zlib
from collections.abc import Callable
from typing import NamedTuple

from signer.validation.pdf.values import (
    BLANKS,
    SKIP_BLANKS,
    PdfSyntaxError,
    Reference,
    Stream,
    Value,
    parse_value,
)

MAX_DECODED = 64 << 20
"""Largest decoded stream, in bytes, that is looked into."""

_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj(?![A-Za-z0-9])")
_STREAM = re.compile(BLANKS + rb"stream(\r\n|\n|\r)")
_END_STREAM = re.compile(rb"[\0\t\n\f\r ]*endstream")
END_OBJECT = re.compile(BLANKS + rb"endobj")
"""What stands after the value of an indirect object."""


class IndirectObject(NamedTuple):
    """An object as it stands in the file; `end` is the position before `endobj`.

    `length_holds` is False where a stream's /Length is not the way to its `endstream`.
    """

    number: int
    generation: int
    value: Value
    end: int
    length_holds: bool


def read_object(
    data: bytes, position: int, look: Callable[[Reference], Value], duplicates: list[int]
) -> IndirectObject:
    """Read the object at `position`; `look` resolves an indirect /Length. Raises PdfSyntaxError."""
    head = _OBJECT.match(data, _skip(data, position))
    if head is None:
        raise PdfSyntaxError(f"no object at {position}")
    value, end = parse_value(data, head.end(), duplicates)
    holds = True
    if isinstance(value, dict) and (opening := _STREAM.match(data, end)):
        length = value.get("/Length")
        if isinstance(length, Reference):
            length = look(length)
        raw, end, holds = _stream_bytes(data, opening.end(), length)
        value = Stream(value, raw)
    return IndirectObject(int(head[1]), int(head[2]), value, end, holds)


def _skip(data: bytes, position: int) -> int:
    blanks = SKIP_BLANKS.match(data, position)
    return blanks.end() if blanks else position


def _stream_bytes(data: bytes, start: int, length: Value) -> tuple[bytes, int, bool]:
    if isinstance(length, int) and length >= 0:
        closing = _END_STREAM.match(data, start + length)
        if closing:
            return data[start : start + length], closing.end(), True
    found = data.find(b"endstream", start)
    if found < 0:
        raise PdfSyntaxError(f"open stream at {start}")
    return data[start:found].rstrip(b"\r\n"), found + len(b"endstream"), False


def decoded(stream: Stream) -> bytes:
    """Plain bytes of a stream that is stored plain or with FlateDecode and PNG predictors (§7.4.4).

    Raises PdfSyntaxError for any other filter, for damage, and beyond MAX_DECODED.
    """
    filters, parameters = stream.dictionary.get("/Filter"), stream.dictionary.get("/DecodeParms")
    if isinstance(filters, list) and len(filters) <= 1:
        filters = filters[0] if filters else None
    if isinstance(parameters, list):
        parameters = parameters[0] if parameters else None
    if filters is None:
        return stream.raw
    if filters != "/FlateDecode":
        raise PdfSyntaxError("a structural stream with another filter than FlateDecode")
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(stream.raw, MAX_DECODED)
    except zlib.error as error:
        raise PdfSyntaxError("bad FlateDecode data") from error
    if inflater.unconsumed_tail:
        raise PdfSyntaxError("a structural stream too large to read")
    return _unpredicted(plain, parameters if isinstance(parameters, dict) else {})


def _unpredicted(plain: bytes, parameters: dict[str, Value]) -> bytes:
    predictor = parameters.get("/Predictor", 1)
    if predictor == 1:
        return plain
    columns, colors, bits = (
        parameters.get(key, default)
        for key, default in (("/Columns", 1), ("/Colors", 1), ("/BitsPerComponent", 8))
    )
    sizes_known = all(isinstance(size, int) and 0 < size < 1 << 16 for size in (columns, colors, bits))
    if not (sizes_known and isinstance(predictor, int) and predictor >= 10):
        raise PdfSyntaxError("a predictor that is not known")
    assert isinstance(columns, int) and isinstance(colors, int) and isinstance(bits, int)  # noqa: S101
    width, step = (columns * colors * bits + 7) // 8, max(1, colors * bits // 8)
    rows, before = [], bytes(width)
    for start in range(0, len(plain), width + 1):
        before = _png_row(plain[start], plain[start + 1 : start + 1 + width], before, step)
        rows.append(before)
    return b"".join(rows)


def _png_row(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """Undo one PNG filter (RFC 2083 §6)."""
    if kind == 0:
        return row
    if kind == 2:
        return bytes([(here + up) & 255 for here, up in zip(row, above, strict=False)])
    if kind > 4:
        raise PdfSyntaxError("a PNG filter that is not known")
    out = bytearray(row)
    for index in range(len(out)):
        left = out[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        guess = {1: left, 3: (left + above[index]) // 2}.get(kind)
        out[index] = (out[index] + (_paeth(left, above[index], corner) if guess is None else guess)) & 255
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    """The PNG predictor that takes the neighbour nearest to left + up - corner."""
    target = left + up - corner
    return min((left, up, corner), key=lambda neighbour: abs(target - neighbour))
