"""What a person is told of a PDF before they sign it."""

from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Name

from signer.pades.admission import admitted
from signer.pades.options import Certification, Lock, SignatureOptions

LONGEST_TITLE = 300
"""Characters of a title that are shown."""


@dataclass(frozen=True)
class DocumentSummary:
    """What is signed, and what signing it means for what may follow.

    title: the document's own, printable; "" where it has none. certification, lock: what the signature will
    certify and lock, which may be by a lock of the field.
    """

    title: str
    page_count: int
    certification: Certification | None
    lock: Lock | None


def summarize(path: Path, options: SignatureOptions) -> DocumentSummary:
    """Summarize a document and its signature to be; the title is that of /Info, else the XMP metadata's.

    Raises as `admitted`.
    """
    with admitted(path, options) as document:
        lock = document.lock.kind if document.lock is not None else None
        return DocumentSummary(_title(document.pdf), len(document.pdf.pages), document.certification, lock)


def _title(pdf: pikepdf.Pdf) -> str:
    try:
        title = str(pdf.docinfo.get(Name.Title, ""))
        if not title.strip():
            title = str(pdf.open_metadata(set_pikepdf_as_editor=False).get("dc:title", ""))
    except Exception:  # fence: a title is a help for people; metadata that cannot be read have none
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in title).strip()[:LONGEST_TITLE]
