"""Collecting the facts of an ASiC container (EN 319 162-1).

Those of its CAdES signatures, of its time-stamps and of its evidence records.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO

from pecete.errors import InvalidArgumentError
from signer.asic.container import Container
from signer.asic.directory import ambiguous
from signer.asic.layout import SIMPLE_SIGNATURE, Layout, StoredManifest
from signer.validation import asic_xades_facts
from signer.validation.asic_contents import Contents, parts_of
from signer.validation.asic_evidence import container_evidence_records
from signer.validation.cades_facts import signers, undecodable
from signer.validation.der import DerError
from signer.validation.facts import (
    AlgorithmUse,
    CmsFacts,
    DocumentFacts,
    EvidenceRecordFacts,
    SignatureFacts,
    StoredData,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.integrity import ContentDigest, no_content, octets_digest
from signer.validation.pdf.aftermath import Modification
from signer.validation.signed_data import read_signed_data
from signer.validation.timestamps import timestamp_facts, unreadable_timestamp

SIMPLE_TIMESTAMP = "META-INF/timestamp.tst"
"""The time-stamp over the file of an ASiC-S that has no signature (EN 319 162-1 §4.3.3.2)."""

_CHUNK = 256 * 1024


def collect(file: IO[bytes]) -> DocumentFacts:
    """Facts of every signature in an open container, and of the time-stamps and evidence records over them.

    A file that nobody signed is a fault of every signature: who trusts the container would trust the file.
    Raises what `Container` and `Layout` raise, and InvalidArgumentError DOCUMENT_DAMAGED or
    UNSUPPORTED_FORMAT, the latter for a ZIP file that is no ASiC with anything that is known here.
    """
    layout = _layout(file)
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    size = file.tell()
    contents = Contents(layout)
    if layout.xml_signatures:
        return _xml_container(contents, digest.digest(), size)
    try:
        found = _Simple(contents) if layout.container.kind == "ASiC-S" else _Extended(contents)
        signatures = tuple(_with_findings(facts, layout) for facts in found.signatures)
        stamps = tuple(found.timestamps())
    except DerError as error:
        raise undecodable(error) from error
    records = (
        *found.embedded,
        *container_evidence_records(contents, signatures, is_simple=isinstance(found, _Simple)),
    )
    return DocumentFacts(digest.digest(), size, signatures, stamps, StoredData(), records)


def _layout(file: IO[bytes]) -> Layout:
    try:
        return Layout(Container(file, is_strict=False))
    except InvalidArgumentError as error:
        if error.reason == "DOCUMENT_NOT_ASIC":
            raise InvalidArgumentError("UNSUPPORTED_FORMAT", error.message, field="document") from error
        raise


def _xml_container(contents: Contents, sha256: bytes, size: int) -> DocumentFacts:
    """A container with XAdES signatures has no others (EN 319 162-1 §4.4.1). Raises CONTAINER_AMBIGUOUS."""
    layout = contents.layout
    if layout.signatures:
        raise ambiguous("it has both XAdES and CAdES signatures")
    found, stamps = asic_xades_facts.collect_container(layout.container)
    signatures = tuple(_with_findings(facts, layout) for facts in found)
    is_simple = layout.container.kind == "ASiC-S"
    records = tuple(container_evidence_records(contents, signatures, is_simple=is_simple))
    return DocumentFacts(sha256, size, signatures, stamps, StoredData(), records)


class _Simple:
    """An ASiC-S: a signature or a time-stamp is over its one file; what lasts is inside the signature.

    A time-stamp is renewed by archive manifests; one over a signature proves nothing here.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._layout = contents.layout
        self._archived: list[TimestampFacts] = []
        self.embedded: list[EvidenceRecordFacts] = []
        self.signatures = list(self._signatures())

    def _signatures(self) -> Iterator[SignatureFacts]:
        layout = self._layout
        alone = layout.signatures in ((), (SIMPLE_SIGNATURE,))
        faults = () if alone else ("an ASiC-S with other signatures than its one",)
        for name in layout.signatures:
            octets = self._contents.container.read(name)
            found = signers(octets, read_signed_data(octets), self._content(), name)
            self._archived += found.timestamps
            self.embedded += found.evidence_records
            for facts in found.signatures:
                yield _with_faults(facts, faults)

    def timestamps(self) -> Iterator[TimestampFacts]:
        """Those in signatures, or that over the file and those over archive manifests, the oldest first."""
        yield from self._archived
        contents = self._contents
        if contents.container.find(SIMPLE_TIMESTAMP) is not None:
            token = contents.container.read(SIMPLE_TIMESTAMP)
            read_signed_data(token)  # what is no token at all leaves nothing to judge
            facts = timestamp_facts(token, TimestampKind.DOCUMENT, self._content())
            end = contents.covered_from([SIMPLE_TIMESTAMP, self._layout.file.name])
            yield replace(facts, field=SIMPLE_TIMESTAMP, end=end)
        for stamp in _archive_stamps(contents):
            yield replace(stamp, covered=0) if self._layout.signatures else stamp

    def _content(self) -> ContentDigest:
        files = self._contents.container.signed_files
        return self._contents.file_digest(self._layout.file.name) if files else no_content


class _Extended:
    """An ASiC-E: signatures and time-stamps are over manifests, and archive manifests are over all of it.

    Archive time-stamps inside of signatures are not looked for: this profile has none.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._layout = contents.layout
        self.embedded: list[EvidenceRecordFacts] = []
        self.signatures = list(self._all_signatures())

    def _all_signatures(self) -> Iterator[SignatureFacts]:
        files = {member.name for member in self._contents.container.signed_files}
        signed = {
            reference.name
            for name in self._layout.signatures
            if name in self._contents.manifests
            for reference in self._contents.manifests[name].manifest.references
        }
        faults = tuple(f"nobody signed the file {name}" for name in sorted(files - signed))
        for name in self._layout.signatures:
            for facts in self._signatures(name, files):
                yield _with_faults(facts, faults)

    def timestamps(self) -> Iterator[TimestampFacts]:
        """Those over manifests of their own, then those over archive manifests, the oldest first."""
        contents = self._contents
        faults = () if self._layout.signatures else self._left_out()
        for name, stored in contents.manifests.items():
            if name not in self._layout.signatures:
                facts = _stamp(contents, stored)
                end = contents.covered_from(parts_of(name, stored))
                yield replace(facts, end=end, faults=(*facts.faults, *faults))
        yield from _archive_stamps(contents)

    def _left_out(self) -> tuple[str, ...]:
        """Faults of a container of time-stamps that has files beside those that they are over."""
        over = {
            reference.name
            for stored in self._contents.manifests.values()
            for reference in stored.manifest.references
        }
        files = (member.name for member in self._contents.container.signed_files)
        return tuple(f"no time-stamp is over the file {name}" for name in sorted(files) if name not in over)

    def _signatures(self, name: str, files: set[str]) -> Iterable[SignatureFacts]:
        octets = self._contents.container.read(name)
        signed_data = read_signed_data(octets)
        stored = self._contents.manifests.get(name)
        if stored is None:
            for facts in signers(octets, signed_data, self._unreadable(), name).signatures:
                yield _with_faults(facts, ("no manifest names the signature",))
            return
        found = signers(octets, signed_data, octets_digest(stored.octets), name)
        self.embedded += found.evidence_records
        matches = self._contents.matches(stored.manifest)
        end = self._contents.covered_from(parts_of(name, stored))
        unsigned = sorted(files - {reference.name for reference in stored.manifest.references})
        for facts in found.signatures:
            yield replace(
                facts if facts.countersigns else _over_files(facts, stored, matches),
                end=end,
                changes=tuple(f"not under this signature: {each}" for each in unsigned),
                modification=Modification.ALLOWED if unsigned else Modification.NONE,
            )

    def _unreadable(self) -> ContentDigest:
        """Digests of a manifest that cannot be followed, over which a signature may be that none names."""
        unreadable = self._contents.unreadable
        return octets_digest(unreadable[0]) if unreadable else no_content


def _over_files(facts: SignatureFacts, stored: StoredManifest, matches: bool | None) -> SignatureFacts:
    """A signature over a manifest is over the files of that manifest, by their digests."""
    cms = _resting_on(facts.cms, stored)
    if cms.digest_matches and not matches:
        cms = replace(cms, digest_matches=matches)
    return replace(facts, cms=cms)


def _resting_on(cms: CmsFacts, stored: StoredManifest) -> CmsFacts:
    """What is over a manifest leans on the digests in it as well."""
    uses = {reference.digest_algorithm for reference in stored.manifest.references}
    algorithms = (AlgorithmUse("digest of a file", each or "unknown") for each in sorted(uses))
    return replace(cms, algorithms=(*cms.algorithms, *algorithms))


def _archive_stamps(contents: Contents) -> Iterator[TimestampFacts]:
    for number, stored in enumerate(contents.layout.archive_manifests):
        facts = _stamp(contents, stored)
        end = contents.covered_from([stored.manifest.signature, stored.name], number + 1)
        yield replace(facts, covered=number + 1, end=end) if facts.field else facts


def _stamp(contents: Contents, stored: StoredManifest) -> TimestampFacts:
    name = stored.manifest.signature
    if contents.container.find(name) is None:
        return unreadable_timestamp(TimestampKind.DOCUMENT, f"there is no {name}")
    token = contents.container.read(name)
    facts = timestamp_facts(token, TimestampKind.DOCUMENT, contents.manifest_digest(stored))
    return replace(facts, field=name, cms=_resting_on(facts.cms, stored))


def _with_faults(facts: SignatureFacts, faults: tuple[str, ...]) -> SignatureFacts:
    return replace(facts, faults=(*facts.faults, *faults))


def _with_findings(facts: SignatureFacts, layout: Layout) -> SignatureFacts:
    return replace(facts, findings=(*facts.findings, *layout.container.findings))
