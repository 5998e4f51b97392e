"""Judging XAdES: levels, time-stamps, counter-signatures, containers, and what is not as it was signed."""

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError, PeceteError
from signer.asic.container import MIMETYPES
from signer.validation import SignatureVerdict, ValidationPolicy, ValidationReport, judge_facts, read_facts
from signer.validation.facts import DocumentFacts, Integrity, SignatureFacts, SignerBinding, TimestampKind
from signer.validation.pdf.aftermath import Modification
from signer.validation.plain import from_plain, to_plain
from signer.validation.xades.enveloped import read_enveloped
from tests.unit.cades_signatures import LATER, LISTS
from tests.unit.validation_documents import ROOT, SIGNED, SIGNING, SUB, issue
from tests.unit.xades_signatures import (
    DOCUMENT,
    DS,
    EXCLUSIVE,
    Part,
    archived,
    countersigned,
    sign,
    signed_octets,
    stamped,
    with_material,
    with_unsigned,
)

DAY = timedelta(days=1)
POLICY = ValidationPolicy((ROOT.der,), LATER + 3 * DAY, crls=LISTS)
B = sign(DOCUMENT)
T = stamped(B)
LT = with_material(T)
LTA = archived(LT, signed_octets(LT), LATER)
SECOND = issue("Ion Ionescu", SUB, SIGNING)


def report(document: bytes, *detached: bytes, policy: ValidationPolicy = POLICY) -> ValidationReport:
    facts = read_facts(document, detached)
    assert from_plain(DocumentFacts, to_plain(facts)) == facts
    return judge_facts(facts, policy)


def verdict(document: bytes, *detached: bytes, policy: ValidationPolicy = POLICY) -> SignatureVerdict:
    (found,) = report(document, *detached, policy=policy).signatures
    return found


def facts_of(document: bytes, *detached: bytes) -> SignatureFacts:
    (found,) = read_facts(document, detached).signatures
    return found


def failure(document: bytes, *detached: bytes) -> str:
    """The sub-indication of the first signature, which must not pass."""
    conclusion = report(document, *detached).signatures[0].conclusion
    assert not conclusion.passed
    return str(conclusion.sub_indication)


@pytest.mark.parametrize(
    ("document", "level", "stamps"), [(B, "B", 0), (T, "T", 1), (LT, "LT", 1), (LTA, "LTA", 2)]
)
def test_each_level_is_recognised(document: bytes, level: str, stamps: int) -> None:
    found = verdict(document)
    assert found.conclusion.passed, found.conclusion.explanation
    assert (found.level, found.modification) == (f"XAdES-BASELINE-{level}", Modification.NONE)
    assert len(found.timestamps) == stamps
    assert all(stamp.conclusion.passed for stamp in found.timestamps)
    assert found.signer == "Ana Popescu"
    assert found.best_signature_time == (SIGNED if stamps else POLICY.time)
    assert found.signing_time == SIGNED


def test_a_second_archive_time_stamp_covers_the_first() -> None:
    renewed = archived(LTA, signed_octets(LTA), LATER + DAY)
    first, second = read_facts(renewed).document_timestamps
    assert (first.imprint_matches, second.imprint_matches) == (True, True)
    assert (first.end, second.covered) == (2, 2)
    assert set(first.protected) < set(second.protected) or first.protected == second.protected
    assert verdict(renewed).level == "XAdES-BASELINE-LTA"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Se aprob", b"Se resping"),
        (b"<xades:CRLValues>", b"<xades:CRLValues><!-- -->"),
        (b'Id="sig-1-value"', b'Id="sig-1-worth"'),
        (b"<ds:X509Data>", b"<ds:X509Data> "),
        (b"</ds:Signature>", b'<ds:Object Id="more">more</ds:Object></ds:Signature>'),
    ],
)
def test_an_archive_time_stamp_is_over_all_that_came_before_it(old: bytes, new: bytes) -> None:
    assert old in LTA
    changed = LTA.replace(old, new, 1)
    (stamp,) = read_facts(changed).document_timestamps
    is_comment = new.endswith(b"<!-- -->")
    assert stamp.imprint_matches is is_comment
    assert stamp.kind is TimestampKind.ARCHIVE


def test_what_comes_after_an_archive_time_stamp_gains_nothing_by_it() -> None:
    later = with_material(LTA, LISTS[:1])
    (stamp,) = read_facts(later).document_timestamps
    assert stamp.imprint_matches
    assert stamp.protected == read_facts(LTA).document_timestamps[0].protected


def test_a_signature_time_stamp_over_something_else_proves_nothing() -> None:
    foreign = stamped(sign(DOCUMENT, signer=SECOND))
    start, end = b"<xades:UnsignedProperties>", b"</xades:UnsignedProperties>"
    piece = foreign[foreign.index(start) : foreign.index(end) + len(end)]
    moved = B.replace(b"</xades:QualifyingProperties>", piece + b"</xades:QualifyingProperties>")
    found = verdict(moved)
    assert [str(stamp.conclusion.sub_indication) for stamp in found.timestamps] == ["HASH_FAILURE"]
    assert found.best_signature_time == POLICY.time


@pytest.mark.parametrize(
    "properties",
    [
        "<xades:SignatureTimeStamp/>",
        "<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>AAAA</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp>",
        "<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>!</xades:EncapsulatedTimeStamp>"
        "</xades:SignatureTimeStamp>",
        "<xades141:ArchiveTimeStamp/>",
    ],
)
def test_a_time_stamp_that_cannot_be_read_is_told_of(properties: str) -> None:
    facts = read_facts(with_unsigned(B, properties))
    (stamp,) = (*facts.signatures[0].timestamps, *facts.document_timestamps)
    assert stamp.faults
    assert verdict(with_unsigned(B, properties)).best_signature_time == POLICY.time


def test_time_stamps_over_references_are_a_finding() -> None:
    found = facts_of(with_unsigned(B, "<xades:SigAndRefsTimeStamp/>"))
    assert found.findings == ("a time-stamp is not judged: SigAndRefsTimeStamp",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"Se aprob", b"Se resping", "HASH_FAILURE"),
        (b"12:00:00Z", b"13:00:00Z", "HASH_FAILURE"),
        (b'Id="sig-1-r0"', b'Id="sig-1-r0x"', "SIG_CRYPTO_FAILURE"),
        (b"ecdsa-sha256", b"ecdsa-sha1024", "CRYPTO_CONSTRAINTS_FAILURE"),
        (b'Target="#sig-1"', b'Target="#sig-2"', "FORMAT_FAILURE"),
        (b"<ds:SignedInfo>", b"<ds:Object/><ds:SignedInfo>", "FORMAT_FAILURE"),
        (b"<titlu>", b'<titlu Id="sig-1-properties">', "FORMAT_FAILURE"),
    ],
)
def test_what_was_changed_is_noticed(old: bytes, new: bytes, expected: str) -> None:
    assert old in B
    assert failure(B.replace(old, new, 1)) == expected


def test_another_certificate_than_the_named_one_is_no_signers() -> None:
    found = sign(DOCUMENT, certificate_reference=SECOND.der)
    assert facts_of(found).cms.binding is SignerBinding.MISMATCH
    assert failure(found) == "NO_SIGNING_CERTIFICATE_FOUND"
    plain = sign(DOCUMENT, properties=False)
    assert verdict(plain).level == "XML-NOT-ETSI"
    assert failure(plain) == "SIG_CONSTRAINTS_FAILURE"


def test_a_signature_that_is_over_itself_alone_is_none() -> None:
    only_itself = sign(DOCUMENT, Part("#sig-1-properties", None, (EXCLUSIVE,)))
    reference = only_itself[only_itself.index(b"<ds:Reference") : only_itself.index(b"</ds:Reference>") + 15]
    assert failure(only_itself.replace(reference, b"")) == "FORMAT_FAILURE"


# ---- signatures over a part


PART = b'<cerere><suma Id="s">10</suma></cerere>'
OVER_PART = sign(PART, Part("#s", None, (EXCLUSIVE,)))


def test_a_document_all_of_which_is_signed_in_parts_is_whole() -> None:
    assert verdict(OVER_PART).conclusion.passed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<cerere>", b"<cerere><suma>9999</suma>", "the element suma"),
        (b"<cerere>", b"<cerere>9999", "text in the element cerere"),
        (b"<cerere>", b'<cerere suma="9999">', "attributes of the element cerere"),
        (b"</ds:Signature>", b"<ds:Object><suma>9999</suma></ds:Object></ds:Signature>", "in the signature"),
    ],
)
def test_what_stands_beside_the_signed_part_makes_it_unsure(old: bytes, new: bytes, said: str) -> None:
    found = verdict(OVER_PART.replace(old, new, 1))
    assert (found.integrity, found.modification) == (Integrity.INTACT, Modification.UNKNOWN)
    assert len(found.changes) == 1
    assert said in found.changes[0]
    assert not found.conclusion.passed


def test_a_signed_part_that_was_moved_leaves_its_place_unsigned() -> None:
    """Signature wrapping: what is read at the old place is not what was signed."""
    moved = OVER_PART.replace(b'<suma Id="s">10</suma>', b"<suma>9999</suma>").replace(
        b"</ds:Signature>", b'<ds:Object><suma Id="s">10</suma></ds:Object></ds:Signature>'
    )
    found = verdict(moved)
    assert found.integrity is Integrity.INTACT
    assert found.changes == ("not under this signature: the element suma",)
    assert not found.conclusion.passed


def test_what_hides_in_an_enveloped_signature_is_found() -> None:
    hidden = B.replace(b"</ds:Signature>", b"<ds:Object><suma>9999</suma></ds:Object></ds:Signature>")
    found = verdict(hidden)
    assert (found.integrity, found.modification) == (Integrity.INTACT, Modification.UNKNOWN)
    assert found.changes == ("not under this signature: the element suma in the signature",)


def test_base64_is_over_no_tags() -> None:
    part = Part("#s", b"HOT\xd3\xae", (f"{DS}base64",))
    for inner, changes in (("SE9U 064=", 0), ("<a>SE9U</a><b>064=</b>", 1)):
        found = verdict(sign(f'<cerere><suma Id="s">{inner}</suma></cerere>'.encode(), part))
        assert found.integrity is Integrity.INTACT
        assert len(found.changes) == changes


def test_two_signatures_over_the_same_document() -> None:
    """Whoever signs second, beside the first, breaks an enveloped signature that only leaves itself out."""
    first, second = report(sign(B, signer=SECOND, identifier="sig-2")).signatures
    assert (first.field, first.integrity) == ("signature 1", Integrity.BROKEN)
    assert (second.field, second.integrity, second.signer) == ("signature 2", Integrity.INTACT, "Ion Ionescu")


def test_a_counter_signature_is_over_the_value() -> None:
    both = countersigned(T, SECOND)
    first, second = report(both).signatures
    assert (first.conclusion.passed, second.conclusion.passed) == (True, True)
    facts = read_facts(both).signatures
    assert [each.countersigns for each in facts] == ["", "signature 1"]
    wrong = countersigned(T, SECOND, over="#sig-1-properties")
    assert "counter-signature" in read_facts(wrong).signatures[1].faults[0]
    kept = archived(both, signed_octets(both), LATER)
    (stamp,) = read_facts(kept).document_timestamps
    assert (stamp.imprint_matches, stamp.countersignatures) == (True, ("signature 2",))


# ---- files beside, and containers


def test_the_file_beside_a_signature() -> None:
    act = b"HOTARARE"
    alone = sign(b"", Part("act.txt", act, (), mime="text/plain"))
    assert verdict(alone, act).conclusion.passed
    assert failure(alone, b"other") == "HASH_FAILURE"
    assert failure(alone) == "SIGNED_DATA_NOT_FOUND"
    two = sign(b"", Part("act.txt", act, ()), Part("anexa.txt", act, ()))
    assert failure(two, act) == "SIGNED_DATA_NOT_FOUND"
    with pytest.raises(InvalidArgumentError, match="several"):
        read_facts(alone, [act, act])


FILES = {"act țară.txt": b"HOTARARE", "anexa.xml": b"<a/>"}
NAMES = {"act țară.txt": "act%20%C8%9Bar%C4%83.txt", "anexa.xml": "anexa.xml"}
SIGNATURES, MANIFEST = "META-INF/signatures001.xml", "META-INF/manifest.xml"


def container(members: dict[str, bytes] | None = None, *, without: str = "", kind: str = "ASiC-E") -> bytes:
    """A container of FILES with a signature over them at B-LTA, changed as asked."""
    around = b'<asic:XAdESSignatures xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"/>'
    parts = [Part(NAMES[name], content, (), mime="text/plain") for name, content in FILES.items()]
    signature = with_material(stamped(sign(around, *parts)))
    signature = archived(signature, signed_octets(signature, *parts), LATER)
    entries = "".join(f'<file-entry full-path="{name}" media-type="text/plain"/>' for name in FILES)
    manifest = f'<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">{entries}</manifest>'
    whole = FILES | {MANIFEST: manifest.encode(), SIGNATURES: signature} | (members or {})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr("mimetype", MIMETYPES[kind])  # type: ignore[index]
        for name, content in whole.items():
            if name != without:
                zipped.writestr(name, content)
    return stream.getvalue()


def test_a_container_with_all_its_files() -> None:
    found = verdict(container())
    assert found.conclusion.passed, found.conclusion.explanation
    assert (found.field, found.level) == (SIGNATURES, "XAdES-BASELINE-LTA")
    assert found.changes == ()


@pytest.mark.parametrize(
    ("members", "without", "integrity", "expected"),
    [
        ({"anexa.xml": b"<b/>"}, "", "broken", "HASH_FAILURE"),
        ({}, "anexa.xml", "unverifiable", "SIGNED_DATA_NOT_FOUND"),
        ({"strain.txt": b""}, "", "intact", "FORMAT_FAILURE"),
        ({"strain.xml": b"<a/>"}, "anexa.xml", "broken", "FORMAT_FAILURE"),
    ],
)
def test_a_container_whose_files_are_not_those_that_were_signed(
    members: dict[str, bytes], without: str, integrity: str, expected: str
) -> None:
    changed = container(members, without=without)
    assert str(verdict(changed).integrity) == integrity
    assert failure(changed) == expected


def test_a_container_without_a_manifest_is_a_finding() -> None:
    (found,) = read_facts(container(without=MANIFEST)).signatures
    assert found.findings == ("the container has no META-INF/manifest.xml",)
    assert verdict(container(without=MANIFEST)).conclusion.passed
    assert facts_of(container()).findings == ()


def test_containers_with_something_else_for_signatures() -> None:
    for members, reason in (
        ({"META-INF/signature001.p7s": b""}, "CONTAINER_AMBIGUOUS"),
        ({"META-INF/signatures002.xml": b"<!DOCTYPE a><a/>"}, "DOCUMENT_DAMAGED"),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            read_facts(container(members))
        assert caught.value.reason == reason
    assert len(report(container({"META-INF/signatures002.xml": b"<a/>"})).signatures) == 1
    assert failure(container(kind="ASiC-S")) == "FORMAT_FAILURE"


def test_a_reference_cannot_lead_out_of_a_container() -> None:
    for uri in ("../anexa.xml", "/etc/passwd", "file:///etc/passwd", "anexa.xml#a", "%FF"):
        signature = sign(b"", Part(uri, b"<a/>", ()))
        found = read_facts(container({SIGNATURES: signature})).signatures[0]
        assert found.cms.digest_matches is False  # the files are there, and nobody signed them
        assert found.faults


# ---- hostile XML


@pytest.mark.parametrize(
    "octets",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>" * 100_000,
        b"<a",
        b"\xef\xbb\xbf<a>\xff</a>",
        "<a>".encode("utf-16"),
    ],
)
def test_xml_that_is_not_to_be_read_is_a_typed_error(octets: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_facts(octets)
    assert caught.value.reason == "DOCUMENT_DAMAGED"


def test_xml_without_signatures_has_none() -> None:
    for octets in (b"<a/>", b" <a/>", b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "<a/>".encode("utf-16")):
        assert read_facts(octets).signatures == ()


@pytest.mark.parametrize("make", [lambda: B, lambda: LTA, lambda: OVER_PART])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_ends_in_an_untyped_error(make: Callable[[], bytes], data: st.DataObject) -> None:
    octets = bytearray(make())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    try:
        report(bytes(octets))
    except PeceteError as error:
        assert error.reason in ("DOCUMENT_DAMAGED", "UNSUPPORTED_FORMAT", "DOCUMENT_EMPTY")


def test_no_flipped_octet_of_what_is_signed_goes_unnoticed() -> None:
    """Every octet of the document outside of the signature, and every one of SignedInfo."""
    start, end = B.index(b"<ds:Signature "), B.index(b"</ds:SignedInfo>")
    signed = read_enveloped(B).content
    for at in (*range(0, start, 3), *range(start, end, 7)):
        for flipped in (B[at] ^ 1, B[at] ^ 0x20):
            changed = B[:at] + bytes((flipped,)) + B[at + 1 :]
            try:
                found = report(changed).signatures
            except InvalidArgumentError:
                continue
            if any(each.conclusion.passed for each in found):  # such as other white space within a tag
                assert read_enveloped(changed).content == signed
