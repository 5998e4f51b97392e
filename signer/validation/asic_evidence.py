"""Evidence records in an ASiC container (EN 319 162-1 §4.3.3.2 and §4.4.3.2)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pecete.evidence.evidence_check_words import Check
from signer.asic.layout import StoredManifest
from signer.validation.asic_contents import Contents
from signer.validation.evidence_records import ProtectedObject, evidence_record_facts
from signer.validation.facts import EvidenceRecordFacts, Integrity, SignatureFacts

_WITHIN = r"( (signer|signature|counter-signature) \d+)*"
"""What follows a file's name in the field of a signature that is one of several in the file."""


def container_evidence_records(
    contents: Contents, signatures: Sequence[SignatureFacts], *, is_simple: bool
) -> Iterator[EvidenceRecordFacts]:
    """Facts of each record in META-INF.

    A manifest names what its record is over; in an ASiC-S without one that is its one file. signatures: those
    of the container.
    """
    left = dict.fromkeys(contents.layout.evidence_records)
    for name in contents.layout.evidence_manifest_names:
        stored = contents.read_manifest(name)
        if stored is None:
            failing = f"{Check.STRUCTURE}: the manifest cannot be followed"
            yield EvidenceRecordFacts(name, Integrity.BROKEN, failing, (), ())
            continue
        left.pop(stored.manifest.signature, None)
        yield _under_manifest(contents, stored, signatures)
    files = contents.container.signed_files if is_simple else ()
    for name in left:
        objects = [ProtectedObject(file.name, contents.file_digest(file.name)) for file in files]
        yield evidence_record_facts(contents.container.read(name), name, objects, is_stated=bool(files))


def _under_manifest(
    contents: Contents, stored: StoredManifest, signatures: Sequence[SignatureFacts]
) -> EvidenceRecordFacts:
    manifest = stored.manifest
    if contents.container.find(manifest.signature) is None:
        failing = f"{Check.STRUCTURE}: there is no {manifest.signature}"
        return EvidenceRecordFacts(manifest.signature, Integrity.BROKEN, failing, (), ())
    octets = contents.container.read(manifest.signature)
    objects = [
        ProtectedObject(
            each.name, contents.file_digest(each.name), _fields(contents, stored, each.name, signatures)
        )
        for each in manifest.references
    ]
    facts = evidence_record_facts(octets, manifest.signature, objects, is_stated=True)
    if contents.matches(manifest) is False:
        failing = (
            facts.failing_check or f"{Check.OBJECT_DIGEST}: a file is not as the manifest of the record says"
        )
        return replace(facts, integrity=Integrity.BROKEN, failing_check=failing, covers=(), files=())
    return facts


def _fields(
    contents: Contents, stored: StoredManifest, name: str, signatures: Sequence[SignatureFacts]
) -> tuple[str, ...]:
    """Fields of the signatures in a file that the record's manifest lists, if it lists all that they sign."""
    over = contents.manifests.get(name)
    files = over.manifest.references if over else contents.container.signed_files
    if not all(stored.manifest.find(each.name) for each in files):
        return ()
    in_file = re.compile(re.escape(name) + _WITHIN)  # the name of another file can begin with this one
    return tuple(each.field for each in signatures if in_file.fullmatch(each.field))
