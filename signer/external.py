"""Signers whose key is held elsewhere, such as in a token on their own desk: only certificates come here."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer.algorithms import LEAST_BITS_FOR_PSS, SignatureAlgorithm, default_algorithm, key_bits
from signer.certificate_check import read_certificate
from signer.tokens.certificates import common_name, issuing_chain, signing_purpose

LONGEST_CERTIFICATES = 65_536
"""Octets that the certificate and its chain may have together: all of them go into the signature."""


@dataclass(frozen=True)
class ExternalSigner:
    """A `signer.keys.Signatory`; certificates in DER. common_name: of the certificate's subject."""

    certificate: bytes
    chain: tuple[bytes, ...]
    algorithm: SignatureAlgorithm
    common_name: str


def external_signer(
    certificate: bytes, chain: Sequence[bytes], algorithm: SignatureAlgorithm | None
) -> ExternalSigner:
    """Take in a signer's certificate (DER) and perhaps its issuers'; None: the key's usual algorithm.

    Of the chain stays what has issued the certificate, nearest first, without the root. Raises
    InvalidArgumentError CERTIFICATE_TOO_LONG, CERTIFICATE_MALFORMED (field "certificate" or "chain") or
    KEY_TYPE_NOT_SUPPORTED; FailedPreconditionError CERTIFICATE_USAGE_WRONG when the certificate is not for
    signatures: its key usage lacks nonRepudiation (RFC 5280 §4.2.1.3).
    """
    if len(certificate) + sum(map(len, chain)) > LONGEST_CERTIFICATES:
        raise InvalidArgumentError(
            "CERTIFICATE_TOO_LONG",
            f"The certificate and its chain have at most {LONGEST_CERTIFICATES} octets together.",
            field="certificate",
        )
    own = _parsed(certificate, "certificate")
    issuers = [_parsed(each, "chain") for each in chain]
    if signing_purpose(own) != "signature":
        raise FailedPreconditionError(
            "CERTIFICATE_USAGE_WRONG",
            "The certificate is not for signatures: its key usage lacks nonRepudiation.",
            field="certificate",
        )
    chain_above = issuing_chain(own, issuers)
    return ExternalSigner(certificate, chain_above, algorithm or _usual_algorithm(own), common_name(own))


def _parsed(der: bytes, field: str) -> x509.Certificate:
    certificate = read_certificate(der)
    if certificate is None:
        raise InvalidArgumentError("CERTIFICATE_MALFORMED", "This is no certificate in DER.", field=field)
    return certificate


def _usual_algorithm(certificate: x509.Certificate) -> SignatureAlgorithm:
    key = certificate.public_key()
    is_for_pss = certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
    return default_algorithm(key, prefer_pss=is_for_pss or key_bits(key) >= LEAST_BITS_FOR_PSS)
