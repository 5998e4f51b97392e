"""What happened to a document after one of its signatures, held against what the signature permits."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.comparer import Level
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
    """The verdict on what came after a signature; `changes` are sentences, the farthest changes first."""

    modification: Modification
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Later:
    """All that the revisions after one of them changed."""

    level: Level = Level.NONE
    places_field: bool = False
    fields: frozenset[str] = frozenset()
    reasons: tuple[tuple[Level, str], ...] = ()


class Aftermaths:
    """Looks up, for each signature of a document, what came after it."""

    def __init__(self, analysis: ChangeAnalysis) -> None:
        self._document = analysis.document
        self._ends = [revision.end for revision in analysis.document.revisions]
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
        is_last = index + 1 == len(revisions)
        if is_last:
            return self._after_the_last(byte_range, revision.end)
        if self._document.encrypted:
            return Aftermath(
                Modification.UNKNOWN, ("the document is encrypted: later revisions are not compared",)
            )
        return self._judge(signature, self._later[index])

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
            )
        )
    later.reverse()
    return later
