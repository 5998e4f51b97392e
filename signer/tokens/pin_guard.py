"""Keeps the worker processes of one token from burning its PIN's tries one after the other."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pecete.errors import FailedPreconditionError, UnavailableError
from signer.tokens.faults import pin_incorrect

_FREE = 0
_REFUSED = -1
_POLL_SECONDS = 0.01


class PinGuard:
    """Shared by all worker processes of one token: one login at a time, and none after a refused one.

    The parent makes it and passes it to each worker with its start arguments. A wrong configured PIN is so
    tried once, whatever the number of workers and however often they are started anew. A worker that dies
    during a login does not hold up the others.
    """

    def __init__(self, patience_seconds: float = 30.0) -> None:
        self._patience_seconds = patience_seconds
        self._holder = multiprocessing.get_context("spawn").Value("q", _FREE)
        """Who logs in now: a process id, _FREE, or _REFUSED for good."""

    @property
    def refused(self) -> bool:
        """Whether the token has refused the configured PIN."""
        return bool(self._holder.value == _REFUSED)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn and log in inside the block.

        FailedPreconditionError PIN_INCORRECT or PIN_LOCKED from inside closes the guard for all. Raises
        FailedPreconditionError PIN_INCORRECT when it was closed before, UnavailableError TOKEN_BUSY when
        another worker's login takes too long.
        """
        self._take()
        outcome = _FREE
        try:
            yield
        except FailedPreconditionError:
            outcome = _REFUSED
            raise
        finally:
            self._holder.value = outcome

    def _take(self) -> None:
        deadline = time.monotonic() + self._patience_seconds
        while not self._try_to_take():
            if time.monotonic() > deadline:
                raise UnavailableError("TOKEN_BUSY", "Another login to this token takes too long.")
            time.sleep(_POLL_SECONDS)

    def _try_to_take(self) -> bool:
        with self._holder.get_lock():
            holder = self._holder.value
            if holder == _REFUSED:
                raise pin_incorrect({})
            if holder != _FREE and _is_alive(holder):
                return False
            self._holder.value = os.getpid()
            return True


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
