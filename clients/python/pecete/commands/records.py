"""`pecete archive` and `pecete proof`."""

from pathlib import Path
from typing import Annotated

import typer

from pecete.archive.v1.archive_pb2 import DescriptiveRecord
from pecete.commands.arguments import document_or_file
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, plain, say, show_json


@command
def archive(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="File to archive, or documents/ID.")],
    owner: Annotated[str, typer.Option(help="Owner of the document.")],
    issuer: Annotated[str, typer.Option(help="Who issued it.")],
    rights_holder: Annotated[str, typer.Option(help="Who has rights in it.")],
    history: Annotated[str, typer.Option(help="Its history, in a sentence.")],
    document_type: Annotated[str, typer.Option("--type", help="Type, such as „dispoziție”.")],
    classification: Annotated[str, typer.Option(help="File code of the town's nomenclator.")],
    keyword: Annotated[list[str], typer.Option(help="Keyword; may be given again.")],
    issue_date: Annotated[str, typer.Option(help="Date of issue, YYYY-MM-DD.")],
    retention: Annotated[str, typer.Option(help="Years to keep it, such as 10, or P: for ever.")],
    kind: Annotated[str, typer.Option(help="original or copy.")] = "original",
    as_json: Json = False,
) -> None:
    """Archive a document for good.

    The options are the fields of the descriptive record of Law 135/2007 that the service cannot know.
    """
    description = DescriptiveRecord(
        owner=owner,
        issuer=issuer,
        rights_holder=rights_holder,
        history=history,
        document_type=document_type,
        classification=classification,
        keywords=keyword,
        issue_date=issue_date,
        retention=retention,
    )
    document = document_or_file(file)
    with connect(context) as client:
        record = client.archive(document, description, kind=kind)
    if as_json:
        show_json(plain(record))
        return
    say(record.name)
    say(f"archived at {moment(record.create_time)} by {record.archivist}, SHA-256 {record.sha256.hex()}")


@command
def proof(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="records/ID.")],
    out: Annotated[Path, typer.Option(help="File to write the proof to.", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Fetch what proves a record offline.

    `pecete verify-proof` checks it with the journal's public key.
    """
    with connect(context) as client:
        answer = client.record_proof(name)
    out.write_text(answer.proof_json, encoding="utf-8")
    if as_json:
        show_json(
            {"record": answer.record, "file": str(out), "journal_public_key": answer.journal_public_key}
        )
        return
    say(f"{out}: proof of {answer.record}")
    say("The service's journal key, to be compared with the one that the city hall publishes:")
    say(answer.journal_public_key.rstrip())
