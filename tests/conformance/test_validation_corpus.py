"""The engine on signed documents that other projects publish with what they expect of them."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from pecete.errors import InvalidArgumentError, PeceteError
from signer.validation import ValidationPolicy, ValidationReport, read_facts, validate
from signer.validation.certificates import load_certificate
from signer.validation.indication import Indication

pytestmark = pytest.mark.conformance

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
POLICY = ValidationPolicy((), datetime(2026, 1, 1, tzinfo=UTC), "off")
DISAGREEMENTS: dict[tuple[str, str], str] = {}
"""(file, column) where the engine says otherwise, and why."""


def table() -> list[dict[str, str]]:
    path = CORPUS / "cases.tsv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(io.StringIO(lines.read()), delimiter="\t"))
    return [row for row in rows if row["file"].startswith(("pades/", "pdfa/"))]


def cases(column: str, key: str, folders: tuple[str, ...] = ("pades/", "pdfa/")) -> list[object]:
    """Rows with something in the column; where the engine disagrees, it must go on disagreeing."""
    rows = [row for row in table() if row[column] and row["file"].startswith(folders)]
    return [as_case(row, key) for row in rows] or [pytest.param({}, marks=pytest.mark.skip("no corpus"))]


def as_case(row: dict[str, str], key: str) -> object:
    reason = DISAGREEMENTS.get((row["file"], key))
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(row, id=row["file"], marks=marks)


@cache
def report(file: str, detached: str) -> ValidationReport | PeceteError:
    given = re.search(r"-> (\S+)", detached)
    paths = [CORPUS / given[1]] if given else []
    try:
        return validate(CORPUS / file, POLICY, detached=paths)
    except PeceteError as error:
        return error


def judged(row: dict[str, str]) -> ValidationReport:
    found = report(row["file"], row["detached_content"])
    assert isinstance(found, ValidationReport), found
    return found


def agree(row: dict[str, str], found: list[str], expected: str) -> None:
    wanted = expected.split(",")
    assert len(found) == len(wanted)
    ordered = row["ordered"] == "yes"
    pairs = zip(found, wanted, strict=True) if ordered else zip(sorted(found), sorted(wanted), strict=True)
    assert all(want in ("?", have) for have, want in pairs), (found, wanted)


@pytest.mark.parametrize("row", cases("signatures_expected", "count"))
def test_every_signature_is_found_and_none_twice(row: dict[str, str]) -> None:
    found = report(row["file"], "")
    count = len(found.signatures) if isinstance(found, ValidationReport) else 0
    assert count == int(row["signatures_expected"])


@pytest.mark.parametrize("row", cases("expect_integrity", "integrity"))
def test_integrity(row: dict[str, str]) -> None:
    agree(row, [str(s.integrity) for s in judged(row).signatures], row["expect_integrity"])


@pytest.mark.parametrize("row", cases("expect_modification", "modification"))
def test_changes_after_signing(row: dict[str, str]) -> None:
    found = [str(s.modification) for s in judged(row).signatures]
    agree(row, found, row["expect_modification"])


@pytest.mark.parametrize("row", cases("level_expected", "level"))
def test_level(row: dict[str, str]) -> None:
    names = [s.level.replace("-", "_") for s in judged(row).signatures]
    assert sorted(names) == sorted(row["level_expected"].split(","))


@pytest.mark.parametrize("row", cases("expect_error", "error"))
def test_what_is_no_signature_ends_in_a_typed_error(row: dict[str, str]) -> None:
    found = report(row["file"], "")
    assert isinstance(found, InvalidArgumentError) or found.error is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("row", cases("file", "trust"))
def test_nothing_passes_without_an_anchor_and_nothing_crashes(row: dict[str, str]) -> None:
    found = report(row["file"], "")
    if isinstance(found, PeceteError):
        assert found.reason == "DOCUMENT_DAMAGED"
        return
    assert all(s.conclusion.indication is not Indication.TOTAL_PASSED for s in found.signatures)


@pytest.mark.parametrize("row", cases("expect_modification", "refused"))
def test_forbidden_changes_fail_even_where_every_certificate_is_trusted(row: dict[str, str]) -> None:
    facts = read_facts((CORPUS / row["file"]).read_bytes())
    anchors = tuple(der for s in facts.signatures for der in s.cms.certificates)
    found = validate(CORPUS / row["file"], replace(POLICY, anchors=anchors)).signatures
    for signature in found:
        if signature.modification == "forbidden":
            assert signature.conclusion.sub_indication == "FORMAT_FAILURE"
            assert signature.conclusion.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("row", cases("expect_timestamp", "timestamp"))
def test_time_stamps(row: dict[str, str]) -> None:
    found = judged(row)
    signature = [
        t.integrity == "intact" for s in found.signatures for t in s.timestamps if t.kind == "signature"
    ]
    document = [
        t.integrity == "intact" for s in found.signatures for t in s.timestamps if t.kind == "document"
    ]
    for word in row["expect_timestamp"].split():
        if word == "T:valid":
            assert any(signature or document)
        elif word == "A:valid":
            assert document and all(document)
        elif word == "A:invalid":
            assert document and not any(document)
        elif word == "T:absent":
            assert not signature
        elif word == "valid,invalid":
            assert signature == [True, False]


@pytest.mark.parametrize("row", cases("expect_indication", "indication"))
def test_indication(row: dict[str, str]) -> None:
    """With every anchor of the corpus, and each self-signed certificate of the document, trusted."""
    facts = read_facts((CORPUS / row["file"]).read_bytes())
    own = [load_certificate(der) for s in facts.signatures for der in s.cms.certificates]
    anchors = [c.der for c in own if c is not None and c.is_self_issued]
    anchors += [path.read_bytes() for path in (CORPUS / "anchors").glob("*.der")]
    found = validate(CORPUS / row["file"], replace(POLICY, anchors=tuple(anchors)))
    expected = row["expect_indication"]
    if expected == "NO_SIGNATURE_FOUND":
        assert not found.signatures
        return
    for conclusion in (signature.conclusion for signature in found.signatures):
        if expected == "not valid":
            assert not conclusion.passed
        else:
            assert f"{conclusion.indication}/{conclusion.sub_indication}".endswith(expected)
