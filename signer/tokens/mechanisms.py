"""Which PKCS#11 mechanism makes a signature, out of those that the token offers."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import MGF, Mechanism

from pecete.errors import FailedPreconditionError
from signer.algorithms import DigestName, Scheme, SignatureAlgorithm, digest_identifier_with_null

PssParameters = tuple[Mechanism, MGF, int]

_PSS_PARAMETERS: Mapping[DigestName, PssParameters] = {
    "sha256": (Mechanism.SHA256, MGF.SHA256, 32),
    "sha384": (Mechanism.SHA384, MGF.SHA384, 48),
    "sha512": (Mechanism.SHA512, MGF.SHA512, 64),
}
_RAW: Mapping[Scheme, Mechanism] = {
    "rsa_pkcs1": Mechanism.RSA_PKCS,
    "rsa_pss": Mechanism.RSA_PKCS_PSS,
    "ecdsa": Mechanism.ECDSA,
    "ed25519": Mechanism.EDDSA,
}
_HASHING: Mapping[Scheme, str] = {
    "rsa_pkcs1": "{}_RSA_PKCS",
    "rsa_pss": "{}_RSA_PKCS_PSS",
    "ecdsa": "ECDSA_{}",
}


@dataclass(frozen=True)
class TokenOperation:
    """How one algorithm is asked of one token.

    prepare: turns the message into what C_Sign takes. finish: turns what C_Sign gives into what CMS carries.
    """

    mechanism: Mechanism
    parameters: PssParameters | None
    prepare: Callable[[bytes], bytes]
    finish: Callable[[bytes], bytes]


def is_offered(algorithm: SignatureAlgorithm, offered: Collection[Mechanism]) -> bool:
    """Say whether a token with these mechanisms can make this signature."""
    return _RAW[algorithm.scheme] in offered or _hashing_mechanism(algorithm) in offered


def negotiate(algorithm: SignatureAlgorithm, offered: Collection[Mechanism]) -> TokenOperation:
    """Choose the mechanism for an algorithm from a token's mechanism list.

    The raw mechanism over a digest made here comes first: it is what most tokens share, and the message need
    not pass through a slow card. Ed25519 takes the message itself: CKM_EDDSA without parameters is PureEdDSA
    (PKCS#11 v3.0 §2.3.14). Raises FailedPreconditionError TOKEN_MECHANISM_MISSING.
    """
    parameters = _PSS_PARAMETERS[algorithm.digest] if algorithm.scheme == "rsa_pss" else None
    finish = ecdsa_signature_value if algorithm.scheme == "ecdsa" else _unchanged
    raw, hashing = _RAW[algorithm.scheme], _hashing_mechanism(algorithm)
    if raw in offered:
        return TokenOperation(raw, parameters, _raw_input(algorithm), finish)
    if hashing is not None and hashing in offered:
        return TokenOperation(hashing, parameters, _unchanged, finish)
    raise FailedPreconditionError(
        "TOKEN_MECHANISM_MISSING", "The token cannot sign with this key's algorithm.", field="signing_key"
    )


def digest_info(digest: DigestName, data: bytes) -> bytes:
    """Give the DER DigestInfo over a message (RFC 8017 §9.2)."""
    octets = hashlib.new(digest, data).digest()
    body = digest_identifier_with_null(digest) + bytes((0x04, len(octets))) + octets
    return bytes((0x30, len(body))) + body


def ecdsa_signature_value(concatenated: bytes) -> bytes:
    """Turn r‖s, as PKCS#11 gives it, into a DER Ecdsa-Sig-Value (RFC 3279 §2.2.3)."""
    half = len(concatenated) // 2
    return encode_dss_signature(
        int.from_bytes(concatenated[:half], "big"), int.from_bytes(concatenated[half:], "big")
    )


def _hashing_mechanism(algorithm: SignatureAlgorithm) -> Mechanism | None:
    """Give the mechanism that hashes in the token, where the scheme has one beside the raw one."""
    name = _HASHING.get(algorithm.scheme)
    return Mechanism[name.format(algorithm.digest.upper())] if name else None


def _raw_input(algorithm: SignatureAlgorithm) -> Callable[[bytes], bytes]:
    """Give what turns a message into what the raw mechanism takes."""
    if algorithm.scheme == "ed25519":
        return _unchanged
    digest = algorithm.digest
    if algorithm.scheme == "rsa_pkcs1":
        return lambda data: digest_info(digest, data)
    return lambda data: hashlib.new(digest, data).digest()


def _unchanged(octets: bytes) -> bytes:
    return octets
