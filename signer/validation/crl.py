"""Certificate revocation lists (RFC 5280 §5, §6.3): direct and indirect ones; delta CRLs are not used."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from signer.validation.certificates import Certificate
from signer.validation.crl_scope import CrlScope, read_scope
from signer.validation.der import SEQUENCE, DerError, read
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_algorithms import algorithm_use
from signer.validation.signature_value import Scheme, read_scheme, verifies
from signer.validation.times import asn1_time

_UNDERSTOOD_CRL_EXTENSIONS = frozenset(
    {ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER}
)
_EXPIRED_CERTS_ON_CRL = x509.ObjectIdentifier("2.5.29.60")


@dataclass(frozen=True, eq=False)
class Crl:
    """A list as read. issuer: its name as DER. signed: the octets that its signature covers."""

    der: bytes
    parsed: x509.CertificateRevocationList
    issuer: bytes
    scheme: Scheme | None
    signed: bytes
    scope: CrlScope


@lru_cache(maxsize=512)
def load_crl(der: bytes) -> Crl | None:
    """A CRL all of whose parts can be read; None for anything else."""
    try:
        parsed = x509.load_der_x509_crl(der)
        _ = parsed.extensions, parsed.last_update_utc, parsed.next_update_utc
        parts = read(der).parts(SEQUENCE, 3)
        fields = parts[0].parts(SEQUENCE, 4)
        issuer = fields[2 if fields[0].tag == 0x02 else 1].raw
        return Crl(der, parsed, issuer, read_scheme(parts[1], ""), parts[0].raw, read_scope(parsed))
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm, DerError):
        return None
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return None


def crl_statement(crl: Crl, certificate: Certificate, signer: Certificate) -> RevocationStatement | None:
    """What the list says of a certificate on the word of `signer`; None where it says nothing of it.

    The caller answers for `signer`: it is the certificate's issuer, or whom that one delegated.
    """
    if not _is_usable(crl.parsed) or not crl.scope.includes(certificate, crl.issuer):
        return None
    entry = _entry(crl, certificate)
    reason = _entry_reason(entry)
    if reason is x509.ReasonFlags.remove_from_crl:
        entry = None
    if entry is None and crl.scope.only_some_reasons:
        return None  # for the other reasons it may be on another list
    if crl.scheme is None or not _is_signed_by(crl, signer):
        return None
    return RevocationStatement(
        "CRL",
        crl.der,
        crl.parsed.last_update_utc,
        crl.parsed.next_update_utc,
        entry.revocation_date_utc if entry is not None else None,
        entry is not None and reason is x509.ReasonFlags.certificate_hold,
        signer,
        algorithm_use("CRL", crl.scheme, signer),
        _expired_certificates_since(crl.parsed),
    )


def _is_usable(crl: x509.CertificateRevocationList) -> bool:
    """Whether it is complete and all that is critical in it is understood (RFC 5280 §5.2)."""
    return not any(
        extension.oid == ExtensionOID.DELTA_CRL_INDICATOR
        or (extension.critical and extension.oid not in _UNDERSTOOD_CRL_EXTENSIONS)
        for extension in crl.extensions
    )


@lru_cache(maxsize=1024)
def _is_signed_by(crl: Crl, signer: Certificate) -> bool:
    """RFC 5280 §6.3.3 (f) and (g): the signer's key may sign lists and has signed this one."""
    usage = signer.extension(x509.KeyUsage)
    if crl.scheme is None or (usage is not None and not usage.crl_sign):
        return False
    return bool(verifies(crl.scheme, signer.key, crl.parsed.signature, crl.signed))


def _entry(crl: Crl, certificate: Certificate) -> x509.RevokedCertificate | None:
    serial_number = certificate.parsed.serial_number
    if crl.scope.indirect:
        return _indirect_entries(crl).get((certificate.issuer, serial_number))
    return crl.parsed.get_revoked_certificate_by_serial_number(serial_number)


@lru_cache(maxsize=64)
def _indirect_entries(crl: Crl) -> dict[tuple[bytes, int], x509.RevokedCertificate]:
    """Entries by issuer, as DER, and serial number; an issuer holds until the next (RFC 5280 §5.3.3)."""
    entries: dict[tuple[bytes, int], x509.RevokedCertificate] = {}
    issuer = crl.issuer
    for entry in crl.parsed:
        try:
            names = entry.extensions.get_extension_for_class(x509.CertificateIssuer).value
            issuer = next(name.value.public_bytes() for name in names if isinstance(name, x509.DirectoryName))
        except x509.ExtensionNotFound:
            pass
        except (StopIteration, ValueError, x509.DuplicateExtension):
            issuer = b""  # whose certificate it is cannot be told
        entries[issuer, entry.serial_number] = entry
    return entries


def _entry_reason(entry: x509.RevokedCertificate | None) -> x509.ReasonFlags | None:
    if entry is None:
        return None
    try:
        extension = entry.extensions.get_extension_for_oid(CRLEntryExtensionOID.CRL_REASON)
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return None  # revoked for no stated reason
    return extension.value.reason if isinstance(extension.value, x509.CRLReason) else None


def _expired_certificates_since(crl: x509.CertificateRevocationList) -> datetime | None:
    """expiredCertsOnCRL: from when on the CRL keeps certificates beyond their end (X.509 §9.5.2.8)."""
    try:
        value = crl.extensions.get_extension_for_oid(_EXPIRED_CERTS_ON_CRL).value
    except x509.ExtensionNotFound:
        return None
    if not isinstance(value, x509.UnrecognizedExtension):
        return None
    try:
        return asn1_time(read(value.value))
    except DerError:
        return None
