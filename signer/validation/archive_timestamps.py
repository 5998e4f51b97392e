"""Archive time-stamps in a CMS signature: archive-time-stamp-v3 with ats-hash-index-v3 (EN 319 122-1 §5.5).

An archive time-stamp is over one signer's signature and, by hashes, over what its index lists. What came into
the SignedData later is not in the index and gains nothing by it; an index entry that nothing fits breaks it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from signer.validation.der import OCTET_STRING, SEQUENCE, DerError, expect, oid, read
from signer.validation.facts import StoredData, TimestampFacts, TimestampKind
from signer.validation.integrity import ContentDigest
from signer.validation.signature_value import DIGESTS
from signer.validation.signed_data import (
    ARCHIVE_TIME_STAMP_V3,
    ATS_HASH_INDEX_V3,
    SIGNATURE_TIME_STAMP,
    Attribute,
    SignedData,
    SignerInfo,
    read_signed_data,
)
from signer.validation.timestamps import timestamp_facts, unreadable_timestamp

SIGNATURE_END = 1
"""Where a CAdES signature ends: archive time-stamps follow it as 2, 3 and so on, the earliest first."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _HashIndex:
    """An ATSHashIndexV3 (§5.5.2): its whole DER, its digest by hashlib's name, and the hashes in it."""

    stored: bytes
    digest: str
    certificates: frozenset[bytes]
    revocation: frozenset[bytes]
    attribute_values: frozenset[bytes]

    def lists(self, attribute: Attribute, value: bytes) -> bool:
        """Whether an unsigned attribute value is covered."""
        return _value_hash(self.digest, attribute, value) in self.attribute_values


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

    field: the signature's. `end` and `covered` are as in a PDF, counted from SIGNATURE_END.
    """
    found = [
        _archive_timestamp(signed_data, signer, attribute, token, content)
        for attribute in signer.unsigned(ARCHIVE_TIME_STAMP_V3)
        for token in attribute.values
    ]
    found.sort(key=lambda each: each.facts.gen_time or _BEGINNING)
    return tuple(
        replace(
            each.facts,
            field=field,
            end=SIGNATURE_END + 1 + number,
            covered=_covered(signer, each, found[:number]),
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
        fault = f"the archive time-stamp's index cannot be read: {error}"
        return _Found(unreadable_timestamp(TimestampKind.ARCHIVE, fault), attribute, token, None)

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
    values = {
        _value_hash(index.digest, attribute, value)
        for attribute in signer.unsigned_attributes
        for value in attribute.values
    }
    return (
        index.certificates <= _hashes(index.digest, signed_data.certificate_choices)
        and index.revocation <= _hashes(index.digest, signed_data.revocation_choices)
        and index.attribute_values <= values
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


def _hash_index(token: bytes) -> _HashIndex:
    """The index in a token's unsigned attributes. Raises DerError."""
    signers = read_signed_data(token).signers
    found = [
        value for signer in signers for each in signer.unsigned(ATS_HASH_INDEX_V3) for value in each.values
    ]
    if len(found) != 1:
        raise DerError("there is not one index in the token")
    algorithm, *lists = read(found[0]).parts(SEQUENCE, 4)
    if len(lists) != 3:
        raise DerError("an unknown part of the index")
    certificates, revocation, values = (
        frozenset(expect(each, OCTET_STRING).content for each in part.parts(SEQUENCE)) for part in lists
    )
    name = DIGESTS.get(oid(algorithm.parts(SEQUENCE, 1)[0]), "")
    if not name:
        raise DerError("an unknown digest in the index")
    return _HashIndex(found[0], name, certificates, revocation, values)


def _hashes(digest: str, octets: Iterable[bytes]) -> set[bytes]:
    return {_hash(digest, each) for each in octets}


def _hash(digest: str, octets: bytes) -> bytes:
    return hashlib.new(digest, octets, usedforsecurity=False).digest()


def _value_hash(digest: str, attribute: Attribute, value: bytes) -> bytes:
    return _hash(digest, attribute.kind_element + value)
