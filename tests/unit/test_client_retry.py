"""What is tried again, after which pauses, and when it is given up."""

import grpc
import pytest

from pecete.errors import PeceteError, UnavailableError
from pecete.retry import Attempts, RetryPolicy


class Failure(grpc.RpcError):
    """A call that ended with a code and nothing else."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return ""

    def trailing_metadata(self) -> tuple[()]:
        return ()


UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE)


def attempts(policy: RetryPolicy, timeout: float, times: list[float] | None = None) -> Attempts:
    """Tries under a clock that shows `times` one after the other, with the longest pauses."""
    shown = iter(times or [0.0] * 100)
    return Attempts(policy, timeout, clock=lambda: next(shown), jitter=lambda shortest, longest: longest)


def test_pauses_double_up_to_the_longest() -> None:
    tries = attempts(RetryPolicy(attempts=6, first_delay=1, longest_delay=5), timeout=60)
    assert [tries.delay_after(UNAVAILABLE) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_the_pause_is_drawn_from_its_upper_half() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(shortest: float, longest: float) -> float:
        drawn.append((shortest, longest))
        return shortest

    tries = Attempts(RetryPolicy(first_delay=1), 60, clock=lambda: 0.0, jitter=draw)
    assert (tries.delay_after(UNAVAILABLE), drawn) == (0.5, [(0.5, 1)])


def test_the_last_try_raises_what_happened() -> None:
    tries = attempts(RetryPolicy(attempts=2), timeout=60)
    tries.delay_after(UNAVAILABLE)
    with pytest.raises(UnavailableError, match="SERVER_UNREACHABLE") as error:
        tries.delay_after(UNAVAILABLE)
    assert error.value.__cause__ is UNAVAILABLE


def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    tries = attempts(RetryPolicy(first_delay=1), timeout=10, times=[0.0, 8.5, 9.5])
    assert tries.delay_after(UNAVAILABLE) == 1
    with pytest.raises(UnavailableError):
        tries.delay_after(UNAVAILABLE)


def test_the_rest_of_the_time_is_never_negative() -> None:
    assert attempts(RetryPolicy(), timeout=10, times=[100.0, 103.0]).remaining() == 7
    assert attempts(RetryPolicy(), timeout=10, times=[100.0, 130.0]).remaining() == 0


@pytest.mark.parametrize(
    "code",
    [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)],
)
def test_no_other_code_is_tried_again(code: grpc.StatusCode) -> None:
    with pytest.raises(PeceteError) as error:
        attempts(RetryPolicy(), timeout=60).delay_after(Failure(code))
    assert not isinstance(error.value, UnavailableError)
