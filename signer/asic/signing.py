"""Putting CAdES signatures into containers: new ones, and one more into those that exist.

What is signed comes first: of an ASiC-S its file, of an ASiC-E a manifest. The signature is made elsewhere,
from a digest, and goes into the pieces of the container that is written next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer.asic.container import META_INF, MIMETYPE, Container, open_container
from signer.asic.directory import is_safe_name
from signer.asic.layout import SIMPLE_SIGNATURE, Layout
from signer.asic.manifest import Manifest, Reference, free_number, write_manifest
from signer.asic.writing import FileContent, NewMember, changed_container, new_container
from signer.pieces import Piece

_MANIFEST = "META-INF/ASiCManifest{:03}.xml"
_SIGNATURE = "META-INF/signature{:03}.p7s"


@dataclass(frozen=True)
class DataFile:
    """A file to be signed, by its name in the container."""

    name: str
    mime_type: str
    content: FileContent


@dataclass(frozen=True)
class SignedManifest:
    """A manifest to be signed, its own name, and that of the signature."""

    name: str
    signature_name: str
    octets: bytes


def member_names(titles: Iterable[str]) -> list[str]:
    """Names of files in a container for titles that people gave; none is unsafe, empty or used twice."""
    names: list[str] = []
    for title in titles:
        bare = "".join("-" if char in "/\\:" else char for char in title if char.isprintable())
        bare = bare.strip(" .") or "document"
        if bare.casefold() == MIMETYPE or not is_safe_name(bare):
            bare = f"document-{bare}"
        taken = {name.casefold() for name in names}
        name, number = bare, 2
        while name.casefold() in taken:
            stem, dot, suffix = bare.rpartition(".")
            name = f"{stem or suffix} ({number}){dot}{suffix}" if stem else f"{bare} ({number})"
            number += 1
        names.append(name)
    return names


def new_manifest(files: Sequence[DataFile]) -> SignedManifest:
    """The manifest of a new ASiC-E; of several files the first is the root.

    Raises InvalidArgumentError DATA_FILE_NAME_INVALID.
    """
    _check_names(files)
    references = tuple(
        Reference(
            file.name, file.mime_type, "sha256", file.content.sha256, len(files) > 1 and file is files[0]
        )
        for file in files
    )
    return _manifest(1, references)


def asic_e(
    files: Sequence[DataFile], manifest: SignedManifest, signature: bytes, time: datetime
) -> tuple[Piece, ...]:
    """A new ASiC-E. signature: the detached CAdES over the manifest. Raises as `new_container`."""
    members = [NewMember(file.name, file.content) for file in files]
    return new_container("ASiC-E", [*members, *_members(manifest, signature)], time)


def asic_s(file: DataFile, signature: bytes, time: datetime) -> tuple[Piece, ...]:
    """A new ASiC-S. signature: the detached CAdES over the file.

    Raises InvalidArgumentError DATA_FILE_NAME_INVALID, and as `new_container`.
    """
    _check_names([file])
    members = [NewMember(file.name, file.content), NewMember(SIMPLE_SIGNATURE, signature)]
    return new_container("ASiC-S", members, time)


def further_manifest(container: Container) -> SignedManifest:
    """The manifest of one more signature in an ASiC-E, over all of its files.

    Raises FailedPreconditionError CONTAINER_HAS_XADES, CONTAINER_HAS_NO_FILES; what reading raises.
    """
    layout = Layout(container)
    layout.require_cades()
    stated = {
        reference.name: reference.mime_type
        for stored in layout.manifests.values()
        for reference in stored.manifest.references
    }
    references = tuple(
        Reference(member.name, stated.get(member.name, ""), "sha256", container.digest(member, "sha256"))
        for member in container.signed_files
    )
    if not references:
        raise FailedPreconditionError(
            "CONTAINER_HAS_NO_FILES", "The container has nothing that could be signed.", field="document"
        )
    return _manifest(free_number(container.meta_names, _MANIFEST, _SIGNATURE), references)


def add_signature(
    path: Path, manifest: SignedManifest, signature: bytes, time: datetime
) -> tuple[Piece, ...]:
    """The ASiC-E at `path` with one more signature; what is there stays, octet for octet.

    Raises as `changed_container`.
    """
    with open_container(path) as container:
        return changed_container(path, container, _members(manifest, signature), time)


def _manifest(number: int, references: tuple[Reference, ...]) -> SignedManifest:
    signature = _SIGNATURE.format(number)
    octets = write_manifest(Manifest(signature, references))
    return SignedManifest(_MANIFEST.format(number), signature, octets)


def _members(manifest: SignedManifest, signature: bytes) -> tuple[NewMember, NewMember]:
    return NewMember(manifest.name, manifest.octets), NewMember(manifest.signature_name, signature)


def _check_names(files: Sequence[DataFile]) -> None:
    names = [file.name for file in files]
    wrong = (
        not name or name == MIMETYPE or name.startswith(META_INF) or name[-1] == "/" or not is_safe_name(name)
        for name in names
    )
    if any(wrong) or len(set(names)) != len(names):
        raise InvalidArgumentError(
            "DATA_FILE_NAME_INVALID", "A file cannot have such a name in a container.", field="document"
        )
