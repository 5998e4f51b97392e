"""The front around real calls over mutual TLS: who gets in, what gets out, and what is told of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from structlog.testing import capture_logs

from archive.journal import Journal
from pecete.documents.v1 import documents_pb2 as pb
from pecete.documents.v1 import documents_pb2_grpc as rpc
from pecete.errors import NotFoundError
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.health import Health
from server.initialise import init
from server.interceptors import REQUEST_ID, Front, caller
from server.local_authority import KeyPair, make_authority, make_client_certificate
from server.metrics import Metrics
from server.times import microseconds, utc_now
from workflow.journal import Act

pytestmark = pytest.mark.e2e

Context = grpc.aio.ServicerContext[Any, Any]


class Documents(rpc.DocumentServiceServicer):
    """Answers with who calls; fails by the name that is asked for."""

    uploads_begun = 0

    async def CreateDocument(self, request: pb.CreateDocumentRequest, context: Context) -> pb.Document:  # noqa: N802
        raise NotImplementedError

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.Document:  # noqa: N802
        if request.name == "documents/absent":
            raise NotFoundError("DOCUMENT_NOT_FOUND", "No such document.", field="name", metadata={"a": "b"})
        if request.name == "documents/fault":
            raise RuntimeError("PIN 4711 in /srv/pecete")
        who = caller()
        return pb.Document(name=who.principal, display_name=who.request_id, media_type=",".join(who.roles))

    async def UploadDocument(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: Context
    ) -> pb.Document:
        Documents.uploads_begun += 1
        size = 0
        async for message in request_iterator:
            size += len(message.chunk)
        return pb.Document(name=caller().principal, size_bytes=size)

    async def DownloadDocument(  # noqa: N802
        self, request: pb.DownloadDocumentRequest, context: Context
    ) -> AsyncIterator[pb.DownloadDocumentResponse]:
        yield pb.DownloadDocumentResponse(document=pb.Document(name=caller().principal))
        if request.name == "documents/absent":
            raise NotFoundError("DOCUMENT_NOT_FOUND", "No such document.", field="name")
        yield pb.DownloadDocumentResponse(chunk=b"bytes")


class House:
    """A server folder made by `init`, its database, and a running server."""

    def __init__(self, folder: Path) -> None:
        init(folder)
        self.folder = folder
        self.database = Database(load(folder / "pecete.toml", {}).database_url())
        self.metrics = Metrics()
        self.address = ""

    def read(self, name: str) -> bytes:
        """Give a file of the folder."""
        return (self.folder / name).read_bytes()

    def add(self, name: str, *roles: Role) -> str:
        """Make a principal and give its token."""
        journal, act = Journal(utc_now), Act("test", "", microseconds(utc_now()))
        with self.database.begin() as connection:
            identity.add(connection, journal, act, name, roles)
            return identity.add_token(connection, journal, act, name)

    def channel(self, pair: tuple[bytes, bytes] | None = None) -> grpc.aio.Channel:
        """Open a channel as the administrator, or with another certificate and key (PEM)."""
        certificate, key = pair or (
            self.read("credentials/client.pem"),
            self.read("credentials/client-key.pem"),
        )
        return grpc.aio.secure_channel(
            self.address, grpc.ssl_channel_credentials(self.read("tls/ca.pem"), key, certificate)
        )

    def stranger(self) -> tuple[bytes, bytes]:
        """Give a certificate of the server's own authority that nobody enrolled, and its key."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(self.read("tls/ca.key"), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        authority = KeyPair(x509.load_pem_x509_certificate(self.read("tls/ca.pem")), key)
        made = make_client_certificate(authority, "stranger", utc_now())
        return made.certificate_pem, made.key_pem


async def healthy() -> None:
    """A part that is always well."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "house")
    server = grpc.aio.server(interceptors=[Front(house.database, house.metrics)])
    rpc.add_DocumentServiceServicer_to_server(Documents(), server)
    health_pb2_grpc.add_HealthServicer_to_server(Health({"x": healthy}, {}).servicer, server)
    reflection.enable_server_reflection([reflection.SERVICE_NAME], server)
    port = server.add_secure_port(
        "localhost:0",
        grpc.ssl_server_credentials(
            [(house.read("tls/server.key"), house.read("tls/server.pem"))],
            house.read("tls/ca.pem"),
            require_client_auth=True,
        ),
    )
    house.address = f"localhost:{port}"
    await server.start()
    yield house
    await server.stop(None)
    house.database.close()


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def error_info(error: grpc.aio.AioRpcError) -> ErrorInfo:
    info = ErrorInfo()
    _unpack(error, info)
    return info


def _unpack(error: grpc.aio.AioRpcError, detail: Message) -> None:
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # it has what a call has
    assert status is not None
    (packed,) = [packed for packed in status.details if packed.Is(detail.DESCRIPTOR)]
    packed.Unpack(detail)


async def refused(
    house: House, code: grpc.StatusCode, reason: str, pair: tuple[bytes, bytes] | None, token: str = ""
) -> None:
    async with house.channel(pair) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await rpc.DocumentServiceStub(channel).GetDocument(
                pb.GetDocumentRequest(name="documents/x"), metadata=bearer(token) if token else None
            )
    assert (refusal.value.code(), error_info(refusal.value).reason) == (code, reason)


async def test_an_enrolled_certificate_gets_in(house: House) -> None:
    async with house.channel() as channel:
        call = rpc.DocumentServiceStub(channel).GetDocument(
            pb.GetDocumentRequest(name="documents/x"), metadata=((REQUEST_ID, "my-id"),)
        )
        answer = await call
        trailing = dict(await call.trailing_metadata())
    assert (answer.name, answer.display_name) == ("principals/administrator", "my-id")
    assert set(answer.media_type.split(",")) == set(Role)
    assert trailing[REQUEST_ID] == "my-id"


async def test_a_token_goes_before_the_channels_certificate(house: House) -> None:
    token = house.add("principals/ana", Role.SIGNER)
    async with house.channel() as channel:
        answer = await rpc.DocumentServiceStub(channel).GetDocument(
            pb.GetDocumentRequest(name="documents/x"), metadata=bearer(token)
        )
    assert (answer.name, answer.media_type) == ("principals/ana", "signer")
    await refused(house, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", None, token + "x")


async def test_strangers_stay_outside(house: House) -> None:
    code = grpc.StatusCode.UNAUTHENTICATED
    await refused(house, code, "CERTIFICATE_NOT_ENROLLED", house.stranger())
    other = make_client_certificate(make_authority("Other", utc_now()), "x", utc_now())
    async with house.channel((other.certificate_pem, other.key_pem)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await rpc.DocumentServiceStub(channel).GetDocument(pb.GetDocumentRequest(), timeout=5)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_missing_role_is_refused_before_a_stream_is_read(house: House) -> None:
    token = house.add("principals/auditor", Role.AUDITOR)
    Documents.uploads_begun = 0

    async def chunks() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield pb.UploadDocumentRequest(chunk=b"x")

    async with house.channel() as channel:
        stub = rpc.DocumentServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.UploadDocument(chunks(), metadata=bearer(token))
        assert Documents.uploads_begun == 0
        assert (await stub.UploadDocument(chunks())).size_bytes == 1
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error_info(refusal.value).reason == "ROLE_REQUIRED"


async def test_health_is_open_and_reflection_is_not(house: House) -> None:
    async with house.channel(house.stranger()) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await anext(aiter(watch))).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await services(channel)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    async with house.channel() as channel:
        assert reflection.SERVICE_NAME in await services(channel)


async def services(channel: grpc.aio.Channel) -> set[str]:
    make_stub: Any = reflection_pb2_grpc.ServerReflectionStub
    stub = make_stub(channel)
    make_request: Any = reflection_pb2.ServerReflectionRequest
    request = make_request(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([request])):
        return {service.name for service in answer.list_services_response.service}
    return set()


async def test_a_typed_error_arrives_whole(house: House) -> None:
    async with house.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await rpc.DocumentServiceStub(channel).GetDocument(pb.GetDocumentRequest(name="documents/absent"))
    info, bad = error_info(refusal.value), BadRequest()
    _unpack(refusal.value, bad)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert (info.reason, info.domain, dict(info.metadata)) == ("DOCUMENT_NOT_FOUND", "pecete", {"a": "b"})
    assert bad.field_violations[0].field == "name"
    assert REQUEST_ID in dict(refusal.value.trailing_metadata())


async def test_a_stream_ends_with_its_error(house: House) -> None:
    async with house.channel() as channel:
        stub = rpc.DocumentServiceStub(channel)
        whole = [answer async for answer in stub.DownloadDocument(pb.DownloadDocumentRequest(name="x"))]
        assert whole[0].document.name == "principals/administrator"
        assert whole[1].chunk == b"bytes"
        call = stub.DownloadDocument(pb.DownloadDocumentRequest(name="documents/absent"))
        assert (await anext(aiter(call))).document.name == "principals/administrator"
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await anext(aiter(call))
    assert error_info(refusal.value).reason == "DOCUMENT_NOT_FOUND"


async def test_of_an_unforeseen_fault_only_the_log_tells(house: House) -> None:
    with capture_logs() as entries:
        async with house.channel() as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await rpc.DocumentServiceStub(channel).GetDocument(
                    pb.GetDocumentRequest(name="documents/fault"), metadata=((REQUEST_ID, "f1"),)
                )
    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert dict(error_info(refusal.value).metadata) == {"request_id": "f1"}
    told = repr(refusal.value) + repr(refusal.value.trailing_metadata())
    assert "4711" not in told
    assert "/srv" not in told
    assert [entry["event"] for entry in entries] == ["call failed", "call"]
    assert entries[0]["exc_info"]
    assert (entries[1]["code"], entries[1]["reason"]) == ("INTERNAL", "RuntimeError")


async def test_calls_are_counted_and_logged(house: House) -> None:
    method = "/pecete.documents.v1.DocumentService/GetDocument"
    with capture_logs() as entries:
        async with house.channel() as channel:
            stub = rpc.DocumentServiceStub(channel)
            await stub.GetDocument(pb.GetDocumentRequest(name="documents/x"))
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.GetDocument(pb.GetDocumentRequest(name="documents/absent"))
    value = house.metrics.registry.get_sample_value
    assert value("pecete_calls_total", {"method": method, "code": "OK"}) == 1
    assert value("pecete_calls_total", {"method": method, "code": "NOT_FOUND"}) == 1
    assert value("pecete_errors_total", {"reason": "DOCUMENT_NOT_FOUND"}) == 1
    assert value("pecete_call_seconds_count", {"method": method}) == 2
    assert value("pecete_calls_in_flight") == 0
    assert [(entry["method"], entry["code"]) for entry in entries] == [(method, "OK"), (method, "NOT_FOUND")]
    assert entries[0]["seconds"] > 0


async def test_a_strange_request_id_is_replaced(house: House) -> None:
    async with house.channel() as channel:
        answer = await rpc.DocumentServiceStub(channel).GetDocument(
            pb.GetDocumentRequest(name="documents/x"), metadata=((REQUEST_ID, 'a"} injected {'),)
        )
    assert len(answer.display_name) == 32
    assert answer.display_name.isalnum()
