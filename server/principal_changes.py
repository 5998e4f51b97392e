"""What `pecete-server principals` does in the database of a configuration."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from sqlalchemy import Connection

from archive.journal import Journal
from pecete.errors import InvalidArgumentError
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.identity import Principal
from server.migrations import require_newest
from server.times import microseconds, utc_now
from workflow.journal import Act

ACTOR = "pecete/principals"
"""Who stands in the journal for what this command does."""


@dataclass(frozen=True)
class Credential:
    """A credential to add: a client certificate (PEM file), a new API token, both or neither."""

    certificate: Path | None = None
    token: bool = False


def add(config: Path, name: str, roles: Sequence[Role], credential: Credential) -> str | None:
    """Make a principal with its first credential; give the API token that was made.

    Raises as `identity.add`, `identity.add_certificate`, and InvalidArgumentError CERTIFICATE_UNREADABLE.
    """
    with _change(config) as (connection, journal, act):
        identity.add(connection, journal, act, name, roles)
        return _enrol(connection, journal, act, name, credential)


def enrol(config: Path, name: str, credential: Credential) -> str | None:
    """Give a principal a further credential; raises as `add`."""
    with _change(config) as (connection, journal, act):
        return _enrol(connection, journal, act, name, credential)


def revoke(config: Path, name: str) -> None:
    """Shut a principal out. Raises NotFoundError PRINCIPAL_NOT_FOUND."""
    with _change(config) as (connection, journal, act):
        identity.revoke(connection, journal, act, name)


def list_principals(config: Path) -> list[Principal]:
    """Give all principals."""
    with _open(config) as database, database.read() as connection:
        return identity.list_principals(connection)


def _enrol(
    connection: Connection, journal: Journal, act: Act, name: str, credential: Credential
) -> str | None:
    if credential.certificate is not None:
        try:
            loaded = x509.load_pem_x509_certificate(credential.certificate.read_bytes())
        except (OSError, ValueError) as error:
            raise InvalidArgumentError(
                "CERTIFICATE_UNREADABLE", "This must be a certificate in PEM.", field="certificate"
            ) from error
        identity.add_certificate(connection, journal, act, name, loaded)
    return identity.add_token(connection, journal, act, name) if credential.token else None


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
