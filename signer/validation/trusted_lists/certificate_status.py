"""Whether a certificate was qualified at a time, for what, and its device (ETSI TS 119 615 §4.4, §4.5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pecete.errors import InvalidArgumentError
from signer.qc_statements import QcStatements, qc_statements
from signer.validation.certificates import Certificate
from signer.validation.trusted_lists.criteria import meets, policies
from signer.validation.trusted_lists.model import CA_QC, INFORMATION, Service, ServicePeriod
from signer.validation.trusted_lists.snapshot import EIDAS, is_active

_QCP = "0.4.0.1456.1.2"
_QCP_WITH_SSCD = "0.4.0.1456.1.1"
"""Certificate policies of ETSI TS 101 456, for qualified certificates under Directive 1999/93/EC."""


class CertificateType(StrEnum):
    """What a certificate is for; UNKNOWN where that cannot be told."""

    ESIGN = "esign"
    ESEAL = "eseal"
    WEB = "web"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CertificateStatus:
    """Whether a certificate is qualified, for what, and whether its key is in a qualified device."""

    qualified: bool
    type: CertificateType
    qscd: bool


class ConflictError(Exception):
    """Trusted lists contradict each other, or say what cannot be evaluated; the text is one sentence."""


_PURPOSES = {
    CertificateType.ESIGN: INFORMATION + "ForeSignatures",
    CertificateType.ESEAL: INFORMATION + "ForeSeals",
    CertificateType.WEB: INFORMATION + "ForWebSiteAuthentication",
}
_TYPES = {
    "QCForESig": CertificateType.ESIGN,
    "QCForESeal": CertificateType.ESEAL,
    "QCForWSA": CertificateType.WEB,
}


@dataclass(frozen=True)
class _DeviceQualifiers:
    """Names of the qualifiers that tell of the key's device."""

    with_device: frozenset[str]
    as_in_certificate: str
    without_device: str


_SSCD = _DeviceQualifiers(frozenset({"QCWithSSCD"}), "QCSSCDStatusAsInCert", "QCNoSSCD")
_QSCD = _DeviceQualifiers(
    frozenset({"QCWithQSCD", "QCQSCDManagedOnBehalf"}), "QCQSCDStatusAsInCert", "QCNoQSCD"
)


def declared(certificate: Certificate) -> CertificateStatus:
    """What the certificate says of itself; statements that cannot be read say nothing."""
    try:
        statements = qc_statements(certificate.parsed)
    except InvalidArgumentError:
        statements = QcStatements()
    if _issued_under_directive(certificate):
        named = policies(certificate)
        compliant = statements.compliance or not named.isdisjoint({_QCP, _QCP_WITH_SSCD})
        type_ = CertificateType.ESIGN if compliant else CertificateType.UNKNOWN
        return CertificateStatus(
            compliant and not statements.legislation_countries,
            type_,
            statements.sscd or _QCP_WITH_SSCD in named,
        )
    return CertificateStatus(
        statements.compliance and not statements.legislation_countries,
        _declared_type(statements),
        statements.sscd,
    )


def _issued_under_directive(certificate: Certificate) -> bool:
    return certificate.parsed.not_valid_before_utc < EIDAS


def _declared_type(statements: QcStatements) -> CertificateType:
    """Without a type a qualified certificate is for signatures (ETSI TS 119 615 Table 1)."""
    types = set(statements.types)
    if not types and statements.compliance:
        return CertificateType.ESIGN
    return CertificateType(types.pop()) if len(types) == 1 else CertificateType.UNKNOWN


def status_at(certificate: Certificate, services: Iterable[Service], time: datetime) -> CertificateStatus:
    """What the certificate was at a time under the services that its issuer is.

    Without an active service it is not qualified, whatever it says of itself. Services that are no longer
    active can contradict too. Raises ConflictError.
    """
    found: set[CertificateStatus] = set()
    active = False
    for service in services:
        period = service.at(time)
        if period is None or period.type != CA_QC:
            continue
        status = _under(certificate, period)
        if status is not None:
            found.add(status)
            active = active or is_active(period.type, period.status, time)
    if len(found) > 1:
        raise ConflictError("trusted lists say contradictory things of the certificate")
    return found.pop() if active else CertificateStatus(False, declared(certificate).type, False)


def _under(certificate: Certificate, period: ServicePeriod) -> CertificateStatus | None:
    """What the certificate is under one service; None where the service is not for such certificates."""
    if period.not_understood:
        raise ConflictError("a trusted list has a critical extension that is not known")
    own, qualifiers = declared(certificate), _qualifiers(certificate, period)
    if not _is_for(certificate, own, period, qualifiers):
        return None
    qualified = _qualified(own, qualifiers)
    type_ = _type(own, period, qualifiers) if qualified else own.type
    return CertificateStatus(qualified, type_, qualified and _qscd(own, period, qualifiers))


def _qualifiers(certificate: Certificate, period: ServicePeriod) -> frozenset[str]:
    """Names of the qualifiers whose criteria the certificate meets."""
    names: set[str] = set()
    for element in period.qualifications:
        met = meets(certificate, element.criteria)
        if met is None:
            raise ConflictError("a trusted list has criteria that cannot be evaluated")
        if met:
            names.update(uri.removeprefix(INFORMATION) for uri in element.qualifiers)
    return frozenset(names)


def _is_for(
    certificate: Certificate, own: CertificateStatus, period: ServicePeriod, qualifiers: frozenset[str]
) -> bool:
    """Whether the service issues certificates of that type, or of the one that its list makes of it (§4.4.4).

    Before Regulation (EU) 910/2014 services did not say for what.
    """
    if _issued_under_directive(certificate) or own.type is CertificateType.UNKNOWN:
        return True
    purposes = {type_ for type_, uri in _PURPOSES.items() if uri in period.information}
    if "QCForLegalPerson" in qualifiers:
        purposes.discard(CertificateType.ESIGN)
    overruling = _usage(qualifiers)
    return own.type in purposes or (len(overruling) == 1 and overruling <= purposes)


def _usage(qualifiers: frozenset[str]) -> set[CertificateType]:
    return {_TYPES[name] for name in qualifiers if name in _TYPES}


def _qualified(own: CertificateStatus, qualifiers: frozenset[str]) -> bool:
    """As the certificate says, overruled by the list; one that says both qualifies nothing."""
    return "NotQualified" not in qualifiers and (own.qualified or "QCStatement" in qualifiers)


def _type(own: CertificateStatus, period: ServicePeriod, qualifiers: frozenset[str]) -> CertificateType:
    """As the certificate says, overruled by exactly one of the list."""
    if period.start < EIDAS:
        return CertificateType.ESIGN
    overruling = _usage(qualifiers)
    if len(overruling) > 1:
        return CertificateType.UNKNOWN
    return overruling.pop() if overruling else own.type


def _qscd(own: CertificateStatus, period: ServicePeriod, qualifiers: frozenset[str]) -> bool:
    """As the certificate says, overruled by the list; one that says different things gives no device."""
    names = _SSCD if period.start < EIDAS else _QSCD
    if names.without_device in qualifiers:
        return False
    if names.as_in_certificate in qualifiers or not names.with_device & qualifiers:
        return own.qscd
    return True
