"""Pages of an admitted document: which one, how it is seen, and what stands on it."""

from dataclasses import dataclass

import pikepdf
from pikepdf import Name

from pecete.errors import InvalidArgumentError
from signer.pades.admission import Admitted
from signer.pades.objects import dictionaries, extent, inherited, rectangle
from signer.pades.options import SignatureOptions
from signer.pades.page_text import text_areas
from signer.pades.placement import Page, Rectangle, free_cells

_A4 = (0.0, 0.0, 595.0, 842.0)
_NOWHERE = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Places:
    """Where widgets stand: this signature's, and those of its planned fields, all on `page`.

    Rectangles are in user space; one without extent is invisible.
    """

    page: pikepdf.Object
    own: Rectangle
    planned: tuple[Rectangle, ...]


def places(document: Admitted, options: SignatureOptions | None) -> Places:
    """Find a place for each widget that is to be shown; without options none is.

    Raises InvalidArgumentError PAGE_NOT_FOUND or FIELD_WITHOUT_EXTENT, FailedPreconditionError
    NO_ROOM_FOR_SIGNATURE.
    """
    page, own = _existing_place(document, options)
    wanted = len(document.planned_fields) + (own is None)
    if options is None or options.appearance is None or not wanted:
        free = [_NOWHERE] * wanted
    else:
        free = free_cells(geometry(page), _occupied(page), wanted, text_areas(page))
    if own is None:
        own = free.pop(0)
    return Places(page, own, tuple(free))


def geometry(page: pikepdf.Object) -> Page:
    """Visible area, turn and unit of a page; what is inherited is looked up (ISO 32000-2 §7.7.3.4)."""
    media = rectangle(inherited(page, Name.MediaBox)) or _A4
    crop = rectangle(inherited(page, Name.CropBox)) or media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    box = (left, bottom, right, top) if left < right and bottom < top else media
    turn = inherited(page, Name.Rotate)
    unit = float(page.get(Name.UserUnit, 1))
    rotation = int(turn) % 360 // 90 * 90 if isinstance(turn, int) else 0
    return Page(box, rotation, unit if unit > 0 else 1.0)


def _occupied(page: pikepdf.Object) -> list[Rectangle]:
    """Rectangles of the page's annotations that have an extent."""
    found = (extent(annotation.get(Name.Rect)) for annotation in dictionaries(page.get(Name.Annots)))
    return [area for area in found if area is not None]


def _existing_place(
    document: Admitted, options: SignatureOptions | None
) -> tuple[pikepdf.Object, Rectangle | None]:
    """The page of the field's widget and its rectangle; None for a field that is still to be made."""
    if document.existing is None:
        return _page_of(document, options), None
    widget = next(iter(dictionaries(document.existing.get(Name.Kids))), document.existing)
    area = extent(widget.get(Name.Rect))
    if options is not None and options.appearance is not None and area is None:
        raise InvalidArgumentError(
            "FIELD_WITHOUT_EXTENT",
            "The field is invisible, so its signature cannot be shown.",
            field="visible_signature",
        )
    page = widget.get(Name.P)
    if not isinstance(page, pikepdf.Dictionary):
        page = _page_of(document, options)
    return page, area or _NOWHERE


def _page_of(document: Admitted, options: SignatureOptions | None) -> pikepdf.Object:
    """The dictionary of the page that is wanted. Raises PAGE_NOT_FOUND."""
    number = options.page if options else 0
    pages = document.pdf.pages
    if not 0 <= number <= len(pages):
        raise InvalidArgumentError(
            "PAGE_NOT_FOUND", f"The document has {len(pages)} pages.", field="visible_signature.page"
        )
    return pages[number - 1].obj
