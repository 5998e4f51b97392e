"""Make the two small fonts beside this file from DejaVu Sans 2.37.

Run by hand: `python signer/pades/fonts/build.py FOLDER_WITH_DEJAVU_TTF`. It keeps the letters that names in
Latin and Cyrillic scripts need, with punctuation, drops hinting and layout tables, and turns
composite glyphs into simple ones, so that a further subset is a mere choice of glyphs.
"""

import sys
from pathlib import Path

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

SOURCES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
CHARACTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x218, 0x21C),
    *range(0x400, 0x460),
    *(ord(sign) for sign in "‐‑‒–—‘’‚“”„•…‹›€№™−"),
)


def decompose(font: TTFont) -> None:
    """Replace every composite glyph by its outline."""
    glyphs = font.getGlyphSet()
    table = font["glyf"]
    for name in font.getGlyphOrder():
        if table[name].isComposite():
            outline = DecomposingRecordingPen(glyphs)
            glyphs[name].draw(outline)
            pen = TTGlyphPen(None)
            outline.replay(pen)
            table[name] = pen.glyph()


def build(source: Path, target: Path) -> None:
    """Write the subset of the font `source` to `target`."""
    options = Options()
    options.hinting = False
    options.layout_features = []
    options.drop_tables += ["GDEF", "GPOS", "GSUB", "kern", "FFTM", "MATH", "gasp"]
    options.glyph_names = False
    options.notdef_outline = True
    options.recalc_timestamp = False
    font = TTFont(source, recalcTimestamp=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    decompose(font)
    font.save(target)


if __name__ == "__main__":
    for file_name in SOURCES:
        build(Path(sys.argv[1]) / file_name, Path(__file__).parent / file_name)
