"""RFC 3161 over HTTP: our front's manners, and our client before authorities that misbehave."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pecete.errors import UnavailableError
from server.timestamp_http import timestamp_application
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.external import ExternalTimeStamper, ForeignAuthority
from timestamping.refusals import BadAlgError
from timestamping.request import write_time_stamp_req
from timestamping.software_key import SoftwareKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGEST = hashlib.sha256(b"hello").digest()
QUERY = write_time_stamp_req("sha256", DIGEST, 5)
TYPE = {"Content-Type": "application/timestamp-query"}


class Echo:
    """An authority that answers with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, str, str]] = []

    async def respond(self, request_der: bytes, *, client: str, request_id: str) -> bytes:
        self.asked.append((request_der, client, request_id))
        return request_der


@pytest.mark.parametrize("path", ["/", "/tsa"])
async def test_der_in_der_out(path: str) -> None:
    echo = Echo()
    async with TestClient(TestServer(timestamp_application(echo))) as client:
        response = await client.post(path, data=QUERY, headers=TYPE)
        assert (response.status, response.content_type) == (200, "application/timestamp-reply")
        assert await response.read() == QUERY
        assert response.headers["X-Request-Id"] == echo.asked[0][2]
        assert echo.asked[0][1].startswith("http:127.0.0.1")
        again = await client.post(path, data=b"", headers=TYPE)
        assert again.status == 200
    assert echo.asked[0][2] != echo.asked[1][2]


async def test_what_is_no_query_gets_its_http_status() -> None:
    echo = Echo()
    async with TestClient(TestServer(timestamp_application(echo))) as client:
        statuses = [
            (await client.post("/", data=QUERY, headers={"Content-Type": "text/plain"})).status,
            (await client.post("/", data=bytes(16 * 1024 + 1), headers=TYPE)).status,
            (await client.get("/tsa")).status,
            (await client.post("/elsewhere", data=QUERY, headers=TYPE)).status,
        ]
    assert statuses == [415, 413, 405, 404]
    assert echo.asked == []


class SetClock:
    """A clock that stands still."""

    description = "test"

    def now(self) -> datetime:
        return NOW


class Unit:
    """An authority under a certificate of its own."""

    def __init__(self, policy: str = "1.2.3") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Unit")])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1)
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.anchor = certificate.public_bytes(Encoding.DER)
        self.authority = Authority(
            SoftwareKey(key, certificate),
            clock=SetClock(),
            record=self.record,
            policies=(policy, "1.2.4"),
            accuracy=timedelta(seconds=1),
            time=NOW,
        )

    async def record(self, issued: IssuedTimestamp) -> None:
        """Keep nothing."""


Answer = Callable[[bytes], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(
    answer: Answer, trust: bytes, policy: str = "", timeout: timedelta = timedelta(seconds=30)
) -> AsyncIterator[ExternalTimeStamper]:
    """Give a client of an authority that answers in this way."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(await request.read())

    application = web.Application()
    application.router.add_post("/", handle)
    async with TestServer(application) as server:
        authority = ForeignAuthority(str(server.make_url("/")), (trust,), policy=policy, timeout=timeout)
        async with ExternalTimeStamper(authority) as stamper:
            yield stamper


def reply(
    body: bytes, *, status: int = 200, content_type: str = "application/timestamp-reply"
) -> web.Response:
    return web.Response(body=body, status=status, content_type=content_type)


async def refused(stamper: ExternalTimeStamper) -> UnavailableError:
    with pytest.raises(UnavailableError) as error:
        await stamper.stamp("sha256", DIGEST, client="c", request_id="r")
    assert error.value.field == "timestamp_authority"
    return error.value


async def test_a_right_answer_is_believed() -> None:
    unit = Unit()

    async def answer(query: bytes) -> web.StreamResponse:
        return reply(await unit.authority.respond(query, client="c", request_id="r"))

    async with answering(answer, unit.anchor) as stamper:
        assert await stamper.stamp("sha256", DIGEST, client="c", request_id="r")
        with pytest.raises(BadAlgError):
            await stamper.stamp("sha1", bytes(20), client="c", request_id="r")


@pytest.mark.parametrize(
    ("altered", "cause"),
    [
        (write_time_stamp_req("sha256", DIGEST, 5), "TIMESTAMP_ANSWERS_ANOTHER_REQUEST"),
        (write_time_stamp_req("sha256", DIGEST), "TIMESTAMP_ANSWERS_ANOTHER_REQUEST"),
        (write_time_stamp_req("sha256", bytes(32), 5), "TIMESTAMP_IMPRINT_MISMATCH"),
    ],
)
async def test_the_answer_to_another_request_is_not_believed(altered: bytes, cause: str) -> None:
    unit = Unit()

    async def answer(query: bytes) -> web.StreamResponse:
        return reply(await unit.authority.respond(altered, client="c", request_id="r"))

    async with answering(answer, unit.anchor) as stamper:
        error = await refused(stamper)
    assert (error.reason, error.metadata) == ("TIMESTAMP_NOT_BELIEVED", {"cause": cause})


async def test_another_policy_than_asked_for_is_not_believed() -> None:
    unit = Unit()

    async def answer(query: bytes) -> web.StreamResponse:
        other = query.replace(b"\x06\x02\x2a\x04", b"\x06\x02\x2a\x03")
        return reply(await unit.authority.respond(other, client="c", request_id="r"))

    async with answering(answer, unit.anchor, "1.2.4") as stamper:
        error = await refused(stamper)
    assert error.reason == "TIMESTAMP_NOT_BELIEVED"
    assert error.metadata == {"cause": "TIMESTAMP_ANSWERS_ANOTHER_REQUEST"}


async def test_a_stranger_is_not_believed() -> None:
    unit, other = Unit(), Unit()

    async def answer(query: bytes) -> web.StreamResponse:
        return reply(await unit.authority.respond(query, client="c", request_id="r"))

    async with answering(answer, other.anchor) as stamper:
        error = await refused(stamper)
    assert (error.reason, error.metadata) == ("TIMESTAMP_NOT_BELIEVED", {"cause": "TIMESTAMP_PATH_NOT_FOUND"})


async def test_a_refusal_is_passed_on_with_its_reason() -> None:
    unit = Unit()

    async def answer(query: bytes) -> web.StreamResponse:
        return reply(await unit.authority.respond(query, client="c", request_id="r"))

    async with answering(answer, unit.anchor, "1.9.9") as stamper:
        error = await refused(stamper)
    assert error.reason == "TIMESTAMP_REFUSED"
    assert error.metadata["failure_info"] == "unaccepted_policy"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (reply(b"", status=500), "TIMESTAMP_AUTHORITY_UNREACHABLE"),
        (reply(b"", content_type="text/html"), "TIMESTAMP_AUTHORITY_UNREACHABLE"),
        (reply(b"", status=302), "TIMESTAMP_AUTHORITY_UNREACHABLE"),
        (reply(bytes(100_000)), "TIMESTAMP_AUTHORITY_UNREACHABLE"),
        (reply(b""), "TIMESTAMP_NOT_BELIEVED"),
        (reply(b"garbage"), "TIMESTAMP_NOT_BELIEVED"),
    ],
)
async def test_an_unusable_answer_is_none(response: web.Response, reason: str) -> None:
    async def answer(query: bytes) -> web.StreamResponse:
        return response

    async with answering(answer, Unit().anchor) as stamper:
        assert (await refused(stamper)).reason == reason


async def test_an_authority_that_is_not_there_is_unreachable() -> None:
    async with TestServer(web.Application()) as server:
        url = str(server.make_url("/"))
    for address in (url, "http://", "not an address"):
        async with ExternalTimeStamper(ForeignAuthority(address, ())) as stamper:
            assert (await refused(stamper)).reason == "TIMESTAMP_AUTHORITY_UNREACHABLE"


async def test_a_silent_authority_is_given_up() -> None:
    given_up = asyncio.Event()

    async def answer(query: bytes) -> web.StreamResponse:
        await given_up.wait()
        return reply(b"")

    async with answering(answer, Unit().anchor, timeout=timedelta(milliseconds=50)) as stamper:
        assert (await refused(stamper)).reason == "TIMESTAMP_AUTHORITY_UNREACHABLE"
        given_up.set()
