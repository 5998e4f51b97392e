"""How a visible signature looks: a form XObject of text, lines and an optional QR code.

Colours are calibrated (CalRGB), fonts are embedded and nothing is transparent, so that a PDF/A document stays
one whatever its output intent is (ISO 19005-2 §6.2.4). No ground is painted: what lies below stays readable.
Texts are Romanian: they are for the people who read the document.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import segno

from pecete.commitment import CommitmentType
from pecete.errors import InvalidArgumentError
from signer.pades import font as fonts
from signer.pades.font import Font, FontSubset
from signer.pades.options import AppearanceText
from signer.pades.placement import CELL_HEIGHT, CELL_WIDTH

ROMANIAN_TIME = ZoneInfo("Europe/Bucharest")

_ACCENT, _INK, _GREY, _LINE = "0.106 0.282 0.482", "0.09 0.11 0.14", "0.33 0.37 0.42", "0.62 0.69 0.77"
_BAR, _PADDING = 3.5, 8.0
_ROTATION = {0: "1 0 0 1", 90: "0 1 -1 0", 180: "-1 0 0 -1", 270: "0 -1 1 0"}
_COLOUR_SPACE = (
    b"[/CalRGB << /WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2]"
    b" /Matrix [0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505] >>]"
)
_LONGEST_URI = 512
# Encoded as a drawn one is: DSS takes a stream that gets a Filter later for an undefined change.
_NOTHING = zlib.compress(b"")
_COMMITMENTS: dict[CommitmentType | None, str] = {
    CommitmentType.PROOF_OF_ORIGIN: "Atestă originea documentului",
    CommitmentType.PROOF_OF_RECEIPT: "Atestă primirea documentului",
    CommitmentType.PROOF_OF_DELIVERY: "Atestă livrarea documentului",
    CommitmentType.PROOF_OF_SENDER: "Atestă expedierea documentului",
    CommitmentType.PROOF_OF_APPROVAL: "Aprobă conținutul documentului",
    CommitmentType.PROOF_OF_CREATION: "Atestă întocmirea documentului",
}


@dataclass(frozen=True)
class Appearance:
    """A drawn signature, ready to be numbered."""

    width: float
    height: float
    rotation: int
    content: bytes
    regular: FontSubset
    bold: FontSubset

    def objects(self, first: int) -> list[bytes]:
        """Bodies of its indirect objects, numbered from `first`; the first one is the form XObject."""
        regular = first + 1
        bold = regular + fonts.OBJECTS_PER_FONT
        data = zlib.compress(self.content, 9)
        form = (
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 %.2f %.2f] /Matrix [%s 0 0]"
            b" /Resources << /ColorSpace << /C %s >> /Font << /R %d 0 R /B %d 0 R >> >>"
            b" /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
        ) % (
            self.width,
            self.height,
            _ROTATION[self.rotation].encode(),
            _COLOUR_SPACE,
            regular,
            bold,
            len(data),
            data,
        )
        return [form, *self.regular.objects(regular), *self.bold.objects(bold)]


@dataclass(frozen=True)
class EmptyAppearance:
    """What an invisible signature and an empty field have for an appearance; PDF/A wants fields to have one.

    size: width and height of the widget in user space.
    """

    size: tuple[float, float] = (0.0, 0.0)

    def objects(self, first: int) -> list[bytes]:
        """The body of its one object, whatever the number `first` is."""
        return [
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 %.2f %.2f] /Filter /FlateDecode /Length %d >>\n"
            b"stream\n%s\nendstream" % (*self.size, len(_NOTHING), _NOTHING)
        ]


@dataclass(frozen=True)
class _Line:
    """One line of text; `lead` is the height it takes, `spacing` widens the gaps between letters."""

    text: str
    face: str
    size: float
    lead: float
    colour: str
    spacing: float = 0.0


def draw(
    text: AppearanceText,
    *,
    signing_time: datetime,
    reason: str = "",
    commitment: CommitmentType | None = None,
    size: tuple[float, float] = (CELL_WIDTH, CELL_HEIGHT),
    rotation: int = 0,
) -> Appearance:
    """Draw a signature of `size` (width and height as shown) for a page that is turned by `rotation`.

    Raises InvalidArgumentError APPEARANCE_NAME_MISSING or VERIFICATION_URI_INVALID.
    """
    if not fonts.drawable(text.name):
        raise InvalidArgumentError(
            "APPEARANCE_NAME_MISSING", "A visible signature shows a name.", field="visible_signature"
        )
    width, height = size
    scale = min(width / CELL_WIDTH, height / CELL_HEIGHT)
    inner = width / scale, height / scale
    code = _code(text.verification_uri, inner) if text.verification_uri else ""
    room = inner[0] - _BAR - 2 * _PADDING - (inner[1] - _PADDING if code else 0)
    purpose = f"Motiv: {reason}" if reason else _COMMITMENTS.get(commitment, "")
    lines = _fill(_lines(text, signing_time, purpose, room), inner[1] - 9)
    regular = fonts.regular().subset(line.text for line in lines if line.face == "R")
    bold = fonts.bold().subset(line.text for line in lines if line.face == "B")
    parts = [f"q {scale:.4f} 0 0 {scale:.4f} 0 0 cm /C cs /C CS", _frame(*inner), code]
    parts += _shown(lines, inner[1], {"R": regular, "B": bold})
    parts.append("Q")
    return Appearance(width, height, rotation, "\n".join(parts).encode(), regular, bold)


def _frame(width: float, height: float) -> str:
    return (
        f"{_LINE} SC 0.6 w 0.3 0.3 {width - 0.6:.2f} {height - 0.6:.2f} re S\n"
        f"{_ACCENT} sc 0 0 {_BAR} {height:.2f} re f"
    )


def _code(uri: str, inner: tuple[float, float]) -> str:
    """A QR code at the right edge, one rectangle for each run of dark modules."""
    if len(uri) > _LONGEST_URI or not uri.isprintable():
        raise InvalidArgumentError(
            "VERIFICATION_URI_INVALID",
            f"A verification address has at most {_LONGEST_URI} printable characters.",
            field="visible_signature.verification_uri",
        )
    rows = list(segno.make_qr(uri, error="m").matrix)
    side = inner[1] - 2 * _PADDING
    module = side / len(rows)
    left, top = inner[0] - _PADDING - side, inner[1] - _PADDING
    rectangles = [
        f"{left + start * module:.3f} {top - (row + 1) * module:.3f} {length * module:.3f} {module:.3f} re"
        for row, cells in enumerate(rows)
        for start, length in _runs(cells)
    ]
    return f"{_INK} sc\n" + "\n".join(rectangles) + " f"


def _runs(cells: bytearray) -> Iterator[tuple[int, int]]:
    """Start and length of each run of dark modules in a row."""
    start = None
    for column, dark in enumerate((*cells, 0)):
        if dark and start is None:
            start = column
        elif not dark and start is not None:
            yield start, column - start
            start = None


def _lines(text: AppearanceText, signing_time: datetime, purpose: str, room: float) -> list[_Line]:
    local = signing_time.astimezone(ROMANIAN_TIME)
    offset = f"{local:%z}"
    made = f"{local:%d.%m.%Y}, ora {local:%H:%M:%S} (UTC{offset[:3]}:{offset[3:]})"
    lines = [_Line("SEMNAT ELECTRONIC", "B", 5.4, 7.0, _ACCENT, 0.7)]
    lines += _fit(_Line(text.name, "B", 11.0, 14.0, _INK), 9.0, room, 2)
    lines += _fit(_Line(text.capacity, "R", 8.2, 10.8, _INK), 7.0, room, 2)
    details = []
    if text.register_number:
        details += _fit(_Line(f"Nr. {text.register_number}", "R", 7.0, 9.2, _GREY), 6.2, room, 1)
    details += _fit(_Line(made, "R", 7.0, 9.2, _GREY), 5.0, room, 1)
    if purpose:
        details += _fit(_Line(purpose, "R", 7.0, 9.2, _GREY), 6.2, room, 2)
    # More height for the first detail sets the person apart from what was done.
    lines += [replace(details[0], lead=details[0].lead + 2.5), *details[1:]]
    return lines


def _fit(line: _Line, smallest: float, room: float, at_most: int) -> list[_Line]:
    """`line` at the largest size at which it fits into `room`, else at the smallest over several lines."""
    text = fonts.drawable(line.text)
    if not text:
        return []
    face = _face(line.face)
    size = min(line.size, room / max(face.width(text, 1.0), 1e-6))
    if size >= smallest:
        return [replace(line, text=text, size=size)]
    lead = line.lead * smallest / line.size
    return [
        replace(line, text=part, size=smallest, lead=lead)
        for part in _wrap(text, face, smallest, room, at_most)
    ]


def _wrap(text: str, face: Font, size: float, room: float, at_most: int) -> list[str]:
    """`text` broken between words; what does not fit into `at_most` lines ends in an ellipsis."""
    lines = [""]
    words = text.split(" ")
    while words:
        longer = f"{lines[-1]} {words[0]}".strip()
        if lines[-1] and face.width(longer, size) > room and len(lines) < at_most:
            lines.append("")
        else:
            lines[-1] = longer
            words.pop(0)
    return [_shorten(line, face, size, room) for line in lines]


def _shorten(text: str, face: Font, size: float, room: float) -> str:
    if face.width(text, size) <= room:
        return text
    while text and face.width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _fill(lines: list[_Line], room: float) -> list[_Line]:
    """The lines, smaller where they are too many for the height `room`."""
    factor = min(1.0, room / sum(line.lead for line in lines))
    return [replace(line, size=line.size * factor, lead=line.lead * factor) for line in lines]


def _shown(lines: list[_Line], height: float, subsets: dict[str, FontSubset]) -> Iterator[str]:
    """Text operators for `lines`, centred in `height`."""
    top = (height + sum(line.lead for line in lines)) / 2
    for line in lines:
        top -= line.lead
        baseline = top + 0.32 * line.size
        yield (
            f"BT {line.colour} sc /{line.face} {line.size:.2f} Tf {line.spacing:.2f} Tc"
            f" {_BAR + _PADDING:.2f} {baseline:.2f} Td {subsets[line.face].encode(line.text).decode()} Tj ET"
        )


def _face(name: str) -> Font:
    return fonts.bold() if name == "B" else fonts.regular()
