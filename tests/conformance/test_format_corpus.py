"""CAdES, ASiC, time-stamps and evidence records of other projects: every expectation of the table."""

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from pecete.errors import FailedPreconditionError, InvalidArgumentError, PeceteError
from server.augmenting import require_intact
from signer.validation import ValidationPolicy, validate
from signer.validation.certificates import load_certificate
from signer.validation.engine import document_facts, judge_facts
from signer.validation.facts import DocumentFacts, Integrity, TimestampFacts, TimestampKind
from signer.validation.indication import SubIndication
from signer.validation.judgement import Judgement
from signer.validation.plain import from_plain, to_plain
from signer.validation.survey import survey

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CASES = CORPUS / "cases.tsv"
pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not CASES.exists(), reason=f"the corpus is not at {CORPUS}"),
]
POLICY = ValidationPolicy((), datetime(2026, 1, 1, tzinfo=UTC), "off")
TEXT = re.compile(r'text "([^"]*)"')
DISPUTED_LEVELS = {"cades/cades-lta-copied-atst.p7m": "CAdES-BASELINE-LT"}
"""An archive time-stamp that has no index says of nothing that it is over it, so it makes no B-LTA."""

FILE = re.compile(r"-> (\S+)")


def rows() -> list[dict[str, str]]:
    if not CASES.exists():
        return []
    with CASES.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines, delimiter="\t"))
    return [row for row in found if is_ours(row)]


def is_ours(row: dict[str, str]) -> bool:
    """CAdES, containers without XAdES, proofs alone, and what has an evidence record."""
    ours = row["file"].startswith(("asic/", "cades/", "timestamps/")) and "xades" not in row["kind"]
    return ours or bool(row["expect_evidence_record"])


ROWS = rows()


def cases(column: str) -> list[object]:
    return [pytest.param(row, id=row["file"]) for row in ROWS if row[column]]


@cache
def facts_of(file: str, detached: str, folder: Path) -> DocumentFacts:
    """The facts of a file with its detached content, which the table gives as text or as a file."""
    text, given = TEXT.search(detached), FILE.search(detached)
    paths = [CORPUS / given[1]] if given else []
    if text:
        paths = [folder / "content"]
        paths[0].write_text(text[1])
    return document_facts(CORPUS / file, paths)


@pytest.fixture
def facts(row: dict[str, str], tmp_path: Path) -> DocumentFacts:
    return facts_of(row["file"], row["detached_content"], tmp_path)


@pytest.mark.parametrize("row", cases("signatures_expected"))
def test_every_signature_is_found_and_none_twice(row: dict[str, str], tmp_path: Path) -> None:
    own, _, counter = row["signatures_expected"].removesuffix("c").partition("+")
    try:
        found = facts_of(row["file"], row["detached_content"], tmp_path).signatures
    except PeceteError:
        assert row["expect_error"]
        found = ()
    assert sum(1 for each in found if not each.countersigns) == int(own)
    assert sum(1 for each in found if each.countersigns) == int(counter or 0)
    fields = [each.field for each in found]
    assert len(set(fields)) == len(fields)
    assert all(each.countersigns in (*fields, "signer 1") for each in found if each.countersigns)


@pytest.mark.parametrize("row", cases("expect_integrity"))
def test_integrity(row: dict[str, str], facts: DocumentFacts) -> None:
    found = sorted(str(each.cms.integrity) for each in facts.signatures)
    assert found == sorted(row["expect_integrity"].split(","))


@pytest.mark.parametrize("row", cases("level_expected"))
def test_levels(row: dict[str, str], facts: DocumentFacts) -> None:
    found = sorted(each.level for each in judge_facts(facts, POLICY).signatures)
    expected = sorted(name.replace("_", "-") for name in row["level_expected"].split(","))
    if "(main signature)" in row["level_expected"]:
        assert found[-1:] == [expected[0].removesuffix(" (main signature)")]
    elif row["file"] in DISPUTED_LEVELS:
        assert found == [DISPUTED_LEVELS[row["file"]]] != expected
    else:
        assert found == expected


@pytest.mark.parametrize("row", cases("expect_error"))
def test_what_is_malformed_ends_in_a_typed_error(row: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError):
        document_facts(CORPUS / row["file"], [])


def stamps(facts: DocumentFacts, *kinds: TimestampKind) -> list[TimestampFacts]:
    own = (stamp for signature in facts.signatures for stamp in signature.timestamps)
    return [stamp for stamp in (*own, *facts.document_timestamps) if stamp.kind in kinds]


@pytest.mark.parametrize("row", cases("expect_timestamp"))
def test_time_stamps(row: dict[str, str], facts: DocumentFacts) -> None:
    signature = [each.integrity for each in stamps(facts, TimestampKind.SIGNATURE)]
    around = [each.integrity for each in stamps(facts, TimestampKind.DOCUMENT, TimestampKind.ARCHIVE)]
    holds = {"valid": Integrity.INTACT, "invalid": Integrity.BROKEN}
    expected = row["expect_timestamp"]
    if expected == "3 timestamps":
        assert around == [Integrity.INTACT] * 3
    elif expected == "A: ats-hash-index invalid":
        # The other one is an archive-time-stamp-v2: found, and not judged.
        assert sorted(around) == [Integrity.BROKEN, Integrity.UNVERIFIABLE]
    elif ":" not in expected:
        assert around == [holds[word] for word in expected.split(",")]
    for word in expected.split() if "T:" in expected or "A:v" in expected else ():
        kind, _, state = word.partition(":")
        assert (signature if kind == "T" else around) == [holds[state]]


@pytest.mark.parametrize("row", cases("expect_evidence_record"))
def test_evidence_records(row: dict[str, str], facts: DocumentFacts) -> None:
    (record,) = facts.evidence_records
    assert record.integrity == row["expect_evidence_record"].split()[0]
    assert all(stamp.integrity is Integrity.INTACT for stamp in record.timestamps)
    if record.integrity is Integrity.INTACT:
        assert record.covers == tuple(signature.field for signature in facts.signatures)
        assert record.files and not record.failing_check
    else:
        assert record.failing_check and not record.covers
    if "data-missing" in row["expect_evidence_record"]:
        (bare,) = document_facts(CORPUS / row["file"], []).evidence_records
        assert (bare.integrity, bare.covers) == (Integrity.UNVERIFIABLE, ())


@pytest.mark.parametrize("row", cases("expect_indication"))
def test_indications(row: dict[str, str], facts: DocumentFacts) -> None:
    """With every anchor of the corpus, and each self-signed certificate of the file, trusted."""
    own = [load_certificate(der) for s in facts.signatures for der in s.cms.certificates]
    anchors = [c.der for c in own if c is not None and c.is_self_issued]
    anchors += [path.read_bytes() for path in (CORPUS / "anchors").glob("*.der")]
    judgement = Judgement(facts, replace(POLICY, anchors=tuple(anchors)))
    whole = [verdict.conclusion for _, verdict in judgement.document_timestamps]
    expected = row["expect_indication"]
    if expected == "0 signatures, 1 timestamp":
        assert (len(facts.signatures), len(whole)) == (0, 1)
    elif expected.startswith("TST "):
        assert [f"TST {each.indication}/{each.sub_indication}" for each in whole] == [expected]
    elif expected.startswith("ER "):
        assert [each.integrity for each in facts.evidence_records] == [Integrity.BROKEN]
    else:
        verdicts = [judgement.signature(each).conclusion for each in facts.signatures]
        assert [f"{each.indication}/{each.sub_indication}" for each in verdicts] == [expected]


@pytest.mark.parametrize("row", [r for r in ROWS if r["must_refuse"]], ids=lambda row: row["file"])
def test_what_must_be_refused(row: dict[str, str]) -> None:
    assert row["must_refuse"] == "extension to BASELINE_LT"
    with pytest.raises(FailedPreconditionError) as refused:
        require_intact(survey(CORPUS / row["file"], POLICY, ""))
    assert refused.value.reason == "TIMESTAMP_NOT_INTACT"


@pytest.mark.parametrize("row", cases("file"))
def test_facts_survive_being_kept_and_nothing_passes_without_an_anchor(
    row: dict[str, str], tmp_path: Path
) -> None:
    try:
        found = facts_of(row["file"], row["detached_content"], tmp_path)
    except PeceteError:
        assert row["expect_error"]
        return
    assert from_plain(DocumentFacts, to_plain(found)) == found
    judgement = Judgement(found, POLICY)
    assert not any(judgement.signature(each).conclusion.passed for each in found.signatures)
    assert not any(verdict.conclusion.passed for _, verdict in judgement.document_timestamps)


def test_other_content_breaks_a_detached_signature(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"Bye World")
    (verdict,) = validate(
        CORPUS / "cades" / "cades-detached.pkcs7", POLICY, detached=[tmp_path / "other"]
    ).signatures
    assert verdict.conclusion.sub_indication is SubIndication.HASH_FAILURE


def test_a_certificate_that_breaks_a_rule_is_no_signers_though_its_key_verifies() -> None:
    """One of its extensions has a length that is not the shortest (DER, X.690 §10.1)."""
    file = CORPUS / "cades" / "BER_reordered_prova.txt.p7m"
    assert b"\x30\x81\x0e\x06\x0c\x2b\x06\x01\x04\x01\x81\xe8\x2d" in file.read_bytes()
    (verdict,) = validate(file, POLICY).signatures
    assert verdict.integrity is Integrity.INTACT
    assert verdict.conclusion.sub_indication is SubIndication.NO_SIGNING_CERTIFICATE_FOUND


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("test_tsa-response.tsr", b"hello", "intact"),
        ("sigstage-response-sha512.tsr", b"hello", "intact"),
        ("sigstage-response-sha256.tsr", b"not-the-correct-message", "broken"),
        ("sigstage-response-invalid-signature.tsr", b"hello", "broken"),
        ("identrust-issue-104.tsr", b"hello", "intact"),
    ],
)
def test_time_stamps_alone(tmp_path: Path, name: str, text: bytes, expected: str) -> None:
    content = tmp_path / "content"
    content.write_bytes(text)
    (stamp,) = document_facts(CORPUS / "timestamps" / name, [content]).document_timestamps
    # The authority's certificate is beside the response where it is not in it.
    assert stamp.integrity in (expected, Integrity.UNVERIFIABLE)
    assert stamp.imprint_matches is (text == b"hello")
    if stamp.cms.signer_certificate:
        assert stamp.integrity == expected
    (bare,) = document_facts(CORPUS / "timestamps" / name, []).document_timestamps
    assert bare.imprint_matches is None
