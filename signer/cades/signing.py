"""Making CAdES baseline signatures, B-B and B-T (EN 319 122-1 §6), detached or around their content.

A signature is made in two phases. `prepare_signature` needs no key and gives the attributes to be signed;
`complete_signature` takes the signature value, wherever it was made, and checks it. `sign_content` is both
with a key at hand. `finish` then gives a detached signature, `enclose` what stands before and after the
content of an enveloping one; a time-stamp over `CompletedSignature.signature` makes it B-T. The content
itself is never held here: its digest is enough.
"""

from dataclasses import dataclass
from datetime import datetime

from pecete.errors import AbortedError, InternalError, InvalidArgumentError
from signer import algorithms, cms
from signer.cades.attributes import SignatureOptions, SignerLocation, further_attributes
from signer.cades.content import ContentDigest, file_content, octets_content
from signer.certificate_check import check_certificate, load_certificate
from signer.cms import CmsConstants
from signer.der import OCTET_STRING, SEQUENCE, SET, header, single, tlv
from signer.keys import Signatory, SigningKey

__all__ = [
    "CompletedSignature",
    "ContentDigest",
    "Enclosure",
    "PreparedSignature",
    "SignatureOptions",
    "SignerLocation",
    "complete_signature",
    "enclose",
    "file_content",
    "finish",
    "octets_content",
    "prepare_signature",
    "sign_content",
]


@dataclass(frozen=True)
class PreparedSignature:
    """A signature whose value is still to be made. It can be pickled and never holds the content.

    content_digest: what is signed, by `cms.algorithm.digest`. signed_attributes: the DER SET to be signed,
    the message and not its digest. certificate: the signer's, DER.
    """

    content_digest: bytes
    signed_attributes: bytes
    certificate: bytes
    cms: CmsConstants

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The signer's certificate and its chain, DER."""
        return tuple(each.octets for each in single(self.cms.certificates, 0xA0).children())


@dataclass(frozen=True)
class CompletedSignature(PreparedSignature):
    """A signature with its value, over which a signature-time-stamp is made (EN 319 122-1 §5.3)."""

    signature: bytes


@dataclass(frozen=True)
class Enclosure:
    """The octets that stand before and after the content in an enveloping signature."""

    head: bytes
    tail: bytes


def prepare_signature(
    content: ContentDigest, signer: Signatory, options: SignatureOptions, *, counter: bool = False
) -> PreparedSignature:
    """Make the attributes that `signer` is to sign over the content.

    counter: for a countersignature, whose content is from `countersigning.countersigned_content`.
    Raises InvalidArgumentError CERTIFICATE_MALFORMED, KEY_TYPE_NOT_SUPPORTED, ALGORITHM_KEY_MISMATCH,
    SIGNER_LOCATION_INVALID or COUNTERSIGNATURE_MIME_TYPE; FailedPreconditionError CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID or ALGORITHM_NOT_RELIABLE; and what `content` raises.
    """
    if counter and options.mime_type:
        raise InvalidArgumentError(
            "COUNTERSIGNATURE_MIME_TYPE",
            "A countersignature is over a signature, which has no MIME type.",
            field="mime_type",
        )
    constants = cms.cms_constants(signer.certificate, signer.chain, signer.algorithm)
    check_certificate(load_certificate(signer.certificate), signer.algorithm, options.signing_time)
    further = further_attributes(options)
    digest = content(signer.algorithm.digest)
    return PreparedSignature(
        content_digest=digest,
        signed_attributes=cms.signed_attributes(
            constants, digest, further, content_type=None if counter else cms.ID_DATA
        ),
        certificate=signer.certificate,
        cms=constants,
    )


def complete_signature(
    content: ContentDigest, prepared: PreparedSignature, signature: bytes, time: datetime
) -> CompletedSignature:
    """Take in a signature value, as `SigningKey.sign` gives it, that was made elsewhere until `time`.

    The value, the certificate at `time` and the content are checked, as the prepared signature has been away.
    Raises InvalidArgumentError SIGNATURE_VALUE_WRONG; FailedPreconditionError CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET_VALID or ALGORITHM_NOT_RELIABLE; AbortedError DOCUMENT_CHANGED; and what `content`
    raises.
    """
    certificate = load_certificate(prepared.certificate)
    algorithm = prepared.cms.algorithm
    algorithms.verify(algorithm, certificate.public_key(), signature, prepared.signed_attributes)
    check_certificate(certificate, algorithm, time)
    if content(algorithm.digest) != prepared.content_digest:
        raise AbortedError(
            "DOCUMENT_CHANGED", "The document is not the one that was to be signed.", field="document"
        )
    return CompletedSignature(**vars(prepared), signature=signature)


def sign_content(
    content: ContentDigest, key: SigningKey, options: SignatureOptions, *, counter: bool = False
) -> CompletedSignature:
    """Sign with a key at hand.

    Raises before the key is used what `prepare_signature` raises; then what the key raises, and InternalError
    SIGNATURE_VALUE_WRONG where the result does not hold.
    """
    prepared = prepare_signature(content, key, options, counter=counter)
    signature = key.sign(prepared.signed_attributes)
    public_key = load_certificate(prepared.certificate).public_key()
    try:
        algorithms.verify(prepared.cms.algorithm, public_key, signature, prepared.signed_attributes)
    except InvalidArgumentError as error:
        raise InternalError(error.reason, error.message, field="signing_key") from error
    return CompletedSignature(**vars(prepared), signature=signature)


def finish(signature: CompletedSignature, timestamp_token: bytes | None) -> bytes:
    """The detached signature, a ContentInfo: level B-T with a TimeStampToken (DER), B-B without.

    Raises InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH.
    """
    return cms.assemble(
        signature.cms,
        signature.signed_attributes,
        signature.signature,
        _timestamp_attributes(signature, timestamp_token),
    )


def enclose(signature: CompletedSignature, timestamp_token: bytes | None, content_length: int) -> Enclosure:
    """The enveloping signature around content of so many octets, of which it is the concatenation.

    Raises what `finish` raises.
    """
    signer_info = encode_signer_info(signature, timestamp_token)
    head, tail = b"", b""
    for tag, before, after in (
        (OCTET_STRING, b"", b""),
        (0xA0, b"", b""),
        (SEQUENCE, cms.ID_DATA, b""),
        (
            SEQUENCE,
            cms.VERSION_1 + tlv(SET, signature.cms.digest_algorithm),
            signature.cms.certificates + tlv(SET, signer_info),
        ),
        (0xA0, b"", b""),
        (SEQUENCE, cms.ID_SIGNED_DATA, b""),
    ):
        head, tail = before + head, tail + after
        head = header(tag, len(head) + content_length + len(tail)) + head
    return Enclosure(head, tail)


def encode_signer_info(signature: CompletedSignature, timestamp_token: bytes | None) -> bytes:
    """The SignerInfo (DER) with a time-stamp, if any. Raises what `finish` raises."""
    return cms.signer_info(
        signature.cms,
        signature.signed_attributes,
        signature.signature,
        _timestamp_attributes(signature, timestamp_token),
    )


def _timestamp_attributes(signature: CompletedSignature, timestamp_token: bytes | None) -> tuple[bytes, ...]:
    """The unsigned attributes that a token makes. Raises what `finish` raises."""
    if timestamp_token is None:
        return ()
    return (cms.signature_time_stamp(timestamp_token, signature.signature),)
