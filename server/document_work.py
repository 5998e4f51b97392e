"""What runs in a worker process because it reads documents of strangers: writing sections for them."""

from pathlib import Path

from server.stamping import TIMESTAMP_RESERVE
from signer.external import ExternalSigner
from signer.material import ValidationMaterial
from signer.pades import augmentation
from signer.pades.options import SignatureOptions
from signer.pades.section import AppendedSection
from signer.pades.signing import PreparedSection, prepare_section
from signer.pades.summary import DocumentSummary, summarize


def prepare() -> None:
    """Prepare a worker: importing this module did."""


def prepare_with_summary(
    path: Path, signer: ExternalSigner, options: SignatureOptions
) -> tuple[PreparedSection, DocumentSummary]:
    """Prepare a signature on the PDF at `path` and summarize the PDF. Raises as `prepare_section`."""
    return prepare_section(path, signer, options), summarize(path, options)


def material_section(path: Path, material: ValidationMaterial) -> bytes:
    """As `augmentation.append_material`."""
    return augmentation.append_material(path, material)


def timestamp_section(path: Path) -> AppendedSection:
    """As `augmentation.prepare_timestamp`."""
    return augmentation.prepare_timestamp(path, reserve=TIMESTAMP_RESERVE)
