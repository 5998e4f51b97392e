"""How commands find the service."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from pecete.client import Client
from pecete.credentials import Credentials
from pecete.retry import RetryPolicy

_RETRY = RetryPolicy(attempts=4)
"""Somebody is waiting: a service that is down is said to be down within a few seconds."""


@dataclass(frozen=True)
class Connection:
    """What the options before the command say of the service."""

    server: str
    credentials: Path | None
    plaintext: bool


def connect(context: typer.Context) -> Client:
    """Open the service that the options and the environment name."""
    connection: Connection = context.obj
    environment = dict(os.environ)
    if connection.credentials is not None:
        environment["PECETE_CREDENTIALS"] = str(connection.credentials)
    credentials = replace(Credentials.from_environment(environment), plaintext=connection.plaintext)
    return Client(connection.server, credentials, retry=_RETRY)
