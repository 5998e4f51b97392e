"""The command `pecete-server`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pecete.errors import PeceteError
from server.command_options import DEFAULT_CONFIGURATION, ConfigurationFile
from server.keys_command import keys_app
from server.principals_command import principals_app
from server.trusted_lists_command import trusted_lists_app
from server.validate_command import validate_command

app = typer.Typer(
    name="pecete-server",
    help="Electronic signatures, time-stamps and a provable archive for city halls: the server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(principals_app, name="principals")
app.add_typer(keys_app, name="keys")
app.add_typer(trusted_lists_app, name="trusted-lists")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Folder to make; nothing in it is ever overwritten.")],
    host: Annotated[
        list[str] | None, typer.Option("--host", help="Further host name or address of the server.")
    ] = None,
) -> None:
    """Make a folder to run from: local CA, certificates, journal key, database and pecete.toml."""
    from server.initialise import init as initialise

    made = initialise(directory, tuple(host or ()))
    for path in made:
        typer.echo(path)


@app.command()
def migrate(config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Bring the database to this version's schema."""
    from server.config import load
    from server.database import Database
    from server.migrations import current, upgrade

    database = Database(load(config, os.environ).database_url())
    before = current(database)
    after = upgrade(database)
    typer.echo(f"{before or 'empty'} -> {after}" if before != after else f"already at {after}")
    database.close()


@app.command()
def serve(
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
    check: Annotated[
        bool, typer.Option("--check", help="Read every setting, file and secret; start nothing.")
    ] = False,
) -> None:
    """Run the server until SIGTERM or SIGINT; calls in flight are finished then.

    When it listens it prints one line of JSON with its addresses.
    """
    from server.config import load
    from server.config_check import check as check_configuration

    configuration = load(config, os.environ)
    check_configuration(configuration, os.environ)
    if check:
        typer.echo(f"{config}: everything can be read")
        return
    from server.serving import serve as run

    run(configuration)


@app.command()
def fsck(config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Read every object, row and leaf of the journal again and name what was changed, removed or added.

    Ends with 1 when something is wrong. Changes nothing; may run beside the server.
    """
    from server.checking import check_everything
    from server.config import load

    raise typer.Exit(check_everything(load(config, os.environ)))


@app.command()
def demo(
    document: Annotated[
        Path | None, typer.Argument(help="PDF to sign; default: a mayor's disposition.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what is made.")] = Path(
        "demo-output"
    ),
) -> None:
    """Two officials sign a document; it is time-stamped, judged, archived and checked offline."""
    from server.demo import run

    run(document, output)


app.command("validate")(validate_command)


def main() -> None:
    """Run the command; a typed error is one sentence on standard error, and exit code 1.

    gRPC's own log lines, which are not JSON, are left out unless GRPC_VERBOSITY asks for them.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        app()
    except PeceteError as error:
        sys.stderr.write(f"pecete-server: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
