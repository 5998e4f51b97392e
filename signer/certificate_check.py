"""Whether a certificate may sign now, asked before its key is used and again when a signature comes back."""

from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer.algorithms import SignatureAlgorithm, check_certificate_key


def read_certificate(der: bytes) -> x509.Certificate | None:
    """Read a certificate whose key and extensions can be read too; None for anything else."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
        _ = certificate.extensions  # parsed at first use: a malformed one shall fail here
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return None
    return certificate


@lru_cache(maxsize=256)
def load_certificate(certificate: bytes) -> x509.Certificate:
    """Read a signer's certificate (DER). Raises InvalidArgumentError CERTIFICATE_MALFORMED."""
    found = read_certificate(certificate)
    if found is None:
        raise InvalidArgumentError(
            "CERTIFICATE_MALFORMED", "The key's certificate cannot be read.", field="signing_key"
        )
    return found


def check_certificate(certificate: x509.Certificate, algorithm: SignatureAlgorithm, time: datetime) -> None:
    """Refuse to sign at `time` (aware) with a certificate, key or algorithm that is not good then.

    Raises FailedPreconditionError CERTIFICATE_EXPIRED or CERTIFICATE_NOT_YET_VALID, and what
    `algorithms.check_certificate_key` raises.
    """
    if time > certificate.not_valid_after_utc:
        raise FailedPreconditionError(
            "CERTIFICATE_EXPIRED",
            f"The certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}.",
            field="signing_key",
        )
    if time < certificate.not_valid_before_utc:
        raise FailedPreconditionError(
            "CERTIFICATE_NOT_YET_VALID",
            f"The certificate is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}.",
            field="signing_key",
        )
    check_certificate_key(algorithm, certificate.public_key(), time)
