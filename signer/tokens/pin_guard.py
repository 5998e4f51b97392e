"""Keeps the worker processes of one token from burning its PIN's tries one after the other."""

import fcntl
import multiprocessing
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
from signer.tokens.faults import pin_incorrect

_UNDER_WAY, _ACCEPTED, _REFUSED, _UNANSWERED = range(4)
_MOST_UNANSWERED = 2
_POLL_SECONDS = 0.01


class PinGuard:
    """Shared by all worker processes of one token: one login at a time, and none after a refused one.

    The parent makes it and passes it to each worker with its start arguments. A wrong configured PIN is so
    tried once, whatever the number of workers and however often they are started anew. A try that got no
    answer may have been a wrong one: of a PIN that was never taken, two such tries are the last.

    Whose turn it is says a file that is locked: the kernel unlocks it when its holder dies, wherever that is.
    """

    def __init__(self, patience_seconds: float = 30.0) -> None:
        self._patience_seconds = patience_seconds
        descriptor, self._path = tempfile.mkstemp(prefix="pecete-pin-")
        os.close(descriptor)
        weakref.finalize(self, _remove, self._path)
        self._state = multiprocessing.get_context("spawn").RawArray("i", 4)
        """Whether a login is under way, was taken, was refused; how many got no answer."""

    @property
    def refused(self) -> bool:
        """Whether the token has refused the configured PIN."""
        return bool(self._state[_REFUSED])

    @property
    def accepted(self) -> bool:
        """Whether the token has taken the configured PIN."""
        return bool(self._state[_ACCEPTED])

    def remove(self) -> None:
        """Remove the guard's file, where the process that made the guard was killed and cannot."""
        _remove(self._path)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn and log in inside the block.

        FailedPreconditionError PIN_INCORRECT or PIN_LOCKED from inside closes the guard for all; any other
        PeceteError is a try without an answer, and anything else was no try. Raises FailedPreconditionError
        PIN_INCORRECT when it was closed before, PIN_UNPROVEN after two tries without an answer;
        UnavailableError TOKEN_BUSY when another worker's login takes too long.
        """
        with self._locked():
            self._admit()
            self._state[_UNDER_WAY] = 1
            try:
                yield
                self._state[_ACCEPTED] = 1
            except FailedPreconditionError:
                self._state[_REFUSED] = 1
                raise
            except PeceteError:
                self._state[_UNANSWERED] += 1
                raise
            finally:
                self._state[_UNDER_WAY] = 0

    def _admit(self) -> None:
        if self._state[_UNDER_WAY]:  # by a process that died in its turn
            self._state[_UNDER_WAY] = 0
            self._state[_UNANSWERED] += 1
        if self.refused:
            raise pin_incorrect({})
        if not self.accepted and self._state[_UNANSWERED] >= _MOST_UNANSWERED:
            raise FailedPreconditionError(
                "PIN_UNPROVEN",
                "The token did not answer to the configured PIN, which may have been wrong; it is not tried "
                "again before the server is started anew.",
                field="pin",
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._patience_seconds
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while not _lock(descriptor):
                if time.monotonic() > deadline:
                    raise UnavailableError("TOKEN_BUSY", "Another login to this token takes too long.")
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
