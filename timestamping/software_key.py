"""A time-stamping key in software: for trials, and where the configuration asks for it by name."""

import asyncio
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pecete.errors import FailedPreconditionError
from timestamping.der import SEQUENCE, element, object_identifier

_NULL = b"\x05\x00"
_SHA256_WITH_RSA = element(SEQUENCE, object_identifier("1.2.840.113549.1.1.11"), _NULL)
_ECDSA: dict[str, tuple[str, hashes.HashAlgorithm, bytes]] = {
    "secp256r1": ("sha256", hashes.SHA256(), element(SEQUENCE, object_identifier("1.2.840.10045.4.3.2"))),
    "secp384r1": ("sha384", hashes.SHA384(), element(SEQUENCE, object_identifier("1.2.840.10045.4.3.3"))),
    "secp521r1": ("sha512", hashes.SHA512(), element(SEQUENCE, object_identifier("1.2.840.10045.4.3.4"))),
}


class SoftwareKey:
    """A TimestampingKey from a private key in memory: ECDSA on P-256, P-384 or P-521, or RSA PKCS#1 v1.5.

    PKCS#1 v1.5 and not PSS, because `openssl ts -verify` reads no other RSA signature. Raises
    FailedPreconditionError TIMESTAMPING_KEY_UNSUPPORTED or TIMESTAMPING_KEY_MISMATCH.
    """

    def __init__(
        self,
        private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
        certificate: x509.Certificate,
        chain: tuple[x509.Certificate, ...] = (),
    ) -> None:
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        if private_key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
            raise _unusable(
                "TIMESTAMPING_KEY_MISMATCH", "The key file and the certificate do not belong together."
            )
        self._private_key = private_key
        self.certificate = certificate.public_bytes(Encoding.DER)
        self.chain = tuple(issuer.public_bytes(Encoding.DER) for issuer in chain)
        if isinstance(private_key, rsa.RSAPrivateKey):
            self._hash: hashes.HashAlgorithm = hashes.SHA256()
            self.digest, self.signature_algorithm_identifier = "sha256", _SHA256_WITH_RSA
            return
        curve = private_key.curve.name
        if curve not in _ECDSA:
            raise _unusable("TIMESTAMPING_KEY_UNSUPPORTED", f"The curve {curve} is not supported.")
        self.digest, self._hash, self.signature_algorithm_identifier = _ECDSA[curve]

    async def sign(self, data: bytes) -> bytes:
        """Sign `data`."""
        if isinstance(self._private_key, rsa.RSAPrivateKey):
            # RSA takes a millisecond, too long for the event loop; ECDSA is quicker than a thread.
            return await asyncio.to_thread(self._private_key.sign, data, padding.PKCS1v15(), self._hash)
        return self._private_key.sign(data, ec.ECDSA(self._hash))


def load_software_key(key_file: Path, certificate_file: Path) -> SoftwareKey:
    """Read an unencrypted PKCS#8 key (PEM) and its certificate, followed by the issuing ones (PEM).

    Raises FailedPreconditionError TIMESTAMPING_KEY_UNREADABLE, TIMESTAMPING_CERTIFICATE_UNREADABLE, and those
    of SoftwareKey.
    """
    try:
        private_key = load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable("TIMESTAMPING_KEY_UNREADABLE", "The key file cannot be read.") from error
    if not isinstance(private_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _unusable(
            "TIMESTAMPING_KEY_UNSUPPORTED", "The key is neither an elliptic curve key nor an RSA one."
        )
    try:
        certificate, *chain = x509.load_pem_x509_certificates(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise _unusable(
            "TIMESTAMPING_CERTIFICATE_UNREADABLE", "The certificate file cannot be read."
        ) from error
    return SoftwareKey(private_key, certificate, tuple(chain))


def _unusable(reason: str, message: str) -> FailedPreconditionError:
    return FailedPreconditionError(reason, message, field="timestamping")
