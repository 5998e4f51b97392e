"""One login at a time among the workers of a token, and none after a refused PIN."""

import gc
import os
import tempfile
from pathlib import Path

import pytest
from pkcs11 import TokenFlag

from pecete.errors import FailedPreconditionError, UnavailableError
from signer.tokens.faults import pin_incorrect, tries_left
from signer.tokens.pin_guard import PinGuard


def test_turns_follow_each_other() -> None:
    guard = PinGuard()
    for _ in range(2):
        with guard.turn():
            pass
    assert not guard.refused


def test_a_refused_pin_closes_the_guard_for_good() -> None:
    guard = PinGuard()
    with pytest.raises(FailedPreconditionError), guard.turn():
        raise pin_incorrect({"tries_left": "low"})
    assert guard.refused
    reached = False
    with pytest.raises(FailedPreconditionError, match="PIN_INCORRECT"), guard.turn():
        reached = True
    assert not reached


def test_another_fault_does_not_close_it() -> None:
    guard = PinGuard()
    with pytest.raises(UnavailableError), guard.turn():
        raise UnavailableError("TOKEN_FAULT", "The token answered with an error.")
    with guard.turn():
        assert not guard.refused


def test_nobody_enters_while_another_living_process_logs_in() -> None:
    guard = PinGuard(patience_seconds=0.05)
    with guard.turn(), pytest.raises(UnavailableError, match="TOKEN_BUSY"), guard.turn():
        pass


def test_a_process_that_died_in_its_turn_holds_up_nobody() -> None:
    guard = PinGuard(patience_seconds=10)
    die_in_turn(guard)
    with guard.turn():
        assert not guard.refused


def die_in_turn(guard: PinGuard) -> None:
    child = os.fork()
    if child == 0:
        with guard.turn():
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_pin_that_was_never_taken_is_given_twice_at_most_without_an_answer() -> None:
    guard = PinGuard()
    die_in_turn(guard)
    with pytest.raises(UnavailableError), guard.turn():
        raise UnavailableError("TOKEN_LOGIN_UNANSWERED", "No answer.")
    with pytest.raises(FailedPreconditionError, match="PIN_UNPROVEN"), guard.turn():
        pass
    assert not guard.refused


def test_a_pin_that_was_taken_may_stay_without_an_answer_as_often_as_it_likes() -> None:
    guard = PinGuard()
    with guard.turn():
        pass
    assert guard.accepted
    for _ in range(3):
        die_in_turn(guard)
    with guard.turn():
        pass


def test_what_reaches_no_token_is_no_try() -> None:
    guard = PinGuard()
    for _ in range(3):
        with pytest.raises(ConnectionError), guard.turn():
            raise ConnectionError
    with guard.turn():
        pass


def test_a_guard_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    guard = PinGuard()
    with guard.turn():
        assert list(tmp_path.iterdir())
    del guard
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_the_tokens_flags_say_how_many_tries_are_left() -> None:
    low, final, locked = (
        TokenFlag.USER_PIN_COUNT_LOW,
        TokenFlag.USER_PIN_FINAL_TRY,
        TokenFlag.USER_PIN_LOCKED,
    )
    assert tries_left(TokenFlag(0)) == {}
    assert tries_left(low) == {"tries_left": "low"}
    assert tries_left(low | final) == {"tries_left": "one"}
    assert tries_left(low | final | locked) == {"tries_left": "none"}
