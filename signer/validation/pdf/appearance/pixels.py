"""Comparing two drawn pages octet by octet: where they differ, and where one no longer shows the other's ink.

Whole pages are handled as one large number each, so that no loop goes over pixels.
"""

from dataclasses import dataclass

from signer.validation.pdf.appearance.rendering import Bitmap

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels from the upper left corner; right and bottom are outside."""

TILE = 12
"""Side of the squares, in pixels, in which lost ink is counted."""

_GREEN = 1
_ERASED = 4
_EDGES_LOST = 8
_STEPS = bytes(sum(value >= least for least in (48, 112, 176, 232)) for value in range(256))
_DARK = bytes(value < 112 for value in range(256))
_LIGHT = bytes(value > 176 for value in range(256))
_ANY = bytes(value > 0 for value in range(256))


def difference(one: Bitmap, other: Bitmap) -> Box | None:
    """The smallest box around all that differs; None where nothing does."""
    if (one.width, one.height) != (other.width, other.height):
        return 0, 0, max(one.width, other.width), max(one.height, other.height)
    if one.pixels == other.pixels:
        return None
    row = one.width * 4
    differing = [
        (y, int.from_bytes(a, "big") ^ int.from_bytes(b, "big"))
        for y in range(one.height)
        if (a := one.pixels[y * row : (y + 1) * row]) != (b := other.pixels[y * row : (y + 1) * row])
    ]
    together = 0
    for _, bits in differing:
        together |= bits
    left = (row * 8 - together.bit_length()) // 32
    right = one.width - ((together & -together).bit_length() - 1) // 32
    return left, differing[0][0], right, differing[-1][0] + 1


@dataclass(frozen=True)
class Hidden:
    """What is no longer to be seen: the smallest box around it, and what part it is of all that was."""

    box: Box
    part: float


def hidden(before: Bitmap, after: Bitmap) -> Hidden | None:
    """What was to be seen before and is no longer, of two bitmaps of one size.

    Ink is hidden where it became light, as nothing transparent does; and drawing of any colour is where most
    of its edges are gone. What was drawn upon empty paper hides nothing.
    """
    changed = difference(before, after)
    if changed is None:
        return None
    top = max(changed[1] - TILE, 0) // TILE * TILE
    box, lost = _hidden_tiles(_band(before, top, changed[3] + TILE), _band(after, top, changed[3] + TILE))
    if box is None:
        return None
    moved = box[0], box[1] + top, box[2], min(box[3] + top, before.height)
    return Hidden(moved, lost / max(_octets(_edges(before), before).count(1), 1))


def _band(bitmap: Bitmap, top: int, bottom: int) -> Bitmap:
    """The rows from `top` to before `bottom`."""
    row = bitmap.width * 4
    bottom = min(bottom, bitmap.height)
    return Bitmap(bitmap.width, bottom - top, bitmap.pixels[top * row : bottom * row], bitmap.scale)


def _hidden_tiles(before: Bitmap, after: Bitmap) -> tuple[Box | None, int]:
    """The box around the squares in which something is hidden, and how many edges are lost in all."""
    was, remains = _edges(before), _wider(_edges(after), before.width)
    lost = _octets(was & ~remains, before)
    edges = _octets(was, before)
    erased = _octets(_erased(before, after), before)
    tiles = [
        (x, y)
        for x, y in _tiles_with_something(before, lost, erased)
        if _count(erased, before, x, y) >= _ERASED
        or ((gone := _count(lost, before, x, y)) >= _EDGES_LOST and 2 * gone >= _count(edges, before, x, y))
    ]
    if not tiles:
        return None, 0
    left, top = min(x for x, _ in tiles), min(y for _, y in tiles)
    right, bottom = max(x for x, _ in tiles) + TILE, max(y for _, y in tiles) + TILE
    return (left, top, min(right, before.width), bottom), lost.count(1)


def _erased(before: Bitmap, after: Bitmap) -> int:
    """One octet a pixel: 1 where it was dark and became light, told by green, most of what the eye sees."""
    dark = before.pixels[_GREEN::4].translate(_DARK)
    return int.from_bytes(dark, "big") & int.from_bytes(after.pixels[_GREEN::4].translate(_LIGHT), "big")


def _edges(bitmap: Bitmap) -> int:
    """One octet a pixel: 1 where its colour differs from that of the pixel left of it or above."""
    stepped = bitmap.pixels.translate(_STEPS)
    found = 0
    for colour in range(3):
        plane = int.from_bytes(stepped[colour::4], "big")
        found |= (plane ^ (plane >> 8)) | (plane ^ (plane >> (8 * bitmap.width)))
    octets = bytearray(found.to_bytes(bitmap.width * bitmap.height, "big").translate(_ANY))
    octets[: bitmap.width] = bytes(bitmap.width)
    octets[0 :: bitmap.width] = bytes(bitmap.height)
    return int.from_bytes(octets, "big")


def _wider(edges: int, width: int) -> int:
    """Edges and the pixels beside them."""
    beside = edges | (edges >> 8) | (edges << 8)
    return beside | (beside >> (8 * width)) | (beside << (8 * width))


def _octets(plane: int, bitmap: Bitmap) -> bytes:
    size = bitmap.width * bitmap.height
    return (plane & ((1 << (8 * size)) - 1)).to_bytes(size, "big")


def _tiles_with_something(bitmap: Bitmap, *planes: bytes) -> list[tuple[int, int]]:
    """Upper left corners of the squares where any plane has something."""
    found = []
    for y in range(0, bitmap.height, TILE):
        band = slice(y * bitmap.width, (y + TILE) * bitmap.width)
        if any(1 in plane[band] for plane in planes):
            found += [
                (x, y)
                for x in range(0, bitmap.width, TILE)
                if any(_count(plane, bitmap, x, y) for plane in planes)
            ]
    return found


def _count(plane: bytes, bitmap: Bitmap, x: int, y: int) -> int:
    right = min(x + TILE, bitmap.width)
    rows = range(y, min(y + TILE, bitmap.height))
    return sum(plane.count(1, line * bitmap.width + x, line * bitmap.width + right) for line in rows)
