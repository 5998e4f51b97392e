"""The checker of evidence records on records made here: trees, groups, renewals, and all that breaks them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pecete.cli import app
from pecete.evidence.der import DerError, read_element, read_stored_element, sequence_header
from pecete.evidence.evidence_chains import check_chains
from pecete.evidence.evidence_record import (
    EvidenceRecordError,
    Renewal,
    read_evidence_record,
)
from pecete.evidence.evidence_verification import (
    Check,
    DataObject,
    EvidenceVerdict,
    SignatureState,
    Verdict,
    digests_of_file,
    verify_evidence_record,
)
from signer.der import OCTET_STRING, SEQUENCE, tlv
from tests.unit.evidence_writer import (
    OIDS,
    anchor,
    archive_timestamp,
    digest,
    record,
    renewed_hash,
    stored_token,
    thing,
)
from tests.unit.validation_documents import BORN, ROOT, YEAR

T1 = datetime(2024, 6, 1, tzinfo=UTC)
T2, T3 = T1 + YEAR, T1 + 2 * YEAR
AT = T1 + 3 * YEAR
ONE, TWO, OTHER = b"one", b"two", b"a stranger's"
A, B, C = thing("A", ONE), thing("B", TWO), thing("C", OTHER)
H1, H2, SIBLING = digest("sha256", ONE), digest("sha256", TWO), digest("sha256", b"sibling")

INITIAL = archive_timestamp([[H1, H2], [SIBLING]], T1)
STAMPED_AGAIN = archive_timestamp([[digest("sha256", stored_token(INITIAL)), SIBLING]], T2)
FIRST_CHAIN = [INITIAL, STAMPED_AGAIN]
LEAVES = [renewed_hash("sha512", octets, [FIRST_CHAIN]) for octets in (ONE, TWO)]
REHASHED = archive_timestamp([LEAVES], T3, "sha512")
WHOLE = record(FIRST_CHAIN, [REHASHED], algorithms=("sha256", "sha512"))


def checked(encoded: bytes, *objects: DataObject, at: datetime = AT) -> EvidenceVerdict:
    return verify_evidence_record(encoded, objects, at=at)


def failing(encoded: bytes, *objects: DataObject, at: datetime = AT) -> tuple[Verdict, Check | None]:
    found = checked(encoded, *objects, at=at)
    return found.verdict, found.fault.check if found.fault else None


def test_a_record_renewed_in_both_ways_is_intact() -> None:
    found = verify_evidence_record(WHOLE, [A, B], trust=[anchor()], at=AT)
    assert (found.verdict, found.fault, found.covered, found.unknown) == (Verdict.INTACT, None, ("A", "B"), 0)
    assert [stamp.renewal for stamp in found.timestamps] == list(Renewal)
    assert [stamp.time for stamp in found.timestamps] == [T1, T2, T3]
    assert all(stamp.trusted and stamp.signature is SignatureState.VALID for stamp in found.timestamps)
    assert found.existed_by == T1


@pytest.mark.parametrize(
    ("objects", "verdict", "check"),
    [
        ((A,), Verdict.INTACT, None),
        ((A, C), Verdict.PARTIAL, Check.OBJECT_COVERED),
        ((C,), Verdict.DATA_MISSING, Check.OBJECT_COVERED),
        ((), Verdict.DATA_MISSING, Check.OBJECT_GIVEN),
        ((thing("A", ONE, "sha256"),), Verdict.DATA_MISSING, Check.OBJECT_DIGEST),
        ((thing("A", ONE, "sha512"), B), Verdict.PARTIAL, Check.OBJECT_DIGEST),
    ],
)
def test_what_is_covered(objects: tuple[DataObject, ...], verdict: Verdict, check: Check | None) -> None:
    assert failing(WHOLE, *objects) == (verdict, check)


def test_without_a_tree_the_object_itself_is_stamped_and_later_the_token_alone() -> None:
    first = archive_timestamp([], T1, imprint=H1, stated=False)
    second = archive_timestamp([], T2, imprint=digest("sha256", stored_token(first)))
    leaf = renewed_hash("sha384", ONE, [[first, second]])
    third = archive_timestamp([], T3, "sha384", imprint=leaf)
    assert failing(record([first, second], [third]), A) == (Verdict.INTACT, None)
    assert failing(record([first, second], [third]), B) == (Verdict.DATA_MISSING, Check.OBJECT_COVERED)


@pytest.mark.parametrize("alone", [H1, digest("sha256", H1)])
def test_a_lone_hash_is_read_both_as_it_is_and_hashed_again(alone: bytes) -> None:
    over = digest("sha256", *sorted([alone, SIBLING]))
    assert failing(record([archive_timestamp([[H1], [SIBLING]], T1, imprint=over)]), A)[0] is Verdict.INTACT


def renewals(*leaves: bytes, time: datetime = T3, algorithm: str = "sha512") -> bytes:
    return record(FIRST_CHAIN, [archive_timestamp([leaves], time, algorithm)])


HA = digest("sha512", tlv(SEQUENCE, tlv(SEQUENCE, *FIRST_CHAIN)))
OLD = digest("sha1", ONE)
BROKEN = {
    "imprint": (record([archive_timestamp([[H1, H2]], T1, imprint=SIBLING)]), Check.MESSAGE_IMPRINT),
    "renewal of another token": (
        record([INITIAL, archive_timestamp([[H1, SIBLING]], T2)]),
        Check.TIMESTAMP_RENEWAL,
    ),
    "renewal before what it renews": (
        record([INITIAL, archive_timestamp([[digest("sha256", stored_token(INITIAL))]], T1 - YEAR / 4)]),
        Check.TIME_ORDER,
    ),
    "two algorithms in a chain": (
        record([INITIAL, archive_timestamp([[digest("sha512", stored_token(INITIAL))]], T2, "sha512")]),
        Check.DIGEST_ALGORITHM,
    ),
    "a hash of no digest's length": (
        record([archive_timestamp([[H1, H2 + H2]], T1)]),
        Check.HASH_LENGTH,
    ),
    "h and ha sorted, as figure 4 has them": (
        renewals(
            *(digest("sha512", *sorted([digest("sha512", each), HA])) for each in (b"one 2", b"one 3", b"4"))
        ),
        Check.HASH_TREE_RENEWAL,
    ),
    "h and ha side by side, as RFC 6283 has them": (
        renewals(digest("sha512", ONE), HA),
        Check.HASH_TREE_RENEWAL,
    ),
    "hash of the chains without the first": (
        renewals(renewed_hash("sha512", ONE, [[STAMPED_AGAIN]])),
        Check.HASH_TREE_RENEWAL,
    ),
    "an algorithm that nobody believes any more": (
        record([archive_timestamp([], T1, "sha1", imprint=OLD)]),
        Check.DIGEST_ALGORITHM,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_record_is_named(case: str) -> None:
    encoded, check = BROKEN[case]
    assert failing(encoded, A) == (Verdict.BROKEN, check)


def test_sorting_h_and_ha_is_wrong_whenever_it_makes_a_difference() -> None:
    h = digest("sha512", ONE)
    other = digest("sha512", *sorted([h, HA], reverse=h < HA))
    assert other != LEAVES[0]
    assert failing(renewals(other), A) == (Verdict.BROKEN, Check.HASH_TREE_RENEWAL)


def test_an_algorithm_may_end_after_the_tree_was_renewed() -> None:
    first = [archive_timestamp([], T1, "sha224", imprint=digest("sha224", ONE))]
    bare = record(first)
    leaf = renewed_hash("sha256", ONE, [first])
    renewed = record(first, [archive_timestamp([[leaf]], T2)])
    late = datetime(2029, 1, 1, tzinfo=UTC)
    assert failing(bare, A, at=late - timedelta(seconds=1)) == (Verdict.INTACT, None)
    assert failing(bare, A, at=late) == (Verdict.BROKEN, Check.DIGEST_ALGORITHM)
    assert failing(renewed, A, at=late) == (Verdict.INTACT, None)


def test_a_token_signed_by_nobody_is_told_from_one_that_does_not_verify() -> None:
    stamp = bytearray(INITIAL)
    stamp[-1] ^= 1  # the last octet of the signature value
    found = checked(record([bytes(stamp)]), A)
    assert (found.verdict, found.timestamps[0].signature) == (Verdict.BROKEN, SignatureState.INVALID)
    assert found.fault and found.fault.check is Check.TIMESTAMP_SIGNATURE


def test_trust_is_asked_at_the_time_of_the_next_time_stamp_and_of_the_last_one_now() -> None:
    def trusted(at: datetime, by: bytes) -> list[bool | None]:
        return [stamp.trusted for stamp in verify_evidence_record(WHOLE, [A], trust=[by], at=at).timestamps]

    assert trusted(AT, ROOT.der) == [True, True, True]
    assert trusted(BORN + 11 * YEAR, ROOT.der) == [True, True, False]
    stranger = (Path(__file__).parent / "validation_documents.py").read_bytes()
    with pytest.raises(Exception, match="TRUST_ANCHOR_UNREADABLE"):
        trusted(AT, stranger)


def test_a_token_in_ber_is_hashed_as_it_is_stored() -> None:
    """Its lengths left open, as some units send them: encoding it again would break the renewal."""
    der = read_element(stored_token(INITIAL))
    inner = b"".join(each.raw for each in der.children(SEQUENCE))
    ber = b"\x30\x80" + inner + b"\0\0"
    head = INITIAL[: len(INITIAL) - len(der.raw)]
    first = tlv(SEQUENCE, read_element_content(head, len(INITIAL)) + ber)
    second = archive_timestamp([[digest("sha256", ber)]], T2)
    parsed = read_evidence_record(record([first, second]))
    assert parsed.timestamps[0].token == ber
    assert check_chains(parsed, [A]).verdict is Verdict.INTACT
    again = archive_timestamp([[digest("sha256", der.raw)]], T2)
    fault = check_chains(read_evidence_record(record([first, again])), [A]).fault
    assert fault and fault.check is Check.TIMESTAMP_RENEWAL


def read_element_content(head: bytes, whole: int) -> bytes:
    """What stands in an ArchiveTimeStamp before its token."""
    return head[whole - len(read_element(INITIAL).content) :]


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        tlv(SEQUENCE),
        record(),
        record([]),
        WHOLE + b"\0",
        WHOLE[:-1],
        tlv(SEQUENCE, b"\x02\x01\x01", tlv(SEQUENCE), tlv(SEQUENCE), tlv(SEQUENCE)),
        record([tlv(SEQUENCE, tlv(0xA2, tlv(SEQUENCE)), stored_token(INITIAL))]),
        record([tlv(SEQUENCE, tlv(0xA2), stored_token(INITIAL))]),
        record([tlv(SEQUENCE, tlv(0xA3), stored_token(INITIAL))]),
        record([tlv(SEQUENCE, tlv(0xA0, OIDS["sha256"]), tlv(0xA0, OIDS["sha256"]), stored_token(INITIAL))]),
        record([tlv(SEQUENCE, stored_token(INITIAL), tlv(OCTET_STRING, b""))]),
        record([tlv(SEQUENCE, tlv(SEQUENCE))]),
        record(*[[INITIAL]] * 201),
    ],
)
def test_what_is_no_record_is_malformed(encoded: bytes) -> None:
    assert failing(encoded, A) == (Verdict.MALFORMED, Check.STRUCTURE)


def test_another_version_is_named() -> None:
    encoded = WHOLE.replace(b"\x02\x01\x01", b"\x02\x01\x02", 1)
    assert failing(encoded, A) == (Verdict.MALFORMED, Check.VERSION)


@given(st.binary(max_size=200))
def test_any_octets_end_in_one_typed_error(octets: bytes) -> None:
    for encoded in (octets, tlv(SEQUENCE, octets), tlv(SEQUENCE, b"\x02\x01\x01", tlv(SEQUENCE), octets)):
        with pytest.raises(EvidenceRecordError):
            read_evidence_record(encoded)


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_octet_proves_nothing_new(position: int, change: int) -> None:
    changed = bytearray(WHOLE)
    changed[position] ^= change
    found = checked(bytes(changed), A, C)
    assert found.verdict is not Verdict.INTACT and "C" not in found.covered
    if found.verdict is Verdict.PARTIAL:
        assert [stamp.time for stamp in found.timestamps] == [T1, T2, T3]


@given(st.binary(max_size=40))
def test_the_reader_ends_where_it_says_or_refuses(octets: bytes) -> None:
    for read in (read_element, lambda data: read_stored_element(data, 0, len(data))):
        try:
            element = read(octets)
        except DerError:
            continue
        assert 0 <= element.content_start <= element.end <= len(octets)


@given(st.integers(0, 70_000))
def test_a_sequence_is_read_as_it_was_written(length: int) -> None:
    element = read_element(sequence_header(length) + bytes(length))
    assert (element.tag, len(element.content)) == (SEQUENCE, length)


def test_the_command_tells_people_and_programs(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(ONE)
    (tmp_path / "record.ers").write_bytes(WHOLE)
    (tmp_path / "root.der").write_bytes(ROOT.der)
    whole = [str(tmp_path / "record.ers"), "--data", str(tmp_path / "one")]
    shown = CliRunner().invoke(app, ["verify-evidence", *whole, "--time", AT.isoformat()])
    assert shown.exit_code == 0
    assert "existed by" in shown.stdout and "was not asked (--trust)" in shown.stdout
    trusted = ["--trust", str(tmp_path / "root.der"), "--time", AT.isoformat(), "--json"]
    answer = json.loads(CliRunner().invoke(app, ["verify-evidence", *whole, *trusted]).stdout)
    assert (answer["verdict"], answer["failing_check"]) == ("intact", None)
    assert [stamp["kind"] for stamp in answer["timestamps"]] == [str(each) for each in Renewal]
    assert all(stamp["trusted"] for stamp in answer["timestamps"])
    assert answer["covered"] == [str(tmp_path / "one")]
    for wrong in ("sha256", "sha256:zz", "sha256:00", "shake_128:", f"sha256:{H1.hex()}+sha256:{H1.hex()}"):
        refused = CliRunner().invoke(app, ["verify-evidence", whole[0], "--digest", wrong])
        assert refused.exit_code == 1
        assert refused.stderr.startswith("pecete: DIGEST_MALFORMED")


def test_a_file_is_hashed_in_pieces(tmp_path: Path) -> None:
    octets = bytes(3_000_001)
    (tmp_path / "long").write_bytes(octets)
    found = digests_of_file(tmp_path / "long", ["sha256", "sha3_384"])
    assert found.digests == {name: digest(name, octets) for name in ("sha256", "sha3_384")}
