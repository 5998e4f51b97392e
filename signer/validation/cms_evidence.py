"""Evidence records in the unsigned attributes of a CMS signature (RFC 4998 Appendix A).

Such a record is over the whole signature as it was before the record was put into it: without that attribute,
and without those that came after it. Where the content stands apart the record is over that as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pecete.evidence.evidence_record import EvidenceRecordError
from signer.der import SEQUENCE, SET, tlv
from signer.validation.der import DerError, Element, read
from signer.validation.evidence_records import ProtectedObject, evidence_record_facts, read_record
from signer.validation.facts import EvidenceRecordFacts
from signer.validation.integrity import ContentDigest, octets_digest
from signer.validation.signed_data import EXTERNAL_EVIDENCE_RECORD, INTERNAL_EVIDENCE_RECORD, SignedData

_KINDS = (INTERNAL_EVIDENCE_RECORD, EXTERNAL_EVIDENCE_RECORD)
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_MOST = 100
"""Evidence records that are read, since each makes its own copy of the signature."""

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Embedded:
    """A record as stored, its attribute as stored, and the time of its first time-stamp."""

    record: bytes
    attribute: bytes
    begun: datetime


def embedded_evidence_records(
    data: bytes, signed_data: SignedData, content: ContentDigest, name: str, fields: Sequence[str]
) -> tuple[EvidenceRecordFacts, ...]:
    """Facts of the records in a signature, the oldest first.

    content: digests of what is signed. name: the signature's, by which the records are named. fields: of all
    signatures in `data`, which each record protects. Raises DerError.
    """
    found = sorted(_records(signed_data), key=lambda each: each.begun)
    if len(found) > _MOST:
        raise DerError("more evidence records than are read")
    facts = []
    for number, each in enumerate(found):
        later = frozenset(item.attribute for item in found[number:])
        objects = [ProtectedObject(name or "signature", octets_digest(_without(data, later)), tuple(fields))]
        if signed_data.content is None:
            objects.append(ProtectedObject("content", content))
        facts.append(evidence_record_facts(each.record, name, objects, is_stated=True))
    return tuple(facts)


def _records(signed_data: SignedData) -> Iterator[_Embedded]:
    for signer in signed_data.signers:
        for attribute in signer.unsigned_attributes:
            for value in attribute.values if attribute.kind in _KINDS else ():
                yield _Embedded(value, attribute.stored, _begun(value))


def _begun(record: bytes) -> datetime:
    try:
        return read_record(record).timestamps[0].time
    except EvidenceRecordError:
        return _END_OF_TIME  # its facts say what is wrong with it


def _without(data: bytes, attributes: frozenset[bytes]) -> bytes:
    """The ContentInfo without these unsigned attributes, every other octet as it is stored."""
    outer = read(data)
    content_type, wrapped = outer.parts(SEQUENCE, 2)[:2]
    signed_data = wrapped.parts(_CONTEXT_0, 1)[0]
    *fields, signers = signed_data.parts(SEQUENCE, 4)
    kept = _rewrap(signers, b"".join(_signer(each, attributes) for each in signers.parts(SET)))
    inner = _rewrap(signed_data, b"".join(field.raw for field in fields) + kept)
    return _rewrap(outer, content_type.raw + _rewrap(wrapped, inner))


def _signer(signer: Element, attributes: frozenset[bytes]) -> bytes:
    *fields, last = signer.parts(SEQUENCE, 5)
    if last.tag != _CONTEXT_1:
        return signer.raw
    members = [each.raw for each in last.children()]
    kept = [each for each in members if each not in attributes]
    if len(kept) == len(members):
        return signer.raw
    rest = _rewrap(last, b"".join(kept)) if kept else b""
    return _rewrap(signer, b"".join(field.raw for field in fields) + rest)


def _rewrap(element: Element, content: bytes) -> bytes:
    """An element with other content, its length left open (BER) if it was."""
    if element.end == element.content_end:
        return tlv(element.tag, content)
    return bytes((element.tag, 0x80)) + content + b"\0\0"
