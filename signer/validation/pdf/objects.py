"""Indirect objects (ISO 32000-2 §7.3.10) and the plain bytes of their streams."""

import re
from collections.abc import Callable
from typing import NamedTuple

from signer.validation.pdf.filters import decode
from signer.validation.pdf.mapped import Buffer
from signer.validation.pdf.values import (
    BLANKS,
    SKIP_BLANKS,
    PdfSyntaxError,
    Reference,
    Stream,
    Value,
    parse_value,
)

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
    data: Buffer, position: int, look: Callable[[Reference], Value], duplicates: list[int]
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
        stop, end, holds = _stream_end(data, opening.end(), length)
        value = Stream(value, data, opening.end(), stop)
    return IndirectObject(int(head[1]), int(head[2]), value, end, holds)


def _skip(data: Buffer, position: int) -> int:
    blanks = SKIP_BLANKS.match(data, position)
    return blanks.end() if blanks else position


def _stream_end(data: Buffer, start: int, length: Value) -> tuple[int, int, bool]:
    """Where the stream's bytes end, the position after `endstream`, and whether /Length leads to it."""
    if isinstance(length, int) and 0 <= length <= len(data) - start:
        closing = _END_STREAM.match(data, start + length)
        if closing:
            return start + length, closing.end(), True
    found = data.find(b"endstream", start)
    if found < 0:
        raise PdfSyntaxError(f"open stream at {start}")
    stop = found
    while stop > start and data[stop - 1 : stop] in (b"\r", b"\n"):
        stop -= 1
    return stop, found + len(b"endstream"), False


def decoded(stream: Stream) -> bytes:
    """Plain bytes of a stream: decrypted, its filters and predictors undone (§7.4).

    Raises PdfSyntaxError for a filter that is not known, for damage, and beyond MAX_DECODED.
    """
    return decode(stream.raw, stream.dictionary.get("/Filter"), stream.dictionary.get("/DecodeParms"))
