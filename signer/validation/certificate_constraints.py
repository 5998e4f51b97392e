"""What a certificate must be for (EN 319 102-1 §5.2.6.4, constraints on certificate metadata)."""

from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.validation.certificates import Certificate

Use = Literal["signature", "timestamp"]
"""What the certificate's key was used for."""

_OTHER_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
"""Purposes that exclude signing documents where a certificate names no others (RFC 5280 §4.2.1.12)."""


def usage_fault(certificate: Certificate, use: Use) -> str | None:
    """What speaks against this use of a key, as a sentence; None when nothing."""
    usage = certificate.extension(x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        return f"the key of {certificate.common_name} is not for signing"
    purposes = certificate.extension(x509.ExtendedKeyUsage)
    if use == "timestamp":
        return _timestamping_fault(certificate, purposes)
    if purposes is not None and set(purposes) <= _OTHER_PURPOSES:
        return f"the certificate of {certificate.common_name} is for other purposes than signing documents"
    return None


def _timestamping_fault(certificate: Certificate, purposes: x509.ExtendedKeyUsage | None) -> str | None:
    """The extended key usage of a time-stamping authority: that alone, and critical (RFC 3161 §2.3)."""
    only = purposes is not None and list(purposes) == [ExtendedKeyUsageOID.TIME_STAMPING]
    if only and certificate.parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).critical:
        return None
    return f"the certificate of {certificate.common_name} is not for time-stamping alone"
