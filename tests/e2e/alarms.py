"""The event loop's alarms, for tests that say themselves when one goes off."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest


def alarms_by_hand(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[Callable[[], object]]:
    """Have the running loop's alarms of so many seconds go off when the test says so; give what they do."""
    loop = asyncio.get_running_loop()
    call_later, alarms = loop.call_later, list[Callable[[], object]]()

    def take(delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        if delay == seconds:
            alarms.append(partial(callback, *args))
            delay = 86_400
        return call_later(delay, callback, *args)

    monkeypatch.setattr(loop, "call_later", take)
    return alarms
