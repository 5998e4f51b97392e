"""`pecete-server principals`: who may call the server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from sqlalchemy import Connection

from archive.journal import Journal
from pecete.errors import InvalidArgumentError
from server import identity
from server.authorization import Role
from server.command_options import DEFAULT_CONFIGURATION, ConfigurationFile
from server.config import load
from server.database import Database
from server.migrations import require_newest
from server.times import from_microseconds, microseconds, utc_now
from workflow.journal import Act

ACTOR = "pecete/principals"
"""Who stands in the journal for what this command does."""

principals_app = typer.Typer(
    help="Who may call the server: principals, certificates, tokens.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Such as principals/registry.")]
CertificateFile = Annotated[
    Path | None, typer.Option("--certificate", help="Client certificate (PEM) of the principal.")
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
    with _change(config) as (connection, journal, act):
        identity.add(connection, journal, act, name, role)
        secret = _enrol(connection, journal, act, name, certificate, token)
    _show(secret)


@principals_app.command()
def enrol(
    name: Name,
    certificate: CertificateFile = None,
    token: WithToken = False,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
) -> None:
    """Give a principal a further credential, such as the successor of a certificate that expires."""
    with _change(config) as (connection, journal, act):
        secret = _enrol(connection, journal, act, name, certificate, token)
    _show(secret)


@principals_app.command("list")
def show(config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Print each principal: name, roles, and when it was revoked."""
    with _open(config) as database, database.read() as connection:
        for principal in identity.list_principals(connection):
            revoked = _day(principal.revoke_time)
            typer.echo("\t".join([principal.name, ",".join(sorted(principal.roles)), revoked]))


@principals_app.command()
def revoke(name: Name, config: ConfigurationFile = DEFAULT_CONFIGURATION) -> None:
    """Shut a principal out for good, with every credential."""
    with _change(config) as (connection, journal, act):
        identity.revoke(connection, journal, act, name)


def _enrol(
    connection: Connection,
    journal: Journal,
    act: Act,
    name: str,
    certificate: Path | None,
    token: bool,
) -> str | None:
    """Add what is asked for; give the new token. Raises InvalidArgumentError CERTIFICATE_UNREADABLE."""
    if certificate is not None:
        try:
            loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        except (OSError, ValueError) as error:
            raise InvalidArgumentError(
                "CERTIFICATE_UNREADABLE", "This must be a certificate in PEM.", field="certificate"
            ) from error
        identity.add_certificate(connection, journal, act, name, loaded)
    if not token:
        return None
    return identity.add_token(connection, journal, act, name)


def _show(secret: str | None) -> None:
    """A token is shown only after it was committed."""
    if secret is not None:
        typer.echo(secret)


def _day(time: int | None) -> str:
    return "" if time is None else f"revoked {from_microseconds(time):%Y-%m-%d}"


@contextmanager
def _open(config: Path) -> Iterator[Database]:
    database = Database(load(config, os.environ).database_url())
    try:
        require_newest(database)
        yield database
    finally:
        database.close()


@contextmanager
def _change(config: Path) -> Iterator[tuple[Connection, Journal, Act]]:
    with _open(config) as database, database.begin() as connection:
        yield connection, Journal(utc_now), Act(ACTOR, "", microseconds(utc_now()))
