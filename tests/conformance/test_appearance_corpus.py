"""Pages of published attacks as they are drawn: what must be seen, and what must not raise an alarm."""

from dataclasses import replace
from pathlib import Path

import pytest

from signer.validation import read_facts
from signer.validation.facts import DocumentFacts
from tests.conformance.test_validation_corpus import CORPUS, table

pytestmark = pytest.mark.conformance


def facts(file: str) -> DocumentFacts:
    path: Path = CORPUS / "pades" / file
    if not path.is_file():
        pytest.skip("no corpus")
    return read_facts(path.read_bytes())


@pytest.mark.parametrize(
    ("file", "page"),
    [("hide.pdf", 1), ("modified_after_signature.pdf", 1), ("pdf-signed-added-page.pdf", 2)],
)
def test_what_changed_is_shown(file: str, page: int) -> None:
    (signature,) = facts(file).signatures
    assert [change.page for change in signature.visual_changes] == [page]
    assert signature.visual_changes[0].picture.startswith(b"\x89PNG")
    assert page in signature.changed_pages


@pytest.mark.parametrize(
    ("file", "pages"),
    [
        ("annotation-and-visible-change.pdf", {"page 1", "page 2"}),
        ("pades-multiple-pages-annots-overlap.pdf", {"page 8", "page 12", "page 13", "page 16"}),
    ],
)
def test_annotations_that_overlap_are_found(file: str, pages: set[str]) -> None:
    for signature in facts(file).signatures:
        told = {finding.split(":")[0] for finding in signature.findings if finding.endswith(" overlap")}
        assert told == pages


def test_pictures_make_no_verdict_of_the_corpus_stricter() -> None:
    rows = [row["file"] for row in table() if row["expect_modification"]]
    if not rows:
        pytest.skip("no corpus")
    stricter = []
    for file in rows:
        data = (CORPUS / file).read_bytes()
        seen, unseen = read_facts(data).signatures, read_facts(data, rendering=False).signatures
        bare = [replace(s, findings=(), visual_changes=(), changed_pages=()).modification for s in seen]
        if bare != [signature.modification for signature in unseen]:
            stricter.append(file)
    assert stricter == []
