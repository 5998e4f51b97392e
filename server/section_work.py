"""What runs in a worker process of its own: preparing a signature on a document of unknown origin.

This module imports what it needs when the process starts, so that its first job does not wait for it.
"""

from pathlib import Path

from signer.external import ExternalSigner
from signer.pades.options import SignatureOptions
from signer.pades.signing import PreparedSection, prepare_section
from signer.pades.summary import DocumentSummary, summarize


def ready() -> None:
    """The processes' initializer: the imports above are all that is to be prepared."""


def prepare_with_summary(
    path: Path, signer: ExternalSigner, options: SignatureOptions
) -> tuple[PreparedSection, DocumentSummary]:
    """Prepare a signature on the PDF at `path` and summarize the PDF. Raises as `prepare_section`."""
    return prepare_section(path, signer, options), summarize(path)
