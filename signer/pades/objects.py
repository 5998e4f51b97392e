"""Reading objects of a PDF that may be other than the standard says."""

import pikepdf
from pikepdf import Name

from signer.pades.placement import Rectangle

DEEPEST_TREE = 64
"""How deep the trees of pages and of form fields are followed."""


def inherited(node: pikepdf.Object, key: Name) -> object:
    """An attribute of a page or field, from its ancestors where it has none."""
    for _ in range(DEEPEST_TREE):
        value: object = node.get(key)
        if value is not None:
            return value
        parent = node.get(Name.Parent)
        if not isinstance(parent, pikepdf.Dictionary):
            return None
        node = parent
    return None


def dictionaries(array: object) -> list[pikepdf.Object]:
    """The dictionaries in an array; none where it is no array."""
    if not isinstance(array, pikepdf.Array):
        return []
    return [item for item in array if isinstance(item, pikepdf.Dictionary)]


def rectangle(array: object) -> Rectangle | None:
    """Left, bottom, right, top of a rectangle given by any two opposite corners."""
    if not isinstance(array, pikepdf.Array) or len(array) != 4:
        return None
    x1, y1, x2, y2 = (float(number) for number in array)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def extent(array: object) -> Rectangle | None:
    """A rectangle that covers some area; None for any other."""
    found = rectangle(array)
    return found if found and found[0] < found[2] and found[1] < found[3] else None
