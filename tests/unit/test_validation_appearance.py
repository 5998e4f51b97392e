"""What pages look like before and after: differences, pictures, overlaps, and what is not drawn at all."""

import io
import struct
import zlib
from collections.abc import Callable

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.pades.options import AppearanceText, Certification
from signer.validation import read_facts
from signer.validation.facts import DocumentFacts, SignatureFacts
from signer.validation.pdf.appearance import comparison, pixels
from signer.validation.pdf.appearance.picture import side_by_side
from signer.validation.pdf.appearance.rendering import Bitmap
from signer.validation.pdf.values import Reference, Value
from signer.validation.plain import from_plain, to_plain
from signer.validation.sandbox import ValidationWorker
from tests.attacks import overlays
from tests.attacks.documents import VICTIM, countersigned, opened, saved, sign, signed, unsigned
from tests.attacks.updates import Signed, form, stream
from tests.unit.validation_documents import OFF

_FORGED = b"BT /F1 14 Tf 40 200 Td (Se aproba plata sumei de 9000 lei) Tj ET"


def replaced() -> bytes:
    d = opened()
    return d.update({d.number(*d.page(1), "/Contents"): stream(_FORGED)})


def victim(data: bytes) -> SignatureFacts:
    (found,) = [s for s in read_facts(data).signatures if s.field == VICTIM]
    return found


def png_rows(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of three octets a pixel of a picture that is not filtered."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, size = 8, b"", (0, 0)
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        body = png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        size = struct.unpack(">II", body[:8]) if kind == b"IHDR" else size
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    plain, row = zlib.decompress(data), size[0] * 3 + 1
    rows = [plain[start : start + row] for start in range(0, len(plain), row)]
    assert all(line[0] == 0 for line in rows)
    return size[0], size[1], [line[1:] for line in rows]


# ---- facts


def test_a_changed_page_is_named_and_shown() -> None:
    facts = victim(replaced())
    assert facts.modification == "forbidden"
    assert facts.changes[0] == "page 2 looks different"
    assert facts.changed_pages == (2,)
    (change,) = facts.visual_changes
    left, bottom, right, top = change.rectangle
    assert change.page == 2
    assert left < 45 and right > 200
    assert bottom < 205 and 265 < top < 300
    width, height, rows = png_rows(change.picture)
    assert (width, height) == (2 * 400 + 6, 300)
    assert sum(line.count(b"\xd0\x10\x10") for line in rows) > 400  # the frames


def test_facts_with_pictures_are_plain_values() -> None:
    facts = read_facts(replaced())
    assert from_plain(DocumentFacts, to_plain(facts)) == facts


def test_without_rendering_the_rules_alone_speak() -> None:
    facts = read_facts(replaced(), rendering=False).signatures[0]
    assert facts.modification == "forbidden"
    assert (facts.visual_changes, facts.changed_pages) == ((), ())


def test_signatures_after_the_change_are_not_blamed() -> None:
    later = countersigned(overlays.free_text([30, 170, 390, 280], b"1 1 1 rg 0 0 360 110 re f"))
    first, second = read_facts(later).signatures
    assert (first.modification, second.modification) == ("forbidden", "none")
    assert second.visual_changes == ()


def test_an_overlap_that_hides_nothing_is_a_finding() -> None:
    over_the_field = overlays.free_text([35, 8, 185, 55], b"1 0 0 RG 1 1 148 45 re S")
    facts = victim(over_the_field)
    assert facts.modification == "allowed"
    assert facts.findings == (
        f"annotation FreeText added on page 1 overlaps signature field {VICTIM!r}",
        f"page 1: signature field {VICTIM!r} and annotation FreeText overlap",
    )


@pytest.mark.parametrize(
    ("certification", "expected"), [(None, "allowed"), (Certification.ANNOTATIONS, "forbidden")]
)
def test_a_little_that_a_signature_hides_is_held_against_certifications(
    certification: Certification | None, expected: str
) -> None:
    covered = overlays.second_signature(
        [205, 217, 214, 234], b"1 1 1 rg 0 0 9 17 re f", certification=certification
    )
    facts = victim(covered)
    assert facts.modification == expected
    words = "signature field 'Martor' added on page 1 hides what was there"
    assert words in (facts.findings if certification is None else facts.changes)
    assert bool(facts.visual_changes) is (certification is not None)


@pytest.mark.parametrize(
    ("drawn", "expected"), [(b"(..........................) Tj", "allowed"), (b"(1000 lei) Tj", "forbidden")]
)
def test_a_filled_field_may_hide_lines_but_no_words(drawn: bytes, expected: str) -> None:
    d = Signed(unsigned())
    page = stream(b"BT /F1 14 Tf 44 112 Td %s ET" % drawn)
    d = Signed(sign(d.update({d.number(*d.page(), "/Contents"): page}), field_name=VICTIM))
    opaque = form(b"1 1 1 rg 0 0 120 16 re f", 120, 16)
    look: Value = {"/N": Reference(d.free, 0)}
    facts = victim(d.update(d.changed(d.field_path("functia"), V=b"x", AP=look) | {d.free: opaque}))
    assert facts.modification == expected
    words = "field 'functia' changed on page 1 hides what was there"
    assert words in (facts.findings if expected == "allowed" else facts.changes)


@pytest.mark.parametrize(
    ("value", "shown", "contradicts"),
    [
        (b"9000", b"(1000) Tj", True),
        (b"1000", b"(1 000,00 lei) Tj", False),
        (b"Ana", b"[(A) -20 (na)] TJ", False),
        (b"Ana", b"(\\001\\002) Tj", False),
        (b"\xfe\xff\x02\x18", b"(Eva) Tj", False),
        (b"Ana", b"", False),
    ],
)
def test_a_field_that_shows_other_words_than_its_value(value: bytes, shown: bytes, contradicts: bool) -> None:
    d = opened()
    look: Value = {"/N": Reference(d.free, 0)}
    drawn = form(b"BT /F1 10 Tf 2 4 Td %s ET" % shown, 120, 16)
    facts = victim(d.update(d.changed(d.field_path("functia"), V=value, AP=look) | {d.free: drawn}))
    assert facts.modification == "allowed"
    assert ("field 'functia' shows other words than its value" in facts.findings) is contradicts


def _with_hidden_comment() -> Signed:
    """Signed with a comment that no reader shows, which lies over the sum."""
    d = Signed(unsigned())
    comments: list[Value] = [*d.items(*d.page(), "/Annots"), Reference(d.free, 0)]
    comment: Value = {
        "/Type": "/Annot",
        "/Subtype": "/FreeText",
        "/Rect": [200, 215, 260, 235],
        "/F": 2,
        "/AP": {"/N": Reference(d.free + 1, 0)},
    }
    cover = form(b"1 1 1 rg 0 0 60 20 re f", 60, 20)
    prepared = d.update({d.number(*d.page(), "/Annots"): comments, d.free: comment, d.free + 1: cover})
    return Signed(sign(prepared, field_name=VICTIM))


def test_a_comment_that_was_hidden_when_it_was_signed_hides_nothing_later() -> None:
    d = _with_hidden_comment()
    comment = (*d.page(), "/Annots", 5)
    assert victim(d.update(d.changed(comment, F=4))).modification == "forbidden"
    assert victim(d.update(d.changed(comment, Contents=b"verificat"))).modification == "allowed"


def test_a_comment_that_hid_something_before_may_be_edited() -> None:
    d = _with_hidden_comment()
    shown = Signed(d.update(d.changed((*d.page(), "/Annots", 5), F=4)))
    second = Signed(sign(shown.data, field_name="Secretar"))
    edited = second.update(second.changed((*second.page(), "/Annots", 5), Contents=b"verificat"))
    (later,) = [s for s in read_facts(edited).signatures if s.field == "Secretar"]
    assert later.modification == "allowed"


def _transformed(change: Callable[[pikepdf.Page], None]) -> bytes:
    with pikepdf.open(io.BytesIO(unsigned())) as pdf:
        for page in pdf.pages:
            change(page)
        return saved(pdf)


def _turned(page: pikepdf.Page) -> None:
    page.obj.Rotate = 90


def _cropped(page: pikepdf.Page) -> None:
    page.obj.CropBox = pikepdf.Array([20, 5, 380, 290])


def _huge(page: pikepdf.Page) -> None:
    page.obj.MediaBox = pikepdf.Array([0, 0, 14_400, 14_400])


@pytest.mark.parametrize("change", [_turned, _cropped, _huge])
def test_pages_of_every_shape_pass_when_signed_twice(change: Callable[[pikepdf.Page], None]) -> None:
    twice = countersigned(sign(_transformed(change), field_name=VICTIM))
    facts = victim(twice)
    assert (facts.modification, facts.visual_changes, facts.changed_pages) == ("allowed", (), (1,))


def test_a_new_signature_in_a_free_place_passes() -> None:
    shown = sign(signed(), appearance=AppearanceText("Ana Popescu", "Martor"))
    facts = victim(shown)
    assert (facts.modification, facts.findings) == ("allowed", ())


# ---- what is drawn


def test_nothing_is_drawn_for_what_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Bitmap:
        raise AssertionError("drawn")

    monkeypatch.setattr(comparison, "draw", refuse)
    d = opened()
    store = d.update(d.changed(("/Root",), DSS={"/Certs": []}))
    unseen = sign(store, field_name="Martor")
    assert victim(unseen).modification == "allowed"
    with pytest.raises(AssertionError, match="drawn"):
        read_facts(replaced())


def test_beyond_the_budget_pages_are_told_and_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_DRAWINGS", 0)
    facts = victim(countersigned(signed()))
    assert facts.modification == "allowed"
    assert facts.findings == ("pages not compared as drawn, as the limit was reached: 1",)


def test_a_document_that_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_SECONDS", -1.0)
    assert victim(countersigned(signed())).findings[0].startswith("pages not compared")


def test_pages_are_drawn_within_the_limits_of_the_sandbox() -> None:
    with ValidationWorker() as worker:
        (verdict,) = worker.validate(replaced(), OFF).signatures
    assert verdict.modification == "forbidden"
    assert verdict.changes[0] == "page 2 looks different"
    assert verdict.conclusion.sub_indication == "FORMAT_FAILURE"


# ---- pixels


def bitmap(width: int, height: int, dots: dict[tuple[int, int], bytes], paper: bytes = b"\xff") -> Bitmap:
    octets = bytearray(paper * 4 * width * height)
    for (x, y), colour in dots.items():
        octets[(y * width + x) * 4 : (y * width + x) * 4 + 3] = colour
    return Bitmap(width, height, bytes(octets), 1.0)


INK = b"\0\0\0"
TEXT = {(x, y): INK for x in range(10, 40, 3) for y in range(10, 20)}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_box_is_the_smallest_around_all_differences(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    places = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    dots = data.draw(st.dictionaries(places, st.sampled_from([b"\0\0\0", b"\xff\xff\xfe", b"\xfe\xff\xff"])))
    box = pixels.difference(bitmap(width, height, {}), bitmap(width, height, dots))
    if not dots:
        assert box is None
        return
    columns, rows = [x for x, _ in dots], [y for _, y in dots]
    assert box == (min(columns), min(rows), max(columns) + 1, max(rows) + 1)


def test_pages_of_two_sizes_differ_as_a_whole() -> None:
    assert pixels.difference(bitmap(20, 10, {}), bitmap(10, 30, {})) == (0, 0, 20, 30)


def test_ink_that_became_paper_is_hidden() -> None:
    found = pixels.hidden(bitmap(80, 60, TEXT), bitmap(80, 60, {}))
    assert found is not None
    left, top, right, bottom = found.box
    assert left <= 10 and top <= 10 and right >= 38 and bottom >= 20
    assert found.part > 0.9


def test_drawing_on_empty_paper_hides_nothing() -> None:
    beside = TEXT | {(x, y): INK for x in range(50, 70) for y in range(30, 50)}
    assert pixels.hidden(bitmap(80, 60, TEXT), bitmap(80, 60, beside)) is None


def test_a_black_box_hides_what_is_under_it() -> None:
    box = TEXT | {(x, y): INK for x in range(5, 45) for y in range(5, 25)}
    assert pixels.hidden(bitmap(80, 60, TEXT), bitmap(80, 60, box)) is not None


def test_light_drawing_on_dark_paper_can_be_hidden_too() -> None:
    light = {place: b"\xff\xff\xff" for place in TEXT}
    before = bitmap(80, 60, light, b"\x20")
    assert pixels.hidden(before, bitmap(80, 60, {}, b"\x20")) is not None


def test_a_marker_pen_hides_nothing() -> None:
    marked = {(x, y): b"\xff\xff\0" for x in range(5, 45) for y in range(5, 25)} | TEXT
    assert pixels.hidden(bitmap(80, 60, TEXT), bitmap(80, 60, marked)) is None


def test_a_picture_of_a_page_that_was_not_there() -> None:
    width, height, rows = png_rows(side_by_side(None, bitmap(30, 20, {(29, 19): b"\1\2\3"}), (0, 0, 30, 20)))
    assert (width, height) == (66, 20)
    assert rows[10][:90] == b"\xff" * 90
    assert side_by_side(None, None, (0, 0, 1, 1)) == b""
