"""What commands print: JSON for programs, lines and tables for people, progress while documents travel."""

import functools
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, ParamSpec

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from pecete import transfer
from pecete.errors import PeceteError
from pecete.wire_errors import SERVER_UNREACHABLE

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
"""The option that every command has."""

_UNREACHABLE_HINT = "pecete: check --server, and that --credentials come from the authority of that server."

Parameters = ParamSpec("Parameters")


def command(run: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """End a command that fails with one sentence on standard error and exit code 1.

    With `--json` the error is the JSON object as well.
    """

    @functools.wraps(run)
    def fenced(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except PeceteError as error:
            if kwargs["as_json"]:
                fields = {"reason": error.reason, "message": error.message, "field": error.field}
                show_json({"error": fields | {"metadata": error.metadata}})
            _say_error(str(error), error.metadata.get("request_id"))
            if error.reason == SERVER_UNREACHABLE:
                typer.echo(_UNREACHABLE_HINT, err=True)
            raise typer.Exit(1) from error
        except OSError as error:
            if error.filename is None:
                raise
            _say_error(f"FILE_FAULT: {error.filename}: {error.strerror}.", None)
            raise typer.Exit(1) from error

    return fenced


def _say_error(sentence: str, request_id: str | None) -> None:
    known = f" [request {request_id}]" if request_id else ""
    typer.echo(f"pecete: {sentence}{known}", err=True)


def show_json(value: object) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(line: str) -> None:
    """Print one line for people."""
    typer.echo(line)


def show_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table for people; what other programs wrote in it is shown as it is, never as markup."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[transfer.Progress]:
    """Show on standard error how a document travels, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def moment(timestamp: Timestamp) -> str:
    """Give a time as people here read it; empty where it is not set."""
    if timestamp == Timestamp():
        return ""
    return timestamp.ToDatetime(UTC).astimezone().isoformat(" ", "seconds")


def plain(message: Message) -> dict[str, object]:
    """Give a message as JSON values by its field names: times in RFC 3339, digests in hex, DER in base64."""
    shown: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        names = {value.number: value.name for value in field.enum_type.values} if field.enum_type else {}
        value = getattr(message, field.name)
        if field.is_repeated:
            shown[field.name] = [_plain_value(field.name, names, item) for item in value]
        else:
            shown[field.name] = _plain_value(field.name, names, value)
    return shown


def _plain_value(field: str, names: Mapping[int, str], value: object) -> object:
    match value:
        case Timestamp():
            return value.ToDatetime(UTC).isoformat().replace("+00:00", "Z")
        case Message():
            return plain(value)
        case bytes():
            return value.hex() if field.endswith("sha256") else b64encode(value).decode()
        case int() if names:
            return names.get(value, value)
    return value


def local(time: datetime) -> str:
    """Give an aware time as people here read it."""
    return time.astimezone().isoformat(" ", "seconds")
