"""`pecete`: the service from the command line, and what it made checked offline."""

import os
from pathlib import Path
from typing import Annotated

import typer

# gRPC reads this when it is imported; its own log lines are for its makers, not for who types a command.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from pecete.commands import documents, evidence, evidence_record, records, signing, status, validation
from pecete.commands.connection import Connection

_HELP = """Sign, validate, archive and check documents with a Pecete service.

The options below come before the command; environment variables serve as well. Without --credentials the
variables PECETE_CA, PECETE_CERTIFICATE and PECETE_KEY (paths of PEM files) and PECETE_TOKEN or
PECETE_TOKEN_FILE are read.

Exit codes: 0 done, 1 an error or a verdict that is not TOTAL_PASSED, 2 wrong usage.
"""

app = typer.Typer(
    name="pecete", help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def _connection(
    context: typer.Context,
    server: Annotated[
        str, typer.Option(envvar="PECETE_SERVER", help="The service, HOST:PORT.")
    ] = "localhost:7443",
    credentials: Annotated[
        Path | None,
        typer.Option(
            envvar="PECETE_CREDENTIALS",
            help="Folder with ca.pem, client.pem and client-key.pem, as `pecete-server init` leaves it.",
        ),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="No TLS; only to a loopback address.")
    ] = False,
) -> None:
    context.obj = Connection(server, credentials, plaintext)


app.command("upload")(documents.upload)
app.command("download")(documents.download)
app.command("keys")(signing.keys)
app.command("sign")(signing.sign)
app.command("augment")(signing.augment)
app.command("validate")(validation.validate)
app.command("archive")(records.archive)
app.command("proof")(records.proof)
app.command("status")(status.status)
app.command("verify-timestamp")(evidence.verify_timestamp)
app.command("verify-evidence")(evidence_record.verify_evidence)
app.command("verify-proof")(evidence.verify_proof)


def main() -> None:
    """Run the command line."""
    app()
