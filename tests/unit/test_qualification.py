"""Qualification after ETSI TS 119 615: each row of the table, and each step that leads there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from signer.validation.certificates import Certificate, load_certificate
from signer.validation.indication import Indication
from signer.validation.trusted_lists.certificate_status import (
    CertificateStatus,
    CertificateType,
    ConflictError,
    declared,
    status_at,
)
from signer.validation.trusted_lists.identification import ServiceFinder, service_index
from signer.validation.trusted_lists.model import (
    GRANTED,
    INFORMATION,
    QTST,
    Assertion,
    Criteria,
    DigitalIdentity,
    KeyUsageBit,
    QualificationElement,
    Service,
    ServicePeriod,
)
from signer.validation.trusted_lists.qualification import final, qualify, qualify_timestamp
from signer.validation.trusted_lists.snapshot import (
    EIDAS,
    NEVER,
    ListedServices,
    TrustedServices,
    sunset,
)
from tests.unit.trusted_list_maker import FOR_SEALS, FOR_WEB, period, service, statements
from tests.unit.validation_documents import CA, SIGNING, STAMPING, Identity, issue

STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
ISSUED = datetime(2024, 1, 1, tzinfo=UTC)
SIGNED = datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2024, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = datetime(2014, 1, 1, tzinfo=UTC)

ROOT = issue("Root", None, *CA, start=OLD)
AUTHORITY = issue("Issuing authority", ROOT, *CA, start=OLD, end=OLD + 7300 * DAY)
ALWAYS = Criteria(Assertion.ALL, key_usages=((KeyUsageBit("nonRepudiation", True),),))
NEVER_MET = Criteria(Assertion.NONE, key_usages=((KeyUsageBit("nonRepudiation", True),),))


def certificate(identity: Identity) -> Certificate:
    found = load_certificate(identity.der)
    assert found is not None
    return found


def end_entity(
    *extensions: tuple[x509.ExtensionType, bool], start: datetime = ISSUED, issuer: Identity = AUTHORITY
) -> Identity:
    return issue("Ana Popescu", issuer, SIGNING, *extensions, start=start, end=start + 3650 * DAY)


QUALIFIED = end_entity(statements(sscd=True, types=[1]))
WITHOUT_DEVICE = end_entity(statements(types=[1]))
SEAL = end_entity(statements(sscd=True, types=[2]))
PLAIN = end_entity()


def snapshot(*services: Service, next_update: datetime | None = NOW + DAY) -> TrustedServices:
    listed = ListedServices("RO", 1, ISSUED, next_update, repr((services, next_update)).encode(), services)
    return TrustedServices((listed,))


def overruled(*names: str, criteria: Criteria = ALWAYS, **others: object) -> Service:
    """A service that has the named qualifiers for certificates that meet the criteria."""
    element = QualificationElement(tuple(INFORMATION + name for name in names), criteria)
    return service(AUTHORITY, replace(period(), qualifications=(element,), **others))  # type: ignore[arg-type]


def name(
    identity: Identity,
    *services: Service,
    indication: Indication = Indication.TOTAL_PASSED,
    best: datetime = SIGNED,
    time: datetime = NOW,
) -> str:
    listed = snapshot(*(services or (service(AUTHORITY),)))
    finder = ServiceFinder(listed, (identity.der, AUTHORITY.der, ROOT.der), time)
    return str(qualify(indication, identity.der, best, finder).name)


# ---- the table


ESIGN, ESEAL, WEB, UNKNOWN = CertificateType
ROWS = [
    (ESIGN, True, True, "QESig", "Indeterminate QESig", "Not AdES but QC with QSCD"),
    (ESEAL, True, True, "QESeal", "Indeterminate QESeal", "Not AdES but QC with QSCD"),
    (UNKNOWN, True, True, "QES?", "Indeterminate QES?", "Not AdES but QC with QSCD"),
    (ESIGN, True, False, "AdESig-QC", "Indeterminate AdESig-QC", "Not AdES but QC"),
    (ESEAL, True, False, "AdESeal-QC", "Indeterminate AdESeal-QC", "Not AdES but QC"),
    (UNKNOWN, True, False, "AdES?-QC", "Indeterminate AdES?-QC", "Not AdES but QC"),
    (ESIGN, False, False, "AdESig", "Indeterminate AdESig", "Not AdES"),
    (ESEAL, False, False, "AdESeal", "Indeterminate AdESeal", "Not AdES"),
    (UNKNOWN, False, False, "AdES?", "Indeterminate AdES?", "Not AdES"),
    (WEB, True, True, "Not AdES", "Not AdES", "Not AdES"),
    (WEB, True, False, "Not AdES", "Not AdES", "Not AdES"),
    (WEB, False, False, "Not AdES", "Not AdES", "Not AdES"),
]


@pytest.mark.parametrize(("type_", "qc", "qscd", "passed", "indeterminate", "failed"), ROWS)
def test_each_row_of_the_table(
    type_: CertificateType, qc: bool, qscd: bool, passed: str, indeterminate: str, failed: str
) -> None:
    status = CertificateStatus(qc, type_, qscd)
    assert final(Indication.TOTAL_PASSED, status, status) == passed
    assert final(Indication.INDETERMINATE, status, status) == indeterminate
    assert final(Indication.TOTAL_FAILED, status, status) == failed


QC = CertificateStatus(True, ESIGN, True)


@pytest.mark.parametrize(
    ("issued", "best", "expected"),
    [
        (QC, replace(QC, qualified=False, qscd=False), "AdESig"),
        (replace(QC, qualified=False, qscd=False), QC, "AdESig"),
        (replace(QC, qscd=False), QC, "QESig"),
        (QC, replace(QC, qscd=False), "AdESig-QC"),
        (replace(QC, type=ESEAL), QC, "QES?"),
        (QC, replace(QC, type=UNKNOWN), "QES?"),
    ],
)
def test_the_two_times_together(issued: CertificateStatus, best: CertificateStatus, expected: str) -> None:
    assert final(Indication.TOTAL_PASSED, issued, best) == expected


# ---- from certificate and list


def test_what_the_certificate_says_counts_where_the_list_says_nothing_else() -> None:
    seals = service(AUTHORITY, period(information=(FOR_SEALS,)))
    assert name(QUALIFIED) == "QESig"
    assert name(WITHOUT_DEVICE) == "AdESig-QC"
    assert name(SEAL, seals) == "QESeal"
    assert name(PLAIN) == "AdES?"
    assert name(end_entity(statements(sscd=True))) == "QESig"  # without a type: for signatures
    assert name(QUALIFIED, indication=Indication.INDETERMINATE) == "Indeterminate QESig"
    assert name(QUALIFIED, indication=Indication.TOTAL_FAILED) == "Not AdES but QC with QSCD"


def test_a_certificate_under_another_law_is_not_qualified() -> None:
    assert name(end_entity(statements(sscd=True, types=[1], countries=["US"]))) == "AdESig"


def test_statements_that_cannot_be_read_say_nothing() -> None:
    identifier = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
    assert name(end_entity((x509.UnrecognizedExtension(identifier, b"\x30\x80"), False))) == "AdES?"


def test_several_types_leave_the_type_unknown_until_the_list_says_which() -> None:
    both = end_entity(statements(sscd=True, types=[1, 2]))
    assert name(both) == "QES?"
    assert name(both, overruled("QCForESig")) == "QESig"


@pytest.mark.parametrize(
    ("identity", "qualifiers", "expected"),
    [
        (QUALIFIED, ["NotQualified"], "AdESig"),
        (PLAIN, ["QCStatement"], "AdES?-QC"),
        (PLAIN, ["QCStatement", "QCForESig"], "AdESig-QC"),
        (PLAIN, ["QCStatement", "QCForESig", "QCWithQSCD"], "QESig"),
        (QUALIFIED, ["QCStatement", "NotQualified"], "AdESig"),
        (WITHOUT_DEVICE, ["QCWithQSCD"], "QESig"),
        (WITHOUT_DEVICE, ["QCQSCDManagedOnBehalf"], "QESig"),
        (WITHOUT_DEVICE, ["QCQSCDStatusAsInCert"], "AdESig-QC"),
        (QUALIFIED, ["QCQSCDStatusAsInCert"], "QESig"),
        (QUALIFIED, ["QCNoQSCD"], "AdESig-QC"),
        (QUALIFIED, ["QCNoQSCD", "QCWithQSCD"], "AdESig-QC"),
        (WITHOUT_DEVICE, ["QCWithSSCD"], "AdESig-QC"),  # a name of before 2016
        (QUALIFIED, ["QCNoSSCD"], "QESig"),
        (QUALIFIED, ["NotQualified", "QCWithQSCD"], "AdESig"),
        (QUALIFIED, ["QCForESeal", "QCForESig"], "QES?"),
        (QUALIFIED, ["QCForLegalPerson"], "AdESig"),  # such a service makes no signatures
    ],
)
def test_the_list_overrules_the_certificate(identity: Identity, qualifiers: list[str], expected: str) -> None:
    assert name(identity, overruled(*qualifiers)) == expected


def test_the_list_overrules_the_type_only_to_one_that_the_service_is_for() -> None:
    assert name(QUALIFIED, overruled("QCForESeal", information=(FOR_SEALS,))) == "QESeal"
    assert name(QUALIFIED, overruled("QCForWSA", information=(FOR_WEB,))) == "Not AdES"
    assert name(QUALIFIED, service(AUTHORITY, period(information=(FOR_SEALS,)))) == "AdESig"
    assert name(QUALIFIED, service(AUTHORITY, period(information=()))) == "AdESig"


def test_a_qualifier_whose_criteria_are_not_met_says_nothing() -> None:
    assert name(QUALIFIED, overruled("NotQualified", criteria=NEVER_MET)) == "QESig"


@pytest.mark.parametrize(
    "services",
    [
        (overruled("NotQualified", criteria=Criteria(Assertion.ALL, unknown=("{urn:x}New",))),),
        (overruled("QCForESig", not_understood=("{urn:x}Critical",)),),
        (service(AUTHORITY), overruled("NotQualified")),
        (service(AUTHORITY), overruled("QCNoQSCD", status=STATUS + "withdrawn")),
    ],
    ids=[
        "unknown criteria",
        "unknown critical extension",
        "contradiction",
        "contradiction of a withdrawn one",
    ],
)
def test_a_list_that_cannot_be_understood_qualifies_nothing(services: tuple[Service, ...]) -> None:
    assert name(QUALIFIED, *services) == "N/A"
    assert name(QUALIFIED, *services, indication=Indication.TOTAL_FAILED) == "Not AdES"


def test_services_that_agree_do_not_contradict_each_other() -> None:
    assert name(QUALIFIED, service(AUTHORITY), service(AUTHORITY, period(), name="Again")) == "QESig"


# ---- times


def test_a_service_must_be_granted_at_issuance_and_at_the_best_signature_time() -> None:
    withdrawn = period(STATUS + "withdrawn", SIGNED - 10 * DAY)
    later = service(AUTHORITY, withdrawn, period())
    assert name(QUALIFIED, later, best=SIGNED) == "AdESig"
    assert name(QUALIFIED, later, best=SIGNED - 11 * DAY) == "QESig"
    assert name(QUALIFIED, service(AUTHORITY, period(start=ISSUED + DAY))) == "AdESig"


def test_the_device_counts_at_the_best_signature_time_alone() -> None:
    lost = overruled("QCNoQSCD").periods[0]
    changed = service(AUTHORITY, replace(lost, start=SIGNED - DAY), period())
    assert name(QUALIFIED, changed) == "AdESig-QC"
    assert name(QUALIFIED, changed, best=SIGNED - 2 * DAY) == "QESig"


def test_a_list_that_is_no_longer_in_force_says_nothing() -> None:
    assert name(QUALIFIED, time=NOW + 2 * DAY) == "N/A"


def test_a_closed_list_keeps_its_word() -> None:
    listed = snapshot(service(AUTHORITY), next_update=None)
    finder = ServiceFinder(listed, (QUALIFIED.der, AUTHORITY.der), NOW + 9999 * DAY)
    found = qualify(Indication.TOTAL_PASSED, QUALIFIED.der, SIGNED, finder)
    assert (found.name, found.service) == ("QESig", "Issuing qualified certificates")


OLD_QCP = (
    x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("0.4.0.1456.1.2"), None)]),
    False,
)
OLD_QCP_SSCD = (
    x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("0.4.0.1456.1.1"), None)]),
    False,
)


@pytest.mark.parametrize("status", ["undersupervision", "supervisionincessation", "accredited"])
def test_before_2016_services_were_supervised_or_accredited(status: str) -> None:
    signer = end_entity(OLD_QCP_SSCD, start=datetime(2015, 1, 1, tzinfo=UTC))
    then = period(STATUS + status, datetime(2014, 1, 1, tzinfo=UTC), information=())
    best = datetime(2015, 6, 1, tzinfo=UTC)
    assert name(signer, service(AUTHORITY, then), best=best) == "QESig"
    now_granted = service(AUTHORITY, period(GRANTED, EIDAS), then)
    assert name(signer, now_granted, best=SIGNED) == "QESig"
    assert name(signer, service(AUTHORITY, then), best=EIDAS) == "AdESig"  # the old status says nothing now


def test_before_2016_policies_told_of_qualification() -> None:
    start = datetime(2015, 1, 1, tzinfo=UTC)
    assert declared(certificate(end_entity(OLD_QCP, start=start))) == CertificateStatus(True, ESIGN, False)
    assert declared(certificate(end_entity(OLD_QCP_SSCD, start=start))) == CertificateStatus(
        True, ESIGN, True
    )
    assert declared(certificate(end_entity(OLD_QCP_SSCD))) == CertificateStatus(False, UNKNOWN, False)


def test_before_2016_qualifiers_had_other_names() -> None:
    start = datetime(2015, 1, 1, tzinfo=UTC)
    signer = certificate(end_entity(OLD_QCP, start=start))
    element = QualificationElement((INFORMATION + "QCWithSSCD", INFORMATION + "QCNoQSCD"), ALWAYS)
    then = period(STATUS + "accredited", start, element, information=())
    assert status_at(signer, [service(AUTHORITY, then)], start) == CertificateStatus(True, ESIGN, True)


@pytest.mark.parametrize(
    "status", ["withdrawn", "supervisionceased", "accreditationrevoked", "setbynationallaw"]
)
def test_no_other_status_qualifies(status: str) -> None:
    assert name(QUALIFIED, service(AUTHORITY, period(STATUS + status))) == "AdESig"


def test_no_other_type_of_service_qualifies() -> None:
    other = period(type_="http://uri.etsi.org/TrstSvc/Svctype/CA/PKC")
    assert name(QUALIFIED, service(AUTHORITY, other)) == "AdESig"


# ---- who a service is


def test_an_issuer_that_no_list_knows_has_no_qualification() -> None:
    assert name(QUALIFIED, service(issue("Another", None, *CA))) == "N/A"
    namesake = issue("Issuing authority", ROOT, *CA)
    assert name(QUALIFIED, service(namesake)) == "N/A"


def test_a_listed_root_stands_for_the_authorities_below_it() -> None:
    assert name(QUALIFIED, service(ROOT)) == "QESig"
    nearer = service(AUTHORITY, period(STATUS + "withdrawn"))
    assert name(QUALIFIED, service(ROOT), nearer) == "AdESig"  # the nearest listed authority is the issuer


def test_another_certificate_of_the_same_authority_is_the_same_service() -> None:
    renewed = issue("Issuing authority", None, *CA, key=AUTHORITY.key)
    assert name(QUALIFIED, service(renewed)) == "QESig"


def test_a_key_identifier_alone_names_a_service() -> None:
    identifier = x509.SubjectKeyIdentifier.from_public_key(AUTHORITY.key.public_key()).digest
    named = Service("P", "S", DigitalIdentity(key_identifiers=(identifier,)), (period(),))
    assert name(QUALIFIED, named) == "QESig"
    stranger = Service("P", "S", DigitalIdentity(key_identifiers=(b"\0" * 20,)), (period(),))
    assert name(QUALIFIED, stranger) == "N/A"


def test_a_certificate_that_is_not_there_has_no_qualification() -> None:
    found = qualify(Indication.INDETERMINATE, None, SIGNED, ServiceFinder(snapshot(), (), NOW))
    assert (found.name, found.explanation) == ("N/A", "the signer's certificate is not known")


# ---- time-stamps


UNIT = issue("Time-stamping unit", ROOT, SIGNING, STAMPING, start=ISSUED)


def stamp_name(
    listed: Identity, *periods: ServicePeriod, proven: datetime = SIGNED + DAY, generated: datetime = SIGNED
) -> str:
    finder = ServiceFinder(snapshot(service(listed, *periods)), (UNIT.der, ROOT.der), NOW)
    return str(qualify_timestamp(UNIT.der, generated, proven, finder))


def test_a_time_stamp_is_of_a_qualified_authority_or_not() -> None:
    granted = period(type_=QTST, information=())
    withdrawn = period(STATUS + "withdrawn", SIGNED + timedelta(hours=1), type_=QTST)
    assert stamp_name(UNIT, granted) == "QTSA"
    assert stamp_name(ROOT, granted) == "QTSA"
    assert stamp_name(UNIT, withdrawn, granted) == "TSA"  # withdrawn before it is proven to have been
    assert stamp_name(UNIT, withdrawn, granted, proven=SIGNED + timedelta(minutes=1)) == "QTSA"
    assert stamp_name(UNIT, period(type_="http://uri.etsi.org/TrstSvc/Svctype/TSA")) == "TSA"
    assert stamp_name(UNIT, granted, generated=ISSUED - DAY) == "TSA"
    assert stamp_name(issue("Other", None, *CA), granted) == "N/A"
    assert stamp_name(UNIT, replace(granted, not_understood=("{urn:x}New",))) == "TSA"


def test_a_time_stamp_without_certificate_or_time_has_no_qualification() -> None:
    finder = ServiceFinder(snapshot(service(UNIT, period(type_=QTST))), (UNIT.der,), NOW)
    assert qualify_timestamp(None, SIGNED, NOW, finder) == "N/A"
    assert qualify_timestamp(UNIT.der, None, NOW, finder) == "N/A"


# ---- trust anchors


def anchors(*services: Service, time: datetime = NOW) -> list[tuple[bytes, datetime | None]]:
    found = service_index(snapshot(*services)).anchors([certificate(QUALIFIED)], time)
    return [(anchor.certificate, anchor.sunset) for anchor in found]


def test_a_granted_service_is_a_trust_anchor_and_a_withdrawn_one_until_then() -> None:
    withdrawn = period(STATUS + "withdrawn", SIGNED)
    assert anchors(service(AUTHORITY)) == [(AUTHORITY.der, None)]
    assert anchors(service(AUTHORITY, withdrawn, period())) == [(AUTHORITY.der, SIGNED)]
    assert anchors(service(AUTHORITY, withdrawn, period()), service(AUTHORITY)) == [(AUTHORITY.der, None)]


def test_what_never_was_granted_is_no_trust_anchor() -> None:
    assert anchors(service(AUTHORITY, period(STATUS + "withdrawn"))) == []
    assert anchors(service(AUTHORITY, period(type_="http://uri.etsi.org/TrstSvc/Svctype/CA/PKC"))) == []
    assert sunset(service(AUTHORITY, replace(period(), not_understood=("{urn:x}New",)))) == NEVER


def test_an_old_status_ends_with_the_old_law() -> None:
    old = period(STATUS + "undersupervision", datetime(2012, 1, 1, tzinfo=UTC))
    assert sunset(service(AUTHORITY, old)) == EIDAS
    ceased = period(STATUS + "supervisionceased", datetime(2013, 1, 1, tzinfo=UTC))
    assert sunset(service(AUTHORITY, ceased, old)) == ceased.start


def test_a_list_that_is_no_longer_in_force_gives_no_anchor() -> None:
    assert anchors(service(AUTHORITY), time=NOW + 2 * DAY) == []


def test_only_anchors_that_could_stand_above_the_certificates_are_given() -> None:
    assert anchors(service(issue("Another", None, *CA))) == []


def test_a_conflict_is_told_from_a_missing_service() -> None:
    with pytest.raises(ConflictError):
        status_at(certificate(QUALIFIED), [service(AUTHORITY), overruled("NotQualified")], SIGNED)
    assert status_at(certificate(QUALIFIED), [], SIGNED) == CertificateStatus(False, ESIGN, False)
