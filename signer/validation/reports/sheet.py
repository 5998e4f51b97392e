"""Sheets of paper with tagged text, written as PDF/A-2 (ISO 19005-2, conformance level A).

Text stands in a structure tree (ISO 32000-1 §14.7), so that it is read aloud in order and can be taken out;
what only decorates is an artifact. Fonts are embedded, colours calibrated, nothing is transparent, and the
same input gives the same file.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

import pikepdf

from signer.pades import font as fonts
from signer.pades.font import Font, FontSubset

WIDTH, HEIGHT = 595.28, 841.89
"""A4 in points."""
MARGIN = 56.0
FLOOR = 62.0
"""Lowest point of what is written; the footer stands below."""

_COLOUR_SPACE = (
    b"[/CalRGB << /WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2]"
    b" /Matrix [0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505] >>]"
)
_PNG = b"\x89PNG\r\n\x1a\n"
_METADATA = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/">
<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True)
class Style:
    """How text looks: face (regular or bold), size and line height in points, colour, letter spacing."""

    face: Literal["R", "B"]
    size: float
    lead: float
    colour: str
    spacing: float = 0.0

    @property
    def font(self) -> Font:
        """The font of the face."""
        return fonts.bold() if self.face == "B" else fonts.regular()

    def width(self, text: str) -> float:
        """Width of `text` in points."""
        return self.font.width(text, self.size) + self.spacing * len(text)

    def wrap(self, text: str, room: float) -> list[str]:
        """`text` broken between words, and within one that is longer than `room`."""
        lines = [""]
        for word in self.font.known(text).split(" "):
            longer = f"{lines[-1]} {word}" if lines[-1] else word
            if self.width(longer) <= room:
                lines[-1] = longer
                continue
            pieces = self._pieces(word, room)
            lines += pieces if lines[-1] else []
            lines[-len(pieces) :] = pieces
        return lines

    def _pieces(self, word: str, room: float) -> list[str]:
        pieces = [""]
        for character in word:
            if pieces[-1] and self.width(pieces[-1] + character) > room:
                pieces.append("")
            pieces[-1] += character
        return pieces


@dataclass
class _Element:
    """An element of the structure tree. kids: elements, or (page, marked content)."""

    tag: str
    parent: "_Element | None"
    attributes: str = ""
    kids: list["_Element | tuple[int, int]"] = field(default_factory=list)


@dataclass(frozen=True)
class _Text:
    """A line of text at a place, to be encoded when all letters are known."""

    style: Style
    x: float
    y: float
    text: str


@dataclass
class _Page:
    """What is drawn, and which element each marked content belongs to."""

    drawn: list[str | _Text] = field(default_factory=list)
    marked: list[_Element] = field(default_factory=list)
    images: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """A picture as a PDF holds it. data: FlateDecode with PNG predictors, 8 bits a sample."""

    width: int
    height: int
    colours: int
    data: bytes


def read_png(png: bytes) -> Picture | None:
    """The samples of a plain PNG (8 bits, grey or RGB, not interlaced) as they stand; None of any other."""
    if not png.startswith(_PNG) or len(png) < 33:
        return None
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    if bits != 8 or kind not in (0, 2) or interlaced or not width or not height:
        return None
    data = b"".join(content for name, content in _chunks(png) if name == b"IDAT")
    return Picture(width, height, 3 if kind == 2 else 1, data)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_PNG)
    while position + 8 <= len(png):
        length, name = struct.unpack(">I4s", png[position : position + 8])
        yield name, png[position + 8 : position + 8 + length]
        position += length + 12


class Sheet:
    """Pages that fill from the top; `y` is where the next thing is put."""

    def __init__(self, title: str, language: str) -> None:
        self._title, self._language = title, language
        self._root = self._open_element = _Element("Document", None)
        self._pages: list[_Page] = []
        self._pictures: list[Picture] = []
        self.y = 0.0
        self.turn()

    def turn(self) -> None:
        """Begin a new page."""
        self._pages.append(_Page(["/C cs /C CS"]))
        self.y = HEIGHT - MARGIN

    def room(self, height: float) -> None:
        """Begin a new page unless `height` is left on this one."""
        if self.y - height < FLOOR:
            self.turn()

    @contextmanager
    def element(self, tag: str, attributes: str = "") -> Iterator[None]:
        """What is written in the block belongs to an element of the structure tree."""
        element = _Element(tag, self._open_element, attributes)
        self._open_element.kids.append(element)
        self._open_element = element
        try:
            yield
        finally:
            self._open_element = element.parent or self._root

    def line(self, style: Style, x: float, y: float, text: str) -> None:
        """Write a line of text that belongs to the open element, at its baseline."""
        with self._marked():
            self._page.drawn.append(_Text(style, x, y, text))

    def decoration(self, drawing: str) -> None:
        """Draw what has no meaning of its own: operators of a content stream (ISO 32000-1 Annex A)."""
        self._page.drawn.append(f"/Artifact BMC q {drawing} Q EMC")

    def picture(self, picture: Picture, x: float, y: float, width: float, height: float) -> None:
        """Draw a picture that belongs to the open element, with its lower left corner at (x, y)."""
        number = len(self._pictures)
        self._pictures.append(picture)
        self._page.images.append(number)
        with self._marked():
            matrix = f"{width:.2f} 0 0 {height:.2f} {x:.2f} {y:.2f}"
            self._page.drawn.append(f"q {matrix} cm /I{number} Do Q")

    @property
    def _page(self) -> _Page:
        return self._pages[-1]

    @contextmanager
    def _marked(self) -> Iterator[None]:
        page, element = self._page, self._open_element
        number = len(page.marked)
        page.marked.append(element)
        element.kids.append((len(self._pages) - 1, number))
        page.drawn.append(f"/{element.tag} << /MCID {number} >> BDC")
        yield
        page.drawn.append("EMC")

    def finish(self, footer: str, style: Style) -> bytes:
        """The file. footer: of each page, with `{page}` and `{count}`."""
        for index, page in enumerate(self._pages, 1):
            text = style.font.known(footer.format(page=index, count=len(self._pages)))
            x = WIDTH - MARGIN - style.width(text)
            page.drawn += ["/Artifact << /Type /Pagination >> BDC", _Text(style, x, 36, text), "EMC"]
        plain = _File(self._title, self._language, self._root, self._pages, self._pictures).write()
        return _packed(plain)


class _File:
    """Numbers the objects of a document and writes them."""

    def __init__(
        self, title: str, language: str, root: _Element, pages: list[_Page], pictures: list[Picture]
    ) -> None:
        self._title, self._language = title, language
        self._root, self._pages, self._pictures = root, pages, pictures
        self._objects: list[bytes] = []
        self._numbers: dict[int, int] = {}

    def write(self) -> bytes:
        """The whole file (ISO 32000-1 §7.5)."""
        catalog, pages, metadata, tree, parents = (self._add() for _ in range(5))
        subsets = {face: self._subset(face) for face in ("R", "B")}
        fonts_at = {face: self._add_font(subset) for face, subset in subsets.items()}
        pictures = [self._add_picture(picture) for picture in self._pictures]
        page_numbers = [self._add() for _ in self._pages]
        for element in _all(self._root):
            self._numbers[id(element)] = self._add()
        for index, page in enumerate(self._pages):
            resources = self._resources(page, fonts_at, pictures)
            content = self._add(_stream(zlib.compress(_content(page, subsets), 9), b"/Filter /FlateDecode"))
            self._objects[page_numbers[index] - 1] = (
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R"
                b" /StructParents %d /Tabs /S /Resources %s >>"
                % (pages, WIDTH, HEIGHT, content, index, resources)
            )
        for element in _all(self._root):
            self._objects[self._number(element) - 1] = self._structure(element, tree, page_numbers)
        self._objects[catalog - 1] = (
            b"<< /Type /Catalog /Pages %d 0 R /Metadata %d 0 R /StructTreeRoot %d 0 R /Lang (%s)"
            b" /MarkInfo << /Marked true >> /ViewerPreferences << /DisplayDocTitle true >> >>"
            % (pages, metadata, tree, self._language.encode())
        )
        self._objects[pages - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
            len(page_numbers),
            _references(page_numbers),
        )
        told = _METADATA.format(title=escape(self._title), language=self._language).encode()
        self._objects[metadata - 1] = _stream(told, b"/Type /Metadata /Subtype /XML")
        self._objects[tree - 1] = (
            b"<< /Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d >>"
            % (self._number(self._root), parents, len(self._pages))
        )
        rows = (
            b"%d [%s]" % (index, _references(self._number(element) for element in page.marked))
            for index, page in enumerate(self._pages)
        )
        self._objects[parents - 1] = b"<< /Nums [%s] >>" % b" ".join(rows)
        return _assemble(self._objects, catalog)

    def _add(self, body: bytes = b"") -> int:
        self._objects.append(body)
        return len(self._objects)

    def _number(self, element: _Element) -> int:
        return self._numbers[id(element)]

    def _subset(self, face: str) -> FontSubset:
        font = fonts.bold() if face == "B" else fonts.regular()
        texts = [item for page in self._pages for item in page.drawn if isinstance(item, _Text)]
        return font.subset(item.text for item in texts if item.style.face == face)

    def _add_font(self, subset: FontSubset) -> int:
        first = len(self._objects) + 1
        self._objects += subset.objects(first)
        return first

    def _add_picture(self, picture: Picture) -> int:
        space = _COLOUR_SPACE if picture.colours == 3 else b"[/CalGray << /WhitePoint [0.9505 1 1.089] >>]"
        entries = (
            b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace %s"
            b" /Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors %d /Columns %d >>"
        ) % (picture.width, picture.height, space, picture.colours, picture.width)
        return self._add(_stream(picture.data, entries))

    def _resources(self, page: _Page, fonts_at: dict[str, int], pictures: list[int]) -> bytes:
        images = b" ".join(b"/I%d %d 0 R" % (number, pictures[number]) for number in page.images)
        return b"<< /ColorSpace << /C %s >> /Font << /R %d 0 R /B %d 0 R >> /XObject << %s >> >>" % (
            _COLOUR_SPACE,
            fonts_at["R"],
            fonts_at["B"],
            images,
        )

    def _structure(self, element: _Element, tree: int, pages: list[int]) -> bytes:
        kids = (
            b"%d 0 R" % self._number(kid)
            if isinstance(kid, _Element)
            else b"<< /Type /MCR /Pg %d 0 R /MCID %d >>" % (pages[kid[0]], kid[1])
            for kid in element.kids
        )
        return b"<< /Type /StructElem /S /%s /P %d 0 R /K [%s] %s >>" % (
            element.tag.encode(),
            self._number(element.parent) if element.parent else tree,
            b" ".join(kids),
            element.attributes.encode("latin-1"),
        )


def _packed(data: bytes) -> bytes:
    """The same document with its many small objects together in compressed streams."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as document:
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return out.getvalue()


def text_string(text: str) -> str:
    """`text` as a PDF text string in hexadecimal (ISO 32000-1 §7.9.2.2)."""
    return f"<{(chr(0xFEFF) + text).encode('utf-16-be').hex()}>"


def _all(element: _Element) -> Iterator[_Element]:
    yield element
    for kid in element.kids:
        if isinstance(kid, _Element):
            yield from _all(kid)


def _content(page: _Page, subsets: dict[str, FontSubset]) -> bytes:
    return "\n".join(
        item if isinstance(item, str) else _show(item, subsets[item.style.face]) for item in page.drawn
    ).encode("ascii")


def _show(line: _Text, subset: FontSubset) -> str:
    style = line.style
    return (
        f"BT {style.colour} sc /{style.face} {style.size:.2f} Tf {style.spacing:.2f} Tc"
        f" {line.x:.2f} {line.y:.2f} Td {subset.encode(line.text).decode()} Tj ET"
    )


def _references(numbers: Iterable[int]) -> bytes:
    return b" ".join(b"%d 0 R" % number for number in numbers)


def _stream(data: bytes, entries: bytes) -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def _assemble(objects: Sequence[bytes], catalog: int) -> bytes:
    """Header, objects, cross-reference table and trailer; the file identifier is of the content."""
    out, offsets = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), len(objects) + 1
    identifier = hashlib.sha256(out).hexdigest()[:32].encode()
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        catalog,
        identifier,
        identifier,
        start,
    )
    return bytes(out)
