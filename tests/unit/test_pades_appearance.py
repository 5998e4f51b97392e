"""How visible signatures look, read back from real pages with PDFium."""

import io
import re
import zlib
from datetime import UTC, datetime

import pikepdf
import pypdfium2
import pytest
import segno
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.pades import font
from signer.pades.appearance import Appearance, draw
from signer.pades.options import AppearanceText

WINTER = datetime(2026, 1, 14, 8, 15, 32, tzinfo=UTC)
SUMMER = datetime(2026, 7, 14, 8, 15, 32, tzinfo=UTC)
MAYOR = AppearanceText(
    name="Ștefan-Mihai Țurcanu",
    capacity="Primar al județului Brăila, împuternicit",
    register_number="12345/14.03.2025",
    verification_uri="https://verifica.primaria.ro/d/01J9ZK3M8Q",
)


def page_with(appearance: Appearance) -> bytes:
    """A page that shows the appearance, assembled from its numbered objects."""
    bodies = appearance.objects(4)
    page = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {appearance.width} {appearance.height}]"
        " /Resources << /XObject << /X 4 0 R >> >> /Contents 3 0 R >>"
    ).encode()
    objects = [
        (1, b"<< /Type /Catalog /Pages 2 0 R >>"),
        (2, b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % (4 + len(bodies))),
        (3, b"<< /Length 5 >>\nstream\n/X Do\nendstream"),
        *enumerate(bodies, 4),
        (4 + len(bodies), page),
    ]
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in objects)
    out = io.BytesIO()
    with pikepdf.open(
        io.BytesIO(body + b"trailer\n<< /Root 1 0 R /Size 99 >>\n%%EOF"), suppress_warnings=True
    ) as pdf:
        pdf.save(out)
    return out.getvalue()


def text_of(appearance: Appearance) -> str:
    document = pypdfium2.PdfDocument(page_with(appearance))
    text: str = document[0].get_textpage().get_text_range()
    return text.replace("\r\n", "\n")


def test_every_text_can_be_read_back() -> None:
    text = text_of(draw(MAYOR, signing_time=WINTER, reason="Aprob în ședință"))
    assert text.split("\n") == [
        "SEMNAT ELECTRONIC",
        "Ștefan-Mihai Țurcanu",
        "Primar al județului Brăila, împuternicit",
        "Nr. 12345/14.03.2025",
        "14.01.2026, ora 10:15:32 (UTC+02:00)",
        "Motiv: Aprob în ședință",
    ]


def test_time_is_romanian_time_in_summer_too() -> None:
    assert "14.07.2026, ora 11:15:32 (UTC+03:00)" in text_of(draw(MAYOR, signing_time=SUMMER))


def test_parts_that_are_not_given_leave_no_trace() -> None:
    assert text_of(draw(AppearanceText(name="Ana Pop"), signing_time=WINTER)).split("\n") == [
        "SEMNAT ELECTRONIC",
        "Ana Pop",
        "14.01.2026, ora 10:15:32 (UTC+02:00)",
    ]


def test_letters_given_in_pieces_are_composed() -> None:
    assert "Țuca" in text_of(draw(AppearanceText(name="T\u0326uca"), signing_time=WINTER))


def test_a_name_is_needed() -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        draw(AppearanceText(name=" \n"), signing_time=WINTER)
    assert refusal.value.reason == "APPEARANCE_NAME_MISSING"


@pytest.mark.parametrize("uri", ["https://a.ro/" + "x" * 600, "https://a.ro/\n", "https://a.ro/\ud800"])
def test_endless_and_unprintable_addresses_are_refused(uri: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        draw(AppearanceText(name="Ana", verification_uri=uri), signing_time=WINTER)
    assert refusal.value.reason == "VERIFICATION_URI_INVALID"


def test_qr_code_shows_every_module() -> None:
    """Rendered and sampled at the middle of each module, it is the code that segno made."""
    drawn = draw(MAYOR, signing_time=WINTER)
    matrix = [list(row) for row in segno.make_qr(MAYOR.verification_uri, error="m").matrix]
    scale = 8
    image = pypdfium2.PdfDocument(page_with(drawn))[0].render(scale=scale, grayscale=True)
    pixels, stride = bytes(image.buffer), image.stride
    side = drawn.height - 16
    module = side / len(matrix)
    left, top = drawn.width - 8 - side, 8.0
    seen = [
        [
            int(
                pixels[
                    int((top + (row + 0.5) * module) * scale) * stride
                    + int((left + (column + 0.5) * module) * scale)
                ]
                < 128
            )
            for column in range(len(matrix))
        ]
        for row in range(len(matrix))
    ]
    assert seen == matrix


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=200).filter(lambda text: bool(font.drawable(text))),
    st.text(max_size=300),
    st.text(max_size=300),
    st.booleans(),
)
def test_no_text_leaves_the_frame(name: str, capacity: str, reason: str, code: bool) -> None:
    text = AppearanceText(name, capacity, verification_uri="https://a.ro" if code else "")
    drawn = draw(text, signing_time=WINTER, reason=reason)
    right = drawn.width - 8 - (drawn.height - 8 if code else 0)
    for line in drawn.content.decode().split("\n"):
        if line.startswith("BT"):
            words = line.split()
            face, size, left, baseline = words[5], float(words[6]), float(words[10]), float(words[11])
            subset = drawn.bold if face == "/B" else drawn.regular
            digits = words[13].strip("<>")
            glyphs = [int(digits[at : at + 4], 16) for at in range(0, len(digits), 4)]
            width = sum(subset.widths[glyph] for glyph in glyphs) * size / 1000
            assert left + width <= right + 0.5
            assert 2 < baseline < drawn.height - 2


def test_embedded_font_holds_the_outlines_of_the_whole_one() -> None:
    subset = font.regular().subset(["Țară"])
    program = zlib.decompress(subset.program)
    small = TTFont(io.BytesIO(program), checkChecksums=2)
    assert len(program) == subset.program_length
    assert small["maxp"].numGlyphs == len(subset.glyphs) + 1
    assert small["loca"].locations[-1] == len(small.reader["glyf"])
    assert {"glyf", "head", "hhea", "hmtx", "loca", "maxp"} == set(small.reader.tables)
    assert set(subset.glyphs) == set("Țară")
    assert all(small["glyf"][name].numberOfContours > 0 for name in small.getGlyphOrder())


def test_letters_that_the_font_lacks_are_drawn_as_missing() -> None:
    subset = font.bold().subset(["A漢"])
    assert subset.encode("A漢") == b"<00010000>"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_objects_are_numbered_without_gaps(rotation: int) -> None:
    bodies = draw(MAYOR, signing_time=WINTER, rotation=rotation).objects(50)
    text = b"".join(bodies)
    assert len(bodies) == 1 + 2 * font.OBJECTS_PER_FONT
    assert {int(number) for number in re.findall(rb"(\d+) 0 R", text)} == set(range(51, 63))
