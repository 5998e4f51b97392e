"""Reading a token's certificates and public keys, which every token writes a little differently."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pkcs11
from asn1crypto import core
from asn1crypto.keys import ECDomainParameters
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pkcs11 import Attribute, KeyType, ObjectClass

from signer.certificate_check import read_certificate

SigningPublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_LOGGER = logging.getLogger(__name__)
_CURVES: dict[str, ec.EllipticCurve] = {
    "1.2.840.10045.3.1.7": ec.SECP256R1(),
    "1.3.132.0.34": ec.SECP384R1(),
    "1.3.132.0.35": ec.SECP521R1(),
}

ED25519_PARAMETERS = (
    core.ObjectIdentifier("1.3.101.112").dump(),
    core.PrintableString("edwards25519").dump(),
)
"""CKA_EC_PARAMS for an Ed25519 key: id-Ed25519 (RFC 8410 §3), or curveName (PKCS#11 v3.0 §2.3.5)."""

# The curve's object identifier in PKCS#11 v3.0, which some modules had before RFC 8410's.
_ED25519_NAMES = (*ED25519_PARAMETERS, core.ObjectIdentifier("1.3.6.1.4.1.11591.15.1").dump())
_ED25519_OCTETS = 32
# What stands before the key in CKA_EC_POINT: nothing, or the head of an OCTET STRING or a BIT STRING.
_ED25519_WRAPPINGS = (b"", b"\x04\x20", b"\x03\x21\x00")


@dataclass(frozen=True)
class StoredCertificate:
    """A certificate in a token: parsed, DER, its CKA_ID (b"" when it has none) and its label."""

    certificate: x509.Certificate
    der: bytes
    key_id: bytes
    label: str


@dataclass(frozen=True)
class StoredPublicKey:
    """A public key in a token, its CKA_ID and its label."""

    public_key: SigningPublicKey
    key_id: bytes
    label: str


def stored_certificates(session: pkcs11.Session) -> Iterator[StoredCertificate]:
    """Give a token's certificates; one that cannot be read is passed over. Raises PKCS11Error."""
    for stored in list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
        der = _attribute(stored, Attribute.VALUE)
        certificate = read_certificate(der)
        if certificate is None:
            _LOGGER.warning("a certificate in a token cannot be read and is passed over")
            continue
        label = _attribute(stored, Attribute.LABEL).decode("utf-8", "replace")
        yield StoredCertificate(certificate, der, _attribute(stored, Attribute.ID), clean_text(label))


def stored_keys(session: pkcs11.Session) -> Iterator[StoredPublicKey]:
    """Give the public keys that a token shows, without unreadable ones. Raises PKCS11Error."""
    for stored in list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})):
        key_id = _attribute(stored, Attribute.ID)
        public_key = public_key_of(stored)
        if key_id and public_key:
            label = _attribute(stored, Attribute.LABEL).decode("utf-8", "replace")
            yield StoredPublicKey(public_key, key_id, clean_text(label))


def stored_public_keys(session: pkcs11.Session) -> dict[bytes, SigningPublicKey]:
    """Give the public keys that a token shows, by CKA_ID. Raises PKCS11Error."""
    return {each.key_id: each.public_key for each in stored_keys(session)}


def public_key_of(stored: pkcs11.Object) -> SigningPublicKey | None:
    """Give a public key object as a key; None when it is of another kind or incomplete."""
    try:
        if stored[Attribute.KEY_TYPE] == KeyType.RSA:
            exponent = int.from_bytes(stored[Attribute.PUBLIC_EXPONENT], "big")
            return rsa.RSAPublicNumbers(
                exponent, int.from_bytes(stored[Attribute.MODULUS], "big")
            ).public_key()
        if stored[Attribute.KEY_TYPE] == KeyType.EC:
            return _elliptic_key(stored[Attribute.EC_PARAMS], stored[Attribute.EC_POINT])
        if stored[Attribute.KEY_TYPE] == KeyType.EC_EDWARDS:
            return _edwards_key(stored[Attribute.EC_PARAMS], stored[Attribute.EC_POINT])
    except (ValueError, KeyError, pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive):
        _LOGGER.warning("a public key in a token cannot be read and is passed over")
    return None


def clean_text(text: str) -> str:
    """Give a label without the spaces and NULs that tokens pad with."""
    return text.strip(" \0")


def _elliptic_key(parameters: bytes, point: bytes) -> ec.EllipticCurvePublicKey:
    curve = _CURVES[ECDomainParameters.load(parameters).chosen.dotted]
    uncompressed_length = 1 + 2 * ((curve.key_size + 7) // 8)
    # CKA_EC_POINT is an OCTET STRING around the point; some tokens give the bare point.
    octets = point if len(point) == uncompressed_length else core.OctetString.load(point).native
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, octets)


def _edwards_key(parameters: bytes, point: bytes) -> ed25519.Ed25519PublicKey | None:
    """Give an Ed25519 key; None for one on another Edwards curve."""
    if parameters not in _ED25519_NAMES:
        return None
    if point[:-_ED25519_OCTETS] not in _ED25519_WRAPPINGS:
        raise ValueError("CKA_EC_POINT")
    return ed25519.Ed25519PublicKey.from_public_bytes(point[-_ED25519_OCTETS:])


def _attribute(stored: pkcs11.Object, attribute: Attribute) -> bytes:
    """Give an attribute's octets, b"" when the token does not have it."""
    try:
        value = stored[attribute]
    except (pkcs11.AttributeTypeInvalid, pkcs11.FunctionFailed):
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)
