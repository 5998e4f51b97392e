"""Where a page has text, so that a visible signature is not placed on it (ISO 32000-2 §9.4).

Fonts are not read: a text is reckoned as wide as its letters commonly are. What cannot be read, or is larger
than a page of text ever is, counts as no text: a signature is placed then as on an empty page.
"""

import warnings
import zlib
from collections.abc import Iterator

import pikepdf
from pikepdf import Name

from signer.pades.objects import inherited
from signer.pades.placement import Rectangle

Matrix = tuple[float, float, float, float, float, float]

_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_OPERATORS = "q Q cm BT Tm Td TD T* TL Tf Tr Tj TJ ' \" Do"
_MOST_OCTETS = 2 * 1024 * 1024
_DEEPEST_FORM = 4
_INVISIBLE = 3
_WIDTH, _ASCENT, _DESCENT = 0.55, 0.8, -0.25
"""Of a common letter, at size 1."""


def text_areas(page: pikepdf.Object) -> list[Rectangle]:
    """Rectangles of the page's texts in its user space."""
    try:
        reader = _Reader()
        reader.read(_content(page), inherited(page, Name.Resources), _IDENTITY, 0)
    except Exception:  # fence: avoiding text is a courtesy, and page content may be anything
        return []
    return reader.areas


def _content(page: pikepdf.Object) -> bytes:
    contents = page.get(Name.Contents)
    streams = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
    parts: list[bytes] = []
    for stream in streams:
        parts.append(_decoded(stream, _MOST_OCTETS - sum(map(len, parts))))
    return b"\n".join(parts)


def _decoded(stream: object, most: int) -> bytes:
    """A stream's octets, never more than `most`: a small one may stand for gigabytes."""
    if not isinstance(stream, pikepdf.Stream) or int(stream.get(Name.Length, 0)) > most:
        raise ValueError("no stream, or a large one")
    encoding = stream.get(Name.Filter)
    if isinstance(encoding, pikepdf.Array) and len(encoding) == 1:
        encoding = encoding[0]
    raw = stream.read_raw_bytes()
    if encoding is None:
        return raw
    if encoding != Name.FlateDecode or Name.DecodeParms in stream:
        raise ValueError("an unusual encoding")
    inflater = zlib.decompressobj()
    data = inflater.decompress(raw, most)
    if inflater.unconsumed_tail:
        raise ValueError("a large stream")
    return data


class _Reader:
    """Follows the graphics and text state through content streams."""

    def __init__(self) -> None:
        self.areas: list[Rectangle] = []
        self._left = _MOST_OCTETS
        self._ctm = self._text = self._line = _IDENTITY
        self._size = self._leading = 0.0
        self._mode = 0
        self._wide = False

    def read(self, content: bytes, resources: object, ctm: Matrix, depth: int) -> None:
        """Read a content stream that is drawn under `ctm`."""
        self._left -= len(content)
        if self._left < 0 or depth > _DEEPEST_FORM:
            raise ValueError("too much content")
        known = resources if isinstance(resources, pikepdf.Dictionary) else pikepdf.Dictionary()
        stack: list[tuple[Matrix, float, float, int]] = []
        self._ctm = ctm
        for operands, operator in _instructions(content):
            if operator == "q":
                stack.append((self._ctm, self._size, self._leading, self._mode))
            elif operator == "Q" and stack:
                self._ctm, self._size, self._leading, self._mode = stack.pop()
            elif operator == "cm":
                self._ctm = _times(_matrix(operands), self._ctm)
            elif operator == "Do":
                self._form(known, operands[0], depth)
            else:
                self._text_operator(operator, operands, known)

    def _form(self, resources: pikepdf.Object, name: pikepdf.Object, depth: int) -> None:
        form = resources.get(Name.XObject, pikepdf.Dictionary()).get(str(name))
        if form is None or form.get(Name.Subtype) != Name.Form:
            return
        kept = self._ctm, self._size, self._leading, self._mode
        matrix = _matrix(form.get(Name.Matrix, pikepdf.Array(_IDENTITY)))
        inner = form.get(Name.Resources, resources)
        self.read(_decoded(form, self._left), inner, _times(matrix, self._ctm), depth + 1)
        self._ctm, self._size, self._leading, self._mode = kept

    def _text_operator(self, operator: str, operands: list[pikepdf.Object], known: pikepdf.Object) -> None:
        if operator == "BT":
            self._text = self._line = _IDENTITY
        elif operator == "Tf":
            font = known.get(Name.Font, pikepdf.Dictionary()).get(str(operands[0]), pikepdf.Dictionary())
            self._size, self._wide = float(operands[1]), font.get(Name.Subtype) == Name.Type0
        elif operator == "TL":
            self._leading = float(operands[0])
        elif operator == "Tr":
            self._mode = int(operands[0])
        elif operator in ("Tm", "Td", "TD", "T*"):
            self._move(operator, operands)
        else:
            if operator in ("'", '"'):
                self._next_line()
            self._show(operands[-1])

    def _move(self, operator: str, operands: list[pikepdf.Object]) -> None:
        if operator == "Tm":
            self._text = self._line = _matrix(operands)
        elif operator == "T*":
            self._next_line()
        else:
            if operator == "TD":
                self._leading = -float(operands[1])
            self._shift(float(operands[0]), float(operands[1]))

    def _next_line(self) -> None:
        self._shift(0.0, -self._leading)

    def _shift(self, x: float, y: float) -> None:
        self._text = self._line = _times((1.0, 0.0, 0.0, 1.0, x, y), self._line)

    def _show(self, shown: pikepdf.Object) -> None:
        parts = list(shown) if isinstance(shown, pikepdf.Array) else [shown]
        texts = [bytes(part) for part in parts if isinstance(part, pikepdf.String)]
        width = sum(map(len, texts)) * (0.5 if self._wide else 1.0) * _WIDTH * self._size
        if self._mode != _INVISIBLE and any(text.strip(b" ") for text in texts):
            self.areas.append(self._area(width))
        self._text = _times((1.0, 0.0, 0.0, 1.0, width, 0.0), self._text)

    def _area(self, width: float) -> Rectangle:
        a, b, c, d, e, f = _times(self._text, self._ctm)
        corners = [(x, y * self._size) for x in (0.0, width) for y in (_DESCENT, _ASCENT)]
        across = [a * x + c * y + e for x, y in corners]
        up = [b * x + d * y + f for x, y in corners]
        return min(across), min(up), max(across), max(up)


def _instructions(content: bytes) -> Iterator[tuple[list[pikepdf.Object], str]]:
    with pikepdf.new() as apart, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of content that ends too soon
        found = pikepdf.parse_content_stream(pikepdf.Stream(apart, content), _OPERATORS)
    for instruction in found:
        yield list(instruction.operands), str(instruction.operator)


def _matrix(numbers: object) -> Matrix:
    a, b, c, d, e, f = (float(number) for number in numbers)  # type: ignore[attr-defined]
    return a, b, c, d, e, f


def _times(first: Matrix, second: Matrix) -> Matrix:
    """`first`, then `second` (ISO 32000-2 §8.3.4)."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u
