"""Our own engine on evidence records, time-stamps that stand alone, and counter-signatures."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError, PeceteError
from signer.asic.manifest import Manifest, Reference, write_manifest
from signer.cades.countersigning import add_countersignature, countersigned_content
from signer.cades.signing import sign_content
from signer.cades.structure import take_apart
from signer.cms import attribute
from signer.der import INTEGER, SEQUENCE, SET, tlv
from signer.validation.engine import document_facts, read_facts
from signer.validation.facts import (
    DocumentFacts,
    EvidenceRecordFacts,
    Integrity,
    Malformed,
    SignatureFacts,
    TimestampKind,
)
from signer.validation.plain import from_plain, to_plain
from tests.unit.asic_containers import FILES, asic_e, asic_s, members
from tests.unit.cades_signatures import CONTENT, KEYS, LATER, OPTIONS, in_ber, long_term, signed, stamp
from tests.unit.evidence_writer import archive_timestamp, digest, record, renewed_hash
from tests.unit.test_validation_asic import rezipped

INTERNAL = bytes.fromhex("060b2a864886f70d0109100231")
EXTERNAL = bytes.fromhex("060b2a864886f70d0109100232")
COUNTER_SIGNATURE = bytes.fromhex("06092a864886f70d010906")
DAY = timedelta(days=1)
SIGNATURE = signed()
ENVELOPING = signed(enveloping=True)


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def with_attribute(cms: bytes, stored: bytes, index: int = 0) -> bytes:
    parts = take_apart(cms)
    return parts.with_signer(index, parts.signers[index].with_unsigned(stored)).encode()


def with_record(cms: bytes, *objects: bytes, kind: bytes = EXTERNAL, time: datetime = LATER) -> bytes:
    """A signature with an evidence record inside, over itself and other objects."""
    leaves = [sha256(each) for each in (cms, *objects)]
    return with_attribute(cms, attribute(kind, record([archive_timestamp([leaves], time)])))


def only_record(facts: DocumentFacts) -> EvidenceRecordFacts:
    (found,) = facts.evidence_records
    return found


# ---- evidence records in signatures


@pytest.mark.parametrize(
    ("cms", "detached"),
    [
        (with_record(SIGNATURE, CONTENT), [CONTENT]),
        (with_record(ENVELOPING, kind=INTERNAL), []),
        (with_record(long_term(SIGNATURE), CONTENT), [CONTENT]),
    ],
)
def test_a_record_in_a_signature_is_over_the_signature_without_it(cms: bytes, detached: list[bytes]) -> None:
    facts = read_facts(cms, detached)
    found = only_record(facts)
    assert (found.integrity, found.failing_check, found.covers) == (Integrity.INTACT, "", ("",))
    assert [each.kind for each in found.timestamps] == [TimestampKind.EVIDENCE_RECORD]
    assert found.timestamps[0].gen_time == LATER
    assert from_plain(DocumentFacts, to_plain(facts)) == facts


def test_a_record_of_a_signature_in_ber_is_over_its_octets_as_they_are() -> None:
    ber = in_ber(ENVELOPING)
    evidence = attribute(INTERNAL, record([archive_timestamp([[sha256(ber)]], LATER)]))
    (signer,) = take_apart(ber).signers
    found = only_record(read_facts(ber.replace(signer.stored, signer.with_unsigned(evidence).stored)))
    assert found.integrity is Integrity.INTACT


def test_a_second_record_is_over_the_first() -> None:
    once = with_record(SIGNATURE, CONTENT)
    twice = with_record(once, CONTENT, time=LATER + DAY)
    first, second = read_facts(twice, [CONTENT]).evidence_records
    assert (first.integrity, second.integrity) == (Integrity.INTACT, Integrity.INTACT)
    assert first.timestamps[0].gen_time == LATER


@pytest.mark.parametrize(
    ("cms", "detached", "integrity", "check"),
    [
        (with_record(SIGNATURE, CONTENT), [], Integrity.UNVERIFIABLE, "object-digest"),
        (with_record(SIGNATURE, CONTENT), [b"else"], Integrity.BROKEN, "object-covered"),
        (with_record(SIGNATURE), [CONTENT], Integrity.BROKEN, "object-covered"),
        (
            with_record(ENVELOPING, kind=INTERNAL).replace(b"nr. 5", b"nr. 6", 1),
            [],
            Integrity.BROKEN,
            "object-covered",
        ),
        (
            with_attribute(SIGNATURE, attribute(EXTERNAL, tlv(SEQUENCE))),
            [CONTENT],
            Integrity.BROKEN,
            "structure",
        ),
        (
            with_attribute(with_record(SIGNATURE, CONTENT), attribute(bytes.fromhex("06022a03"), b"\5\0")),
            [CONTENT],
            Integrity.BROKEN,
            "object-covered",
        ),
    ],
    ids=["no content", "other content", "content not covered", "damaged", "no record", "grown later"],
)
def test_a_record_in_a_signature_that_does_not_hold_protects_nothing(
    cms: bytes, detached: list[bytes], integrity: Integrity, check: str
) -> None:
    found = only_record(read_facts(cms, detached))
    assert (found.integrity, found.covers, found.files) == (integrity, (), ())
    assert found.failing_check.startswith(f"{check}: ")


# ---- evidence records in containers and beside documents

ER_MANIFEST, RECORD = "META-INF/ASiCEvidenceRecordManifest001.xml", "META-INF/evidencerecord001.ers"


def evidenced(path: Path, names: list[str], *, listed: list[str] | None = None) -> Path:
    """The container with a record over members, and a manifest that lists these or others."""
    whole = members(path)
    leaves = [sha256(whole[name]) for name in names]
    references = tuple(
        Reference(name, "", "sha256", sha256(whole[name])) for name in (names if listed is None else listed)
    )
    manifest = write_manifest(Manifest(RECORD, references))
    return rezipped(path, {ER_MANIFEST: manifest, RECORD: record([archive_timestamp([leaves], LATER)])})


MANIFEST, SIGNATURE_FILE = "META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"


def test_a_record_in_a_container_is_over_what_its_manifest_lists(tmp_path: Path) -> None:
    names = [*FILES, SIGNATURE_FILE]
    found = only_record(document_facts(evidenced(asic_e(tmp_path), names), []))
    assert (found.integrity, found.files) == (Integrity.INTACT, tuple(names))
    assert (found.name, found.covers) == (RECORD, (SIGNATURE_FILE,))


def test_a_record_over_a_signature_without_its_files_does_not_protect_it(tmp_path: Path) -> None:
    found = only_record(document_facts(evidenced(asic_e(tmp_path), [SIGNATURE_FILE]), []))
    assert (found.integrity, found.covers) == (Integrity.INTACT, ())


def test_a_record_that_does_not_know_what_its_manifest_lists_is_broken(tmp_path: Path) -> None:
    first, second = FILES
    path = evidenced(asic_e(tmp_path), [first], listed=[first, second])
    found = only_record(document_facts(path, []))
    assert (found.integrity, found.files) == (Integrity.BROKEN, ())
    assert found.failing_check.startswith("object-covered: ")
    for changes in ({first: b"changed"}, {RECORD: None}, {ER_MANIFEST: b"<x/>"}, {RECORD: b"\x30\x00"}):
        changed = dict[str, bytes | None](changes)
        found = document_facts(rezipped(path, changed), []).evidence_records[0]
        assert found.integrity is Integrity.BROKEN
    missing = evidenced(asic_e(tmp_path), [first])
    found = only_record(document_facts(rezipped(missing, {first: None}), []))
    assert found.integrity is Integrity.UNVERIFIABLE


def test_a_record_of_an_asic_s_is_over_its_file(tmp_path: Path) -> None:
    first = next(iter(FILES))
    evidence = record([archive_timestamp([[sha256(FILES[first])]], LATER)])
    path = rezipped(
        asic_s(tmp_path), {"META-INF/signature.p7s": None, "META-INF/evidencerecord.ers": evidence}
    )
    found = only_record(document_facts(path, []))
    assert (found.integrity, found.files) == (Integrity.INTACT, (first,))
    other = only_record(document_facts(rezipped(path, {first: b"changed"}), []))
    assert other.integrity is Integrity.BROKEN


def test_a_record_without_a_manifest_in_an_asic_e_is_over_nothing_known(tmp_path: Path) -> None:
    path = evidenced(asic_e(tmp_path), list(FILES))
    found = only_record(document_facts(rezipped(path, {ER_MANIFEST: None}), []))
    assert (found.integrity, found.covers) == (Integrity.UNVERIFIABLE, ())


def put(folder: Path, name: str, octets: bytes) -> Path:
    (folder / name).write_bytes(octets)
    return folder / name


def test_a_record_beside_a_document_protects_all_that_is_in_it(tmp_path: Path) -> None:
    def beside(path: Path, *further: bytes) -> EvidenceRecordFacts:
        leaves = [sha256(path.read_bytes()), *map(sha256, further)]
        evidence = put(tmp_path, "record.ers", record([archive_timestamp([leaves], LATER)]))
        files = [put(tmp_path, f"file{number}", each) for number, each in enumerate(further)]
        return only_record(document_facts(path, [evidence, *files]))

    container = asic_e(tmp_path)
    found = beside(container)
    assert (found.integrity, found.covers) == (Integrity.INTACT, (SIGNATURE_FILE,))
    found = beside(put(tmp_path, "made.p7s", SIGNATURE), CONTENT)
    assert (found.integrity, found.covers, found.files) == (Integrity.INTACT, ("",), ("document", "file 1"))
    other = put(tmp_path, "other.ers", record([archive_timestamp([[sha256(b"else")]], LATER)]))
    found = only_record(document_facts(container, [other]))
    assert (found.integrity, found.covers) == (Integrity.UNVERIFIABLE, ())


# ---- proofs alone


def test_a_time_stamp_alone_is_no_signature(tmp_path: Path) -> None:
    token = stamp(sha256(CONTENT), LATER)
    granted = tlv(SEQUENCE, tlv(SEQUENCE, tlv(INTEGER, b"\0")), token)
    for data in (token, granted):
        facts = read_facts(data, [CONTENT])
        (found,) = facts.document_timestamps
        assert (facts.signatures, found.integrity, found.gen_time) == ((), Integrity.INTACT, LATER)
        assert read_facts(data, [b"else"]).document_timestamps[0].integrity is Integrity.BROKEN
        assert read_facts(data).document_timestamps[0].integrity is Integrity.UNVERIFIABLE
    refused = tlv(SEQUENCE, tlv(SEQUENCE, tlv(INTEGER, b"\2")))
    for data, reason in ((refused, "TIMESTAMP_REFUSED"), (granted[:-9], "DOCUMENT_DAMAGED")):
        with pytest.raises(InvalidArgumentError) as error:
            read_facts(data, [CONTENT])
        assert error.value.reason == reason


def test_a_record_alone_is_over_the_files_given() -> None:
    first = [archive_timestamp([[sha256(b"1"), sha256(b"2")]], LATER)]
    leaves = [renewed_hash("sha512", each, [first]) for each in (b"1", b"2")]
    evidence = record(first, [archive_timestamp([leaves], LATER + DAY, "sha512")])
    found = only_record(read_facts(evidence, [b"1", b"2"]))
    assert (found.integrity, found.files) == (Integrity.INTACT, ("file 1", "file 2"))
    assert [each.imprint_digest for each in found.timestamps] == ["sha256", "sha512"]
    assert only_record(read_facts(evidence)).integrity is Integrity.UNVERIFIABLE
    assert only_record(read_facts(evidence, [b"3"])).integrity is Integrity.UNVERIFIABLE
    with pytest.raises(InvalidArgumentError) as error:
        read_facts(evidence[:-1], [b"1"])
    assert error.value.reason == "DOCUMENT_DAMAGED"


# ---- counter-signatures


def countersigned(cms: bytes, key: str = "p384", *, counter: bool = True) -> bytes:
    name = sha256(take_apart(cms).signers[0].signature_value)
    made = sign_content(countersigned_content(cms, name), KEYS[key], OPTIONS, counter=counter)
    return add_countersignature(cms, name, made, None)


def signatures(cms: bytes) -> tuple[SignatureFacts, ...]:
    return read_facts(cms, [CONTENT]).signatures


def test_counter_signatures_are_found_and_say_what_they_sign() -> None:
    first, second, third = signatures(countersigned(countersigned(SIGNATURE), "rsa3072"))
    assert [first.countersigns, second.countersigns, third.countersigns] == ["", "signer 1", "signer 1"]
    assert [second.field, third.field] == ["counter-signature 1", "counter-signature 2"]
    assert all(each.cms.integrity is Integrity.INTACT for each in (first, second, third))
    assert second.baseline and not second.findings and not second.faults


def test_a_counter_signature_of_another_value_is_broken() -> None:
    (foreign,) = take_apart(countersigned(signed(KEYS["rsa3072"]))).signers
    (stored,) = (each for each in foreign.unsigned if COUNTER_SIGNATURE in each[:20])
    first, second = signatures(with_attribute(SIGNATURE, stored))
    assert (first.cms.integrity, second.cms.integrity) == (Integrity.INTACT, Integrity.BROKEN)


def test_what_is_no_counter_signature_hides_no_signature() -> None:
    stored = tlv(SEQUENCE, COUNTER_SIGNATURE, tlv(SET, tlv(SEQUENCE)))
    first, second = signatures(with_attribute(SIGNATURE, stored))
    assert first.cms.integrity is Integrity.INTACT
    assert (second.malformed, second.cms.integrity) == (Malformed.UNDECODABLE, Integrity.UNVERIFIABLE)


def test_a_content_type_in_a_counter_signature_is_told() -> None:
    first, second = signatures(countersigned(SIGNATURE, counter=False))
    assert not first.findings
    assert "content-type" in second.findings[0] and not second.baseline


def test_counter_signatures_nested_without_end_are_refused() -> None:
    parts = take_apart(SIGNATURE)
    value = parts.signers[0].stored
    for _ in range(12):
        signer = parts.signers[0].with_unsigned(tlv(SEQUENCE, COUNTER_SIGNATURE, tlv(SET, value)))
        value = signer.stored
    with pytest.raises(InvalidArgumentError) as error:
        signatures(parts.with_signer(0, replace(parts.signers[0], stored=value)).encode())
    assert error.value.reason == "DOCUMENT_DAMAGED"


def test_an_archive_time_stamp_is_over_counter_signatures_that_its_index_lists() -> None:
    before = long_term(countersigned(SIGNATURE))
    after = countersigned(long_term(SIGNATURE))
    for cms, fields in ((before, ("counter-signature 1",)), (after, ())):
        (found,) = read_facts(cms, [CONTENT]).document_timestamps
        assert (found.integrity, found.countersignatures) == (Integrity.INTACT, fields)
        assert found.covers(1, "") and found.covers(1, "counter-signature 1") == bool(fields)


# ---- whatever comes

RICH = with_record(countersigned(long_term(SIGNATURE)), CONTENT)
ALONE: dict[str, Callable[[bytes], DocumentFacts]] = {
    "signature": lambda data: read_facts(data, [CONTENT]),
    "beside": lambda data: read_facts(SIGNATURE, [CONTENT, data]),
}
SAMPLES = (
    RICH,
    stamp(sha256(CONTENT), LATER),
    record([archive_timestamp([[sha256(SIGNATURE), sha256(CONTENT)]], LATER)]),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 1 << 20), st.integers(1, 255), st.sampled_from(list(ALONE)))
def test_a_changed_octet_ends_in_facts_or_in_a_typed_error(
    sample: bytes, position: int, change: int, role: str
) -> None:
    changed = bytearray(sample)
    changed[position % len(sample)] ^= change
    try:
        facts = ALONE[role](bytes(changed))
    except PeceteError:
        return
    assert from_plain(DocumentFacts, to_plain(facts)) == facts
    for found in facts.evidence_records:
        assert (found.integrity is Integrity.INTACT) == (not found.failing_check)
        assert found.integrity is Integrity.INTACT or not (found.covers or found.files)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_that_begin_as_asn1_end_in_a_typed_error(octets: bytes) -> None:
    for data in (b"\x30" + octets, tlv(SEQUENCE, b"\x02\x01\x01" + octets), tlv(SEQUENCE, octets)):
        with pytest.raises(PeceteError):
            read_facts(data)


def test_digests_of_records_are_of_all_known_kinds() -> None:
    algorithm = "sha384"
    made = record([archive_timestamp([[digest(algorithm, CONTENT)]], LATER, algorithm)])
    assert only_record(read_facts(made, [CONTENT])).integrity is Integrity.INTACT
