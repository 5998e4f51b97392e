"""The certificate of a time-stamping unit: may it stamp, and which path leads to an anchor (RFC 5280 §6)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from pecete.evidence.timestamp_token import TimestampError

ALLOWED_DIGESTS = frozenset({"sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"})
"""Digest algorithms without an end date in TS 119 312, by their names in `cryptography`."""

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_MINIMUM_RSA_BITS = 2048
_MINIMUM_CURVE_BITS = 256
_MAXIMUM_PATH = 10
_MAXIMUM_CHECKS = 64
_UNDERSTOOD_EXTENSIONS = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


def load_certificate(der: bytes) -> x509.Certificate | None:
    """Give a certificate, or None when it cannot be read: it then proves nothing and is no candidate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Parsed only when asked for: all that is used later has to be readable now.
        for part in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
        certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion):
        return None
    return certificate


def require_timestamping_usage(certificate: x509.Certificate) -> None:
    """Check that a certificate is for time-stamping and for nothing else (RFC 3161 §2.3).

    The extended key usage must stand there, be critical, and hold timeStamping alone; a key usage, where one
    stands, must allow signing. Raises TimestampError TIMESTAMP_KEY_USAGE_WRONG.
    """
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if (
        extended is None
        or not extended.critical
        or list(extended.value) != [ExtendedKeyUsageOID.TIME_STAMPING]
        or not _may_sign(certificate)
    ):
        raise TimestampError(
            "TIMESTAMP_KEY_USAGE_WRONG",
            "The certificate is not one for time-stamping alone (critical extended key usage timeStamping).",
            field="timestamp",
        )


def usage_period(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Give from when to when (inclusive, UTC) a certificate's key may stamp.

    That is its validity, narrowed by its private key usage period where it has one (RFC 3280 §4.2.1.4).
    """
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    period = _extension(certificate, x509.PrivateKeyUsagePeriod)
    if period is not None:
        if period.value.not_before is not None:
            first = max(first, _aware(period.value.not_before))
        if period.value.not_after is not None:
            last = min(last, _aware(period.value.not_after))
    return first, last


def key_is_strong(certificate: x509.Certificate) -> bool:
    """Say whether a certificate's key is of a kind and size without an end date (TS 119 312)."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _MINIMUM_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= _MINIMUM_CURVE_BITS


def find_path(
    certificate: x509.Certificate,
    candidates: Sequence[x509.Certificate],
    trust: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """Give a valid path from `certificate` to one of `trust` (RFC 5280 §6.1), the anchor last.

    Every certificate, the anchor too, must be valid at `at`. A certificate that is itself trusted is its own
    path. Certificates with name constraints, or with critical extensions that are not understood, take no
    part. Revocation is not looked at. Raises TimestampError TIMESTAMP_PATH_NOT_FOUND.
    """
    search = _PathSearch([*trust, *candidates], frozenset(_der(anchor) for anchor in trust), at)
    path = next(search.paths((certificate,)), None)
    if path is None:
        raise TimestampError(
            "TIMESTAMP_PATH_NOT_FOUND",
            "No valid path leads from the certificate of the time-stamping unit to a trust anchor.",
            field="timestamp",
        )
    return path


class _PathSearch:
    """A depth-first search with a bound on the signatures that hostile certificates can have it check."""

    def __init__(self, issuers: Sequence[x509.Certificate], anchors: frozenset[bytes], at: datetime) -> None:
        self._issuers = issuers
        self._anchors = anchors
        self._at = at
        self._checks = 0

    def paths(self, path: tuple[x509.Certificate, ...]) -> Iterator[tuple[x509.Certificate, ...]]:
        last = path[-1]
        if not self._is_usable(last):
            return
        if _der(last) in self._anchors:
            yield path
            return
        if len(path) == _MAXIMUM_PATH:
            return
        for issuer in self._issuers:
            if issuer.subject == last.issuer and issuer not in path and self._issued(issuer, path):
                yield from self.paths((*path, issuer))

    def _is_usable(self, certificate: x509.Certificate) -> bool:
        understood = all(
            extension.oid in _UNDERSTOOD_EXTENSIONS
            or not (extension.critical or extension.oid == ExtensionOID.NAME_CONSTRAINTS)
            for extension in certificate.extensions
        )
        in_time = certificate.not_valid_before_utc <= self._at <= certificate.not_valid_after_utc
        return understood and in_time and key_is_strong(certificate)

    def _issued(self, issuer: x509.Certificate, path: tuple[x509.Certificate, ...]) -> bool:
        self._checks += 1
        return (
            self._checks <= _MAXIMUM_CHECKS and _may_issue(issuer, path) and _is_signed_by(path[-1], issuer)
        )


def _may_issue(issuer: x509.Certificate, path: tuple[x509.Certificate, ...]) -> bool:
    constraints = _extension(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.value.ca:
        return False
    below = sum(1 for certificate in path[1:] if certificate.subject != certificate.issuer)
    if constraints.value.path_length is not None and below > constraints.value.path_length:
        return False
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        return False
    extended = _extension(issuer, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return extended is None or not allowed.isdisjoint(extended.value)


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        digest: hashes.HashAlgorithm | None = certificate.signature_hash_algorithm
        if digest is None or digest.name not in ALLOWED_DIGESTS:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may_sign(certificate: x509.Certificate) -> bool:
    usage = _extension(certificate, x509.KeyUsage)
    return usage is None or usage.value.digital_signature or usage.value.content_commitment


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
