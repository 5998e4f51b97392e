"""The algorithms that signatures are made with, and until when each is believed (ETSI TS 119 312 v1.5.1).

The one allow-list of the house: what is not listed here is neither made nor believed.

Ed25519 alone does not rest on TS 119 312: "not referenced in ETSI/SOGIS" says of EdDSA the default policy of
the EU's DSS 6.4, which answers INDETERMINATE. It rests on RFC 8032, on FIPS 186-5 §7, which approves it
without an end, and on its strength, that of the 256-bit curves that TS 119 312 lists without one. A notice of
each such key says so: whoever wants signatures that every judge in the EU passes takes another key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pecete.errors import FailedPreconditionError, InvalidArgumentError

DigestName = Literal["sha256", "sha384", "sha512"]
Scheme = Literal["rsa_pkcs1", "rsa_pss", "ecdsa", "ed25519"]


@dataclass(frozen=True)
class SignatureAlgorithm:
    """A signature scheme with its digest; RSASSA-PSS has MGF1 over the same digest and a salt as long.

    digest: also that of the content. Ed25519 signs the message itself; its digest is SHA-512, the only one
    that CMS lets the content have beside it (RFC 8419 §3.1).
    """

    scheme: Scheme
    digest: DigestName

    @property
    def name(self) -> str:
        """Such as `rsa_pss_sha256`, or `ed25519`."""
        return "ed25519" if self.scheme == "ed25519" else f"{self.scheme}_{self.digest}"


ED25519 = SignatureAlgorithm("ed25519", "sha512")
"""PureEdDSA on edwards25519 (RFC 8032 §5.1)."""

_HASHING_SCHEMES: tuple[Scheme, ...] = ("rsa_pkcs1", "rsa_pss", "ecdsa")
_DIGESTS: tuple[DigestName, ...] = ("sha256", "sha384", "sha512")

ALGORITHMS: Mapping[str, SignatureAlgorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        *(SignatureAlgorithm(scheme, digest) for scheme in _HASHING_SCHEMES for digest in _DIGESTS),
        ED25519,
    )
}
"""Every signature algorithm, by its name."""

BELIEVED_FOR_NOW = datetime.max.replace(tzinfo=UTC)
"""End of what has no end yet."""

NEVER_BELIEVED = datetime.min.replace(tzinfo=UTC)
"""End of what is not listed."""

DIGEST_ENDS: Mapping[str, datetime] = {
    "md5": datetime(2004, 8, 1, tzinfo=UTC),
    "sha1": datetime(2012, 8, 1, tzinfo=UTC),
    "ripemd160": datetime(2014, 8, 1, tzinfo=UTC),
    "whirlpool": datetime(2020, 12, 1, tzinfo=UTC),
    "sha224": datetime(2029, 1, 1, tzinfo=UTC),
    "sha256": BELIEVED_FOR_NOW,
    "sha384": BELIEVED_FOR_NOW,
    "sha512": BELIEVED_FOR_NOW,
    "sha3_256": BELIEVED_FOR_NOW,
    "sha3_384": BELIEVED_FOR_NOW,
    "sha3_512": BELIEVED_FOR_NOW,
}
"""First moment at which a digest is no longer believed, by the name that hashlib gives it."""

KEY_ENDS: Mapping[Scheme, tuple[tuple[int, datetime], ...]] = {
    "rsa_pkcs1": (
        (786, datetime(2010, 8, 1, tzinfo=UTC)),
        (1024, datetime(2019, 10, 1, tzinfo=UTC)),
        (1536, datetime(2019, 10, 1, tzinfo=UTC)),
        (1900, datetime(2029, 1, 1, tzinfo=UTC)),
        (3000, datetime(2029, 1, 1, tzinfo=UTC)),
    ),
    "rsa_pss": (
        (786, datetime(2010, 8, 1, tzinfo=UTC)),
        (1024, datetime(2019, 10, 1, tzinfo=UTC)),
        (1536, datetime(2019, 10, 1, tzinfo=UTC)),
        (1900, datetime(2029, 1, 1, tzinfo=UTC)),
        (3000, BELIEVED_FOR_NOW),
    ),
    "ecdsa": (
        (160, datetime(2012, 8, 1, tzinfo=UTC)),
        (224, datetime(2021, 10, 1, tzinfo=UTC)),
        (256, BELIEVED_FOR_NOW),
    ),
    "ed25519": ((256, BELIEVED_FOR_NOW),),
}
"""By scheme: (least key size in bits, first moment at which such keys are no longer believed), ascending."""

LEAST_BITS_FOR_PSS = 3000
"""RSA keys from this size on sign with RSASSA-PSS where nothing else is said."""

ED25519_BITS = 256
"""Size of an Ed25519 key: the b of RFC 8032 §5.1."""

_HASHES: Mapping[DigestName, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_KEY_KINDS: Mapping[Scheme, type[PublicKeyTypes]] = {
    "rsa_pkcs1": rsa.RSAPublicKey,
    "rsa_pss": rsa.RSAPublicKey,
    "ecdsa": ec.EllipticCurvePublicKey,
    "ed25519": ed25519.Ed25519PublicKey,
}
_CURVE_DIGESTS: Mapping[str, DigestName] = {
    "secp256r1": "sha256",
    "secp384r1": "sha384",
    "secp521r1": "sha512",
}

_DIGEST_OIDS: Mapping[DigestName, bytes] = {
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sha384": bytes.fromhex("0609608648016503040202"),
    "sha512": bytes.fromhex("0609608648016503040203"),
}
_RSA_PKCS1_OIDS: Mapping[DigestName, bytes] = {
    "sha256": bytes.fromhex("06092a864886f70d01010b"),
    "sha384": bytes.fromhex("06092a864886f70d01010c"),
    "sha512": bytes.fromhex("06092a864886f70d01010d"),
}
_ECDSA_OIDS: Mapping[DigestName, bytes] = {
    "sha256": bytes.fromhex("06082a8648ce3d040302"),
    "sha384": bytes.fromhex("06082a8648ce3d040303"),
    "sha512": bytes.fromhex("06082a8648ce3d040304"),
}
_ED25519_OID = bytes.fromhex("06032b6570")
_RSASSA_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_MGF1_OID = bytes.fromhex("06092a864886f70d010108")
_NULL = bytes.fromhex("0500")


def digest_end(name: str) -> datetime:
    """Give the first moment at which a digest is no longer believed; NEVER_BELIEVED for an unlisted one."""
    return DIGEST_ENDS.get(name, NEVER_BELIEVED)


def key_end(scheme: Scheme, bits: int) -> datetime:
    """Give the first moment at which keys of this scheme and size are no longer believed."""
    return max(
        (threshold for threshold in KEY_ENDS[scheme] if threshold[0] <= bits), default=(0, NEVER_BELIEVED)
    )[1]


def signature_end(algorithm: SignatureAlgorithm, bits: int) -> datetime:
    """Give the first moment at which signatures of this algorithm and key size are no longer believed."""
    return min(digest_end(algorithm.digest), key_end(algorithm.scheme, bits))


def key_bits(public_key: PublicKeyTypes) -> int:
    """Give the size of an RSA modulus, of an elliptic curve's field or of an Ed25519 key in bits.

    Raises InvalidArgumentError KEY_TYPE_NOT_SUPPORTED.
    """
    if isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return public_key.key_size
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return ED25519_BITS
    raise _unsupported_key()


def default_algorithm(public_key: PublicKeyTypes, *, prefer_pss: bool) -> SignatureAlgorithm:
    """Give the algorithm that a key signs with; `prefer_pss` chooses between the two RSA schemes.

    Raises InvalidArgumentError KEY_TYPE_NOT_SUPPORTED for other keys than RSA, P-256, P-384, P-521, Ed25519.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return SignatureAlgorithm("rsa_pss" if prefer_pss else "rsa_pkcs1", "sha256")
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _CURVE_DIGESTS:
        return SignatureAlgorithm("ecdsa", _CURVE_DIGESTS[public_key.curve.name])
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return ED25519
    raise _unsupported_key()


def check_certificate_key(algorithm: SignatureAlgorithm, public_key: PublicKeyTypes, time: datetime) -> None:
    """Refuse to sign at `time` with a key or digest that is no longer believed then.

    Raises FailedPreconditionError ALGORITHM_NOT_RELIABLE, InvalidArgumentError KEY_TYPE_NOT_SUPPORTED or
    ALGORITHM_KEY_MISMATCH.
    """
    _check_key_fits(algorithm, public_key)
    bits = key_bits(public_key)
    if time >= signature_end(algorithm, bits):
        raise FailedPreconditionError(
            "ALGORITHM_NOT_RELIABLE",
            f"{algorithm.scheme} with {algorithm.digest} and {bits} bits is no longer believed.",
            field="signing_key",
        )


def digest_identifier(digest: DigestName) -> bytes:
    """Give the DER AlgorithmIdentifier of a digest, without parameters (RFC 5754 §2)."""
    return _sequence(_DIGEST_OIDS[digest])


def digest_identifier_with_null(digest: DigestName) -> bytes:
    """Give the DER AlgorithmIdentifier of a digest as RSA wants it inside (RFC 4055 §2.1, RFC 8017 §9.2)."""
    return _sequence(_DIGEST_OIDS[digest], _NULL)


def signature_identifier(algorithm: SignatureAlgorithm) -> bytes:
    """Give the DER AlgorithmIdentifier of a signature (RFC 5754 §3.2, §3.3, RFC 4055 §3.1, RFC 8419 §2.2)."""
    if algorithm.scheme == "ed25519":
        return _sequence(_ED25519_OID)
    if algorithm.scheme == "ecdsa":
        return _sequence(_ECDSA_OIDS[algorithm.digest])
    if algorithm.scheme == "rsa_pkcs1":
        return _sequence(_RSA_PKCS1_OIDS[algorithm.digest], _NULL)
    digest = digest_identifier_with_null(algorithm.digest)
    salt_length = bytes((0x02, 0x01, _HASHES[algorithm.digest].digest_size))
    parameters = _sequence(
        _tagged(0xA0, digest), _tagged(0xA1, _sequence(_MGF1_OID, digest)), _tagged(0xA2, salt_length)
    )
    return _sequence(_RSASSA_PSS_OID, parameters)


def verify(algorithm: SignatureAlgorithm, public_key: PublicKeyTypes, signature: bytes, data: bytes) -> None:
    """Check a signature, as CMS carries it, over `data` (the message, not its digest).

    Raises InvalidArgumentError SIGNATURE_VALUE_WRONG, or ALGORITHM_KEY_MISMATCH when the key is of another
    kind than the algorithm.
    """
    _check_key_fits(algorithm, public_key)
    digest = _HASHES[algorithm.digest]
    try:
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, data, _rsa_padding(algorithm), digest)
        elif isinstance(public_key, ed25519.Ed25519PublicKey):
            public_key.verify(signature, data)
    except InvalidSignature as error:
        raise InvalidArgumentError(
            "SIGNATURE_VALUE_WRONG", "The signature value is not this key's over these bytes."
        ) from error


def _rsa_padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.scheme == "rsa_pkcs1":
        return padding.PKCS1v15()
    digest = _HASHES[algorithm.digest]
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


def _check_key_fits(algorithm: SignatureAlgorithm, public_key: PublicKeyTypes) -> None:
    if not isinstance(public_key, _KEY_KINDS[algorithm.scheme]):
        raise InvalidArgumentError(
            "ALGORITHM_KEY_MISMATCH", "The signature algorithm is for another kind of key."
        )


def _unsupported_key() -> InvalidArgumentError:
    return InvalidArgumentError(
        "KEY_TYPE_NOT_SUPPORTED",
        "Keys are RSA, on the curves P-256, P-384 and P-521, or Ed25519.",
        field="signing_key",
    )


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, *parts)


def _tagged(tag: int, *parts: bytes) -> bytes:
    """One DER element; no identifier comes near the 128 octets where DER's long lengths begin."""
    body = b"".join(parts)
    return bytes((tag, len(body))) + body
