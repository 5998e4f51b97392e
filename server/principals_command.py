"""`pecete-server principals`: who may call the server.

The work is imported when it is done: worker processes import this module too, and should start quickly.
"""

from pathlib import Path
from typing import Annotated

import typer

from server.authorization import Role
from server.command_options import DEFAULT_CONFIGURATION, ConfigurationFile

principals_app = typer.Typer(
    help="Who may call the server: principals, certificates, tokens.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Such as principals/registry.")]
CertificateFile = Annotated[
    Path | None,
    typer.Option(
        "--certificate", exists=True, dir_okay=False, help="Client certificate (PEM) of the principal."
    ),
]
WithToken = Annotated[bool, typer.Option("--token", help="Make an API token and print it, this one time.")]


@principals_app.command()
def add(
    name: Name,
    role: Annotated[list[Role], typer.Option("--role", help="May be given several times.")],
    certificate: CertificateFile = None,
    token: WithToken = False,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
) -> None:
    """Make a principal with these roles and, where asked for, its first credentials."""
    from server import principal_changes as changes

    _show(changes.add(config, name, role, changes.Credential(certificate, token)))


@principals_app.command()
def enrol(
    name: Name,
    certificate: CertificateFile = None,
    token: WithToken = False,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
) -> None:
    """Give a principal a further credential, such as the successor of a certificate that expires."""
    from server import principal_changes as changes

    if certificate is None and not token:
        raise typer.BadParameter("Give --certificate, --token or both.")
    _show(changes.enrol(config, name, changes.Credential(certificate, token)))


@principals_app.command("list")
def show(config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Print each principal: name, roles, and when it was revoked."""
    from server import principal_changes as changes
    from server.times import from_microseconds

    for principal in changes.list_principals(config):
        time = principal.revoke_time
        revoked = "" if time is None else f"revoked {from_microseconds(time):%Y-%m-%d}"
        typer.echo("\t".join([principal.name, ",".join(sorted(principal.roles)), revoked]))


@principals_app.command()
def revoke(name: Name, config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Shut a principal out for good, with every credential."""
    from server import principal_changes as changes

    changes.revoke(config, name)


def _show(secret: str | None) -> None:
    """A token is shown only after it was committed."""
    if secret is not None:
        typer.echo(secret)
