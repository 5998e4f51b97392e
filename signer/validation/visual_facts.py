"""Adding to the facts of a PDF what its pages show, which may make a verdict stricter and never laxer."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from signer.validation.facts import DocumentFacts, SignatureFacts, TimestampFacts, VisualChange
from signer.validation.pdf.aftermath import MAX_REASONS, Modification
from signer.validation.pdf.appearance.steps import PageStep, overlaps
from signer.validation.pdf.revisions import Document

if TYPE_CHECKING:
    from signer.validation.pdf.appearance.comparison import Sight

Covering = TypeVar("Covering", SignatureFacts, TimestampFacts)


def with_appearance(
    facts: DocumentFacts, document: Document, steps: Sequence[PageStep], certifications: frozenset[int]
) -> DocumentFacts:
    """The facts with what was seen by drawing the pages of `steps` before and after each revision.

    A difference counts against every signature and document time-stamp before it: its modification becomes
    FORBIDDEN, and the difference is named first among its changes. certifications: positions up to which
    signatures cover the file that certify it.
    """
    ends = [signature.end for signature in facts.signatures]
    ends += [stamp.end for stamp in facts.document_timestamps]
    if not ends:
        return facts
    view = _View(document, steps, min(ends), certifications)
    return replace(
        facts,
        signatures=tuple(view.of_signature(signature) for signature in facts.signatures),
        document_timestamps=tuple(view.judged(stamp) for stamp in facts.document_timestamps),
    )


class _View:
    def __init__(
        self, document: Document, steps: Sequence[PageStep], first_end: int, certifications: frozenset[int]
    ) -> None:
        self._ends = [revision.end for revision in document.revisions]
        self._certifications = certifications
        first = self._revision(first_end)
        self._steps = [step for step in steps if step.revision > first]
        self._seen: list[Sight] = []
        self._found: list[tuple[int, str]] = []
        if self._steps:
            from signer.validation.pdf.appearance.comparison import compare  # PDFium is slow to import

            look = compare(document, self._steps, certified=bool(certifications))
            self._seen, self._found = look.sights, look.findings
        self._overlaps = overlaps(document)

    def _revision(self, end: int) -> int:
        """The last revision that is covered up to `end`."""
        return bisect_right(self._ends, end) - 1

    def _sights(self, end: int) -> "tuple[list[Sight], list[str]]":
        """What was seen after a signature that ends there: what is held against it, and findings."""
        covered = self._revision(end)
        later = [sight for sight in self._seen if sight.revision > covered]
        found = [sentence for revision, sentence in self._found if revision > covered]
        if end in self._certifications:
            return later, found
        found += [sight.sentence for sight in later if sight.tolerated]
        return [sight for sight in later if not sight.tolerated], found

    def judged(self, facts: Covering) -> Covering:
        """With what was seen after it."""
        sentences: list[str] = [sight.sentence for sight in self._sights(facts.end)[0]]
        if not sentences:
            return facts
        changes = tuple(dict.fromkeys([*sentences, *facts.changes]))[:MAX_REASONS]
        return replace(facts, modification=Modification.FORBIDDEN, changes=changes)

    def of_signature(self, facts: SignatureFacts) -> SignatureFacts:
        """With pictures, findings and the numbers of the pages that were changed after it."""
        seen, found = self._sights(facts.end)
        covered = self._revision(facts.end)
        return replace(
            self.judged(facts),
            visual_changes=tuple(VisualChange(s.page, s.rectangle, s.sentence, s.picture) for s in seen),
            findings=tuple(dict.fromkeys([*facts.findings, *found, *self._overlaps])),
            changed_pages=tuple(sorted({s.page + 1 for s in self._steps if s.revision > covered})),
        )
