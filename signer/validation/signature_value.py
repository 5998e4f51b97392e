"""Signature algorithms of CMS and the check of a signature value with a public key.

Every algorithm that can be checked is known here; whether it is believed is another question (`judgement`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from signer.algorithms import ED25519_BITS
from signer.validation.der import SEQUENCE, DerError, Element, integer, oid

_RSA, _EC = "1.2.840.113549.1.1.", "1.2.840.10045.4."
_ED25519, _ED448 = "1.3.101.112", "1.3.101.113"
_NIST_HASH, _NIST_SIGNATURE = "2.16.840.1.101.3.4.2.", "2.16.840.1.101.3.4.3."

DIGESTS: dict[str, str] = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    _NIST_HASH + "4": "sha224",
    _NIST_HASH + "1": "sha256",
    _NIST_HASH + "2": "sha384",
    _NIST_HASH + "3": "sha512",
    _NIST_HASH + "7": "sha3_224",
    _NIST_HASH + "8": "sha3_256",
    _NIST_HASH + "9": "sha3_384",
    _NIST_HASH + "10": "sha3_512",
}
"""hashlib's name of each digest algorithm that is known."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}
_SCHEMES: dict[str, tuple[str, str | None]] = {
    # dotted: (scheme, digest), with None where the digest is that of the SignerInfo
    _RSA + "1": ("rsa_pkcs1", None),
    _RSA + "4": ("rsa_pkcs1", "md5"),
    _RSA + "5": ("rsa_pkcs1", "sha1"),
    _RSA + "14": ("rsa_pkcs1", "sha224"),
    _RSA + "11": ("rsa_pkcs1", "sha256"),
    _RSA + "12": ("rsa_pkcs1", "sha384"),
    _RSA + "13": ("rsa_pkcs1", "sha512"),
    "1.2.840.10045.2.1": ("ecdsa", None),
    _EC + "1": ("ecdsa", "sha1"),
    _EC + "3.1": ("ecdsa", "sha224"),
    _EC + "3.2": ("ecdsa", "sha256"),
    _EC + "3.3": ("ecdsa", "sha384"),
    _EC + "3.4": ("ecdsa", "sha512"),
    _NIST_SIGNATURE + "10": ("ecdsa", "sha3_256"),
    _NIST_SIGNATURE + "11": ("ecdsa", "sha3_384"),
    _NIST_SIGNATURE + "12": ("ecdsa", "sha3_512"),
    _NIST_SIGNATURE + "14": ("rsa_pkcs1", "sha3_256"),
    _NIST_SIGNATURE + "15": ("rsa_pkcs1", "sha3_384"),
    _NIST_SIGNATURE + "16": ("rsa_pkcs1", "sha3_512"),
    "1.2.840.10040.4.1": ("dsa", None),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    _NIST_SIGNATURE + "2": ("dsa", "sha256"),
    _ED25519: ("ed25519", "sha512"),
    _ED448: ("ed448", "shake256"),
}
_RSASSA_PSS, _MGF1 = _RSA + "10", _RSA + "8"
_DEFAULT_SALT_LENGTH = 20


@dataclass(frozen=True)
class Scheme:
    """A signature scheme: `name` as in `signer.algorithms` where it is listed; digests as in hashlib."""

    name: str
    digest: str
    mask_digest: str = ""
    salt_length: int = 0


def read_scheme(algorithm: Element, digest_of_signer: str) -> Scheme | None:
    """The scheme of an AlgorithmIdentifier; None where it is not known. Raises DerError."""
    parts = algorithm.parts(SEQUENCE, 1)
    identifier = oid(parts[0])
    if identifier == _RSASSA_PSS:
        return _pss(parts[1] if len(parts) > 1 else None)
    if identifier not in _SCHEMES:
        return None
    if identifier in (_ED25519, _ED448) and len(parts) > 1:
        return None  # parameters must be absent (RFC 8410 §3)
    name, digest = _SCHEMES[identifier]
    return Scheme(name, digest or digest_of_signer)


def _pss(parameters: Element | None) -> Scheme | None:
    """RSASSA-PSS-params (RFC 4055 §3.1)."""
    digest, mask_digest, salt_length = "sha1", "sha1", _DEFAULT_SALT_LENGTH
    for part in parameters.parts(SEQUENCE) if parameters else []:
        inner = next(part.children(), None)
        if inner is None:
            raise DerError("bad RSASSA-PSS parameters")
        if part.tag == 0xA0:
            digest = DIGESTS.get(oid(inner.parts(SEQUENCE, 1)[0]), "")
        elif part.tag == 0xA1:
            function, of = inner.parts(SEQUENCE, 2)[:2]
            known = oid(function) == _MGF1
            mask_digest = DIGESTS.get(oid(of.parts(SEQUENCE, 1)[0]), "") if known else ""
        elif part.tag == 0xA2:
            salt_length = integer(inner)
        elif part.tag == 0xA3 and integer(inner) != 1:
            return None
    if not digest or not mask_digest or not 0 <= salt_length <= 512:
        return None
    return Scheme("rsa_pss", digest, mask_digest, salt_length)


def verifies(scheme: Scheme, key: CertificatePublicKeyTypes, signature: bytes, data: bytes) -> bool | None:
    """Whether `signature` is the key's over `data`; None where this key and scheme cannot be checked."""
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        named = "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ed448"
        return _holds(lambda: key.verify(signature, data)) if scheme.name == named else None
    digest = _HASHES.get(scheme.digest)
    return _verify(scheme, key, signature, data, digest) if digest else None


def verifies_digest(
    scheme: Scheme, key: CertificatePublicKeyTypes, signature: bytes, digest: bytes
) -> bool | None:
    """The same where only the digest of the data is at hand."""
    algorithm = _HASHES.get(scheme.digest)
    if algorithm is None or len(digest) != algorithm.digest_size:
        return None
    return _verify(scheme, key, signature, digest, utils.Prehashed(algorithm))


def _verify(
    scheme: Scheme,
    key: CertificatePublicKeyTypes,
    signature: bytes,
    data: bytes,
    digest: hashes.HashAlgorithm | utils.Prehashed,
) -> bool | None:
    if isinstance(key, rsa.RSAPublicKey) and scheme.name in ("rsa_pkcs1", "rsa_pss"):
        return _holds(lambda: key.verify(signature, data, _padding(scheme), digest))
    if isinstance(key, ec.EllipticCurvePublicKey) and scheme.name == "ecdsa":
        return _holds(lambda: key.verify(signature, data, ec.ECDSA(digest)))
    if isinstance(key, dsa.DSAPublicKey) and scheme.name == "dsa":
        return _holds(lambda: key.verify(signature, data, digest))
    return None


def _padding(scheme: Scheme) -> padding.AsymmetricPadding:
    if scheme.name == "rsa_pkcs1":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(_HASHES[scheme.mask_digest]), scheme.salt_length)


def _holds(check: Callable[[], None]) -> bool | None:
    try:
        check()
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError):
        return None
    return True


def key_size(key: CertificatePublicKeyTypes) -> int:
    """Size in bits by which the key's strength is judged; 0 where the kind of key has none."""
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        return key.key_size
    return ED25519_BITS if isinstance(key, ed25519.Ed25519PublicKey) else 0
