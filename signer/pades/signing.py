"""Making PAdES baseline signatures, B-B and B-T (EN 319 142-1), serially on one document.

`sign_section` admits the document, prepares the section, has the key sign, and checks the result;
`finish` gives the octets that follow the original ones, with a time-stamp for level B-T. Between the two the
caller has the signature time-stamped: `signature_value` is what the time-stamp is over.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from pecete.errors import FailedPreconditionError, InternalError, InvalidArgumentError
from signer import algorithms, cms
from signer.cms import CmsConstants
from signer.keys import SigningKey
from signer.pades import plain
from signer.pades.admission import Admitted, admitted
from signer.pades.options import AppearanceText, SignatureOptions
from signer.pades.section import AppendedSection, HashState, base_state, byte_range_digest

__all__ = [
    "AppearanceText",
    "SignatureOptions",
    "SignedSection",
    "finish",
    "sign_section",
    "signature_value",
]


@dataclass(frozen=True)
class SignedSection(AppendedSection):
    """A section and its signature, not in the gap yet. It can be pickled and never holds the document.

    signed_attributes: the DER SET that `signature` is over.
    """

    signed_attributes: bytes
    signature: bytes
    cms: CmsConstants


def sign_section(
    path: Path, key: SigningKey, options: SignatureOptions, *, prefix: HashState | None = None
) -> SignedSection:
    """Sign the document at `path`; nothing is written to it.

    prefix: a state of the signature's digest fed with the whole document, where the caller has one; otherwise
    the document is read once for it. The answer's `base_digest` shows what was signed.
    Raises before the key is used: what `admission.admitted`, `cms.cms_constants` and
    `algorithms.check_certificate_key` say; InvalidArgumentError PAGE_NOT_FOUND, APPEARANCE_NAME_MISSING,
    VERIFICATION_URI_INVALID, FIELD_WITHOUT_EXTENT; FailedPreconditionError NO_ROOM_FOR_SIGNATURE,
    CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID. Then what the key raises, and InternalError
    SIGNATURE_VALUE_WRONG or BYTE_RANGE_WRONG where the result does not hold.
    """
    constants = cms.cms_constants(key.certificate, key.chain, key.algorithm)
    certificate = _certificate(key.certificate)
    with admitted(path, options) as document:
        _check_certificate(certificate, constants, options.signing_time)
        base = _base(document, constants, prefix)
        reserve = cms.size_without_timestamp(constants) + options.timestamp_reserve
        try:
            section = plain.prepare(document, options, reserve, base)
        except plain.NotPlainError:
            from signer.pades import general  # brings pyHanko, which is slow to import and seldom needed

            section = general.prepare(document, options, reserve, base)
    attributes = cms.signed_attributes(constants, section.digest)
    signature = key.sign(attributes)
    signed = SignedSection(**vars(section), signed_attributes=attributes, signature=signature, cms=constants)
    _verify(signed, certificate, base)
    return signed


def signature_value(section: SignedSection) -> bytes:
    """The octets that a signature-time-stamp's messageImprint is over (EN 319 122-1 §5.3)."""
    return section.signature


def finish(section: SignedSection, timestamp_token: bytes | None) -> bytes:
    """The octets to append to the original document: level B-T with a TimeStampToken (DER), B-B without.

    Raises InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH, and
    FailedPreconditionError SIGNATURE_RESERVE_TOO_SMALL.
    """
    unsigned: tuple[bytes, ...] = ()
    if timestamp_token is not None:
        unsigned = (cms.signature_time_stamp(timestamp_token, section.signature),)
    contents = cms.assemble(section.cms, section.signed_attributes, section.signature, unsigned)
    reserve = section.gap_length // 2 - 1
    if len(contents) > reserve:
        raise FailedPreconditionError(
            "SIGNATURE_RESERVE_TOO_SMALL",
            f"The signature with its time-stamp takes {len(contents)} octets and {reserve} were reserved.",
            field="timestamp_reserve",
            metadata={"needed": str(len(contents)), "reserved": str(reserve)},
        )
    start = section.gap_position + 1
    digits = contents.hex().encode()
    return section.tail[:start] + digits + section.tail[start + len(digits) :]


def _base(document: Admitted, constants: CmsConstants, prefix: HashState | None) -> HashState:
    if prefix is None:
        return base_state(document.path, document.length, constants.algorithm.digest)
    if prefix.name != constants.algorithm.digest:
        raise InternalError("PREFIX_DIGEST_WRONG", "The document was hashed with another digest.")
    return prefix


def _verify(signed: SignedSection, certificate: x509.Certificate, base: HashState) -> None:
    """Check what was made: the digest over ByteRange, the attributes that hold it, the signature value."""
    digest = byte_range_digest(signed.base_length, signed.tail, signed.gap_position, signed.gap_length, base)
    if cms.signed_attributes(signed.cms, digest) != signed.signed_attributes:
        raise InternalError("BYTE_RANGE_WRONG", "The signed digest is not that of the file.")
    try:
        algorithms.verify(
            signed.cms.algorithm, certificate.public_key(), signed.signature, signed.signed_attributes
        )
    except InvalidArgumentError as error:
        raise InternalError(error.reason, error.message, field="signing_key") from error


def _check_certificate(certificate: x509.Certificate, constants: CmsConstants, time: datetime) -> None:
    if time > certificate.not_valid_after_utc:
        raise FailedPreconditionError(
            "CERTIFICATE_EXPIRED",
            f"The certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}.",
            field="signing_key",
        )
    if time < certificate.not_valid_before_utc:
        raise FailedPreconditionError(
            "CERTIFICATE_NOT_YET_VALID",
            f"The certificate is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}.",
            field="signing_key",
        )
    algorithms.check_certificate_key(constants.algorithm, certificate.public_key(), time)


@lru_cache(maxsize=256)
def _certificate(certificate: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(certificate)
