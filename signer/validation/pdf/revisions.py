"""The states of a PDF, read forward: what each incremental update writes (ISO 32000-2 §7.5.6).

Every byte of an update must belong to an object that its section lists, to the section itself, or to a
comment; whatever else is found stands in `Revision.oddities`.
"""

from collections import OrderedDict

from signer.validation.pdf.encryption import SecurityHandler, unlock
from signer.validation.pdf.layout import Revision, split
from signer.validation.pdf.mapped import Buffer, let_go
from signer.validation.pdf.object_streams import ObjectStream, read_object_stream
from signer.validation.pdf.objects import END_OBJECT, IndirectObject, read_object
from signer.validation.pdf.sections import Entry, SectionReader
from signer.validation.pdf.values import SKIP_BLANKS, Dictionary, PdfSyntaxError, Reference, Value

_HEADER_WITHIN = 1024
_MAX_HOPS = 20
_MOST_VALUES = 2048
"""Most values that are kept parsed; each may be some kilobytes."""
_READS_UNTIL_LET_GO = 128
"""Each read may bring 64 KiB of a mapped file into memory."""
_IN_FILE = -1


class Document:
    """A PDF read from its base forward; `step` goes to the next revision.

    revisions: all of them, oldest first. trailer: of the present revision. entries: where each object is now.
    replaced: for each object that the present revision writes or frees, its entry and value before.
    unreadable: numbers of objects that could not be read, so that what they refer to is not known.
    header: where `%PDF-` stands. Raises PdfSyntaxError where there is no document left to speak of, and
    PasswordRequiredError, also from the first `step`, where it is encrypted and asks for a password.
    """

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.entries: dict[int, Entry] = {}
        self.replaced: dict[int, tuple[Entry | None, Value]] = {}
        self.trailer: Dictionary = {}
        self.unreadable: set[int] = set()
        self.position = -1
        self._recent: OrderedDict[int, Value] = OrderedDict()
        self._read_in_this_revision: set[int] = set()
        self._reads = 0
        self._object_streams: dict[int, ObjectStream] = {}
        self._streams_in_use: set[int] = set()
        self._with_key_twice: set[tuple[int, int]] = set()
        self._beyond = 0
        self.header = data[:_HEADER_WITHIN].find(b"%PDF-")
        if self.header < 0:
            raise PdfSyntaxError("no PDF header at the beginning")
        reader = SectionReader(data, self.header, self.get)
        self.revisions = split(data, reader.chain(), reader.origin)
        self._security: SecurityHandler | None = None
        self._never_encrypted: int | None = None
        self._encryption = self.revisions[0].trailer.get("/Encrypt")
        if any(revision.trailer.get("/Encrypt") != self._encryption for revision in self.revisions):
            raise PdfSyntaxError("the revisions of the document are not encrypted alike")

    def get(self, reference: Reference) -> Value:
        """The value that a reference has now; null if there is none."""
        entry = self.entries.get(reference.number)
        if entry is None or entry.kind == "free":
            return None
        if reference.number in self._recent:
            self._recent.move_to_end(reference.number)
            value = self._recent[reference.number]
        else:
            self.keep(reference.number, None)  # a loop through /Length ends here
            value = self._load(reference.number, entry)
            self.keep(reference.number, value)
        return value if entry.generation == reference.generation else None

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
        self.trailer = revision.trailer
        self._note_size(revision, written)
        if self.position == 0:
            self.entries = written
            self._streams_in_use = {e.place for e in written.values() if e.kind == "compressed"}
            self.replaced = {}
            self._unlock()
            return revision
        self._replace(revision, written)
        seen_with_key_twice = len(self._with_key_twice)
        _UpdateScan(self, revision).run()
        for number in self.replaced:
            self.get(Reference(number, 0))
        if len(self._with_key_twice) != seen_with_key_twice:
            revision.oddities.append("a dictionary has a key twice")
        self._keep_encryption()
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
                self._replace_packed(number)
            self._remember_former(number)
        for number in self.replaced:
            self._recent.pop(number, None)
            self._object_streams.pop(number, None)
            if number in written:
                self.entries[number] = written[number]
        self._read_in_this_revision.clear()
        self._streams_in_use.update(e.place for e in written.values() if e.kind == "compressed")

    def _remember_former(self, number: int) -> None:
        former = self.entries.get(number)
        value = self.get(Reference(number, former.generation)) if former else None
        self.replaced[number] = (former, value)

    def _replace_packed(self, stream: int) -> None:
        """All objects of an object stream change with it, though their entries stay."""
        for number, entry in self.entries.items():
            if entry.kind == "compressed" and entry.place == stream:
                self._remember_former(number)

    def read(self, position: int) -> IndirectObject:
        """The object that stands at a position, decrypted. Raises PdfSyntaxError."""
        self._reads += 1
        if self._reads % _READS_UNTIL_LET_GO == 0:
            let_go(self.data, 0, len(self.data))
        duplicates: list[int] = []
        found = read_object(self.data, position, self.get, duplicates)
        if duplicates:
            self._with_key_twice.add((_IN_FILE, position))
        if self._security is None or found.number == self._never_encrypted:
            return found
        return found._replace(value=self._security.decrypt(found.value, found.number, found.generation))

    def _unlock(self) -> None:
        if self._encryption is None:
            return
        dictionary, identifiers = self.now(self._encryption), self.now(self.trailer.get("/ID"))
        if not isinstance(dictionary, dict):
            raise PdfSyntaxError("the encryption dictionary cannot be read")
        first = identifiers[0] if isinstance(identifiers, list) and identifiers else b""
        self._security = unlock(dictionary, first if isinstance(first, bytes) else b"", self.now)
        self._recent.clear()  # what was read on the way was not decrypted
        if isinstance(self._encryption, Reference):
            self._never_encrypted = self._encryption.number

    def _keep_encryption(self) -> None:
        number = self._never_encrypted
        if number is not None and number in self.replaced:
            entry, former = self.replaced[number]
            if entry is None or self.get(Reference(number, entry.generation)) != former:
                raise PdfSyntaxError("the revisions of the document are not encrypted alike")

    def _load(self, number: int, entry: Entry) -> Value:
        try:
            if entry.kind == "used":
                found = self.read(entry.place)
                if (found.number, found.generation) != (number, entry.detail):
                    raise PdfSyntaxError("another object")
                return found.value
            duplicates: list[int] = []
            value = self._object_stream(entry.place).read(entry.detail, number, duplicates)
            if duplicates:
                self._with_key_twice.add((entry.place, entry.detail))
            return value
        except PdfSyntaxError:
            self.unreadable.add(number)
            return None

    def _object_stream(self, number: int) -> ObjectStream:
        if number not in self._object_streams:
            self._object_streams[number] = read_object_stream(self.get(Reference(number, 0)))
        return self._object_streams[number]

    def keep(self, number: int, value: Value) -> None:
        """Remember a value that was read; what was not asked for in a long time is forgotten."""
        self._read_in_this_revision.add(number)
        self._recent[number] = value
        self._recent.move_to_end(number)
        if len(self._recent) > _MOST_VALUES:
            self._recent.popitem(last=False)

    def has(self, number: int) -> bool:
        """Whether the object was read in this revision."""
        return number in self._read_in_this_revision


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
            found = document.read(position)
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


def _after_blanks(data: Buffer, position: int) -> int:
    match = SKIP_BLANKS.match(data, position)
    return match.end() if match else position
