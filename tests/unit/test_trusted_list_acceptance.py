"""Which trusted lists are believed: signature, signer, dates, version, sequence; pivots and roll-over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.validation.trusted_lists.acceptance import Known, accept
from signer.validation.trusted_lists.model import LIST_OF_LISTS, TrustedList
from signer.validation.trusted_lists.pivots import (
    MOST_PIVOTS,
    accept_list_of_lists,
    accept_national,
    national_pointers,
    own_signers,
    pivot_locations,
)
from tests.unit.trusted_list_maker import (
    ISSUED,
    NEXT_UPDATE,
    MadeList,
    MadePointer,
    list_of_lists,
    operator,
    signed,
)
from tests.unit.validation_documents import Identity

NOW = ISSUED + timedelta(days=10)
DAY = timedelta(days=1)
OPERATOR, STRANGER = operator("Operator"), operator("Stranger")
MADE = MadeList(sequence_number=5)
DOCUMENT = signed(MADE, OPERATOR)
LOTL_AT = "https://lists.example/lotl.xml"
JOURNAL = "https://journal.example/2024"


def believe(
    document: bytes = DOCUMENT,
    *signers: Identity,
    time: datetime | None = NOW,
    known: Known | None = None,
) -> TrustedList:
    return accept(document, [each.der for each in signers or (OPERATOR,)], time=time, known=known)


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(InvalidArgumentError) as error:
        attempt()
    assert error.value.field == "trusted_list"
    return error.value.reason.removeprefix("TRUSTED_LIST_")


def test_a_good_list_is_believed() -> None:
    assert believe().sequence_number == 5
    assert believe(DOCUMENT, STRANGER, OPERATOR).territory == "RO"
    assert believe(known=Known(5, ISSUED)).sequence_number == 5
    assert believe(signed(replace(MADE, version=6), OPERATOR)).version == 6


def test_what_was_signed_is_read_and_nothing_else() -> None:
    outside = DOCUMENT.replace(b"</TrustServiceStatusList>", b"<!-- more --></TrustServiceStatusList>")
    assert believe(outside) == believe()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<TSLSequenceNumber>5<", b"<TSLSequenceNumber>6<"),
        (b"<SchemeTerritory>RO<", b"<SchemeTerritory>DE<"),
    ],
)
def test_a_changed_list_is_refused(old: bytes, new: bytes) -> None:
    assert refusal(lambda: believe(DOCUMENT.replace(old, new))) == "SIGNATURE_BROKEN"


def test_another_key_behind_the_certificate_is_refused() -> None:
    impostor = Identity(OPERATOR.certificate, STRANGER.key)
    assert refusal(lambda: believe(signed(MADE, impostor))) == "SIGNATURE_BROKEN"


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT[: DOCUMENT.index(b"<ds:Signature")] + b"</TrustServiceStatusList>",
        DOCUMENT.replace(b'URI=""', b'URI="#other"'),
        DOCUMENT.replace(
            b"</TrustServiceStatusList>",
            DOCUMENT[DOCUMENT.index(b"<ds:Signature") :],
        ),
    ],
    ids=["none", "over something else", "two"],
)
def test_a_list_without_one_signature_over_all_of_it_is_refused(document: bytes) -> None:
    assert refusal(lambda: believe(document)) == "UNSIGNED"


def test_a_list_by_somebody_else_is_refused() -> None:
    assert refusal(lambda: believe(signed(MADE, STRANGER))) == "WRONG_SIGNER"
    assert refusal(lambda: accept(DOCUMENT, [], time=NOW)) == "WRONG_SIGNER"


def test_a_list_of_another_version_is_refused() -> None:
    for version in (3, 4, 7):
        document = signed(replace(MADE, version=version), OPERATOR)
        assert refusal(lambda document=document: believe(document)) == "VERSION_UNKNOWN"  # type: ignore[misc]


def test_a_list_is_believed_until_its_next_update() -> None:
    assert believe(time=NEXT_UPDATE)
    assert refusal(lambda: believe(time=NEXT_UPDATE + timedelta(seconds=1))) == "EXPIRED"
    assert refusal(lambda: believe(time=ISSUED - DAY)) == "NOT_YET_ISSUED"
    assert believe(signed(replace(MADE, next_update=None), OPERATOR), time=NEXT_UPDATE + 1000 * DAY)


def test_a_signer_whose_certificate_had_ended_is_refused() -> None:
    late = replace(MADE, issue_time=ISSUED + timedelta(days=4000), next_update=None)
    assert refusal(lambda: believe(signed(late, OPERATOR), time=None)) == "SIGNER_EXPIRED"


def test_an_older_list_is_refused() -> None:
    assert refusal(lambda: believe(known=Known(6, ISSUED - DAY))) == "ROLLED_BACK"
    assert refusal(lambda: believe(known=Known(5, ISSUED + DAY))) == "ROLLED_BACK"


@settings(max_examples=100, deadline=None)
@given(
    position=st.integers(0, len(DOCUMENT) - 1),
    removed=st.integers(0, 3),
    put=st.binary(max_size=3),
)
def test_no_damage_makes_a_list_say_something_else(position: int, removed: int, put: bytes) -> None:
    damaged = DOCUMENT[:position] + put + DOCUMENT[position + removed :]
    try:
        found = believe(damaged)
    except InvalidArgumentError:
        return
    assert found == believe()


# ---- the list of lists


FIRST, SECOND, THIRD = (operator(name) for name in ("First", "Second", "Third"))


def edition(
    number: int, names: Identity, signer: Identity, *pivots: str, issue_time: datetime = ISSUED
) -> bytes:
    own = MadePointer(LOTL_AT, "EU", (names,), LIST_OF_LISTS)
    national = MadePointer("https://ro.example/list.xml", "RO", (OPERATOR,))
    made = list_of_lists(
        own,
        national,
        sequence_number=number,
        information_uris=(*pivots, JOURNAL, "https://lists.example/notice.html"),
        issue_time=issue_time,
        next_update=issue_time + 90 * DAY,
    )
    return signed(made, signer)


PIVOT_1, PIVOT_2 = "https://lists.example/pivot-1.xml", "https://lists.example/pivot-2.xml"
OLD = edition(1, SECOND, FIRST, PIVOT_1, issue_time=ISSUED - 200 * DAY)
NEWER = edition(2, THIRD, SECOND, PIVOT_2, PIVOT_1, issue_time=ISSUED - 100 * DAY)
LOTL = edition(3, THIRD, THIRD, PIVOT_2, PIVOT_1)


def follow(*pivots: bytes, lotl: bytes = LOTL, known: Known | None = None) -> TrustedList:
    return accept_list_of_lists(lotl, pivots, [FIRST.der], time=NOW, known=known)


def test_pivots_lead_from_the_official_journal_to_the_list() -> None:
    found = follow(OLD, NEWER)
    assert found.sequence_number == 3
    assert own_signers(found) == (THIRD.der,)
    assert [pointer.territory for pointer in national_pointers(found)] == ["RO"]


def test_pivots_are_judged_as_of_their_own_time() -> None:
    assert refusal(lambda: accept(OLD, [FIRST.der], time=NOW)) == "EXPIRED"
    assert follow(OLD, NEWER).sequence_number == 3


def test_no_pivot_can_be_left_out_or_swapped() -> None:
    assert refusal(lambda: follow(OLD)) == "WRONG_SIGNER"
    assert refusal(lambda: follow(NEWER)) == "WRONG_SIGNER"
    assert refusal(lambda: follow(NEWER, OLD)) == "WRONG_SIGNER"
    assert refusal(follow) == "WRONG_SIGNER"


def test_a_pivot_by_a_stranger_is_refused() -> None:
    assert refusal(lambda: follow(OLD, edition(2, STRANGER, STRANGER, PIVOT_1))) == "WRONG_SIGNER"


def test_the_list_of_lists_is_not_older_than_its_pivots() -> None:
    stale = edition(1, THIRD, THIRD, issue_time=ISSUED)
    assert refusal(lambda: follow(OLD, NEWER, lotl=stale)) == "ROLLED_BACK"
    assert refusal(lambda: follow(OLD, NEWER, known=Known(4, ISSUED))) == "ROLLED_BACK"


def test_a_national_list_is_no_list_of_lists() -> None:
    assert refusal(lambda: follow(lotl=signed(MADE, FIRST))) == "WRONG_TYPE"


def test_pivots_come_oldest_first() -> None:
    assert pivot_locations(LOTL, LOTL_AT, JOURNAL) == (PIVOT_1, PIVOT_2)
    assert pivot_locations(LOTL, LOTL_AT, "") == (PIVOT_1, PIVOT_2)


def test_pivots_older_than_the_publication_do_not_count() -> None:
    made = list_of_lists(information_uris=(PIVOT_2, JOURNAL, PIVOT_1, "https://journal.example/2016"))
    assert pivot_locations(signed(made, FIRST), LOTL_AT, JOURNAL) == (PIVOT_2,)


def test_a_list_that_begins_anew_elsewhere_is_refused() -> None:
    assert refusal(lambda: pivot_locations(LOTL, LOTL_AT, "https://journal.example/2030")) == "REANCHORED"


@pytest.mark.parametrize(
    "uris",
    [
        ("https://elsewhere.example/pivot.xml",),
        ("http://lists.example/pivot.xml",),
        ("file:///etc/passwd.xml",),
        tuple(f"https://lists.example/{number}.xml" for number in range(MOST_PIVOTS + 1)),
    ],
)
def test_pivots_are_looked_for_at_the_lists_own_server_alone(uris: tuple[str, ...]) -> None:
    document = signed(list_of_lists(information_uris=uris), STRANGER)
    assert refusal(lambda: pivot_locations(document, LOTL_AT, "")) == "PIVOT_ELSEWHERE"


def test_a_national_list_is_the_one_that_is_pointed_to() -> None:
    (pointer,) = national_pointers(follow(OLD, NEWER))
    assert accept_national(DOCUMENT, pointer, time=NOW).sequence_number == 5
    german = signed(replace(MADE, territory="DE"), OPERATOR)
    assert refusal(lambda: accept_national(german, pointer, time=NOW)) == "WRONG_TYPE"
    assert refusal(lambda: accept_national(signed(MADE, STRANGER), pointer, time=NOW)) == "WRONG_SIGNER"


def test_times_are_aware() -> None:
    assert believe().issue_time.tzinfo is UTC
