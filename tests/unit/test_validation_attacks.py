"""Attacks on verdicts: what must not pass, prove a time, or cost without bound, each as by an attacker."""

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pecete.errors import InvalidArgumentError
from signer.algorithms import DIGEST_ENDS
from signer.asic.manifest import Manifest, Reference, write_manifest
from signer.cades.signing import enclose, octets_content, sign_content
from signer.der import SEQUENCE, SET, tlv
from signer.validation import judge_facts, read_facts
from signer.validation.der import DerError, oid, read
from signer.validation.engine import document_facts
from signer.validation.facts import Integrity
from signer.validation.policy import AlgorithmPolicy
from signer.validation.signed_data import ARCHIVE_TIME_STAMP_V3, read_signed_data
from tests.unit.asic_containers import FILES, asic_e, further, members
from tests.unit.cades_signatures import CONTENT, LATER, OPTIONS, P256, P384, long_term, signed, stamp
from tests.unit.test_validation_asic import rezipped
from tests.unit.test_validation_containers import stamped as time_stamped_container
from tests.unit.test_validation_containers import zipped
from tests.unit.test_validation_proofs import EXTERNAL, evidenced, with_attribute
from tests.unit.test_validation_xades import LTA, POLICY
from tests.unit.validation_documents import SIGNED, stamped
from tests.unit.xades_signatures import stamped as with_signature_timestamp

DAY = timedelta(days=1)


def test_a_document_signed_by_its_sha1_alone_rests_on_sha1() -> None:
    """adbe.pkcs7.sha1: two documents with one SHA-1 have one signature, whatever digest is around that."""
    document = stamped().replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.sha1    ")
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)", document)
    assert found is not None
    gap, after, length = (int(each) for each in found.groups())
    content = hashlib.sha1(document[:gap] + document[after : after + length]).digest()  # noqa: S324
    around = enclose(sign_content(octets_content(content), P256, OPTIONS), None, len(content))
    written = (around.head + content + around.tail).hex().encode().ljust(after - gap - 2, b"0")
    forged = document[: gap + 1] + written + document[after - 1 :]
    facts = read_facts(forged)
    (signature,) = facts.signatures
    assert signature.cms.integrity is Integrity.INTACT
    assert "sha1" in {use.digest for use in signature.cms.algorithms}
    (verdict,) = judge_facts(facts, POLICY).signatures
    assert not verdict.conclusion.passed


def test_a_signature_time_stamp_put_in_after_the_archive_time_stamp_is_not_proven_by_it() -> None:
    """Whose authority's key was stolen later could date a signature back with it."""
    (signature,) = judge_facts(read_facts(LTA), POLICY).signatures
    assert signature.level == "XAdES-BASELINE-LTA"
    forged = read_facts(with_signature_timestamp(LTA, SIGNED - DAY))
    (archive,) = forged.document_timestamps
    assert (archive.integrity, archive.covered) == (Integrity.INTACT, 0)
    (verdict,) = judge_facts(forged, POLICY).signatures
    assert len(verdict.timestamps) == 2, "not over the archive's"
    assert verdict.level != "XAdES-BASELINE-LTA"


def test_a_record_over_one_signature_says_nothing_of_one_whose_file_has_a_longer_name(tmp_path: Path) -> None:
    first, added = "META-INF/signature001.p7s", "META-INF/signature001.p7s more.p7s"
    path = further(asic_e(tmp_path), P384, "two.asice")
    second = next(name for name in members(path) if name.endswith("002.p7s"))
    manifest = next(name for name in members(path) if name.endswith("Manifest002.xml"))
    whole = members(path)
    renamed = whole[manifest].replace(second.encode(), added.encode())
    assert renamed != whole[manifest]
    path = rezipped(path, {second: None, manifest: renamed, added: whole[second]})
    (record,) = document_facts(evidenced(path, [*FILES, first]), []).evidence_records
    assert (record.integrity, record.covers) == (Integrity.INTACT, (first,))


def test_a_time_stamp_over_files_by_a_weak_digest_is_not_believed() -> None:
    """Of two files with one digest the one can be shown for the other, whatever the time-stamp's own is."""
    name, over = "META-INF/timestamp001.tst", "META-INF/ASiCManifest001.xml"
    references = tuple(
        Reference(each, "", "", hashlib.sha224(content).digest()) for each, content in FILES.items()
    )
    manifest = write_manifest(Manifest(name, references)).replace(
        b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2001/04/xmldsig-more#sha224"
    )
    token = stamp(hashlib.sha256(manifest).digest(), LATER)
    facts = read_facts(zipped(time_stamped_container(list(FILES)) | {over: manifest, name: token}))
    (verdict,) = judge_facts(facts, POLICY).document_timestamps
    assert verdict.conclusion.passed
    ended = AlgorithmPolicy(digests={**DIGEST_ENDS, "sha224": SIGNED})
    (verdict,) = judge_facts(facts, replace(POLICY, algorithms=ended)).document_timestamps
    assert verdict.integrity is Integrity.INTACT
    assert not verdict.conclusion.passed


def test_an_endless_object_identifier_is_refused_at_once() -> None:
    with pytest.raises(DerError, match="object identifier"):
        oid(read(b"\x06\x84\x04\x00\x00\x00" + b"\xff" * (1 << 26)))


def test_a_signature_full_of_evidence_records_is_refused_at_once() -> None:
    """Each is over a copy of all the rest, so that work grows with the square of their number."""
    values = tlv(SET, *[tlv(SEQUENCE)] * 200_000)
    with pytest.raises(InvalidArgumentError, match="more evidence records"):
        read_facts(with_attribute(signed(), tlv(SEQUENCE, EXTERNAL, values)), [CONTENT])


def test_a_signature_full_of_archive_time_stamps_is_refused_at_once() -> None:
    """The index of each could list all that is in the signature, the others with it."""
    cms = long_term(signed())
    (stored,) = read_signed_data(cms).signers[0].unsigned(ARCHIVE_TIME_STAMP_V3)
    values = tlv(SET, *stored.values * 2_000)
    with pytest.raises(InvalidArgumentError, match="more archive time-stamps"):
        read_facts(with_attribute(cms, tlv(SEQUENCE, stored.kind_element, values)), [CONTENT])
