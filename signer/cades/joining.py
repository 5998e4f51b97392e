"""Parallel signatures: one more signer of content that others have signed (RFC 5652 §5.1)."""

from dataclasses import replace

from pecete.errors import AbortedError
from signer.cades.content import ContentDigest, signed_content
from signer.cades.signing import CompletedSignature, encode_signer_info
from signer.cades.structure import read_signer, take_apart, with_member, with_members
from signer.der import SEQUENCE, single


def joint_content(cms: bytes, detached: ContentDigest | None) -> ContentDigest:
    """What the signers of `cms` signed, for one more to sign: `detached` where it stands apart, else None.

    Ask before the key is used: what cannot be joined is refused. Raises what `structure.take_apart`,
    `SignedDataParts.require_extensible` and `content.signed_content` raise.
    """
    parts = take_apart(cms)
    parts.require_extensible()
    return signed_content(parts, detached)


def add_signature(
    cms: bytes,
    detached: ContentDigest | None,
    signature: CompletedSignature,
    timestamp_token: bytes | None,
) -> bytes:
    """The signature `cms` with one more signer, the last one; no octet of the others changes.

    Raises what `joint_content` and `signing.finish` raise, and AbortedError DOCUMENT_CHANGED where the new
    signature is over other content.
    """
    content = joint_content(cms, detached)
    if content(signature.cms.algorithm.digest) != signature.content_digest:
        raise AbortedError(
            "DOCUMENT_CHANGED", "The new signature is over other content than the others.", field="document"
        )
    parts = take_apart(cms)
    signer = read_signer(encode_signer_info(signature, timestamp_token))
    return replace(
        parts,
        digest_algorithms=_with_algorithm(parts.digest_algorithms, signature.cms.digest_algorithm),
        certificates=with_members(parts.certificates, signature.certificates),
        signers=(*parts.signers, signer),
    ).encode()


def _with_algorithm(algorithms: tuple[bytes, ...], algorithm: bytes) -> tuple[bytes, ...]:
    """A set of digest algorithms with one more, unless it is there, with or without NULL parameters."""
    identifier = single(algorithm, SEQUENCE).children()[0].octets
    if any(identifier in each for each in algorithms):
        return algorithms
    return with_member(algorithms, algorithm)
