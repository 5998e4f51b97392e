"""What a certificate in a token is for, and who issued it (RFC 5280)."""

from collections.abc import Collection, Iterator
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SigningKeyPurpose = Literal["signature", "timestamp"]


def signing_purpose(certificate: x509.Certificate) -> SigningKeyPurpose | None:
    """Say what a certificate's key signs; None when it is for neither signatures nor time-stamps.

    Time-stamps: extended key usage is critical and only time-stamping (RFC 3161 §2.3). Signatures: key usage
    has nonRepudiation, also called contentCommitment (RFC 5280 §4.2.1.3). Authorities sign neither.
    """
    if is_authority(certificate):
        return None
    if _is_for_timestamps(certificate):
        return "timestamp"
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return "signature" if usage.content_commitment else None


def is_authority(certificate: x509.Certificate) -> bool:
    """Say whether a certificate is a certification authority's (RFC 5280 §4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def issuing_chain(
    certificate: x509.Certificate, authorities: Collection[x509.Certificate]
) -> tuple[bytes, ...]:
    """Give the certificates from the issuer upwards as far as they are known, DER, nearest first.

    The self-signed root is left out: whoever trusts it has it.
    """
    return tuple(each.public_bytes(Encoding.DER) for each in _issuers(certificate, list(authorities)))


def common_name(certificate: x509.Certificate) -> str:
    """Give the subject's common name, or "" when it has none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Say whether an issuer's name and signature are the certificate's."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issuers(
    certificate: x509.Certificate, authorities: list[x509.Certificate]
) -> Iterator[x509.Certificate]:
    current = certificate
    while issuer := next((each for each in authorities if has_issued(each, current)), None):
        authorities.remove(issuer)
        if issuer.subject == issuer.issuer:
            return
        yield issuer
        current = issuer


def _is_for_timestamps(certificate: x509.Certificate) -> bool:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return extension.critical and list(extension.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
