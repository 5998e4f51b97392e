"""Making PAdES baseline signatures, B-B and B-T (EN 319 142-1), serially on one document.

A signature is made in two phases. `prepare_section` admits the document and writes the section, and needs no
key; `complete_section` takes the signature value, wherever it was made, and checks it and the document again.
`sign_section` is both with a key at hand. `finish` then gives the octets that follow the original ones, with
a time-stamp for level B-T; `signature_value` is what the time-stamp is over.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pecete.commitment import commitment_attributes, stated_commitment
from pecete.errors import InternalError
from signer import algorithms, cms
from signer.certificate_check import check_certificate, load_certificate
from signer.cms import CmsConstants
from signer.keys import Signatory, SigningKey
from signer.pades import plain
from signer.pades.admission import Admitted, admitted
from signer.pades.increment import NotPlainError
from signer.pades.options import AppearanceText, SignatureOptions
from signer.pades.section import AppendedSection, HashState, base_state, byte_range_digest, fill
from signer.pades.seed_values import check_demands

__all__ = [
    "AppearanceText",
    "PreparedSection",
    "SignatureOptions",
    "SignedSection",
    "complete_section",
    "finish",
    "prepare_section",
    "sign_section",
    "signature_value",
]


@dataclass(frozen=True)
class PreparedSection(AppendedSection):
    """A section whose signature is still to be made. It can be pickled and never holds the document.

    signed_attributes: the DER SET to be signed, the message and not its digest.
    certificate: the signer's, DER.
    """

    signed_attributes: bytes
    certificate: bytes
    cms: CmsConstants


@dataclass(frozen=True)
class SignedSection(PreparedSection):
    """A section and its signature over `signed_attributes`, not in the gap yet."""

    signature: bytes


def prepare_section(
    path: Path, signer: Signatory, options: SignatureOptions, *, prefix: HashState | None = None
) -> PreparedSection:
    """Write the section of a signature on the document at `path`; nothing is written to the file.

    prefix: a state of the signature's digest fed with the whole document, where the caller has one; otherwise
    the document is read once for it. The answer's `base_digest` shows what is to be signed.
    Raises what `admission.admitted`, `cms.cms_constants` and `algorithms.check_certificate_key` say;
    InvalidArgumentError PAGE_NOT_FOUND, APPEARANCE_NAME_MISSING, VERIFICATION_URI_INVALID,
    FIELD_WITHOUT_EXTENT; FailedPreconditionError SEED_VALUE_NOT_MET, NO_ROOM_FOR_SIGNATURE,
    CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID.
    """
    constants = cms.cms_constants(signer.certificate, signer.chain, signer.algorithm)
    certificate = load_certificate(signer.certificate)
    with admitted(path, options) as document:
        check_certificate(certificate, constants.algorithm, options.signing_time)
        check_demands(document, options, signer)
        base = _base(document, constants, prefix)
        further = commitment_attributes(options.commitment)
        reserve = cms.size_without_timestamp(constants, further) + options.timestamp_reserve
        try:
            section = plain.prepare(document, options, reserve, base)
        except NotPlainError:
            from signer.pades import general  # brings pyHanko, which is slow to import and seldom needed

            section = general.prepare(document, options, reserve, base)
    attributes = cms.signed_attributes(constants, section.digest, further)
    return PreparedSection(
        **vars(section), signed_attributes=attributes, certificate=signer.certificate, cms=constants
    )


def complete_section(
    path: Path, prepared: PreparedSection, signature: bytes, time: datetime
) -> SignedSection:
    """Take in a signature value, as `SigningKey.sign` gives it, that was made elsewhere until `time`.

    Everything is checked again, as the prepared section has been out of sight: first the signature value,
    then the certificate at `time`, then the document at `path` against what was signed. Raises
    InvalidArgumentError SIGNATURE_VALUE_WRONG; FailedPreconditionError CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID or ALGORITHM_NOT_RELIABLE; AbortedError DOCUMENT_CHANGED; InternalError
    BYTE_RANGE_WRONG.
    """
    algorithm, certificate = prepared.cms.algorithm, load_certificate(prepared.certificate)
    algorithms.verify(algorithm, certificate.public_key(), signature, prepared.signed_attributes)
    check_certificate(certificate, algorithm, time)
    _check_document(prepared, base_state(path, prepared.base_length, algorithm.digest))
    return SignedSection(**vars(prepared), signature=signature)


def sign_section(
    path: Path, key: SigningKey, options: SignatureOptions, *, prefix: HashState | None = None
) -> SignedSection:
    """Sign the document at `path`; nothing is written to it.

    Raises before the key is used what `prepare_section` raises, and then what the key raises, which verifies
    the signature itself.
    """
    prepared = prepare_section(path, key, options, prefix=prefix)
    return SignedSection(**vars(prepared), signature=key.sign(prepared.signed_attributes))


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
    return fill(section, contents)


def _base(document: Admitted, constants: CmsConstants, prefix: HashState | None) -> HashState:
    if prefix is None:
        return base_state(document.path, document.length, constants.algorithm.digest)
    if prefix.name != constants.algorithm.digest:
        raise InternalError("PREFIX_DIGEST_WRONG", "The document was hashed with another digest.")
    return prefix


def _check_document(prepared: PreparedSection, base: HashState) -> None:
    """Check that the signed attributes are over this document and section."""
    digest = byte_range_digest(
        prepared.base_length, prepared.tail, prepared.gap_position, prepared.gap_length, base
    )
    further = commitment_attributes(stated_commitment(prepared.signed_attributes))
    if cms.signed_attributes(prepared.cms, digest, further) != prepared.signed_attributes:
        raise InternalError("BYTE_RANGE_WRONG", "The signed digest is not that of the file.")
