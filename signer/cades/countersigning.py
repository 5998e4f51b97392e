"""Countersignatures: signing somebody's signature (RFC 5652 §11.4, EN 319 122-1 §5.2.7)."""

import hashlib
from dataclasses import replace

from pecete.errors import AbortedError, FailedPreconditionError
from signer.cades.content import ContentDigest, octets_content
from signer.cades.signing import CompletedSignature, encode_signer_info
from signer.cades.structure import SignedDataParts, take_apart, with_members
from signer.cms import attribute

_ID_COUNTERSIGNATURE = bytes.fromhex("06092a864886f70d010906")


def countersigned_content(cms: bytes, signature_sha256: bytes) -> ContentDigest:
    """What a countersigner signs: the signature value that has this SHA-256.

    `signing.prepare_signature` takes it with `counter=True`. Raises what `structure.take_apart` and
    `SignedDataParts.require_extensible` raise, and FailedPreconditionError SIGNATURE_NOT_FOUND.
    """
    parts = take_apart(cms)
    parts.require_extensible()
    return octets_content(parts.signers[_index(parts, signature_sha256)].signature_value)


def add_countersignature(
    cms: bytes, signature_sha256: bytes, signature: CompletedSignature, timestamp_token: bytes | None
) -> bytes:
    """The signature `cms` with a countersignature of the signer whose signature value has this SHA-256.

    Raises what `countersigned_content` and `signing.finish` raise, and AbortedError DOCUMENT_CHANGED where
    the countersignature is over something else.
    """
    if (
        countersigned_content(cms, signature_sha256)(signature.cms.algorithm.digest)
        != signature.content_digest
    ):
        raise AbortedError(
            "DOCUMENT_CHANGED", "The countersignature is over another signature.", field="document"
        )
    parts = take_apart(cms)
    index = _index(parts, signature_sha256)
    countersignature = attribute(_ID_COUNTERSIGNATURE, encode_signer_info(signature, timestamp_token))
    return replace(
        parts.with_signer(index, parts.signers[index].with_unsigned(countersignature)),
        certificates=with_members(parts.certificates, signature.certificates),
    ).encode()


def _index(parts: SignedDataParts, signature_sha256: bytes) -> int:
    for index, signer in enumerate(parts.signers):
        if hashlib.sha256(signer.signature_value).digest() == signature_sha256:
            return index
    raise FailedPreconditionError(
        "SIGNATURE_NOT_FOUND", "The document has no such signature.", field="signature"
    )
