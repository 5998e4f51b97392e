"""Raising the level of CAdES signatures, wherever they were made, to B-T and B-LT (EN 319 122-1 §6.3)."""

import hashlib
from dataclasses import dataclass, replace

from pecete.errors import FailedPreconditionError
from signer import cms
from signer.cades.structure import SignedDataParts, SignerParts, take_apart, with_members
from signer.der import tlv
from signer.material import ValidationMaterial

_OTHER_REVOCATION = 0xA1
_ID_RI_OCSP_RESPONSE = bytes.fromhex("06082b06010505071002")


@dataclass(frozen=True)
class SignatureValue:
    """A signer's signature value, which a signature-time-stamp is over, and its SHA-256, which names it."""

    octets: bytes
    sha256: bytes


def signature_values(signature: bytes) -> tuple[SignatureValue, ...]:
    """Signature values of a CMS signature, signer by signer. Raises what `structure.take_apart` raises."""
    return tuple(
        SignatureValue(signer.signature_value, hashlib.sha256(signer.signature_value).digest())
        for signer in take_apart(signature).signers
    )


def add_signature_time_stamp(signature: bytes, index: int, token: bytes) -> bytes:
    """B-T: the CMS signature with a TimeStampToken (DER) over the signature value of the signer at `index`.

    Raises what `structure.take_apart` and `SignedDataParts.require_extensible` raise; FailedPreconditionError
    SIGNATURE_NOT_FOUND; InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH.
    """
    parts = take_apart(signature)
    parts.require_extensible()
    signer = signer_at(parts, index)
    stamp = cms.signature_time_stamp(token, signer.signature_value)
    return parts.with_signer(index, signer.with_unsigned(stamp)).encode()


def add_material(signature: bytes, material: ValidationMaterial) -> bytes:
    """B-LT: the CMS signature with what it lacks of the material; where it lacks nothing, the very octets.

    Certificates go into SignedData.certificates, CRLs into SignedData.crls, and OCSP responses there as
    other revocation information (RFC 5940 §2.1). Raises what `structure.take_apart` and
    `SignedDataParts.require_extensible` raise.
    """
    parts = take_apart(signature)
    responses = (
        tlv(_OTHER_REVOCATION, _ID_RI_OCSP_RESPONSE, response) for response in material.ocsp_responses
    )
    extended = replace(
        parts,
        certificates=with_members(parts.certificates, material.certificates),
        revocation=with_members(parts.revocation, (*material.crls, *responses)),
    )
    if extended == parts:
        return signature
    parts.require_extensible()
    return extended.encode()


def signer_at(parts: SignedDataParts, index: int) -> SignerParts:
    """The signer at `index`. Raises FailedPreconditionError SIGNATURE_NOT_FOUND."""
    if not 0 <= index < len(parts.signers):
        raise FailedPreconditionError(
            "SIGNATURE_NOT_FOUND", "The document has no such signature.", field="signature"
        )
    return parts.signers[index]
