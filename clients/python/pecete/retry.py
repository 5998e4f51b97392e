"""When a call is tried again: only when the service could not be reached, and only within the deadline."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from pecete.errors import UnavailableError
from pecete.wire_errors import from_rpc_error

TIMEOUT = 60.0
"""Seconds that a call may take with all its tries."""

TRANSFER_TIMEOUT = 3600.0
"""Seconds that an upload or a download may take with all its tries."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and after what pauses a call is tried, in seconds; each pause doubles the one before.

    Every call that changes something carries one request id through all its tries, so the service gives the
    first answer again rather than do the work twice.
    """

    attempts: int = 10
    first_delay: float = 0.2
    longest_delay: float = 5.0


class Attempts:
    """The tries of one call against one deadline."""

    def __init__(
        self,
        policy: RetryPolicy,
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._deadline = clock() + timeout
        self._failed = 0

    def remaining(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self._deadline - self._clock())

    def delay_after(self, failure: grpc.RpcError) -> float:
        """Seconds to wait before the next try; raises the PeceteError of `failure` when there is none.

        Only UNAVAILABLE is tried again. The pause is drawn from its upper half, so that clients who lost the
        same server do not come back all at once.
        """
        error = from_rpc_error(failure)
        self._failed += 1
        longest = min(self._policy.longest_delay, self._policy.first_delay * 2 ** (self._failed - 1))
        delay = self._jitter(longest / 2, longest)
        if not isinstance(error, UnavailableError) or self._failed >= self._policy.attempts:
            raise error from failure
        if delay >= self.remaining():
            raise error from failure
        return delay
