"""What commands tell of many signatures: a bar while they are made, a table or JSON, and an exit code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pecete import transfer
from pecete.client import Client
from pecete.commands.output import plain, say, show_json, show_table
from pecete.errors import InvalidArgumentError, PeceteError
from pecete.signing.v1.signing_pb2 import Signature


@dataclass(frozen=True)
class SignedTarget:
    """What became of one target: the signed document's name and its signature, or the error."""

    target: str
    document: str = ""
    signature: Signature | None = None
    error: PeceteError | None = None


def free_target(target: str, suffix: str, folder: Path | None = None) -> Path:
    """Give the file to write: beside a file, for anything else by its name in this folder, or in `folder`.

    Raises InvalidArgumentError FILE_EXISTS.
    """
    source = Path(target)
    if not source.is_file():
        source = Path("-".join(target.split("/")[1:]) + ".pdf")
    file = source.with_stem(f"{source.stem}-{suffix}")
    return free(folder / file.name if folder is not None else file)


def free(file: Path) -> Path:
    """Give a file back that is not there yet. Raises InvalidArgumentError FILE_EXISTS."""
    if file.exists():
        raise InvalidArgumentError(
            "FILE_EXISTS", f"{file} exists; name another place with --out.", field="out"
        )
    return file


def free_targets(targets: Sequence[str], folder: Path | None) -> list[Path]:
    """Give the files to write for many targets, each another one. Raises as `free_target`."""
    files = [free_target(target, "signed", folder) for target in targets]
    if len(set(files)) < len(files):
        raise InvalidArgumentError(
            "FILES_ALIKE", "Two targets would be written to one file; sign them apart.", field="out"
        )
    return files


@contextmanager
def counting_bar(what: str) -> Iterator[transfer.Progress]:
    """Show on standard error how many of a batch are done, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def fetch_signed(client: Client, results: Sequence[SignedTarget], files: Sequence[Path]) -> None:
    """Write every signed document to its file."""
    with counting_bar("Fetching") as progress:
        for number, (result, file) in enumerate(zip(results, files, strict=True), 1):
            if result.error is None:
                file.parent.mkdir(parents=True, exist_ok=True)
                client.download(result.document, file)
            progress(number, len(results))


def show_results(
    results: Sequence[SignedTarget], files: Sequence[Path], request_id: str, *, as_json: bool
) -> None:
    """Tell what became of each target; exits with 1 when one is not signed."""
    if as_json:
        found = [_as_json(each, file) for each, file in zip(results, files, strict=True)]
        show_json({"request_id": request_id, "results": found})
    else:
        rows = [_row(each, file) for each, file in zip(results, files, strict=True)]
        show_table(("TARGET", "RESULT", "FILE OR REASON"), rows)
    failed = sum(each.error is not None for each in results)
    if failed:
        typer.echo(
            f"pecete: {failed} of {len(results)} are not signed; the same command with --request-id "
            f"{request_id} goes on and signs nothing twice.",
            err=True,
        )
        raise typer.Exit(1)
    if not as_json:
        say(f"{len(results)} signed")


def _row(result: SignedTarget, file: Path) -> tuple[str, ...]:
    if result.error is None:
        return result.target, "signed", str(file)
    if result.error.reason == "BATCH_STOPPED":
        return result.target, "not attempted", result.error.metadata.get("cause", "")
    return result.target, "failed", str(result.error)


def _as_json(result: SignedTarget, file: Path) -> dict[str, object]:
    if result.error is None:
        signature = plain(result.signature) if result.signature else None
        signed = {"document": result.document, "signature": signature, "file": str(file)}
        return {"target": result.target, **signed}
    error = result.error
    fields = {"reason": error.reason, "message": error.message, "field": error.field}
    return {"target": result.target, "error": fields | {"metadata": error.metadata}}
