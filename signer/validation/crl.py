"""Certificate revocation lists (RFC 5280 §5, §6.3): complete and direct ones; no others are used."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from signer.validation.certificates import Certificate
from signer.validation.der import SEQUENCE, DerError, read
from signer.validation.facts import AlgorithmUse
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_value import Scheme, key_size, read_scheme, verifies
from signer.validation.times import asn1_time

_UNDERSTOOD_CRL_EXTENSIONS = frozenset(
    {ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER}
)
_EXPIRED_CERTS_ON_CRL = x509.ObjectIdentifier("2.5.29.60")


@dataclass(frozen=True)
class Crl:
    """A list as read. issuer: its name as DER. signed: the octets that its signature covers."""

    der: bytes
    parsed: x509.CertificateRevocationList
    issuer: bytes
    scheme: Scheme | None
    signed: bytes


@lru_cache(maxsize=512)
def load_crl(der: bytes) -> Crl | None:
    """A CRL all of whose parts can be read; None for anything else."""
    try:
        parsed = x509.load_der_x509_crl(der)
        _ = parsed.extensions, parsed.last_update_utc, parsed.next_update_utc
        parts = read(der).parts(SEQUENCE, 3)
        fields = parts[0].parts(SEQUENCE, 4)
        issuer = fields[2 if fields[0].tag == 0x02 else 1].raw
        return Crl(der, parsed, issuer, read_scheme(parts[1], ""), parts[0].raw)
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm, DerError):
        return None
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return None


def _covers(crl: x509.CertificateRevocationList, certificate: Certificate) -> bool:
    """Whether a CRL is complete and direct for this certificate (RFC 5280 §6.3.3 (b))."""
    for extension in crl.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_CRL_EXTENSIONS:
            return False
        if extension.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            return False
        if isinstance(extension.value, x509.IssuingDistributionPoint) and not _in_scope(
            extension.value, certificate
        ):
            return False
    return True


def _in_scope(scope: x509.IssuingDistributionPoint, certificate: Certificate) -> bool:
    constraints = certificate.extension(x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs:
        return False
    if (scope.only_contains_user_certs and authority) or (scope.only_contains_ca_certs and not authority):
        return False
    if scope.relative_name is not None:
        return False
    return scope.full_name is None or bool(set(scope.full_name) & _distribution_points(certificate))


def _distribution_points(certificate: Certificate) -> set[x509.GeneralName]:
    points = certificate.extension(x509.CRLDistributionPoints)
    return {name for point in points or () for name in point.full_name or ()}


def crl_statement(crl: Crl, certificate: Certificate, issuer: Certificate) -> RevocationStatement | None:
    """What the list says of a certificate; None where it is not about it or its signature fails."""
    if crl.issuer != certificate.issuer or not _covers(crl.parsed, certificate):
        return None
    usage = issuer.extension(x509.KeyUsage)
    if crl.scheme is None or (usage is not None and not usage.crl_sign):
        return None
    if not verifies(crl.scheme, issuer.key, crl.parsed.signature, crl.signed):
        return None
    entry = crl.parsed.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number)
    reason = _entry_reason(entry)
    if reason is x509.ReasonFlags.remove_from_crl:
        entry = None
    algorithm = AlgorithmUse("CRL", crl.scheme.digest, crl.scheme.name, key_size(issuer.key))
    return RevocationStatement(
        "CRL",
        crl.der,
        crl.parsed.last_update_utc,
        crl.parsed.next_update_utc,
        entry.revocation_date_utc if entry is not None else None,
        reason is x509.ReasonFlags.certificate_hold,
        issuer,
        algorithm,
        _expired_certificates_since(crl.parsed),
    )


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
