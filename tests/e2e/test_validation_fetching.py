"""What a verdict lacks is fetched from loopback: through a server, offline, and as time goes by."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from pecete.client import Client
from server.config import ValidationSettings
from server.judging import Judge
from server.revocation_fetching import RevocationFetcher
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from server.validation_fetching import FetchingJudge
from signer.validation import SignatureVerdict
from softhsm.provision import CITY_HALL
from tests.e2e.responder import Responder, running_responder
from tests.unit.validation_documents import CA, NOW, ROOT, SIGNED, SIGNING, Identity, blank, crl, issue, sign

pytestmark = pytest.mark.e2e

DAY = timedelta(days=1)
TEN_HOURS = timedelta(hours=10)
OFFICIAL = CITY_HALL[-2].label


# ---- through a server, and offline


@pytest.fixture(scope="module")
def responder() -> Iterator[Responder]:
    with running_responder() as running:
        yield running


@pytest.fixture(scope="module")
def fetching(responder: Responder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    """A server that has no lists and fetches them."""
    folder = tmp_path_factory.mktemp("fetching")
    settings = Settings(plans=CITY_HALL[-2:], validation="fetch = true", pki=responder.pki)
    with running_server(make_trial(folder / "trial", settings), folder / "server.log") as running:
        yield running


def seal_certificate(server: TrialServer) -> x509.Certificate:
    return x509.load_der_x509_certificate(server.trial.provisioned.token(SEAL).certificate)


def told(client: Client, document: str) -> tuple[tuple[str, str | None], list[str]]:
    """The verdict on the only signature, and what was asked."""
    report = json.loads(client.validate(document).report_json)
    (verdict,) = report["signatures"]
    return (verdict["indication"], verdict["sub_indication"]), report["fetching"]


def test_a_verdict_gets_what_it_lacks_and_keeps_it(
    fetching: TrialServer, responder: Responder, disposition: Path, tmp_path: Path
) -> None:
    responder.down = True
    with fetching.client(DEPARTMENT) as client:
        signed = client.sign(disposition, fetching.trial.signing_key(SEAL), level="B-B").document.name
        verdict, asked = told(client, signed)
        assert verdict == ("INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")
        assert f"{responder.address}/ocsp: HTTP status 404" in asked
        assert f"{responder.address}/intermediate.crl: HTTP status 404" in asked

        responder.down, responder.good = False, [seal_certificate(fetching)]
        responder.asked.clear()
        verdict, asked = told(client, signed)
        assert verdict == ("TOTAL_PASSED", None)
        assert f"{responder.address}/ocsp: answered" in asked
        assert sorted(responder.asked) == ["/ocsp", "/ocsp", "/root.crl"]

        responder.down = True
        responder.asked.clear()
        assert told(client, signed)[0] == ("TOTAL_PASSED", None)
        assert "/root.crl" not in responder.asked
        client.download(signed, tmp_path / "signed.pdf")

    responder.down = False
    root = str(fetching.trial.provisioned.root)
    command = [sys.executable, "-m", "server.cli", "validate", "--trust", root, "--json"]
    verdicts = []
    for options in ([], ["--fetch"]):
        done = subprocess.run(
            [*command, *options, str(tmp_path / "signed.pdf")], capture_output=True, text=True, check=True
        )
        verdicts.append(json.loads(done.stdout)["signatures"][0]["indication"])
    assert verdicts == ["INDETERMINATE", "TOTAL_PASSED"]


def test_a_revocation_is_fetched(fetching: TrialServer, responder: Responder, disposition: Path) -> None:
    token = fetching.trial.provisioned.token(OFFICIAL)
    certificate, since = x509.load_der_x509_certificate(token.certificate), datetime.now(UTC) - DAY
    responder.down = True
    with fetching.client(OFFICIAL) as client:
        pin = fetching.trial.pin(OFFICIAL)
        document = client.upload(disposition).name
        signed = client.sign(document, fetching.trial.signing_key(OFFICIAL), pin=pin, level="B-B")
        responder.down, responder.revoked = False, [(certificate, since)]
        verdict, asked = told(client, signed.document.name)
    assert verdict == ("INDETERMINATE", "REVOKED_NO_POE")
    assert f"{responder.address}/intermediate.crl: answered" in asked


def test_an_issuer_is_not_fetched_from_within_the_house(fetching: TrialServer, responder: Responder) -> None:
    orphan = issue("Nobody", SUB_OF_NOWHERE, SIGNING, *places(responder.address, "nowhere"))
    responder.down = False
    responder.asked.clear()
    with fetching.client(DEPARTMENT) as client:
        verdict, asked = told(client, client.upload(sign(blank(), orphan, above=orphan)).name)
    assert verdict == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")
    assert asked == [f"{responder.address}/nowhere.cer: not a public address"]
    assert responder.asked == []


# ---- as time goes by


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@dataclass
class Authority:
    """A small authority over HTTP, whose lists are made anew, for ten hours, each time they are asked for."""

    clock: Clock = field(default_factory=Clock)
    revoked: list[tuple[Identity, datetime, x509.ReasonFlags]] = field(default_factory=list)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        self.issuing = issue("Fetched issuing", ROOT, *CA, *places(address, "root"))
        self.signer = issue("Ana Popescu", self.issuing, SIGNING, *places(address, "issuing"))

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        now = self.clock.time
        bodies = {
            "/issuing.cer": self.issuing.der,
            "/issuing.crl": crl(self.issuing, *self.revoked, this_update=now, next_update=now + TEN_HOURS),
            "/root.crl": crl(ROOT, this_update=now, next_update=now + TEN_HOURS),
        }
        if self.down or request.path not in bodies:
            raise web.HTTPServiceUnavailable
        return web.Response(body=bodies[request.path])


@dataclass
class House:
    """A fetching judge beside its authority, and a document of a signer whose issuer it does not hold."""

    authority: Authority
    judge: FetchingJudge
    document: Path

    async def verdict(self, time: datetime | None = None) -> SignatureVerdict:
        report = await self.judge.judge(self.document, display_name="d.pdf", time=time)
        (verdict,) = report.signatures
        return verdict

    async def word(self, time: datetime | None = None) -> tuple[str, str | None]:
        conclusion = (await self.verdict(time)).conclusion
        return conclusion.indication, conclusion.sub_indication


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    authority = Authority()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", authority.answer)
    (folder / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    async with TestServer(application, host="127.0.0.1") as server:
        authority.open(f"http://127.0.0.1:{server.port}")
        document = folder / "d.pdf"
        signed = await asyncio.to_thread(sign, blank(), authority.signer, above=authority.signer)
        document.write_bytes(signed)
        judge = Judge(ValidationSettings(trust=(folder / "root.pem",)), 1, authority.clock)
        async with RevocationFetcher(authority.clock, is_public=lambda address: True) as fetcher:
            yield House(authority, FetchingJudge(judge, fetcher), document)
        await judge.close()


async def test_issuer_and_lists_are_fetched_once_and_again_when_they_have_ended(tmp_path: Path) -> None:
    every = ["/issuing.cer", "/issuing.crl", "/root.crl"]
    async with house(tmp_path) as here:
        asked, clock = here.authority.asked, here.authority.clock
        for _ in range(2):
            assert await here.word() == ("TOTAL_PASSED", None)
            assert sorted(each for each in asked if each != "/ocsp") == every
        asked.clear()
        clock.time = NOW + TEN_HOURS
        assert await here.word() == ("TOTAL_PASSED", None)
        assert sorted(each for each in asked if each != "/ocsp") == every[1:]
        clock.time = NOW + 2 * TEN_HOURS
        here.authority.down = True
        assert await here.word() == ("INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")


async def test_a_revocation_is_learned_when_the_list_has_ended(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert await here.word() == ("TOTAL_PASSED", None)
        revoked = NOW + timedelta(hours=1)
        here.authority.revoked = [(here.authority.signer, revoked, x509.ReasonFlags.key_compromise)]
        here.authority.clock.time = NOW + TEN_HOURS
        assert await here.word() == ("INDETERMINATE", "REVOKED_NO_POE")


@pytest.mark.parametrize(
    ("revoked", "passes"),
    [(SIGNED - DAY, False), (SIGNED + DAY, False), (SIGNED + 3 * DAY, True), (None, True)],
    ids=str,
)
async def test_a_verdict_for_the_past_is_not_better_for_what_is_fetched_now(
    tmp_path: Path, revoked: datetime | None, passes: bool
) -> None:
    async with house(tmp_path) as here:
        if revoked:
            here.authority.revoked = [(here.authority.signer, revoked, x509.ReasonFlags.key_compromise)]
        assert (await here.verdict(SIGNED + 2 * DAY)).conclusion.passed is passes


async def test_a_broken_signature_makes_nobody_ask(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.document.write_bytes(here.document.read_bytes().replace(b"/MediaBox", b"/MediaBex", 1))
        assert await here.word() == ("TOTAL_FAILED", "HASH_FAILURE")
        assert here.authority.asked == []


def places(address: str, issuer: str) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """Where a certificate says that its issuer, its issuer's list and OCSP are."""
    access = {
        AuthorityInformationAccessOID.OCSP: f"{address}/ocsp",
        AuthorityInformationAccessOID.CA_ISSUERS: f"{address}/{issuer}.cer",
    }
    descriptions = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in access.items()
    ]
    name = x509.UniformResourceIdentifier(f"{address}/{issuer}.crl")
    points = [x509.DistributionPoint([name], None, None, None)]
    return (
        (x509.CRLDistributionPoints(points), False),
        (x509.AuthorityInformationAccess(descriptions), False),
    )


SUB_OF_NOWHERE = issue("Unknown issuing", ROOT, *CA)
