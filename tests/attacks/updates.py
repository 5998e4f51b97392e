"""Writing incremental updates of a signed PDF by hand, as an attacker does: every byte as one likes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from signer.validation.pdf.revisions import Document
from signer.validation.pdf.values import Dictionary, Reference, Stream, Value


class Raw(bytes):
    """Octets that are written as they are."""


Written: TypeAlias = Value
"""An object to be written: a value, or octets that are `Raw`."""


def shown(value: Value) -> bytes:
    """A value as it stands in a file."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Reference):
        return b"%d %d R" % value
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes):
        return b"<" + value.hex().encode() + b">"
    if isinstance(value, list):
        return b"[" + b" ".join(map(shown, value)) + b"]"
    if isinstance(value, dict):
        return b"<<" + b" ".join(key.encode("latin-1") + b" " + shown(v) for key, v in value.items()) + b">>"
    if isinstance(value, Stream):
        head = shown({**value.dictionary, "/Length": len(value.raw)})
        return head + b" stream\n" + value.raw + b"\nendstream"
    return b"null" if value is None else str(value).encode()


def stream(raw: bytes, **entries: Value) -> Stream:
    """A stream of these octets."""
    return Stream({f"/{key}": value for key, value in entries.items()}, raw)


def form(drawing: bytes, width: float, height: float, **resources: Value) -> Stream:
    """A form XObject, such as an appearance."""
    shown_with: Dictionary = {f"/{key}": value for key, value in resources.items()}
    return stream(drawing, Type="/XObject", Subtype="/Form", BBox=[0, 0, width, height], Resources=shown_with)


@dataclass(frozen=True)
class Update:
    """How an update is written; what is not said is as it should be.

    trailer: entries over those of the trailer before. free: numbers to be freed. stray: octets before the
    objects that no table lists. rows: rows of the table as they are. lie: what is added to every offset.
    previous: /Prev; -1 leaves it out. generations: of objects. after: octets after `%%EOF`.
    """

    objects: Mapping[int, Written] = field(default_factory=dict)
    trailer: Mapping[str, Value] = field(default_factory=dict)
    free: Sequence[int] = ()
    stray: bytes = b""
    rows: Mapping[int, bytes] = field(default_factory=dict)
    lie: int = 0
    previous: int | None = None
    generations: Mapping[int, int] = field(default_factory=dict)
    after: bytes = b""


class Signed:
    """A signed document as an attacker sees it: its objects by where they stand, and free numbers."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.document = Document(data)
        for _ in self.document.revisions:
            self.document.step()
        self.free = max(self.document.entries) + 1

    def number(self, *path: str | int) -> int:
        """Number of the last indirect object on the way from the trailer along keys and places in arrays."""
        return self._walk(path)[0]

    def value(self, *path: str | int) -> Value:
        """What stands at the end of that way."""
        return self._walk(path)[1]

    def dictionary(self, *path: str | int) -> Dictionary:
        """A copy of the dictionary there."""
        found = self.value(*path)
        assert isinstance(found, dict), path
        return dict(found)

    def items(self, *path: str | int) -> list[Value]:
        """A copy of the array there."""
        found = self.value(*path)
        assert isinstance(found, list), path
        return list(found)

    def stream(self, *path: str | int) -> Stream:
        """The stream there."""
        found = self.value(*path)
        assert isinstance(found, Stream), path
        return found

    def _walk(self, path: Sequence[str | int]) -> tuple[int, Value]:
        number, value = 0, self.document.trailer
        here: Value = value
        for step in path:
            holder = here.dictionary if isinstance(here, Stream) else here
            if isinstance(step, int):
                assert isinstance(holder, list)
                here = holder[step]
            else:
                assert isinstance(holder, dict)
                here = holder.get(step)
            if isinstance(here, Reference):
                number, here = here.number, self.document.get(here)
        return number, here

    def field_path(self, name: str) -> tuple[str | int, ...]:
        """The way to a root field."""
        for place, item in enumerate(self.items("/Root", "/AcroForm", "/Fields")):
            field_of = self.document.now(item)
            if isinstance(field_of, dict) and field_of.get("/T") == name.encode():
                return "/Root", "/AcroForm", "/Fields", place
        raise KeyError(name)

    def changed(self, path: Sequence[str | int], **entries: Value) -> dict[int, Written]:
        """The dictionary at the end of a way with entries changed, by its number; None takes one out."""
        whole = self.dictionary(*path) | {f"/{key}": value for key, value in entries.items()}
        return {self.number(*path): {key: value for key, value in whole.items() if value is not None}}

    def page(self, index: int = 0) -> tuple[str | int, ...]:
        """The way to a page."""
        return "/Root", "/Pages", "/Kids", index

    def update(self, objects: Mapping[int, Written] | None = None, /, **how: object) -> bytes:
        """The document with an update appended; `how` as in Update."""
        return self.appended(Update(objects or {}, **how))  # type: ignore[arg-type]

    def appended(self, update: Update) -> bytes:
        """The document with an update appended."""
        out = bytearray(self.data if self.data.endswith(b"\n") else self.data + b"\n") + update.stray
        rows = {number: b"%010d %05d f\r\n" % (0, 1) for number in update.free}
        for number, value in update.objects.items():
            generation = update.generations.get(number, 0)
            rows[number] = b"%010d %05d n\r\n" % (len(out) + update.lie, generation)
            out += b"%d %d obj\n" % (number, generation) + shown(value) + b"\nendobj\n"
        rows |= update.rows
        start = len(out)
        out += b"xref\n" + b"".join(b"%d 1\n" % number + rows[number] for number in sorted(rows))
        out += b"trailer\n" + shown(self._trailer(update, rows)) + b"\nstartxref\n%d\n%%%%EOF\n" % start
        return bytes(out + update.after)

    def compressed(self, *objects: tuple[int, Written]) -> bytes:
        """The document with an update of one object stream and a cross-reference stream.

        The last object of a number is the one that the cross-reference stream names.
        """
        written = [shown(value) for _, value in objects]
        starts = [sum(len(each) + 1 for each in written[:place]) for place in range(len(written))]
        pairs = zip(objects, starts, strict=True)
        head = b" ".join(b"%d %d" % (number, start) for (number, _), start in pairs) + b" "
        container = stream(head + b" ".join(written), Type="/ObjStm", N=len(objects), First=len(head))
        out = bytearray(self.data + b"\n")
        places = {number: (2, self.free, place) for place, (number, _) in enumerate(objects)}
        for number, value in ((self.free, container), (self.free + 1, None)):
            places[number] = (1, len(out), 0)
            if value is not None:
                out += b"%d 0 obj\n" % number + shown(value) + b"\nendobj\n"
        numbers = sorted(places)
        rows = b"".join(
            bytes([k]) + place.to_bytes(4, "big") + bytes([i]) for k, place, i in (places[n] for n in numbers)
        )
        section = stream(rows, Type="/XRef", W=[1, 4, 1], Index=[x for n in numbers for x in (n, 1)])
        section.dictionary |= self._trailer(Update(), {n: b"" for n in numbers})
        start = len(out)
        out += b"%d 0 obj\n" % (self.free + 1) + shown(section) + b"\nendobj\n"
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)

    def _trailer(self, update: Update, rows: Mapping[int, bytes]) -> Dictionary:
        kept = ("/Root", "/Info", "/ID")
        trailer = {key: value for key, value in self.document.trailer.items() if key in kept}
        last = int(re.findall(rb"startxref\s+(\d+)", self.data)[-1])
        trailer["/Size"] = max(self.free, *rows, 0) + 1 if rows else self.free
        trailer["/Prev"] = last if update.previous is None else update.previous
        trailer |= update.trailer
        if update.previous == -1:
            del trailer["/Prev"]
        return trailer
