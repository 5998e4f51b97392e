"""Collecting the facts of a CMS signature, detached or around its content (EN 319 122-1)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from pecete.errors import InvalidArgumentError
from signer.validation.archive_timestamps import SIGNATURE_END, archive_timestamps, stored_data
from signer.validation.cms_evidence import embedded_evidence_records
from signer.validation.countersignatures import countersignatures
from signer.validation.der import DerError
from signer.validation.facts import (
    CmsFacts,
    DocumentFacts,
    EvidenceRecordFacts,
    SignatureFacts,
    TimestampFacts,
)
from signer.validation.integrity import ContentDigest, cms_facts, no_content, octets_digest
from signer.validation.pdf.aftermath import Modification
from signer.validation.signed_data import (
    ARCHIVE_TIME_STAMP_V2,
    COMPLETE_REFERENCES,
    DATA,
    EXTERNAL_EVIDENCE_RECORD,
    INTERNAL_EVIDENCE_RECORD,
    SIGNATURE_TIME_STAMP,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
    SignedData,
    SignerInfo,
    read_signed_data,
)
from signer.validation.timestamps import content_timestamps, signature_timestamps

_SPACE = b"\0\t\n\r "


class FoundInCms(NamedTuple):
    """What a SignedData has: signatures, each before its counter-signatures, and what is around them."""

    signatures: tuple[SignatureFacts, ...]
    timestamps: tuple[TimestampFacts, ...]
    evidence_records: tuple[EvidenceRecordFacts, ...]


def collect(data: bytes, detached: Sequence[bytes]) -> DocumentFacts:
    """Facts of every signer of a SignedData, and of every counter-signature.

    detached: the signed content, one file, where it stands apart. Raises InvalidArgumentError
    DOCUMENT_DAMAGED or DETACHED_CONTENT_AMBIGUOUS.
    """
    try:
        signed_data = read_signed_data(data)
        digest = _digest_of_both(signed_data.content, only(detached))
        found = signers(data, signed_data, digest, "")
    except DerError as error:
        raise undecodable(error) from error
    return DocumentFacts(
        hashlib.sha256(data).digest(),
        len(data),
        found.signatures,
        found.timestamps,
        stored_data(signed_data),
        found.evidence_records,
    )


def undecodable(error: DerError) -> InvalidArgumentError:
    """The error of what is no CMS signature."""
    return InvalidArgumentError(
        "DOCUMENT_DAMAGED", f"The CMS signature cannot be decoded: {error}.", field="document"
    )


def signers(data: bytes, signed_data: SignedData, content: ContentDigest, name: str) -> FoundInCms:
    """What `signed_data`, read from `data`, has; `name` is the file's in a container. Raises DerError."""
    faults = ("octets follow the signature in its file",) if data[signed_data.size :].strip(_SPACE) else ()
    signatures = tuple(
        replace(each, faults=(*faults, *each.faults)) for each in _signatures(signed_data, content, name)
    )
    count = len(signed_data.signers)
    stamps = tuple(
        stamp
        for index, signer in enumerate(signed_data.signers)
        for stamp in archive_timestamps(signed_data, signer, signer_field(name, index, count), content)
    )
    fields = tuple(signature.field for signature in signatures)
    return FoundInCms(signatures, stamps, embedded_evidence_records(data, signed_data, content, name, fields))


def signer_field(name: str, index: int, count: int) -> str:
    """What a signer's signature is called: by the name of the file in a container, "" outside of one."""
    return f"{name} signer {index + 1}".strip() if count > 1 else name


def only(detached: Sequence[bytes]) -> bytes | None:
    """The one file that stands apart. Raises InvalidArgumentError DETACHED_CONTENT_AMBIGUOUS."""
    if len(detached) > 1:
        raise InvalidArgumentError(
            "DETACHED_CONTENT_AMBIGUOUS",
            "A CMS signature is over one file; several were given.",
            field="detached",
        )
    return detached[0] if detached else None


def digest_of(content: bytes | None) -> ContentDigest:
    """Gives the digests of content; None where there is none."""
    return no_content if content is None else octets_digest(content)


def _digest_of_both(inside: bytes | None, beside: bytes | None) -> ContentDigest:
    """Content inside never speaks for another file beside it: of two that differ no digest matches."""
    if inside is not None and beside is not None and inside != beside:
        return lambda name: bytes(hashlib.new(name, usedforsecurity=False).digest_size)
    return digest_of(beside if inside is None else inside)


def _signatures(signed_data: SignedData, content: ContentDigest, name: str) -> Iterator[SignatureFacts]:
    for index, signer in enumerate(signed_data.signers):
        field = signer_field(name, index, len(signed_data.signers))
        yield _signature(signed_data, index, content, field)
        yield from countersignatures(signed_data, signer, field, SIGNATURE_END)


def _signature(signed_data: SignedData, index: int, content: ContentDigest, field: str) -> SignatureFacts:
    """Facts of one signer; parallel signers do not cover each other (RFC 5652 §5.1)."""
    signer = signed_data.signers[index]
    cms = cms_facts(replace(signed_data, signers=(signer,)), signed_data.content_type, content)
    old = signer.unsigned(ARCHIVE_TIME_STAMP_V2)
    return SignatureFacts(
        field=field,
        format="CAdES",
        form="CMS",
        cms=cms,
        claimed_time=cms.signing_time,
        end=SIGNATURE_END,
        baseline=_is_baseline(signed_data, signer, cms),
        modification=Modification.NONE,
        changes=(),
        timestamps=content_timestamps(signer, content) + signature_timestamps(signer),
        faults=cms.faults,
        findings=("an archive-time-stamp-v2, which proves nothing here",) if old else (),
        extension=_extension(signer),
    )


def _extension(signer: SignerInfo) -> str:
    """The level of what stands outside the baseline (EN 319 122-2)."""
    if signer.unsigned(INTERNAL_EVIDENCE_RECORD) or signer.unsigned(EXTERNAL_EVIDENCE_RECORD):
        return "ERS"
    has_stamp = bool(signer.unsigned(SIGNATURE_TIME_STAMP))
    return "C" if has_stamp and all(signer.unsigned(kind) for kind in COMPLETE_REFERENCES) else ""


def _is_baseline(signed_data: SignedData, signer: SignerInfo, cms: CmsFacts) -> bool:
    """EN 319 122-1 Table 1: unlike in a PDF, the signing-time attribute must be there, with one value."""
    references = cms.attributes.count(SIGNING_CERTIFICATE) + cms.attributes.count(SIGNING_CERTIFICATE_V2)
    return (
        signed_data.content_type == DATA
        and cms.signing_time is not None
        and [len(each.values) for each in signer.signed(SIGNING_TIME)] == [1]
        and references == 1
        and cms.signer_certificate is not None
        and not cms.faults
    )
