"""Collecting the facts of an evidence record (RFC 4998, RFC 6283) over objects that are at hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pecete.evidence.evidence_chains import ChainsVerdict, DataObject, check_chains
from pecete.evidence.evidence_check_words import Check, Verdict
from pecete.evidence.evidence_hash_tree import hash_tree_fault
from pecete.evidence.evidence_record import (
    ArchiveTimestamp,
    EvidenceRecord,
    EvidenceRecordError,
    read_evidence_record,
)
from signer.validation.evidence_record_xml import is_xml_evidence_record, read_xml_evidence_record
from signer.validation.facts import EvidenceRecordFacts, Integrity, TimestampFacts, TimestampKind
from signer.validation.integrity import ContentDigest
from signer.validation.timestamps import timestamp_facts


@dataclass(frozen=True)
class ProtectedObject:
    """Something that a record is to protect.

    digest_of: None where it is missing. signatures: fields of the signatures, and of the time-stamps, in it.
    """

    name: str
    digest_of: ContentDigest
    signatures: tuple[str, ...] = field(default=())


def evidence_record_facts(
    record: bytes, name: str, objects: Sequence[ProtectedObject], *, is_stated: bool
) -> EvidenceRecordFacts:
    """Facts of a record, DER or XML, that stands at `name`.

    is_stated: whether the document itself says that the record is over all of `objects`, so that one of them
    that is not covered breaks it; otherwise the record may be about something else.
    """
    try:
        parsed = read_record(record)
    except EvidenceRecordError as error:
        check = Check.VERSION if error.reason == "EVIDENCE_RECORD_VERSION" else Check.STRUCTURE
        return EvidenceRecordFacts(name, Integrity.BROKEN, f"{check}: {error.message}", (), ())
    verdict = check_chains(parsed, [_data_object(each, parsed) for each in objects])
    stamps = tuple(_timestamp(stamp, name) for stamp in parsed.timestamps)
    integrity, failing = _integrity(verdict, stamps, is_stated=is_stated)
    if integrity is not Integrity.INTACT:
        return EvidenceRecordFacts(name, integrity, failing, stamps, ())
    covers = tuple(signature for each in objects for signature in each.signatures)
    return EvidenceRecordFacts(name, integrity, "", stamps, covers, verdict.covered)


def read_record(record: bytes) -> EvidenceRecord:
    """Read a record in either of its encodings. Raises EvidenceRecordError."""
    return (
        read_xml_evidence_record(record) if is_xml_evidence_record(record) else read_evidence_record(record)
    )


def _data_object(protected: ProtectedObject, record: EvidenceRecord) -> DataObject:
    digests = {name: protected.digest_of(name) for name in record.digest_algorithms}
    known = {name: digest for name, digest in digests.items() if digest is not None}
    return DataObject(protected.name, known)


def _timestamp(stamp: ArchiveTimestamp, name: str) -> TimestampFacts:
    """Facts of an archive time-stamp: its imprint matches where it is the root of its hash tree."""
    fault = hash_tree_fault(stamp, "the time-stamp")
    expected = b"" if fault else stamp.facts.digest
    facts = timestamp_facts(stamp.token, TimestampKind.EVIDENCE_RECORD, lambda _: expected)
    return replace(facts, field=name)


def _integrity(
    verdict: ChainsVerdict, stamps: Sequence[TimestampFacts], *, is_stated: bool
) -> tuple[Integrity, str]:
    """The integrity of the whole, and the check that does not hold."""
    fault = verdict.fault
    for number, stamp in enumerate(stamps, 1):
        if fault is None and stamp.integrity is not Integrity.INTACT:
            sentence = f"{Check.TIMESTAMP_SIGNATURE}: time-stamp {number} is {stamp.integrity}"
            return stamp.integrity, sentence
    if fault is None:
        return Integrity.INTACT, ""
    is_broken = verdict.verdict is Verdict.BROKEN or (is_stated and fault.check is Check.OBJECT_COVERED)
    integrity = Integrity.BROKEN if is_broken else Integrity.UNVERIFIABLE
    return integrity, f"{fault.check}: {fault.explanation}"
