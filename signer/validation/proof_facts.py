"""Collecting the facts of a time-stamp or an evidence record that stands alone, or beside a document."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pecete.errors import InvalidArgumentError
from pecete.evidence.evidence_record import EvidenceRecordError
from signer.validation.cades_facts import digest_of, only
from signer.validation.der import INTEGER, SEQUENCE, DerError, integer, oid, read
from signer.validation.evidence_record_xml import is_xml_evidence_record
from signer.validation.evidence_records import ProtectedObject, evidence_record_facts, read_record
from signer.validation.facts import DocumentFacts, StoredData, TimestampKind
from signer.validation.integrity import ContentDigest
from signer.validation.signed_data import SIGNED_DATA, TST_INFO, read_signed_data
from signer.validation.timestamps import timestamp_facts

_GRANTED = (0, 1)


def collect_proof(data: bytes, detached: Sequence[bytes]) -> DocumentFacts | None:
    """Facts of a time-stamp token or response, or of an evidence record; None of anything else.

    detached: what it is over: one file for a time-stamp, any number for a record. Raises InvalidArgumentError
    DOCUMENT_DAMAGED, TIMESTAMP_REFUSED or DETACHED_CONTENT_AMBIGUOUS.
    """
    if is_evidence_record(data):
        _require_readable(data)
        objects = [ProtectedObject(_name(number), digest_of(each)) for number, each in enumerate(detached, 1)]
        record = evidence_record_facts(data, "", objects, is_stated=False)
        return replace(_nothing(data), evidence_records=(record,))
    token = _token(data)
    if token is None:
        return None
    stamp = timestamp_facts(token, TimestampKind.DOCUMENT, digest_of(only(detached)))
    return replace(_nothing(data), document_timestamps=(stamp,))


def with_evidence_beside(
    facts: DocumentFacts, document: ContentDigest, records: Sequence[bytes], detached: Sequence[bytes]
) -> DocumentFacts:
    """The facts of a document with those of evidence records that were given beside it.

    document: its digests. detached: other files given beside it. A record that is over the document protects
    every signature and time-stamp in it; what it says of other files is no reason to doubt it.
    """
    if not records:
        return facts
    fields = [signature.field for signature in facts.signatures]
    fields += [stamp.field for stamp in facts.document_timestamps]
    objects = [ProtectedObject("document", document, tuple(dict.fromkeys(fields)))]
    objects += [ProtectedObject(_name(number), digest_of(each)) for number, each in enumerate(detached, 1)]
    found = [
        evidence_record_facts(record, f"evidence record {number}", objects, is_stated=False)
        for number, record in enumerate(records, 1)
    ]
    return replace(facts, evidence_records=(*facts.evidence_records, *found))


def is_evidence_record(data: bytes) -> bool:
    """Whether octets begin as an evidence record does: with its version, where others have an OID."""
    if is_xml_evidence_record(data):
        return True
    try:
        first = next(read(data).children(), None)
    except DerError:
        return False
    return data[:1] == b"\x30" and first is not None and first.tag == INTEGER


def _require_readable(record: bytes) -> None:
    """Of a record that stands alone nothing is left to judge where it cannot be read."""
    try:
        read_record(record)
    except EvidenceRecordError as error:
        raise InvalidArgumentError("DOCUMENT_DAMAGED", error.message, field="document") from error


def _token(data: bytes) -> bytes | None:
    """The TimeStampToken that octets are, or that a TimeStampResp around it has (RFC 3161 §2.4.2)."""
    try:
        parts = list(read(data).children())
        if not parts:
            return None
        if parts[0].tag == SEQUENCE:
            return _granted(data)
        if oid(parts[0]) != SIGNED_DATA:
            return None
        return data if read_signed_data(data).content_type == TST_INFO else None
    except DerError:
        return None  # whoever reads it as a signature says what is wrong with it


def _granted(data: bytes) -> bytes:
    status, *rest = read(data).parts(SEQUENCE, 1)
    if integer(status.parts(SEQUENCE, 1)[0]) not in _GRANTED or len(rest) != 1:
        raise InvalidArgumentError(
            "TIMESTAMP_REFUSED", "The time-stamping authority refused the request.", field="document"
        )
    return rest[0].raw


def _name(number: int) -> str:
    return f"file {number}"


def _nothing(data: bytes) -> DocumentFacts:
    return DocumentFacts(hashlib.sha256(data).digest(), len(data), (), (), StoredData())
