"""The revisions of a PDF as they lie in the file (ISO 32000-2 §7.5.6): where each begins and ends.

A revision is one cross-reference section (two in a linearized base) with the objects before it, its own
`startxref` and `%%EOF`.
"""

import re
from dataclasses import dataclass, field

from signer.validation.pdf.mapped import Buffer
from signer.validation.pdf.objects import END_OBJECT
from signer.validation.pdf.sections import Section
from signer.validation.pdf.values import BLANKS, Dictionary, PdfSyntaxError

CONTRADICTORY = "the two cross-reference sections of a hybrid file contradict each other"
"""Readers that follow the standard believe the table (§7.5.8.4); others see another document."""

_END_OF_FILE = re.compile(
    BLANKS.replace(rb"%[^\r\n]*+", rb"%(?!%EOF)[^\r\n]*+")
    + rb"startxref[\0\t\n\f\r ]+(\d{1,15})[\0\t\n\f\r ]+%%EOF"
)
_WHITE_SPACE = re.compile(rb"[\0\t\n\f\r ]*")


@dataclass
class Revision:
    """One state of the file.

    start: first byte. end: after its `%%EOF`. padded_end: after the blanks that follow.
    previous_end: `end` of the revision before. oddities: what no reader should have to guess about.
    """

    sections: list[Section]
    previous_end: int
    start: int
    end: int = 0
    padded_end: int = 0
    oddities: list[str] = field(default_factory=list)

    @property
    def trailer(self) -> Dictionary:
        """The trailer that holds in this state."""
        return self.sections[-1].trailer

    @property
    def contradictory(self) -> bool:
        """Whether one of its sections is there twice, with two meanings."""
        return any(section.contradictory for section in self.sections)

    @property
    def hybrid(self) -> bool:
        """Whether older readers see another document (§7.5.8.4)."""
        return any(section.hybrid for section in self.sections)


def split(data: Buffer, sections: list[Section], origin: int) -> list[Revision]:
    """Give each section its revision; in a linearized base two belong together (ISO 32000-2 Annex F).

    origin: from where the file counts its offsets. Raises PdfSyntaxError.
    """
    linearized = len(sections) > 1 and sections[1].start < sections[0].start
    groups = [sections[:2]] if linearized else []
    groups += [[section] for section in sections[2 if linearized else 0 :]]
    revisions: list[Revision] = []
    for group in groups:
        last = revisions[-1] if revisions else None
        revision = Revision(group, last.end if last else 0, last.padded_end if last else 0)
        _find_end(data, revision, origin)
        revisions.append(revision)
    if revisions[-1].padded_end != len(data):
        revisions[-1].oddities.append("bytes after the last revision")
    return revisions


def _find_end(data: Buffer, revision: Revision, origin: int) -> None:
    last = max(revision.sections, key=lambda section: section.end)
    if last.start < revision.start:
        raise PdfSyntaxError("cross-reference sections out of order")
    after_object = END_OBJECT.match(data, last.end) if last.reference else None
    end = _END_OF_FILE.match(data, after_object.end() if after_object else last.end)
    accepted = {last.offset - origin}
    if len(revision.sections) == 2:
        accepted |= {0, revision.sections[-1].offset - origin}
    if end and int(end[1]) in accepted:
        blanks = _WHITE_SPACE.match(data, end.end())
        revision.end, revision.padded_end = end.end(), blanks.end() if blanks else end.end()
    else:
        revision.oddities.append("no startxref and %%EOF of its own")
        revision.end = revision.padded_end = last.end
    if revision.contradictory:
        revision.oddities.append(CONTRADICTORY)
