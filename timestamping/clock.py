"""The time that tokens state, and the refusal to state one that cannot be trusted."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from timestamping.refusals import TimeNotAvailableError

ClockSetting = Literal["none", "system"]
"""`none`: no clock is trusted, no token is given. `system`: the bare system clock is trusted, unmonitored."""


class Clock(Protocol):
    """Where genTime comes from."""

    @property
    def description(self) -> str:
        """What stands behind the time, for start line, health and the record of each token."""

    def now(self) -> datetime:
        """Give a time that can be stated, aware UTC. Raises TimeNotAvailableError."""


def system_time() -> datetime:
    """Read the system clock."""
    return datetime.now(UTC)


class TrustedClock:
    """The system clock as far as the operator says that it is to be trusted, and never when it stepped back.

    accuracy: what tokens state; a larger step back ends the trust until the clock is where it would be
    without it. not_before: the newest genTime on record, so that a step back during a restart is noticed as
    well. `read` and `elapsed` give the wall clock and the monotonic one (seconds).
    """

    def __init__(
        self,
        setting: ClockSetting,
        *,
        accuracy: timedelta,
        not_before: datetime | None = None,
        read: Callable[[], datetime] = system_time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._setting = setting
        self._accuracy = accuracy
        self._read = read
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._latest = not_before or datetime.min.replace(tzinfo=UTC)
        self._latest_elapsed: float | None = None

    @property
    def description(self) -> str:
        """`system` (trusted without a monitor, as configured), or `none`."""
        return self._setting

    def now(self) -> datetime:
        """Give the present time. Raises TimeNotAvailableError CLOCK_NOT_TRUSTED or CLOCK_STEPPED_BACK."""
        if self._setting == "none":
            raise TimeNotAvailableError("CLOCK_NOT_TRUSTED", "No clock is configured as trusted.")
        with self._lock:
            present, elapsed = self._read(), self._elapsed()
            if present < self._earliest(elapsed):
                raise TimeNotAvailableError(
                    "CLOCK_STEPPED_BACK", "The clock went backwards and is not trusted."
                )
            self._latest, self._latest_elapsed = present, elapsed
            return present

    def _earliest(self, elapsed: float) -> datetime:
        """The least time that the clock can show now if it was not set back since it was last read."""
        if self._latest_elapsed is None:
            return self._latest
        expected = self._latest + timedelta(seconds=elapsed - self._latest_elapsed)
        return max(self._latest, expected - self._accuracy)
