"""Real modules that crash, hang, lie or lose their token amid a call: what the caller gets, and what heals.

The faults come from a module in front of SoftHSM's (faulty_module.c), so they happen inside PKCS#11 calls.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
from cryptography import x509

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
from server.config import TokenSettings
from server.config_reader import Secret
from server.metrics import Metrics
from server.token_registry import RegisteredKey, TokenRegistry
from signer.algorithms import verify
from signer.pades.options import SignatureOptions
from signer.pades.signing import SignedSection, finish
from softhsm.provision import CITY_HALL, Provisioned, find_module, provision
from tests.e2e.alarms import alarms_by_hand
from tests.e2e.hsm_replica import copy_token
from tests.e2e.observation import until

pytestmark = pytest.mark.e2e

OURS, OTHER, COPY = "primar", "contabil", "primar-2"
TIMEOUT = 3111
LOST = {
    "CKR_DEVICE_ERROR": "30",
    "CKR_DEVICE_REMOVED": "32",
    "CKR_GENERAL_ERROR": "5",
    "CKR_KEY_HANDLE_INVALID": "60",
    "CKR_SESSION_CLOSED": "b0",
    "CKR_SESSION_HANDLE_INVALID": "b3",
    "CKR_TOKEN_NOT_PRESENT": "e0",
    "CKR_USER_NOT_LOGGED_IN": "101",
}


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    made = provision(tmp_path_factory.mktemp("faulty") / "hsm", CITY_HALL)
    copy_token(made.configuration.parent / "tokens", OURS, COPY)
    return made


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module that fails as it is told."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler (cc) for the module that fails")
    made = tmp_path_factory.mktemp("module") / "faulty.so"
    source = Path(__file__).with_name("faulty_module.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


class Revocations:
    """Nothing is revoked."""

    async def require_unrevoked(self, certificate: bytes, chain: Sequence[bytes]) -> None:
        """Refuse nothing."""


@dataclass
class Bench:
    """A registry over real tokens, and the folder of the faults that are to come."""

    registry: TokenRegistry
    metrics: Metrics
    faults: Path
    hsm: Provisioned

    def fail(self, fault: str, content: str = "") -> Path:
        """Have one call fail."""
        (file := self.faults / fault).write_text(content)
        return file

    def figure(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"pecete_token_{name}", labels) or 0.0

    async def key(self, label: str) -> RegisteredKey:
        fingerprint = sha256(self.hsm.token(label).certificate).hexdigest()
        return await self.registry.find(f"signingKeys/{fingerprint}", "principals/ana")

    async def sign(self, label: str, document: Path, pin: str | None = None) -> SignedSection:
        """Sign and check the signature with the certificate's public key."""
        key = await self.key(label)
        options = SignatureOptions(signing_time=key.info.not_before, reason="Încercare")
        section = await self.registry.sign_section(key, document, options, pin)
        public_key = x509.load_der_x509_certificate(key.info.certificate).public_key()
        verify(key.info.algorithm, public_key, section.signature, section.signed_attributes)
        assert finish(section, None)
        return section


@pytest.fixture
async def bench(
    hsm: Provisioned, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    async for made in opened(hsm, module, tmp_path, monkeypatch, with_pin=True):
        yield made


@pytest.fixture
async def desk(
    hsm: Provisioned, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    """The same tokens, whose PINs come with each call."""
    async for made in opened(hsm, module, tmp_path, monkeypatch, with_pin=False):
        yield made


async def opened(
    hsm: Provisioned, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_pin: bool
) -> AsyncIterator[Bench]:
    faults = tmp_path / "faults"
    faults.mkdir()
    variables = {"PECETE_REAL_MODULE": str(find_module()), "PECETE_FAULTS": str(faults), **hsm.environment}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def settings(label: str, path: Path, pin: str) -> TokenSettings:
        monkeypatch.setenv(f"PIN_{label}", pin)
        return TokenSettings(
            name=label,
            module=path,
            token_label=label,
            pin=Secret("pin", env=f"PIN_{label}") if with_pin else None,
            timeout_seconds=TIMEOUT,
            allowed=("principals/ana",),
        )

    metrics = Metrics()
    pin, other = hsm.token(OURS).pin, hsm.token(OTHER).pin
    tokens = [settings(OURS, module, pin), settings(OTHER, find_module(), other)]
    if with_pin:
        tokens.append(settings(COPY, find_module(), pin))
    registry = TokenRegistry(tokens, metrics, Revocations())
    yield Bench(registry, metrics, faults, hsm)
    await registry.close()


@pytest.mark.parametrize("code", LOST.values(), ids=LOST)
async def test_a_lost_session_is_mended_within_the_call(bench: Bench, disposition: Path, code: str) -> None:
    await bench.sign(OURS, disposition)
    fault = bench.fail("sign-code", code)
    await bench.sign(OURS, disposition)
    assert not fault.exists()
    assert bench.figure("failovers_total", token=OURS) == 0
    assert bench.figure("up", token=OURS) == 1


async def test_a_module_that_crashes_takes_nothing_with_it(bench: Bench, disposition: Path) -> None:
    await bench.sign(OURS, disposition)
    others = [bench.sign(OTHER, disposition) for _ in range(20)]
    fault = bench.fail("sign-crash")
    await asyncio.gather(*others, *(bench.sign(OURS, disposition) for _ in range(20)))
    assert not fault.exists()
    assert bench.figure("worker_losses_total", token=OURS, cause="crash") == 1
    assert bench.figure("worker_losses_total", token=OTHER, cause="crash") == 0


async def test_a_module_that_hangs_is_ended_and_a_replica_signs(
    bench: Bench, disposition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.sign(OURS, disposition)
    await bench.registry.list_keys("principals/ana")
    fault = bench.fail("sign-hang")
    alarms = alarms_by_hand(monkeypatch, TIMEOUT)
    call = asyncio.create_task(bench.sign(OURS, disposition))
    await asyncio.to_thread(until, "the hanging call", lambda: not fault.exists())
    alarms[0]()
    await call
    assert bench.figure("worker_losses_total", token=OURS, cause="timeout") == 1
    assert bench.figure("failovers_total", token=OURS) == 1
    with_fault = bench.registry.tokens[OURS]
    assert with_fault.fault is not None and with_fault.fault.reason == "WORKER_TIMED_OUT"
    await with_fault.check()
    assert bench.figure("recoveries_total", token=OURS) == 1
    await bench.sign(OURS, disposition)
    assert bench.figure("failovers_total", token=OURS) == 1


async def test_a_wrong_signature_is_never_given_out(bench: Bench, disposition: Path) -> None:
    await bench.sign(OURS, disposition)
    await bench.registry.list_keys("principals/ana")
    fault = bench.fail("sign-wrong")
    await bench.sign(OURS, disposition)
    assert not fault.exists()
    assert bench.figure("failovers_total", token=OURS) == 1


async def test_a_wrong_signature_without_a_replica_is_an_error(desk: Bench, disposition: Path) -> None:
    pin = desk.hsm.token(OURS).pin
    desk.fail("sign-wrong")
    assert await reason(desk, disposition, pin) == "TOKEN_SIGNATURE_WRONG"
    await desk.sign(OURS, disposition, pin)


@pytest.mark.parametrize("code", ["30", "5"], ids=["CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR"])
async def test_a_pin_that_got_no_answer_goes_to_the_token_once(
    desk: Bench, disposition: Path, code: str
) -> None:
    pin = desk.hsm.token(OURS).pin
    desk.fail("login-code", code)
    assert await reason(desk, disposition, pin) == "PIN_OUTCOME_UNKNOWN"
    await desk.sign(OURS, disposition, pin)


async def test_a_module_that_crashes_over_a_pin_does_not_get_it_again(desk: Bench, disposition: Path) -> None:
    pin = desk.hsm.token(OURS).pin
    for fault in ("login-crash", "sign-crash"):
        desk.fail(fault)
        with pytest.raises(FailedPreconditionError) as caught:
            await desk.sign(OURS, disposition, pin)
        assert (caught.value.reason, caught.value.field) == ("PIN_OUTCOME_UNKNOWN", "pin")
        assert caught.value.metadata == {"token": OURS, "cause": "WORKER_CRASHED"}
        await desk.sign(OURS, disposition, pin)


async def test_a_configured_pin_survives_a_crash_in_its_login(bench: Bench, disposition: Path) -> None:
    """One try without an answer is made good by the next."""
    bench.fail("login-crash")
    await bench.registry.tokens[OURS].check()
    assert bench.figure("worker_losses_total", token=OURS, cause="crash") == 1
    await bench.sign(OURS, disposition)


async def test_a_configured_pin_is_given_twice_at_most_without_an_answer(bench: Bench) -> None:
    token = bench.registry.tokens[OURS]
    for _ in range(2):
        bench.fail("login-code", "30")
        with pytest.raises(UnavailableError, match="TOKEN_LOGIN_UNANSWERED"):
            await token.check()
    fault = bench.fail("login-code", "30")
    with pytest.raises(FailedPreconditionError, match="PIN_UNPROVEN"):
        await token.check()
    assert fault.exists(), "the token was not asked"


PARENT = """
import asyncio, sys
from pathlib import Path
from server.config import TokenSettings
from server.config_reader import Secret
from server.metrics import Metrics
from server.token import Token

async def main():
    settings = TokenSettings("primar", Path(sys.argv[1]), "primar", pin=Secret("pin", env="PIN_primar"))
    await Token(settings, Metrics()).check()
    print("logged in", flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""
"""A server that is logged in."""


async def test_workers_of_a_killed_server_log_out_and_tidy_up(
    bench: Bench, module: Path, tmp_path: Path
) -> None:
    (script := tmp_path / "parent.py").write_text(PARENT)
    (temporary := tmp_path / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, str(script), str(module)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "logged in\n"
        (worker,) = (
            each for each in psutil.Process(parent.pid).children() if "spawn_main" in str(each.cmdline())
        )
        assert list(temporary.glob("pecete-pin-*"))
        told = bench.fail("finalize")
        parent.kill()
        parent.wait()
        worker.wait(30)
    assert not told.exists()
    assert list(temporary.glob("pecete-pin-*")) == []


async def reason(bench: Bench, document: Path, pin: str) -> str:
    with pytest.raises(PeceteError) as caught:
        await bench.sign(OURS, document, pin)
    return caught.value.reason
