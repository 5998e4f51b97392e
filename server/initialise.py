"""`pecete-server init`: a folder from which a server can run at once. It never overwrites anything."""

import os
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import Connection

from archive.journal import Journal
from pecete.credentials import CA_FILE, CERTIFICATE_FILE, KEY_FILE
from pecete.errors import AlreadyExistsError, InvalidArgumentError
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.local_authority import make_authority, make_client_certificate, make_server_certificate
from server.migrations import upgrade
from server.times import microseconds, utc_now
from workflow.journal import Act

ADMINISTRATOR = "principals/administrator"
"""The principal whose client certificate `init` makes."""

CREDENTIALS = "credentials"
"""Folder of the administrator's credentials, as the client reads them."""

ACTOR = "pecete/init"
"""Who stands in the journal for what `init` does."""

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_PRIVATE, _PUBLIC = 0o600, 0o644

CONFIGURATION = """\
# Configuration of a Pecete server. Relative paths are relative to this file's folder.
# Every setting can be overridden by the environment: PECETE__SERVER__LISTEN overrides [server] listen.
# `pecete-server serve --check` reads every setting, file and secret without starting.

[server]
listen = "127.0.0.1:7443"           # gRPC, TLS
metrics_listen = "127.0.0.1:7444"   # HTTP: /metrics and /healthz
workers = 2                         # processes that judge documents
grace_seconds = 30                  # what calls in flight are given when the server stops
log_level = "info"

[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
client_ca = "tls/ca.pem"            # each caller needs a certificate of this authority

[database]
# Without url: SQLite in the storage folder. For several servers:
# url = "postgresql+psycopg://pecete@db.example/pecete"
# password = { file = "/run/secrets/database" }

[storage]
directory = "data"

[journal]
key = "journal.key"                 # Ed25519; signs the journal's checkpoints. Keep a copy elsewhere.
origin = "localhost/pecete-journal" # name of this journal in its checkpoints; never change it
checkpoint_seconds = 60

[documents]
maximum_bytes = 1073741824
expire_after_hours = 720            # how long a document is kept that no dossier holds

# One table for each PKCS#11 token. Secrets are named by where they are, never given here.
# [[tokens]]
# name = "seal"
# module = "/usr/lib/softhsm/libsofthsm2.so"
# token_label = "town-hall"
# pin = { env = "SEAL_PIN" }        # without it the PIN comes with each call
# allowed = ["principals/registry"] # who may sign with it

# The time-stamping authority of this server, over gRPC and HTTP, and those of others.
# [timestamping]
# listen = "127.0.0.1:7318"
# certificate = "tsa.pem"           # PEM; its key is in the token
# token = "tsa"
# policy = "1.3.6.1.4.1.99999.1"
# [timestamping.external]
# url = "https://tsa.example/"
# trust = ["tsa-root.pem"]

# [validation]
# trust = ["root.pem"]              # what signatures must lead to
# crl = []
# revocation = "required"

# The trusted lists of the European Union: which authorities are qualified (docs/operations.md).
# [trusted_lists]
# official_journal = ["official-journal.pem"]   # certificates from the Official Journal
# official_journal_url = "https://eur-lex.europa.eu/..."   # where it publishes them
"""


def init(directory: Path, hosts: tuple[str, ...] = ()) -> list[Path]:
    """Make the folder of a new server and give the files made, the configuration last.

    Makes a local authority, the server's certificate, the administrator's credentials (a folder for the
    client), the journal's key, the database at its newest revision with the administrator enrolled, and the
    configuration. hosts: further host names and addresses of the server.

    Raises AlreadyExistsError ALREADY_INITIALISED with the path as metadata, InvalidArgumentError
    DIRECTORY_UNUSABLE.
    """
    now = utc_now()
    authority = make_authority("Pecete local authority", now)
    server = make_server_certificate(authority, (*_LOCAL_HOSTS, *hosts), now)
    administrator = make_client_certificate(authority, ADMINISTRATOR, now)
    journal_key = Ed25519PrivateKey.generate()
    files = {
        "tls/ca.pem": (authority.certificate_pem, _PUBLIC),
        "tls/ca.key": (authority.key_pem, _PRIVATE),
        "tls/server.pem": (server.certificate_pem, _PUBLIC),
        "tls/server.key": (server.key_pem, _PRIVATE),
        f"{CREDENTIALS}/{CA_FILE}": (authority.certificate_pem, _PUBLIC),
        f"{CREDENTIALS}/{CERTIFICATE_FILE}": (administrator.certificate_pem, _PUBLIC),
        f"{CREDENTIALS}/{KEY_FILE}": (administrator.key_pem, _PRIVATE),
        "journal.key": (_private_pem(journal_key), _PRIVATE),
        "journal.pub.pem": (_public_pem(journal_key), _PUBLIC),
        "pecete.toml": (CONFIGURATION.encode("utf-8"), _PUBLIC),
    }
    _refuse_existing(directory, [*files, "data"])
    try:
        (directory / "data").mkdir(mode=0o700, parents=True)
        for folder in ("tls", CREDENTIALS):
            (directory / folder).mkdir(exist_ok=True)
        for name, (content, mode) in files.items():
            _write(directory / name, content, mode)
    except OSError as error:
        raise InvalidArgumentError(
            "DIRECTORY_UNUSABLE", f"The folder cannot be made: {error.strerror}.", field="directory"
        ) from error
    _make_database(directory / "pecete.toml", administrator.certificate, now)
    return [directory / name for name in files]


def enrol_administrator(
    connection: Connection, journal: Journal, certificate: x509.Certificate, now: datetime
) -> None:
    """Make the administrator, with every role, known by this client certificate."""
    act = Act(ACTOR, "", microseconds(now))
    identity.add(connection, journal, act, ADMINISTRATOR, Role)
    identity.add_certificate(connection, journal, act, ADMINISTRATOR, certificate)


def _make_database(configuration: Path, certificate: x509.Certificate, now: datetime) -> None:
    database = Database(load(configuration, {}).database_url())
    try:
        upgrade(database)
        with database.begin() as connection:
            enrol_administrator(connection, Journal(lambda: now), certificate, now)
    finally:
        database.close()


def _refuse_existing(directory: Path, names: list[str]) -> None:
    for name in names:
        path = directory / name
        if path.exists() or path.is_symlink():
            raise AlreadyExistsError(
                "ALREADY_INITIALISED",
                f"{path} exists; nothing is overwritten.",
                field="directory",
                metadata={"path": str(path)},
            )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Make a file that was not there; a private one is never readable by others, not even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    """What the city hall publishes, so that anybody can check the journal's checkpoints."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
