"""Algorithms of XML signatures by their URIs (RFC 9231), and signature values as they are written there."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signer.validation.signature_value import Scheme, verifies
from signer.validation.xades.document import XmlError

DSIG = "http://www.w3.org/2000/09/xmldsig#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"

DIGESTS: dict[str, str] = {
    f"{_MORE}md5": "md5",
    f"{DSIG}sha1": "sha1",
    f"{_MORE}sha224": "sha224",
    f"{_ENC}sha256": "sha256",
    f"{_MORE}sha384": "sha384",
    f"{_ENC}sha512": "sha512",
    f"{_MORE_2007}sha3-224": "sha3_224",
    f"{_MORE_2007}sha3-256": "sha3_256",
    f"{_MORE_2007}sha3-384": "sha3_384",
    f"{_MORE_2007}sha3-512": "sha3_512",
}
"""hashlib's names of digest algorithms; until when each is believed is another question (`judgement`)."""

_SHA2 = ("sha224", "sha256", "sha384", "sha512")
_PSS_DIGESTS = {
    "sha1": ("sha1", 20),
    "sha224": ("sha224", 28),
    "sha256": ("sha256", 32),
    "sha384": ("sha384", 48),
    "sha512": ("sha512", 64),
    "sha3-224": ("sha3_224", 28),
    "sha3-256": ("sha3_256", 32),
    "sha3-384": ("sha3_384", 48),
    "sha3-512": ("sha3_512", 64),
}

SCHEMES: dict[str, Scheme] = {
    f"{DSIG}rsa-sha1": Scheme("rsa_pkcs1", "sha1"),
    f"{DSIG}dsa-sha1": Scheme("dsa", "sha1"),
    "http://www.w3.org/2009/xmldsig11#dsa-sha256": Scheme("dsa", "sha256"),
    f"{_MORE}rsa-md5": Scheme("rsa_pkcs1", "md5"),
    **{f"{_MORE}rsa-{name}": Scheme("rsa_pkcs1", name) for name in _SHA2},
    f"{_MORE}ecdsa-sha1": Scheme("ecdsa", "sha1"),
    **{f"{_MORE}ecdsa-{name}": Scheme("ecdsa", name) for name in _SHA2},
    **{
        f"http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-{bits}": Scheme("ecdsa", f"sha3_{bits}")
        for bits in (224, 256, 384, 512)
    },
    **{
        f"{_MORE_2007}{name}-rsa-MGF1": Scheme("rsa_pss", digest, digest, length)
        for name, (digest, length) in _PSS_DIGESTS.items()
    },
    "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519": Scheme("ed25519", ""),
    "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448": Scheme("ed448", ""),
}


def value_matches(scheme: Scheme, key: CertificatePublicKeyTypes, value: bytes, signed: bytes) -> bool | None:
    """Whether a SignatureValue is the key's over the octets; None where key and scheme cannot be checked."""
    if isinstance(key, ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        wrapped = _as_der(value, _half_length(key))
        return verifies(scheme, key, wrapped, signed) if wrapped is not None else False
    return verifies(scheme, key, value, signed)


def _half_length(key: ec.EllipticCurvePublicKey | dsa.DSAPublicKey) -> int:
    if isinstance(key, dsa.DSAPublicKey):
        return (key.parameters().parameter_numbers().q.bit_length() + 7) // 8
    return (key.key_size + 7) // 8


def _as_der(value: bytes, half: int) -> bytes | None:
    """The value as DER; it is r and s, each as long as the order of the group (RFC 9231 §2.3.6)."""
    if len(value) != 2 * half:
        return None
    return encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))


def base64_octets(text: str) -> bytes:
    """The octets of base64 with white space in it. Raises XmlError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise XmlError("base64 cannot be read") from None
