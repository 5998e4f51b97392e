"""`pecete validate`."""

import json
from typing import Annotated

import typer

from pecete.commands.arguments import Time, aware_time, document_or_file
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, say, show_json, show_table
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
    time: Time = "",
    as_json: Json = False,
) -> None:
    """Judge every signature of a document.

    The exit code is 0 when there is a signature and all are TOTAL_PASSED, else 1.
    """
    document = document_or_file(file)
    with connect(context) as client:
        report = client.validate(document, at=aware_time(time))
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
    columns = ("FIELD", "SIGNER", "VERDICT", "LEVEL", "SIGNED AT", "EXISTED AT", "CHANGED AFTERWARDS")
    show_table(columns, [_row(verdict) for verdict in report.signatures])
    for verdict in report.signatures:
        for change in verdict.changes:
            say(f"{verdict.field}: {change}")


def _row(verdict: SignatureVerdict) -> tuple[str, ...]:
    indication = Indication.Name(verdict.indication).removeprefix("INDICATION_")
    return (
        verdict.field,
        verdict.signer,
        f"{indication} {verdict.sub_indication}".rstrip(),
        verdict.level,
        moment(verdict.signing_time),
        moment(verdict.best_signature_time),
        Modification.Name(verdict.modification).removeprefix("MODIFICATION_").lower(),
    )
