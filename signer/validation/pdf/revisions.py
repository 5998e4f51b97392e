"""The revisions of a PDF: what each incremental update writes (ISO 32000-2 §7.5.6), read forward once.

A revision is one cross-reference section (two in a linearized base) with the objects before it, its own
`startxref` and `%%EOF`. Every byte of an update must belong to an object that its section lists, to the
section itself, or to a comment; whatever else is found stands in `Revision.oddities`.
"""

import re
from dataclasses import dataclass, field

from signer.validation.pdf.objects import END_OBJECT, decoded, read_object
from signer.validation.pdf.sections import Entry, Section, section_chain
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

_END_OF_FILE = re.compile(
    BLANKS.replace(rb"%[^\r\n]*+", rb"%(?!%EOF)[^\r\n]*+")
    + rb"startxref[\0\t\n\f\r ]+(\d{1,15})[\0\t\n\f\r ]+%%EOF"
)
_WHITE_SPACE = re.compile(rb"[\0\t\n\f\r ]*")
_MAX_HOPS = 20


@dataclass
class Revision:
    """One state of the file.

    start: first byte. end: after its `%%EOF`. padded_end: after the blanks that follow.
    previous_end: `end` of the revision before. oddities: what no reader should have to guess about.
    """

    sections: list[Section]
    previous_end: int
    start: int
    end: int = 0
    padded_end: int = 0
    oddities: list[str] = field(default_factory=list)

    @property
    def hybrid(self) -> bool:
        """Whether older readers see another document (§7.5.8.4)."""
        return any(section.hybrid for section in self.sections)


@dataclass
class _ObjectStream:
    plain: bytes
    first: int
    index: list[tuple[int, int]]


class Document:
    """A PDF read from its base forward; `step` goes to the next revision.

    revisions: all of them, oldest first. trailer: of the present revision. entries: where each object is now.
    replaced: for each object that the present revision writes or frees, its entry and value before.
    unreadable: numbers of objects that could not be read, so that what they refer to is not known.
    Raises PdfSyntaxError where there is no document left to speak of.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.entries: dict[int, Entry] = {}
        self.replaced: dict[int, tuple[Entry | None, Value]] = {}
        self.trailer: Dictionary = {}
        self.unreadable: set[int] = set()
        self.position = -1
        self._cache: dict[int, Value] = {}
        self._object_streams: dict[int, _ObjectStream] = {}
        self._streams_in_use: set[int] = set()
        self._duplicates: list[int] = []
        self._beyond = 0
        if not data.startswith(b"%PDF-"):
            raise PdfSyntaxError("no PDF header at the beginning")
        self.revisions = _split(data, section_chain(data, self.get, self._duplicates))
        self.encrypted = any("/Encrypt" in s.trailer for r in self.revisions for s in r.sections)

    def get(self, reference: Reference) -> Value:
        """The value that a reference has now; null if there is none."""
        entry = self.entries.get(reference.number)
        if entry is None or entry.kind == "free":
            return None
        if reference.number not in self._cache:
            self._cache[reference.number] = None  # a loop through /Length ends here
            self._cache[reference.number] = self._load(reference.number, entry)
        return self._cache[reference.number] if entry.generation == reference.generation else None

    def now(self, value: Value) -> Value:
        """`value`, or what it refers to in the present revision."""
        hops = _MAX_HOPS
        while isinstance(value, Reference) and hops:
            value, hops = self.get(value), hops - 1
        return None if isinstance(value, Reference) else value

    def before(self, value: Value) -> Value:
        """`value`, or what it referred to before the present revision."""
        hops = _MAX_HOPS
        while isinstance(value, Reference) and hops:
            hops -= 1
            if value.number in self.replaced:
                entry, former = self.replaced[value.number]
                value = former if entry and entry.generation == value.generation else None
            else:
                value = self.get(value)
        return None if isinstance(value, Reference) else value

    def is_new(self, value: Value) -> bool:
        """Whether a slot holds a direct value or an object that the present revision introduces."""
        if not isinstance(value, Reference):
            return True
        return value.number in self.replaced and self.before(value) is None

    def step(self) -> Revision:
        """Go to the next revision and fill `replaced`."""
        self.position += 1
        revision = self.revisions[self.position]
        written: dict[int, Entry] = {}
        for section in revision.sections:
            written.update(section.entries)
        written.pop(0, None)
        self.trailer = revision.sections[-1].trailer
        self._note_size(revision, written)
        if self.position == 0:
            self.entries = written
            self._streams_in_use = {e.place for e in written.values() if e.kind == "compressed"}
            self.replaced = {}
            return revision
        self._replace(revision, written)
        seen_duplicates = len(self._duplicates)
        _UpdateScan(self, revision).run()
        for number in self.replaced:
            self.get(Reference(number, 0))
        if len(self._duplicates) != seen_duplicates:
            revision.oddities.append("a dictionary has a key twice")
        return revision

    def _note_size(self, revision: Revision, written: dict[int, Entry]) -> None:
        """Readers may pass over an object beyond /Size (§7.5.5), and find it when a later /Size is larger."""
        size, highest = self.trailer.get("/Size"), max(written, default=0)
        if not isinstance(size, int):
            return
        if self.position and (highest >= size or 0 < self._beyond < size):
            number = highest if highest >= size else self._beyond
            revision.oddities.append(f"object {number} is, or was, beyond the size that the trailer states")
        self._beyond = max(self._beyond, highest if highest >= size else 0)

    def _replace(self, revision: Revision, written: dict[int, Entry]) -> None:
        self.replaced = {}
        for number, entry in written.items():
            former = self.entries.get(number)
            if former == entry:
                continue
            if number in self._streams_in_use:
                revision.oddities.append(f"object stream {number} in use is overwritten")
            value = self.get(Reference(number, former.generation)) if former else None
            self.replaced[number] = (former, value)
        for number in self.replaced:
            self._cache.pop(number, None)
            self.entries[number] = written[number]
        self._streams_in_use.update(e.place for e in written.values() if e.kind == "compressed")

    def _load(self, number: int, entry: Entry) -> Value:
        try:
            if entry.kind == "used":
                found = read_object(self.data, entry.place, self.get, self._duplicates)
                if (found.number, found.generation) != (number, entry.detail):
                    raise PdfSyntaxError("another object")
                return found.value
            container = self._object_stream(entry.place)
            if entry.detail >= len(container.index) or container.index[entry.detail][0] != number:
                raise PdfSyntaxError("another object")
            offset = container.first + container.index[entry.detail][1]
            return parse_value(container.plain, offset, self._duplicates)[0]
        except PdfSyntaxError:
            self.unreadable.add(number)
            return None

    def _object_stream(self, number: int) -> _ObjectStream:
        """Contents of an object stream (§7.5.7)."""
        if number not in self._object_streams:
            stream = self.get(Reference(number, 0))
            if not isinstance(stream, Stream) or stream.dictionary.get("/Type") != "/ObjStm":
                raise PdfSyntaxError("no object stream")
            first, count = stream.dictionary.get("/First"), stream.dictionary.get("/N")
            if not isinstance(first, int) or not isinstance(count, int) or first < 0 or count < 0:
                raise PdfSyntaxError("bad object stream")
            plain = decoded(stream)
            head = plain[:first].split()[: 2 * count]
            if len(head) != 2 * count or not all(item.isdigit() and len(item) < 12 for item in head):
                raise PdfSyntaxError("bad index of an object stream")
            numbers = list(map(int, head))
            if len(set(numbers[::2])) != len(numbers[::2]):
                raise PdfSyntaxError("an object twice in an object stream")
            index = list(zip(numbers[::2], numbers[1::2], strict=True))
            self._object_streams[number] = _ObjectStream(plain, first, index)
        return self._object_streams[number]

    def keep(self, number: int, value: Value) -> None:
        """Remember a value that was read on the way."""
        self._cache[number] = value

    def has(self, number: int) -> bool:
        """Whether the object was read in this revision."""
        return number in self._cache

    @property
    def duplicates(self) -> list[int]:
        """Ends of the dictionaries met so far that have a key twice."""
        return self._duplicates


class _UpdateScan:
    """Reads the bytes of one update from end to end and holds them against its cross-reference section."""

    def __init__(self, document: Document, revision: Revision) -> None:
        self.document = document
        self.revision = revision
        self.section = revision.sections[0]
        self.seen: set[int] = set()

    def run(self) -> None:
        data, position = self.document.data, self.revision.start
        while position < self.revision.end:
            position = _after_blanks(data, position)
            if position >= self.revision.end or position == self.section.end:
                break
            if position == self.section.start and self.section.reference is None:
                break
            following = self._object(position)
            if following is None:
                break
            position = following
        for number in self.document.replaced:
            self._listed(number)

    def _object(self, position: int) -> int | None:
        """Account for the object at `position`; give the position after it, or None at the end."""
        document, odd = self.document, self.revision.oddities
        try:
            found = read_object(document.data, position, document.get, document.duplicates)
            end = END_OBJECT.match(document.data, found.end)
            if end is None:
                raise PdfSyntaxError("no endobj")
        except PdfSyntaxError as error:
            odd.append(f"unexplained bytes at {position} ({error})")
            return None
        if not found.length_holds:
            odd.append(f"wrong stream length of object {found.number}")
        self.seen.add(found.number)
        entry = document.entries.get(found.number)
        listed = (
            entry is not None
            and entry.kind == "used"
            and entry.detail == found.generation
            and _after_blanks(document.data, entry.place) == position
        )
        if listed and found.number in document.replaced:
            document.keep(found.number, found.value)
        elif not listed and position != self.section.start:
            odd.append(f"object {found.number} at {position} is not in the cross-reference section")
        return None if self.section.reference is not None and found.end == self.section.end else end.end()

    def _listed(self, number: int) -> None:
        """Each object that the section lists must stand in this update, where the section says."""
        entry, odd = self.document.entries[number], self.revision.oddities
        if entry.kind == "compressed" and entry.place not in self.seen:
            odd.append(f"object {number} is in an older object stream")
        if entry.kind != "used":
            return
        if not self.revision.previous_end <= entry.place < self.revision.end:
            odd.append(f"object {number} stands outside its revision")
        elif number not in self.seen and not self.document.has(number):
            odd.append(f"object {number} is not where the cross-reference section says")


def _after_blanks(data: bytes, position: int) -> int:
    match = SKIP_BLANKS.match(data, position)
    return match.end() if match else position


def _split(data: bytes, sections: list[Section]) -> list[Revision]:
    """Give each section its revision; in a linearized base two belong together (ISO 32000-2 Annex F)."""
    linearized = len(sections) > 1 and sections[1].start < sections[0].start
    groups = [sections[:2]] if linearized else []
    groups += [[section] for section in sections[2 if linearized else 0 :]]
    revisions: list[Revision] = []
    for group in groups:
        last = revisions[-1] if revisions else None
        revision = Revision(group, last.end if last else 0, last.padded_end if last else 0)
        _find_end(data, revision)
        revisions.append(revision)
    if revisions[-1].padded_end != len(data):
        revisions[-1].oddities.append("bytes after the last revision")
    return revisions


def _find_end(data: bytes, revision: Revision) -> None:
    last = max(revision.sections, key=lambda section: section.end)
    if last.start < revision.start:
        raise PdfSyntaxError("cross-reference sections out of order")
    after_object = END_OBJECT.match(data, last.end) if last.reference else None
    end = _END_OF_FILE.match(data, after_object.end() if after_object else last.end)
    accepted = {last.offset}
    if len(revision.sections) == 2:
        accepted |= {0, revision.sections[-1].offset}
    if end and int(end[1]) in accepted:
        blanks = _WHITE_SPACE.match(data, end.end())
        revision.end, revision.padded_end = end.end(), blanks.end() if blanks else end.end()
    else:
        revision.oddities.append("no startxref and %%EOF of its own")
        revision.end = revision.padded_end = last.end
    if any(section.contradictory for section in revision.sections):
        revision.oddities.append("the two cross-reference sections of a hybrid file contradict each other")
