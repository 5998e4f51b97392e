"""Where a file counts from, and files with two tables: one reading, or a refusal."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.validation.facts import SignatureFacts
from signer.validation.pdf import revisions
from signer.validation.pdf.aftermath import Aftermaths, ByteRange
from signer.validation.pdf.changes import HYBRID, ChangeAnalysis
from signer.validation.pdf.comparer import Level
from signer.validation.pdf.layout import CONTRADICTORY
from signer.validation.pdf.values import PdfSyntaxError
from signer.validation.pdf_facts import collect
from tests.unit.packed_revisions import packed_update
from tests.unit.test_validation_changes import (
    ALLOWED,
    FORBIDDEN,
    base,
    certified,
    covered,
    update,
    with_entry,
)

JUNK = b"MIME-Version: 1.0\r\n\r\n"


def signature(data: bytes) -> SignatureFacts:
    found = collect(data).signatures
    assert len(found) == 1
    return found[0]


def unsigned() -> bytes:
    """The base before its byte range was filled in."""
    return re.sub(rb"\[ 0 [\d ]+\] /Contents", _placeholder, base())


def _placeholder(found: re.Match[bytes]) -> bytes:
    numbers = b"[ 0 1111111111 1111111111 1111111111"
    return numbers.ljust(len(found[0]) - 11) + b"] /Contents"


def moved(data: bytes, by: int) -> bytes:
    """The document with its offsets counted from the first byte of what is `by` bytes longer."""
    data = re.sub(rb"(\d{10}) (\d{5}) n", lambda m: b"%010d %s n" % (int(m[1]) + by, m[2]), data)
    data = re.sub(rb"startxref\n(\d+)", lambda m: b"startxref\n%d" % (int(m[1]) + by), data)
    return re.sub(rb"/Prev (\d+)", lambda m: b"/Prev %d" % (int(m[1]) + by), data)


@pytest.mark.parametrize("counted_from", ["header", "first byte"])
def test_bytes_before_the_header(counted_from: str) -> None:
    plain = unsigned()
    data = covered(JUNK + (moved(plain, len(JUNK)) if counted_from == "first byte" else plain))
    found = signature(data)
    assert found.modification == "none"
    assert found.findings == ("bytes stand before the header of the document",)


def test_bytes_put_before_the_header_afterwards_break_the_signature() -> None:
    assert signature(JUNK + base()).modification == "forbidden"


@pytest.mark.parametrize("changes", [ALLOWED, FORBIDDEN])
def test_revisions_after_a_header_that_is_not_first(changes: dict[str, dict[int, bytes]]) -> None:
    expected = "allowed" if changes is ALLOWED else "forbidden"
    once = covered(JUNK + moved(unsigned(), len(JUNK)))
    for name, objects in changes.items():
        found = [s for s in collect(update(once, objects)).signatures if s.field == "Sig1"]
        assert {str(s.modification) for s in found} == {expected}, name


def test_offsets_that_lead_to_two_places_are_refused() -> None:
    """Counted from the header one table is found, counted from the first byte another."""
    data = base()
    last = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    junk = b" " * 100
    both = bytearray(junk + data)
    assert both[last : last + 4] != b"xref"
    both[last : last + 5] = b"xref\n"
    with pytest.raises(PdfSyntaxError, match="from where the file counts"):
        collect(bytes(both))


def test_a_header_too_far_into_the_file_is_none() -> None:
    with pytest.raises(PdfSyntaxError, match="no PDF header"):
        collect(b" " * 1024 + base())


# ---- hybrid-reference files (ISO 32000-2 §7.5.8.4)


def hybrid(data: bytes, *, contradicting: bool) -> bytes:
    """A revision whose table has a stream beside it that names one more object, or a listed one elsewhere."""
    previous = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    identifier = re.search(rb"/ID \[.*?\]", data)
    assert identifier is not None
    filled = len(data)
    body = b"4 0 obj\n%s\nendobj\n" % with_entry(4, b"/V (Ana)")
    extra = filled + len(body)
    body += b"11 0 obj\n(hidden from older readers)\nendobj\n"
    number = 4 if contradicting else 11
    entry = b"\1" + extra.to_bytes(4, "big") + b"\0"
    beside = filled + len(body)
    body += (
        b"12 0 obj\n<</Type/XRef/Size 13/Index[%d 1]/W[1 4 1]/Length 6>>stream\n%s\nendstream\nendobj\n"
        % (
            number,
            entry,
        )
    )
    start = filled + len(body)
    rows = {4: filled, 12: beside} | ({11: extra} if contradicting else {})
    table = b"".join(b"%d 1\n%010d 00000 n \n" % row for row in sorted(rows.items()))
    if not contradicting:
        table += b"11 1\n0000000000 00000 f \n"
    trailer = b"trailer\n<</Size 13/Root 1 0 R/Prev %d/XRefStm %d %s>>\n" % (previous, beside, identifier[0])
    return data + body + b"xref\n" + table + trailer + b"startxref\n%d\n%%%%EOF\n" % start


def test_a_hybrid_update_is_judged_as_new_readers_see_it_and_told() -> None:
    found = signature(hybrid(base(), contradicting=False))
    assert found.modification == "allowed"
    assert HYBRID in found.findings


def test_a_hybrid_update_whose_tables_contradict_each_other_is_forbidden() -> None:
    found = signature(hybrid(base(), contradicting=True))
    assert found.modification == "forbidden"
    assert CONTRADICTORY in found.changes


def test_a_signature_over_a_hybrid_file_says_so() -> None:
    data = update(hybrid(base(), contradicting=True), {13: b"(a signature that is signed over all of it)"})
    gap = data.rindex(b"(a signature")
    over_all = ByteRange(gap, gap + 1, len(data) - 1)
    found = Aftermaths(ChangeAnalysis(data)).of({}, over_all)
    assert found.modification == "none"
    assert found.findings == (HYBRID, CONTRADICTORY)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 5), st.binary(max_size=40), st.data())
def test_only_the_typed_error_leaves_hostile_sections(kind: int, junk: bytes, data: st.DataObject) -> None:
    documents = [
        base(),
        JUNK + base(),
        hybrid(base(), contradicting=False),
        certified(b"/DocMDP", b"<<>>"),
        update(base(), ALLOWED["validation data"]),
        hybrid(base(), contradicting=True),
    ]
    document = bytearray(documents[kind])
    at = data.draw(st.integers(0, len(document)))
    document[at : at + data.draw(st.integers(0, len(junk)))] = junk
    try:
        collect(bytes(document))
    except PdfSyntaxError:
        return


# ---- object streams (ISO 32000-2 §7.5.7)


def field_with(value: bytes) -> bytes:
    return with_entry(4, b"/V (%s)" % value)


def test_packed_revisions_are_compared_like_others() -> None:
    filled = packed_update(base(), {}, {13: [(4, field_with(b"Ana"))]}, section=14)
    assert signature(filled).modification == "allowed"
    turned = packed_update(base(), {}, {13: [(6, with_entry(6, b"/Rotate 90"))]}, section=14)
    assert signature(turned).modification == "forbidden"


def test_objects_of_an_overwritten_object_stream_are_read_anew() -> None:
    """Their entries stay, and yet they change: what came next is compared with what readers see."""
    data = packed_update(base(), {}, {13: [(4, field_with(b"Ana"))]}, section=14)
    swapped = {13: [(4, field_with(b"Eva"))]}
    data = packed_update(data, {}, swapped, section=15, unlisted=frozenset({4}))
    data = packed_update(data, {4: field_with(b"Ana")}, {}, section=16)
    analysis = ChangeAnalysis(data)
    assert "object stream 13 in use is overwritten" in analysis.document.revisions[2].oddities
    assert "object 4 is in an older object stream" not in analysis.document.revisions[2].oddities
    assert [log.level for log in analysis.logs[1:]] == [Level.FORM, Level.UNDEFINED, Level.FORM]
    assert signature(data).modification == "forbidden"


def test_many_objects_are_forgotten_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict does not depend on how much is remembered."""
    documents = [update(base(), objects) for objects in (*ALLOWED.values(), *FORBIDDEN.values())]
    before = [collect(document) for document in documents]
    monkeypatch.setattr(revisions, "_MOST_VALUES", 2)
    assert [collect(document) for document in documents] == before
