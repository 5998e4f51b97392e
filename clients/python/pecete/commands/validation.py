"""`pecete validate`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pecete.commands.arguments import Detached, Time, aware_time, document_or_file
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, say, show_json
from pecete.commands.report_files import check_output, report_path, write_report
from pecete.validation.v1.validation_pb2 import (
    INDICATION_TOTAL_PASSED,
    Indication,
    Modification,
    SignatureVerdict,
    ValidationReport,
)


@command
def validate(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="File to judge, or documents/ID.")],
    detached: Detached = "",
    time: Time = "",
    as_json: Json = False,
    report_format: Annotated[
        list[str] | None,
        typer.Option("--report", metavar="pdf|html|xml", help="Write the report to FILE.report.EXTENSION."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where the one report is written.")] = None,
    language: Annotated[str, typer.Option(help="Language of readable reports: ro or en.")] = "ro",
) -> None:
    """Judge every signature of a document.

    The exit code is 0 when there is a signature and all are TOTAL_PASSED, else 1.
    """
    document = document_or_file(file)
    formats = list(dict.fromkeys(report_format or []))
    place = document if isinstance(document, Path) else Path(document.rpartition("/")[2])
    check_output(output, [place], formats)
    with connect(context) as client:
        content = document_or_file(detached) if detached else None
        report = client.validate(
            document,
            at=aware_time(time),
            detached=content,
            report_formats=formats,
            report_language=language,
        )
    for name, written in zip(formats, report.reports, strict=True):
        write_report(output or report_path(place, name), written.content)
    if as_json:
        show_json(json.loads(report.report_json) | {"file": file})
    else:
        _show(file, report)
    passed = [verdict.indication == INDICATION_TOTAL_PASSED for verdict in report.signatures]
    if not passed or not all(passed):
        raise typer.Exit(1)


def _show(file: str, report: ValidationReport) -> None:
    if not report.signatures:
        say(f"{file}: no signature")
        return
    say(file)
    told = json.loads(report.report_json)["signatures"]
    for verdict, same in zip(report.signatures, told, strict=True):
        for line in _lines(verdict, same["explanation"]):
            say(line)


def _lines(verdict: SignatureVerdict, explanation: str) -> Iterator[str]:
    """Give a block of lines for one signature: a table would cut the verdict short on a narrow terminal."""
    indication = Indication.Name(verdict.indication).removeprefix("INDICATION_")
    modification = Modification.Name(verdict.modification).removeprefix("MODIFICATION_").lower()
    words = (indication, verdict.sub_indication, verdict.signer or "unknown signer")
    yield "  " + " ".join(filter(None, words))
    if explanation:
        yield "    " + explanation
    place = f"field {verdict.field}" if verdict.field else "no field"
    yield f"    {verdict.level}, {place}, later changes: {modification}"
    apart = (
        ("identity", verdict.identity),
        ("time", verdict.time_status),
        ("qualification", verdict.qualification),
    )
    told = [f"{name} {word}" for name, word in apart if word]
    if told:
        yield "    " + ", ".join(told)
    yield (
        f"    claimed {moment(verdict.signing_time) or 'unknown'}, "
        f"existed by {moment(verdict.best_signature_time) or 'unknown'}"
    )
    for change in verdict.changes:
        yield "    later: " + change
    for finding in verdict.findings:
        yield "    to be known: " + finding
