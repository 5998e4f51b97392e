"""What may be changed after a signature and what may not: attacks beside look-alikes that must pass."""

import io
import re
from functools import cache

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.validation import pdf_facts
from signer.validation.facts import DocumentFacts, Integrity, Malformed
from signer.validation.pdf.values import PdfSyntaxError


@cache
def base() -> bytes:
    """A document with one page, a text field, a note, and an empty signature field's place filled by hand."""
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(300, 300))
    page = pdf.pages[0]
    page.Contents = pdf.make_stream(b"BT (words) Tj ET")
    form = pikepdf.Dictionary(Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 9, 9])
    look = pdf.make_stream(b"q Q", form)
    entry = pdf.make_indirect(
        pikepdf.Dictionary(
            FT=pikepdf.Name.Tx,
            T="name",
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            Rect=[10, 10, 90, 30],
            AP=pikepdf.Dictionary(N=look),
        )
    )
    signature = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Sig,
            Filter=pikepdf.Name("/Adobe.PPKLite"),
            SubFilter=pikepdf.Name("/ETSI.CAdES.detached"),
            ByteRange=pikepdf.Array([0, 1111111111, 1111111111, 1111111111]),
            Contents=pikepdf.String(b"\xab" * 8),
        )
    )
    field = pdf.make_indirect(
        pikepdf.Dictionary(
            FT=pikepdf.Name.Sig,
            T="Sig1",
            V=signature,
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            Rect=[0, 0, 0, 0],
        )
    )
    page.Annots = pdf.make_indirect(pikepdf.Array([entry, field]))
    pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Dictionary(Fields=[entry, field], SigFlags=3))
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable, static_id=True)
    return covered(out.getvalue())


def covered(data: bytes) -> bytes:
    """Fill in the byte range around /Contents, keeping every length."""
    gap = re.search(rb"/Contents <([0-9a-f]+)>", data)
    assert gap is not None
    start, end = gap.start(1) - 1, gap.end(1) + 1
    numbers = b"0 %d %d %d" % (start, end, len(data) - end)
    place = re.search(rb"0 1111111111 1111111111 1111111111", data)
    assert place is not None
    return data[: place.start()] + numbers.ljust(len(place[0])) + data[place.end() :]


def update(data: bytes, objects: dict[int, bytes], *, free: int = 0, lie: int = 0) -> bytes:
    """Append a revision with these objects; `lie` moves the offsets that its table states."""
    previous = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    size = max([10, *objects]) + 1
    body, table = b"", b"xref\n"
    for number, value in sorted(objects.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, len(data) + len(body) + lie)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    if free:
        table += b"%d 1\n%010d %05d f \n" % (free, 0, 1)
    start = len(data) + len(body)
    trailer = b"trailer <</Size %d /Root 1 0 R /Prev %d %s>>\n" % (size, previous, ids())
    return data + body + table + trailer + b"startxref\n%d\n%%%%EOF\n" % start


def ids() -> bytes:
    found = re.search(rb"/ID \[.*?\]", base())
    return found[0] if found else b""


def collect(data: bytes) -> DocumentFacts:
    return pdf_facts.collect(data)


def modification(data: bytes) -> str:
    found = [signature for signature in collect(data).signatures if signature.field == "Sig1"]
    assert found
    return str(found[-1].modification)  # the one that covers most


def with_entry(number: int, entry: bytes, without: bytes = b"") -> bytes:
    """The base's object with an entry added, or replaced."""
    found = re.search(rb"\n%d 0 obj\n(<<.*?>>)\nendobj" % number, base(), re.DOTALL)
    assert found is not None
    return found[1].replace(without, b"")[:-2] + entry + b" >>"


LOOK = b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 3>>stream\nQ q\nendstream"
FIELD = b"/AP << /N 7 0 R >> "
NEW_SIGNATURE = (
    b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 9 9 9]/Contents<cd>>>"
)
STAMP = b"<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161/ByteRange[0 9 9 9]/Contents<ef>>>"


def second(value: bytes, rectangle: bytes = b"[0 0 0 0]", extra: bytes = b"") -> dict[int, bytes]:
    """A second signature field with its value."""
    field = b"<</FT/Sig/T(Sig2)/V 12 0 R/Type/Annot/Subtype/Widget/Rect%s%s>>" % (rectangle, extra)
    return {
        2: b"<< /Fields [ 4 0 R 5 0 R 11 0 R ] /SigFlags 3 >>",
        9: b"[ 4 0 R 5 0 R 11 0 R ]",
        11: field,
        12: value,
    }


ALLOWED: dict[str, dict[int, bytes]] = {
    "a field filled in": {4: with_entry(4, b"/V (Ana) /AP << /N 11 0 R >>", FIELD), 11: LOOK},
    "a second signature": second(NEW_SIGNATURE),
    "a visible second signature": second(NEW_SIGNATURE, b"[9 9 99 99]"),
    "a document time-stamp": second(STAMP),
    "an annotation": {9: b"[ 4 0 R 5 0 R 11 0 R ]", 11: b"<</Type/Annot/Subtype/Text/Rect[1 1 9 9]>>"},
    "validation data": {
        1: with_entry(1, b"/DSS 11 0 R"),
        11: b"<</Certs[12 0 R]>>",
        12: b"<</Length 1>>stream\nx\nendstream",
    },
    "metadata": {
        1: with_entry(1, b"/Metadata 11 0 R"),
        11: b"<</Type/Metadata/Subtype/XML/Length 25>>stream\n<x:xmpmeta xmlns:x='x:'/>\nendstream",
    },
    "a newer version": {1: with_entry(1, b"/Version /2.0")},
    "an object that nothing reaches": {11: b"(alone)"},
}
FORBIDDEN: dict[str, dict[int, bytes]] = {
    "other page content": {10: b"<</Length 1>>stream\nQ\nendstream"},
    "another content stream": {6: with_entry(6, b"/Contents 7 0 R", b"/Contents 10 0 R ")},
    "a page added": {
        3: b"<< /Count 2 /Kids [ 6 0 R 11 0 R ] /Type /Pages >>",
        11: b"<</Type/Page/Parent 3 0 R/MediaBox[0 0 9 9]>>",
    },
    "a page removed": {3: b"<< /Count 0 /Kids [ ] /Type /Pages >>"},
    "a page turned": {6: with_entry(6, b"/Rotate 90")},
    "an action on opening": {1: with_entry(1, b"/OpenAction << /S /JavaScript /JS (x) >>")},
    "layers": {1: with_entry(1, b"/OCProperties << /OCGs [] >>")},
    "the signature's reason": {8: with_entry(8, b"/Reason (other)")},
    "the signature's appearance": {
        5: with_entry(5, b"/AP << /N 7 0 R >> /Rect [9 9 99 99]", b"/Rect [ 0 0 0 0 ] ")
    },
    "a field renamed": {4: with_entry(4, b"/T (other)", b"/T (name) ")},
    "a field moved": {4: with_entry(4, b"/Rect [ 0 0 300 300 ]", b"/Rect [ 10 10 90 30 ] ")},
    "a new text field": {
        2: b"<< /Fields [ 4 0 R 5 0 R 11 0 R ] /SigFlags 3 >>",
        11: b"<</FT/Tx/T(more)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]>>",
    },
    "a widget that is no field": {
        9: b"[ 4 0 R 5 0 R 11 0 R ]",
        11: b"<</Type/Annot/Subtype/Widget/Rect[0 0 300 300]>>",
    },
    "a signature with an action": second(NEW_SIGNATURE, extra=b"/AA<</E<</S/JavaScript/JS(x)>>>>"),
    "a second signature by a taken name": {**second(NEW_SIGNATURE), 11: b"<</FT/Sig/T(Sig1)/V 12 0 R>>"},
    "validation data that are none": {1: with_entry(1, b"/DSS << /Certs [ 6 0 R ] >>")},
    "metadata that are none": {
        1: with_entry(1, b"/Metadata 11 0 R"),
        11: b"<</Type/Metadata/Subtype/XML/Length 3>>stream\n<x>\nendstream",
    },
    "a key twice": {4: with_entry(4, b"/V (a) /V (b)")},
}


@pytest.mark.parametrize("objects", ALLOWED.values(), ids=ALLOWED)
def test_allowed(objects: dict[int, bytes]) -> None:
    assert modification(update(base(), objects)) == "allowed"


@pytest.mark.parametrize("objects", FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden(objects: dict[int, bytes]) -> None:
    assert modification(update(base(), objects)) == "forbidden"


def test_nothing_after_it() -> None:
    assert modification(base()) == "none"


def test_a_freed_object_is_forbidden() -> None:
    assert modification(update(base(), {}, free=10)) == "forbidden"


def test_bytes_that_no_table_explains_are_forbidden() -> None:
    assert modification(update(base() + b"11 0 obj\n(x)\nendobj\n", {})) == "forbidden"


def test_a_table_that_points_elsewhere_is_forbidden() -> None:
    assert modification(update(base(), {11: b"(x)", 4: with_entry(4, b"/V (a)")}, lie=1)) == "forbidden"


def test_what_follows_the_end_is_forbidden() -> None:
    assert modification(base() + b"more") == "forbidden"
    assert modification(base() + b"\r\n") == "none"


@pytest.mark.parametrize(
    ("permission", "change", "expected"),
    [
        (1, "validation data", "allowed"),
        (1, "a document time-stamp", "allowed"),
        (1, "a field filled in", "forbidden"),
        (1, "a second signature", "forbidden"),
        (2, "a field filled in", "allowed"),
        (2, "a second signature", "allowed"),
        (2, "a visible second signature", "forbidden"),
        (2, "an annotation", "forbidden"),
        (3, "an annotation", "allowed"),
        (3, "a visible second signature", "allowed"),
        (9, "a field filled in", "forbidden"),
    ],
)
def test_certification_limits_what_may_follow(permission: int, change: str, expected: str) -> None:
    parameters = b"<</Type/TransformParams/V/1.2/P %d>>" % permission
    assert modification(update(certified(b"/DocMDP", parameters), ALLOWED[change])) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (b"<</Action/All>>", "forbidden"),
        (b"<</Action/Include/Fields[(name)]>>", "forbidden"),
        (b"<</Action/Include/Fields[(nam)]>>", "allowed"),
        (b"<</Action/Exclude/Fields[(name)]>>", "allowed"),
        (b"<</Action/Exclude/Fields[(other)]>>", "forbidden"),
        (b"<<>>", "forbidden"),
    ],
)
def test_locked_fields(parameters: bytes, expected: str) -> None:
    assert modification(update(certified(b"/FieldMDP", parameters), ALLOWED["a field filled in"])) == expected


def certified(method: bytes, parameters: bytes) -> bytes:
    """The base with a transform in its signature, still one revision signed as a whole."""
    reference = b"/Reference[<</Type/SigRef/TransformMethod%s/TransformParams%s>>]" % (method, parameters)
    pdf = pikepdf.open(io.BytesIO(base()))
    pdf.Root.AcroForm.Fields[1].V = pdf.make_indirect(pikepdf.Object.parse(signature_with(reference)))
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable, static_id=True)
    return covered(out.getvalue())


def signature_with(entry: bytes) -> bytes:
    return (
        b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached"
        b"/ByteRange[0 1111111111 1111111111 1111111111]/Contents<abababababababab>" + entry + b">>"
    )


# ---- enumeration


def test_a_signature_that_a_later_revision_unhooks_is_still_found() -> None:
    unhooked = update(base(), {5: with_entry(5, b"", b"/V 8 0 R ")})
    found = collect(unhooked).signatures
    assert [signature.field for signature in found] == [""]
    assert found[0].modification == "forbidden"


def test_a_signature_outside_the_form_is_found() -> None:
    found = collect(update(base(), {11: NEW_SIGNATURE})).signatures
    assert sorted(signature.field for signature in found) == ["", "Sig1"]


def test_a_signature_within_an_attached_file_is_not_this_documents() -> None:
    inner = b"5 0 obj\n" + NEW_SIGNATURE + b"\nendobj"
    attached = b"<</Length %d>>stream\n%s\nendstream" % (len(inner), inner)
    assert len(collect(update(base(), {11: attached})).signatures) == 1


def test_a_signature_in_two_fields_is_one() -> None:
    twice = {2: second(b"")[2], 11: b"<</FT/Sig/T(Sig2)/V 8 0 R>>"}
    assert len(collect(update(base(), twice)).signatures) == 1


def test_document_time_stamps_are_told_apart() -> None:
    facts = collect(update(base(), second(STAMP)))
    assert (len(facts.signatures), len(facts.document_timestamps)) == (1, 1)


def test_a_signature_that_cannot_be_read_is_not_passed_over() -> None:
    with pytest.raises(PdfSyntaxError):
        collect(base().replace(b"/Contents <abab", b"/Contents <ab(b"))


@pytest.mark.parametrize(
    "numbers", [b"0 10 20 30", b"1 725 743 564", b"0 725", b"0 725 743 99999", b"", b"0 -1 5 5"]
)
def test_a_byte_range_that_is_not_the_whole_file_is_a_fault(numbers: bytes) -> None:
    place = re.search(rb"\[ 0 [\d ]+\] /Contents", base())
    assert place is not None
    inner = b"[ " + numbers
    data = base().replace(place[0], inner.ljust(len(place[0]) - 11) + b"] /Contents")
    found = collect(data).signatures[0]
    assert found.modification == "forbidden"
    assert any("byte range" in fault for fault in found.faults)
    assert found.malformed is Malformed.UNDECODABLE
    assert found.cms.integrity is Integrity.UNVERIFIABLE


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_is_a_typed_refusal_or_is_judged(data: st.DataObject) -> None:
    document = bytearray(update(base(), ALLOWED["a field filled in"]))
    at = data.draw(st.integers(0, len(document) - 1))
    document[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert collect(bytes(document)).signatures
    except PdfSyntaxError:
        return
