"""Logs: JSON lines with the call's context; libraries speak through the same channel, and not much."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from server import logs


@pytest.fixture
def configured() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("pecete").setLevel(logging.NOTSET)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("configured")
def test_entries_are_json_with_their_context(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.contextvars.bind_contextvars(request_id="r1")
    log = logs.get("calls")
    log.debug("not wanted")
    log.info("call", method="/x", seconds=0.5)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        log.exception("call failed")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("careful %s", "now")
    call, failed, library = lines(capsys.readouterr().err)
    assert call["event"] == "call"
    assert (call["request_id"], call["level"], call["logger"]) == ("r1", "info", "pecete.calls")
    assert (call["method"], call["seconds"]) == ("/x", 0.5)
    assert str(call["timestamp"]).endswith("Z")
    assert "RuntimeError: boom" in str(failed["exception"])
    assert (library["event"], library["request_id"]) == ("careful now", "r1")


@pytest.mark.usefixtures("configured")
def test_a_traceback_on_a_terminal_shows_no_variables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.configure("info")
    pin = "".join(["73", "91"])

    def sign(pin: str) -> None:
        raise RuntimeError(f"boom of {len(pin)}")

    try:
        sign(pin)
    except RuntimeError:
        logs.get("calls").exception("call failed")
    shown = capsys.readouterr().err
    assert "boom of 4" in shown
    assert pin not in shown


@pytest.mark.usefixtures("configured")
def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error")
    logs.get("calls").warning("not wanted")
    logs.get("calls").error("wanted")
    assert [line["event"] for line in lines(capsys.readouterr().err)] == ["wanted"]
