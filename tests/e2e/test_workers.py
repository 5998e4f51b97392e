"""The worker pool: crashes, refusals, limits, and processes that outlive nobody."""

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import pytest

from pecete.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
)
from server import workers
from server.workers import Loss, WorkerFaultError, WorkerPool
from tests.e2e.alarms import alarms_by_hand

pytestmark = pytest.mark.e2e


def ready(log: Path) -> None:
    """Initializer that leaves a line for each process."""
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")


def wrong_pin(log: Path) -> None:
    ready(log)
    raise FailedPreconditionError("PIN_INCORRECT", "The PIN is wrong.", field="pin")


def absent_until(log: Path, wanted: Path) -> None:
    ready(log)
    if not wanted.exists():
        raise UnavailableError("TOKEN_ABSENT", "No token.")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_unless(marker: Path) -> str:
    """Crash the first time."""
    if marker.exists():
        return "done"
    marker.touch()
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"


def refuse() -> None:
    raise InvalidArgumentError("NO", "No.", field="x", metadata={"a": "b"})


class UnpicklableError(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("lost on the way")


def fail() -> None:
    raise UnpicklableError(1, 2)


def wait_for(gate: Path) -> str:
    """Wait until nobody holds the gate shut."""
    with gate.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    return "through"


def add(left: int, *, right: int) -> int:
    return left + right


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[IO[str]]:
    """A gate that is shut until the file is unlocked."""
    with (tmp_path / "gate").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.fixture
async def pool(log: Path) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(2, ready, (log,))
    yield pool
    await pool.close()


def starts(log: Path) -> int:
    return len(log.read_text().splitlines())


async def test_jobs_run_in_spawned_processes(pool: WorkerPool, log: Path) -> None:
    assert await pool.run(add, 1, right=2) == 3
    assert await pool.run(os.getpid) != os.getpid()
    assert starts(log) == 1


async def test_typed_errors_come_back_whole_and_keep_the_process(pool: WorkerPool, log: Path) -> None:
    for _ in range(3):
        with pytest.raises(InvalidArgumentError) as refusal:
            await pool.run(refuse)
    assert (refusal.value.reason, refusal.value.field, refusal.value.metadata) == ("NO", "x", {"a": "b"})
    assert starts(log) <= 2


async def test_foreign_errors_come_back_as_their_traceback(pool: WorkerPool) -> None:
    with pytest.raises(WorkerFaultError, match="lost on the way"):
        await pool.run(fail)
    assert await pool.run(add, 1, right=1) == 2


async def test_a_crash_is_retried_once_in_a_new_process(pool: WorkerPool, tmp_path: Path, log: Path) -> None:
    assert await pool.run(crash_unless, tmp_path / "marker") == "done"
    assert starts(log) >= 2


async def test_a_job_that_crashes_twice_fails_alone(pool: WorkerPool) -> None:
    jobs = [pool.run(add, number, right=0) for number in range(50)]
    *results, crashed = await asyncio.gather(*jobs, pool.run(crash), return_exceptions=True)
    assert results == list(range(50))
    assert isinstance(crashed, UnavailableError)
    assert crashed.reason == "WORKER_CRASHED"
    assert await pool.run(add, 1, right=1) == 2


async def test_a_worker_killed_while_idle_costs_nothing(pool: WorkerPool) -> None:
    pids = {await pool.run(os.getpid) for _ in range(4)}
    for pid in pids:
        kill_and_wait(pid)
    assert await asyncio.gather(*(pool.run(add, 1, right=1) for _ in range(4))) == [2] * 4


async def test_a_refusal_is_final(log: Path) -> None:
    """A wrong PIN is tried once, however many workers and calls there are."""
    pool = WorkerPool(4, wrong_pin, (log,))
    outcomes = await asyncio.gather(*(pool.run(os.getpid) for _ in range(20)), return_exceptions=True)
    outcomes += await asyncio.gather(*(pool.run(os.getpid) for _ in range(20)), return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"PIN_INCORRECT (pin): The PIN is wrong."}
    assert starts(log) == 1
    await pool.close()


async def test_what_is_away_is_tried_again(log: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    pool = WorkerPool(2, absent_until, (log, token))
    for _ in range(2):
        with pytest.raises(UnavailableError, match="TOKEN_ABSENT"):
            await pool.run(os.getpid)
    token.touch()
    assert await pool.run(add, 2, right=2) == 4
    await pool.close()


async def test_a_full_queue_refuses(pool: WorkerPool, gate: IO[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAXIMUM_WAITING", 3)
    await pool.run(os.getpid)
    jobs = [asyncio.create_task(pool.run(wait_for, Path(gate.name))) for _ in range(6)]
    done, _waiting = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    assert done == {jobs[5]}
    with pytest.raises(ResourceExhaustedError, match="WORKERS_BUSY"):
        await jobs[5]
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await asyncio.gather(*jobs[:5]) == ["through"] * 5


async def test_a_cancelled_call_keeps_its_worker_until_the_job_ends(log: Path, gate: IO[str]) -> None:
    pool = WorkerPool(1, ready, (log,))
    await pool.run(os.getpid)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.run(wait_for, Path(gate.name)), 0.2)
    following = asyncio.create_task(pool.run(add, 1, right=1))
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await following == 2
    await pool.close()


async def test_closing_finishes_what_was_taken(log: Path, gate: IO[str]) -> None:
    pool = WorkerPool(1, ready, (log,))
    pid = await pool.run(os.getpid)
    job = asyncio.create_task(pool.run(wait_for, Path(gate.name)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="WORKERS_CLOSED"):
        await pool.run(os.getpid)
    os.kill(pid, signal.SIGTERM)  # what a service manager sends to every process of the service
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await job == "through"
    await closing
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


PARENT = """
import asyncio, os, sys
from server.workers import WorkerPool

async def main():
    pool = WorkerPool(2, os.getpid)
    for _ in range(2):
        print(await pool.run(os.getpid), flush=True)
    await pool.run(os.read, int(sys.argv[1]), 1)

if __name__ == "__main__":
    asyncio.run(main())
"""


def wait_until_gone(pid: int) -> None:
    """Wait until a process that may not be our child has ended."""
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(pid)
        try:
            assert select.select([watched], [], [], 30)[0], "the process still runs"
        finally:
            os.close(watched)


def kill_and_wait(pid: int) -> None:
    watched = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([watched], [], [], 30)[0]
    os.close(watched)


async def until_shut_out(gate: IO[str]) -> None:
    """Wait until a job waits at the gate: the kernel lists the lock that it wants as blocked."""
    inode = f":{os.fstat(gate.fileno()).st_ino} "
    while not any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()):
        await asyncio.sleep(0)


async def test_a_job_that_hangs_is_ended_alone_and_not_tried_again(
    log: Path, gate: IO[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[Loss] = []
    pool = WorkerPool(2, ready, (log,), timeout=4711, lost=losses.append)
    await pool.run(os.getpid)
    alarms = alarms_by_hand(monkeypatch, 4711)
    hanging = asyncio.create_task(pool.run(wait_for, Path(gate.name)))
    await until_shut_out(gate)
    assert await asyncio.gather(*(pool.run(add, number, right=0) for number in range(9))) == list(range(9))
    begun = starts(log)
    alarms[0]()
    with pytest.raises(UnavailableError, match="WORKER_TIMED_OUT"):
        await hanging
    assert losses == ["timeout"]
    assert starts(log) == begun
    assert await asyncio.gather(*(pool.run(add, 1, right=1) for _ in range(4))) == [2] * 4
    assert starts(log) > begun
    await pool.close()


async def test_a_worker_that_hangs_while_it_starts_is_ended_too(
    log: Path, gate: IO[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = WorkerPool(1, wait_for, (Path(gate.name),), timeout=4711)
    alarms = alarms_by_hand(monkeypatch, 4711)
    call = asyncio.create_task(pool.run(os.getpid))
    await until_shut_out(gate)
    alarms[0]()
    with pytest.raises(UnavailableError, match="WORKER_TIMED_OUT"):
        await call
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await pool.run(os.getpid) != os.getpid()
    await pool.close()


async def test_a_worker_whose_end_nobody_tells_of_is_replaced_all_the_same(
    log: Path, gate: IO[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that dies while it sends its result may leave who reads that waiting for the rest."""
    monkeypatch.setattr(workers, "_kill", lambda process: process.result())
    pool = WorkerPool(1, ready, (log,), timeout=4711)
    old = await pool.run(os.getpid)
    alarms = alarms_by_hand(monkeypatch, 4711)
    hanging = asyncio.create_task(pool.run(wait_for, Path(gate.name)))
    await until_shut_out(gate)
    alarms[0]()
    with pytest.raises(UnavailableError, match="WORKER_TIMED_OUT"):
        await hanging
    assert await pool.run(os.getpid) != old
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await pool.run(add, 1, right=1) == 2
    await pool.close()


async def test_what_may_not_be_repeated_is_not(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="WORKER_CRASHED"):
        await pool.run_once(crash_unless, tmp_path / "marker")
    assert await pool.run_once(crash_unless, tmp_path / "marker") == "done"


async def test_a_crash_in_one_pool_is_none_in_another(pool: WorkerPool, log: Path, gate: IO[str]) -> None:
    """Each token has a pool of its own: a module that crashes disturbs no other."""
    losses: list[Loss] = []
    other = WorkerPool(1, ready, (log,), lost=losses.append)
    pid = await other.run(os.getpid)
    waiting = asyncio.create_task(other.run(wait_for, Path(gate.name)))
    await until_shut_out(gate)
    with pytest.raises(UnavailableError, match="WORKER_CRASHED"):
        await pool.run(crash)
    fcntl.flock(gate, fcntl.LOCK_UN)
    assert await waiting == "through"
    assert (await other.run(os.getpid), losses) == (pid, [])
    await other.close()


def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    pids = {int(parent.stdout.readline()) for _ in range(2)}
    assert parent.pid not in pids
    parent.kill()
    parent.wait()
    for pid in pids:
        wait_until_gone(pid)
    parent.stdin.close()
    parent.stdout.close()
