"""Pages as PDFium draws them, with annotations and fields.

Both states of a page are always drawn in the same run, so that versions of PDFium do not matter.
"""

import io
import logging
import math
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2
from pypdfium2 import raw

from signer.validation.pdf.mapped import Buffer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_PIXELS = 600_000
"""Most pixels of a drawn page; an A4 page at 72 dots an inch has 501,000."""

logging.getLogger("pypdfium2").addHandler(logging.NullHandler())  # it speaks of forms that it does not draw

_PDFIUM = threading.Lock()
"""PDFium is not made for threads."""


class NotDrawnError(Exception):
    """PDFium does not draw the page; never leaves `signer.validation`."""


@dataclass(frozen=True)
class Bitmap:
    """A drawn page: 4 octets a pixel (red, green, blue, unused) from the upper left.

    scale: pixels a point.
    """

    width: int
    height: int
    pixels: bytes
    scale: float


@dataclass(frozen=True)
class State:
    """A page as it was when the file had its first `size` octets, with the number of its annotations."""

    data: Buffer
    size: int
    page: int
    annotations: int


def draw(state: State, without: Collection[int] = (), *, printed: bool = False) -> Bitmap:
    """Draw a page for the screen, or as it is printed.

    without: places in /Annots of the annotations that are left out.
    Raises NotDrawnError, also where PDFium sees another number of annotations.
    """
    with _opened(state.data, state.size) as document:
        _leave_out(document, state, without)
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()  # draws widgets; this build of PDFium runs no scripts
        try:
            return _rendered(document[state.page], printed)
        except pypdfium2.PdfiumError as error:
            raise NotDrawnError("the page is not drawn") from error


def text_within(state: State, rectangle: tuple[float, float, float, float]) -> str:
    """The text of the page's content within left, bottom, right, top in user space; "" where none is read."""
    with _opened(state.data, state.size) as document:
        try:
            text: str = document[state.page].get_textpage().get_text_bounded(*rectangle)
        except (pypdfium2.PdfiumError, IndexError):
            return ""
        return text


def _leave_out(document: pypdfium2.PdfDocument, state: State, without: Collection[int]) -> None:
    """Take annotations out of the page before anything draws them."""
    page = raw.FPDF_LoadPage(document, state.page)
    if not page:
        raise NotDrawnError("the page is not there")
    try:
        if raw.FPDFPage_GetAnnotCount(page) != state.annotations:
            raise NotDrawnError("another number of annotations")
        for place in sorted(without, reverse=True):
            if not raw.FPDFPage_RemoveAnnot(page, place):
                raise NotDrawnError("an annotation that cannot be left out")
    finally:
        raw.FPDF_ClosePage(page)


def _rendered(page: pypdfium2.PdfPage, printed: bool) -> Bitmap:
    width, height = page.get_size()
    area = width * height
    if not 0 < area < math.inf:
        raise NotDrawnError("a page without extent")
    scale = min(1.0, math.sqrt(MAX_PIXELS / area))
    drawn = page.render(
        scale=scale, rev_byteorder=True, prefer_bgrx=True, optimize_mode="print" if printed else None
    )
    row = drawn.width * 4
    octets = bytes(drawn.buffer)
    if drawn.stride != row:
        octets = b"".join(octets[at : at + row] for at in range(0, len(octets), drawn.stride))
    return Bitmap(drawn.width, drawn.height, octets, scale)


@contextmanager
def _opened(data: Buffer, size: int) -> Iterator[pypdfium2.PdfDocument]:
    """The document in the first `size` octets, which are not copied."""
    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(
                _loaded(data, size) if isinstance(data, bytes) else _Part(data, size)
            )
        except pypdfium2.PdfiumError as error:
            raise NotDrawnError("PDFium does not open the document") from error
        try:
            yield document
        finally:
            document.close()


def _loaded(data: bytes, size: int) -> object:
    """A handle of the document; PDFium reads it where it is."""
    handle = raw.FPDF_LoadMemDocument64(data, size, None)
    if not handle:
        raise pypdfium2.PdfiumError("not loaded")
    return handle


class _Part(io.RawIOBase):
    """The first `size` octets of a mapped file, as PDFium asks for them."""

    def __init__(self, data: Buffer, size: int) -> None:
        self._data, self._size, self._at = data, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the beginning, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer as far as there are octets; gives their number."""
        target = memoryview(buffer).cast("B")
        octets = self._data[self._at : min(self._size, self._at + len(target))]
        target[: len(octets)] = octets
        self._at += len(octets)
        return len(octets)
