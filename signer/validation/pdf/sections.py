"""Cross-reference sections (ISO 32000-2 §7.5.4, §7.5.8): tables, streams, the chain that /Prev makes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeGuard

from signer.validation.pdf.mapped import Buffer
from signer.validation.pdf.objects import decoded, read_object
from signer.validation.pdf.values import (
    BLANKS,
    SKIP_BLANKS,
    Dictionary,
    PdfSyntaxError,
    Reference,
    Stream,
    Value,
    parse_value,
)

_SUBSECTION = re.compile(BLANKS + rb"(\d{1,10})[ ]+(\d{1,10})[ \r\n]+")
_ROW = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r\n]{1,2}")
_TRAILER = re.compile(BLANKS + rb"trailer")
_SECTION = re.compile(BLANKS + rb"(?:xref|\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj)")
_STARTXREF = re.compile(rb"startxref[\0\t\n\f\r ]+(\d{1,15})")
_MAX_SECTIONS = 20_000


class Entry(NamedTuple):
    """Where an object is: at an offset (`used`), in an object stream (`compressed`), or nowhere (`free`).

    place: offset, or number of the object stream. detail: generation, or index within the stream.
    """

    kind: Literal["used", "compressed", "free"]
    place: int
    detail: int

    @property
    def generation(self) -> int:
        """Generation by which a reference names the object."""
        return self.detail if self.kind == "used" else 0


@dataclass(frozen=True)
class Section:
    """One cross-reference section.

    start, end: where it stands. offset: how `startxref` or /Prev names it, which may be before blanks.
    reference: the object of a cross-reference stream, None for a table.
    hybrid: the table has an /XRefStm beside it. contradictory: and that stream says otherwise (§7.5.8.4).
    """

    start: int
    end: int
    offset: int
    entries: dict[int, Entry]
    trailer: Dictionary
    reference: Reference | None = None
    hybrid: bool = False
    contradictory: bool = False


class SectionReader:
    """Reads the cross-reference sections of a document.

    header: where `%PDF-` stands. look: resolves an indirect /Length. Positions that leave here count from the
    first byte, those in the file from `origin`. Raises PdfSyntaxError where the last `startxref` leads to
    nothing, or to two places.
    """

    def __init__(self, data: Buffer, header: int, look: Callable[[Reference], Value]) -> None:
        self._data = data
        self._look = look
        found = data.rfind(b"startxref")
        match = _STARTXREF.match(data, found) if found >= 0 else None
        if match is None:
            raise PdfSyntaxError("no startxref")
        self._last = int(match[1])
        self.origin = self._find_origin(header)

    def _find_origin(self, header: int) -> int:
        """Some writers count from the first byte, some from the header; nobody should have to guess."""
        places = {0, header}
        origins = [origin for origin in places if _SECTION.match(self._data, origin + self._last)]
        if len(origins) != 1 and len(places) > 1:
            raise PdfSyntaxError("it is not clear from where the file counts its offsets")
        return origins[0] if origins else 0

    def chain(self) -> list[Section]:
        """All sections from the oldest to the newest, back from the last `startxref`.

        Raises PdfSyntaxError.
        """
        position: Value = self._last
        seen: set[int] = set()
        sections: list[Section] = []
        while position is not None:
            if not self._is_inside(position) or position in seen:
                raise PdfSyntaxError("the chain of cross-reference sections is broken")
            if len(seen) > _MAX_SECTIONS:
                raise PdfSyntaxError("too many cross-reference sections")
            seen.add(position)
            sections.append(self.section(self.origin + position))
            position = sections[-1].trailer.get("/Prev")
        sections.reverse()
        return sections

    def _is_inside(self, position: Value) -> TypeGuard[int]:
        return isinstance(position, int) and 0 <= position < len(self._data) - self.origin

    def section(self, offset: int) -> Section:
        """The section at `offset`, counted from the first byte. Raises PdfSyntaxError."""
        blanks = SKIP_BLANKS.match(self._data, offset)
        start = blanks.end() if blanks else offset
        if self._data[start : start + 4] == b"xref":
            return self._table(offset, start)
        number, generation, stream, end, _ = read_object(self._data, start, self._look, [])
        if not isinstance(stream, Stream) or stream.dictionary.get("/Type") != "/XRef":
            raise PdfSyntaxError(f"no cross-reference section at {offset}")
        entries = self._placed(dict(_stream_entries(stream)))
        return Section(start, end, offset, entries, stream.dictionary, Reference(number, generation))

    def _table(self, offset: int, start: int) -> Section:
        entries: dict[int, Entry] = {}
        position = start + len(b"xref")
        while subsection := _SUBSECTION.match(self._data, position):
            position = _rows(self._data, subsection, entries)
        keyword = _TRAILER.match(self._data, position)
        if keyword is None:
            raise PdfSyntaxError(f"no trailer at {position}")
        trailer, end = parse_value(self._data, keyword.end(), [])
        if not isinstance(trailer, dict):
            raise PdfSyntaxError("the trailer is not a dictionary")
        entries = self._placed(entries)
        beside = trailer.get("/XRefStm")
        if beside is None:
            return Section(start, end, offset, entries, trailer)
        if not self._is_inside(beside):
            raise PdfSyntaxError("/XRefStm points nowhere")
        hidden = self.section(self.origin + beside)
        if hidden.reference is None:
            raise PdfSyntaxError("/XRefStm points to no stream")
        contradictory = _merge_hidden(entries, hidden.entries)
        return Section(start, end, offset, entries, trailer, hybrid=True, contradictory=contradictory)

    def _placed(self, entries: dict[int, Entry]) -> dict[int, Entry]:
        """The entries with their offsets counted from the first byte."""
        if not self.origin:
            return entries
        return {
            number: entry._replace(place=entry.place + self.origin) if entry.kind == "used" else entry
            for number, entry in entries.items()
        }


def _merge_hidden(entries: dict[int, Entry], hidden: dict[int, Entry]) -> bool:
    """Add what the stream of a hybrid file tells to what the table calls free; say whether they disagree."""
    contradictory = False
    for number, entry in hidden.items():
        if number not in entries or entries[number].kind == "free":
            entries[number] = entry
        elif entries[number] != entry:
            contradictory = True
    return contradictory


def _rows(data: Buffer, subsection: re.Match[bytes], entries: dict[int, Entry]) -> int:
    first, count, position = int(subsection[1]), int(subsection[2]), subsection.end()
    if count > len(data) // 20 + 1:
        raise PdfSyntaxError("a cross-reference table longer than the file")
    for number in range(first, first + count):
        row = _ROW.match(data, position)
        if row is None:
            raise PdfSyntaxError(f"bad cross-reference row at {position}")
        if number in entries:
            raise PdfSyntaxError("a cross-reference entry twice")
        used = row[3] == b"n"
        entries[number] = Entry("used" if used else "free", int(row[1]) if used else 0, int(row[2]))
        position = row.end()
    return position


def _stream_entries(stream: Stream) -> Iterator[tuple[int, Entry]]:
    widths = stream.dictionary.get("/W")
    if not (isinstance(widths, list) and len(widths) == 3):
        raise PdfSyntaxError("bad widths of a cross-reference stream")
    sizes = [width for width in widths if isinstance(width, int) and 0 <= width < 9]
    index = stream.dictionary.get("/Index", [0, stream.dictionary.get("/Size")])
    numbers = [n for n in index if isinstance(n, int) and n >= 0] if isinstance(index, list) else []
    if len(sizes) != 3 or not sum(sizes) or not isinstance(index, list) or len(numbers) != len(index):
        raise PdfSyntaxError("bad widths or index of a cross-reference stream")
    plain, position, width = decoded(stream), 0, sum(sizes)
    if sum(numbers[1::2]) * width > len(plain):
        raise PdfSyntaxError("a cross-reference stream is too short")
    for first, count in zip(numbers[::2], numbers[1::2], strict=False):
        for number in range(first, first + count):
            yield number, _stream_entry(plain[position : position + width], sizes)
            position += width


def _stream_entry(row: bytes, sizes: list[int]) -> Entry:
    middle = sizes[0] + sizes[1]
    kind = int.from_bytes(row[: sizes[0]], "big") if sizes[0] else 1
    place, detail = int.from_bytes(row[sizes[0] : middle], "big"), int.from_bytes(row[middle:], "big")
    if kind == 1:
        return Entry("used", place, detail)
    return Entry("compressed", place, detail) if kind == 2 else Entry("free", 0, detail)
