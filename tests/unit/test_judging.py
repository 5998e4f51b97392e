"""The server's judge: a worker is lent to the next document when it has finished the last one."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
