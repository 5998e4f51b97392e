"""CPU of a signature in this process, beside what the token alone takes and beside pyHanko, in turns.

`raw` is C_Sign through the same session with nothing around it. `service` is everything that a worker process
does for one signature: it admits the document, writes the section, signs, checks the token's answer and the
section, and puts the CMS in. Each figure is the least of several rounds, as other load only ever adds.
"""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pikepdf
from pkcs11 import Attribute, ObjectClass, SignMixin

from server.stamping import TIMESTAMP_RESERVE
from server.times import utc_now
from signer.algorithms import SignatureAlgorithm, signature_identifier
from signer.pades.options import SignatureOptions
from signer.pades.section import HashState
from signer.pades.signing import finish, sign_section, signature_value
from signer.tokens.key import TokenKey
from signer.tokens.mechanisms import negotiate
from signer.tokens.module import load
from signer.tokens.pin_guard import PinGuard
from signer.tokens.session import TokenSession, find_token
from softhsm.pki import Holder
from softhsm.provision import Provisioned, TokenPlan, provision
from tests.benchmarks.documents import certificate_pdf
from tests.benchmarks.pyhanko_peer import PyHankoPeer
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.clock import TrustedClock

ROUNDS = 7
COUNT = 60
PEER_COUNT = 15
PEER_TIMES = 15
SIGNED = b"x" * 150

PLANS = (
    TokenPlan("rsa2048", "rsa2048", Holder("TEST rsa2048")),
    TokenPlan("rsa3072", "rsa3072", Holder("TEST rsa3072")),
    TokenPlan("p256", "p256", Holder("TEST p256")),
    TokenPlan("tsa", "rsa2048", Holder("TEST tsa"), timestamping=True),
)
GOALS = {"rsa2048": 0.60, "rsa3072": 0.75, "p256": 0.20}
"""Least share of the token's own rate that signing 50 KB reaches."""


@dataclass(frozen=True)
class OpenKey:
    """A token's key, and what has the token sign and does nothing else."""

    key: TokenKey
    raw: Callable[[], None]


class LocalKey:
    """A time-stamping key in a token of this process."""

    def __init__(self, key: TokenKey, identifier: bytes) -> None:
        self.certificate = key.certificate
        self.chain = key.chain
        self.digest = key.algorithm.digest
        self.signature_algorithm_identifier = identifier
        self._key = key

    async def sign(self, data: bytes) -> bytes:
        """Sign `data` in the token."""
        return self._key.sign(data)


def run() -> Iterator[dict[str, object]]:
    """Measure everything; each result says whether its goal is reached."""
    with tempfile.TemporaryDirectory(prefix="pecete-benchmark-") as folder:
        directory = Path(folder)
        tokens = provision(directory / "softhsm", PLANS)
        os.environ.update(tokens.environment)
        small, large = directory / "50-kb.pdf", directory / "5-mb.pdf"
        small.write_bytes(certificate_pdf(50_000))
        _enlarge(small, large, 5_000_000)
        for kind, goal in GOALS.items():
            with _opened(tokens, kind) as opened:
                yield _small(opened, small, kind, goal)
                if kind == "rsa2048":
                    yield _large(opened, large)
        with _opened(tokens, "rsa2048") as opened, _opened(tokens, "tsa") as tsa:
            yield _stamped(opened, tsa, small)


def _small(opened: OpenKey, pdf: Path, kind: str, goal: float) -> dict[str, object]:
    peer = PyHankoPeer(opened.key, pdf.read_bytes())
    raw, service, pyhanko = _least(
        (opened.raw, COUNT), (lambda: _sign(opened.key, pdf), COUNT), (peer.sign, PEER_COUNT)
    )
    result = _ratio(f"50 KB, {kind}, B-B", raw, service, goal)
    times = pyhanko / service
    result |= {"pyhanko_cpu_us": round(pyhanko), "times_pyhanko": round(times, 1)}
    if kind == "p256":
        # The share of so quick a key is that of the verification and of reading the document; what a caller
        # gains is told by the peer.
        result |= {"goal_times_pyhanko": PEER_TIMES, "reached": raw / service >= goal or times >= PEER_TIMES}
    return result


def _large(opened: OpenKey, pdf: Path) -> dict[str, object]:
    """The document was hashed when it came in, and that state is taken up."""
    state = hashlib.new(opened.key.algorithm.digest, pdf.read_bytes())
    raw, service = _least((opened.raw, COUNT), (lambda: _sign(opened.key, pdf, state), COUNT))
    return _ratio("5 MB with the upload's hash, rsa2048, B-B", raw, service, 0.40)


def _stamped(opened: OpenKey, tsa: OpenKey, pdf: Path) -> dict[str, object]:
    """Level B-T, with an authority in this process whose key is of the same kind; it keeps nothing."""
    authority = _authority(tsa.key)
    loop = asyncio.new_event_loop()

    def sign() -> None:
        options = SignatureOptions(signing_time=utc_now(), timestamp_reserve=TIMESTAMP_RESERVE)
        section = sign_section(pdf, opened.key, options)
        digest = sha256(signature_value(section)).digest()
        token = loop.run_until_complete(authority.stamp("sha256", digest, client="benchmark", request_id=""))
        finish(section, token)

    def two_raw() -> None:
        opened.raw()
        tsa.raw()

    raw, service = _least((two_raw, COUNT), (sign, COUNT))
    loop.close()
    return _ratio(
        "50 KB, rsa2048, B-T with the local authority, beside two raw operations", raw, service, 0.60
    )


def _authority(key: TokenKey) -> Authority:
    async def record(issued: IssuedTimestamp) -> None:
        """Keep nothing."""

    accuracy = timedelta(seconds=1)
    return Authority(
        LocalKey(key, signature_identifier(key.algorithm)),
        clock=TrustedClock("system", accuracy=accuracy, not_before=None),
        record=record,
        policies=("1.3.6.1.4.1.99999.1.1",),
        accuracy=accuracy,
        time=utc_now(),
    )


def _sign(key: TokenKey, pdf: Path, state: HashState | None = None) -> None:
    options = SignatureOptions(signing_time=utc_now(), timestamp_reserve=0)
    finish(sign_section(pdf, key, options, prefix=state), None)


@contextmanager
def _opened(tokens: Provisioned, label: str) -> Iterator[OpenKey]:
    session = TokenSession(tokens.token_configuration(label, with_pin=True), PinGuard(), utc_now)
    fingerprint = sha256(tokens.token(label).certificate).hexdigest()
    with session.key(fingerprint, None) as key:
        yield OpenKey(key, _raw(tokens, label, key.algorithm))


def _raw(tokens: Provisioned, label: str, algorithm: SignatureAlgorithm) -> Callable[[], None]:
    """C_Sign in a session of its own; the process is logged in to the token."""
    token = find_token(load(str(tokens.module)), tokens.token_configuration(label, with_pin=False))
    session = token.open()
    private_key = next(iter(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})))
    assert isinstance(private_key, SignMixin)
    operation = negotiate(algorithm, token.slot.get_mechanisms())
    prepared = operation.prepare(SIGNED)

    def sign() -> None:
        private_key.sign(prepared, mechanism=operation.mechanism, mechanism_param=operation.parameters)

    return sign


def _least(*works: tuple[Callable[[], None], int]) -> list[float]:
    """Least CPU microseconds of each work, given with how often a round does it, over rounds in turn."""
    least = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for at, (work, count) in enumerate(works):
            start = time.process_time()
            for _ in range(count):
                work()
            least[at] = min(least[at], 1e6 * (time.process_time() - start) / count)
    return least


def _ratio(name: str, raw: float, service: float, goal: float) -> dict[str, object]:
    return {
        "benchmark": f"in process: {name}",
        "raw_cpu_us": round(raw),
        "service_cpu_us": round(service),
        "ratio_to_raw_rate": round(raw / service, 3),
        "goal_ratio": goal,
        "reached": raw / service >= goal,
    }


def _enlarge(source: Path, target: Path, size: int) -> None:
    with pikepdf.open(source) as pdf:
        pdf.Root.Padding = pdf.make_stream(os.urandom(size))
        pdf.save(target)
