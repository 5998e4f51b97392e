"""Collecting the facts of an ASiC container (EN 319 162-1), here of its CAdES signatures."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import IO

from pecete.errors import InvalidArgumentError, PeceteError
from signer.asic.container import Container
from signer.asic.directory import ambiguous
from signer.asic.layout import SIMPLE_SIGNATURE, Layout, StoredManifest
from signer.asic.manifest import Manifest
from signer.validation import asic_xades_facts
from signer.validation.cades_facts import signers, undecodable
from signer.validation.der import DerError
from signer.validation.facts import (
    AlgorithmUse,
    DocumentFacts,
    SignatureFacts,
    StoredData,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.integrity import ContentDigest
from signer.validation.pdf.aftermath import Modification
from signer.validation.signed_data import read_signed_data
from signer.validation.timestamps import timestamp_facts, unreadable_timestamp

_CHUNK = 256 * 1024
Found = tuple[tuple[SignatureFacts, ...], tuple[TimestampFacts, ...]]


def collect(file: IO[bytes]) -> DocumentFacts:
    """Facts of every signer of every signature in an open container, and of the time-stamps over them.

    A file that nobody signed is a fault of every signature: who trusts the container would trust the file.
    Raises what `Container` and `Layout` raise, and InvalidArgumentError DOCUMENT_DAMAGED,
    CONTAINER_AMBIGUOUS or UNSUPPORTED_FORMAT, the latter for a ZIP file that is no ASiC.
    """
    layout = _layout(file)
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    size = file.tell()
    try:
        signatures, stamps = _found(layout)
    except DerError as error:
        raise undecodable(error) from error
    return DocumentFacts(digest.digest(), size, signatures, stamps, StoredData())


def _layout(file: IO[bytes]) -> Layout:
    try:
        return Layout(Container(file))
    except PeceteError as error:
        if error.reason == "DOCUMENT_NOT_ASIC":
            raise InvalidArgumentError("UNSUPPORTED_FORMAT", error.message, field="document") from error
        raise


def _found(layout: Layout) -> Found:
    """All of a container's signatures; they are of one kind (EN 319 162-1 §4.4.1)."""
    container = layout.container
    if asic_xades_facts.signature_files(container):
        if layout.signatures:
            raise ambiguous("it has both XAdES and CAdES signatures")
        return asic_xades_facts.collect_container(container)
    return _Extended(layout).found() if container.kind == "ASiC-E" else _simple(layout)


def _simple(layout: Layout) -> Found:
    """An ASiC-S: the signature is over its one file; what lasts is inside the signature."""
    container = layout.container
    if not layout.signatures:
        return (), ()
    member = layout.file
    content = cache(lambda name: container.digest(member, name))
    faults = (
        () if layout.signatures == (SIMPLE_SIGNATURE,) else ("an ASiC-S with other signatures than its one",)
    )
    signatures: list[SignatureFacts] = []
    stamps: list[TimestampFacts] = []
    for name in layout.signatures:
        signed_data = read_signed_data(container.read(name))
        found, archived = signers(signed_data, content, name)
        signatures += [_with_faults(facts, faults) for facts in found]
        stamps += archived
    return tuple(signatures), tuple(stamps)


class _Extended:
    """An ASiC-E: each signature is over a manifest, and archive manifests are over all of it.

    Those and their time-stamps, the earliest first, have the positions 1, 2 and so on. Archive time-stamps
    inside of signatures are not looked for: this profile has none.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._digests: dict[tuple[str, str], bytes] = {}

    def found(self) -> Found:
        """The signatures, and the time-stamps over archive manifests, the oldest first."""
        layout = self._layout
        files = {member.name for member in layout.container.signed_files}
        signed = {
            reference.name
            for name in layout.signatures
            if name in layout.manifests
            for reference in layout.manifests[name].manifest.references
        }
        faults = tuple(f"nobody signed the file {name}" for name in sorted(files - signed))
        found = [
            _with_faults(facts, faults)
            for name in layout.signatures
            for facts in self._signatures(name, files)
        ]
        stamps = [self._stamp(number, stored) for number, stored in enumerate(layout.archive_manifests)]
        return tuple(found), tuple(stamps)

    def _signatures(self, name: str, files: set[str]) -> Iterable[SignatureFacts]:
        signed_data = read_signed_data(self._layout.container.read(name))
        stored = self._layout.manifests.get(name)
        if stored is None:
            for facts in signers(signed_data, lambda _: None, name)[0]:
                yield _with_faults(facts, ("no manifest names the signature",))
            return
        end = self._covered_from(self._parts(name, stored))
        matches = self._matches(stored.manifest)
        uses = {reference.digest_algorithm for reference in stored.manifest.references}
        algorithms = tuple(AlgorithmUse("digest of a file", each or "unknown") for each in sorted(uses))
        unsigned = sorted(files - {reference.name for reference in stored.manifest.references})
        for facts in signers(signed_data, _digest(stored.octets), name)[0]:
            cms = replace(facts.cms, algorithms=(*facts.cms.algorithms, *algorithms))
            if cms.digest_matches and not matches:
                cms = replace(cms, digest_matches=matches)
            yield replace(
                facts,
                cms=cms,
                end=end,
                changes=tuple(f"not under this signature: {each}" for each in unsigned),
                modification=Modification.ALLOWED if unsigned else Modification.NONE,
            )

    def _parts(self, name: str, stored: StoredManifest) -> list[str]:
        """Everything that a signature or time-stamp needs to be judged, by name."""
        return [name, stored.name, *(reference.name for reference in stored.manifest.references)]

    def _covered_from(self, parts: Sequence[str], first: int = 0) -> int:
        """Position of something among the archive manifests: it is over by the next and all that follow.

        0 where the newest does not cover it. first: the earliest that could.
        """
        position = 0
        manifests = self._layout.archive_manifests
        for number in range(len(manifests) - 1, first - 1, -1):
            if not all(manifests[number].manifest.find(part) for part in parts):
                break
            position = number + 1
        return position

    def _stamp(self, number: int, stored: StoredManifest) -> TimestampFacts:
        name = stored.manifest.signature
        if self._layout.container.find(name) is None:
            return unreadable_timestamp(TimestampKind.DOCUMENT, f"there is no {name}")
        matches = self._matches(stored.manifest)
        facts = timestamp_facts(
            self._layout.container.read(name),
            TimestampKind.DOCUMENT,
            _digest(stored.octets) if matches else lambda _: b"",
        )
        end = self._covered_from([name, stored.name], number + 1)
        return replace(facts, field=name, covered=number + 1, end=end)

    def _matches(self, manifest: Manifest) -> bool | None:
        """Whether all files are as the manifest says; None where one is missing and the rest is right."""
        answers = [self._match(*each) for each in _references(manifest)]
        if False in answers:
            return False
        return None if None in answers else True

    def _match(self, name: str, algorithm: str, digest: bytes) -> bool | None:
        member = self._layout.container.find(name)
        if member is None:
            return None
        if not algorithm:
            return False
        key = name, algorithm
        if key not in self._digests:
            self._digests[key] = self._layout.container.digest(member, algorithm)
        return self._digests[key] == digest


def _references(manifest: Manifest) -> Iterable[tuple[str, str, bytes]]:
    return ((each.name, each.digest_algorithm, each.digest) for each in manifest.references)


def _digest(octets: bytes) -> ContentDigest:
    return lambda name: hashlib.new(name, octets, usedforsecurity=False).digest()


def _with_faults(facts: SignatureFacts, faults: tuple[str, ...]) -> SignatureFacts:
    return replace(facts, faults=(*facts.faults, *faults))
