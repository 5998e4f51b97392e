"""What runs in a worker process because it reads documents of strangers: the forms of CAdES signatures."""

from dataclasses import dataclass
from pathlib import Path

from pecete.errors import DataLossError
from signer.asic.signing import DataFile
from signer.asic.writing import measure
from signer.forms import (
    AsicE,
    Countersigner,
    Detached,
    Enveloping,
    Form,
    Format,
    FurtherAsicS,
    FurtherSigner,
    NewAsicS,
)


@dataclass(frozen=True)
class StoredFile:
    """A stored document: its name in a container, its media type, and its SHA-256."""

    path: Path
    name: str
    media_type: str
    sha256: bytes


@dataclass(frozen=True)
class FormPlan:
    """What is to be signed in which form; see `server.signature_formats.FormatOrder`."""

    format: Format
    is_further: bool
    files: tuple[StoredFile, ...]
    detached: Path | None
    countersigned: bytes


@dataclass(frozen=True)
class PlannedForm:
    """A form, what the validation will call the signature, and the digest that is to be signed."""

    form: Form
    field: str
    digest: bytes


def plan_form(plan: FormPlan, algorithm: str) -> PlannedForm:
    """Make the form and the digest, by an algorithm as hashlib names it.

    Raises what the forms raise; DataLossError OBJECT_ALTERED.
    """
    form = _further(plan) if plan.is_further else _new(plan)
    return PlannedForm(form, form.field(), form.digest(algorithm))


def _further(plan: FormPlan) -> Form:
    path = plan.files[0].path
    if plan.countersigned:
        return Countersigner(path, plan.countersigned)
    if plan.format == "ASiC-E":
        return AsicE.of_container(path)
    if plan.format == "ASiC-S":
        return FurtherAsicS(path)
    return FurtherSigner(path, plan.detached)


def _new(plan: FormPlan) -> Form:
    first = plan.files[0]
    if plan.format == "CAdES-detached":
        return Detached(first.path)
    if plan.format == "CAdES-enveloping":
        return Enveloping(first.path, first.sha256)
    files = tuple(map(_data_file, plan.files))
    return AsicE.of_files(files) if plan.format == "ASiC-E" else NewAsicS(files[0])


def _data_file(file: StoredFile) -> DataFile:
    content = measure(file.path)
    if content.sha256 != file.sha256:
        raise DataLossError("OBJECT_ALTERED", "The kept bytes are not those that were stored.")
    return DataFile(file.name, file.media_type, content)
