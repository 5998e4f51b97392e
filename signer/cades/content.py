"""What a signature is over, as far as the making of it needs to know: its digests."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pecete.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from signer.cades.structure import SignedDataParts, SignerParts
from signer.cms import ID_DATA, ID_MESSAGE_DIGEST
from signer.validation.der import DerError, octets, oid, read
from signer.validation.signature_value import DIGESTS

ContentDigest = Callable[[str], bytes]
"""Gives the digest of the signed content by an algorithm, as hashlib names it."""


def file_content(path: Path) -> ContentDigest:
    """The content is a file; it is read in pieces, once for each algorithm asked for.

    The answer raises NotFoundError DOCUMENT_UNREADABLE.
    """

    @cache
    def digest(algorithm: str) -> bytes:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, algorithm).digest()
        except OSError as error:
            raise NotFoundError(
                "DOCUMENT_UNREADABLE", f"The file {path.name} cannot be read.", field="document"
            ) from error

    return digest


def octets_content(content: bytes) -> ContentDigest:
    """The content is at hand."""

    @cache
    def digest(algorithm: str) -> bytes:
        return hashlib.new(algorithm, content, usedforsecurity=False).digest()

    return digest


def signed_content(parts: SignedDataParts, detached: ContentDigest | None) -> ContentDigest:
    """The content of a signature: `detached` where it stands apart, else what is inside.

    It is what every signer signed, or it is refused. Raises InvalidArgumentError CONTENT_MISSING,
    CONTENT_NOT_DETACHED or CONTENT_MISMATCH; FailedPreconditionError CONTENT_TYPE_NOT_SUPPORTED,
    SIGNED_ATTRIBUTES_MISSING or DIGEST_NOT_SUPPORTED; and what `detached` raises.
    """
    content = _content(parts.content, detached)
    if parts.content_type != ID_DATA:
        raise FailedPreconditionError(
            "CONTENT_TYPE_NOT_SUPPORTED", "The signature is over something else than data.", field="document"
        )
    for signer in parts.signers:
        if content(_digest_name(signer)) != _message_digest(signer):
            raise InvalidArgumentError(
                "CONTENT_MISMATCH", "The signature is over other content than this.", field="detached"
            )
    return content


def _content(inside: bytes | None, detached: ContentDigest | None) -> ContentDigest:
    if inside is None:
        if detached is None:
            raise InvalidArgumentError(
                "CONTENT_MISSING",
                "The signature is detached, and its content was not given.",
                field="detached",
            )
        return detached
    if detached is not None:
        raise InvalidArgumentError(
            "CONTENT_NOT_DETACHED", "The signature has its content inside; give none.", field="detached"
        )
    return octets_content(inside)


def _digest_name(signer: SignerParts) -> str:
    try:
        return DIGESTS[oid(read(signer.digest_algorithm))]
    except (DerError, KeyError):
        raise FailedPreconditionError(
            "DIGEST_NOT_SUPPORTED", "A signer used a digest that is not known here.", field="document"
        ) from None


def _message_digest(signer: SignerParts) -> bytes:
    """The value of the message-digest attribute, of which there is one (RFC 5652 §11.2)."""
    found = [
        value
        for attribute in signer.signed_attributes
        if attribute.kind == ID_MESSAGE_DIGEST
        for value in attribute.values
    ]
    try:
        (digest,) = (octets(read(value)) for value in found)
    except ValueError:
        raise FailedPreconditionError(
            "SIGNED_ATTRIBUTES_MISSING",
            "A signer did not sign one message-digest attribute, so nothing can be joined to the signature.",
            field="document",
        ) from None
    return digest
