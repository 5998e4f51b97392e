"""Files with CAdES signatures, CMS files and ASiC containers alike, so that their levels can be raised.

A signature is known by the name of its file in the container, "" outside of one, and its signer's index. All
that is added becomes a new file, given as pieces.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pecete.errors import FailedPreconditionError, NotFoundError
from signer.asic.container import open_container
from signer.asic.layout import Layout
from signer.asic.writing import NewMember, changed_container
from signer.cades.archive_timestamp import (
    PreparedArchiveTimestamp,
    finish_archive_timestamp,
    prepare_archive_timestamp,
)
from signer.cades.augmentation import add_material, add_signature_time_stamp, signature_values
from signer.cades.content import ContentDigest, file_content, octets_content
from signer.cades.structure import MAX_SIZE, take_apart
from signer.der import SEQUENCE
from signer.material import ValidationMaterial
from signer.pieces import Piece
from signer.validation.cades_facts import signer_field
from signer.validation.der import read


@dataclass(frozen=True)
class SignerPlace:
    """One signer: field as the validation names it; signature_sha256 of the signature value."""

    name: str
    index: int
    field: str
    signature_sha256: bytes


@dataclass(frozen=True)
class SignatureFile:
    """A CMS file, or a container, at `path`. detached: the content of a CMS file that stands apart."""

    path: Path
    detached: Path | None = None

    @property
    def is_container(self) -> bool:
        """Whether it is a ZIP file, which must then be an ASiC container."""
        with _reading(self.path), self.path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"

    def signers(self, fields: Sequence[str]) -> tuple[SignerPlace, ...]:
        """The signers in these fields, or all where there are none. Raises what reading them raises."""
        found = []
        for name, cms in self.signatures().items():
            values = signature_values(cms)
            for index, value in enumerate(values):
                field = signer_field(name, index, len(values))
                if not fields or field in fields:
                    found.append(SignerPlace(name, index, field, value.sha256))
        return tuple(found)

    def signatures(self) -> dict[str, bytes]:
        """The CMS signatures by name.

        Raises NotFoundError DOCUMENT_UNREADABLE and what reading a container raises.
        """
        if not self.is_container:
            return {"": read_signature(self.path)}
        with open_container(self.path) as container:
            layout = Layout(container)
            layout.require_cades()
            return {name: container.read(name) for name in layout.signatures}

    # ---- levels

    def with_time_stamps(
        self, places: Sequence[SignerPlace], tokens: Sequence[bytes], time: datetime
    ) -> tuple[Piece, ...]:
        """B-T: signature-time-stamps, each over the signature value of its place.

        Raises FailedPreconditionError SIGNATURE_ARCHIVED, and as `augmentation.add_signature_time_stamp`.
        """
        signatures = self.signatures()
        for place, token in zip(places, tokens, strict=True):
            signatures[place.name] = add_signature_time_stamp(signatures[place.name], place.index, token)
        return self.replaced({place.name: signatures[place.name] for place in places}, time)

    def with_material(
        self, names: Sequence[str], material: ValidationMaterial, time: datetime
    ) -> tuple[Piece, ...]:
        """B-LT: what these signatures lack; no pieces where they lack nothing.

        A signature under an archive manifest cannot change; what it lacks goes into the last archive
        time-stamp. Raises as `augmentation.add_material`.
        """
        signatures = self.signatures()
        changed = {name: add_material(signatures[name], material) for name in names}
        if self.is_container:
            with open_container(self.path) as container:
                layout = Layout(container)
                stamps = {
                    stored.manifest.signature: container.read(stored.manifest.signature)
                    for stored in layout.archive_manifests
                }
            changed = {name: cms for name, cms in changed.items() if not layout.is_archived(name)}
            if stamps:
                last = list(stamps)[-1]
                lacking = _lacking(material, [*(signatures | changed).values(), *stamps.values()])
                changed[last] = add_material(stamps[last], lacking)
                signatures[last] = stamps[last]
        changed = {name: cms for name, cms in changed.items() if cms != signatures[name]}
        return self.replaced(changed, time) if changed else ()

    def prepare_archive_time_stamp(self, place: SignerPlace) -> PreparedArchiveTimestamp:
        """B-LTA of a CMS file and an ASiC-S: an archive time-stamp in the signature.

        Raises as `archive_timestamp.prepare_archive_timestamp`.
        """
        with self._content(place.name) as content:
            return prepare_archive_timestamp(self.signatures()[place.name], place.index, content)

    def with_archive_time_stamp(
        self, place: SignerPlace, prepared: PreparedArchiveTimestamp, token: bytes, time: datetime
    ) -> tuple[Piece, ...]:
        """The file with that time-stamp. Raises as `archive_timestamp.finish_archive_timestamp`."""
        made = finish_archive_timestamp(self.signatures()[place.name], prepared, token)
        return self.replaced({place.name: made}, time)

    def replaced(self, signatures: Mapping[str, bytes], time: datetime) -> tuple[Piece, ...]:
        """The file with these signatures instead of those of the same names; all else stays.

        Raises FailedPreconditionError SIGNATURE_ARCHIVED where an archive manifest is over one.
        """
        if not self.is_container:
            return tuple(signatures.values())
        self.require_changeable(signatures)
        with open_container(self.path) as container:
            members = [NewMember(name, cms) for name, cms in signatures.items()]
            return changed_container(self.path, container, members, time)

    def require_changeable(self, names: Iterable[str]) -> None:
        """Refuse to change what an archive manifest is over.

        Raises FailedPreconditionError SIGNATURE_ARCHIVED.
        """
        if not self.is_container:
            return
        with open_container(self.path) as container:
            layout = Layout(container)
            if any(layout.is_archived(name) for name in names):
                raise FailedPreconditionError(
                    "SIGNATURE_ARCHIVED",
                    "The signature is under an archive time-stamp that a change would break.",
                    field="document",
                )

    @contextmanager
    def _content(self, name: str) -> Iterator[ContentDigest | None]:
        """What the signature of a name is over, None where it is inside."""
        if not self.is_container:
            yield file_content(self.detached) if self.detached else None
            return
        with open_container(self.path) as container:
            layout = Layout(container)
            if container.kind == "ASiC-S":
                member = layout.file
                yield lambda algorithm: container.digest(member, algorithm)
            else:
                yield octets_content(layout.manifests[name].octets)


def _lacking(material: ValidationMaterial, signatures: Sequence[bytes]) -> ValidationMaterial:
    """The material that none of these CMS signatures has."""
    kept = {
        element
        for parts in map(take_apart, signatures)
        for element in (*parts.certificates, *map(_revocation_datum, parts.revocation))
    }
    return ValidationMaterial(
        *(
            tuple(der for der in ders if der not in kept)
            for ders in (material.certificates, material.crls, material.ocsp_responses)
        )
    )


def _revocation_datum(choice: bytes) -> bytes:
    """The CRL, or what a RevocationInfoChoice has as other revocation information (RFC 5940 §2.1)."""
    if choice[0] == SEQUENCE:
        return choice
    parts = list(read(choice).children())
    return parts[-1].raw if parts else b""


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotFoundError(
            "DOCUMENT_UNREADABLE", f"The file {path.name} cannot be read.", field="document"
        ) from error


def read_signature(path: Path) -> bytes:
    """The octets of a CMS file. Raises as `SignatureFile.signatures`, and what a CMS file may not be."""
    with _reading(path), path.open("rb") as file:
        return file.read(MAX_SIZE + 1)
