"""How good a signature is by law, in the words of the European validation library (ETSI TS 119 615 §4.6)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from signer.validation.certificates import load_certificate
from signer.validation.indication import Indication
from signer.validation.trusted_lists.certificate_status import (
    CertificateStatus,
    CertificateType,
    ConflictError,
    status_at,
)
from signer.validation.trusted_lists.identification import Listed, ServiceFinder
from signer.validation.trusted_lists.model import QTST
from signer.validation.trusted_lists.snapshot import is_active


class SignatureQualification(StrEnum):
    """What a signature is. QES? and the like: whether signature or seal cannot be told."""

    QESIG = "QESig"
    QESEAL = "QESeal"
    QES_UNKNOWN = "QES?"
    ADESIG_QC = "AdESig-QC"
    ADESEAL_QC = "AdESeal-QC"
    ADES_UNKNOWN_QC = "AdES?-QC"
    ADESIG = "AdESig"
    ADESEAL = "AdESeal"
    ADES_UNKNOWN = "AdES?"
    INDETERMINATE_QESIG = "Indeterminate QESig"
    INDETERMINATE_QESEAL = "Indeterminate QESeal"
    INDETERMINATE_QES_UNKNOWN = "Indeterminate QES?"
    INDETERMINATE_ADESIG_QC = "Indeterminate AdESig-QC"
    INDETERMINATE_ADESEAL_QC = "Indeterminate AdESeal-QC"
    INDETERMINATE_ADES_UNKNOWN_QC = "Indeterminate AdES?-QC"
    INDETERMINATE_ADESIG = "Indeterminate AdESig"
    INDETERMINATE_ADESEAL = "Indeterminate AdESeal"
    INDETERMINATE_ADES_UNKNOWN = "Indeterminate AdES?"
    NOT_ADES_QC_QSCD = "Not AdES but QC with QSCD"
    NOT_ADES_QC = "Not AdES but QC"
    NOT_ADES = "Not AdES"
    NOT_APPLICABLE = "N/A"


class TimestampQualification(StrEnum):
    """What a time-stamp is: of a qualified authority, of another, or of one that no list knows."""

    QTSA = "QTSA"
    TSA = "TSA"
    NOT_APPLICABLE = "N/A"


@dataclass(frozen=True)
class Qualification:
    """A qualification with its reasons.

    at_issuance, at_best_signature_time: what the certificate was then; None where no list tells. service:
    name of the one that stands behind the certificate. explanation: one sentence, or "".
    """

    name: SignatureQualification
    at_issuance: CertificateStatus | None = None
    at_best_signature_time: CertificateStatus | None = None
    service: str = ""
    explanation: str = ""


_NAMES = {
    CertificateType.ESIGN: (
        SignatureQualification.ADESIG,
        SignatureQualification.ADESIG_QC,
        SignatureQualification.QESIG,
    ),
    CertificateType.ESEAL: (
        SignatureQualification.ADESEAL,
        SignatureQualification.ADESEAL_QC,
        SignatureQualification.QESEAL,
    ),
    CertificateType.UNKNOWN: (
        SignatureQualification.ADES_UNKNOWN,
        SignatureQualification.ADES_UNKNOWN_QC,
        SignatureQualification.QES_UNKNOWN,
    ),
}
"""Of a signature that passed: certificate not qualified, qualified, qualified with a qualified device."""

_FAILED = (
    SignatureQualification.NOT_ADES,
    SignatureQualification.NOT_ADES_QC,
    SignatureQualification.NOT_ADES_QC_QSCD,
)


def qualify(
    indication: Indication, signer: bytes | None, best_signature_time: datetime, finder: ServiceFinder
) -> Qualification:
    """How good a signature is, of its indication, its signer's certificate (DER) and its proven time."""
    certificate = load_certificate(signer) if signer else None
    if certificate is None:
        return _not_applicable("the signer's certificate is not known")
    issuers = finder.issuers(certificate)
    if not issuers:
        return _not_applicable("no trusted list that is in force knows the certificate's issuer")
    behind = [listed.service for listed in issuers]
    name = behind[0].name
    try:
        issued = status_at(certificate, behind, certificate.parsed.not_valid_before_utc)
        best = status_at(certificate, behind, best_signature_time)
    except ConflictError as conflict:
        failed = indication is Indication.TOTAL_FAILED
        nothing = SignatureQualification.NOT_ADES if failed else SignatureQualification.NOT_APPLICABLE
        return Qualification(nothing, service=name, explanation=str(conflict))
    return Qualification(final(indication, issued, best), issued, best, name)


def final(
    indication: Indication, issued: CertificateStatus, best: CertificateStatus
) -> SignatureQualification:
    """Qualified if it is at both times, of the type that it has at both, with the device of the later one."""
    qualified = issued.qualified and best.qualified
    grade = 2 if qualified and best.qscd else 1 if qualified else 0
    type_ = best.type if best.type is issued.type else CertificateType.UNKNOWN
    if type_ is CertificateType.WEB:  # a certificate for web sites makes neither signatures nor seals
        return SignatureQualification.NOT_ADES
    if indication is Indication.TOTAL_FAILED:
        return _FAILED[grade]
    name = _NAMES[type_][grade]
    if indication is Indication.TOTAL_PASSED:
        return name
    return SignatureQualification("Indeterminate " + name)


def qualify_timestamp(
    authority: bytes | None, generation_time: datetime | None, proven: datetime, finder: ServiceFinder
) -> TimestampQualification:
    """Whether a time-stamp is of a qualified authority, at its own time and when it is proven to have been.

    authority: certificate (DER) of the time-stamping unit, which a service may be or may have issued.
    """
    certificate = load_certificate(authority) if authority else None
    behind = finder.holders(certificate) if certificate else []
    if not behind or generation_time is None:
        return TimestampQualification.NOT_APPLICABLE
    if all(_has_active_authority(behind, moment) for moment in (generation_time, proven)):
        return TimestampQualification.QTSA
    return TimestampQualification.TSA


def _has_active_authority(services: list[Listed], time: datetime) -> bool:
    periods = [listed.service.at(time) for listed in services]
    return any(
        period is not None
        and period.type == QTST
        and not period.not_understood
        and is_active(period.type, period.status, time)
        for period in periods
    )


def _not_applicable(why: str) -> Qualification:
    return Qualification(SignatureQualification.NOT_APPLICABLE, explanation=why)
