"""DER of CMS SignedData with the attributes of AdES baseline signatures (RFC 5652, EN 319 122-1).

A signature is made in two phases: `signed_attributes` gives the bytes that a key signs, wherever it lives,
and `assemble` gives the finished ContentInfo. What is the same for each signature of one key stands ready in
`CmsConstants`. The bytes are written directly: they are few, and their DER form is what is signed.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pecete.errors import InvalidArgumentError
from signer import algorithms
from signer.algorithms import DigestName, SignatureAlgorithm
from signer.der import INTEGER, OCTET_STRING, SEQUENCE, SET, NotDerError, single, tlv

VERSION_1 = b"\x02\x01\x01"

ID_DATA = bytes.fromhex("06092a864886f70d010701")
ID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_ID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
ID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_ID_CMS_ALGORITHM_PROTECTION = bytes.fromhex("06092a864886f70d010934")
_ID_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_ID_CT_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_ID_SIGNATURE_TIME_STAMP = bytes.fromhex("060b2a864886f70d010910020e")

_HASH_NAMES = {
    bytes.fromhex("0609608648016503040201"): "sha256",
    bytes.fromhex("0609608648016503040202"): "sha384",
    bytes.fromhex("0609608648016503040203"): "sha512",
}
"""hashlib names of the messageImprint's possible hashes, by DER OBJECT IDENTIFIER."""


@dataclass(frozen=True)
class CmsConstants:
    """What is the same in every SignedData of one key; all `bytes` are DER.

    algorithm: what the key signs with; its digest is also that of the content.
    signature_size: the largest signature that the key makes, in octets.
    """

    algorithm: SignatureAlgorithm
    signature_size: int
    signer_identifier: bytes
    digest_algorithm: bytes
    signature_algorithm: bytes
    certificates: bytes
    attributes: tuple[bytes, ...]


@lru_cache(maxsize=256)
def cms_constants(
    certificate: bytes, chain: tuple[bytes, ...], algorithm: SignatureAlgorithm
) -> CmsConstants:
    """Prepare what signatures of the key of `certificate` (DER) have in common.

    `chain` certificates go into `SignedData.certificates` beside it. The constant signed attributes are
    signing-certificate-v2 without issuerSerial (RFC 5035 §3, EN 319 122-1 §5.2.2.3) and
    CMSAlgorithmProtection (RFC 6211). Raises InvalidArgumentError CERTIFICATE_MALFORMED or
    KEY_TYPE_NOT_SUPPORTED.
    """
    digest_algorithm = algorithms.digest_identifier(algorithm.digest)
    signature_algorithm = algorithms.signature_identifier(algorithm)
    # SHA-256 is the DEFAULT of ESSCertIDv2.hashAlgorithm, and DER omits defaults.
    certificate_hash = b"" if algorithm.digest == "sha256" else digest_algorithm
    certificate_hash += tlv(OCTET_STRING, hashlib.new(algorithm.digest, certificate).digest())
    signing_certificate = tlv(SEQUENCE, tlv(SEQUENCE, tlv(SEQUENCE, certificate_hash)))
    protection = tlv(SEQUENCE, digest_algorithm, b"\xa1" + signature_algorithm[1:])
    return CmsConstants(
        algorithm=algorithm,
        signature_size=_signature_size(certificate),
        signer_identifier=_issuer_and_serial_number(certificate),
        digest_algorithm=digest_algorithm,
        signature_algorithm=signature_algorithm,
        certificates=tlv(0xA0, *sorted({certificate, *chain})),
        attributes=(
            attribute(_ID_SIGNING_CERTIFICATE_V2, signing_certificate),
            attribute(_ID_CMS_ALGORITHM_PROTECTION, protection),
        ),
    )


def signed_attributes(
    constants: CmsConstants,
    message_digest: bytes,
    further: tuple[bytes, ...] = (),
    *,
    content_type: bytes | None = ID_DATA,
) -> bytes:
    """The DER SET OF signed attributes over content with `message_digest`: the message that the key signs.

    further: more DER Attributes. content_type: DER OBJECT IDENTIFIER; None in a countersignature, which has
    none (RFC 5652 §11.4). There is no signing-time where it is not among `further`: PAdES forbids it
    (EN 319 142-1 §6.3), as the signature dictionary's M states it.
    """
    own = [attribute(ID_MESSAGE_DIGEST, tlv(OCTET_STRING, message_digest))]
    if content_type is not None:
        own.append(attribute(_ID_CONTENT_TYPE, content_type))
    return tlv(SET, *sorted((*own, *constants.attributes, *further)))


def assemble(
    constants: CmsConstants,
    attributes: bytes,
    signature: bytes,
    unsigned_attributes: tuple[bytes, ...] = (),
) -> bytes:
    """The finished ContentInfo with one SignerInfo and detached content.

    attributes: from `signed_attributes`. signature: as `SigningKey.sign` returned it.
    unsigned_attributes: DER Attributes, such as a signature-time-stamp.
    """
    signed_data = tlv(
        SEQUENCE,
        VERSION_1,
        tlv(SET, constants.digest_algorithm),
        tlv(SEQUENCE, ID_DATA),
        constants.certificates,
        tlv(SET, signer_info(constants, attributes, signature, unsigned_attributes)),
    )
    return tlv(SEQUENCE, ID_SIGNED_DATA, tlv(0xA0, signed_data))


def signer_info(
    constants: CmsConstants, attributes: bytes, signature: bytes, unsigned_attributes: tuple[bytes, ...] = ()
) -> bytes:
    """One SignerInfo (RFC 5652 §5.3), of what `assemble` takes."""
    unsigned = tlv(0xA1, *sorted(unsigned_attributes)) if unsigned_attributes else b""
    return tlv(
        SEQUENCE,
        VERSION_1,
        constants.signer_identifier,
        constants.digest_algorithm,
        b"\xa0" + attributes[1:],
        constants.signature_algorithm,
        tlv(OCTET_STRING, signature),
        unsigned,
    )


def size_without_timestamp(constants: CmsConstants, further: tuple[bytes, ...] = ()) -> int:
    """The most octets that a ContentInfo of this key takes while it has no unsigned attributes.

    further: as in `signed_attributes`.
    """
    digest = bytes(hashlib.new(constants.algorithm.digest).digest_size)
    attributes = signed_attributes(constants, digest, further)
    return len(assemble(constants, attributes, bytes(constants.signature_size)))


def attribute(identifier: bytes, value: bytes) -> bytes:
    """An Attribute (RFC 5652 §5.3) with one value; both are DER."""
    return tlv(SEQUENCE, identifier, tlv(SET, value))


def signature_time_stamp(token: bytes, signature: bytes) -> bytes:
    """The unsigned attribute signature-time-stamp (EN 319 122-1 §5.3) with the TimeStampToken `token` (DER).

    The token's messageImprint must be that of the octets of `signature`. Raises InvalidArgumentError
    TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH; who signed the token is not judged here.
    """
    digest, hashed = _message_imprint(token)
    if hashlib.new(digest, signature).digest() != hashed:
        raise _token_mismatch("this signature")
    return attribute(_ID_SIGNATURE_TIME_STAMP, token)


def check_message_imprint(token: bytes, digest: DigestName, hashed: bytes) -> None:
    """Refuse a TimeStampToken (DER) that is not over a hash; who signed it is not judged here.

    Raises InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH.
    """
    if _message_imprint(token) != (digest, hashed):
        raise _token_mismatch("this document")


def _token_mismatch(over: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "TIMESTAMP_TOKEN_MISMATCH",
        f"The time-stamp token is over other octets than {over}.",
        field="timestamp_token",
    )


def _issuer_and_serial_number(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber with the issuer's very octets (RFC 5652 §10.2.4)."""
    try:
        fields = single(certificate, SEQUENCE).children()[0].children()
        start = 1 if fields[0].tag == 0xA0 else 0
        serial_number, issuer = fields[start], fields[start + 2]
        if serial_number.tag != INTEGER or issuer.tag != SEQUENCE:
            raise NotDerError
    except (NotDerError, IndexError):
        raise _malformed_certificate() from None
    return tlv(SEQUENCE, issuer.octets, serial_number.octets)


def _signature_size(certificate: bytes) -> int:
    """Octets of the largest signature of the certificate's key."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError:
        raise _malformed_certificate() from None
    octets = (algorithms.key_bits(key) + 7) // 8
    if isinstance(key, ec.EllipticCurvePublicKey):
        # Two INTEGERs, each perhaps with a leading zero octet, in a SEQUENCE.
        return 2 * (octets + 3) + 3
    # Of Ed25519 two strings as long as the key (RFC 8032 §5.1.6).
    return 2 * octets if isinstance(key, ed25519.Ed25519PublicKey) else octets


def _malformed_certificate() -> InvalidArgumentError:
    return InvalidArgumentError(
        "CERTIFICATE_MALFORMED", "The key's certificate cannot be read.", field="signing_key"
    )


def _message_imprint(token: bytes) -> tuple[str, bytes]:
    """The hash, as hashlib names it, and value of a TimeStampToken's messageImprint (RFC 3161 §2.4.2)."""
    try:
        content_type, content = single(token, SEQUENCE).children()
        signed_data = single(content.content, SEQUENCE).children()
        encapsulated_type, encapsulated = signed_data[2].children()
        if content_type.octets != ID_SIGNED_DATA or encapsulated_type.octets != _ID_CT_TST_INFO:
            raise NotDerError
        tst_info = single(single(encapsulated.content, OCTET_STRING).content, SEQUENCE).children()
        algorithm, hashed = tst_info[2].children()
        return _HASH_NAMES[algorithm.children()[0].octets], hashed.content
    except (NotDerError, ValueError, IndexError, KeyError):
        raise InvalidArgumentError(
            "TIMESTAMP_TOKEN_MALFORMED",
            "The time-stamp token is not a DER TimeStampToken over a SHA-2 hash.",
            field="timestamp_token",
        ) from None
