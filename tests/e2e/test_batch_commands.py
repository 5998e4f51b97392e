"""`pecete sign` of many targets: with a key of the service and with a token in this machine, one PIN each."""

import json
import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pecete.client import Client
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.workflow.v1.workflow_pb2 import STEP_STATE_DUE, STEP_STATE_SIGNED
from server.initialise import CREDENTIALS
from server.trial import DEPARTMENT, SEAL, TrialServer, running_server
from tests.e2e.desk import (
    ANA,
    PECETE,
    Desk,
    Terminal,
    make_desk,
    make_dossier,
    make_hall,
    make_procedure,
    sign_at_desk,
)
from tests.e2e.observation import count_documents, journal

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="module")
def server(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    hall = make_hall(tmp_path_factory.mktemp("city"), desk)
    with running_server(hall, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


@pytest.fixture
def files(disposition: Path, tmp_path: Path) -> list[Path]:
    """Give acts that differ in a comment at their end."""
    acts = [tmp_path / f"act-{number}.pdf" for number in range(5)]
    for number, act in enumerate(acts):
        act.write_bytes(disposition.read_bytes() + b"%% act %d\n" % number)
    return acts


def results(done: Terminal) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done.output)["results"]
    return found


def reasons(done: Terminal) -> list[str]:
    """Give the reason for which each target is not signed, "" where it is."""
    found = []
    for each in results(done):
        error = each.get("error")
        found.append(str(error["reason"]) if isinstance(error, dict) else "")
    return found


def sign_with_seal(server: TrialServer, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PECETE_SERVER": server.addresses["grpc"],
        "PECETE_CREDENTIALS": str(server.trial.directory / CREDENTIALS),
        "PECETE_TOKEN": server.trial.api_tokens[DEPARTMENT],
    }
    key = server.trial.signing_key(SEAL)
    command = [str(part) for part in (PECETE, "sign", "--key", key, *arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_files_are_signed_with_a_key_of_the_service(
    server: TrialServer, department: Client, files: list[Path], tmp_path: Path
) -> None:
    done = sign_with_seal(server, *files, "--out", tmp_path / "signed")
    assert done.returncode == 0, done.stderr
    assert "5 signed" in done.stdout
    for file in files:
        signed = tmp_path / "signed" / f"{file.stem}-signed.pdf"
        assert signed.read_bytes().startswith(file.read_bytes())
    (verdict,) = department.validate(tmp_path / "signed" / "act-4-signed.pdf").signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED


def test_a_bad_file_fails_alone_and_the_exit_code_says_so(
    server: TrialServer, files: list[Path], tmp_path: Path
) -> None:
    files[2].write_bytes(b"%PDF-1.7\nnothing that belongs together")
    first = sign_with_seal(server, *files, "--out", tmp_path / "signed", "--json", "--request-id", "cli-1")
    assert first.returncode == 1
    found = json.loads(first.stdout)
    assert found["request_id"] == "cli-1"
    assert ["error" in each for each in found["results"]] == [False, False, True, False, False]
    before = count_documents(server.trial)
    again = sign_with_seal(server, *files, "--out", tmp_path / "again", "--json", "--request-id", "cli-1")
    names = [[each.get("document") for each in json.loads(done.stdout)["results"]] for done in (first, again)]
    assert names[0] == names[1]
    assert count_documents(server.trial) == before


def test_acts_and_a_step_are_shown_and_signed_with_one_pin(
    server: TrialServer, department: Client, desk: Desk, disposition: Path, files: list[Path], tmp_path: Path
) -> None:
    dossier = make_dossier(department, make_procedure(server, desk), disposition)
    step = f"{dossier.name}/steps/1"
    arguments: list[str | Path] = [step, *files[1:], "--level", "B-LTA", "--json", "--out"]
    done = sign_at_desk(
        server, desk, ANA, files[0], *arguments, tmp_path / "signed", "--request-id", "evening-1"
    )
    assert done.code == 0, done.shown
    assert done.shown.count("in order to sign: ") == 1
    assert "[6 of 6]" in done.shown and done.shown.count("No earlier signatures") == 6
    for file in files:
        assert sha256(file.read_bytes()).hexdigest() in done.shown
        (verdict,) = department.validate(tmp_path / "signed" / f"{file.stem}-signed.pdf").signatures
        assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-LTA")
    after = department.get_dossier(dossier.name)
    assert [each.state for each in after.steps] == [STEP_STATE_SIGNED, STEP_STATE_DUE]

    acts = len(journal(server.trial))
    again = sign_at_desk(
        server, desk, ANA, files[0], *arguments, tmp_path / "again", "--request-id", "evening-1"
    )
    assert again.code == 0, again.shown
    assert "in order to sign: " not in again.shown
    assert [each["document"] for each in results(again)] == [each["document"] for each in results(done)]
    created = [entry.act for entry in journal(server.trial)[acts:]]
    assert "signature.create" not in created


def test_a_wrong_pin_is_tried_once_and_the_rest_is_not_attempted(
    server: TrialServer, desk: Desk, files: list[Path], tmp_path: Path
) -> None:
    arguments: list[str | Path] = [*files[1:], "--out", tmp_path / "signed", "--level", "B-B", "--json"]
    wrong = sign_at_desk(server, desk, ANA, files[0], *arguments, "--request-id", "pin-1", pin="00000000")
    assert wrong.code == 1
    assert reasons(wrong) == ["PIN_INCORRECT", *["BATCH_STOPPED"] * 4]
    assert not (tmp_path / "signed").exists()
    right = sign_at_desk(server, desk, ANA, files[0], *arguments, "--request-id", "pin-1")
    assert right.code == 0, right.shown
    assert reasons(right) == [""] * 5
    assert desk.token(ANA).pin not in right.shown + right.output
