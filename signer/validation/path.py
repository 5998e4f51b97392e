"""Certification paths: building them to a trust anchor and checking them after RFC 5280 §6.1.

Validity periods and revocation are not looked at here; they are matters of time, and so of judgement.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from signer.validation.certificates import Certificate, CertificatePool
from signer.validation.constrained_path import constraints_hold

Path = tuple[Certificate, ...]
"""From the certificate in question up to the trust anchor, both included."""

MAX_LENGTH = 10
MAX_PATHS = 16
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"),  # qcStatements
    }
)
_CONSTRAINTS = (
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.INHIBIT_ANY_POLICY,
)


def find_paths(
    certificate: Certificate, pool: CertificatePool, anchors: Sequence[Certificate]
) -> Iterator[Path]:
    """Paths along which every signature verifies, shortest choices first, at most MAX_PATHS."""
    trusted = set(anchors)
    found = 0
    stack: list[Path] = [(certificate,)]
    tried = 0
    while stack and found < MAX_PATHS and tried < 64 * MAX_PATHS:
        path, tried = stack.pop(), tried + 1
        last = path[-1]
        if last in trusted:
            found += 1
            yield path
            continue
        if len(path) == MAX_LENGTH:
            continue
        issuers = [issuer for issuer in anchors if issuer.subject == last.issuer]
        issuers += [issuer for issuer in pool.named(last.issuer) if issuer not in trusted]
        stack += [(*path, i) for i in reversed(issuers) if i not in path and is_issued_by(last, i)]


@lru_cache(maxsize=4096)
def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's name and key stand behind the certificate."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.parsed.verify_directly_issued_by(issuer.parsed)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=1024)
def path_fault(path: Path) -> str | None:
    """What RFC 5280 §6.1.3 and §6.1.4 hold against a path, as a sentence; None when nothing."""
    for certificate in path[:-1]:
        unknown = _unknown_critical(certificate)
        if unknown:
            return f"the certificate of {certificate.common_name} has a critical extension {unknown}"
    below = 0  # certificates under the issuer that are not self-issued, without the last one
    for issuer in path[1:]:
        fault = _issuer_fault(issuer, below, is_anchor=issuer is path[-1])
        if fault:
            return fault
        below += not issuer.is_self_issued
    constrained = any(_has(certificate, _CONSTRAINTS) for certificate in path)
    if constrained and not constraints_hold(tuple(certificate.der for certificate in path)):
        return "a name or policy constraint of an issuer is not kept"
    return None


def _issuer_fault(issuer: Certificate, below: int, is_anchor: bool) -> str | None:
    constraints = issuer.extension(x509.BasicConstraints)
    if constraints is None:
        # A trust anchor of version 1 has no extensions; that it may issue is what trusting it says.
        old_anchor = is_anchor and issuer.parsed.version is x509.Version.v1
        return None if old_anchor else f"{issuer.common_name} is not a certification authority"
    if not constraints.ca:
        return f"{issuer.common_name} is not a certification authority"
    if constraints.path_length is not None and below > constraints.path_length:
        return f"more authorities stand below {issuer.common_name} than it may have"
    usage = issuer.extension(x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return f"the key of {issuer.common_name} is not for issuing certificates"
    return None


def _unknown_critical(certificate: Certificate) -> str:
    for extension in certificate.parsed.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return str(extension.oid.dotted_string)
    return ""


def _has(certificate: Certificate, kinds: Sequence[x509.ObjectIdentifier]) -> bool:
    return any(extension.oid in kinds for extension in certificate.parsed.extensions)
