"""The engine and DSS on the same signed files: every difference is known, and has its reason."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signer.validation.facts import DocumentFacts
from signer.validation.policy import ValidationPolicy
from tests.conformance import dss
from tests.conformance.differential import Case, certificates_in, ours, read, theirs, topmost
from tests.conformance.differential_files import ANCHORS, corpus, made
from tests.conformance.documents import CORPUS
from tests.unit.validation_documents import NOW

pytestmark = pytest.mark.conformance

TABLE = Path(__file__).with_name("dss_differences.tsv")
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
AT = datetime(2026, 1, 1, tzinfo=UTC)
AGREED = {"topmost": 482, "corpus": 497, "made": 308}
"""By anchors of how many things both say the same, so that nothing is left out in silence."""

MILDER = {"Ed25519", "Revocation not asked for"}
"""Why something passes here and not there; no other reason is one."""

NOTHING = "-"
"""Said by a side that has not what the other one tells something of."""

Row = tuple[str, str, str, str]
"""File, aspect, what this engine says, what DSS says."""

Facts = Mapping[Case, DocumentFacts | None]


def known() -> list[dict[str, str]]:
    """The rows of the table: anchors, file, what, ours, dss, why."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def expected(anchors: str) -> list[Row]:
    rows = (row for row in known() if row["anchors"] == anchors)
    return sorted((row["file"], row["what"], row["ours"], row["dss"]) for row in rows)


def asked(facts: Facts, anchors: Sequence[bytes], time: datetime) -> tuple[list[Row], int]:
    """What the two say differently, and of how many things they say the same."""
    if absence := dss.absence():
        pytest.skip(absence)
    said = dss.judge_without_revocation(
        [(case.path, case.detached) for case in facts], anchors=anchors, time=time
    )
    policy = ValidationPolicy(tuple(anchors), time, "off")
    rows = [
        (case.name, what, here.get(what, NOTHING), there.get(what, NOTHING))
        for case, found in facts.items()
        for here, there in [
            (
                ours(found, policy, is_pdf=case.name.endswith(".pdf")),
                theirs(said[case.path], is_pdf=case.name.endswith(".pdf")),
            )
        ]
        for what in {**here, **there}
    ]
    different = sorted(row for row in rows if row[2] != row[3])
    return different, len(rows) - len(different)


@pytest.fixture(scope="module")
def corpus_facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus is not at {CORPUS}")
    return {case: read(case) for case in corpus(tmp_path_factory.mktemp("corpus"))}


def test_on_the_corpus_where_the_topmost_certificates_are_trusted(corpus_facts: Facts) -> None:
    anchors = topmost(facts for facts in corpus_facts.values() if facts is not None)
    different, agreed = asked(corpus_facts, (*certificates_in(CORPUS / "anchors"), *anchors), AT)
    assert different == expected("topmost")
    assert agreed == AGREED["topmost"]


def test_on_the_corpus_where_no_more_than_its_own_anchors_are_trusted(corpus_facts: Facts) -> None:
    different, agreed = asked(corpus_facts, certificates_in(CORPUS / "anchors"), AT)
    assert different == expected("corpus")
    assert agreed == AGREED["corpus"]


def test_on_files_that_are_made_here(tmp_path: Path) -> None:
    different, agreed = asked({case: read(case) for case in made(tmp_path)}, ANCHORS, NOW)
    assert different == expected("made")
    assert agreed == AGREED["made"]


def test_what_passes_here_alone_has_one_of_few_reasons() -> None:
    milder = {row["why"] for row in known() if "PASSED" in row["ours"] and "PASSED" not in row["dss"]}
    assert milder == MILDER


def test_what_passes_for_want_of_asking_does_not_where_revocation_is_asked_for(corpus_facts: Facts) -> None:
    names = {row["file"] for row in known() if row["why"] == "Revocation not asked for"}
    policy = ValidationPolicy(certificates_in(CORPUS / "anchors"), AT, "required")
    found = {case.name: ours(facts, policy, is_pdf=False) for case, facts in corpus_facts.items()}
    assert {found[name]["signature verdict"] for name in names} == {"INDETERMINATE/TRY_LATER"}


def test_every_reason_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [why for why in {row["why"] for row in known()} if f"**{why}**" not in page] == []
