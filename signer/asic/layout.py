"""Where things are in a container: its signatures, their manifests, and the time-stamps over them.

An ASiC-S has one file and `META-INF/signature.p7s` over it (EN 319 162-1 §4.3). In an ASiC-E each signature
is over a manifest that lists files (§4.4.4); archive manifests and their time-stamps are over all (Annex A).
"""

import re
from dataclasses import dataclass
from functools import cached_property

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer.asic.container import META_INF, Container
from signer.asic.directory import Member
from signer.asic.manifest import ARCHIVE_MANIFEST, MAX_SIZE, Manifest, malformed, read_manifest

SIMPLE_SIGNATURE = "META-INF/signature.p7s"
_SIGNATURE = re.compile(rf"{META_INF}[^/]*\.p7s", re.IGNORECASE)
_XADES = re.compile(rf"{META_INF}[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_MANIFEST = re.compile(rf"{META_INF}ASiCManifest[^/]*\.xml")
_EVIDENCE_MANIFEST = re.compile(rf"{META_INF}ASiCEvidenceRecordManifest[^/]*\.xml")
_EVIDENCE_RECORD = re.compile(rf"{META_INF}[^/]*evidencerecord[^/]*\.(ers|xml)", re.IGNORECASE)
_ARCHIVE_MANIFEST = re.compile(rf"{META_INF}ASiCArchiveManifest[^/]*\.xml")


@dataclass(frozen=True)
class StoredManifest:
    """A manifest by its name in the container, its octets, and what it says."""

    name: str
    octets: bytes
    manifest: Manifest


class Layout:
    """The layout of a container with CAdES signatures, read as far as it is asked for."""

    def __init__(self, container: Container) -> None:
        self.container = container

    @cached_property
    def xml_signatures(self) -> tuple[str, ...]:
        """Names of the members with XAdES signatures."""
        return tuple(name for name in self.container.meta_names if _XADES.fullmatch(name))

    def require_cades(self) -> None:
        """Refuse a container with XAdES signatures. Raises FailedPreconditionError CONTAINER_HAS_XADES."""
        if self.xml_signatures:
            raise FailedPreconditionError(
                "CONTAINER_HAS_XADES",
                "The container has XAdES signatures, which are not known here.",
                field="document",
            )

    @cached_property
    def signatures(self) -> tuple[str, ...]:
        """Names of the members that are CAdES signatures, in the order in which they stand."""
        return tuple(name for name in self.container.meta_names if _SIGNATURE.fullmatch(name))

    @cached_property
    def manifests(self) -> dict[str, StoredManifest]:
        """The manifests of an ASiC-E by the names of the signatures and time-stamps over them.

        Raises InvalidArgumentError MANIFEST_MALFORMED, CONTAINER_DAMAGED, CONTAINER_AMBIGUOUS.
        """
        found: dict[str, StoredManifest] = {}
        for name in self.manifest_names:
            stored = self.manifest(name)
            if stored.manifest.signature in found:
                raise malformed("two manifests name the same signature")
            found[stored.manifest.signature] = stored
        return found

    @cached_property
    def manifest_names(self) -> tuple[str, ...]:
        """Names of the manifests that signatures and time-stamps are over."""
        return tuple(name for name in self.container.meta_names if _MANIFEST.fullmatch(name))

    @cached_property
    def evidence_manifest_names(self) -> tuple[str, ...]:
        """Names of the manifests that list what evidence records protect (EN 319 162-1 §4.4.3.2)."""
        return tuple(name for name in self.container.meta_names if _EVIDENCE_MANIFEST.fullmatch(name))

    @cached_property
    def evidence_records(self) -> tuple[str, ...]:
        """Names of the members that are evidence records."""
        return tuple(
            name
            for name in self.container.meta_names
            if _EVIDENCE_RECORD.fullmatch(name) and name not in self.evidence_manifest_names
        )

    @cached_property
    def archive_manifests(self) -> tuple[StoredManifest, ...]:
        """The archive manifests, the newest last. Raises as `manifests`.

        They are a chain: the newest names the one before it as its root file, and so on.
        """
        named = {name for name in self.container.meta_names if _ARCHIVE_MANIFEST.fullmatch(name)}
        chain: list[StoredManifest] = []
        name: str | None = ARCHIVE_MANIFEST if ARCHIVE_MANIFEST in named else None
        while name is not None:
            named.discard(name)
            stored = self.manifest(name)
            chain.insert(0, stored)
            roots = [each.name for each in stored.manifest.references if each.is_root and each.name in named]
            name = roots[0] if roots else None
        if named:
            raise malformed("an archive manifest is in no chain")
        return tuple(chain)

    @property
    def file(self) -> Member:
        """The one file of an ASiC-S. Raises InvalidArgumentError CONTAINER_AMBIGUOUS."""
        files = self.container.signed_files
        if len(files) != 1:
            raise InvalidArgumentError(
                "CONTAINER_AMBIGUOUS", "An ASiC-S has one file beside its signature.", field="document"
            )
        return files[0]

    def is_archived(self, name: str) -> bool:
        """Whether an archive manifest is over a member, so that it cannot change any more."""
        return any(stored.manifest.find(name) for stored in self.archive_manifests)

    def manifest(self, name: str) -> StoredManifest:
        """The manifest of a name. Raises InvalidArgumentError MANIFEST_MALFORMED or CONTAINER_DAMAGED."""
        member = self.container.find(name)
        if member is None or member.size > MAX_SIZE:
            raise malformed("it is too long")
        octets = self.container.read(name)
        return StoredManifest(name, octets, read_manifest(octets))
