"""A pool of worker processes, for what holds the processor or drives a token.

Each worker is spawned (a forked process would share PKCS#11 state) and has one job at a time, so one that
crashes takes no other job with it. It dies with the server, even a killed one, and never stays logged in.
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
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from pecete.errors import PeceteError, ResourceExhaustedError, UnavailableError

MAXIMUM_WAITING = 1000
"""Jobs that may wait for a worker; further ones are refused rather than kept until their callers are gone."""

P = ParamSpec("P")
Result = TypeVar("Result")


class WorkerFaultError(Exception):
    """A fault of the function that a worker ran; the text is its traceback, for the log."""


class _RefusedError(Exception):
    """The initializer raised the PeceteError that is the one argument."""


@dataclass
class _Slot:
    """One worker's place in the pool; its process starts with its first job and again after a crash."""

    executor: ProcessPoolExecutor | None = None


class WorkerPool:
    """Runs functions in `workers` spawned processes, each prepared by `initializer(*initargs)`.

    When the initializer raises a PeceteError, such as for a wrong PIN, the pool says the same to every later
    call and never tries again, as each try could be the token's last. Only after an UnavailableError, such as
    for a token that is not plugged in, the next call tries anew. The first process is prepared alone.
    """

    def __init__(
        self, workers: int, initializer: Callable[..., object], initargs: tuple[object, ...] = ()
    ) -> None:
        self._preparation = (initializer, initargs)
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
        twice. Raises what the initializer or the function raises if that is a PeceteError, otherwise
        WorkerFaultError; UnavailableError WORKER_CRASHED or WORKERS_CLOSED; ResourceExhaustedError
        WORKERS_BUSY.
        """
        try:
            return await self._attempt(function, args, kwargs)
        except BrokenProcessPool:
            self._is_proven = False
        try:
            return await self._attempt(function, args, kwargs)
        except BrokenProcessPool as error:
            self._is_proven = False
            raise UnavailableError("WORKER_CRASHED", "A worker process crashed twice over this.") from error

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
        # The slot is free when the job is over, not when its caller gives up waiting.
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._give_back, slot, done))
        try:
            return await asyncio.wrap_future(future)
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
            initargs=self._preparation,
        )
        return slot.executor.submit(_run, *job)

    def _give_back(self, slot: _Slot, done: Future[Any]) -> None:
        if not done.cancelled() and isinstance(done.exception(), BrokenProcessPool):
            slot.executor = None
        self._free.put_nowait(slot)


class _Worker:
    """What a worker process knows of itself."""

    preparation: tuple[Callable[..., object], tuple[object, ...]] | None = None
    """What is still to be done before the first job."""


def _begin(initializer: Callable[..., object], initargs: tuple[object, ...]) -> None:
    """Start a worker: it leaves stopping to the server, so that a call in flight can be finished."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _Worker.preparation = (initializer, initargs)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
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
