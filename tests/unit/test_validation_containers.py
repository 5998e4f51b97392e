"""Our own engine on containers of other makers: time-stamps alone, media types, manifests that are no use."""

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError, PeceteError
from signer.asic.container import MIMETYPES, Container
from signer.asic.manifest import TIMESTAMP_TYPE, Manifest, Reference, write_manifest
from signer.validation.engine import document_facts, read_facts
from signer.validation.facts import DocumentFacts, Integrity, SignatureFacts, TimestampFacts, TimestampKind
from tests.unit.asic_containers import FILES, archived, asic_e, asic_s, members, with_material
from tests.unit.cades_signatures import LATER, signed, stamp

FIRST, SECOND = FILES
MANIFEST, SIGNATURE = "META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"
TIMESTAMP = "META-INF/timestamp001.tst"


def zipped(contents: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as container:
        for name, content in contents.items():
            container.writestr(name, content)
    return made.getvalue()


def sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def over(signature: str, names: list[str], mime_type: str = TIMESTAMP_TYPE) -> bytes:
    references = tuple(Reference(name, "", "sha256", sha256(FILES[name])) for name in names)
    return write_manifest(Manifest(signature, references), mime_type)


def stamped(names: list[str]) -> dict[str, bytes]:
    """An ASiC-E with a time-stamp over a manifest."""
    manifest = over(TIMESTAMP, names)
    return {
        "mimetype": MIMETYPES["ASiC-E"].encode(),
        **FILES,
        MANIFEST: manifest,
        TIMESTAMP: stamp(sha256(manifest), LATER),
    }


def only_stamp(contents: Mapping[str, bytes]) -> TimestampFacts:
    facts = read_facts(zipped(contents))
    assert facts.signatures == ()
    (found,) = facts.document_timestamps
    return found


def only_signature(facts: DocumentFacts) -> SignatureFacts:
    (found,) = facts.signatures
    return found


def test_a_time_stamp_over_a_manifest_is_over_its_files() -> None:
    found = only_stamp(stamped([FIRST, SECOND]))
    assert (found.kind, found.field) == (TimestampKind.DOCUMENT, TIMESTAMP)
    assert (found.integrity, found.gen_time, found.faults) == (Integrity.INTACT, LATER, ())
    changed = stamped([FIRST, SECOND]) | {FIRST: b"changed"}
    assert only_stamp(changed).integrity is Integrity.BROKEN
    missing = {name: content for name, content in stamped([FIRST, SECOND]).items() if name != FIRST}
    assert only_stamp(missing).integrity is Integrity.UNVERIFIABLE


def test_a_file_that_no_time_stamp_is_over_is_a_fault() -> None:
    assert only_stamp(stamped([FIRST])).faults == (f"no time-stamp is over the file {SECOND}",)


def test_a_time_stamp_of_an_asic_s_is_over_its_file() -> None:
    contents = {
        "mimetype": MIMETYPES["ASiC-S"].encode(),
        FIRST: FILES[FIRST],
        "META-INF/timestamp.tst": stamp(sha256(FILES[FIRST]), LATER),
    }
    assert only_stamp(contents).integrity is Integrity.INTACT
    assert only_stamp(contents | {FIRST: b"changed"}).integrity is Integrity.BROKEN
    for changes in ({"META-INF/timestamp.tst": b"nothing"}, {SECOND: b"two files"}):
        with pytest.raises(InvalidArgumentError):
            read_facts(zipped(contents | changes))


@pytest.mark.parametrize("stated", [None, *MIMETYPES.values(), "text/plain"])
def test_a_container_is_judged_where_its_media_type_does_not_stand_first(
    tmp_path: Path, stated: str | None
) -> None:
    whole = {name: content for name, content in members(asic_e(tmp_path)).items() if name != "mimetype"}
    moved = whole | ({"mimetype": stated.encode()} if stated else {})
    refusals = {MIMETYPES["ASiC-S"]: "CONTAINER_AMBIGUOUS", "text/plain": "UNSUPPORTED_FORMAT"}
    if stated in refusals:  # an ASiC-S has one file, and an ASiC-E states no other type
        with pytest.raises(InvalidArgumentError) as refused:
            read_facts(zipped(moved))
        assert refused.value.reason == refusals[stated]
        return
    found = only_signature(read_facts(zipped(moved)))
    assert found.cms.integrity is Integrity.INTACT
    assert found.findings == ("the media type does not stand first in the container",)
    with pytest.raises(InvalidArgumentError) as refused:
        Container(io.BytesIO(zipped(moved)))
    assert refused.value.reason == "DOCUMENT_NOT_ASIC"


@pytest.mark.parametrize(
    "contents", [{"a.txt": b""}, {"mimetype": b"application/epub+zip", "META-INF/container.xml": b"<x/>"}]
)
def test_another_zip_file_is_no_container(contents: dict[str, bytes]) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(zipped(contents))
    assert refused.value.reason == "UNSUPPORTED_FORMAT"


def test_a_signature_over_a_manifest_that_became_no_use_is_broken(tmp_path: Path) -> None:
    whole = members(asic_e(tmp_path))
    found = only_signature(read_facts(zipped(whole | {MANIFEST: b"bla"})))
    assert found.cms.integrity is Integrity.BROKEN
    assert found.faults[0] == "no manifest names the signature"
    gone = {name: content for name, content in whole.items() if name != MANIFEST}
    assert only_signature(read_facts(zipped(gone))).cms.integrity is Integrity.UNVERIFIABLE


def test_two_manifests_of_one_signature_are_refused(tmp_path: Path) -> None:
    whole = members(asic_e(tmp_path))
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(zipped(whole | {"META-INF/ASiCManifest002.xml": whole[MANIFEST]}))
    assert refused.value.reason == "MANIFEST_MALFORMED"


def test_an_archive_manifest_without_one_of_its_files_proves_nothing_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    whole = members(archived(with_material(asic_e(tmp_path), "lt.asice"), "lta.asice"))
    del whole[FIRST]
    facts = read_facts(zipped(whole))
    (found,) = facts.document_timestamps
    assert (found.integrity, found.imprint_matches) == (Integrity.UNVERIFIABLE, None)
    assert only_signature(facts).cms.integrity is Integrity.UNVERIFIABLE


def test_an_asic_s_without_its_file_lacks_what_was_signed(tmp_path: Path) -> None:
    whole = members(asic_s(tmp_path))
    del whole[FIRST]
    assert only_signature(read_facts(zipped(whole))).cms.integrity is Integrity.UNVERIFIABLE


def with_long_sizes(octets: bytes, size: int) -> bytes:
    """A container of one stored member whose own header has its sizes in a ZIP64 extra field."""
    name_length = struct.unpack_from("<H", octets, 26)[0]
    at = 30 + name_length
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    head = bytearray(octets[:at])
    head[18:26] = b"\xff" * 8
    head[28:30] = struct.pack("<H", len(extra))
    grown = bytes(head) + extra + octets[at:]
    end = grown.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<L", grown, end + 16)
    return grown[: end + 16] + struct.pack("<L", directory + len(extra)) + grown[end + 20 :]


@pytest.mark.parametrize(("size", "reason"), [(0, None), (1, "CONTAINER_AMBIGUOUS")])
def test_sizes_in_an_extra_field_must_be_those_of_the_directory(size: int, reason: str | None) -> None:
    content = signed()
    octets = with_long_sizes(zipped({"META-INF/signature.p7s": content}), len(content) + size)
    if reason is None:
        assert only_signature(read_facts(octets)).cms.integrity is Integrity.UNVERIFIABLE
        return
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(octets)
    assert refused.value.reason == reason


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 20), st.integers(1, 255))
def test_a_changed_octet_ends_in_facts_or_in_a_typed_error(position: int, change: int) -> None:
    octets = bytearray(CONTAINER)
    octets[position % len(octets)] ^= change
    try:
        facts = read_facts(bytes(octets))
    except PeceteError:
        return
    changed = {name: zipfile.ZipFile(io.BytesIO(octets)).read(name) for name in FILES}
    for found in facts.document_timestamps:
        assert found.integrity is not Integrity.INTACT or changed == FILES


CONTAINER = zipped(stamped([FIRST, SECOND]))


def test_a_container_in_a_file_is_read_like_one_in_memory(tmp_path: Path) -> None:
    (tmp_path / "made.asice").write_bytes(CONTAINER)
    assert document_facts(tmp_path / "made.asice", []) == read_facts(CONTAINER)
