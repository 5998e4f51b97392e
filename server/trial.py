"""A whole city hall to try things with: SoftHSM tokens, a test PKI, a configured server in its own process.

The demo, the end-to-end tests and the benchmarks live in it. Nothing in it is fit for real use: its keys lie
in files of the folder.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from archive.journal import Journal
from pecete.client import Client
from pecete.credentials import CERTIFICATE_FILE, Credentials
from pecete.errors import UnavailableError
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.initialise import CREDENTIALS, enrol_administrator, init
from server.migrations import upgrade
from server.times import microseconds, utc_now
from softhsm.pki import Holder, TestPki
from softhsm.provision import CITY_HALL, Provisioned, TokenPlan, provision
from workflow.journal import Act

TIMESTAMPING = TokenPlan("marca-temporala", "p256", Holder("TEST Marcă temporală Pecete"), timestamping=True)
"""The token of the time-stamping authority."""

SEAL = "sigiliu"
"""Label of the seal's token: the department's, its PIN is configured."""

DEPARTMENT = "registratura"
"""The principal of the registry's application."""

ORIGIN = "luncateilor.example/jurnal"
"""Name of the journal in its checkpoints."""

ACTOR = "pecete/trial"
"""Who stands in the journal for the making of the trial."""

_CONFIGURATION = """\
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
{server}
[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
client_ca = "tls/ca.pem"
[database]
{database}
[storage]
directory = "data"
[journal]
key = "journal.key"
origin = "{origin}"
checkpoint_seconds = 1
[documents]
{documents}
[timestamping]
listen = "127.0.0.1:0"
policy = "1.3.6.1.4.1.99999.1.1"
certificate = "{timestamping_certificate}"
token = "{timestamping_token}"
[validation]
trust = ["{root}"]
{validation}
"""

_EACH = """
[[tokens]]
name = "{label}"
module = "{module}"
token_label = "{label}"
workers = {workers}
{users}
"""


@dataclass(frozen=True)
class Settings:
    """What may differ between trials.

    plans: the tokens to make. database_url: of an empty PostgreSQL database; "": SQLite. workers: processes
    for each token. server, documents: lines for these sections of the configuration. validation: likewise;
    "": the PKI's revocation lists. pki: whose certificates the tokens get; None: those of a new one.
    """

    plans: tuple[TokenPlan, ...] = CITY_HALL
    database_url: str = ""
    workers: int = 1
    server: str = ""
    documents: str = ""
    validation: str = ""
    pki: TestPki | None = None


@dataclass(frozen=True)
class Trial:
    """A city hall in a folder: what was provisioned, its configuration, and API tokens by principal's id."""

    directory: Path
    provisioned: Provisioned
    configuration: Path
    api_tokens: Mapping[str, str] = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the server sees the tokens."""
        return {**os.environ, **self.provisioned.environment}

    def pin(self, label: str) -> str:
        """Give the PIN of a token."""
        return self.provisioned.token(label).pin

    def certificate_sha256(self, label: str) -> bytes:
        """Give the SHA-256 of the certificate in a token."""
        return hashlib.sha256(self.provisioned.token(label).certificate).digest()

    def signing_key(self, label: str) -> str:
        """Give the resource name of the key in a token."""
        return f"signingKeys/{self.certificate_sha256(label).hex()}"


@dataclass(frozen=True)
class TrialServer:
    """A running server: its process, and where it listens."""

    trial: Trial
    process: subprocess.Popen[str]
    addresses: Mapping[str, str]

    def credentials(self, principal: str = "") -> Credentials:
        """Give what a principal calls with: its API token, "": only the administrator's certificate."""
        folder = Credentials.from_folder(self.trial.directory / CREDENTIALS)
        token = self.trial.api_tokens[principal] if principal else ""
        return Credentials(folder.ca, folder.certificate, folder.key, token)

    def client(self, principal: str = "") -> Client:
        """Connect as a principal; "": as administrator."""
        return Client(self.addresses["grpc"], self.credentials(principal))

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self.process.wait()


def make_trial(directory: Path, settings: Settings | None = None) -> Trial:
    """Make the folder: tokens, PKI, database, configuration and principals."""
    chosen = settings or Settings()
    provisioned = provision(directory / "softhsm", (*chosen.plans, TIMESTAMPING), pki=chosen.pki)
    house = directory / "house"
    init(house)
    configuration = house / "pecete.toml"
    configuration.write_text(_configuration(directory, provisioned, chosen), encoding="utf-8")
    officials = [plan.label for plan in chosen.plans if plan.label != SEAL]
    database = Database(load(configuration, os.environ).database_url())
    if chosen.database_url:
        _adopt(database, house)
    api_tokens = _enrol(database, [DEPARTMENT, *officials])
    database.close()
    return Trial(house, provisioned, configuration, api_tokens)


def _configuration(directory: Path, provisioned: Provisioned, settings: Settings) -> str:
    timestamping = provisioned.token(TIMESTAMPING.label)
    certificate = directory / "softhsm" / "timestamping.pem"
    chain = (timestamping.certificate, *timestamping.chain[:1])
    certificate.write_bytes(b"".join(map(_pem, chain)))
    lists = ", ".join(f'"{path}"' for path in provisioned.revocation_lists)
    text = _CONFIGURATION.format(
        origin=ORIGIN,
        server=settings.server,
        documents=settings.documents,
        validation=settings.validation or f"crl = [{lists}]",
        database=f'url = "{settings.database_url}"' if settings.database_url else "",
        timestamping_certificate=certificate,
        timestamping_token=TIMESTAMPING.label,
        root=provisioned.root,
    )
    return text + "".join(
        _token(directory, provisioned, each.label, settings.workers) for each in provisioned.tokens
    )


def _token(directory: Path, provisioned: Provisioned, label: str, workers: int) -> str:
    owned = f'owner = "principals/{label}"'
    users = {SEAL: f'allowed = ["principals/{DEPARTMENT}"]', TIMESTAMPING.label: ""}.get(label, owned)
    text = _EACH.format(label=label, module=provisioned.module, workers=workers, users=users)
    if label not in (SEAL, TIMESTAMPING.label):
        return text
    pin = directory / "softhsm" / f"{label}.pin"
    pin.touch(mode=0o600)
    pin.write_text(provisioned.token(label).pin, encoding="ascii")
    return text + f'pin = {{ file = "{pin}" }}\n'


def _pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def _adopt(database: Database, house: Path) -> None:
    """Bring an empty database to where `init` brings its own: newest revision, administrator enrolled."""
    upgrade(database)
    certificate = x509.load_pem_x509_certificate((house / CREDENTIALS / CERTIFICATE_FILE).read_bytes())
    with database.begin() as connection:
        enrol_administrator(connection, Journal(utc_now), certificate, utc_now())


def _enrol(database: Database, names: Sequence[str]) -> dict[str, str]:
    """Make principals with an API token each: the department, and one for each official."""
    journal, tokens = Journal(utc_now), {}
    act = Act(ACTOR, "", microseconds(utc_now()))
    for name in names:
        roles = [Role.DEPARTMENT, Role.ARCHIVIST] if name == DEPARTMENT else [Role.SIGNER]
        with database.begin() as connection:
            identity.add(connection, journal, act, f"principals/{name}", roles)
            tokens[name] = identity.add_token(connection, journal, act, f"principals/{name}")
    return tokens


@contextmanager
def running_server(trial: Trial, log: Path) -> Iterator[TrialServer]:
    """Run the trial's server until the block ends; its log goes to a file. Raises as `start_server`."""
    server = start_server(trial, log)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
        server.process.wait()


def start_server(trial: Trial, log: Path) -> TrialServer:
    """Start the trial's server and give it when it listens. Raises UnavailableError TRIAL_SERVER_FAILED."""
    command = [sys.executable, "-m", "server.cli", "serve", "--config", str(trial.configuration)]
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=trial.environment, stdout=subprocess.PIPE, stderr=out, text=True
        )
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        process.wait()
        raise UnavailableError("TRIAL_SERVER_FAILED", f"The server did not start; {log} says why.")
    return TrialServer(trial, process, json.loads(line)["serving"])
