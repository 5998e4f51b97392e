"""Keys over several tokens: who finds them, replicas that serve as one, and what is told of faults."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import server.token
from pecete.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
    UnavailableError,
)
from server.config import TokenSettings
from server.config_reader import Secret
from server.metrics import Metrics
from server.token_registry import RegisteredKey, TokenRegistry
from signer.pades.options import SignatureOptions
from signer.tokens import worker
from signer.tokens.inventory import SigningKeyInfo
from signer.tokens.session import TokenLook
from tests.unit.signing_keys import START, info

ANA, STRANGER = "principals/ana", "principals/ion"
HSM = TokenSettings("hsm", Path("/nonexistent.so"), "hsm", allowed=(ANA,))
AWAY = UnavailableError("TOKEN_NOT_PRESENT", "Away.", field="signing_key")
CRASHED = UnavailableError("WORKER_CRASHED", "Crashed.")
LOCKED = FailedPreconditionError("PIN_LOCKED", "Locked.", field="pin")
ENCRYPTED = FailedPreconditionError("DOCUMENT_ENCRYPTED", "Encrypted.", field="document")
INFO, OTHER = info(), info()
NAME = f"signingKeys/{INFO.id}"
OPTIONS = SignatureOptions(signing_time=START)


class FakePool:
    """The worker processes of one token, which answer as they are told."""

    def __init__(self, settings: TokenSettings) -> None:
        self.settings = settings
        self.keys: tuple[SigningKeyInfo, ...] = (INFO,)
        self.tries_left = ""
        self.list_fault: PeceteError | None = None
        self.probe_fault: PeceteError | None = None
        self.sign_fault: PeceteError | None = None
        self.asked: list[object] = []

    async def run(self, function: Callable[..., object], *arguments: object) -> object:
        faults: dict[object, PeceteError | None] = {
            worker.look: self.list_fault,
            worker.probe: self.probe_fault,
        }
        self.asked.append(function)
        fault = faults.get(function, self.sign_fault)
        if fault is not None:
            raise fault
        return TokenLook(self.keys, self.tries_left) if function in faults else self.settings.name

    run_once = run

    @property
    def signed(self) -> int:
        return sum(each not in (worker.look, worker.probe) for each in self.asked)


class Revocations:
    """Knows of one revoked certificate."""

    def __init__(self, revoked: bytes = b"") -> None:
        self.revoked = revoked

    async def require_unrevoked(self, certificate: bytes, chain: Sequence[bytes]) -> None:
        if certificate == self.revoked:
            raise FailedPreconditionError("CERTIFICATE_REVOKED", "Revoked.", field="signing_key")


class Hall:
    """A registry over fake tokens."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *settings: TokenSettings, revoked: bytes = b""
    ) -> None:
        monkeypatch.setenv("PIN", "4711")
        waiting = [FakePool(each) for each in settings]
        self.pools = {pool.settings.name: pool for pool in waiting}
        monkeypatch.setattr(server.token, "WorkerPool", lambda *_arguments, **_named: waiting.pop(0))
        self.metrics = Metrics()
        self.registry = TokenRegistry(settings, self.metrics, Revocations(revoked))

    def figure(self, name: str, token: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"pecete_token_{name}", {"token": token})

    async def read_again(self, token: str) -> None:
        """Have a token read once more, as after a minute; a fault leaves that to the next call."""
        try:
            await self.registry.tokens[token].keys(maximum_age=-1)
        except PeceteError:
            return

    async def sign(self, pin: str | None = None) -> object:
        """Sign and say which token did."""
        key = await self.registry.find(NAME, ANA)
        return await self.registry.sign_section(key, Path("/nonexistent.pdf"), OPTIONS, pin)


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Hall:
    return Hall(monkeypatch, HSM)


def with_pin(name: str) -> TokenSettings:
    return replace(HSM, name=name, pin=Secret("tokens[0].pin", env="PIN"))


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Hall:
    """Two HSMs that hold the same key."""
    return Hall(monkeypatch, with_pin("hsm-1"), with_pin("hsm-2"))


def reason_of(key: RegisteredKey) -> str:
    return key.fault.reason if key.fault else ""


async def test_a_key_whose_token_went_away_is_still_described_and_not_found_for_signing(one: Hall) -> None:
    registry, pool = one.registry, one.pools["hsm"]
    assert (await registry.describe(NAME, ANA)).fault is None
    pool.list_fault = AWAY
    await one.read_again("hsm")
    (listed,) = await registry.list_keys(ANA)
    assert (listed.name, reason_of(listed)) == (NAME, "TOKEN_NOT_PRESENT")
    assert reason_of(await registry.describe(NAME, ANA)) == "TOKEN_NOT_PRESENT"
    with pytest.raises(UnavailableError, match="TOKEN_NOT_PRESENT"):
        await registry.find(NAME, ANA)
    pool.list_fault = None
    assert (await registry.describe(NAME, ANA)).fault is None


async def test_a_fault_names_its_token(one: Hall) -> None:
    one.pools["hsm"].list_fault = AWAY
    with pytest.raises(UnavailableError) as caught:
        await one.registry.timestamping_key("hsm", INFO.id)
    assert (caught.value.message, caught.value.metadata) == ("Token hsm: Away.", {"token": "hsm"})


async def test_a_refused_pin_leaves_the_keys_listed_until_it_is_taken_again(one: Hall) -> None:
    token, pool = one.registry.tokens["hsm"], one.pools["hsm"]
    pool.probe_fault = LOCKED
    with pytest.raises(FailedPreconditionError):
        await token.check()
    assert reason_of(await one.registry.describe(NAME, ANA)) == "PIN_LOCKED"
    pool.probe_fault = None
    await token.check()
    assert (await one.registry.describe(NAME, ANA)).fault is None


async def test_a_token_that_was_never_seen_has_no_keys(one: Hall) -> None:
    one.pools["hsm"].list_fault = AWAY
    assert await one.registry.list_keys(ANA) == []
    with pytest.raises(UnavailableError):
        await one.registry.describe("signingKeys/00", ANA)


async def test_others_learn_nothing_of_a_key(one: Hall) -> None:
    await one.registry.list_keys(ANA)
    assert await one.registry.list_keys(STRANGER) == []
    with pytest.raises(NotFoundError):
        await one.registry.describe(NAME, STRANGER)


async def test_what_the_token_says_of_its_pin_is_told(one: Hall) -> None:
    token, pool = one.registry.tokens["hsm"], one.pools["hsm"]
    pool.tries_left = "low"
    assert await token.check() == "PIN tries left: low"
    (key,) = await one.registry.list_keys(ANA)
    assert (key.fault, key.tries_left) == (None, "low")
    assert one.figure("pin_tries_low", "hsm") == 1
    await one.sign(pin="4711")
    assert (await one.registry.list_keys(ANA))[0].tries_left == ""
    pool.sign_fault = LOCKED.__class__("PIN_LOCKED", "", field="pin", metadata={"tries_left": "none"})
    with pytest.raises(FailedPreconditionError, match="PIN_LOCKED"):
        await one.sign(pin="4712")
    (key,) = await one.registry.list_keys(ANA)
    assert (reason_of(key), key.tries_left) == ("PIN_LOCKED", "none")


async def test_a_callers_wrong_pin_is_no_fault_of_the_token(one: Hall) -> None:
    one.pools["hsm"].sign_fault = FailedPreconditionError("PIN_INCORRECT", "Wrong.", field="pin")
    with pytest.raises(FailedPreconditionError, match="PIN_INCORRECT"):
        await one.sign(pin="4712")
    assert (await one.registry.list_keys(ANA))[0].fault is None


@pytest.mark.parametrize("lost", [CRASHED, UnavailableError("WORKER_TIMED_OUT", "Hung.")])
async def test_a_pin_that_went_to_a_worker_that_was_lost_is_not_given_again(
    monkeypatch: pytest.MonkeyPatch, lost: UnavailableError
) -> None:
    """UNAVAILABLE would have clients try again, with the same PIN."""
    hall = Hall(monkeypatch, replace(HSM, name="hsm-1"), replace(HSM, name="hsm-2"))
    await hall.registry.list_keys(ANA)
    hall.pools["hsm-1"].sign_fault = lost
    with pytest.raises(FailedPreconditionError) as caught:
        await hall.sign(pin="4711")
    assert (caught.value.reason, caught.value.metadata["cause"]) == ("PIN_OUTCOME_UNKNOWN", lost.reason)
    assert [hall.pools[name].signed for name in ("hsm-1", "hsm-2")] == [1, 0]


async def test_two_tokens_with_one_key_are_one_key(pair: Hall) -> None:
    (key,) = await pair.registry.list_keys(ANA)
    assert (key.name, key.token.name, key.replicas) == (NAME, "hsm-1", ("hsm-2",))
    assert [await pair.sign() for _ in range(3)] == ["hsm-1"] * 3


@pytest.mark.parametrize("fault", [AWAY, CRASHED, LOCKED])
async def test_a_replica_signs_within_the_call_and_then_first(pair: Hall, fault: PeceteError) -> None:
    await pair.registry.list_keys(ANA)
    first = pair.pools["hsm-1"]
    first.sign_fault = fault
    assert await pair.sign() == "hsm-2"
    assert (pair.figure("failovers_total", "hsm-1"), pair.figure("up", "hsm-1")) == (1, 0)
    asked = first.signed
    (key,) = await pair.registry.list_keys(ANA)
    assert (key.token.name, key.fault, key.replicas) == ("hsm-2", None, ("hsm-1",))
    assert await pair.sign() == "hsm-2"
    assert first.signed == asked, "a token that is away holds up nobody"
    first.sign_fault = None
    await pair.registry.tokens["hsm-1"].check()
    assert (pair.figure("recoveries_total", "hsm-1"), pair.figure("up", "hsm-1")) == (1, 1)
    assert await pair.sign() == "hsm-1"


async def test_a_replica_serves_when_the_first_token_was_away_from_the_start(pair: Hall) -> None:
    pair.pools["hsm-1"].list_fault = AWAY
    assert await pair.sign() == "hsm-2"
    assert (await pair.registry.list_keys(ANA))[0].token.name == "hsm-2"


async def test_without_any_replica_the_first_fault_is_told(pair: Hall) -> None:
    await pair.registry.list_keys(ANA)
    pair.pools["hsm-1"].sign_fault, pair.pools["hsm-2"].sign_fault = CRASHED, AWAY
    with pytest.raises(UnavailableError, match="Token hsm-1: Crashed"):
        await pair.sign()


async def test_a_fault_of_the_document_goes_to_no_replica(pair: Hall) -> None:
    await pair.registry.list_keys(ANA)
    pair.pools["hsm-1"].sign_fault = ENCRYPTED
    with pytest.raises(FailedPreconditionError, match="DOCUMENT_ENCRYPTED"):
        await pair.sign()
    assert pair.pools["hsm-2"].signed == 0
    assert (await pair.registry.list_keys(ANA))[0].token.name == "hsm-1"


async def test_a_callers_pin_goes_to_no_replica_after_it_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, replace(HSM, name="hsm-1"), replace(HSM, name="hsm-2"))
    await hall.registry.list_keys(ANA)
    hall.pools["hsm-1"].sign_fault = FailedPreconditionError("PIN_INCORRECT", "Wrong.", field="pin")
    with pytest.raises(FailedPreconditionError, match="PIN_INCORRECT"):
        await hall.sign(pin="4712")
    assert hall.pools["hsm-2"].signed == 0
    hall.pools["hsm-1"].sign_fault = AWAY
    assert await hall.sign(pin="4711") == "hsm-2"


async def test_a_token_of_others_or_with_another_way_of_pins_is_no_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = replace(with_pin("hsm-2"), allowed=(STRANGER,))
    hall = Hall(monkeypatch, with_pin("hsm-1"), theirs, replace(HSM, name="card"))
    (key,) = await hall.registry.list_keys(ANA)
    assert (key.token.name, key.replicas) == ("hsm-1", ())


async def test_a_time_stamping_key_has_replicas_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch, with_pin("hsm-1"), replace(with_pin("hsm-2"), allowed=()))
    stamping = replace(INFO, purpose="timestamp")
    for pool in hall.pools.values():
        pool.keys = (stamping,)
    hall.pools["hsm-1"].list_fault = AWAY
    assert await hall.registry.timestamping_key("hsm-1", INFO.id) == stamping
    made: object = await hall.registry.sign("hsm-1", INFO.id, b"")
    assert made == "hsm-2"
    with pytest.raises(UnavailableError, match="Token hsm-1: Away"):
        await hall.registry.timestamping_key("hsm-1", "00")


async def test_a_revoked_certificate_is_refused_before_a_token_is_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hall = Hall(monkeypatch, with_pin("hsm"), revoked=INFO.certificate)
    with pytest.raises(FailedPreconditionError, match="CERTIFICATE_REVOKED"):
        await hall.sign()
    assert hall.pools["hsm"].signed == 0


async def test_a_missing_pin_is_asked_for_before_anything(one: Hall) -> None:
    with pytest.raises(InvalidArgumentError, match="PIN_REQUIRED"):
        await one.sign()


async def test_a_busy_token_that_signs_is_not_probed(pair: Hall) -> None:
    """A probe would wait behind the signatures, and their success is a better one."""
    await pair.sign()
    token, pool = pair.registry.tokens["hsm-1"], pair.pools["hsm-1"]
    await asyncio.gather(*(token.check() for _ in range(5)))
    assert worker.probe not in pool.asked
