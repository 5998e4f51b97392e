"""Answers are kept until their end and no longer, within bounds, and fetched once for all who ask."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from server.fetched_answers import LONGEST_KEPT, FetchedAnswers

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


def test_an_answer_is_kept_until_its_end_and_not_at_it() -> None:
    clock = Clock()
    answers: FetchedAnswers[str] = FetchedAnswers(clock)
    answers.keep("list", b"one", NOW + HOUR)
    clock.time = NOW + HOUR - timedelta(microseconds=1)
    assert answers.get("list") == b"one"
    clock.time = NOW + HOUR
    assert answers.get("list") is None
    clock.time = NOW
    assert answers.get("list") is None, "what has ended is forgotten"


def test_an_answer_is_never_kept_longer_than_a_day_however_often_it_is_used() -> None:
    clock = Clock()
    answers: FetchedAnswers[str] = FetchedAnswers(clock)
    answers.keep("list", b"one", NOW + 100 * LONGEST_KEPT)
    clock.time = NOW + LONGEST_KEPT - HOUR
    answers.keep("list", b"one", NOW + 100 * LONGEST_KEPT)
    assert answers.get("list") == b"one"
    clock.time = NOW + LONGEST_KEPT
    assert answers.get("list") is None


@pytest.mark.parametrize("until", [None, NOW, NOW - HOUR])
def test_what_has_no_end_or_is_past_it_is_not_served(until: datetime | None) -> None:
    answers: FetchedAnswers[str] = FetchedAnswers(Clock())
    answers.keep("list", b"one", until)
    assert answers.get("list") is None


def test_a_newer_answer_takes_the_place_of_the_older() -> None:
    answers: FetchedAnswers[str] = FetchedAnswers(Clock(), octets=5)
    answers.keep("list", b"old", NOW + HOUR)
    answers.keep("list", b"newer", NOW + HOUR)
    assert answers.get("list") == b"newer"


def test_the_oldest_make_room_in_number_and_in_octets() -> None:
    few: FetchedAnswers[int] = FetchedAnswers(Clock(), answers=2)
    small: FetchedAnswers[int] = FetchedAnswers(Clock(), octets=10)
    for number in range(3):
        few.keep(number, b"12345", NOW + HOUR)
        small.keep(number, b"12345", NOW + HOUR)
    small.keep(3, bytes(11), NOW + HOUR)
    for answers in (few, small):
        assert [answers.get(number) for number in range(4)] == [None, b"12345", b"12345", None]


async def test_all_who_ask_at_once_wait_for_one_fetch() -> None:
    answers: FetchedAnswers[str] = FetchedAnswers(Clock())
    answered, fetched = asyncio.Event(), []

    async def fetch() -> bytes:
        fetched.append("list")
        await answered.wait()
        return b"one"

    waiting = [asyncio.create_task(answers.once("list", fetch)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    answered.set()
    assert await asyncio.gather(*waiting[1:]) == [b"one", b"one"]
    assert fetched == ["list"]
    assert await answers.once("list", fetch) == b"one"
    assert fetched == ["list", "list"], "a fetch that has ended is no answer for later"


async def test_all_who_ask_at_once_get_its_error_and_the_next_fetch_is_a_new_one() -> None:
    answers: FetchedAnswers[str] = FetchedAnswers(Clock())
    outcomes = iter([True, False])

    async def fetch() -> bytes:
        await asyncio.sleep(0)
        if next(outcomes):
            raise OSError
        return b"one"

    failed = await asyncio.gather(*(answers.once("list", fetch) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in failed] == [OSError, OSError]
    assert await answers.once("list", fetch) == b"one"


async def test_closing_ends_what_is_being_fetched() -> None:
    answers: FetchedAnswers[str] = FetchedAnswers(Clock())

    async def never() -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    waiting = asyncio.create_task(answers.once("list", never))
    await asyncio.sleep(0)
    await answers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
