"""SIGTERM: calls in flight are finished and answered, new ones are refused, and the server ends with 0."""

import hashlib
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from pecete.channel import open_channel
from pecete.documents.v1 import documents_pb2
from pecete.documents.v1.documents_pb2_grpc import DocumentServiceStub
from pecete.errors import PeceteError, UnavailableError
from pecete.wire_errors import from_rpc_error
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, start_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import acts, calls_in_flight, faults, incoming, until, workers

pytestmark = pytest.mark.e2e

HALF, REST = b"the first half", b" and the rest"


def slow_upload(server: TrialServer, released: threading.Event) -> documents_pb2.Document:
    """Send half of a document, and the rest when the event comes."""

    def messages() -> Iterator[documents_pb2.UploadDocumentRequest]:
        yield documents_pb2.UploadDocumentRequest(start=documents_pb2.UploadDocumentStart())
        yield documents_pb2.UploadDocumentRequest(chunk=HALF)
        assert released.wait(60)
        yield documents_pb2.UploadDocumentRequest(chunk=REST)

    credentials = server.credentials(DEPARTMENT)
    with open_channel(server.addresses["grpc"], credentials) as channel:
        return DocumentServiceStub(channel).UploadDocument(messages(), metadata=credentials.metadata())


def refusal_of_a_new_call(server: TrialServer) -> PeceteError | None:
    """Call on a new connection; None while the server still answers."""
    credentials = server.credentials(DEPARTMENT)
    request = documents_pb2.GetDocumentRequest(name="documents/none")
    with (
        open_channel(server.addresses["grpc"], credentials) as channel,
        pytest.raises(grpc.RpcError) as ended,
    ):
        DocumentServiceStub(channel).GetDocument(request, timeout=10, metadata=credentials.metadata())
    refused = from_rpc_error(ended.value)
    return refused if isinstance(refused, UnavailableError) else None


def test_a_stop_finishes_what_runs_and_takes_nothing_new(tmp_path: Path, disposition: Path) -> None:
    seal = next(plan for plan in CITY_HALL if plan.label == SEAL)
    trial = make_trial(tmp_path / "trial", Settings(plans=(seal,)))
    released = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        server = start_server(trial, tmp_path / "server.log")
        stack.callback(server.kill)
        stack.callback(released.set)
        department = stack.enter_context(server.client(DEPARTMENT))
        key = trial.signing_key(SEAL)
        document = department.upload(disposition)
        department.sign(document, key)
        held = workers(server)
        for worker in held:
            worker.send_signal(signal.SIGSTOP)
        signing = pool.submit(department.sign, document, key)
        upload = pool.submit(slow_upload, server, released)
        until("both calls under way", lambda: calls_in_flight(server) == 2 and incoming(trial))

        server.process.send_signal(signal.SIGTERM)
        refused = until("a refusal", lambda: refusal_of_a_new_call(server))
        assert refused.reason == "SERVER_UNREACHABLE"
        assert server.process.poll() is None
        assert not signing.done()
        assert not upload.done()

        released.set()
        for worker in held:
            worker.send_signal(signal.SIGCONT)
        assert upload.result().sha256 == hashlib.sha256(HALF + REST).digest()
        signed = signing.result().document
        assert server.process.wait(60) == 0
    assert acts(trial, signed.name) == ["signature.create"]
    assert acts(trial, upload.result().name) == ["document.upload"]
    assert incoming(trial) == []
    assert faults(trial) == []
    assert not [worker for worker in held if worker.is_running()]
