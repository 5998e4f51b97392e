"""`pecete status`."""

from typing import Annotated

import typer

from pecete.archive.v1.archive_pb2 import Record
from pecete.client import Client
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, plain, say, show_json, show_table
from pecete.documents.v1.documents_pb2 import Document
from pecete.errors import InvalidArgumentError
from pecete.workflow.v1.workflow_pb2 import Dossier, StepState


@command
def status(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="dossiers/ID, documents/ID or records/ID.")],
    as_json: Json = False,
) -> None:
    """Show where a document is and who has signed."""
    with connect(context) as client:
        found = _find(client, name)
    if as_json:
        show_json(plain(found))
        return
    match found:
        case Dossier():
            _show_dossier(found)
        case Record():
            _show_record(found)
        case Document():
            _show_document(found)


def _find(client: Client, name: str) -> Dossier | Record | Document:
    match name.split("/")[0]:
        case "dossiers":
            return client.get_dossier(name)
        case "records":
            return client.get_record(name)
        case "documents":
            return client.get_document(name)
    raise InvalidArgumentError(
        "NAME_UNKNOWN", "A name begins with dossiers/, documents/ or records/.", field="name"
    )


def _show_dossier(dossier: Dossier) -> None:
    state = Dossier.State.Name(dossier.state).removeprefix("STATE_").lower().replace("_", " ")
    say(f"{dossier.display_name or dossier.name}: {state} since {moment(dossier.update_time)}")
    say(f"opened {moment(dossier.create_time)}, now {dossier.document}")
    rows = [
        (
            step.name.rpartition("/")[2],
            step.capacity or step.post,
            step.person,
            StepState.Name(step.state).removeprefix("STEP_STATE_").lower(),
            moment(step.sign_time),
        )
        for step in dossier.steps
    ]
    show_table(("STEP", "CAPACITY", "PERSON", "STATE", "SIGNED AT"), rows)


def _show_record(record: Record) -> None:
    described = record.descriptive_record
    say(f"{record.name}: {described.document_type} of {described.issue_date}, issued by {described.issuer}")
    say(f"archived at {moment(record.create_time)} by {record.archivist}, retention {described.retention}")
    say(f"{record.size_bytes} bytes, {record.media_type}, SHA-256 {record.sha256.hex()}")


def _show_document(document: Document) -> None:
    say(f"{document.display_name or document.name}: stored at {moment(document.create_time)}")
    say(f"kept until {moment(document.expire_time)} unless a dossier or a record holds it")
    say(f"{document.size_bytes} bytes, {document.media_type}, SHA-256 {document.sha256.hex()}")
