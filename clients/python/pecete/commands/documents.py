"""`pecete upload` and `pecete download`."""

from pathlib import Path
from typing import Annotated

import typer

from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, plain, progress_bar, say, show_json


@command
def upload(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to store.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="Title for people; without it the file's name.")] = "",
    as_json: Json = False,
) -> None:
    """Store a file as a document and print its name."""
    with connect(context) as client, progress_bar(f"Sending {file.name}") as progress:
        document = client.upload(file, display_name=name, progress=progress)
    if as_json:
        show_json(plain(document))
        return
    say(document.name)
    say(f"{document.size_bytes} bytes, {document.media_type}, SHA-256 {document.sha256.hex()}")
    say(f"kept until {moment(document.expire_time)} unless a dossier or a record holds it")


@command
def download(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="documents/ID or records/ID.")],
    out: Annotated[Path, typer.Option(help="File to write.", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Write a document or a record's document to a file.

    The file appears whole and checked against its SHA-256, or not at all.
    """
    with connect(context) as client, progress_bar(f"Fetching {name}") as progress:
        if name.startswith("records/"):
            described = plain(client.download_record(name, out, progress=progress))
        else:
            described = plain(client.download(name, out, progress=progress))
    if as_json:
        show_json(described | {"file": str(out)})
        return
    say(f"{out}: {described['size_bytes']} bytes, SHA-256 {described['sha256']}")
