"""Verdicts as JSON, as plain values across processes, and as a page; and the worker that may be lost."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pecete.errors import InvalidArgumentError, NotFoundError, ResourceExhaustedError
from server.validate_command import validate_command
from signer.validation import ValidationPolicy, validate
from signer.validation.facts import Integrity, TimestampKind
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.pdf.aftermath import Modification
from signer.validation.plain import from_plain, to_plain
from signer.validation.report import (
    CertificateNames,
    ReportError,
    SignatureVerdict,
    TimestampVerdict,
    ValidationReport,
)
from signer.validation.reports.page import render_html
from signer.validation.sandbox import Limits, ValidationWorker

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
POLICY = ValidationPolicy((), TIME)
STAMP = TimestampVerdict(
    TimestampKind.SIGNATURE, "", Integrity.INTACT, TIME, "Unit", PASSED, Modification.NONE, ()
)
PASSING = SignatureVerdict(
    field="Sig1",
    format="PAdES",
    level="PAdES-BASELINE-T",
    integrity=Integrity.INTACT,
    modification=Modification.NONE,
    conclusion=PASSED,
    signing_time=TIME,
    best_signature_time=TIME,
    signer="Ana <Popescu>",
    signer_certificate=b"\x30\x00",
    path=("Ana <Popescu>", "Root"),
    timestamps=(STAMP,),
    changes=(),
    faults=(),
    certificate=CertificateNames("1F", "CN=Root", "CN=Ana <Popescu>", TIME, TIME, "00" * 32),
)
FAILING = replace(
    PASSING,
    modification=Modification.FORBIDDEN,
    conclusion=Conclusion(SubIndication.FORMAT_FAILURE, "the document was changed"),
    changes=("page (object 3) /Rotate changed",),
)
REPORT = ValidationReport("act.pdf", b"\x01" * 32, TIME, (PASSING,), (), None, 0.0123456)
EMPTY_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n"
)


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    offsets = [EMPTY_PDF.index(b"1 0 obj"), EMPTY_PDF.index(b"2 0 obj")]
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(EMPTY_PDF)
    path = tmp_path / "unsigned.pdf"
    path.write_bytes(EMPTY_PDF + table + tail)
    return path


def test_the_shape_that_others_build_on() -> None:
    found = json.loads(json.dumps(REPORT.to_json()))
    assert {"file", "error", "signatures", "seconds"} <= found.keys()
    assert found["error"] is None and found["seconds"] == 0.0123
    signature = found["signatures"][0]
    assert signature["timestamps"][0]["generation_time"] == "2026-01-31T12:00:00Z"
    expected = {
        "field": "Sig1",
        "format": "PAdES",
        "level": "PAdES-BASELINE-T",
        "integrity": "intact",
        "modification": "none",
        "indication": "TOTAL_PASSED",
        "sub_indication": None,
        "signing_time": "2026-01-31T12:00:00Z",
        "best_signature_time": "2026-01-31T12:00:00Z",
        "signer": "Ana <Popescu>",
        "signer_certificate": {
            "serial_number": "1F",
            "issuer": "CN=Root",
            "subject": "CN=Ana <Popescu>",
            "not_before": "2026-01-31T12:00:00Z",
            "not_after": "2026-01-31T12:00:00Z",
            "sha256": "00" * 32,
        },
    }
    assert {key: signature[key] for key in expected} == expected


def test_a_report_crosses_a_process_border_whole() -> None:
    for report in (REPORT, replace(REPORT, signatures=(FAILING,), error=ReportError("X", "y"))):
        assert from_plain(ValidationReport, json.loads(json.dumps(to_plain(report)))) == report


class Colour(StrEnum):
    """A choice."""

    RED = "red"


@dataclass(frozen=True)
class Sample:
    """One of each kind of value."""

    pair: tuple[bytes, int]
    wait: timedelta
    ratio: float
    colour: Colour | None


def test_plain_values_come_back_as_declared() -> None:
    sample = Sample((b"\xff", 1), timedelta(seconds=2), 1.0, Colour.RED)
    assert from_plain(Sample, to_plain(sample)) == sample


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "blue"},
        {"pair": ["!", 1]},
        {"pair": ["", "1"]},
        {"wait": None},
        {"ratio": "x"},
        {"pair": 3},
    ],
)
def test_what_is_not_as_declared_is_refused(change: dict[str, object]) -> None:
    plain = to_plain(Sample((b"", 1), timedelta(), 1.0, None))
    assert isinstance(plain, dict)
    with pytest.raises(ValueError, match=r"."):
        from_plain(Sample, {**plain, **change})


def test_the_page_says_the_verdict_first_and_escapes_what_it_quotes() -> None:
    page = render_html(REPORT)
    assert "<h1>Semnătura din acest document este validă.</h1>" in page
    assert "Ana &lt;Popescu&gt;" in page and "<Popescu>" not in page
    assert "http" not in page.replace("https://", "http") or "src=" not in page
    assert 'lang="ro"' in page


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (replace(REPORT, signatures=(FAILING,)), "NU este validă"),
        (replace(REPORT, signatures=(PASSING, FAILING)), "Semnături nevalide: 1 din 2"),
        (replace(REPORT, signatures=(PASSING, PASSING)), "sunt valide: 2 din 2"),
        (replace(REPORT, signatures=()), "nu este semnat"),
        (replace(REPORT, error=ReportError("DOCUMENT_DAMAGED", "x")), "nu a putut fi verificat"),
        (
            replace(
                REPORT,
                signatures=(replace(PASSING, conclusion=Conclusion(SubIndication.TRY_LATER, "old")),),
            ),
            "Nu se poate stabili",
        ),
    ],
)
def test_the_sentence_of_the_page(report: ValidationReport, sentence: str) -> None:
    page = render_html(report)
    assert sentence in page[page.index("<h1>") : page.index("</h1>")]


def test_the_page_tells_what_changed() -> None:
    page = render_html(replace(REPORT, signatures=(FAILING,)), "en")
    assert "/Rotate changed" in page and "NOT valid" in page


# ---- errors


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "DOCUMENT_EMPTY"),
        (b"plain words", "UNSUPPORTED_FORMAT"),
        (b"PK\x03\x04 a container", "UNSUPPORTED_FORMAT"),
        (b"%PDF-1.7\nnothing more", "DOCUMENT_DAMAGED"),
        (b"\x30\x03\x02\x01\x01", "DOCUMENT_DAMAGED"),
    ],
)
def test_typed_errors(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        validate(data, POLICY)
    assert (caught.value.reason, caught.value.field) == (reason, "document")


def test_a_document_that_asks_for_a_password(tmp_path: Path) -> None:
    import pikepdf

    path = tmp_path / "locked.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user="user"))
    with pytest.raises(InvalidArgumentError) as caught:
        validate(path, POLICY)
    assert caught.value.reason == "DOCUMENT_ENCRYPTED"


# ---- the worker


@pytest.fixture(scope="module")
def worker() -> Iterator[ValidationWorker]:
    with ValidationWorker(Limits(memory_mib=1024, cpu_seconds=1, seconds=20)) as started:
        yield started


def test_the_worker_says_the_same(worker: ValidationWorker, unsigned: Path) -> None:
    found = worker.validate(unsigned, POLICY)
    assert replace(found, seconds=0.0) == replace(validate(unsigned, POLICY), seconds=0.0)
    with pytest.raises(NotFoundError):
        worker.validate(unsigned.parent / "missing.pdf", POLICY)


def stop(worker: ValidationWorker) -> None:
    """Have the worker's process answer nothing any more."""
    worker._started()
    assert worker._process is not None and worker._process.pid is not None
    os.kill(worker._process.pid, signal.SIGSTOP)


def test_a_lost_worker_is_a_typed_error_and_is_replaced(unsigned: Path) -> None:
    with ValidationWorker(Limits(memory_mib=1024, cpu_seconds=20, seconds=0.01)) as impatient:
        for _ in range(2):
            stop(impatient)
            with pytest.raises(ResourceExhaustedError) as caught:
                impatient.validate(unsigned, POLICY)
            assert caught.value.reason == "VALIDATION_LIMIT_REACHED"


def test_memory_beyond_the_limit_is_a_typed_error(tmp_path: Path) -> None:
    """A sparse file is larger than the worker may become; the next document gets its answer."""
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(2 << 30)
    with ValidationWorker(Limits(memory_mib=768, cpu_seconds=20, seconds=60.0)) as small:
        with pytest.raises(ResourceExhaustedError):
            small.validate(huge, POLICY)
        with pytest.raises(InvalidArgumentError):
            small.validate(b"%PDF-1.7\n" + b"[" * 3_000_000, POLICY)


# ---- the command


def command(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(validate_command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def test_the_command_prints_one_object_for_each_file(unsigned: Path) -> None:
    missing = str(unsigned.parent / "missing.pdf")
    code, told = command("--json", "--time", "2026-01-31T12:00:00Z", str(unsigned), missing)
    first, second = (json.loads(line) for line in told.splitlines())
    assert code == 1
    assert first["file"] == str(unsigned) and first["error"] is None and first["signatures"] == []
    assert first["validation_time"] == "2026-01-31T12:00:00Z"
    assert second["file"] == missing and second["error"]["reason"] == "DOCUMENT_UNREADABLE"


def test_the_command_ends_with_0_when_each_file_got_an_answer(unsigned: Path) -> None:
    code, told = command(str(unsigned))
    assert code == 0 and "no signatures" in told
