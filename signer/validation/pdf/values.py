"""PDF values (ISO 32000-2 §7.3): a strict parser over bytes, without recursion and without repair."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias, Union

from signer.validation.pdf.mapped import BLOCK, Buffer

MAX_DEPTH = 120
"""Deepest nesting of arrays and dictionaries that is read."""

_MAX_DIGITS = 30


class PdfSyntaxError(Exception):
    """The bytes are not a PDF as ISO 32000 writes it; never leaves `signer.validation`."""


class Reference(NamedTuple):
    """An indirect reference, `12 0 R`."""

    number: int
    generation: int


class Stream:
    """A stream: its dictionary, and where its bytes are stored (encoded, perhaps encrypted).

    The bytes stay where they are until they are asked for, as a page's pictures never are.
    decrypt: undoes the encryption of the file; set by whoever reads the object.
    """

    __slots__ = ("_data", "_end", "_start", "decrypt", "dictionary")

    def __init__(
        self, dictionary: "Dictionary", data: Buffer, start: int = 0, end: int | None = None
    ) -> None:
        self.dictionary = dictionary
        self.decrypt: Callable[[bytes], bytes] | None = None
        self._data, self._start, self._end = data, start, len(data) if end is None else end

    @property
    def raw(self) -> bytes:
        """The bytes as stored, decrypted. Raises PdfSyntaxError where they cannot be."""
        stored = self._data[self._start : self._end]
        return stored if self.decrypt is None else self.decrypt(stored)

    def holds(self, position: int) -> bool:
        """Whether a position in what the stream was read from is within its bytes."""
        return self._start <= position < self._end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stream) or self.dictionary != other.dictionary:
            return False
        if (self._start, self._end) == (other._start, other._end) and self._data is other._data:
            return True
        if self.decrypt is None and other.decrypt is None:
            return self._is_stored_like(other)
        try:
            return self.raw == other.raw
        except PdfSyntaxError:
            return False

    def _is_stored_like(self, other: "Stream") -> bool:
        size = self._end - self._start
        if size != other._end - other._start:
            return False
        return all(
            self._data[self._start + at : min(self._start + at + BLOCK, self._end)]
            == other._data[other._start + at : min(other._start + at + BLOCK, other._end)]
            for at in range(0, size, BLOCK)
        )

    __hash__ = None  # type: ignore[assignment]


Value: TypeAlias = Union[
    int, float, str, bytes, "list[Value]", "dict[str, Value]", "DuplicateKeys", Stream, Reference, None
]
"""null is None, strings are bytes, names are str with their slash ("/Type").

The keywords true and false stay the str "true" and "false": Python's True would be equal to the number 1.
"""
Dictionary: TypeAlias = dict[str, Value]
Look: TypeAlias = Callable[[Value], Value]
"""Follows references to the value they stand for, in one state of the document."""


class DuplicateKeys(dict[str, Value]):
    """A dictionary that has a key twice with two values: readers disagree on it, so it equals only itself."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = None


BLANKS = rb"(?:[\0\t\n\f\r ]++|%[^\r\n]*+)*+"
"""Pattern of white space and comments."""
SKIP_BLANKS = re.compile(BLANKS)
_END = rb"(?![^\0\t\n\f\r ()<>\[\]{}/%])"
_OPEN_DICTIONARY, _CLOSE_DICTIONARY, _OPEN_ARRAY, _CLOSE_ARRAY, _NAME, _STRING, _HEX = range(1, 8)
_REFERENCE, _INTEGER, _REAL, _WORD = 9, 10, 11, 12
_TOKEN = re.compile(
    BLANKS + rb"(?:(<<)|(>>)|(\[)|(\])|/([^\0\t\n\f\r ()<>\[\]{}/%]*+)|(\()|<([0-9A-Fa-f\0\t\n\f\r ]*+)>"
    rb"|(\d{1,10})[\0\t\n\f\r ]++(\d{1,5})[\0\t\n\f\r ]++R"
    + _END
    + rb"|([+-]?+\d++)"
    + _END
    + rb"|([+-]?+\d*+\.\d*+)"
    + _END
    + rb"|([^\0\t\n\f\r ()<>\[\]{}/%]++))"
)
_REFERENCE_RUN = re.compile(
    rb"(?:[\0\t\n\f\r ]*+\d{1,10}[\0\t\n\f\r ]++\d{1,5}[\0\t\n\f\r ]++R" + _END + rb")++[\0\t\n\f\r ]*+\]"
)
_DIGITS = re.compile(rb"\d+")
_PARENTHESIS = re.compile(rb"[()\\]")
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STRING_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|[\r\n])|([\s\S]))|\r\n?")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class _Container(NamedTuple):
    """An open array or dictionary: what surrounds it, and which bracket opened it."""

    outer: "list[Value] | None"
    opened_by: int


def parse_value(data: Buffer, position: int, duplicates: list[int]) -> tuple[Value, int]:
    """Read one value at `position` and return it with the position after it.

    The end of each dictionary that has a key twice is appended to `duplicates`.
    Raises PdfSyntaxError.
    """
    stack: list[_Container] = []
    items: list[Value] | None = None
    while True:
        token = _TOKEN.match(data, position)
        if token is None:
            raise PdfSyntaxError(f"no value at {position}")
        kind, position = token.lastindex or 0, token.end()
        value: Value
        if kind == _OPEN_ARRAY and (run := _REFERENCE_RUN.match(data, position)):
            value, position = _references(run[0]), run.end()
        elif kind in (_OPEN_DICTIONARY, _OPEN_ARRAY):
            stack.append(_Container(items, kind))
            items = []
            if len(stack) > MAX_DEPTH:
                raise PdfSyntaxError("nested too deep")
            continue
        elif kind in (_CLOSE_DICTIONARY, _CLOSE_ARRAY):
            value, items = _close(stack, items, kind, position, duplicates)
        elif kind == _STRING:
            value, position = _literal_string(data, position)
        elif kind == _WORD and token[_WORD] == b"endobj" and items is None:
            return None, token.start(_WORD)
        else:
            value = _SCALARS[kind](token)
        if items is None:
            return value, position
        items.append(value)


def _close(
    stack: list[_Container], items: list[Value] | None, kind: int, position: int, duplicates: list[int]
) -> tuple[Value, list[Value] | None]:
    """Close the innermost container and return it with the items of the one around it."""
    if not stack or items is None:
        raise PdfSyntaxError(f"closing bracket at {position}")
    outer, opened_by = stack.pop()
    if opened_by != kind - 1:
        raise PdfSyntaxError(f"brackets crossed at {position}")
    return (items if kind == _CLOSE_ARRAY else _dictionary(items, position, duplicates)), outer


def _dictionary(items: list[Value], position: int, duplicates: list[int]) -> Dictionary:
    keys = [key for key in items[::2] if isinstance(key, str) and key[:1] == "/"]
    if len(items) != 2 * len(keys):
        raise PdfSyntaxError(f"bad dictionary before {position}")
    values = items[1::2]
    made = dict(zip(keys, values, strict=True))
    if len(made) != len(keys) and any(made[key] != value for key, value in zip(keys, values, strict=True)):
        duplicates.append(position)
        return DuplicateKeys(made)
    return made


_reference: Callable[[tuple[int, int]], Reference] = partial(tuple.__new__, Reference)
"""What Reference._make does, without a call of Python code for each item of long arrays."""


def _references(run: bytes) -> list[Value]:
    """An array of nothing but references, read in one go."""
    numbers = list(map(int, _DIGITS.findall(run)))
    return list(map(_reference, zip(numbers[::2], numbers[1::2], strict=True)))


def _literal_string(data: Buffer, start: int) -> tuple[bytes, int]:
    depth, position = 1, start
    while depth:
        found = _PARENTHESIS.search(data, position)
        if found is None:
            raise PdfSyntaxError(f"open string at {start}")
        position = found.end()
        if found[0] == b"\\":
            position += 1
        else:
            depth += 1 if found[0] == b"(" else -1
    text = data[start : position - 1]
    if b"\\" in text or b"\r" in text:
        text = _STRING_ESCAPE.sub(_unescape, text)
    return text, position


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 8) & 255])
    if match[2]:
        return b""
    if match[3]:
        return _ESCAPED.get(match[3], match[3])
    return b"\n"


@lru_cache(maxsize=8192)
def _name(raw: bytes) -> str:
    if b"#" in raw:
        raw = _NAME_ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), raw)
    return "/" + raw.decode("latin-1")


def _hex_string(token: re.Match[bytes]) -> bytes:
    digits = token[_HEX].translate(None, b"\0\t\n\f\r ")
    return bytes.fromhex((digits + b"0" * (len(digits) & 1)).decode("ascii"))


def _integer(token: re.Match[bytes]) -> int:
    if len(token[_INTEGER]) > _MAX_DIGITS:
        raise PdfSyntaxError(f"number too long at {token.start()}")
    return int(token[_INTEGER])


def _real(token: re.Match[bytes]) -> float:
    try:
        return float(token[_REAL])
    except ValueError:
        raise PdfSyntaxError(f"bad number at {token.start()}") from None


def _word(token: re.Match[bytes]) -> str | None:
    word = token[_WORD]
    if word == b"null":
        return None
    if word in (b"true", b"false"):
        return word.decode("ascii")
    raise PdfSyntaxError(f"unknown word at {token.start()}")


_SCALARS: dict[int, Callable[[re.Match[bytes]], Value]] = {
    _NAME: lambda token: _name(token[_NAME]),
    _HEX: _hex_string,
    _REFERENCE: lambda token: Reference(int(token[8]), int(token[_REFERENCE])),
    _INTEGER: _integer,
    _REAL: _real,
    _WORD: _word,
}


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same also in kind (1 and 1.0 are equal but not the same)."""
    return one == other and type(one) is type(other)


def text(string: bytes) -> str:
    """A text string (ISO 32000-2 §7.9.2.2) for people; what cannot be decoded becomes a replacement mark."""
    if string[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return string.decode("utf-16", "replace")
    if string[:3] == b"\xef\xbb\xbf":
        return string[3:].decode("utf-8", "replace")
    return string.decode("latin-1")
