"""Fetching revocation data on loopback: what is believed, cached, refused and limited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from server import revocation_fetching
from server.revocation_fetching import RevocationFetcher
from signer.material import ValidationMaterial
from signer.validation.survey import Gap
from softhsm.pki import Holder, TestPki

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = ValidationMaterial()
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass
class Authority:
    """A PKI on loopback; `answers` stand in for what it gives by path, `asked` are the paths asked."""

    time: datetime = NOW
    answers: dict[str, bytes | Answering] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        self.pki = TestPki(address=address)
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.signer = self.pki.issue_signer(Holder("Ana Popescu", "", "Ana", "Popescu"), key)
        self.status = Gap(der(self.signer), "Ana Popescu", der(self.pki.intermediate))
        self.orphan = Gap(der(self.signer), "Ana Popescu", None)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        given = self.answers.get(request.path)
        if given is None:
            return await self._usual(request)
        return web.Response(body=given) if isinstance(given, bytes) else await given(request)

    async def _usual(self, request: web.Request) -> web.StreamResponse:
        root, intermediate = self.pki.revocation_lists(self.time, life=timedelta(days=7))
        if request.path == "/ocsp":
            asked = ocsp.load_der_ocsp_request(await request.read())
            assert request.content_type == "application/ocsp-request"
            assert asked.serial_number == self.signer.serial_number
            return web.Response(body=self.pki.ocsp_response(self.signer, self.time))
        bodies = {
            "/root.crl": root,
            "/intermediate.crl": intermediate,
            "/intermediate.cer": der(self.pki.intermediate),
        }
        return web.Response(body=bodies[request.path])


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@asynccontextmanager
async def opened(
    authority: Authority, clock: Clock | None = None, *, public: bool = True, seconds: float = 10
) -> AsyncIterator[RevocationFetcher]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", authority.answer)
    async with TestServer(application, host="127.0.0.1") as server:
        authority.open(f"http://127.0.0.1:{server.port}")
        timeout = timedelta(seconds=seconds)
        moment = clock or Clock()
        everywhere = RevocationFetcher(moment, timeout=timeout, is_public=lambda address: True)
        async with everywhere if public else RevocationFetcher(moment, timeout=timeout) as fetcher:
            yield fetcher


async def status(code: int, **headers: str) -> web.Response:
    return web.Response(status=code, headers=headers)


async def test_ocsp_is_asked_first_and_its_answer_verified() -> None:
    authority = Authority()
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.status)
    assert len(found.material.ocsp_responses) == 1
    assert found.material.crls == ()
    assert authority.asked == ["/ocsp"]
    assert found.tried[0].endswith("/ocsp: answered")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"words", "/ocsp: no answer about the certificate that its issuer stands behind"),
        (lambda request: status(503), "/ocsp: HTTP status 503"),
        (lambda request: status(302, Location="/elsewhere"), "/ocsp: HTTP status 302"),
    ],
    ids=["unreadable", "down", "redirect"],
)
async def test_the_list_is_fetched_where_ocsp_gives_nothing(answer: bytes | Answering, told: str) -> None:
    authority = Authority(answers={"/ocsp": answer})
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.status)
    assert len(found.material.crls) == 1
    assert authority.asked == ["/ocsp", "/intermediate.crl"]
    assert found.tried[0].endswith(told)
    assert found.tried[1].endswith("/intermediate.crl: answered")


async def test_data_of_another_authority_are_not_believed() -> None:
    other = TestPki()
    authority = Authority(answers={"/ocsp": b"", "/intermediate.crl": other.revocation_lists(NOW)[1]})
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.status)
    assert found.material == NOTHING
    assert found.tried[1].endswith("no answer about the certificate that its issuer stands behind")


async def test_old_data_are_none() -> None:
    authority = Authority(time=NOW - timedelta(days=30))
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.status)
    assert found.material == NOTHING
    assert [told.partition(": ")[2] for told in found.tried] == ["the answer is too old"] * 2


async def test_answers_are_kept_until_their_next_update_and_no_longer_than_a_day() -> None:
    authority, clock = Authority(), Clock()
    async with opened(authority, clock) as fetcher:
        first = await fetcher.find(authority.status)
        clock.time = NOW + timedelta(hours=23)
        assert await fetcher.find(authority.status) == first
        assert authority.asked == ["/ocsp"]
        clock.time = NOW + timedelta(hours=25)
        await fetcher.find(authority.status)
        assert authority.asked == ["/ocsp"] * 2


async def test_nothing_longer_than_its_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_fetching, "_MAXIMUM_CRL", 1000)
    monkeypatch.setattr(revocation_fetching, "_MAXIMUM_OCSP", 1000)
    authority = Authority(answers={"/ocsp": bytes(1001), "/intermediate.crl": bytes(1001)})
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.status)
    assert [told.partition(": ")[2] for told in found.tried] == ["longer than 1000 bytes"] * 2


async def test_who_does_not_answer_in_time_is_given_up() -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    authority = Authority(answers={"/ocsp": never, "/intermediate.crl": never})
    async with opened(authority, seconds=0.1) as fetcher:
        found = await fetcher.find(authority.status)
    assert [told.partition(": ")[2] for told in found.tried] == ["no answer in time"] * 2


async def test_an_issuer_is_fetched_from_a_public_address() -> None:
    authority = Authority()
    async with opened(authority) as fetcher:
        found = await fetcher.find(authority.orphan)
    assert found.material == ValidationMaterial((der(authority.pki.intermediate),))
    assert authority.asked == ["/intermediate.cer"]


async def test_an_issuer_is_not_fetched_from_within_the_house() -> None:
    authority = Authority()
    async with opened(authority, public=False) as fetcher:
        found = await fetcher.find(authority.orphan)
        named = revocation_fetching._Request("http://localhost:1/issuer.cer", 1000)
        with pytest.raises(revocation_fetching._FetchError):
            await fetcher._exchange(named, public=True)
    assert (found.material, authority.asked) == (NOTHING, [])
    assert found.tried[0].endswith("not a public address")


async def test_a_certificate_without_addresses_asks_nobody() -> None:
    pki = TestPki()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    signer = pki.issue_signer(Holder("Ana Popescu", "", "Ana", "Popescu"), key)
    async with RevocationFetcher(Clock()) as fetcher:
        for issuer in (der(pki.intermediate), None):
            found = await fetcher.find(Gap(der(signer), "Ana Popescu", issuer))
            assert (found.material, found.tried) == (NOTHING, ())
