"""Two HSMs that hold one key: one is pulled, the other signs within the call, and all is told."""

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pecete.client import Client
from pecete.errors import UnavailableError
from pecete.retry import RetryPolicy
from pecete.signing.v1 import signing_pb2
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from softhsm.provision import CITY_HALL
from tests.e2e.hsm_replica import copy_token, token_folder
from tests.e2e.observation import journal, until

pytestmark = pytest.mark.e2e

COPY = "sigiliu-2"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas") / "softhsm" / "tokens"


@pytest.fixture(scope="module")
def server(tokens: Path) -> Iterator[TrialServer]:
    """A city hall whose seal is in two tokens."""
    folder = tokens.parent.parent
    trial = make_trial(folder, Settings(plans=CITY_HALL[3:], workers=2))
    copy_token(tokens, SEAL, COPY)
    text = trial.configuration.read_text(encoding="utf-8")
    (seal,) = re.findall(rf'\[\[tokens\]\]\nname = "{SEAL}"\n(?:.+\n)+', text)
    copy = seal.replace(f'"{SEAL}"', f'"{COPY}"')
    trial.configuration.write_text(text.replace(seal, f"{seal}\n{copy}"), encoding="utf-8")
    with running_server(trial, folder / "server.log") as running:
        yield running


@contextmanager
def pulled(tokens: Path, *labels: str) -> Iterator[None]:
    """Keep tokens away."""
    away = tokens.with_name("away")
    away.mkdir()
    folders = [token_folder(tokens, label) for label in labels]
    for folder in folders:
        folder.rename(away / folder.name)
    try:
        yield
    finally:
        for folder in folders:
            (away / folder.name).rename(folder)
        away.rmdir()


@contextmanager
def once(server: TrialServer) -> Iterator[Client]:
    """Connect as the department, with a client that tries nothing again."""
    credentials = server.credentials(DEPARTMENT)
    with Client(server.addresses["grpc"], credentials, retry=RetryPolicy(attempts=1)) as client:
        yield client


def health(server: TrialServer) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{server.addresses['metrics']}/healthz") as answer:
        found: dict[str, str] = json.load(answer)
    return found


def figure(server: TrialServer, name: str) -> float:
    with urllib.request.urlopen(f"http://{server.addresses['metrics']}/metrics") as answer:
        found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def sign(server: TrialServer, document: str, request_id: str) -> None:
    """Sign in one try, and see that exactly one valid signature came of it."""
    with once(server) as department:
        made = department.sign(document, server.trial.signing_key(SEAL), level="B-B", request_id=request_id)
        (verdict,) = department.validate(made.document.name).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED
    acts = [each.act for each in journal(server.trial) if each.request_id == request_id]
    assert acts.count("signature.create") == 1


def all_well(server: TrialServer) -> None:
    until("health", lambda: health(server)["service"] == "ok")


def test_two_tokens_are_one_key(server: TrialServer, disposition: Path) -> None:
    all_well(server)
    with once(server) as department:
        (key,) = department.list_signing_keys()
    assert (key.token, list(key.replicas)) == (SEAL, [COPY])
    assert key.token_state == signing_pb2.TOKEN_STATE_READY


def test_a_pulled_hsm_is_replaced_within_the_call_and_taken_back(
    server: TrialServer, tokens: Path, disposition: Path
) -> None:
    all_well(server)
    with once(server) as department:
        document = department.upload(disposition).name
    sign(server, document, "before")
    failovers = f'pecete_token_failovers_total{{token="{SEAL}"}}'
    up = f'pecete_token_up{{token="{SEAL}"}}'
    before = figure(server, failovers)
    with pulled(tokens, SEAL):
        sign(server, document, "pulled")
        assert (figure(server, failovers), figure(server, up)) == (before + 1, 0)
        states = health(server)
        assert (states["service"], states[f"tokens/{SEAL}"]) == ("degraded", "TOKEN_NOT_PRESENT")
        assert states[f"tokens/{COPY}"] == "ok"
        with once(server) as department:
            (key,) = department.list_signing_keys()
        assert (key.token, list(key.replicas), key.token_fault) == (COPY, [SEAL], "")
        sign(server, document, "still pulled")
        assert figure(server, failovers) == before + 1, "who is known to be away is asked last"
    all_well(server)
    assert figure(server, up) == 1
    assert figure(server, f'pecete_token_recoveries_total{{token="{SEAL}"}}') >= 1
    sign(server, document, "after")


def test_without_any_token_the_call_fails_and_names_it(
    server: TrialServer, tokens: Path, disposition: Path
) -> None:
    all_well(server)
    with once(server) as department, pulled(tokens, SEAL, COPY):
        document = department.upload(disposition).name
        with pytest.raises(UnavailableError) as caught:
            department.sign(document, server.trial.signing_key(SEAL), level="B-B")
        assert caught.value.reason == "TOKEN_NOT_PRESENT"
        assert caught.value.metadata["token"] in (SEAL, COPY)
        assert f"Token {caught.value.metadata['token']}: " in caught.value.message
    all_well(server)
    sign(server, document, "after both")
