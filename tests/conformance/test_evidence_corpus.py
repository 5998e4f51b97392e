"""Evidence records that other projects publish, with the verdicts that their own tests expect."""

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pecete.cli import app
from pecete.evidence.evidence_verification import (
    Check,
    DataObject,
    SignatureState,
    Verdict,
    verify_evidence_record,
)

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CASES = CORPUS / "evidence-records" / "cases.tsv"
pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not CASES.exists(), reason=f"the corpus is not at {CORPUS}"),
]
AT = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = {
    "ASN.1 structure": Check.STRUCTURE,
    "empty sequence": Check.STRUCTURE,
    "not a sequence": Check.STRUCTURE,
    "digestAlgorithm as a primitive": Check.STRUCTURE,
    "version number": Check.VERSION,
    "second object is not covered": Check.OBJECT_COVERED,
    "no given object is covered": Check.OBJECT_COVERED,
    "object not covered": Check.OBJECT_COVERED,
    "no object given": Check.OBJECT_GIVEN,
    "object missing from the renewed hash tree": Check.HASH_TREE_RENEWAL,
    "message imprint of the time-stamp does not match the hash tree": Check.MESSAGE_IMPRINT,
}
UNSIGNED = ("bc-foo.ers", "1_0_Initial.er", "1_1_Renew_Unsorted.er", "testRenewal.ers")
"""Records with a time-stamp whose certificate is nowhere, or whose digest is weak (SHA-224)."""

ROWS = (
    list(csv.DictReader(CASES.open(encoding="utf-8", newline=""), delimiter="\t")) if CASES.exists() else []
)


def objects(row: dict[str, str]) -> list[DataObject]:
    found = []
    for item in row["data_objects"].split():
        parts = (part.split(":") for part in item.split("+"))
        found.append(DataObject(item, {name: bytes.fromhex(value) for name, value in parts}))
    return found


def case_name(row: dict[str, str]) -> str:
    return f"{Path(row['file']).name} {row['expected_verdict']}"


@pytest.mark.parametrize("row", ROWS, ids=case_name)
def test_every_record_gets_its_verdict_and_the_failing_check(row: dict[str, str]) -> None:
    found = verify_evidence_record((CORPUS / row["file"]).read_bytes(), objects(row), at=AT)
    assert found.verdict == row["expected_verdict"], found.fault
    assert (found.fault and found.fault.check) == CHECKS.get(row["failing_check"])
    assert (found.fault is None) == (row["expected_verdict"] == "intact")
    if found.verdict is not Verdict.MALFORMED:
        assert ",".join(stamp.renewal for stamp in found.timestamps) == row["timestamps"]
    counts = row["found_orphan_first"].split("/")
    if len(counts) == 2:
        assert [str(len(found.covered)), str(found.unknown)] == counts
    weak = Path(row["file"]).name in UNSIGNED or row["expected_verdict"] == "broken"
    assert weak or all(stamp.signature is SignatureState.VALID for stamp in found.timestamps)


@pytest.mark.parametrize("row", ROWS, ids=case_name)
def test_the_command_says_the_same(row: dict[str, str]) -> None:
    digests = [part for item in row["data_objects"].split() for part in ("--digest", item)]
    arguments = ["verify-evidence", str(CORPUS / row["file"]), *digests, "--json", "--time", AT.isoformat()]
    result = CliRunner().invoke(app, arguments)
    shown = json.loads(result.stdout)
    assert shown["verdict"] == row["expected_verdict"]
    assert shown["failing_check"] == CHECKS.get(row["failing_check"])
    assert result.exit_code == (0 if row["expected_verdict"] == "intact" else 1)


def test_files_are_hashed_by_every_algorithm_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"\x03")
    record = str(CORPUS / "evidence-records" / "er-asn1-full-renewal.ers")
    result = CliRunner().invoke(app, ["verify-evidence", record, "--data", str(tmp_path / "data"), "--json"])
    shown = json.loads(result.stdout)
    assert (shown["verdict"], shown["covered"]) == ("intact", [str(tmp_path / "data")])
    assert shown["existed_by"] == "2022-08-23T12:47:20+00:00"


def test_a_digest_by_one_algorithm_does_not_prove_a_renewed_tree() -> None:
    record = (CORPUS / "evidence-records" / "er-asn1-full-renewal.ers").read_bytes()
    found = verify_evidence_record(record, [DataObject("a", {"sha256": hashlib.sha256(b"\x03").digest()})])
    assert found.verdict is Verdict.DATA_MISSING
    assert found.fault and found.fault.check is Check.OBJECT_DIGEST


def test_a_stranger_as_trust_anchor_is_trusted_with_nothing() -> None:
    row = next(row for row in ROWS if row["expected_verdict"] == "intact")
    anchor = (CORPUS / "anchors" / "44653083cc8e3a7d.der").read_bytes()
    found = verify_evidence_record((CORPUS / row["file"]).read_bytes(), objects(row), trust=[anchor], at=AT)
    assert found.verdict is Verdict.BROKEN
    assert found.fault and found.fault.check is Check.TIMESTAMP_TRUST
    assert [stamp.trusted for stamp in found.timestamps] == [False] * len(found.timestamps)
