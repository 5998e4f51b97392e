"""Judging in a process that can be lost: whatever ends it is a typed error, and the next one is judged."""

import ctypes
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pecete.errors import InternalError, InvalidArgumentError, PeceteError, ResourceExhaustedError
from signer.validation import sandbox
from signer.validation.reports.rendering import Rendering, ReportFormat
from signer.validation.sandbox import Limits, Task, ValidationWorker
from tests.unit.hostile_files import bomb, deed, zip_bomb
from tests.unit.validation_documents import GOOD, SIGNED, blank, sign

LIMITS = Limits(memory_mib=1024, cpu_seconds=1, seconds=20)
RENDERING = Rendering((ReportFormat.PDF, ReportFormat.HTML, ReportFormat.XML))
LIMIT, CRASH, FAULT = "VALIDATION_LIMIT_REACHED", "VALIDATION_CRASHED", "VALIDATION_FAULT"
BUSY = deed(hashlib.pbkdf2_hmac, "sha256", b"", b"", 2_000_000_000)


@pytest.fixture(scope="module")
def worker() -> Iterator[ValidationWorker]:
    with ValidationWorker(LIMITS) as started:
        yield started


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    path = tmp_path / "act.pdf"
    path.write_bytes(sign(blank(), stamped=SIGNED))
    return path


def asked(worker: ValidationWorker, task: Task) -> str:
    """Reason with which a task fails."""
    with pytest.raises(PeceteError) as caught:
        worker._ask(str, GOOD, task)
    return caught.value.reason


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        pytest.param(deed(ctypes.string_at, 0), CRASH, id="a read of memory that is not there"),
        pytest.param(deed(os.abort), CRASH, id="an assertion of a library"),
        pytest.param(deed(os._exit, 3), CRASH, id="an end without a word"),
        pytest.param(BUSY, LIMIT, id="a loop that burns the processor"),
        pytest.param(deed(bytes, 1 << 40), LIMIT, id="more memory than there may be"),
        pytest.param(deed(int, "no number"), FAULT, id="an error that nobody foresaw"),
        pytest.param(deed(complex, 1, 1), FAULT, id="an answer that is no data"),
        pytest.param(deed(float, "1"), FAULT, id="an answer of another kind"),
    ],
)
def test_what_ends_a_task_is_a_typed_error(worker: ValidationWorker, task: Task, reason: str) -> None:
    assert asked(worker, task) == reason
    assert worker._ask(str, GOOD, deed(str, "and the next one")) == "and the next one"


def test_an_answer_without_end_is_not_read(worker: ValidationWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_LONGEST_ANSWER", 1000)
    assert asked(worker, deed(str.__mul__, "x", 2000)) == LIMIT


def test_a_process_that_hangs_is_given_up() -> None:
    with ValidationWorker(Limits(memory_mib=1024, seconds=0.3)) as impatient:
        assert asked(impatient, deed(time.sleep, 600)) == LIMIT
        assert impatient._process is None


def test_a_process_that_takes_no_question_is_given_up() -> None:
    """The question is larger than what a pipe holds, so that asking waits for a reader that is not there."""
    with ValidationWorker(Limits(memory_mib=1024, seconds=0.3)) as impatient:
        impatient._started()
        assert impatient._process is not None and impatient._process.pid is not None
        os.kill(impatient._process.pid, signal.SIGSTOP)
        assert asked(impatient, deed(len, bytes(4 << 20))) == LIMIT


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bombs")
    files = {folder / "bomb.pdf": bomb(), folder / "bomb.asice": zip_bomb()}
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


Use = Callable[[ValidationWorker, Path], object]
USES: dict[str, Use] = {
    "validate": lambda worker, path: worker.validate(path, GOOD),
    "survey": lambda worker, path: worker.survey(path, GOOD, ""),
    "render": lambda worker, path: worker.render(path, GOOD, RENDERING),
}


@pytest.mark.parametrize("use", USES)
def test_a_bomb_is_a_typed_error_whatever_is_asked(
    worker: ValidationWorker, use: str, bombs: list[Path], signed: Path
) -> None:
    for hostile in bombs:
        with pytest.raises((InvalidArgumentError, ResourceExhaustedError, InternalError)) as caught:
            USES[use](worker, hostile)
        assert caught.value.field == "document"
    assert USES[use](worker, signed)


def test_reports_are_made_where_documents_are_read(worker: ValidationWorker, signed: Path) -> None:
    rendered = worker.render(signed, GOOD, Rendering(RENDERING.formats, "en", "shown.pdf"))
    pdf, page, xml = rendered.files
    assert rendered.report.file == "shown.pdf" and len(rendered.report.signatures) == 1
    assert pdf.startswith(b"%PDF-1.7") and b'<html lang="en">' in page and b"ValidationReport" in xml
