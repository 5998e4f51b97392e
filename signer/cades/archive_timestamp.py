"""Level B-LTA: archive-time-stamp-v3 with ats-hash-index-v3 (EN 319 122-1 §5.5), and its renewal by another.

An archive time-stamp is over one signer's signature with all that stands in the SignedData when it is made,
earlier archive time-stamps included. It is made in two phases: `prepare_archive_timestamp`, whose `imprint`
is stamped, and `finish_archive_timestamp`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pecete.errors import AbortedError, FailedPreconditionError, InvalidArgumentError
from signer import cms
from signer.algorithms import DigestName, digest_identifier
from signer.cades.augmentation import signer_at
from signer.cades.content import ContentDigest, signed_content
from signer.cades.structure import SignedDataParts, SignerParts, take_apart
from signer.der import OCTET_STRING, SEQUENCE, NotDerError, elements, tlv

TIMESTAMP_DIGEST: DigestName = "sha256"
"""What an archive time-stamp's messageImprint and its index are made with."""

_ID_ARCHIVE_TIME_STAMP_V3 = bytes.fromhex("060604008d450204")
_ID_ATS_HASH_INDEX_V3 = bytes.fromhex("060704008195320105")
_MAX_DEPTH = 60


@dataclass(frozen=True)
class PreparedArchiveTimestamp:
    """An archive time-stamp whose token is still to be made over `imprint`, a digest by TIMESTAMP_DIGEST.

    base_sha256: of the whole signature that it is for. index: whose signature it is over. hash_index: the DER
    ATSHashIndexV3.
    """

    base_sha256: bytes
    index: int
    hash_index: bytes
    imprint: bytes


def prepare_archive_timestamp(
    signature: bytes, index: int, detached: ContentDigest | None
) -> PreparedArchiveTimestamp:
    """An archive time-stamp over the signer at `index` of a CMS signature, wherever it was made.

    detached: the content where it stands apart, else None. Raises what `structure.take_apart` and
    `content.signed_content` raise; FailedPreconditionError SIGNATURE_NOT_FOUND, SIGNATURE_NOT_DER
    or EVIDENCE_RECORD_INSIDE.
    """
    parts = take_apart(signature)
    parts.require_stampable()
    signer = signer_at(parts, index)
    content = signed_content(parts, detached)
    _require_der(parts, signer)
    hash_index = _hash_index(parts, signer)
    return PreparedArchiveTimestamp(
        base_sha256=hashlib.sha256(signature).digest(),
        index=index,
        hash_index=hash_index,
        imprint=_hash(parts.content_type, content(TIMESTAMP_DIGEST), *signer.fields, hash_index),
    )


def finish_archive_timestamp(signature: bytes, prepared: PreparedArchiveTimestamp, token: bytes) -> bytes:
    """The CMS signature with a TimeStampToken (DER) over the imprint.

    Raises AbortedError DOCUMENT_CHANGED where it is not the signature that was prepared;
    InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH.
    """
    if hashlib.sha256(signature).digest() != prepared.base_sha256:
        raise AbortedError(
            "DOCUMENT_CHANGED", "The signature is not the one that was to be stamped.", field="document"
        )
    cms.check_message_imprint(token, TIMESTAMP_DIGEST, prepared.imprint)
    indexed = _with_hash_index(token, prepared.hash_index)
    parts = take_apart(signature)
    signer = parts.signers[prepared.index]
    stamp = cms.attribute(_ID_ARCHIVE_TIME_STAMP_V3, indexed)
    return parts.with_signer(prepared.index, signer.with_unsigned(stamp)).encode()


def _hash_index(parts: SignedDataParts, signer: SignerParts) -> bytes:
    """ATSHashIndexV3: hashes of every certificate, revocation datum and unsigned attribute value (§5.5.2)."""
    values = [
        attribute.kind + value for attribute in signer.unsigned_attributes for value in attribute.values
    ]
    return tlv(
        SEQUENCE,
        digest_identifier(TIMESTAMP_DIGEST),
        _hashes(parts.certificates),
        _hashes(parts.revocation),
        _hashes(values),
    )


def _hashes(members: Iterable[bytes]) -> bytes:
    return tlv(SEQUENCE, *(tlv(OCTET_STRING, _hash(member)) for member in members))


def _hash(*parts: bytes) -> bytes:
    return hashlib.new(TIMESTAMP_DIGEST, b"".join(parts)).digest()


def _with_hash_index(token: bytes, hash_index: bytes) -> bytes:
    """The token with the index as an unsigned attribute of its own; what its signer signed stays."""
    parts = take_apart(token)
    if len(parts.signers) != 1:
        raise InvalidArgumentError(
            "TIMESTAMP_TOKEN_MALFORMED", "The time-stamp token has not one signer.", field="timestamp_token"
        )
    attribute = cms.attribute(_ID_ATS_HASH_INDEX_V3, hash_index)
    return parts.with_signer(0, parts.signers[0].with_unsigned(attribute)).encode()


def _require_der(parts: SignedDataParts, signer: SignerParts) -> None:
    """Refuse octets that one verifier would hash as they are and another encode anew.

    Certificates and revocation data were signed as DER; looking at their outermost headers is enough.
    """
    try:
        for element in (*parts.certificates, *parts.revocation):
            list(elements(element))
        for element in (*signer.fields, *signer.unsigned):
            _require_deep_der(element, 0)
    except NotDerError:
        raise FailedPreconditionError(
            "SIGNATURE_NOT_DER",
            "Parts of the signature are in BER, over which no two verifiers would see the same time-stamp.",
            field="document",
        ) from None


def _require_deep_der(data: bytes, depth: int) -> None:
    for element in elements(data):
        if element.tag & 0x20:
            if depth > _MAX_DEPTH:
                raise NotDerError
            _require_deep_der(element.content, depth + 1)
