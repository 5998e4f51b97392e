"""Every signature of a PDF, found twice: through the form, and by looking for /ByteRange in the bytes.

A reader lists what its form names. A signature that a later revision unhooked, that no field ever named, or
that stands in a hidden corner is still a signature of the file, and is judged like any other.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.fields import full_name
from signer.validation.pdf.objects import read_object
from signer.validation.pdf.roles import BITS
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Reference, Stream, Value

_BYTE_RANGE = re.compile(rb"/ByteRange[\0\t\n\f\r ]*\[")
_OBJECT_HEAD = re.compile(rb"\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj(?![A-Za-z0-9])")
_MAX_OBJECT_HEAD = 24
_MAX_LOOK_BACK = 1 << 20
MAX_SIGNATURES = 2_000
"""Most signatures that are looked for in one file."""


class Kind(StrEnum):
    """What a signature dictionary is."""

    SIGNATURE = "signature"
    DOCUMENT_TIMESTAMP = "document_timestamp"


@dataclass(frozen=True)
class FoundSignature:
    """A signature dictionary of the file.

    field: fully qualified name; "" where no field of the final document holds it.
    dictionary: the entries, with references resolved one step. contents: /Contents with its padding.
    """

    field: str
    kind: Kind
    dictionary: Dictionary
    contents: bytes


def enumerate_signatures(analysis: ChangeAnalysis) -> list[FoundSignature]:
    """All signatures, those of fields first; a signature that two fields hold is listed once.

    Raises PdfSyntaxError where one is to be seen but cannot be read.
    """
    found: list[FoundSignature] = []
    seen: set[int] = set()
    contents: set[bytes] = set()
    for name, value, identity in _field_values(analysis):
        if identity in seen:
            continue
        seen.add(identity)
        signature = _signature(name, value, analysis)
        found.append(signature)
        contents.add(signature.contents.rstrip(b"\0"))
    for value in _scanned(analysis):
        if _is_usage_right(value, analysis):
            continue
        signature = _signature("", value, analysis)
        bare = signature.contents.rstrip(b"\0")
        if bare and bare not in contents:
            contents.add(bare)
            found.append(signature)
    return found


def _field_values(analysis: ChangeAnalysis) -> Iterator[tuple[str, Dictionary, int]]:
    """(name, signature dictionary, identity) of each signed field, in the order of their object numbers."""
    document, roles = analysis.document, analysis.roles
    for number in sorted(roles.bits):
        if not roles.of(number) & BITS["SIGNATURE_FIELD"]:
            continue
        entry = document.entries.get(number)
        field = document.get(Reference(number, entry.generation)) if entry else None
        if not isinstance(field, dict) or ("/T" not in field and "/Kids" in field):
            continue
        value = document.now(field.get("/V"))
        if value is None and _is_unreadable(field.get("/V"), analysis):
            raise PdfSyntaxError("a signature cannot be read")
        if isinstance(value, dict):
            yield full_name(field, document.now), value, id(value)


def _is_unreadable(value: Value, analysis: ChangeAnalysis) -> bool:
    return isinstance(value, Reference) and value.number in analysis.document.unreadable


def _signature(name: str, value: Dictionary, analysis: ChangeAnalysis) -> FoundSignature:
    resolved = {key: analysis.document.now(item) for key, item in value.items()}
    if analysis.document.encrypted:
        name = ""  # strings of an encrypted document are not read
    contents = resolved.get("/Contents")
    stamp = resolved.get("/SubFilter") == "/ETSI.RFC3161"
    return FoundSignature(
        name,
        Kind.DOCUMENT_TIMESTAMP if stamp else Kind.SIGNATURE,
        resolved,
        contents if isinstance(contents, bytes) else b"",
    )


def _is_usage_right(value: Dictionary, analysis: ChangeAnalysis) -> bool:
    """Whether a dictionary grants usage rights to a reader (ISO 32000-1 §12.8.2.3) and signs no document."""
    references = analysis.document.now(value.get("/Reference"))
    items = references if isinstance(references, list) else []
    found = [analysis.document.now(item) for item in items]
    methods = {str(item.get("/TransformMethod")) for item in found if isinstance(item, dict)}
    return bool(methods) and methods <= {"/UR", "/UR3"}


def _scanned(analysis: ChangeAnalysis) -> Iterator[Dictionary]:
    """Signature dictionaries by the raw bytes, whatever the cross-reference sections say."""
    document = analysis.document
    seen: set[int] = set()
    offsets = _offsets(analysis)
    for match in _BYTE_RANGE.finditer(document.data):
        start = _object_start(document.data, match.start())
        if start is None or start in seen or _is_in_stream(match.start(), offsets, analysis):
            continue
        seen.add(start)
        if len(seen) > MAX_SIGNATURES:
            raise PdfSyntaxError("more signatures than are judged in one file")
        value = read_object(document.data, start, document.get, []).value  # not to be passed over in silence
        yield from _dictionaries_with_contents(value)


def _offsets(analysis: ChangeAnalysis) -> list[int]:
    """Where the objects of all revisions stand, ascending."""
    sections = (section for revision in analysis.document.revisions for section in revision.sections)
    return sorted({e.place for s in sections for e in s.entries.values() if e.kind == "used"})


def _is_in_stream(position: int, offsets: list[int], analysis: ChangeAnalysis) -> bool:
    """Whether a position is within a stream, such as an attached document with signatures of its own."""
    index = bisect_right(offsets, position) - 1
    if index < 0:
        return False
    document = analysis.document
    try:
        found = read_object(document.data, offsets[index], document.get, [])
    except PdfSyntaxError:
        return False
    return isinstance(found.value, Stream) and found.end > position


def _object_start(data: bytes, position: int) -> int | None:
    """Where the object that holds `position` begins."""
    floor = max(0, position - _MAX_LOOK_BACK)
    keyword = data.rfind(b"obj", floor, position)
    while keyword >= 0:
        heads = list(_OBJECT_HEAD.finditer(data, max(0, keyword - _MAX_OBJECT_HEAD), keyword + 4))
        if heads and heads[-1].end() == keyword + 3:
            return heads[-1].start()
        keyword = data.rfind(b"obj", floor, keyword)
    return None


def _dictionaries_with_contents(value: Value) -> Iterator[Dictionary]:
    """Signature dictionaries within an object: itself, or the direct value of a field."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "/ByteRange" in item and isinstance(item.get("/Contents"), bytes):
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
