"""Where on a page visible signatures go.

Places are reckoned on the page as a reader sees it: cropped, turned by /Rotate, in points whatever /UserUnit
is, origin at the lower left. A grid of cells stands on the bottom margin and fills from left to right, then
upwards; only cells that no annotation touches are taken, so that signatures never cover one another. Where
not all find room beside the page's text at full size, all are smaller; where they find none at any size, they
stand on text, of which nothing is hidden as a signature has no ground.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from pecete.errors import FailedPreconditionError

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""

CELL_WIDTH, CELL_HEIGHT = 255.0, 75.0
"""Size of a signature in points where the page has room for it."""
_MARGIN, _GAP = 36.0, 11.0
_SCALES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_SMALLEST_SCALE = 0.35


@dataclass(frozen=True)
class Page:
    """The visible area of a page in its own user space, and the turn at which it is shown.

    box: crop box within media box. rotation: clockwise, one of 0, 90, 180, 270. unit: points in a
    unit of user space (ISO 32000-2 §8.3.2.3, UserUnit).
    """

    box: Rectangle
    rotation: int = 0
    unit: float = 1.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as shown, in points."""
        width = (self.box[2] - self.box[0]) * self.unit
        height = (self.box[3] - self.box[1]) * self.unit
        return (width, height) if self.rotation in (0, 180) else (height, width)

    def to_user_space(self, shown: Rectangle) -> Rectangle:
        """The rectangle of user space that is seen as `shown`."""
        left, bottom, right, top = (edge / self.unit for edge in shown)
        low_x, low_y, high_x, high_y = self.box
        return {
            0: (low_x + left, low_y + bottom, low_x + right, low_y + top),
            90: (high_x - top, low_y + left, high_x - bottom, low_y + right),
            180: (high_x - right, high_y - top, high_x - left, high_y - bottom),
            270: (low_x + bottom, high_y - right, low_x + top, high_y - left),
        }[self.rotation]

    def to_shown(self, rectangle: Rectangle) -> Rectangle:
        """How the `rectangle` of user space is seen: the inverse of `to_user_space`."""
        left, bottom, right, top = rectangle
        low_x, low_y, high_x, high_y = self.box
        left, bottom, right, top = {
            0: (left - low_x, bottom - low_y, right - low_x, top - low_y),
            90: (bottom - low_y, high_x - right, top - low_y, high_x - left),
            180: (high_x - right, high_y - top, high_x - left, high_y - bottom),
            270: (high_y - top, left - low_x, high_y - bottom, right - low_x),
        }[self.rotation]
        return left * self.unit, bottom * self.unit, right * self.unit, top * self.unit


def free_cells(
    page: Page, occupied: Iterable[Rectangle], count: int, texts: Iterable[Rectangle] = ()
) -> list[Rectangle]:
    """The first `count` free cells of `page`, all of one size; rectangles here are in user space.

    occupied: the rectangles of annotations. texts: those of texts. Raises FailedPreconditionError
    NO_ROOM_FOR_SIGNATURE.
    """
    taken = [page.to_shown(rectangle) for rectangle in occupied]
    written = [page.to_shown(rectangle) for rectangle in texts]
    free = [[cell for cell in _cells(page.size, scale) if not _touches(cell, taken)] for scale in _SCALES]
    blank = ([cell for cell in cells if not _touches(cell, written)] for cells in free)
    crowded = (sorted(cells, key=lambda cell: _touches(cell, written)) for cells in free)
    for cells in chain(blank, crowded):
        if len(cells) >= count:
            return [page.to_user_space(cell) for cell in cells[:count]]
    raise FailedPreconditionError(
        "NO_ROOM_FOR_SIGNATURE",
        f"The page has no free place for {count} more visible signature{'s' if count > 1 else ''}.",
        field="visible_signature.page",
    )


def _cells(size: tuple[float, float], largest: float) -> Iterator[Rectangle]:
    """Cells of the grid; small pages have smaller margins and one column of cells smaller than `largest`."""
    margin = min(_MARGIN, min(size) / 16)
    room_x, room_y = size[0] - 2 * margin, size[1] - 2 * margin
    scale = min(largest, room_x / CELL_WIDTH, room_y / CELL_HEIGHT)
    if scale < _SMALLEST_SCALE:
        return
    width, height, gap = CELL_WIDTH * scale, CELL_HEIGHT * scale, _GAP * scale
    # The tiny allowance keeps a cell that fits exactly from falling to rounding.
    columns = int((room_x + gap + 1e-6) // (width + gap))
    rows = int((room_y + gap + 1e-6) // (height + gap))
    for row in range(rows):
        for column in range(columns):
            left, bottom = margin + column * (width + gap), margin + row * (height + gap)
            yield left, bottom, left + width, bottom + height


def _touches(cell: Rectangle, others: Iterable[Rectangle]) -> bool:
    return any(_overlap(cell, other) for other in others)


def _overlap(first: Rectangle, second: Rectangle) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
