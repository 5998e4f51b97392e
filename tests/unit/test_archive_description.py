"""The descriptive record of Law 135/2007: every field checked, the field at fault named."""

from dataclasses import asdict, fields, replace
from datetime import UTC, datetime

import pytest

from archive.description import Description, DescriptiveRecord
from pecete.errors import DataLossError, InvalidArgumentError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = Description(
    owner="UAT Municipiul Exemplu",
    issuer="Primarul municipiului",
    rights_holder="UAT Municipiul Exemplu",
    history="Emisă la propunerea\nDirecției de Asistență Socială",
    document_type="dispoziție",
    classification="I.A.3",
    keywords=("ajutor social", "dispoziție"),
    issue_date="2026-11-20",
    retention="P",
)


def test_good_ones() -> None:
    GOOD.check(NOW)
    replace(GOOD, retention="10", issue_date="2026-11-24").check(NOW)


def test_the_law_has_thirteen_fields() -> None:
    assert len(fields(DescriptiveRecord)) == 13


@pytest.mark.parametrize(
    "name", ["owner", "issuer", "rights_holder", "history", "document_type", "classification"]
)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "DESCRIPTION_MISSING"),
        (" \n", "DESCRIPTION_MISSING"),
        ("x" * 10_001, "DESCRIPTION_TOO_LONG"),
        ("a\x00b", "DESCRIPTION_INVALID"),
        ("a\ud800b", "DESCRIPTION_INVALID"),
    ],
)
def test_bad_texts(name: str, text: str, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Description(**{**asdict(GOOD), name: text}).check(NOW)
    assert (caught.value.reason, caught.value.field) == (reason, f"descriptive_record.{name}")


@pytest.mark.parametrize(
    ("changed", "reason", "field"),
    [
        (replace(GOOD, keywords=()), "DESCRIPTION_MISSING", "keywords"),
        (replace(GOOD, keywords=("a", " ")), "DESCRIPTION_MISSING", "keywords"),
        (replace(GOOD, keywords=("a",) * 51), "DESCRIPTION_TOO_LONG", "keywords"),
        (replace(GOOD, keywords=("a" * 101,)), "DESCRIPTION_TOO_LONG", "keywords"),
        (replace(GOOD, retention=""), "DESCRIPTION_INVALID", "retention"),
        (replace(GOOD, retention="0"), "DESCRIPTION_INVALID", "retention"),
        (replace(GOOD, retention="10 ani"), "DESCRIPTION_INVALID", "retention"),
        (replace(GOOD, retention="p"), "DESCRIPTION_INVALID", "retention"),
        (replace(GOOD, issue_date="24.11.2026"), "DESCRIPTION_INVALID", "issue_date"),
        (replace(GOOD, issue_date="20261124"), "DESCRIPTION_INVALID", "issue_date"),
        (replace(GOOD, issue_date="2026-02-30"), "DESCRIPTION_INVALID", "issue_date"),
        (replace(GOOD, issue_date="2026-11-25"), "ISSUE_DATE_IN_FUTURE", "issue_date"),
    ],
)
def test_bad_fields(changed: Description, reason: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        changed.check(NOW)
    assert (caught.value.reason, caught.value.field) == (reason, f"descriptive_record.{field}")


def test_today_in_romania_may_be_tomorrow_in_utc() -> None:
    replace(GOOD, issue_date="2026-11-25").check(datetime(2026, 11, 24, 22, 30, tzinfo=UTC))


def test_json_round_trip() -> None:
    record = DescriptiveRecord(
        **asdict(GOOD),
        format="application/pdf",
        carrier_location="sediu",
        unique_identifier="records/x",
        archive_date="2026-11-24",
    )
    assert DescriptiveRecord.from_json(record.to_json()) == record
    assert replace(record, owner="") == DescriptiveRecord.from_json(replace(record, owner="").to_json())


@pytest.mark.parametrize("text", ["", "null", "{}", '{"keywords":[]}', '{"keywords":5}', "[1]"])
def test_unreadable_json(text: str) -> None:
    with pytest.raises(DataLossError, match="DESCRIPTIVE_RECORD_UNREADABLE"):
        DescriptiveRecord.from_json(text)
