"""Where pages have text, and that signatures keep away from it."""

import zlib

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name

from signer.pades.page_text import text_areas
from signer.pades.placement import Page, Rectangle, free_cells

A4 = Page((0.0, 0.0, 595.0, 842.0))


def areas(content: bytes, **resources: pikepdf.Object) -> list[Rectangle]:
    """Text areas of a page with this content."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        page.Contents = pdf.make_stream(content)
        page.Resources = Dictionary({f"/{name}": value for name, value in resources.items()})
        return text_areas(page.obj)


def test_a_line_stands_where_its_matrices_put_it() -> None:
    ((left, bottom, right, top),) = areas(b"q 1 0 0 1 10 20 cm BT /F 10 Tf 100 200 Td (Primar) Tj ET Q")
    assert (left, bottom, top) == (110.0, 217.5, 228.0)
    assert right == pytest.approx(110 + 6 * 0.55 * 10)


def test_lines_follow_each_other() -> None:
    content = b"BT /F 10 Tf 14 TL 50 700 Td (one) Tj T* [(two) -200 (2)] TJ (three) ' 0 -20 TD (four) Tj ET"
    assert [round(area[1]) for area in areas(content)] == [698, 684, 670, 650]


@pytest.mark.parametrize("content", [b"BT /F 10 Tf 3 Tr (scanned) Tj ET", b"BT /F 10 Tf (   ) Tj ET", b""])
def test_what_is_not_seen_is_no_text(content: bytes) -> None:
    assert areas(content) == []


def test_text_in_forms_counts() -> None:
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        form = pdf.make_stream(b"BT /F 10 Tf (Antet) Tj ET")
        form.Subtype, form.Matrix = Name.Form, Array([1, 0, 0, 1, 5, 7])
        page.Resources = Dictionary(XObject=Dictionary(Fm=form))
        page.Contents = pdf.make_stream(b"1 0 0 1 100 100 cm /Fm Do")
        ((left, bottom, *_),) = text_areas(page.obj)
    assert (left, bottom) == (105.0, 104.5)


def test_forms_in_a_circle_end() -> None:
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        form = pdf.make_stream(b"/Fm Do")
        form.Subtype, form.Resources = Name.Form, Dictionary(XObject=Dictionary(Fm=form))
        page.Resources, page.Contents = form.Resources, pdf.make_stream(b"/Fm Do")
        assert text_areas(page.obj) == []


def test_a_stream_that_swells_is_not_unpacked() -> None:
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        packed = zlib.compress(b"BT /F 9 Tf (x) Tj ET " + bytes(50_000_000), 9)
        page.Contents = pikepdf.Stream(pdf, packed, Filter=Name.FlateDecode)
        assert text_areas(page.obj) == []


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_content_is_read_or_let_be(content: bytes) -> None:
    for area in areas(b"BT /F 10 Tf (a) Tj ET " + content):
        assert len(area) == 4


def test_signatures_are_smaller_where_text_leaves_little_room() -> None:
    text = [(0.0, 130.0, 595.0, 842.0)]
    (one,) = free_cells(A4, [], 1, text)
    assert one[2] - one[0] == 255.0
    four = free_cells(A4, [], 4, text)
    assert all(cell[3] <= 130.0 for cell in four) and four[0][2] - four[0][0] < 255.0


def test_signatures_stand_on_text_where_there_is_nothing_else_and_never_on_each_other() -> None:
    everywhere = [(0.0, 0.0, 595.0, 842.0)]
    first = free_cells(A4, [], 8, everywhere)
    second = free_cells(A4, first, 2, everywhere)
    assert len(set(first + second)) == 10
