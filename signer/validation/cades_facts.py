"""Collecting the facts of a CMS signature, detached or around its content (EN 319 122-1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pecete.errors import InvalidArgumentError
from signer.validation.archive_timestamps import SIGNATURE_END, archive_timestamps, stored_data
from signer.validation.der import DerError
from signer.validation.facts import CmsFacts, DocumentFacts, SignatureFacts, TimestampFacts
from signer.validation.integrity import ContentDigest, cms_facts
from signer.validation.pdf.aftermath import Modification
from signer.validation.signed_data import (
    DATA,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SignedData,
    read_signed_data,
)
from signer.validation.timestamps import content_timestamps, signature_timestamps


def collect(data: bytes, detached: Sequence[bytes]) -> DocumentFacts:
    """Facts of every signer of a SignedData.

    detached: the signed content, one file, where it stands apart. Raises InvalidArgumentError
    DOCUMENT_DAMAGED or DETACHED_CONTENT_AMBIGUOUS.
    """
    try:
        signed_data = read_signed_data(data)
        content = signed_data.content if signed_data.content is not None else _only(detached)
        signatures, stamps = signers(signed_data, _digest(content), "")
    except DerError as error:
        raise undecodable(error) from error
    return DocumentFacts(
        hashlib.sha256(data).digest(), len(data), signatures, stamps, stored_data(signed_data)
    )


def undecodable(error: DerError) -> InvalidArgumentError:
    """The error of what is no CMS signature."""
    return InvalidArgumentError(
        "DOCUMENT_DAMAGED", f"The CMS signature cannot be decoded: {error}.", field="document"
    )


def signers(
    signed_data: SignedData, content: ContentDigest, name: str
) -> tuple[tuple[SignatureFacts, ...], tuple[TimestampFacts, ...]]:
    """Facts of every signer and of their archive time-stamps; `name` is the file's in a container.

    Raises DerError.
    """
    count = len(signed_data.signers)
    signatures = tuple(
        _signature(signed_data, index, content, signer_field(name, index, count)) for index in range(count)
    )
    stamps = tuple(
        stamp
        for signature, signer in zip(signatures, signed_data.signers, strict=True)
        for stamp in archive_timestamps(signed_data, signer, signature.field, content)
    )
    return signatures, stamps


def signer_field(name: str, index: int, count: int) -> str:
    """What a signer's signature is called: by the name of the file in a container, "" outside of one."""
    return f"{name} signer {index + 1}".strip() if count > 1 else name


def _only(detached: Sequence[bytes]) -> bytes | None:
    if len(detached) > 1:
        raise InvalidArgumentError(
            "DETACHED_CONTENT_AMBIGUOUS",
            "A CMS signature is over one file; several were given.",
            field="detached",
        )
    return detached[0] if detached else None


def _digest(content: bytes | None) -> ContentDigest:
    return lambda name: (
        None if content is None else hashlib.new(name, content, usedforsecurity=False).digest()
    )


def _signature(signed_data: SignedData, index: int, content: ContentDigest, field: str) -> SignatureFacts:
    """Facts of one signer; parallel signers do not cover each other (RFC 5652 §5.1)."""
    signer = signed_data.signers[index]
    cms = cms_facts(replace(signed_data, signers=(signer,)), signed_data.content_type, content)
    return SignatureFacts(
        field=field,
        format="CAdES",
        form="CMS",
        cms=cms,
        claimed_time=cms.signing_time,
        end=SIGNATURE_END,
        baseline=_is_baseline(signed_data, cms),
        modification=Modification.NONE,
        changes=(),
        timestamps=content_timestamps(signer, content) + signature_timestamps(signer),
        faults=cms.faults,
    )


def _is_baseline(signed_data: SignedData, cms: CmsFacts) -> bool:
    """EN 319 122-1 Table 1: unlike in a PDF, the signing-time attribute must be there."""
    references = cms.attributes.count(SIGNING_CERTIFICATE) + cms.attributes.count(SIGNING_CERTIFICATE_V2)
    return (
        signed_data.content_type == DATA
        and cms.signing_time is not None
        and references == 1
        and cms.signer_certificate is not None
        and not cms.faults
    )
