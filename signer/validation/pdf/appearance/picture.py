"""A PNG of a page before and after a change, side by side, with the difference framed (ISO/IEC 15948)."""

import struct
import zlib

from signer.validation.pdf.appearance.pixels import Box
from signer.validation.pdf.appearance.rendering import Bitmap

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = b"\xd0\x10\x10"
_PAPER = b"\xff\xff\xff"
_BETWEEN = b"\x60\x60\x60"
_GAP = 6
_MARGIN = 4


def side_by_side(before: Bitmap | None, after: Bitmap | None, box: Box) -> bytes:
    """PNG of both states; one that is None was not there and stays white."""
    size = before or after
    if size is None:
        return b""
    height = max(bitmap.height for bitmap in (before, after) if bitmap)
    columns = [_framed(bitmap, box, size.width, height) for bitmap in (before, after)]
    widths = [bitmap.width if bitmap else size.width for bitmap in (before, after)]
    rows = bytearray()
    for y in range(height):
        left, right = (
            column[y * width * 3 : (y + 1) * width * 3] for column, width in zip(columns, widths, strict=True)
        )
        rows += b"\0" + left + _BETWEEN * _GAP + right
    header = struct.pack(">IIBBBBB", sum(widths) + _GAP, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 3)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _framed(bitmap: Bitmap | None, box: Box, width: int, height: int) -> bytearray:
    """Three octets a pixel, `height` rows, with a frame of two pixels around the box."""
    if bitmap is None:
        return bytearray(_PAPER * width * height)
    width = bitmap.width
    colours = bytearray(_PAPER * width * height)
    used = width * bitmap.height * 3
    for colour in range(3):
        colours[colour:used:3] = bitmap.pixels[colour::4]
    left, top = max(box[0] - _MARGIN, 0), max(box[1] - _MARGIN, 0)
    right, bottom = min(box[2] + _MARGIN, width), min(box[3] + _MARGIN, height)
    for y in range(top, bottom):
        if y - top < 2 or bottom - y <= 2:
            colours[(y * width + left) * 3 : (y * width + right) * 3] = _FRAME * (right - left)
        else:
            colours[(y * width + left) * 3 : (y * width + left + 2) * 3] = _FRAME * 2
            colours[(y * width + right - 2) * 3 : (y * width + right) * 3] = _FRAME * 2
    return colours
