"""What happened to a document after one of its signatures, held against what the signature permits."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from signer.validation.pdf.changes import HYBRID, ChangeAnalysis
from signer.validation.pdf.comparer import Level
from signer.validation.pdf.layout import CONTRADICTORY
from signer.validation.pdf.permissions import permissions
from signer.validation.pdf.values import Dictionary

MAX_REASONS = 40
"""Most changes that are told of one signature."""


class Modification(StrEnum):
    """Whether the document changed after the signature, and whether the signature lets it."""

    NONE = "none"
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ByteRange:
    """/ByteRange of a signature (ISO 32000-2 §12.8.1): two ranges around the gap that holds /Contents.

    gap_start, gap_end: positions of `<` and after `>`. end: after the last signed byte.
    """

    gap_start: int
    gap_end: int
    end: int


@dataclass(frozen=True)
class Aftermath:
    """The verdict on what came after a signature.

    changes: sentences, the farthest changes first. findings: those that should be known though permitted.
    """

    modification: Modification
    changes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Later:
    """All that the revisions after one of them changed."""

    level: Level = Level.NONE
    places_field: bool = False
    fields: frozenset[str] = frozenset()
    reasons: tuple[tuple[Level, str], ...] = ()
    findings: tuple[str, ...] = ()


class Aftermaths:
    """Looks up, for each signature of a document, what came after it."""

    def __init__(self, analysis: ChangeAnalysis) -> None:
        self._document = analysis.document
        revisions = analysis.document.revisions
        self._ends = [revision.end for revision in revisions]
        self._hybrid = _first(revision.hybrid for revision in revisions)
        self._contradictory = _first(revision.contradictory for revision in revisions)
        self._later = _accumulate(analysis)

    def of(self, signature: Dictionary, byte_range: ByteRange | None) -> Aftermath:
        """`byte_range` None: it is not one range from the first byte around its own /Contents."""
        revisions = self._document.revisions
        index = bisect_right(self._ends, byte_range.end) - 1 if byte_range else -1
        if byte_range is None or index < 0:
            return _forbidden("the signature does not cover one whole revision of the document")
        revision = revisions[index]
        if not (
            revision.end <= byte_range.end <= revision.padded_end and revision.start <= byte_range.gap_start
        ):
            return _forbidden("the signature does not cover one whole revision of the document")
        if index + 1 == len(revisions):
            verdict = self._after_the_last(byte_range, revision.end)
        else:
            verdict = self._judge(signature, self._later[index])
        return replace(verdict, findings=self._findings(index))

    def _findings(self, index: int) -> tuple[str, ...]:
        """What should be known of the signed revision itself, and of those after it."""
        findings = ["bytes stand before the header of the document"] if self._document.header else []
        if index >= self._hybrid:
            findings.append(HYBRID)
        if index >= self._contradictory:
            findings.append(CONTRADICTORY)
        return tuple(dict.fromkeys((*findings, *self._later[index].findings)))

    def _after_the_last(self, byte_range: ByteRange, revision_end: int) -> Aftermath:
        oddities = self._document.revisions[-1].oddities
        if byte_range.end != len(self._document.data) and oddities:
            return Aftermath(Modification.FORBIDDEN, tuple(oddities))
        return Aftermath(Modification.NONE if byte_range.end >= revision_end else Modification.ALLOWED)

    def _judge(self, signature: Dictionary, later: _Later) -> Aftermath:
        permitted = permissions(signature, self._document.now)
        locked = permitted.locked(later.fields)
        reasons = sorted(later.reasons, key=lambda reason: -reason[0])
        changes = [sentence for _, sentence in reasons][:MAX_REASONS]
        changes[:0] = [f"the locked field {name!r} was changed" for name in locked]
        placed = later.places_field and permitted.limit < Level.ANNOTATION
        if placed:
            changes.insert(0, "a visible signature field was added, which the signature does not permit")
        forbidden = later.level > permitted.limit or bool(locked) or placed
        return Aftermath(
            Modification.FORBIDDEN if forbidden else Modification.ALLOWED, tuple(dict.fromkeys(changes))
        )


def _first(marks: Iterable[bool]) -> float:
    """Index of the first that is so, beyond all where none is."""
    return next((index for index, mark in enumerate(marks) if mark), inf)


def _forbidden(reason: str) -> Aftermath:
    return Aftermath(Modification.FORBIDDEN, (reason,))


def _accumulate(analysis: ChangeAnalysis) -> list[_Later]:
    """For each revision what all later ones did, in one pass from the end."""
    later = [_Later()]
    for log in reversed(analysis.logs[1:]):
        after = later[-1]
        keep = tuple(dict.fromkeys(log.reasons)) if log.reasons else ()
        reasons = keep + after.reasons
        if len(reasons) > MAX_REASONS:
            reasons = tuple(sorted(reasons, key=lambda reason: -reason[0])[:MAX_REASONS])
        later.append(
            _Later(
                max(after.level, log.level),
                after.places_field or log.places_field,
                after.fields | log.fields if log.fields else after.fields,
                reasons,
                tuple(dict.fromkeys((*log.findings, *after.findings))),
            )
        )
    later.reverse()
    return later
