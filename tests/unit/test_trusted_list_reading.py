"""Trusted lists from their octets, whole and damaged."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError, PeceteError
from signer.validation.trusted_lists.elements import MAXIMUM_OCTETS
from signer.validation.trusted_lists.model import (
    CA_QC,
    GRANTED,
    INFORMATION,
    Assertion,
    Criteria,
    DigitalIdentity,
    KeyUsageBit,
    QualificationElement,
    Service,
)
from signer.validation.trusted_lists.reading import read_list
from tests.unit.trusted_list_maker import (
    FOR_SEALS,
    FOR_SIGNATURES,
    ISSUED,
    NEXT_UPDATE,
    MadeList,
    MadePointer,
    list_of_lists,
    operator,
    period,
    service,
    signed,
)
from tests.unit.validation_documents import CA, issue

OPERATOR = operator("Operator")
AUTHORITY = issue("Issuing authority", None, *CA)
CRITERIA = Criteria(
    Assertion.AT_LEAST_ONE,
    key_usages=((KeyUsageBit("nonRepudiation", True), KeyUsageBit("digitalSignature", False)),),
    policy_sets=(("1.2.3", "1.2.4"),),
    extended_key_usages=(("1.3.6.1.5.5.7.3.4",),),
    subject_attributes=(("2.5.4.5",),),
    lists=(Criteria(Assertion.NONE, policy_sets=(("1.2.9",),)),),
    unknown=("{urn:other}Something",),
)
SERVICE = service(
    AUTHORITY,
    replace(
        period(GRANTED, datetime(2020, 1, 1, tzinfo=UTC), information=(FOR_SIGNATURES, FOR_SEALS)),
        qualifications=(QualificationElement((INFORMATION + "QCWithQSCD",), CRITERIA),),
        taken_over_by="Another provider",
        not_understood=("{urn:other}Critical",),
    ),
    period("http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/accredited", datetime(2012, 1, 1, tzinfo=UTC)),
)
MADE = MadeList(
    sequence_number=7,
    information_uris=("https://lists.example/notice",),
    pointers=(MadePointer("https://lists.example/lotl.xml", "EU", (OPERATOR,)),),
    services=(SERVICE,),
)
DOCUMENT = signed(MADE, OPERATOR)


def test_everything_that_a_list_says_is_read() -> None:
    found = read_list(DOCUMENT)
    assert (found.version, found.sequence_number, found.territory) == (5, 7, "RO")
    assert (found.issue_time, found.next_update) == (ISSUED, NEXT_UPDATE)
    assert found.operator == "Operator of RO"
    assert found.information_uris == ("https://lists.example/notice",)
    assert found.services == (SERVICE,)
    (pointer,) = found.pointers
    assert (pointer.location, pointer.territory, pointer.signers) == (
        "https://lists.example/lotl.xml",
        "EU",
        (OPERATOR.der,),
    )
    assert pointer.media_type == "application/vnd.etsi.tsl+xml"


def test_the_period_in_force_is_the_last_that_has_begun() -> None:
    newest, oldest = SERVICE.periods
    assert SERVICE.at(datetime(2011, 1, 1, tzinfo=UTC)) is None
    assert SERVICE.at(datetime(2019, 12, 31, tzinfo=UTC)) == oldest
    assert SERVICE.at(newest.start) == newest


def test_an_identity_may_be_a_key_identifier_alone() -> None:
    made = Service("P", "S", DigitalIdentity(key_identifiers=(b"\x01" * 20,)), (period(),))
    (found,) = read_list(signed(replace(MADE, services=(made,)), OPERATOR)).services
    assert found.identity == DigitalIdentity(key_identifiers=(b"\x01" * 20,))
    assert found.periods[0].type == CA_QC


def test_a_closed_list_has_no_next_update() -> None:
    assert read_list(signed(replace(MADE, next_update=None), OPERATOR)).next_update is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<TSLSequenceNumber>7<", b"<TSLSequenceNumber>seven<"),
        (b"<TSLSequenceNumber>7<", b"<TSLSequenceNumber>\xd9\xa7<"),
        (b"<ListIssueDateTime>2024", b"<ListIssueDateTime>yesterday, 2024"),
        (b"-01T00:00:00Z</ListIssueDateTime>", b"-01T00:00:00</ListIssueDateTime>"),
        (b"-01T00:00:00Z</ListIssueDateTime>", b"-31T25:00:00Z</ListIssueDateTime>"),
        (b'assert="atLeastOne"', b'assert="some"'),
        (b">true<", b">perhaps<"),
        (b"<SchemeTerritory>RO</SchemeTerritory>", b""),
        (
            b"<SchemeTerritory>RO</SchemeTerritory>",
            b"<SchemeTerritory>RO</SchemeTerritory><SchemeTerritory>DE</SchemeTerritory>",
        ),
        (b"<SchemeTerritory>RO<", b"<SchemeTerritory>R<b/>O<"),
        (b"<X509Certificate>", b"<X509Certificate>!"),
        (b"<TrustServiceStatusList", b"<!DOCTYPE a [<!ENTITY e 'RO'>]><TrustServiceStatusList"),
        (b"TrustServiceStatusList", b"SomethingElse"),
        (b"</ds:Signature>", b""),
    ],
)
def test_what_has_not_the_form_of_a_list_is_refused(old: bytes, new: bytes) -> None:
    assert old in DOCUMENT
    with pytest.raises(InvalidArgumentError) as refusal:
        read_list(DOCUMENT.replace(old, new))
    assert refusal.value.reason == "TRUSTED_LIST_MALFORMED"


def test_criteria_nested_without_end_are_refused() -> None:
    criteria = Criteria(Assertion.ALL)
    for _ in range(20):
        criteria = Criteria(Assertion.ALL, lists=(criteria,))
    deep = service(AUTHORITY, period(GRANTED, ISSUED, QualificationElement((), criteria)))
    with pytest.raises(InvalidArgumentError, match="nested"):
        read_list(signed(MadeList(services=(deep,)), OPERATOR))


def test_a_list_longer_than_any_is_not_parsed() -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        read_list(b" " * (MAXIMUM_OCTETS + 1))
    assert refusal.value.reason == "TRUSTED_LIST_TOO_LARGE"


@settings(max_examples=150, deadline=None)
@given(
    position=st.integers(0, len(DOCUMENT) - 1),
    removed=st.integers(0, 40),
    put=st.binary(max_size=12),
)
def test_whatever_is_done_to_a_list_only_typed_errors_leave(position: int, removed: int, put: bytes) -> None:
    damaged = DOCUMENT[:position] + put + DOCUMENT[position + removed :]
    try:
        found = read_list(damaged)
    except PeceteError:
        return
    assert found.issue_time.tzinfo is not None


def test_a_list_of_lists_points_to_itself_too() -> None:
    own = MadePointer("https://lists.example/lotl.xml", "EU", (OPERATOR,), list_of_lists().type)
    found = read_list(signed(list_of_lists(own), OPERATOR))
    assert found.type == found.pointers[0].type
