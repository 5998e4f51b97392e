"""Archive time-stamps in a CMS signature: archive-time-stamp-v3 (EN 319 122-1 §5.5).

An archive time-stamp is over one signer's signature and, by hashes, over what its index lists. What came
into the SignedData later is not in the index and gains nothing by it; an index entry that nothing fits
breaks it. The index is an ats-hash-index-v3, or the ats-hash-index before it (TS 101 733 §6.4.2), which has
one hash for all of an attribute. An archive-time-stamp-v2 is found, but what it is over is not computed: it
proves nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from signer.validation.countersignatures import countersignature_fields, countersignature_values
from signer.validation.der import OCTET_STRING, SEQUENCE, DerError, Element, expect, oid, read
from signer.validation.facts import StoredData, TimestampFacts, TimestampKind
from signer.validation.integrity import ContentDigest, no_content
from signer.validation.signature_value import DIGESTS
from signer.validation.signed_data import (
    ARCHIVE_TIME_STAMP_V2,
    ARCHIVE_TIME_STAMP_V3,
    ATS_HASH_INDEX,
    ATS_HASH_INDEX_V3,
    SIGNATURE_TIME_STAMP,
    Attribute,
    SignedData,
    SignerInfo,
    read_signed_data,
)
from signer.validation.timestamps import timestamp_facts

SIGNATURE_END = 1
"""Where a CAdES signature ends: archive time-stamps follow it as 2, 3 and so on, the earliest first."""

_MOST = 100
"""Archive time-stamps of a signer that are read, since each hashes all that is in the signature."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _HashIndex:
    """An index (§5.5.2): its whole DER, its digest by hashlib's name, and the hashes in it.

    whole_attributes: whether it has one hash for all of an unsigned attribute, not one for each value.
    """

    stored: bytes
    digest: str
    certificates: frozenset[bytes]
    revocation: frozenset[bytes]
    unsigned: frozenset[bytes]
    whole_attributes: bool

    def lists(self, attribute: Attribute, value: bytes) -> bool:
        """Whether an unsigned attribute value is covered."""
        return self._hash(attribute, value) in self.unsigned

    def hashes(self, attributes: Iterable[Attribute]) -> set[bytes]:
        """What there is to be listed of unsigned attributes."""
        return {self._hash(attribute, value) for attribute in attributes for value in attribute.values}

    def _hash(self, attribute: Attribute, value: bytes) -> bytes:
        stored = attribute.stored if self.whole_attributes else attribute.kind_element + value
        return _hash(self.digest, stored)


@dataclass(frozen=True)
class _Found:
    """An archive time-stamp: its facts, its attribute and value, its index if it has a readable one."""

    facts: TimestampFacts
    attribute: Attribute
    token: bytes
    index: _HashIndex | None


def archive_timestamps(
    signed_data: SignedData, signer: SignerInfo, field: str, content: ContentDigest
) -> tuple[TimestampFacts, ...]:
    """Facts of a signer's archive time-stamps, the earliest first.

    field: the signature's. `end` and `covered` are as in a PDF, counted from SIGNATURE_END. Raises DerError
    where there are too many.
    """
    kinds = (ARCHIVE_TIME_STAMP_V3, ARCHIVE_TIME_STAMP_V2)
    if sum(len(attribute.values) for kind in kinds for attribute in signer.unsigned(kind)) > _MOST:
        raise DerError("more archive time-stamps than are read")
    found = [
        _archive_timestamp(signed_data, signer, attribute, token, content)
        for attribute in signer.unsigned(ARCHIVE_TIME_STAMP_V3)
        for token in attribute.values
    ]
    found += [
        _Found(timestamp_facts(token, TimestampKind.ARCHIVE, no_content), attribute, token, None)
        for attribute in signer.unsigned(ARCHIVE_TIME_STAMP_V2)
        for token in attribute.values
    ]
    found.sort(key=lambda each: each.facts.gen_time or _BEGINNING)
    return tuple(
        replace(
            each.facts,
            field=field,
            end=SIGNATURE_END + 1 + number,
            covered=_covered(signer, each, found[:number]),
            countersignatures=_countersignatures(signer, each, field),
        )
        for number, each in enumerate(found)
    )


def stored_data(signed_data: SignedData) -> StoredData:
    """What a CMS signature keeps for its validation; all of it stands within what a time-stamp can cover."""
    return StoredData(
        tuple((der, 0) for der in signed_data.certificates),
        tuple((der, 0) for der in signed_data.crls),
        tuple((der, 0) for der in signed_data.ocsp_responses),
    )


def _archive_timestamp(
    signed_data: SignedData, signer: SignerInfo, attribute: Attribute, token: bytes, content: ContentDigest
) -> _Found:
    try:
        index = _hash_index(token)
    except DerError as error:
        facts = timestamp_facts(token, TimestampKind.ARCHIVE, lambda _: b"")
        fault = f"the archive time-stamp's index cannot be read: {error}"
        return _Found(replace(facts, faults=(*facts.faults, fault)), attribute, token, None)

    def imprint(name: str) -> bytes | None:
        return _imprint(signed_data, signer, index, name, content)

    facts = timestamp_facts(token, TimestampKind.ARCHIVE, imprint)
    protected = tuple(sorted(_protected(signed_data, index)))
    return _Found(replace(facts, protected=protected), attribute, token, index)


def _protected(signed_data: SignedData, index: _HashIndex) -> Iterable[bytes]:
    """SHA-256 of the validation data that the index lists, each as DER without what is around it."""
    for choice in signed_data.certificate_choices:
        if _hash(index.digest, choice) in index.certificates:
            yield hashlib.sha256(choice).digest()
    for choice in signed_data.revocation_choices:
        if _hash(index.digest, choice) in index.revocation:
            other = [part.raw for part in read(choice).children()] if choice[0] != SEQUENCE else []
            yield hashlib.sha256(other[-1] if other else choice).digest()


def _imprint(
    signed_data: SignedData, signer: SignerInfo, index: _HashIndex, name: str, content: ContentDigest
) -> bytes | None:
    """What the messageImprint must be (§5.5.3); None where the content is missing, b"" for a bad index."""
    if index.digest != name or not _is_true(signed_data, signer, index):
        return b""
    digest = content(name)
    if digest is None:
        return None
    covered = (signed_data.content_type_element, digest, *signer.fields, index.stored)
    return hashlib.new(name, b"".join(covered), usedforsecurity=False).digest()


def _is_true(signed_data: SignedData, signer: SignerInfo, index: _HashIndex) -> bool:
    """Whether all that the index lists is there."""
    return (
        index.certificates <= _hashes(index.digest, signed_data.certificate_choices)
        and index.revocation <= _hashes(index.digest, signed_data.revocation_choices)
        and index.unsigned <= index.hashes(signer.unsigned_attributes)
    )


def _covered(signer: SignerInfo, stamp: _Found, earlier: Iterable[_Found]) -> int:
    """Up to where everything is covered: the signature with its time-stamps, then earlier archive ones."""
    index = stamp.index
    own = signer.unsigned(SIGNATURE_TIME_STAMP)
    if index is None or not all(index.lists(each, value) for each in own for value in each.values):
        return 0
    covered = SIGNATURE_END
    for each in earlier:
        if not index.lists(each.attribute, each.token):
            break
        covered += 1
    return covered


def _countersignatures(signer: SignerInfo, stamp: _Found, field: str) -> tuple[str, ...]:
    """Fields of the counter-signatures that the index lists, those within them too."""
    index = stamp.index
    return tuple(
        name
        for attribute, value, place in countersignature_values(signer, field)
        if index is not None and index.lists(attribute, value)
        for name in countersignature_fields(value, place)
    )


def _hash_index(token: bytes) -> _HashIndex:
    """The index in a token's unsigned attributes. Raises DerError."""
    found = [
        (attribute.kind, value)
        for signer in read_signed_data(token).signers
        for attribute in signer.unsigned_attributes
        for value in attribute.values
        if attribute.kind in (ATS_HASH_INDEX_V3, ATS_HASH_INDEX)
    ]
    if len(found) != 1:
        raise DerError("there is not one index in the token")
    kind, stored = found[0]
    *algorithm, certificates, revocation, unsigned = read(stored).parts(SEQUENCE, 3)
    is_old = kind == ATS_HASH_INDEX
    if len(algorithm) != 1 and not (is_old and not algorithm):
        raise DerError("an unknown part of the index")
    name = DIGESTS.get(oid(algorithm[0].parts(SEQUENCE, 1)[0]), "") if algorithm else "sha256"
    if not name:
        raise DerError("an unknown digest in the index")
    return _HashIndex(
        stored, name, _listed(certificates), _listed(revocation), _listed(unsigned), whole_attributes=is_old
    )


def _listed(part: Element) -> frozenset[bytes]:
    return frozenset(expect(each, OCTET_STRING).content for each in part.parts(SEQUENCE))


def _hashes(digest: str, octets: Iterable[bytes]) -> set[bytes]:
    return {_hash(digest, each) for each in octets}


def _hash(digest: str, octets: bytes) -> bytes:
    return hashlib.new(digest, octets, usedforsecurity=False).digest()
