"""Which pages a revision touches in a way that could be seen, and with which annotations.

An annotation is *kept* where the revision wrote nothing that it is drawn with. All others are new, changed
or gone: their own rules have explained them, and what is left of the page must look the same as before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from signer.validation.pdf.appearance.field_text import contradiction
from signer.validation.pdf.comparer import Level
from signer.validation.pdf.fields import full_name, inherited, is_visible
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.values import Look, Reference, Stream, Value, same

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top; in the page's user space, or in points from the lower left corner as shown."""

MAX_PAGES = 5_000
"""Most pages of a document that are looked at."""
MAX_PAGES_OF_ALL = 20
"""Most pages that are compared where a forbidden change cannot be given to a page."""

_MAX_OBJECTS = 200_000
_MAX_OVERLAPPING = 200
_HIDDEN = 2
_ON_PAPER_ALONE = 32
_UNSEEN = frozenset(
    (
        *("/Kids", "/Fields", "/P", "/Pg", "/Dest", "/D", "/IRT", "/Popup", "/A", "/AA", "/Metadata", "/B"),
        *("/PieceInfo", "/Thumb", "/StructParent", "/StructParents", "/Prev", "/Next", "/Lock"),
    )
)
"""Keys behind which nothing stands that a page or an annotation is drawn with."""


@dataclass(frozen=True)
class Placed:
    """An annotation: what it is in words, and where it is drawn.

    is_field_seen: whether it is the widget of a field that was to be seen before. is_signature: of what kind.
    """

    words: str
    rectangle: Rectangle
    is_field_seen: bool
    is_signature: bool


@dataclass(frozen=True)
class PageStep:
    """A page that a revision touched.

    revision: index of the revision that did it. page: from 0. gone: places in the former /Annots of what is
    not kept. filled: places in the present /Annots of fields that were to be seen before and were changed.
    new: places there of all else that is not kept. placed, kept: what is not kept, and what is.
    annotations: how many there were and are. printed: whether some of it shows on paper alone.
    contradictions: sentences on fields that show other words than their value.
    """

    revision: int
    page: int
    gone: tuple[int, ...] = ()
    filled: tuple[int, ...] = ()
    new: tuple[int, ...] = ()
    placed: tuple[Placed, ...] = ()
    kept: tuple[Placed, ...] = ()
    annotations: tuple[int, int] = (0, 0)
    printed: bool = False
    contradictions: tuple[str, ...] = ()


@dataclass
class _Page:
    """A page with the numbers of all objects that it, and each of its annotations, is drawn with."""

    value: Value
    content: frozenset[int]
    annotations: list[Value]
    drawn_with: list[frozenset[int]]
    numbers: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = self.content.union(*self.drawn_with)


class PageWatch:
    """Notes, revision by revision, the pages that could look different after it.

    steps: in the order of revisions and pages. Nothing is read before the first revision that can be seen.
    """

    def __init__(self) -> None:
        self.steps: list[PageStep] = []
        self._pages: list[_Page] | None = None
        self._missed: set[int] = set()

    def note(self, document: Document, level: Level) -> None:
        """Look at the revision that `document` has just stepped to; `level`: how far its changes go."""
        written = set(document.replaced)
        if level < Level.FORM:
            self._missed |= written
            return
        before = self._state(_former_catalog(document), document.before, self._pages, self._missed)
        now = self._state(document.trailer.get("/Root"), document.now, before, written)
        found = list(_compared(document, before, now, written))
        if not found and level is Level.UNDEFINED:
            pages = range(min(len(before), len(now), MAX_PAGES_OF_ALL))
            found = [_page_step(document, page, (before[page], now[page]), written, False) for page in pages]
        self.steps += found
        self._pages, self._missed = now, set()

    def _state(self, catalog: Value, look: Look, known: list[_Page] | None, written: set[int]) -> list[_Page]:
        """The pages as `look` sees them; those that nothing was written of are taken from `known`."""
        values = list(_page_values(look(catalog), look))
        own = {value.number for value in values if isinstance(value, Reference)}
        old = {
            page.value: page
            for page in known or ()
            if isinstance(page.value, Reference) and page.numbers.isdisjoint(written)
        }
        return [
            (old.get(value) if isinstance(value, Reference) else None) or _read_page(value, look, own)
            for value in values
        ]


def _former_catalog(document: Document) -> Value:
    return document.revisions[document.position - 1].sections[-1].trailer.get("/Root")


def _page_values(catalog: Value, look: Look) -> Iterator[Value]:
    """The leaves of the page tree in order (ISO 32000-2 §7.7.3)."""
    stack: list[Value] = [catalog.get("/Pages")] if isinstance(catalog, dict) else []
    seen: set[Reference] = set()
    count = 0
    while stack and count < MAX_PAGES:
        value = stack.pop()
        if isinstance(value, Reference):
            if value in seen:
                continue
            seen.add(value)
        node = look(value)
        kids = look(node.get("/Kids")) if isinstance(node, dict) else None
        if isinstance(kids, list):
            stack.extend(reversed(kids))
        elif isinstance(node, dict):
            count += 1
            yield value


def _read_page(value: Value, look: Look, pages: set[int]) -> _Page:
    page = look(value)
    entries = dict(page) if isinstance(page, dict) else {}
    listed = entries.pop("/Annots", None)
    own = {item.number for item in (value, listed) if isinstance(item, Reference)}
    content = _reach([entries], look, pages - own) | own
    items = look(listed)
    annotations = items if isinstance(items, list) else []
    return _Page(value, content, annotations, [_reach([a], look, pages) for a in annotations])


def _reach(starts: Iterable[Value], look: Look, others: set[int]) -> frozenset[int]:
    """Numbers of the objects that are reached, pages and what is not drawn left out."""
    found: set[int] = set()
    stack = list(starts)
    while stack and len(found) < _MAX_OBJECTS:
        value = stack.pop()
        if isinstance(value, Reference):
            if value.number in found or value.number in others:
                continue
            found.add(value.number)
            value = look(value)
        if isinstance(value, Stream):
            value = value.dictionary
        if isinstance(value, dict):
            stack += [item for key, item in value.items() if key not in _UNSEEN and key != "/Annots"]
        elif isinstance(value, list):
            stack += value
    return frozenset(found)


def _compared(
    document: Document, before: list[_Page], now: list[_Page], written: set[int]
) -> Iterator[PageStep]:
    redrawn = _needs_appearances(document.before(_former_catalog(document)), document.before) != (
        _needs_appearances(document.now(document.trailer.get("/Root")), document.now)
    )
    for index in range(max(len(before), len(now))):
        if index >= len(before) or index >= len(now):
            counts = [len(pages[index].annotations) if index < len(pages) else 0 for pages in (before, now)]
            yield PageStep(document.position, index, annotations=(counts[0], counts[1]))
            continue
        old, new = before[index], now[index]
        if old is not new or (redrawn and new.annotations):
            step = _page_step(document, index, (old, new), written, redrawn)
            gone = _placed(document.before, [old.annotations[place] for place in step.gone])
            if gone or step.placed or _content_touched(document, (old, new), written):
                yield step


def _needs_appearances(catalog: Value, look: Look) -> Value:
    form = look(catalog.get("/AcroForm")) if isinstance(catalog, dict) else None
    return form.get("/NeedAppearances") if isinstance(form, dict) else None


def _page_step(
    document: Document, index: int, states: tuple[_Page, _Page], written: set[int], redrawn: bool
) -> PageStep:
    """What the revision did to the page's annotations."""
    old, new = states

    def is_kept(item: Value, numbers: frozenset[int], others: list[Value], look: Look) -> bool:
        field_drawn_anew = redrawn and inherited(look(item), "/FT", look) not in (None, "/Sig")
        return item in others and numbers.isdisjoint(written) and not field_drawn_anew

    kept_before = [
        is_kept(item, numbers, new.annotations, document.before)
        for item, numbers in zip(old.annotations, old.drawn_with, strict=True)
    ]
    kept_now = [
        is_kept(item, numbers, old.annotations, document.now)
        for item, numbers in zip(new.annotations, new.drawn_with, strict=True)
    ]
    gone = tuple(place for place, kept in enumerate(kept_before) if not kept)
    others = [place for place, kept in enumerate(kept_now) if not kept]
    filled = [
        place
        for place in others
        if new.annotations[place] in old.annotations
        and _is_field_seen(new.annotations[place], document.before)
    ]
    return PageStep(
        document.position,
        index,
        gone,
        tuple(filled),
        tuple(place for place in others if place not in filled),
        _placed(document.now, [new.annotations[place] for place in others], [p in filled for p in others]),
        _placed(document.now, [a for a, kept in zip(new.annotations, kept_now, strict=True) if kept]),
        (len(old.annotations), len(new.annotations)),
        any(_flags(new.annotations[place], document.now) & _ON_PAPER_ALONE for place in others),
        tuple(filter(None, (contradiction(new.annotations[p], document.now) for p in others))),
    )


def _is_field_seen(item: Value, look: Look) -> bool:
    """Whether it is the widget of a field, in a place that a reader shows."""
    widget = look(item)
    return (
        isinstance(widget, dict)
        and inherited(widget, "/FT", look) is not None
        and is_visible(widget, look)
        and not _flags(widget, look) & (_HIDDEN | _ON_PAPER_ALONE)
    )


def _content_touched(document: Document, states: tuple[_Page, _Page], written: set[int]) -> bool:
    """Whether anything but the page's list of annotations was written."""
    old, new = states
    if old.value != new.value or not isinstance(new.value, Reference):
        return True
    former, present = document.before(old.value), document.now(new.value)
    if not isinstance(former, dict) or not isinstance(present, dict):
        return True
    listed = (former.get("/Annots"), present.get("/Annots"))
    lists = {item.number for item in listed if isinstance(item, Reference)}
    for key in (former.keys() | present.keys()) - {"/Annots"}:
        if not same(former.get(key), present.get(key)):
            return True
    return not (old.content | new.content).isdisjoint(written - lists - {new.value.number})


def _placed(look: Look, annotations: list[Value], filled: list[bool] | None = None) -> tuple[Placed, ...]:
    """Those of the annotations that have an area and are not hidden."""
    found = []
    for place, item in enumerate(annotations):
        annotation = look(item)
        if not isinstance(annotation, dict) or not is_visible(annotation, look):
            continue
        if _flags(annotation, look) & _HIDDEN:
            continue
        is_field_seen = filled is not None and filled[place]
        is_signature = inherited(annotation, "/FT", look) == "/Sig"
        found.append(
            Placed(_words(annotation, look), _rectangle(annotation, look), is_field_seen, is_signature)
        )
    return tuple(found)


def _flags(item: Value, look: Look) -> int:
    annotation = look(item)
    flags = look(annotation.get("/F")) if isinstance(annotation, dict) else None
    return flags if isinstance(flags, int) else 0


def _words(annotation: dict[str, Value], look: Look) -> str:
    kind = inherited(annotation, "/FT", look)
    if kind is not None:
        return f"{'signature field' if kind == '/Sig' else 'field'} {full_name(annotation, look)!r}"
    return f"annotation {str(annotation.get('/Subtype'))[1:]}"


def _rectangle(annotation: dict[str, Value], look: Look) -> Rectangle:
    items = look(annotation.get("/Rect"))
    sides = [look(item) for item in items] if isinstance(items, list) else []
    left, bottom, right, top = (float(side) for side in sides if isinstance(side, (int, float)))
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Whether two rectangles share an area."""
    return min(one[2], other[2]) > max(one[0], other[0]) and min(one[3], other[3]) > max(one[1], other[1])


def overlaps(document: Document) -> list[str]:
    """Sentences on the annotations of the present revision that lie over each other, one a page."""
    look, found = document.now, []
    for number, page in enumerate(_page_values(look(document.trailer.get("/Root")), look), 1):
        entries = look(page)
        items = look(entries.get("/Annots")) if isinstance(entries, dict) else None
        placed = _placed(look, items[:_MAX_OVERLAPPING]) if isinstance(items, list) else ()
        pair = next((p for p in combinations(placed, 2) if overlap(p[0].rectangle, p[1].rectangle)), None)
        if pair is not None:
            found.append(f"page {number}: {pair[0].words} and {pair[1].words} overlap")
    return found
