"""A pool of worker processes, for what holds the processor or drives a token.

Each worker is spawned (a forked process would share PKCS#11 state) and has one job at a time, so one that
crashes or hangs takes no other job with it. It dies with the server, even a killed one, and so never stays
logged in.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar, cast

from pecete.errors import PeceteError, ResourceExhaustedError, UnavailableError

MAXIMUM_WAITING = 1000
"""Jobs that may wait for a worker; further ones are refused rather than kept until their callers are gone."""

LAST_ACT_SECONDS = 5.0
"""How long a worker may take to log out when its server was killed."""

P = ParamSpec("P")
Result = TypeVar("Result")

Loss = Literal["crash", "timeout"]
"""Why a worker was lost with its job: it died, or it was killed because the job took too long."""


class WorkerFaultError(Exception):
    """A fault of the function that a worker ran; the text is its traceback, for the log."""


class _RefusedError(Exception):
    """The initializer raised the PeceteError that is the one argument."""


@dataclass
class _Slot:
    """One worker's place in the pool; its process starts with its first job and again after a crash.

    process: its id, once it has started.
    """

    executor: ProcessPoolExecutor | None = None
    process: Future[int] | None = None


@dataclass
class _Job:
    """A job under way: its slot, what its caller waits for, and the alarm that ends it in time."""

    slot: _Slot
    outcome: asyncio.Future[Any]
    alarm: asyncio.TimerHandle | None = None
    is_over: bool = False


class _LostError(Exception):
    """A worker was lost with its job; the one argument is the Loss."""


class WorkerPool:
    """Runs functions in `workers` spawned processes, each prepared by `initializer(*initargs)`.

    When the initializer raises a PeceteError, such as for a wrong PIN, the pool says the same to every later
    call and never tries again, as each try could be the token's last. Only after an UnavailableError, such as
    for a token that is not plugged in, the next call tries anew. The first process is prepared alone.

    timeout: seconds after which the worker of an unfinished job is killed; None: never. lost: hears of every
    worker that was lost with its job. orphaned: what a worker does last when the server was killed.
    """

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., object],
        initargs: tuple[object, ...] = (),
        *,
        timeout: float | None = None,
        lost: Callable[[Loss], None] | None = None,
        orphaned: Callable[[], object] | None = None,
    ) -> None:
        self._preparation = (initializer, initargs)
        self._orphaned = orphaned
        self._timeout = timeout
        self._lost = lost
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        for _ in range(workers):
            self._free.put_nowait(_Slot())
        self._workers = workers
        self._first = asyncio.Lock()
        self._is_proven = False
        self._refusal: PeceteError | None = None
        self._waiting = 0
        self._is_closed = False

    async def run(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a function of a module in a worker and give what it returns; arguments and result are pickled.

        A job whose worker crashes is run once more in a new one, so it has no effect that may not happen
        twice; one that takes too long is not. Raises what the initializer or the function raises if that is
        a PeceteError, otherwise WorkerFaultError; UnavailableError WORKER_CRASHED, WORKER_TIMED_OUT or
        WORKERS_CLOSED; ResourceExhaustedError WORKERS_BUSY.
        """
        try:
            return await self._attempt(function, args, kwargs)
        except _LostError as error:
            if error.args[0] == "timeout":
                raise _lost_with(error.args[0]) from error
        return await self.run_once(function, *args, **kwargs)

    async def run_once(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a function as `run` does, but never again whatever becomes of its worker."""
        try:
            return await self._attempt(function, args, kwargs)
        except _LostError as error:
            raise _lost_with(error.args[0]) from error

    async def close(self) -> None:
        """Take no new job, finish those that were taken, and end the processes."""
        self._is_closed = True
        for _ in range(self._workers):
            slot = await self._free.get()
            if slot.executor is not None:
                await asyncio.to_thread(slot.executor.shutdown)

    async def _attempt(
        self, function: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Result:
        if not self._is_proven:
            async with self._first:
                if not self._is_proven:
                    await self._job(_nothing, (), {})
                    self._is_proven = True
        return await self._job(function, args, kwargs)

    async def _job(
        self, function: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Result:
        slot = await self._take()
        try:
            future = self._submit(slot, function, args, kwargs)
        except BaseException:
            self._free.put_nowait(slot)
            raise
        loop = asyncio.get_running_loop()
        job = _Job(slot, loop.create_future())
        if self._timeout is not None:
            job.alarm = loop.call_later(self._timeout, self._give_up, job)
        # The slot is free when the job is over, not when its caller gives up waiting.
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._give_back, job, done))
        try:
            return cast(Result, await job.outcome)
        except _RefusedError as refused:
            error: PeceteError = refused.args[0]
            if not isinstance(error, UnavailableError):
                self._refusal = error
            raise error from None

    async def _take(self) -> _Slot:
        if self._is_closed:
            raise UnavailableError("WORKERS_CLOSED", "The server is stopping.")
        if self._waiting >= MAXIMUM_WAITING:
            raise ResourceExhaustedError("WORKERS_BUSY", "Too many calls wait; try again later.")
        self._waiting += 1
        try:
            slot = await self._free.get()
        finally:
            self._waiting -= 1
        if self._refusal is not None:
            self._free.put_nowait(slot)
            raise self._refusal
        return slot

    def _submit(self, slot: _Slot, *job: Any) -> Future[Any]:  # noqa: ANN401 - passed on to _run
        if slot.executor is not None:
            try:
                return slot.executor.submit(_run, *job)
            except BrokenProcessPool:
                pass  # it died while idle; the job has not begun
        slot.executor = ProcessPoolExecutor(
            1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(*self._preparation, self._orphaned),
        )
        slot.process = slot.executor.submit(os.getpid)
        return slot.executor.submit(_run, *job)

    def _give_back(self, job: _Job, done: Future[Any]) -> None:
        if job.is_over:
            return
        error = done.exception()
        if isinstance(error, BrokenProcessPool):
            self._lose(job, "crash")
            return
        self._free_slot(job)
        if job.outcome.done():  # nobody waits for it any more
            return
        if error is None:
            job.outcome.set_result(done.result())
        else:
            job.outcome.set_exception(error)

    def _give_up(self, job: _Job) -> None:
        """Kill the worker of a job that takes too long, at once or when its process has started.

        The slot gets a new process without waiting for word of the old one's end: a process that dies while
        it sends its result may leave its executor waiting for the rest for ever.
        """
        if job.slot.process is not None:
            job.slot.process.add_done_callback(_kill)
        self._lose(job, "timeout")

    def _lose(self, job: _Job, loss: Loss) -> None:
        job.slot.executor = job.slot.process = None
        self._is_proven = False
        self._free_slot(job)
        if self._lost is not None:
            self._lost(loss)
        if not job.outcome.done():
            job.outcome.set_exception(_LostError(loss))

    def _free_slot(self, job: _Job) -> None:
        job.is_over = True
        if job.alarm is not None:
            job.alarm.cancel()
        self._free.put_nowait(job.slot)


def _kill(process: Future[int]) -> None:
    """Kill a worker that is not dead already."""
    if process.exception() is None:
        with suppress(ProcessLookupError):
            os.kill(process.result(), signal.SIGKILL)


def _lost_with(loss: Loss) -> UnavailableError:
    if loss == "timeout":
        return UnavailableError("WORKER_TIMED_OUT", "A worker process took too long over this.")
    return UnavailableError("WORKER_CRASHED", "The worker processes of this crashed.")


class _Worker:
    """What a worker process knows of itself."""

    preparation: tuple[Callable[..., object], tuple[object, ...]] | None = None
    """What is still to be done before the first job."""


def _begin(
    initializer: Callable[..., object],
    initargs: tuple[object, ...],
    orphaned: Callable[[], object] | None,
) -> None:
    """Start a worker: it leaves stopping to the server, so that a call in flight can be finished."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, args=(orphaned,), daemon=True).start()
    _Worker.preparation = (initializer, initargs)


def _die_with_parent(orphaned: Callable[[], object] | None) -> None:
    """Wait for the parent's end; a last act that hangs or fails does not keep the worker alive."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    if orphaned is not None:
        last = threading.Thread(target=orphaned, daemon=True)
        last.start()
        last.join(LAST_ACT_SECONDS)
    os._exit(1)


def _run(function: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]) -> Result:
    """Run one job; only errors that survive pickling leave the process."""
    try:
        _prepare()
        return function(*args, **kwargs)
    except (PeceteError, _RefusedError):
        raise
    except Exception:  # the fence of the process: a foreign exception may not survive the way back
        raise WorkerFaultError(traceback.format_exc()) from None


def _prepare() -> None:
    if _Worker.preparation is None:
        return
    initializer, initargs = _Worker.preparation
    try:
        initializer(*initargs)
    except PeceteError as error:
        raise _RefusedError(error) from None
    _Worker.preparation = None


def _nothing() -> None:
    """The first job: being prepared is all that it wants."""
