"""Which PKCS#11 mechanism makes a signature of a certificate's key, out of those that a token offers.

Mechanisms go by their PKCS#11 names without CKM_, so that nothing here needs PKCS#11 itself.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from asn1crypto import algos, core
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pecete.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from pecete.signing.v1.signing_pb2 import SignatureAlgorithm

Scheme = Literal["RSA_PKCS1", "RSA_PSS", "ECDSA", "ED25519"]

_LEAST_BITS_FOR_PSS = 3000
_CURVE_DIGESTS = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}
_RAW: Mapping[Scheme, str] = {
    "RSA_PKCS1": "RSA_PKCS",
    "RSA_PSS": "RSA_PKCS_PSS",
    "ECDSA": "ECDSA",
    "ED25519": "EDDSA",
}
_HASHING: Mapping[Scheme, str] = {
    "RSA_PKCS1": "{}_RSA_PKCS",
    "RSA_PSS": "{}_RSA_PKCS_PSS",
    "ECDSA": "ECDSA_{}",
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True)
class SigningMethod:
    """How one key of one token signs.

    mechanism: what C_Sign is asked for. digest: as hashlib names it; also that of the document.
    token_hashes: whether the token hashes the message itself. Ed25519 always takes the whole message, and the
    document's digest beside it is SHA-512 (RFC 8419 §3.1).
    """

    scheme: Scheme
    digest: str
    mechanism: str
    token_hashes: bool

    @property
    def algorithm(self) -> SignatureAlgorithm.ValueType:
        """The signature algorithm as the service names it."""
        name = self.scheme if self.scheme == "ED25519" else f"{self.scheme}_{self.digest}".upper()
        return SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{name}")

    @property
    def salt_length(self) -> int | None:
        """Octets of RSASSA-PSS's salt; None for other schemes."""
        return hashlib.new(self.digest).digest_size if self.scheme == "RSA_PSS" else None

    def token_input(self, message: bytes) -> bytes:
        """Give what C_Sign takes for a message: the message, its digest, or DigestInfo (RFC 8017 §9.2)."""
        if self.token_hashes:
            return message
        digest = hashlib.new(self.digest, message).digest()
        if self.scheme != "RSA_PKCS1":
            return digest
        algorithm = algos.DigestAlgorithm({"algorithm": self.digest, "parameters": core.Null()})
        info: bytes = algos.DigestInfo({"digest_algorithm": algorithm, "digest": digest}).dump()
        return info

    def signature_value(self, token_output: bytes) -> bytes:
        """Give what CMS carries: of ECDSA's r‖s a DER Ecdsa-Sig-Value (RFC 3279 §2.2.3)."""
        if self.scheme != "ECDSA":
            return token_output
        half = len(token_output) // 2
        r, s = (int.from_bytes(part, "big") for part in (token_output[:half], token_output[half:]))
        return encode_dss_signature(r, s)

    def verify(self, certificate: x509.Certificate, signature: bytes, message: bytes) -> None:
        """Check what a token gave, which may be wrong. Raises UnavailableError TOKEN_SIGNATURE_WRONG."""
        key, digest = certificate.public_key(), _HASHES[self.digest]
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, message, ec.ECDSA(digest))
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, message, self._padding(digest), digest)
            elif isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
        except InvalidSignature as error:
            raise UnavailableError(
                "TOKEN_SIGNATURE_WRONG", "The token gave a signature that is not of the certificate's key."
            ) from error

    def _padding(self, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
        if self.scheme == "RSA_PKCS1":
            return padding.PKCS1v15()
        return padding.PSS(padding.MGF1(digest), digest.digest_size)


def negotiate(certificate: x509.Certificate, offered: Collection[str]) -> SigningMethod:
    """Choose how the certificate's key signs in a token with these mechanisms.

    RSASSA-PSS from 3000 bits on where the token has it. The raw mechanism over a digest made here comes
    first: most tokens share it. Raises InvalidArgumentError KEY_TYPE_NOT_SUPPORTED, FailedPreconditionError
    TOKEN_MECHANISM_MISSING.
    """
    for scheme, digest in _wishes(certificate):
        raw, hashing = _RAW[scheme], _HASHING.get(scheme, "").format(digest.upper())
        if raw in offered:
            return SigningMethod(scheme, digest, raw, token_hashes=scheme == "ED25519")
        if hashing in offered:
            return SigningMethod(scheme, digest, hashing, token_hashes=True)
    raise FailedPreconditionError(
        "TOKEN_MECHANISM_MISSING", "The token cannot sign with this certificate's key.", field="token"
    )


def _wishes(certificate: x509.Certificate) -> tuple[tuple[Scheme, str], ...]:
    """Schemes and digests that fit the key, the best first."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_DIGESTS:
        return (("ECDSA", _CURVE_DIGESTS[key.curve.name]),)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return (("ED25519", "sha512"),)
    if isinstance(key, rsa.RSAPublicKey):
        if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            return (("RSA_PSS", "sha256"),)
        if key.key_size >= _LEAST_BITS_FOR_PSS:
            return (("RSA_PSS", "sha256"), ("RSA_PKCS1", "sha256"))
        return (("RSA_PKCS1", "sha256"),)
    raise InvalidArgumentError(
        "KEY_TYPE_NOT_SUPPORTED",
        "Keys are RSA, on the curves P-256, P-384 and P-521, or Ed25519.",
        field="certificate",
    )
