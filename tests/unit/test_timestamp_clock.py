"""The clock that refuses, and serial numbers that never repeat."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from timestamping.clock import ClockSetting, TrustedClock
from timestamping.refusals import FailureInfo, TimeNotAvailableError
from timestamping.serial import Serials

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hands:
    """A wall clock and a monotonic one, moved by the test."""

    def __init__(self) -> None:
        self.wall = NOON
        self.monotonic = 100.0

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds

    def clock(self, setting: ClockSetting = "system", not_before: datetime | None = None) -> TrustedClock:
        return TrustedClock(
            setting,
            accuracy=timedelta(seconds=1),
            not_before=not_before,
            read=lambda: self.wall,
            elapsed=lambda: self.monotonic,
        )


def test_tells_the_time_of_the_system_clock() -> None:
    hands = Hands()
    clock = hands.clock()
    assert clock.now() == NOON
    assert clock.now() == NOON
    hands.pass_time(3600)
    assert clock.now() == NOON + timedelta(hours=1)


def test_without_a_trusted_clock_there_is_no_time() -> None:
    clock = Hands().clock("none")
    with pytest.raises(TimeNotAvailableError) as refused:
        clock.now()
    assert refused.value.reason == "CLOCK_NOT_TRUSTED"
    assert refused.value.failure_info is FailureInfo.TIME_NOT_AVAILABLE
    assert clock.description == "none"


def test_a_step_back_ends_the_trust_until_the_clock_is_right_again() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.now()
    hands.pass_time(60)
    hands.wall -= timedelta(seconds=10)  # still later than the last time told, yet set back
    for _ in range(3):
        with pytest.raises(TimeNotAvailableError) as refused:
            clock.now()
        assert refused.value.reason == "CLOCK_STEPPED_BACK"
        hands.pass_time(100)
    hands.wall += timedelta(seconds=10)
    assert clock.now() == hands.wall


def test_no_time_is_told_that_is_earlier_than_the_one_before() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.now()
    hands.wall -= timedelta(microseconds=1)
    with pytest.raises(TimeNotAvailableError):
        clock.now()


def test_slewing_within_the_accuracy_is_no_step() -> None:
    hands = Hands()
    clock = hands.clock()
    for _ in range(10):
        hands.pass_time(10)
        hands.wall -= timedelta(milliseconds=5)
        assert clock.now() == hands.wall


def test_a_step_back_during_a_restart_is_noticed() -> None:
    hands = Hands()
    clock = hands.clock(not_before=NOON + timedelta(seconds=5))
    with pytest.raises(TimeNotAvailableError):
        clock.now()
    hands.pass_time(5)
    assert clock.now() == NOON + timedelta(seconds=5)


def test_serials_are_positive_and_distinct_over_threads_and_lives() -> None:
    lives = [Serials() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda index: lives[index % 4].next(), range(4000)))
    assert len(set(drawn)) == 4000
    assert {len(serial) for serial in drawn} == {16}
    assert all(0x40 <= serial[0] < 0x80 for serial in drawn)


def test_a_renewed_prefix_is_another_one() -> None:
    serials = Serials()
    before = serials.next()
    serials.renew()
    assert serials.next()[:8] != before[:8]


def test_a_forked_process_draws_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    serials = Serials()
    before = serials.next()
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    assert serials.next()[:8] != before[:8]
