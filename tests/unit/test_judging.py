"""The server's judge: a worker is lent to the next document when it has finished the last one."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pecete.errors import InternalError, PeceteError, ResourceExhaustedError
from server.config import ValidationSettings
from server.judging import Judge
from signer.validation import ValidationPolicy, ValidationReport
from signer.validation.sandbox import ValidationWorker

NOW = datetime(2026, 3, 2, tzinfo=UTC)


async def test_a_cancelled_verdict_keeps_its_worker_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    used: list[ValidationWorker] = []

    def validate(
        worker: ValidationWorker, document: Path, policy: ValidationPolicy, *, detached: Sequence[Path]
    ) -> ValidationReport:
        used.append(worker)
        if document.name == "slow":
            entered.set()
            assert leave.wait(10)
        return ValidationReport(str(document), b"", policy.time)

    monkeypatch.setattr(ValidationWorker, "validate", validate)
    judge = Judge(ValidationSettings(), 2, lambda: NOW)
    slow = asyncio.create_task(judge.judge(Path("slow"), display_name="slow"))
    assert await asyncio.to_thread(entered.wait, 10)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    async with asyncio.timeout(5):
        for _ in range(2):
            assert (await judge.judge(Path("quick"), display_name="quick")).file == "quick"
    assert used[1] is used[2] is not used[0]
    leave.set()
    await judge.close()


@pytest.mark.parametrize(
    "error",
    [
        ResourceExhaustedError("VALIDATION_LIMIT_REACHED", "It is too much.", field="document"),
        InternalError("VALIDATION_CRASHED", "It crashed.", field="document"),
    ],
)
async def test_a_document_that_cannot_be_judged_is_archived_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: PeceteError
) -> None:
    monkeypatch.setattr(ValidationWorker, "validate", failing(error))
    judge = Judge(ValidationSettings(), 1, lambda: NOW)
    report = json.loads(await judge.report_for_archive(Path("bomb"), display_name="act.pdf"))
    assert (report["file"], report["error"]["reason"]) == ("act.pdf", error.reason)
    await judge.close()


async def test_a_fault_of_the_service_is_no_word_on_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = InternalError("VALIDATION_FAULT", "The validation worker does not start.")
    monkeypatch.setattr(ValidationWorker, "validate", failing(fault))
    judge = Judge(ValidationSettings(), 1, lambda: NOW)
    with pytest.raises(InternalError):
        await judge.report_for_archive(Path("act"), display_name="act.pdf")
    await judge.close()


def failing(error: PeceteError) -> Callable[..., ValidationReport]:
    def validate(*_: object, **__: object) -> ValidationReport:
        raise error

    return validate
