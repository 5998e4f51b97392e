"""What a person is told of a PDF before they sign it."""

from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Name

LONGEST_TITLE = 300
"""Characters of a title that are shown."""


@dataclass(frozen=True)
class DocumentSummary:
    """The document's own title ("" where it has none), printable, and the number of its pages."""

    title: str
    page_count: int


def summarize(path: Path) -> DocumentSummary:
    """Summarize a document that was admitted; its title is that of /Info, else the XMP metadata's."""
    with pikepdf.open(path, suppress_warnings=True, attempt_recovery=False) as pdf:
        return DocumentSummary(_title(pdf), len(pdf.pages))


def _title(pdf: pikepdf.Pdf) -> str:
    try:
        title = str(pdf.docinfo.get(Name.Title, ""))
        if not title.strip():
            title = str(pdf.open_metadata(set_pikepdf_as_editor=False).get("dc:title", ""))
    except Exception:  # fence: a title is a help for people; metadata that cannot be read have none
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in title).strip()[:LONGEST_TITLE]
