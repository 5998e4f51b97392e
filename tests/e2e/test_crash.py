"""A power cut amid 200 concurrent signings: what was answered stands, nothing half stands, retries go on."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pecete.channel import open_channel
from pecete.client import Client
from pecete.document_calls import SigningOptions
from pecete.documents.v1 import documents_pb2
from pecete.documents.v1.documents_pb2_grpc import DocumentServiceStub
from pecete.errors import UnavailableError
from pecete.retry import RetryPolicy
from pecete.signing.v1.signing_pb2 import SignDocumentResponse
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from server.trial import DEPARTMENT, SEAL, Settings, Trial, TrialServer, make_trial, start_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import faults, incoming, journal, object_path, until

pytestmark = pytest.mark.e2e

SIGNINGS = 200
ANSWERED_BEFORE_THE_CUT = 40
MAYOR = "primar"
SIGNERS = {DEPARTMENT: SEAL, MAYOR: MAYOR}
CONNECTIONS = 4


@pytest.fixture
def trial(database_url: str, tmp_path: Path) -> Trial:
    """A city hall of its own, on SQLite and on PostgreSQL, with a mayor and a seal."""
    plans = tuple(plan for plan in CITY_HALL if plan.label in (MAYOR, SEAL))
    url = database_url if database_url.startswith("postgresql") else ""
    return make_trial(tmp_path / "trial", Settings(plans=plans, workers=2, database_url=url))


class Crowd:
    """Two hundred callers, each with a signing of its own; half are the registry, half are the mayor."""

    def __init__(self, server: TrialServer, stack: ExitStack) -> None:
        self._trial = server.trial
        self._clients = {
            principal: [stack.enter_context(self._connect(server, principal)) for _ in range(CONNECTIONS)]
            for principal in SIGNERS
        }
        self.answers: dict[str, SignDocumentResponse] = {}

    def _connect(self, server: TrialServer, principal: str) -> Client:
        """Nothing is tried again by the client: the test wants to see what was not answered."""
        credentials = server.credentials(principal)
        return Client(server.addresses["grpc"], credentials, retry=RetryPolicy(attempts=1))

    def sign(self, document: str, number: int) -> None:
        principal = (DEPARTMENT, MAYOR)[number % 2]
        label = SIGNERS[principal]
        options = SigningOptions(request_id=request_id(number))
        if label != SEAL:
            options["pin"] = self._trial.pin(label)
        client = self._clients[principal][number // 2 % CONNECTIONS]
        self.answers[request_id(number)] = client.sign(document, self._trial.signing_key(label), **options)

    def sign_all(self, pool: ThreadPoolExecutor, document: str, numbers: list[int]) -> list[Future[None]]:
        return [pool.submit(self.sign, document, number) for number in numbers]


def request_id(number: int) -> str:
    return f"signing-{number}"


def stalled_upload(server: TrialServer, released: threading.Event) -> None:
    """Send the beginning of a document and then nothing until the event comes."""

    def messages() -> Iterator[documents_pb2.UploadDocumentRequest]:
        yield documents_pb2.UploadDocumentRequest(start=documents_pb2.UploadDocumentStart())
        yield documents_pb2.UploadDocumentRequest(chunk=b"the first half")
        released.wait()

    credentials = server.credentials(DEPARTMENT)
    with open_channel(server.addresses["grpc"], credentials) as channel:
        DocumentServiceStub(channel).UploadDocument(messages(), metadata=credentials.metadata())


def cut_power(trial: Trial, log: Path, disposition: Path) -> tuple[str, dict[str, SignDocumentResponse]]:
    """Kill the server amid the signings; give the signed document's name and the answers that came."""
    released = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(SIGNINGS + 1) as pool:
        server = start_server(trial, log)
        stack.callback(server.kill)
        crowd = Crowd(server, stack)
        document = stack.enter_context(server.client(DEPARTMENT)).upload(disposition)
        half = pool.submit(stalled_upload, server, released)
        until("a half upload", lambda: incoming(trial))
        calls = crowd.sign_all(pool, document.name, list(range(SIGNINGS)))
        until("some answers", lambda: len(crowd.answers) >= ANSWERED_BEFORE_THE_CUT)
        server.kill()
        released.set()
        failed = [call.exception() for call in [half, *calls] if call.exception() is not None]
    assert incoming(trial), "the cut left nothing half written, so it proves nothing"
    assert len(failed) > SIGNINGS // 4, "the cut came too late to prove anything"
    assert {type(error) for error in failed[1:]} == {UnavailableError}
    return document.name, crowd.answers


def test_a_killed_server_loses_nothing_that_was_answered_and_leaves_nothing_half(
    trial: Trial, tmp_path: Path, disposition: Path
) -> None:
    log = tmp_path / "server.log"
    document, before = cut_power(trial, log, disposition)
    with ExitStack() as stack, ThreadPoolExecutor(32) as pool:
        server = start_server(trial, log)
        stack.callback(server.kill)
        assert incoming(trial) == []
        department = stack.enter_context(server.client(DEPARTMENT))
        for answer in before.values():
            assert department.get_document(answer.document.name) == answer.document

        again = Crowd(server, stack)
        for call in again.sign_all(pool, document, list(range(SIGNINGS))):
            call.result()
        for known, answer in before.items():
            assert again.answers[known] == answer

        made = [entry for entry in journal(trial) if entry.act == "signature.create"]
        assert Counter(entry.request_id for entry in made) == Counter(map(request_id, range(SIGNINGS)))
        original = disposition.read_bytes()
        for entry in made:
            answer = again.answers[entry.request_id]
            assert (entry.resource, entry.digest) == (answer.document.name, answer.document.sha256.hex())
            content = object_path(trial, answer.document.sha256).read_bytes()
            assert hashlib.sha256(content).digest() == answer.document.sha256
            assert content.startswith(original)
            assert content[len(original) :].count(b"/ByteRange") == 1
        for number in (0, 1, SIGNINGS - 2, SIGNINGS - 1):
            (verdict,) = department.validate(again.answers[request_id(number)].document.name).signatures
            assert verdict.indication == INDICATION_TOTAL_PASSED
        assert faults(trial) == []
