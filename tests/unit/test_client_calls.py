"""Both clients against a service in this process: what they send, give back and try again."""

import asyncio
import functools
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_status import rpc_status

from pecete.aio import AsyncClient
from pecete.archive.v1 import archive_pb2
from pecete.archive.v1.archive_pb2 import Record
from pecete.client import Client
from pecete.credentials import Credentials
from pecete.documents.v1 import documents_pb2
from pecete.documents.v1.documents_pb2 import Document
from pecete.errors import (
    AlreadyExistsError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    PeceteError,
    UnavailableError,
)
from pecete.retry import RetryPolicy
from pecete.signing.v1 import signature_sessions_pb2, signing_pb2
from pecete.validation.v1 import validation_pb2
from pecete.wire_errors import to_status
from pecete.workflow.v1 import workflow_pb2

CONTENT = bytes(range(256)) * 2500
LONG = b"%PDF-1.7 " + bytes(4 << 20)
TOKEN = "the-token"  # noqa: S105 - of the service below
QUICK = RetryPolicy(attempts=3, first_delay=0.001, longest_delay=0.001)
Ask = Callable[..., Any]

ANSWERS: dict[str, Callable[[Any], object]] = {
    "GetDocument": lambda request: Document(name=request.name),
    "GetSigningKey": lambda request: signing_pb2.SigningKey(name=request.name),
    "SignDocument": lambda request: signing_pb2.SignDocumentResponse(
        document=Document(name="documents/signed")
    ),
    "PrepareSignature": lambda request: signature_sessions_pb2.SignatureSession(
        name="signatureSessions/1", document=request.document, step=request.step
    ),
    "GetSignatureSession": lambda request: signature_sessions_pb2.SignatureSession(name=request.name),
    "CompleteSignature": lambda request: signature_sessions_pb2.CompleteSignatureResponse(
        document=Document(name="documents/signed")
    ),
    "AugmentSignature": lambda request: signing_pb2.AugmentSignatureResponse(
        document=Document(name="documents/raised"), level=request.level
    ),
    "ValidateDocument": lambda request: validation_pb2.ValidationReport(report_json="{}"),
    "ArchiveDocument": lambda request: Record(name="records/1"),
    "GetRecord": lambda request: Record(name=request.name),
    "ListRecords": lambda request: archive_pb2.ListRecordsResponse(records=[Record(name="records/1")]),
    "VerifyRecord": lambda request: archive_pb2.RecordVerdict(record=request.name),
    "GetRecordProof": lambda request: archive_pb2.RecordProof(record=request.name),
    "CreatePerson": lambda request: workflow_pb2.Person(name=f"persons/{request.person_id}"),
    "GetPerson": lambda request: workflow_pb2.Person(name=request.name),
    "CreateProcedure": lambda request: workflow_pb2.Procedure(name=f"procedures/{request.procedure_id}"),
    "GetProcedure": lambda request: workflow_pb2.Procedure(name=request.name),
    "CreateDossier": lambda request: workflow_pb2.Dossier(
        name=f"dossiers/{request.dossier_id}", document=request.document
    ),
    "GetDossier": lambda request: workflow_pb2.Dossier(name=request.name),
    "ListDossiers": lambda request: workflow_pb2.ListDossiersResponse(
        dossiers=[workflow_pb2.Dossier(name="dossiers/1")]
    ),
    "SignStep": lambda request: workflow_pb2.Dossier(name=request.name.partition("/steps/")[0]),
    "ListSigningKeys": lambda request: signing_pb2.ListSigningKeysResponse(
        signing_keys=[
            signing_pb2.SigningKey(name=f"signingKeys/{request.page_token}{letter}") for letter in "ab"
        ],
        next_page_token={"": "1", "1": "2", "2": ""}[request.page_token],
    ),
}


class Service(grpc.GenericRpcHandler):
    """The contract's methods by their descriptors; it remembers what it was asked.

    faults: raised first, one a call. sent: the bytes of every download. silent: GetDocument never answers.
    """

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.tokens: set[object] = set()
        self.faults: list[PeceteError | grpc.StatusCode] = []
        self.sent = CONTENT
        self.silent = False
        self.stopped = threading.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Find the method that a path names."""
        method = descriptor_pool.Default().FindMethodByName(handler_call_details.method[1:].replace("/", "."))
        request = message_factory.GetMessageClass(method.input_type).FromString
        answer = message_factory.GetMessageClass(method.output_type)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(self._take, request, Document.SerializeToString)
        if method.server_streaming:
            give = functools.partial(self._give, answer)
            return grpc.unary_stream_rpc_method_handler(give, request, answer.SerializeToString)
        reply = functools.partial(self._reply, method.name)
        return grpc.unary_unary_rpc_method_handler(reply, request, answer.SerializeToString)

    def _note(self, request: object, context: grpc.ServicerContext) -> None:
        self.asked.append(request)
        self.tokens.add(dict(context.invocation_metadata()).get("authorization"))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, PeceteError):
            context.abort_with_status(rpc_status.to_status(to_status(fault)))
        elif fault is not None:
            context.abort(fault, "the connection went away")

    def _reply(self, method: str, request: object, context: grpc.ServicerContext) -> object:
        self._note(request, context)
        if self.silent:
            self.stopped.wait(10)
        return ANSWERS[method](request)

    def _take(
        self, messages: Iterator[documents_pb2.UploadDocumentRequest], context: grpc.ServicerContext
    ) -> Document:
        start = next(messages).start
        content = b"".join(message.chunk for message in messages)
        self._note(start, context)
        name, digest = f"documents/{len(content)}", hashlib.sha256(content).digest()
        return Document(name=name, sha256=digest, size_bytes=len(content))

    def _give(
        self,
        answer: Callable[..., object],
        request: documents_pb2.DownloadDocumentRequest,
        context: grpc.ServicerContext,
    ) -> Iterator[object]:
        described = {
            "name": request.name,
            "sha256": hashlib.sha256(CONTENT).digest(),
            "size_bytes": len(CONTENT),
        }
        yield answer(**{"record" if request.name.startswith("records/") else "document": described})
        yield answer(chunk=self.sent[:1000])
        self._note(request, context)
        yield answer(chunk=self.sent[1000:])


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Service, str]]:
    service = Service()
    options = [("grpc.max_receive_message_length", 5 << 20)]
    server = grpc.server(ThreadPoolExecutor(4), handlers=[service], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"127.0.0.1:{port}"
    service.stopped.set()
    server.stop(None).wait()


@pytest.fixture
def service(running: tuple[Service, str]) -> Service:
    service = running[0]
    service.asked, service.faults, service.tokens = [], [], set()
    service.sent, service.silent = CONTENT, False
    return service


@pytest.fixture(params=["sync", "aio"])
def ask(running: tuple[Service, str], request: pytest.FixtureRequest) -> Ask:
    """Call a method of either client by its name; what comes item by item becomes a list."""
    return asker(running[1], request.param)


def asker(server: str, kind: str, **settings: float) -> Ask:
    credentials = Credentials(token=TOKEN, plaintext=True)

    def ask_sync(method: str, *arguments: object, **options: object) -> object:
        with Client(server, credentials, retry=QUICK, **settings) as client:
            answer = getattr(client, method)(*arguments, **options)
            return list(answer) if isinstance(answer, Iterator) else answer

    async def ask_aio(method: str, *arguments: object, **options: object) -> object:
        async with AsyncClient(server, credentials, retry=QUICK, **settings) as client:
            answer = getattr(client, method)(*arguments, **options)
            if isinstance(answer, AsyncIterator):
                return [item async for item in answer]
            return await answer

    return ask_sync if kind == "sync" else lambda *given, **options: asyncio.run(ask_aio(*given, **options))


def test_an_upload_is_streamed_and_counted(service: Service, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "act.pdf").write_bytes(CONTENT)
    progress: list[int] = []
    document = ask("upload", tmp_path / "act.pdf", progress=lambda done, total: progress.append(done))
    assert document.sha256 == hashlib.sha256(CONTENT).digest()
    assert service.asked[0].metadata.display_name == "act.pdf"
    assert progress[-1] == len(CONTENT)
    assert service.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("method", "name"), [("download", "documents/1"), ("download_record", "records/1")])
def test_a_download_is_written(service: Service, ask: Ask, tmp_path: Path, method: str, name: str) -> None:
    assert ask(method, name, tmp_path / "act.pdf").name == name
    assert (tmp_path / "act.pdf").read_bytes() == CONTENT


def test_a_broken_download_begins_again(service: Service, ask: Ask, tmp_path: Path) -> None:
    service.faults = [grpc.StatusCode.UNAVAILABLE]
    ask("download", "documents/1", tmp_path / "act.pdf")
    assert len(service.asked) == 2
    assert (tmp_path / "act.pdf").read_bytes() == CONTENT


def test_a_damaged_download_is_refused(service: Service, ask: Ask, tmp_path: Path) -> None:
    service.sent = CONTENT[:-1]
    with pytest.raises(DataLossError, match="DOWNLOAD_DAMAGED"):
        ask("download", "documents/1", tmp_path / "act.pdf")
    assert not list(tmp_path.iterdir())


def test_a_lost_call_is_asked_again_with_the_same_request_id(service: Service, ask: Ask) -> None:
    service.faults = [grpc.StatusCode.UNAVAILABLE, UnavailableError("TOKEN_UNAVAILABLE", "Gone for now.")]
    assert ask("sign", b"%PDF", "signingKeys/1").document.name == "documents/signed"
    first, second, third = service.asked
    assert first == second == third
    assert len(first.request_id) == 36


def test_a_lost_upload_is_sent_again_whole(service: Service, ask: Ask) -> None:
    service.faults = [grpc.StatusCode.UNAVAILABLE]
    assert ask("upload", CONTENT, display_name="act").size_bytes == len(CONTENT)
    assert service.asked[0] == service.asked[1]


def test_two_calls_have_two_request_ids(service: Service, ask: Ask) -> None:
    ask("sign", b"%PDF", "signingKeys/1")
    ask("sign", b"%PDF", "signingKeys/1")
    assert service.asked[0].request_id != service.asked[1].request_id


def test_a_given_request_id_is_used(service: Service, ask: Ask) -> None:
    ask("sign", b"%PDF", "signingKeys/1", request_id="mine")
    assert service.asked[0].request_id == "mine"


def test_it_gives_up_in_the_end(service: Service, ask: Ask) -> None:
    service.faults = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(UnavailableError, match=r"SERVER_UNREACHABLE.*the connection went away"):
        ask("get_document", "documents/1")
    assert len(service.asked) == 3


def test_an_error_comes_as_it_was_raised_and_is_not_tried_again(service: Service, ask: Ask) -> None:
    service.faults = [
        FailedPreconditionError("PIN_INCORRECT", "Wrong.", field="pin", metadata={"tries_left": "low"})
    ]
    with pytest.raises(FailedPreconditionError, match="Wrong") as error:
        ask("sign", b"%PDF", "signingKeys/1")
    assert (error.value.reason, error.value.field) == ("PIN_INCORRECT", "pin")
    assert error.value.metadata == {"tries_left": "low"}
    assert len(service.asked) == 1


@pytest.mark.parametrize("method", ["sign", "sign_step"])
def test_a_call_with_a_pin_is_sent_once(service: Service, ask: Ask, method: str) -> None:
    service.faults = [grpc.StatusCode.UNAVAILABLE]
    with pytest.raises(UnavailableError):
        ask(method, "documents/1", "signingKeys/1", pin="1234")
    assert [request.pin for request in service.asked] == ["1234"]


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_silent_service_is_left_at_the_deadline(
    service: Service, running: tuple[Service, str], kind: str
) -> None:
    service.silent = True
    with pytest.raises(DeadlineExceededError):
        asker(running[1], kind, timeout=0.1)("get_document", "documents/1")


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_server_that_is_not_there_is_said_so(kind: str) -> None:
    with pytest.raises(UnavailableError, match="SERVER_UNREACHABLE"):
        asker("127.0.0.1:1", kind)("get_document", "documents/1")


def test_short_documents_travel_inline_and_long_ones_before(
    service: Service, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "short.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "long.pdf").write_bytes(LONG)
    ask("sign", tmp_path / "short.pdf", "signingKeys/1")
    ask("sign", tmp_path / "long.pdf", "signingKeys/1")
    ask("validate", documents_pb2.Document(name="documents/7"))
    short, upload, long, held = service.asked
    assert (short.content, short.document) == (b"%PDF-1.7", "")
    assert (upload.metadata.display_name, upload.metadata.size_bytes) == ("long.pdf", len(LONG))
    assert (long.content, long.document) == (b"", f"documents/{len(LONG)}")
    assert held.document == "documents/7"


def test_the_longest_inline_document_passes(service: Service, ask: Ask) -> None:
    ask("validate", LONG[: 4 << 20])
    assert len(service.asked) == 1 and len(service.asked[0].content) == 4 << 20


def test_signing_options_are_sent(service: Service, ask: Ask) -> None:
    visible = signing_pb2.VisibleSignature(capacity="Primar", page=2)
    ask("sign", "documents/1", "signingKeys/1", level="B-B", reason="r", location="l", visible=visible)
    request = service.asked[0]
    assert request.level == signing_pb2.SIGNATURE_LEVEL_B_B
    assert (request.reason, request.location, request.visible_signature) == ("r", "l", visible)


def test_a_signature_is_prepared_and_completed(service: Service, ask: Ask) -> None:
    visible = signing_pb2.VisibleSignature(capacity="Primar")
    algorithm = signing_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA256
    options = {"chain": [b"issuer"], "algorithm": algorithm, "level": "B-B", "visible": visible}
    assert ask("prepare_signature", b"%PDF", b"certificate", **options).document == "documents/4"
    assert ask("prepare_step", "dossiers/1/steps/2", b"certificate").step == "dossiers/1/steps/2"
    assert ask("get_signature_session", "signatureSessions/1").name == "signatureSessions/1"
    made = ask("complete_signature", "signatureSessions/1", b"value")
    assert made.document.name == "documents/signed"
    _, prepared, step, _, completed = service.asked
    assert (prepared.certificate, list(prepared.chain)) == (b"certificate", [b"issuer"])
    assert (prepared.algorithm, prepared.level) == (algorithm, signing_pb2.SIGNATURE_LEVEL_B_B)
    assert prepared.visible_signature == visible
    assert (step.WhichOneof("target"), step.level) == ("step", signing_pb2.SIGNATURE_LEVEL_B_T)
    assert (completed.name, completed.signature) == ("signatureSessions/1", b"value")
    assert len({request.request_id for request in (prepared, step, completed)}) == 3


@pytest.mark.parametrize("level", ["B-T", "B-LT", "B-LTA"])
def test_a_level_is_raised(service: Service, ask: Ask, level: str) -> None:
    answer = ask("augment", "documents/1", level=level, field_name="Primar", request_id="mine")
    assert answer.document.name == "documents/raised"
    request = service.asked[0]
    assert (request.document, request.field_name, request.request_id) == ("documents/1", "Primar", "mine")
    assert signing_pb2.SignatureLevel.Name(request.level) == "SIGNATURE_LEVEL_" + level.replace("-", "_")


def test_pages_are_followed_to_the_last(service: Service, ask: Ask) -> None:
    names = [key.name for key in ask("list_signing_keys")]
    assert names == [f"signingKeys/{page}{letter}" for page in ("", "1", "2") for letter in "ab"]
    assert [request.page_token for request in service.asked] == ["", "1", "2"]


def test_the_validation_time_is_sent_in_utc(service: Service, ask: Ask) -> None:
    time = datetime(2025, 3, 14, 12, 0, tzinfo=UTC)
    ask("validate", b"%PDF", at=time)
    assert service.asked[0].validation_time.ToDatetime(UTC) == time


def test_archiving_uploads_what_the_service_does_not_hold(service: Service, ask: Ask) -> None:
    description = archive_pb2.DescriptiveRecord(owner="Primăria")
    assert ask("archive", b"%PDF", description, kind="copy").name == "records/1"
    _, request = service.asked
    assert request.document == "documents/4"
    assert request.kind == archive_pb2.RECORD_KIND_COPY
    assert request.descriptive_record == description


def test_records_are_listed_verified_and_proven(ask: Ask) -> None:
    assert [record.name for record in ask("list_records")] == ["records/1"]
    assert ask("verify_record", "records/1").record == "records/1"
    assert ask("record_proof", "records/1").record == "records/1"


def test_a_chain_is_opened_and_signed(service: Service, ask: Ask) -> None:
    procedure = workflow_pb2.Procedure(steps=[workflow_pb2.ProcedureStep(post="mayor")])
    assert (
        ask("create_person", workflow_pb2.Person(display_name="Ana"), person_id="ana").name == "persons/ana"
    )
    assert ask("create_procedure", procedure, procedure_id="p").name == "procedures/p"
    opened = ask("create_dossier", "documents/1", "procedures/p", {"mayor": "persons/ana"}, dossier_id="d")
    assert (opened.name, opened.document) == ("dossiers/d", "documents/1")
    assert (
        ask("sign_step", "dossiers/d/steps/1", "signingKeys/1", register_number="12/2025").name
        == "dossiers/d"
    )
    assert service.asked[2].assignments == [workflow_pb2.Assignment(post="mayor", person="persons/ana")]
    assert service.asked[3].register_number == "12/2025"
    assert len({request.request_id for request in service.asked}) == 4
    assert ask("get_person", "persons/ana").name == "persons/ana"
    assert ask("get_procedure", "procedures/p").name == "procedures/p"
    assert ask("get_dossier", "dossiers/d").name == "dossiers/d"
    assert [dossier.name for dossier in ask("list_dossiers")] == ["dossiers/1"]


@pytest.mark.parametrize(
    ("method", "arguments", "options", "reason"),
    [
        ("sign", (b"%PDF", "signingKeys/1"), {"level": "B-X"}, "LEVEL_UNKNOWN"),
        ("sign", ("act.pdf", "signingKeys/1"), {}, "DOCUMENT_NAME_MALFORMED"),
        ("validate", (b"%PDF",), {"at": datetime(2025, 1, 1)}, "TIME_NAIVE"),  # noqa: DTZ001
        ("archive", ("documents/1", archive_pb2.DescriptiveRecord()), {"kind": "x"}, "RECORD_KIND_UNKNOWN"),
        ("upload", (Path("/none.pdf"),), {}, "FILE_UNREADABLE"),
        ("timestamp", (b"short",), {}, "DIGEST_LENGTH_UNKNOWN"),
    ],
)
def test_what_cannot_be_right_is_not_sent(
    service: Service,
    ask: Ask,
    method: str,
    arguments: tuple[object, ...],
    options: dict[str, object],
    reason: str,
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        ask(method, *arguments, **options)
    assert service.asked == []


def test_a_reused_request_id_is_an_error_of_its_own(service: Service, ask: Ask) -> None:
    service.faults = [AlreadyExistsError("REQUEST_ID_REUSED", "Used before.", field="request_id")]
    with pytest.raises(AlreadyExistsError, match="REQUEST_ID_REUSED"):
        ask("sign", b"%PDF", "signingKeys/1", request_id="mine")
