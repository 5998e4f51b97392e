"""A batch amid which the server is killed: what was answered stands, the rest is signed, nothing twice."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from pecete.batch_calls import BatchTarget
from pecete.client import Client
from pecete.errors import UnavailableError
from pecete.retry import RetryPolicy
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from server.trial import DEPARTMENT, SEAL, Settings, Trial, TrialServer, make_trial, start_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import count_documents, faults, journal, until, workers

pytestmark = pytest.mark.e2e

MAYOR = "primar"
ITEMS = 120
SEEN_BEFORE_THE_CUT = 20


@pytest.fixture
def trial(database_url: str, tmp_path: Path) -> Trial:
    """A city hall of its own, on SQLite and on PostgreSQL, with a mayor and a seal."""
    plans = tuple(plan for plan in CITY_HALL if plan.label in (MAYOR, SEAL))
    url = database_url if database_url.startswith("postgresql") else ""
    return make_trial(tmp_path / "trial", Settings(plans=plans, workers=2, database_url=url))


def connect(server: TrialServer, principal: str) -> Client:
    """Connect a client that does not go on by itself."""
    credentials = server.credentials(principal)
    return Client(server.addresses["grpc"], credentials, retry=RetryPolicy(attempts=1))


def uploads(server: TrialServer, disposition: Path) -> list[BatchTarget]:
    content = disposition.read_bytes()
    with server.client(DEPARTMENT) as department:
        stored = [department.upload(content + b"%% %d\n" % number) for number in range(ITEMS)]
    return [BatchTarget(each.name, each.sha256) for each in stored]


@pytest.mark.parametrize(("principal", "label"), [(DEPARTMENT, SEAL), (MAYOR, MAYOR)])
def test_a_killed_server_goes_on_with_the_batch(
    trial: Trial, tmp_path: Path, disposition: Path, principal: str, label: str
) -> None:
    log, key = tmp_path / "server.log", trial.signing_key(label)
    pin = "" if label == SEAL else trial.pin(label)
    seen: dict[int, str] = {}
    with ExitStack() as stack:
        first = start_server(trial, log)
        stack.callback(first.kill)
        targets = uploads(first, disposition)
        with connect(first, principal) as client, pytest.raises(UnavailableError):
            for each in client.sign_batch(targets, key, level="B-T", pin=pin, request_id="cut-1"):
                assert each.signed is not None
                seen[each.index] = each.signed.document.name
                if len(seen) == SEEN_BEFORE_THE_CUT:
                    first.kill()
        assert SEEN_BEFORE_THE_CUT <= len(seen) < ITEMS, "the cut came too late to prove anything"

        second = start_server(trial, log)
        stack.callback(second.kill)
        with connect(second, principal) as client:
            rest = list(client.sign_batch(targets, key, level="B-T", pin=pin, request_id="cut-1"))
            assert [each.error for each in rest if each.error] == []
            names = {each.index: each.signed.document.name for each in rest if each.signed}
            assert sorted(names) == list(range(ITEMS))
            assert seen.items() <= names.items()
            assert count_documents(trial) == 2 * ITEMS
            for index in (0, ITEMS - 1):
                (verdict,) = client.validate(names[index]).signatures
                assert verdict.indication == INDICATION_TOTAL_PASSED
        entries = journal(trial)
        used = Counter(entry.request_id for entry in entries if entry.act == "key.use")
        assert used == Counter(f"cut-1/{index}" for index in range(ITEMS))
        assert sum(entry.act == "batch.authorize" for entry in entries) == 1
        assert faults(trial) == []


def test_a_client_goes_on_by_itself_and_killed_workers_lose_nothing(
    trial: Trial, tmp_path: Path, disposition: Path
) -> None:
    """The batch's one call survives the killing of every worker process."""
    with ExitStack() as stack:
        server = start_server(trial, tmp_path / "server.log")
        stack.callback(server.kill)
        targets = uploads(server, disposition)
        client = stack.enter_context(server.client(DEPARTMENT))
        names: dict[int, str] = {}
        for each in client.sign_batch(targets, trial.signing_key(SEAL), level="B-B", request_id="workers-1"):
            assert each.signed is not None, each.error
            names[each.index] = each.signed.document.name
            if len(names) == SEEN_BEFORE_THE_CUT:
                for worker in until("workers", lambda: workers(server)):
                    worker.kill()
        assert len(set(names.values())) == ITEMS
        assert faults(trial) == []
