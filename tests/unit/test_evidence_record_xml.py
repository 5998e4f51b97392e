"""Evidence records in XML (RFC 6283): read into the same chains, and nothing but a typed error otherwise."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from pecete.evidence.evidence_chains import DataObject, check_chains
from pecete.evidence.evidence_check_words import Check, Verdict
from pecete.evidence.evidence_record import EvidenceRecordError, Renewal
from signer.validation.engine import read_facts
from signer.validation.evidence_record_xml import read_xml_evidence_record
from signer.validation.facts import Integrity
from tests.unit.evidence_writer import digest, root, token

ERS = "urn:ietf:params:xml:ns:ers"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
URIS = {
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
}
T1 = datetime(2024, 6, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ONE, TWO = b"one", b"two"
BOTH = [
    DataObject(name, {each: digest(each, octets) for each in URIS})
    for name, octets in (("A", ONE), ("B", TWO))
]


def stamp(number: int, lists: list[list[bytes]], time: datetime, algorithm: str = "sha256") -> str:
    sequences = "".join(
        f'<Sequence Order="{order}">'
        + "".join(f"<DigestValue>{base64.b64encode(each).decode()}</DigestValue>" for each in part)
        + "</Sequence>"
        for order, part in enumerate(lists, 1)
    )
    encoded = base64.b64encode(token(root(algorithm, lists), algorithm, time)).decode()
    return (
        f'<ArchiveTimeStamp Order="{number}"><HashTree>{sequences}</HashTree>'
        f'<TimeStamp><TimeStampToken Type="RFC3161">{encoded}</TimeStampToken></TimeStamp></ArchiveTimeStamp>'
    )


def chain(number: int, *stamps: str, algorithm: str = "sha256") -> str:
    return (
        f'<ArchiveTimeStampChain Order="{number}"><DigestMethod Algorithm="{URIS[algorithm]}"/>'
        f'<CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>{"".join(stamps)}</ArchiveTimeStampChain>'
    )


def record(*chains: str, version: str = "1.0") -> bytes:
    sequence = f"<ArchiveTimeStampSequence>{''.join(chains)}</ArchiveTimeStampSequence>"
    return f'<EvidenceRecord xmlns="{ERS}" Version="{version}">{sequence}</EvidenceRecord>'.encode()


def canonical(encoded: bytes, path: str) -> bytes:
    found = etree.fromstring(encoded).find("/".join(f"{{{ERS}}}{name}" for name in path.split("/")))
    assert found is not None
    octets: bytes = etree.tostring(found, method="c14n", exclusive=True)
    return octets


H1, H2 = digest("sha256", ONE), digest("sha256", TWO)
INITIAL = stamp(1, [[H1, H2]], T1)
STAMP_PATH = "ArchiveTimeStampSequence/ArchiveTimeStampChain/ArchiveTimeStamp/TimeStamp"
BEFORE = digest("sha256", canonical(record(chain(1, INITIAL)), STAMP_PATH))
FIRST = chain(1, INITIAL, stamp(2, [[BEFORE], [H1]], T1 + YEAR))
HA = digest("sha512", canonical(record(FIRST), "ArchiveTimeStampSequence"))
LEAVES = [digest("sha512", each) for each in (ONE, TWO)]


def second(*leaves: bytes) -> str:
    return chain(2, stamp(1, [list(leaves)], T1 + 2 * YEAR, "sha512"), algorithm="sha512")


WHOLE = record(FIRST, second(*LEAVES, HA))


def failing(encoded: bytes) -> tuple[Verdict, Check | None]:
    found = check_chains(read_xml_evidence_record(encoded), BOTH)
    return found.verdict, found.fault.check if found.fault else None


def test_a_record_renewed_in_both_ways_is_intact() -> None:
    assert failing(WHOLE) == (Verdict.INTACT, None)
    assert [each.renewal for each in read_xml_evidence_record(WHOLE).timestamps] == list(Renewal)
    (found,) = read_facts(WHOLE, [ONE, TWO]).evidence_records
    assert (found.integrity, found.files) == (Integrity.INTACT, ("file 1", "file 2"))


@pytest.mark.parametrize(
    ("encoded", "check"),
    [
        (record(FIRST, second(*LEAVES)), Check.HASH_TREE_RENEWAL),
        (record(FIRST, second(LEAVES[0], HA)), Check.HASH_TREE_RENEWAL),
        (
            record(FIRST, second(*(digest("sha512", each, HA) for each in LEAVES), HA)),
            Check.HASH_TREE_RENEWAL,
        ),
        (record(chain(1, INITIAL, stamp(2, [[H1]], T1 + YEAR))), Check.TIMESTAMP_RENEWAL),
        (WHOLE.replace(base64.b64encode(H2), base64.b64encode(H1)), Check.MESSAGE_IMPRINT),
    ],
    ids=["without ha", "without an object", "joined as in RFC 4998", "over another token", "another tree"],
)
def test_what_breaks_a_record_is_named(encoded: bytes, check: Check) -> None:
    assert failing(encoded) == (Verdict.BROKEN, check)


@pytest.mark.parametrize(
    "encoded",
    [
        b"<x/>",
        b"<x",
        record(),
        WHOLE.replace(b'Order="2"', b'Order="3"', 1),
        WHOLE.replace(b"RFC3161", b"RFC9999", 1),
        WHOLE.replace(EXCLUSIVE.encode(), b"urn:unknown", 1),
        WHOLE.replace(b"<DigestValue>", b"<DigestValue>*", 1),
        b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + WHOLE,
        record(chain(1)),
        record(
            chain(1, INITIAL.replace('<TimeStampToken Type="RFC3161">', '<TimeStampToken Type="RFC3161">AA'))
        ),
    ],
)
def test_what_is_no_record_is_malformed(encoded: bytes) -> None:
    with pytest.raises(EvidenceRecordError) as error:
        read_xml_evidence_record(encoded)
    assert error.value.reason == "EVIDENCE_RECORD_MALFORMED"


def test_another_version_is_named() -> None:
    with pytest.raises(EvidenceRecordError) as error:
        read_xml_evidence_record(record(FIRST, version="2.0"))
    assert error.value.reason == "EVIDENCE_RECORD_VERSION"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 127))
def test_a_changed_octet_ends_in_a_verdict_or_in_a_typed_error(position: int, change: int) -> None:
    changed = bytearray(WHOLE)
    changed[position] ^= change
    try:
        found = read_xml_evidence_record(bytes(changed))
    except EvidenceRecordError:
        return
    known = hashlib.sha512(b"stranger").digest()
    stranger = DataObject("C", {"sha256": hashlib.sha256(b"stranger").digest(), "sha512": known})
    assert check_chains(found, [stranger]).verdict in (Verdict.DATA_MISSING, Verdict.BROKEN)
