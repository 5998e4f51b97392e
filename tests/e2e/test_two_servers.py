"""Two servers on one PostgreSQL and one store: what one has taken in the other knows; nothing is doubled."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from archive.tables import checkpoints
from pecete.client import Client
from pecete.signing.v1.signing_pb2 import SignDocumentResponse
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, start_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import faults, journal, reading, until

pytestmark = pytest.mark.e2e

Pair = tuple[TrialServer, TrialServer]


@pytest.fixture
def pair(postgres_database_url: str, tmp_path: Path) -> Iterator[Pair]:
    """Two servers of one city hall."""
    plans = tuple(plan for plan in CITY_HALL if plan.label == SEAL)
    trial = make_trial(tmp_path / "trial", Settings(plans=plans, database_url=postgres_database_url))
    with ExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            servers.append(start_server(trial, tmp_path / f"{name}.log"))
            stack.callback(servers[-1].kill)
        yield servers[0], servers[1]


def covered(server: TrialServer) -> bool:
    """Tell whether a checkpoint covers every act, but for the stamping of the checkpoint itself."""
    with reading(server.trial) as connection:
        newest = connection.execute(select(func.max(checkpoints.c.size))).scalar_one() or 0
    return len(journal(server.trial)) <= newest + 1


def test_equal_requests_to_both_at_once_make_one_signature(pair: Pair, disposition: Path) -> None:
    trial = pair[0].trial
    key = trial.signing_key(SEAL)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        clients = [stack.enter_context(server.client(DEPARTMENT)) for server in pair]
        document = clients[0].upload(disposition)
        for number in range(10):
            request_id = f"sign-{number}"

            def sign(client: Client, request_id: str = request_id) -> SignDocumentResponse:
                return client.sign(document, key, request_id=request_id)

            one, other = pool.map(sign, clients)
            assert one == other
    made = [entry.request_id for entry in journal(trial) if entry.act == "signature.create"]
    assert sorted(made) == sorted(f"sign-{number}" for number in range(10))
    assert faults(trial) == []


def test_when_one_is_killed_the_other_goes_on(pair: Pair, disposition: Path, tmp_path: Path) -> None:
    first, second = pair
    key = first.trial.signing_key(SEAL)
    with first.client(DEPARTMENT) as client:
        signed = client.sign(disposition, key).document
    first.kill()
    with second.client(DEPARTMENT) as client:
        client.download(signed.name, tmp_path / "signed.pdf")
        assert client.sign(signed, key).document.size_bytes > signed.size_bytes
    until("a checkpoint over everything", lambda: covered(second))
    assert faults(first.trial) == []
