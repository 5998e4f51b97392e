"""Journal entries: one way to write them, and no other is read."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import InternalError, InvalidArgumentError
from pecete.evidence.log_proof import JournalEntry, canonical_json, parse_entry, plain_row, row_sha256

TEXT = st.text(st.characters(codec="utf-8"))
ENTRIES = st.builds(
    JournalEntry,
    index=st.integers(0, 2**60),
    time=st.integers(0, 2**60),
    actor=TEXT,
    act=TEXT,
    resource=TEXT,
    request_id=TEXT,
    digest=st.none() | st.binary(max_size=32).map(bytes.hex),
    row_sha256=st.none() | st.binary(max_size=32).map(bytes.hex),
)


@given(ENTRIES)
def test_round_trip(entry: JournalEntry) -> None:
    assert parse_entry(entry.to_bytes()) == entry


def test_entry_bytes() -> None:
    entry = JournalEntry(
        3, 1_700_000_000_000_001, "principals/ana", "document.upload", "documents/ă", "r1", "00ff", None
    )
    assert (
        entry.to_bytes()
        == (
            '{"act":"document.upload","actor":"principals/ana","digest":"00ff","index":3,"request_id":"r1",'
            '"resource":"documents/ă","row_sha256":null,"time":1700000000000001}'
        ).encode()
    )


@given(ENTRIES, st.data())
def test_every_other_spelling_is_refused(entry: JournalEntry, data: st.DataObject) -> None:
    octets = entry.to_bytes()
    fields = json.loads(octets)
    spellings = [
        json.dumps(fields, sort_keys=True).encode(),
        octets + b" ",
        octets[:-1] + b',"more":1}',
        octets[:-1] + b',"act":"again"}',
        json.dumps({**fields, "index": True}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps({**fields, "time": 1.0}, sort_keys=True, separators=(",", ":")).encode(),
        b"[" * 100_000,
        b"\xff",
        b"null",
    ]
    with pytest.raises(InvalidArgumentError, match="JOURNAL_ENTRY_MALFORMED"):
        parse_entry(data.draw(st.sampled_from(spellings)))


@given(st.binary())
def test_any_bytes_give_a_typed_error(octets: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="JOURNAL_ENTRY_MALFORMED"):
        parse_entry(octets)


def test_row_digest() -> None:
    row = {"b": b"\x00\xff", "a": "ș", "n": None, "i": -5}
    assert plain_row(row) == {"b": "00ff", "a": "ș", "n": None, "i": -5}
    assert row_sha256(row) == hashlib.sha256('{"a":"ș","b":"00ff","i":-5,"n":null}'.encode()).digest()


@pytest.mark.parametrize("value", [True, 1.5, ["x"], object()])
def test_values_that_databases_give_back_differently_are_refused(value: object) -> None:
    with pytest.raises(InternalError, match="ROW_VALUE_UNSUPPORTED"):
        row_sha256({"column": value})


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="TEXT_NOT_UNICODE"):
        canonical_json({"a": "\ud800"})
