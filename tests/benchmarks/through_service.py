"""Signatures through gRPC, with all that a server does for one, beside the same signature in one process.

The server is a process of its own with two workers, TLS, SQLite and a store on the same disk. Its CPU is that
of its process and all its workers. The batch's rate is by the clock, and so is that of the single process,
measured in turn with it.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import psutil

from pecete.client import Client
from server.times import utc_now
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from signer.pades.options import SignatureOptions
from signer.pades.signing import finish, sign_section
from signer.tokens.key import TokenKey
from signer.tokens.pin_guard import PinGuard
from signer.tokens.session import TokenSession
from softhsm.pki import Holder
from softhsm.provision import TokenPlan
from tests.benchmarks.documents import certificate_pdf
from tests.benchmarks.pyhanko_peer import PyHankoPeer

ROUNDS = 3
SINGLE, BATCH, IN_PROCESS, PEER = 60, 500, 200, 20
KIND: Final = "rsa2048"


def run() -> Iterator[dict[str, object]]:
    """Measure single calls and a batch; each result says whether its goal is reached."""
    with tempfile.TemporaryDirectory(prefix="pecete-benchmark-") as folder:
        directory = Path(folder)
        plans = (TokenPlan(SEAL, KIND, Holder("TEST sigiliu")),)
        trial = make_trial(directory / "hall", Settings(plans=plans, workers=2))
        pdf = directory / "50-kb.pdf"
        pdf.write_bytes(certificate_pdf(50_000))
        os.environ.update(trial.provisioned.environment)
        session = TokenSession(
            trial.provisioned.token_configuration(SEAL, with_pin=True), PinGuard(), utc_now
        )
        fingerprint = sha256(trial.provisioned.token(SEAL).certificate).hexdigest()
        with (
            session.key(fingerprint, None) as key,
            running_server(trial, directory / "server.log") as server,
            server.client(DEPARTMENT) as client,
        ):
            yield _single(server, client, key, pdf)
            yield _batch(server, client, key, pdf)


def _single(server: TrialServer, client: Client, key: TokenKey, pdf: Path) -> dict[str, object]:
    peer = PyHankoPeer(key, pdf.read_bytes())
    name = client.upload(pdf).name
    signing_key = server.trial.signing_key(SEAL)

    def sign() -> None:
        client.sign(name, signing_key, level="B-B")

    sign()
    peer.sign()
    service, pyhanko = [], []
    for _ in range(ROUNDS):
        service.append(_cpu_ms(lambda: _cpu_seconds(server.process.pid), sign, SINGLE))
        pyhanko.append(_cpu_ms(time.process_time, peer.sign, PEER))
    ratio = min(service) / min(pyhanko)
    return {
        "benchmark": f"SignDocument through gRPC, 50 KB, {KIND}, B-B, beside pyHanko alone in one process",
        "service_cpu_ms": round(min(service), 2),
        "pyhanko_cpu_ms": round(min(pyhanko), 2),
        "ratio": round(ratio, 3),
        "goal_ratio": 1.0,
        "reached": ratio < 1.0,
    }


def _batch(server: TrialServer, client: Client, key: TokenKey, pdf: Path) -> dict[str, object]:
    documents = [client.upload(certificate_pdf(50_000)) for _ in range(BATCH)]
    signing_key = server.trial.signing_key(SEAL)
    before = _cpu_seconds(server.process.pid)
    service, alone = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        results = list(client.sign_batch(documents, signing_key, level="B-B"))
        service.append(BATCH / (time.perf_counter() - start))
        assert all(result.signed for result in results) and len(results) == BATCH
        start = time.perf_counter()
        for _ in range(IN_PROCESS):
            finish(sign_section(pdf, key, SignatureOptions(utc_now(), timestamp_reserve=0)), None)
        alone.append(IN_PROCESS / (time.perf_counter() - start))
    ratio = statistics.median(service) / statistics.median(alone)
    cpu = 1000 * (_cpu_seconds(server.process.pid) - before) / (BATCH * ROUNDS)
    return {
        "benchmark": f"batch of {BATCH} through gRPC, two workers, 50 KB, {KIND}, B-B, beside one process",
        "service_per_second": round(statistics.median(service)),
        "one_process_per_second": round(statistics.median(alone)),
        "service_cpu_ms": round(cpu, 2),
        "ratio": round(ratio, 3),
        "goal_ratio": 0.7,
        "reached": ratio >= 0.7,
    }


def _cpu_ms(clock: Callable[[], float], work: Callable[[], None], count: int) -> float:
    start = clock()
    for _ in range(count):
        work()
    return 1000 * (clock() - start) / count


def _cpu_seconds(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))
