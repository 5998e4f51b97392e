"""Comparing what each revision left of a page with what was there before it.

Three questions for a page that a revision touched:

1. With all that is new, changed or gone left out on both sides, is the page the same to the last pixel? If
   not, something changed that no rule of the standard explained.
2. Does a new annotation, or the widget of a new signature, hide what was there? Then the reader no longer
   sees what was signed, whatever the permission says of annotations. Of a signature that hides little that is
   held against certifications alone: badly placed signatures are too common.
3. Does a field that was there hide words of the page now that it is filled in?

An overlap that hides nothing is a finding, and so is a field that shows other words than its value. Pages
beyond the budget are findings too: the analysis of changes is whole without pictures.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from signer.validation.pdf.appearance import picture, pixels
from signer.validation.pdf.appearance.pixels import Box
from signer.validation.pdf.appearance.rendering import Bitmap, NotDrawnError, State, draw, text_within
from signer.validation.pdf.appearance.steps import PageStep, Placed, Rectangle, overlap
from signer.validation.pdf.revisions import Document

MAX_DRAWINGS = 400
"""Most pages that are drawn for one document."""
MAX_SECONDS = 8.0
"""Most processor time that is spent on drawing one document."""
MAX_PICTURES = 6
"""Most pictures that are made for one document."""

_EDGE = 2.0
"""Points by which the rectangle of a field commonly reaches over the words beside it."""
_MUCH = 0.05
"""Part of what the page shows that no new signature may hide."""
_MAX_FINDINGS = 20


@dataclass(frozen=True)
class Sight:
    """A difference that nothing explains.

    revision: index of the one that made it. page: from 1. rectangle: in points from the lower left corner of
    the page as shown. picture: PNG of the page before and after it; empty where no more were made.
    tolerated: whether it is only a finding for signatures that do not certify.
    """

    revision: int
    page: int
    sentence: str
    rectangle: Rectangle
    picture: bytes
    tolerated: bool = False


@dataclass
class Look:
    """What was seen. findings: (index of the revision that made it, sentence)."""

    sights: list[Sight] = field(default_factory=list)
    findings: list[tuple[int, str]] = field(default_factory=list)


def compare(
    document: Document,
    steps: Iterable[PageStep],
    *,
    certified: bool,
    clock: Callable[[], float] = time.process_time,
) -> Look:
    """Draw the pages of `steps` before and after, and say what differs.

    certified: whether any signature certifies the document. clock: processor time in seconds.
    """
    comparison = _Comparison(document, certified, clock)
    for step in steps:
        comparison.look_at(step)
    return comparison.finish()


class _Budget:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._end, self._left = clock, clock() + MAX_SECONDS, MAX_DRAWINGS

    def spend(self) -> bool:
        self._left -= 1
        return self._left >= 0 and self._clock() < self._end


class _Comparison:
    def __init__(self, document: Document, certified: bool, clock: Callable[[], float]) -> None:
        self._document, self._certified, self._budget = document, certified, _Budget(clock)
        self._look = Look()
        self._last: tuple[tuple[int, int, bool], Bitmap] | None = None
        self._skipped: dict[int, list[int]] = {}

    def finish(self) -> Look:
        for revision, pages in self._skipped.items():
            told = ", ".join(map(str, pages[:10])) + (" …" if len(pages) > 10 else "")
            self._find(revision, f"pages not compared as drawn, as the limit was reached: {told}")
        return self._look

    def look_at(self, step: PageStep) -> None:
        self._overlaps(step)
        for sentence in step.contradictions:
            self._find(step.revision, sentence)
        if not self._budget.spend():
            self._skipped.setdefault(step.revision, []).append(step.page + 1)
            return
        for printed in (True, False) if step.printed else (False,):
            self._compare(step, printed)

    def _compare(self, step: PageStep, printed: bool) -> None:
        before = self._drawn(step, -1, step.gone, printed)
        after = self._drawn(step, 0, (*step.filled, *step.new), printed)
        whole = self._drawn(step, 0, (), printed)
        where = f"page {step.page + 1}" + (" in print" if printed else "")
        if before is None and after is None:
            self._find(step.revision, f"{where} cannot be drawn and was not compared")
        elif before is None or after is None or whole is None:
            known = before or after
            box = (0, 0, known.width, known.height) if known else (0, 0, 1, 1)
            word = (
                "was added or could not be drawn before" if before is None else "is gone or cannot be drawn"
            )
            self._see(step, f"{where} {word}", box, (before, after))
        elif (box_of_all := pixels.difference(before, after)) is not None:
            self._see(step, f"{where} looks different", box_of_all, (before, whole))
        else:
            filled = self._drawn(step, 0, step.new, printed) if step.new and step.filled else None
            stages = before, filled or (before if step.new else whole), whole
            self._hidden_by_fields(step, where, stages[:2])
            shown = self._drawn(step, -1, (), printed) if step.gone else before
            self._hidden_by_new(step, where, stages[1:], shown or before)

    def _drawn(self, step: PageStep, offset: int, without: tuple[int, ...], printed: bool) -> Bitmap | None:
        """The page in the step's revision, or with -1 in that before it."""
        revision = step.revision + offset
        key = revision, step.page, printed
        if not without and self._last and self._last[0] == key:
            return self._last[1]
        end = self._document.revisions[revision].padded_end
        state = State(self._document.data, end, step.page, step.annotations[offset + 1])
        try:
            bitmap = draw(state, without, printed=printed)
        except NotDrawnError:
            return None
        if not without:
            self._last = key, bitmap
        return bitmap

    def _hidden_by_new(
        self, step: PageStep, where: str, shown: tuple[Bitmap, Bitmap], before: Bitmap
    ) -> None:
        """A new annotation must not hide anything; one that did so before may go on."""
        hidden = pixels.hidden(*shown)
        if hidden is None or pixels.hidden(before, shown[1]) is None:
            return
        new = [item for item in step.placed if not item.is_field_seen]
        culprits = [item for item in new if _touches(item, hidden.box, shown[1])] or new
        words = f"{_words(culprits) or 'an annotation'} added on {where} hides what was there"
        signing = bool(culprits) and all(item.is_signature for item in culprits)
        self._see(step, words, hidden.box, shown, tolerated=signing and hidden.part < _MUCH)

    def _hidden_by_fields(self, step: PageStep, where: str, shown: tuple[Bitmap, Bitmap]) -> None:
        """What was there when it was signed may be filled in and hide lines, but no words."""
        hidden = pixels.hidden(*shown)
        if hidden is None:
            return
        there = [item for item in step.placed if item.is_field_seen]
        culprits = [item for item in there if _touches(item, hidden.box, shown[1])] or there
        words = f"{_words(culprits) or 'a field'} changed on {where} hides what was there"
        if any(self._is_over_words(step, item) for item in culprits if not item.is_signature):
            self._see(step, words, hidden.box, shown)
        else:
            self._find(step.revision, words)

    def _is_over_words(self, step: PageStep, item: Placed) -> bool:
        """Whether the page has letters or digits well within the rectangle."""
        left, bottom, right, top = item.rectangle
        within = left + _EDGE, bottom + _EDGE, right - _EDGE, top - _EDGE
        end = self._document.revisions[step.revision].padded_end
        state = State(self._document.data, end, step.page, step.annotations[1])
        return any(letter.isalnum() for letter in text_within(state, within))

    def _overlaps(self, step: PageStep) -> None:
        for item in step.placed:
            if item.is_field_seen:
                continue
            others = [other for other in step.placed if other.is_field_seen]
            below = [o for o in (*step.kept, *others) if overlap(item.rectangle, o.rectangle)]
            if below:
                words = f"{item.words} added on page {step.page + 1} overlaps {_words(below)}"
                self._find(step.revision, words)

    def _see(
        self,
        step: PageStep,
        sentence: str,
        box: Box,
        shown: tuple[Bitmap | None, Bitmap | None],
        *,
        tolerated: bool = False,
    ) -> None:
        made = sum(1 for sight in self._look.sights if sight.picture)
        wanted = made < MAX_PICTURES and not (tolerated and not self._certified)
        image = picture.side_by_side(*shown, box) if wanted else b""
        page = shown[1] or shown[0]
        rectangle = _in_points(box, page) if page else (0.0, 0.0, 0.0, 0.0)
        self._look.sights.append(Sight(step.revision, step.page + 1, sentence, rectangle, image, tolerated))

    def _find(self, revision: int, sentence: str) -> None:
        if len(self._look.findings) < _MAX_FINDINGS:
            self._look.findings.append((revision, sentence))


def _in_points(box: Box, page: Bitmap) -> Rectangle:
    left, top, right, bottom = (side / page.scale for side in box)
    height = page.height / page.scale
    return round(left, 1), round(height - bottom, 1), round(right, 1), round(height - top, 1)


def _touches(item: Placed, box: Box, page: Bitmap) -> bool:
    return overlap(item.rectangle, _in_points(box, page))


def _words(items: Iterable[Placed]) -> str:
    names = list(dict.fromkeys(item.words for item in items))
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
