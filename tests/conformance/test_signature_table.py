"""Every form, key and level before every judge; docs/conformance-signatures.md says what came of it."""

from collections.abc import Mapping

import pytest

from tests.conformance.dss import policy_with_eddsa
from tests.conformance.signature_files import SignedFile, make_files
from tests.conformance.signature_judges import JUDGES, UNABLE, Verdict, ask_dss
from tests.conformance.signature_page import (
    MEASURED,
    NOT_JUDGED,
    NOT_RUN,
    PAGE,
    differences,
    read_page,
    render_page,
    row_of,
)
from tests.conformance.signing_city_hall import CityHall

pytestmark = pytest.mark.conformance

Said = Mapping[str, Mapping[SignedFile, Verdict]]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> CityHall:
    return CityHall(tmp_path_factory.mktemp("city") / "hall")


@pytest.fixture(scope="module")
def files_and_verdicts(
    hall: CityHall, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[SignedFile], Said]:
    folder = tmp_path_factory.mktemp("signed")
    files = make_files(hall, folder)
    present = {name: judge for name, judge in JUDGES.items() if not judge.absence()}
    return files, {name: dict(judge.verdicts(hall, files)) for name, judge in present.items()}


@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_passes_every_signature_but_none_that_was_tampered_with(
    files_and_verdicts: tuple[list[SignedFile], Said], name: str
) -> None:
    if absence := JUDGES[name].absence():
        pytest.skip(absence)
    verdicts = files_and_verdicts[1][name]
    wrong = {
        row_of(file): verdict
        for file, verdict in verdicts.items()
        if verdict.passed is (file.is_tampered or (name, file.key) in UNABLE)
    }
    assert not wrong
    assert {file.is_tampered for file in verdicts} == {False, True}


def test_dss_passes_ed25519_where_its_policy_lists_it(
    hall: CityHall, files_and_verdicts: tuple[list[SignedFile], Said]
) -> None:
    if absence := JUDGES["DSS"].absence():
        pytest.skip(absence)
    files = [file for file in files_and_verdicts[0] if file.key == "Ed25519"]
    verdicts = dict(ask_dss(hall, files, policy=policy_with_eddsa()))
    wrong = {
        row_of(file): verdict for file, verdict in verdicts.items() if verdict.passed is file.is_tampered
    }
    assert not wrong
    assert {file.is_tampered for file in verdicts} == {False, True}


def test_the_page_says_what_the_judges_said(files_and_verdicts: tuple[list[SignedFile], Said]) -> None:
    files, said = files_and_verdicts
    stated, versions = read_page(PAGE)
    table = {row_of(file): cells(file, said, stated.get(row_of(file), {})) for file in files}
    now = {name: JUDGES[name].version() for name in said}
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(render_page(table, versions | now), encoding="utf-8")
    assert list(differences(stated, table)) == [], f"see {MEASURED}"
    assert PAGE.read_text(encoding="utf-8") == render_page(table, versions), f"see {MEASURED}"


def cells(file: SignedFile, said: Said, before: Mapping[str, str]) -> dict[str, str]:
    """What each judge said of a file; of one that is not on this machine, what it said before."""
    row = {}
    for name in JUDGES:
        if name not in said:
            row[name] = before.get(name, NOT_RUN)
        else:
            row[name] = said[name][file].words if file in said[name] else NOT_JUDGED
    return row
