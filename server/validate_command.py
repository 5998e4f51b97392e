"""`pecete-server validate`: judging documents on the command line, without a server."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pecete.commands.report_files import check_output, report_path, write_report
from pecete.errors import InvalidArgumentError, PeceteError

if TYPE_CHECKING:
    from signer.validation import SignatureVerdict, ValidationPolicy, ValidationReport
    from signer.validation.reports.rendering import RenderedValidation, Rendering
    from signer.validation.reports.texts import Language
    from signer.validation.sandbox import ValidationWorker

    _Fetch = Callable[[Path, ValidationPolicy, list[Path]], tuple[ValidationPolicy, tuple[str, ...]]]

_COLOUR = {"TOTAL_PASSED": "green", "INDETERMINATE": "yellow", "TOTAL_FAILED": "red"}


def validate_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Signed documents.")],
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="CERT.pem", help="Trust anchors, PEM (one or more) or DER."),
    ] = None,
    crl: Annotated[
        list[Path] | None, typer.Option("--crl", metavar="FILE", help="CRL beside those in the document.")
    ] = None,
    no_revocation: Annotated[
        bool, typer.Option("--no-revocation", help="Do without proof that no certificate was revoked.")
    ] = False,
    fetch: Annotated[
        bool,
        typer.Option("--fetch", help="Fetch missing CRLs, OCSP responses and issuers' certificates."),
    ] = False,
    detached: Annotated[
        list[Path] | None,
        typer.Option("--detached", metavar="FILE", help="What a signature that stands apart is over."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="ISO", help="Judge as of this time; default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each file.")] = False,
    report_format: Annotated[
        list[str] | None,
        typer.Option("--report", metavar="pdf|html|xml", help="Write the report to FILE.report.EXTENSION."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="Where the one report of the one file is written."),
    ] = None,
    language: Annotated[str, typer.Option(help="Language of readable reports: ro or en.")] = "ro",
) -> None:
    """Judge the signatures of documents after ETSI EN 319 102-1.

    --report writes PDF/A or HTML to be read, or ETSI TS 119 102-2 XML. Ends with 0 when each file got an
    answer, whatever it is, and with 1 when one could not be read.
    """
    from signer.validation.sandbox import ValidationWorker

    policy = _policy(trust or [], crl or [], no_revocation, time)
    formats = list(dict.fromkeys(report_format or []))
    check_output(output, files, formats)
    unreadable = False
    with ValidationWorker() as worker, _fetching(worker, fetch) as fetcher:
        for file in files:
            rendering = _rendering(formats, language, file)
            rendered = _judge(worker, fetcher, file, policy, detached or [], rendering)
            report = rendered.report
            unreadable |= report.error is not None
            for name, content in zip(formats, rendered.files, strict=True):
                write_report(output or report_path(file, name), content)
            if as_json:
                typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
            else:
                _print(report)
    if unreadable:
        raise typer.Exit(1)


def _policy(trust: list[Path], crls: list[Path], no_revocation: bool, time: str | None) -> "ValidationPolicy":
    from signer.validation import ValidationPolicy

    return ValidationPolicy(
        anchors=tuple(der for path in trust for der in _ders(path, "CERTIFICATE", "trust")),
        time=_moment(time),
        revocation="off" if no_revocation else "required",
        crls=tuple(der for path in crls for der in _ders(path, "X509 CRL", "crl")),
    )


def _moment(time: str | None) -> datetime:
    """The time of judging; one without a zone is UTC."""
    if time is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise InvalidArgumentError(
            "TIME_MALFORMED", "Give the time as in 2026-01-31T12:00:00Z.", field="time"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _ders(path: Path, kind: str, field: str) -> list[bytes]:
    """The objects of a PEM or DER file; a file that holds none is refused, for trust is not guessed."""
    from signer.validation.pem import read_ders

    try:
        return read_ders(path.read_bytes(), kind, field)
    except OSError:
        raise InvalidArgumentError(
            "FILE_UNREADABLE", f"The file {path} cannot be read.", field=field
        ) from None


def _rendering(formats: list[str], language: str, file: Path) -> "Rendering":
    from signer.validation.reports.rendering import Rendering, ReportFormat

    languages: dict[str, Language] = {"ro": "ro", "en": "en"}
    if language not in languages:
        raise InvalidArgumentError(
            "REPORT_LANGUAGE_UNKNOWN", "Reports are written in ro and en.", field="language"
        )
    known = {str(each): each for each in ReportFormat}
    if not known.keys() >= set(formats):
        raise InvalidArgumentError(
            "REPORT_FORMAT_UNKNOWN", "Reports are written as pdf, html and xml.", field="report"
        )
    return Rendering(tuple(known[name] for name in formats), languages[language], str(file))


@contextmanager
def _fetching(worker: "ValidationWorker", wanted: bool) -> Iterator["_Fetch | None"]:
    """What completes a policy with what a file's verdict lacks; None where nothing is to be fetched."""
    if not wanted:
        yield None
        return
    from server.revocation_fetching import RevocationFetcher
    from server.validation_fetching import fetch_for_policy

    fetcher = RevocationFetcher(lambda: datetime.now(UTC))
    with asyncio.Runner() as runner:
        runner.run(fetcher.__aenter__())
        try:
            yield lambda file, policy, detached: runner.run(
                fetch_for_policy(worker, fetcher, file, policy, detached)
            )
        finally:
            runner.run(fetcher.__aexit__(None, None, None))


def _judge(
    worker: "ValidationWorker",
    fetch: "_Fetch | None",
    file: Path,
    policy: "ValidationPolicy",
    detached: list[Path],
    rendering: "Rendering",
) -> "RenderedValidation":
    """The report on a file, and its forms; what cannot be judged has its error there."""
    from signer.validation.report import ReportError, ValidationReport
    from signer.validation.reports.rendering import RenderedValidation, render

    asked: tuple[str, ...] = ()
    try:
        if fetch is not None:
            policy, asked = fetch(file, policy, detached)
        rendered = worker.render(file, policy, rendering, detached=detached)
        return replace(rendered, report=replace(rendered.report, fetching=asked))
    except PeceteError as error:
        told = ReportError(error.reason, error.message)
        report = ValidationReport(str(file), b"", policy.time, error=told)
        return RenderedValidation(report, render(report, None, policy, rendering))


def _print(report: "ValidationReport") -> None:
    """The report as text, one block for each signature."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(report.file)}[/bold]")
    if report.error:
        console.print(f"  [red]{escape(report.error.message)}[/red] ({report.error.reason})")
    elif not report.signatures:
        console.print("  no signatures")
    for signature in report.signatures:
        for line in _lines(signature):
            console.print("  " + line)
    for told in report.fetching:
        console.print("  asked: " + escape(told))


def _lines(signature: "SignatureVerdict") -> Iterator[str]:
    from rich.markup import escape

    conclusion = signature.conclusion
    verdict = " ".join(filter(None, (conclusion.indication, conclusion.sub_indication)))
    yield f"[{_COLOUR[conclusion.indication]}]{verdict}[/] {escape(signature.signer or 'unknown signer')}"
    if conclusion.explanation:
        yield "  " + escape(conclusion.explanation)
    place = f"field {escape(signature.field)}" if signature.field else "no field"
    yield (
        f"  {signature.level}, {place}, content {signature.integrity}, later changes {signature.modification}"
    )
    times = (("claimed", signature.signing_time), ("existed by", signature.best_signature_time))
    yield "  " + ", ".join(f"{name} {time.isoformat() if time else 'unknown'}" for name, time in times)
    for stamp in signature.timestamps:
        told = " ".join(filter(None, (stamp.conclusion.indication, stamp.conclusion.sub_indication)))
        yield f"  {stamp.kind} time-stamp of {escape(stamp.authority or 'unknown')}: {told}"
    apart = (
        ("identity", signature.identity),
        ("time", signature.time_status),
        ("qualification", signature.qualification),
    )
    words = [f"{name} {word}" for name, word in apart if word]
    if words:
        yield "  " + escape(", ".join(words))
    for change in signature.changes:
        yield "  later: " + escape(change)
    for finding in signature.findings:
        yield "  to be known: " + escape(finding)
