"""Evidence records in the unsigned attributes of a CMS signature (RFC 4998 Appendix A).

Such a record is over the whole signature as it was before the record was put into it: without that attribute,
and without those that came after it. Where the content stands apart the record is over that as well.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pecete.evidence.evidence_hash_tree import leaves
from pecete.evidence.evidence_record import EvidenceRecord, EvidenceRecordError
from signer.der import SEQUENCE, SET, tlv
from signer.validation.der import Element, read
from signer.validation.evidence_records import ProtectedObject, evidence_record_facts, read_record
from signer.validation.facts import EvidenceRecordFacts
from signer.validation.integrity import ContentDigest
from signer.validation.signed_data import EXTERNAL_EVIDENCE_RECORD, INTERNAL_EVIDENCE_RECORD, SignedData

_KINDS = (INTERNAL_EVIDENCE_RECORD, EXTERNAL_EVIDENCE_RECORD)
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
Rewrap = Callable[[Element, bytes], bytes]


@dataclass(frozen=True)
class _Embedded:
    """A record as stored, its attribute as stored, and when it was begun."""

    record: bytes
    attribute: bytes
    parsed: EvidenceRecord | None

    @property
    def begun(self) -> datetime:
        return self.parsed.timestamps[0].time if self.parsed else _END_OF_TIME


def embedded_evidence_records(
    data: bytes, signed_data: SignedData, content: ContentDigest, name: str, fields: Sequence[str]
) -> tuple[EvidenceRecordFacts, ...]:
    """Facts of the records in a signature, the oldest first.

    content: digests of what is signed. name: the signature's, by which the records are named. fields: of all
    signatures in `data`, which each record protects. Raises DerError.
    """
    found = sorted(_records(signed_data), key=lambda each: each.begun)
    facts = []
    for number, each in enumerate(found):
        later = frozenset(item.attribute for item in found[number:])
        objects = [ProtectedObject(name or "signature", _digest(data, later, each.parsed), tuple(fields))]
        if signed_data.content is None:
            objects.append(ProtectedObject("content", content))
        facts.append(evidence_record_facts(each.record, name, objects, is_stated=True))
    return tuple(facts)


def _records(signed_data: SignedData) -> Iterator[_Embedded]:
    for signer in signed_data.signers:
        for attribute in signer.unsigned_attributes:
            for value in attribute.values if attribute.kind in _KINDS else ():
                try:
                    parsed = read_record(value)
                except EvidenceRecordError:
                    parsed = None  # its facts say so
                yield _Embedded(value, attribute.stored, parsed)


def _digest(data: bytes, attributes: frozenset[bytes], record: EvidenceRecord | None) -> ContentDigest:
    """Digests of a signature without some attributes, in the encoding that the record knows.

    Where lengths were left open (BER), what was hashed had them so or had them written out (DER).
    """
    forms = list(dict.fromkeys(_without(data, attributes, rewrap) for rewrap in (_as_stored, _in_der)))

    def digest(name: str) -> bytes:
        known = leaves(record.chains[0].timestamps[0]) if record else frozenset()
        digests = [hashlib.new(name, each, usedforsecurity=False).digest() for each in forms]
        return next((each for each in digests if each in known), digests[0])

    return digest


def _without(data: bytes, attributes: frozenset[bytes], rewrap: Rewrap) -> bytes:
    """The ContentInfo without these unsigned attributes, every other octet as it is stored."""
    outer = read(data)
    content_type, wrapped = outer.parts(SEQUENCE, 2)[:2]
    signed_data = wrapped.parts(_CONTEXT_0, 1)[0]
    *fields, signers = signed_data.parts(SEQUENCE, 4)
    kept = rewrap(signers, b"".join(_signer(each, attributes, rewrap) for each in signers.parts(SET)))
    inner = rewrap(signed_data, b"".join(field.raw for field in fields) + kept)
    return rewrap(outer, content_type.raw + rewrap(wrapped, inner))


def _signer(signer: Element, attributes: frozenset[bytes], rewrap: Rewrap) -> bytes:
    *fields, last = signer.parts(SEQUENCE, 5)
    if last.tag != _CONTEXT_1:
        return signer.raw
    members = [each.raw for each in last.children()]
    kept = [each for each in members if each not in attributes]
    if len(kept) == len(members):
        return signer.raw
    rest = rewrap(last, b"".join(kept)) if kept else b""
    return rewrap(signer, b"".join(field.raw for field in fields) + rest)


def _as_stored(element: Element, content: bytes) -> bytes:
    """An element with other content, its length left open if it was."""
    if element.end == element.content_end:
        return tlv(element.tag, content)
    return bytes((element.tag, 0x80)) + content + b"\0\0"


def _in_der(element: Element, content: bytes) -> bytes:
    return tlv(element.tag, content)
