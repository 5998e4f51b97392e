"""One caller has so many calls under way and no more; the others have theirs."""

from contextlib import ExitStack
from typing import Any, cast

import pytest

from pecete.errors import ResourceExhaustedError
from server import interceptors
from server.interceptors import Front
from server.metrics import Metrics


def test_a_caller_beyond_the_limit_is_refused_until_a_call_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interceptors, "CALLS_AT_ONCE", 2)
    front = Front(cast(Any, None), Metrics())
    with ExitStack() as calls:
        calls.enter_context(front._counted("principals/greedy"))
        with front._counted("principals/greedy"):
            with pytest.raises(ResourceExhaustedError, match="TOO_MANY_CALLS"):
                calls.enter_context(front._counted("principals/greedy"))
            calls.enter_context(front._counted("principals/modest"))
        calls.enter_context(front._counted("principals/greedy"))
    assert not front._calls
