"""How fast signatures are judged: `python -m tests.benchmarks.validation` prints one JSON object a line.

CPU of whole verdicts, with path, revocation data and time-stamp, beside pyHanko on the same files in the same
run. Goals in milliseconds are those of a present-day core; the ratio to pyHanko tells on any machine.
"""

import io
import json
import logging
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from asn1crypto import crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from signer.validation import validate
from signer.validation.sandbox import ValidationWorker
from tests.benchmarks.signed_chains import MATERIAL, POLICY, write_chain
from tests.unit import validation_documents as authority

GOALS_MS = {1: 12.0, 10: 60.0, 50: 300.0, 100: 600.0, 200: math.inf}
"""Most CPU milliseconds of a verdict on a document with so many signatures."""

PEER_SIGNATURES = (1, 10, 50)
GOAL_EXPONENT, GOAL_TWO_WORKERS, GOAL_GROWTH_MIB = 1.15, 1.8, 64.0
ROUNDS = 5
MANY = 60
VISIBLE = 10
LARGE = 100_000_000


def run() -> Iterator[dict[str, object]]:
    """Measure everything; each result says whether its goal is reached."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="pecete-benchmark-") as folder:
        chains = {count: Path(folder) / f"{count}.pdf" for count in GOALS_MS}
        for count, path in chains.items():
            write_chain(path, count)
        figures = {count: _least(lambda path=path: _judge(path)) for count, path in chains.items()}  # type: ignore[misc]
        for count, milliseconds in figures.items():
            yield _verdict(count, chains[count], milliseconds)
        yield _growth(chains, figures)
        yield _drawing("invisible", chains[100], figures[100], 100)
        visible = Path(folder) / "visible.pdf"
        write_chain(visible, VISIBLE, visible=True)
        yield _drawing("visible", visible, _least(lambda: _judge(visible)), VISIBLE)
        yield _many(chains[1])
        large = Path(folder) / "large.pdf"
        write_chain(large, 1, LARGE)
        yield _memory(large)


def _judge(path: Path) -> None:
    report = validate(path, POLICY)
    assert report.signatures and all(signature.conclusion.passed for signature in report.signatures)


def _verdict(count: int, path: Path, milliseconds: float) -> dict[str, object]:
    goal = GOALS_MS[count]
    result: dict[str, object] = {
        "benchmark": f"verdict on {count} signatures, {path.stat().st_size // 1000} KB",
        "cpu_ms": round(milliseconds, 2),
        "goal_ms": None if goal == math.inf else goal,
        "reached": milliseconds <= goal,
    }
    if count in PEER_SIGNATURES:
        peer = _least(lambda: _judge_by_pyhanko(path), rounds=1 if count > 1 else ROUNDS)
        result |= {"pyhanko_cpu_ms": round(peer, 1), "times_pyhanko": round(peer / milliseconds, 1)}
    return result


def _judge_by_pyhanko(path: Path) -> None:
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(authority.ROOT.der)],
        other_certs=[x509.Certificate.load(der) for der in MATERIAL.certificates],
        crls=[crl.CertificateList.load(der) for der in MATERIAL.crls],
        moment=authority.NOW,
        revocation_mode="require",
        allow_fetching=False,
    )
    for signature in PdfFileReader(io.BytesIO(path.read_bytes())).embedded_regular_signatures:
        status = validate_pdf_signature(signature, context, ts_validation_context=context)
        assert status.bottom_line


def _growth(chains: dict[int, Path], figures: dict[int, float]) -> dict[str, object]:
    """How CPU grows with the size of the file, from 10 to 200 signatures."""
    sizes = {count: chains[count].stat().st_size for count in (10, 200)}
    exponent = math.log(figures[200] / figures[10]) / math.log(sizes[200] / sizes[10])
    return {
        "benchmark": "exponent of CPU against file size, 10 to 200 signatures",
        "exponent": round(exponent, 3),
        "goal_exponent": GOAL_EXPONENT,
        "reached": exponent <= GOAL_EXPONENT,
    }


def _drawing(kind: str, path: Path, milliseconds: float, count: int) -> dict[str, object]:
    """What it costs more to draw the pages that signatures changed."""
    drawn = _least(lambda: validate(path, replace(POLICY, rendering=True)))
    return {
        "benchmark": f"drawing the pages of {count} {kind} signatures",
        "cpu_ms": round(drawn - milliseconds, 1),
        "cpu_ms_a_signature": round((drawn - milliseconds) / count, 2),
        "reached": True,
    }


def _many(path: Path) -> dict[str, object]:
    """Many files, by the clock: two worker processes beside one."""
    with ValidationWorker() as first, ValidationWorker() as second:
        workers = (first, second)
        for worker in workers:
            worker.validate(path, POLICY)
        one, two = math.inf, math.inf
        for _ in range(ROUNDS):
            one = min(one, _wall(lambda: _judge_many(first, path, MANY)))
            with ThreadPoolExecutor(2) as pool:
                two = min(
                    two,
                    _wall(
                        lambda pool=pool: list(  # type: ignore[misc]
                            pool.map(lambda worker: _judge_many(worker, path, MANY // 2), workers)
                        )
                    ),
                )
    return {
        "benchmark": f"{MANY} files with one signature each, two workers beside one",
        "one_per_second": round(MANY / one),
        "two_per_second": round(MANY / two),
        "ratio": round(one / two, 2),
        "goal_ratio": GOAL_TWO_WORKERS,
        "reached": one / two >= GOAL_TWO_WORKERS,
    }


def _judge_many(worker: ValidationWorker, path: Path, count: int) -> None:
    for _ in range(count):
        assert worker.validate(path, POLICY).signatures[0].conclusion.passed


def _memory(path: Path) -> dict[str, object]:
    """What a process that has judged a small document needs more to judge a large one, and the time."""
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.benchmarks.validation import measure_memory\n"
        "print(*measure_memory(Path(sys.argv[1])))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    growth, milliseconds = (float(part) for part in answer.stdout.split())
    return {
        "benchmark": f"one signature over {LARGE // 1_000_000} MB",
        "memory_growth_mib": round(growth, 1),
        "cpu_ms": round(milliseconds),
        "goal_growth_mib": GOAL_GROWTH_MIB,
        "reached": growth < GOAL_GROWTH_MIB,
    }


def measure_memory(path: Path) -> tuple[float, float]:
    """Growth of memory that no file stands behind, in MiB at its peak, and CPU milliseconds of a verdict."""
    validate(path.with_name("1.pdf"), POLICY)
    before, over = _anonymous_mib(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        peak = pool.submit(_peak_mib, over)
        start = time.process_time()
        report = validate(path, POLICY)
        milliseconds = 1000 * (time.process_time() - start)
        over.set()
    assert report.signatures[0].integrity == "intact"  # the authority is another in each process
    return peak.result() - before, milliseconds


def _peak_mib(over: threading.Event) -> float:
    peak = 0.0
    while not over.wait(0.002):
        peak = max(peak, _anonymous_mib())
    return peak


def _anonymous_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def _least(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Least CPU milliseconds of a piece of work, done once before where it is measured more than once."""
    if rounds > 1:
        work()
    return min(_cpu(work) for _ in range(rounds))


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def _wall(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    for result in run():
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
