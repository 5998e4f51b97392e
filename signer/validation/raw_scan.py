"""Signature dictionaries by the bytes of a PDF, whatever its form and its cross-reference sections say.

A signature that a later revision unhooked, that no field and no section ever named, or that stands in an
object stream is still there for whoever looks.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from signer.validation.pdf.mapped import BLOCK, Buffer, let_go
from signer.validation.pdf.object_streams import read_object_stream
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.sections import Entry
from signer.validation.pdf.values import (
    SKIP_BLANKS,
    Dictionary,
    PdfSyntaxError,
    Reference,
    Stream,
    Value,
)

MAX_SIGNATURES = 2_000
"""Most signatures that are looked for in one file."""

_OBJECT_HEAD = re.compile(rb"\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj(?![A-Za-z0-9])")
_MAX_OBJECT_HEAD = 24
_MAX_LOOK_BACK = 1 << 20
_WINDOW = 4 * BLOCK


def _spelled(name: str) -> bytes:
    """Pattern of a name, any character of which may be written as a number (ISO 32000-2 §7.3.5)."""
    return b"".join(b"(?:%c|#%02x|#%02X)" % (octet, octet, octet) for octet in name.encode("ascii"))


_MARK = re.compile(
    b"/(?:(" + _spelled("ByteRange") + b")|" + _spelled("ObjStm") + rb")(?![^\0\t\n\f\r ()<>\[\]{}/%])"
)
_MAX_MARK = 32


@dataclass(frozen=True)
class ScannedSignature:
    """A dictionary with /ByteRange and /Contents.

    number: of the object that holds it. place: where that object stands, or the object stream that holds it.
    """

    dictionary: Dictionary
    number: int
    place: int
    in_object_stream: bool


class RawScan:
    """Looks through the bytes of a document that was read to its end."""

    def __init__(self, document: Document) -> None:
        self._document = document
        sections = [section for revision in document.revisions for section in revision.sections]
        places = {entry.place for s in sections for entry in s.entries.values() if entry.kind == "used"}
        self._places = sorted(places)
        self._streams: dict[int, Stream | None] = {}

    def signatures(self) -> Iterator[ScannedSignature]:
        """All that there are. Raises PdfSyntaxError where one is to be seen but cannot be read."""
        seen: set[int | None] = {None}
        count, position, place = 0, 0, None
        for mark in _marks(self._document.data):
            if self._is_in_stream(mark.start()):
                continue
            nearer = object_start(self._document.data, mark.start(), position)
            position, place = mark.start(), place if nearer is None else nearer
            if place is None or place in seen:
                continue
            seen.add(place)
            if mark[1] is None:
                yield from self._packed(place)
                continue
            count += 1
            if count > MAX_SIGNATURES:
                raise PdfSyntaxError("more signatures than are judged in one file")
            found = self._document.read(place)
            for dictionary in signature_dictionaries(found.value):
                yield ScannedSignature(dictionary, found.number, place, in_object_stream=False)

    def is_listed(self, place: int) -> bool:
        """Whether some cross-reference section has an object at this place."""
        index = bisect_right(self._places, place) - 1
        return index >= 0 and self.is_at(Entry("used", self._places[index], 0), place)

    def is_at(self, entry: Entry, place: int) -> bool:
        """Whether an entry names the object at this place, perhaps by the blanks before it."""
        blanks = SKIP_BLANKS.match(self._document.data, entry.place) if entry.kind == "used" else None
        return blanks is not None and blanks.end() == place

    def _packed(self, place: int) -> Iterator[ScannedSignature]:
        """Signatures in an object stream; what cannot be unpacked holds nothing for anybody."""
        try:
            packed = read_object_stream(self._document.read(place).value)
        except PdfSyntaxError:
            return
        if not any(mark[1] for mark in _MARK.finditer(packed.plain)):
            return
        for at, (number, _) in enumerate(packed.index):
            try:
                value = packed.read(at, number, [])
            except PdfSyntaxError:
                continue
            for dictionary in signature_dictionaries(value):
                yield ScannedSignature(dictionary, number, place, in_object_stream=True)

    def _is_in_stream(self, position: int) -> bool:
        """Whether a position is within a stream, such as an attached document with signatures of its own."""
        index = bisect_right(self._places, position) - 1
        if index < 0:
            return False
        if index not in self._streams:
            self._streams[index] = self._stream_at(self._places[index])
        stream = self._streams[index]
        return stream is not None and stream.holds(position)

    def _stream_at(self, place: int) -> Stream | None:
        try:
            value = self._document.read(place).value
        except PdfSyntaxError:
            return None
        return value if isinstance(value, Stream) else None


def _marks(data: Buffer) -> Iterator[re.Match[bytes]]:
    for start in range(0, len(data), _WINDOW):
        end = min(start + _WINDOW, len(data))
        for mark in _MARK.finditer(data, start, min(end + _MAX_MARK, len(data))):
            if mark.start() < end:
                yield mark
        let_go(data, start, end)


def object_start(data: Buffer, position: int, floor: int = 0) -> int | None:
    """Where the object that holds `position` begins; its head is looked for from `floor` on."""
    floor = max(floor, position - _MAX_LOOK_BACK)
    keyword = data.rfind(b"obj", floor, position)
    while keyword >= 0:
        heads = list(_OBJECT_HEAD.finditer(data, max(0, keyword - _MAX_OBJECT_HEAD), keyword + 4))
        if heads and heads[-1].end() == keyword + 3:
            return heads[-1].start()
        keyword = data.rfind(b"obj", floor, keyword)
    return None


def signature_dictionaries(value: Value) -> Iterator[Dictionary]:
    """Dictionaries with /ByteRange and /Contents in an object: itself, or the direct value of a field."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Stream):
            stack.append(item.dictionary)
        elif isinstance(item, dict):
            if "/ByteRange" in item and isinstance(item.get("/Contents"), (bytes, Reference)):
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
