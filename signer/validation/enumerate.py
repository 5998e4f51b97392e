"""Every signature of a PDF, found twice: through the form, and by the bytes (`raw_scan`).

A reader lists what its form names. A signature that a later revision unhooked, that no field ever named, or
that stands in a hidden corner is still a signature of the file, and is judged like any other; what is odd
about it is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from signer.validation.byte_ranges import Coverage, read_coverage
from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.fields import full_name, is_hidden
from signer.validation.pdf.roles import BITS
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Reference, Value
from signer.validation.raw_scan import RawScan, ScannedSignature, object_start, signature_dictionaries


class Kind(StrEnum):
    """What a signature dictionary is."""

    SIGNATURE = "signature"
    DOCUMENT_TIMESTAMP = "document_timestamp"


@dataclass
class FoundSignature:
    """A signature dictionary of the file.

    field: fully qualified name; "" where no field of the document holds it. dictionary: the entries, with
    references resolved one step. contents: /Contents with its padding. place: where the object that holds it
    stands, None where that is packed. faults: sentences on what makes it no
    proper signature of the document. findings: sentences on what is odd and not forbidden.
    """

    field: str
    kind: Kind
    dictionary: Dictionary
    contents: bytes
    coverage: Coverage
    place: int | None
    faults: list[str]
    findings: list[str]


def enumerate_signatures(analysis: ChangeAnalysis) -> list[FoundSignature]:
    """All signatures, those of fields first; one that is there twice is listed once.

    Raises PdfSyntaxError where one is to be seen but cannot be read.
    """
    return _Enumeration(analysis).run()


@dataclass(frozen=True)
class _FieldValue:
    """A signed field: its name, what signs it, where the object that holds that stands, and its own looks."""

    name: str
    value: Dictionary
    place: int | None
    hidden: bool


class _Enumeration:
    def __init__(self, analysis: ChangeAnalysis) -> None:
        self._document = analysis.document
        self._roles = analysis.roles
        self._scan = RawScan(analysis.document)
        self._by_contents: dict[bytes, list[FoundSignature]] = {}

    def run(self) -> list[FoundSignature]:
        for item in self._field_values():
            self._take(item)
        known = set(self._by_contents)
        found = [signature for alike in self._by_contents.values() for signature in alike]
        for scanned in self._scan.signatures():
            contents = self._document.now(scanned.dictionary.get("/Contents"))
            bare = contents.rstrip(b"\0") if isinstance(contents, bytes) else b""
            if not bare or bare in known or self._is_usage_right(scanned.dictionary):
                continue
            known.add(bare)
            signature = self._signature("", scanned.dictionary, scanned.place)
            signature.faults.append(self._why_no_field_holds(scanned))
            found.append(signature)
        return found

    def _take(self, item: _FieldValue) -> None:
        signature = self._known_or_new(self._signature(item.name, item.value, item.place))
        if signature.field != item.name:
            signature.findings.append(f"the field {item.name!r} holds the same signature")
        if item.hidden:
            signature.findings.append(f"the field {item.name!r} is hidden")

    def _known_or_new(self, signature: FoundSignature) -> FoundSignature:
        """A true copy is the same signature; a copy that says something else is one more, which fails."""
        alike = self._by_contents.setdefault(signature.contents.rstrip(b"\0"), [])
        for other in alike:
            is_signed = bool(signature.contents) or other.place == signature.place
            if is_signed and other.dictionary == signature.dictionary:
                return other
        alike.append(signature)
        return signature

    def _field_values(self) -> Iterator[_FieldValue]:
        """Each signed field, in the order of their object numbers."""
        document = self._document
        for number in sorted(self._roles.bits):
            if not self._roles.of(number) & BITS["SIGNATURE_FIELD"]:
                continue
            entry = document.entries.get(number)
            held = document.get(Reference(number, entry.generation)) if entry else None
            if not isinstance(held, dict) or ("/T" not in held and "/Kids" in held):
                continue
            slot = held.get("/V")
            value = document.now(slot)
            if isinstance(slot, Reference):
                number = slot.number
                if value is None and number in document.unreadable:
                    raise PdfSyntaxError("a signature cannot be read")
            if isinstance(value, dict):
                name, hidden = full_name(held, document.now), is_hidden(held, document.now)
                yield _FieldValue(name, value, self._place(number), hidden)

    def _place(self, number: int) -> int | None:
        entry = self._document.entries.get(number)
        return entry.place if entry is not None and entry.kind == "used" else None

    def _signature(self, name: str, value: Dictionary, place: int | None) -> FoundSignature:
        resolved = {key: self._document.now(item) for key, item in value.items()}
        contents = resolved.get("/Contents")
        contents = contents if isinstance(contents, bytes) else b""
        coverage = read_coverage(self._document.data, resolved.get("/ByteRange"), contents)
        stamp = resolved.get("/SubFilter") == "/ETSI.RFC3161"
        kind = Kind.DOCUMENT_TIMESTAMP if stamp else Kind.SIGNATURE
        return FoundSignature(
            name, kind, resolved, contents, coverage, place, self._faults(value, place, coverage), []
        )

    def _faults(self, value: Dictionary, place: int | None, coverage: Coverage) -> list[str]:
        if coverage.strict is None:
            overlap = ["the ranges of the byte range overlap"] if coverage.overlaps else []
            return ["the byte range is not the whole file around the signature's /Contents", *overlap]
        if self._is_signed_itself(value, place, coverage.strict.gap_start):
            return []
        return ["the signature dictionary is not the one that stands around the signed /Contents"]

    def _is_signed_itself(self, value: Dictionary, place: int | None, gap: int) -> bool:
        """Whether the dictionary is that around the gap, or a later revision's true copy of it."""
        try:
            if place is not None and place <= gap < self._document.read(place).end:
                return True
            start = object_start(self._document.data, gap)
            around = self._document.read(start).value if start is not None else None
        except PdfSyntaxError:
            return False
        return any(dictionary == value for dictionary in signature_dictionaries(around))

    def _is_usage_right(self, value: Dictionary) -> bool:
        """Whether a dictionary grants usage rights to a reader (ISO 32000-1 §12.8.2.3), and signs nothing."""
        references = self._document.now(value.get("/Reference"))
        items = references if isinstance(references, list) else []
        found = [self._document.now(item) for item in items]
        methods = {str(item.get("/TransformMethod")) for item in found if isinstance(item, dict)}
        return bool(methods) and methods <= {"/UR", "/UR3"}

    def _why_no_field_holds(self, scanned: ScannedSignature) -> str:
        if scanned.in_object_stream:
            return "the signature stands in an object stream, and no field of the form holds it"
        if not self._scan.is_listed(scanned.place):
            return "no cross-reference section knows the signature"
        entry = self._document.entries.get(scanned.number)
        if entry is None or not self._scan.is_at(entry, scanned.place):
            return "the signature is of an earlier revision, and a later one replaced or freed it"
        owners = [number for number in self._roles.owners.get(scanned.number, ()) if number is not None]
        if owners:
            name = min(self._name(number) for number in owners)
            return f"a later revision took the signature out of its field {name!r}"
        if self._roles.of(scanned.number):
            return "the signature stands outside the form"
        return "nothing in the document refers to the signature"

    def _name(self, number: int) -> str:
        entry = self._document.entries.get(number)
        held: Value = self._document.get(Reference(number, entry.generation)) if entry else None
        return full_name(held, self._document.now)
