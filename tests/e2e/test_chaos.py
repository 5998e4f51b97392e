"""Fifty callers on one token whose module is killed three times: nothing wrong, nothing twice, nothing lost.

The long form, through gRPC and with 20,000 signatures, is `python -m tests.benchmarks.chaos`.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

import pytest
from cryptography import x509

from server.config import TokenSettings
from server.config_reader import Secret
from server.metrics import Metrics
from server.token_registry import TokenRegistry
from signer.algorithms import SignatureAlgorithm, verify
from softhsm.pki import Holder
from softhsm.provision import Provisioned, TokenPlan, find_module, provision

pytestmark = pytest.mark.e2e

LABEL = "sigiliu"
SIGNATURES, CALLERS = 2000, 50
KILLS = (500, 1000, 1500)
"""After how many signatures the token's processes are killed."""


class Revocations:
    """Nothing is revoked."""

    async def require_unrevoked(self, certificate: bytes, chain: Sequence[bytes]) -> None:
        """Refuse nothing."""


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    plan = TokenPlan(LABEL, "p256", Holder("Primăria Comunei Lunca Teilor (TEST)"))
    return provision(tmp_path_factory.mktemp("chaos") / "hsm", (plan,))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def registry(
    hsm: Provisioned, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TokenRegistry]:
    for name, value in {**hsm.environment, "PIN": hsm.token(LABEL).pin}.items():
        monkeypatch.setenv(name, value)
    settings = TokenSettings(LABEL, find_module(), LABEL, pin=Secret("pin", env="PIN"), workers=2)
    registry = TokenRegistry([settings], metrics, Revocations())
    yield registry
    await registry.close()


async def test_a_killed_module_makes_nothing_wrong_twice_or_lost(
    hsm: Provisioned, registry: TokenRegistry, metrics: Metrics
) -> None:
    certificate = hsm.token(LABEL).certificate
    key_id = sha256(certificate).hexdigest()
    others = set(multiprocessing.active_children())
    made: dict[int, bytes] = {}
    killed: list[int] = []
    waiting = iter(range(SIGNATURES))

    async def call() -> None:
        for number in waiting:
            signature = await registry.sign(LABEL, key_id, b"%d" % number)
            assert number not in made
            made[number] = signature
            if len(made) in KILLS:
                kill()

    def kill() -> None:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
            killed.append(process.pid or 0)

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    assert sorted(made) == list(range(SIGNATURES))
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    for number, signature in made.items():
        verify(SignatureAlgorithm("ecdsa", "sha256"), public_key, signature, b"%d" % number)
    assert len(set(made.values())) == SIGNATURES
    assert len(set(killed)) >= len(KILLS)
    losses = metrics.registry.get_sample_value(
        "pecete_token_worker_losses_total", {"token": LABEL, "cause": "crash"}
    )
    assert losses is not None and losses >= len(KILLS)
    assert registry.tokens[LABEL].fault is None
