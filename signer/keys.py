"""What the making of a signature needs of a key, wherever that key lives."""

from typing import Protocol

from signer.algorithms import SignatureAlgorithm


class Signatory(Protocol):
    """Who signs, as far as a signature can be prepared without the key."""

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuing certificates that go into the signature, DER, without the trust anchor's being required."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What the key signs with."""


class SigningKey(Signatory, Protocol):
    """A private key with its certificate: a token's, an HSM's, or one in software in a test."""

    def sign(self, data: bytes) -> bytes:
        """Sign `data` (the message, not its digest) and return the signature as CMS carries it.

        RSA: the signature octets. ECDSA: DER `Ecdsa-Sig-Value` (RFC 5480 §2.2 and RFC 3279 §2.2.3). Ed25519:
        64 octets (RFC 8032 §5.1.6).
        The implementation has verified the signature with the certificate's public key before it returns.
        Raises PeceteError subclasses only: PIN, token and mechanism faults.
        """
