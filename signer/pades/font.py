"""Fonts for visible signatures: measuring text, and embedding just the glyphs that are drawn.

The two fonts beside this package (DejaVu Sans, regular and bold) hold simple glyphs only, so a subset is a
choice of glyph outlines under new numbers. It is embedded as a Type0 font with Identity-H encoding and a
ToUnicode map (ISO 32000-2 §9.7), as PDF/A asks and as text extraction needs.
"""

import hashlib
import struct
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont

OBJECTS_PER_FONT = 6
"""A font takes six indirect objects: Type0, CIDFont, descriptor, font program, ToUnicode, CIDSet."""


@dataclass(frozen=True)
class FontSubset:
    """Some glyphs of a font, numbered from 1 in code point order; 0 is .notdef.

    glyphs: character to glyph number, which is also its two-byte code in content streams.
    widths: advance widths in thousandths of the font size, by glyph number.
    """

    tag_name: str
    glyphs: dict[str, int]
    widths: tuple[int, ...]
    box: tuple[int, int, int, int]
    ascent: int
    descent: int
    program: bytes
    program_length: int

    def encode(self, text: str) -> bytes:
        """Codes of `text` as a hexadecimal PDF string."""
        return b"<%s>" % b"".join(b"%04X" % self.glyphs.get(character, 0) for character in text)

    def objects(self, first: int) -> list[bytes]:
        """Bodies of the font's objects, numbered from `first`; the first one is the Type0 font."""
        name = self.tag_name.encode()
        to_unicode = zlib.compress(self._to_unicode())
        # One bit for each glyph from the left: all are there. PDF/A-1 asks for it (ISO 19005-1 §6.3.5).
        count = len(self.widths)
        present = ((1 << count) - 1 << -count % 8).to_bytes((count + 7) // 8, "big")
        return [
            b"<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H"
            b" /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (name, first + 1, first + 4),
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            b" /CIDToGIDMap /Identity /DW 0 /W [0 [%s]] /FontDescriptor %d 0 R >>"
            % (name, b" ".join(b"%d" % width for width in self.widths), first + 2),
            b"<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0"
            b" /Ascent %d /Descent %d /CapHeight 729 /StemV 80 /FontFile2 %d 0 R /CIDSet %d 0 R >>"
            % (name, *self.box, self.ascent, self.descent, first + 3, first + 5),
            b"<< /Length %d /Length1 %d /Filter /FlateDecode >>\nstream\n%s\nendstream"
            % (len(self.program), self.program_length, self.program),
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(to_unicode), to_unicode),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(present), present),
        ]

    def _to_unicode(self) -> bytes:
        """CMap from glyph numbers to UTF-16 (ISO 32000-2 §9.10.3)."""
        rows = [
            b"<%04X> <%s>" % (glyph, character.encode("utf-16-be").hex().upper().encode())
            for character, glyph in self.glyphs.items()
        ]
        blocks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
        return b"\n".join(
            [
                b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap",
                b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
                b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def",
                b"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange",
                *(b"%d beginbfchar\n%s\nendbfchar" % (len(block), b"\n".join(block)) for block in blocks),
                b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend",
            ]
        )


class Font:
    """One of the fonts that come with this package."""

    def __init__(self, file_name: str) -> None:
        font = TTFont(Path(__file__).parent / "fonts" / file_name, lazy=True)
        order = {name: number for number, name in enumerate(font.getGlyphOrder())}
        self._name = Path(file_name).stem
        self._units: int = font["head"].unitsPerEm
        self._glyph_of = {chr(code): order[name] for code, name in font.getBestCmap().items()}
        self._metrics = [font["hmtx"].metrics[name] for name in font.getGlyphOrder()]
        self._outlines: bytes = font.reader["glyf"]
        self._starts = list(font["loca"].locations)
        self._head: bytes = font.reader["head"]
        self._hhea: bytes = font.reader["hhea"]
        self._maxp: bytes = font.reader["maxp"]
        self._box = tuple(getattr(font["head"], name) for name in ("xMin", "yMin", "xMax", "yMax"))

    def _scaled(self, units: int) -> int:
        return round(units * 1000 / self._units)

    @cached_property
    def _advances(self) -> dict[str, int]:
        return {
            character: self._scaled(self._metrics[glyph][0]) for character, glyph in self._glyph_of.items()
        }

    def width(self, text: str, size: float) -> float:
        """Width of `text` in points at `size` points."""
        missing = self._scaled(self._metrics[0][0])
        return sum(self._advances.get(character, missing) for character in text) * size / 1000

    def known(self, text: str) -> str:
        """`text` with a question mark for each letter that the font does not have."""
        return "".join(character if character in self._glyph_of else "?" for character in text)

    def subset(self, texts: Iterable[str]) -> FontSubset:
        """The glyphs that `texts` need."""
        return self._subset("".join(sorted({c for text in texts for c in text if c in self._glyph_of})))

    @lru_cache(maxsize=64)  # noqa: B019  (the two fonts live as long as the process)
    def _subset(self, characters: str) -> FontSubset:
        chosen = [0, *(self._glyph_of[character] for character in characters)]
        program = self._program(chosen)
        digest = hashlib.sha256(self._name.encode() + characters.encode()).digest()
        tag = "".join(chr(ord("A") + byte % 26) for byte in digest[:6])
        ascent, descent = struct.unpack(">hh", self._hhea[4:8])
        low_x, low_y, high_x, high_y = (self._scaled(edge) for edge in self._box)
        return FontSubset(
            tag_name=f"{tag}+{self._name}",
            glyphs={character: number for number, character in enumerate(characters, 1)},
            widths=tuple(self._scaled(self._metrics[glyph][0]) for glyph in chosen),
            box=(low_x, low_y, high_x, high_y),
            ascent=self._scaled(ascent),
            descent=self._scaled(descent),
            program=zlib.compress(program, 9),
            program_length=len(program),
        )

    def _program(self, chosen: list[int]) -> bytes:
        """A TrueType font of the `chosen` glyphs: the tables that ISO 32000-2 §9.9.2 asks for."""
        outlines = [self._outlines[self._starts[glyph] : self._starts[glyph + 1]] for glyph in chosen]
        outlines = [outline + bytes(-len(outline) % 4) for outline in outlines]
        offsets = [0]
        for outline in outlines:
            offsets.append(offsets[-1] + len(outline))
        metrics = b"".join(struct.pack(">Hh", *self._metrics[glyph]) for glyph in chosen)
        long_offsets = struct.pack(">h", 1)
        return _sfnt(
            {
                b"glyf": b"".join(outlines),
                b"head": self._head[:8] + bytes(4) + self._head[12:50] + long_offsets + self._head[52:],
                b"hhea": self._hhea[:34] + struct.pack(">H", len(chosen)),
                b"hmtx": metrics,
                b"loca": struct.pack(f">{len(offsets)}I", *offsets),
                b"maxp": self._maxp[:4] + struct.pack(">H", len(chosen)) + self._maxp[6:],
            }
        )


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF


def _sfnt(tables: dict[bytes, bytes]) -> bytes:
    """TrueType file of `tables` in tag order, with its checksums (OpenType specification, “Font file”)."""
    count = len(tables)
    power = count.bit_length() - 1
    header = struct.pack(">IHHHH", 0x00010000, count, 16 << power, power, 16 * (count - (1 << power)))
    position = 12 + 16 * count
    directory, body, head_position = b"", b"", 0
    for tag, data in tables.items():
        if tag == b"head":
            head_position = position + len(body)
        directory += struct.pack(">4sIII", tag, _checksum(data), position + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    font = bytearray(header + directory + body)
    adjustment = (0xB1B0AFBA - _checksum(bytes(font))) & 0xFFFFFFFF
    font[head_position + 8 : head_position + 12] = struct.pack(">I", adjustment)
    return bytes(font)


@lru_cache(maxsize=1)
def regular() -> Font:
    """DejaVu Sans."""
    return Font("DejaVuSans.ttf")


@lru_cache(maxsize=1)
def bold() -> Font:
    """DejaVu Sans Bold."""
    return Font("DejaVuSans-Bold.ttf")


def drawable(text: str) -> str:
    """`text` on one line in composed letters (NFC), without control characters."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(character for character in composed if character.isprintable())
