"""A signer's desk: tokens of its own, which no server sees, and a city hall that knows their certificates."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from archive.journal import Journal
from pecete.client import Client
from pecete.signing.v1.signature_sessions_pb2 import SignatureSession
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure, ProcedureStep
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.initialise import CREDENTIALS
from server.times import microseconds, utc_now
from server.trial import SEAL, Settings, Trial, TrialServer, make_trial
from softhsm.pki import Holder
from softhsm.provision import CITY_HALL, Provisioned, ProvisionedToken, TokenPlan, provision
from workflow.journal import Act

PECETE = Path(sys.executable).with_name("pecete")
ANA, BARBU, CORINA, DAN = "ana", "barbu", "corina", "dan"
PLANS = (
    TokenPlan(ANA, "p256", Holder("Ana Țepeș", "Arhitect-șef", "Ana", "Țepeș")),
    TokenPlan(BARBU, "rsa3072", Holder("Barbu Știrbei", "Viceprimar", "Barbu", "Știrbei")),
    TokenPlan(CORINA, "rsa2048", Holder("Corina Mureșan", "Consilier", "Corina", "Mureșan")),
    TokenPlan(DAN, "ed25519", Holder("Dan Hașdeu", "Administrator public", "Dan", "Hașdeu")),
)
SEAL_ALONE = tuple(plan for plan in CITY_HALL if plan.label == SEAL)

_SIGN = """
import sys
from pathlib import Path
from pecete.token.device import find_key
module, label, pin = sys.argv[1:]
sys.stdout.buffer.write(find_key(Path(module), token_label=label).sign(sys.stdin.buffer.read(), pin))
"""


@dataclass(frozen=True)
class Desk:
    """Tokens of persons, each by its label, which is also its person's principal."""

    tokens: Provisioned

    def token(self, label: str) -> ProvisionedToken:
        """Give a person's token."""
        return self.tokens.token(label)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the tokens are seen."""
        return {**os.environ, **self.tokens.environment}

    def certificate_sha256(self, label: str) -> bytes:
        """Give the SHA-256 of a person's certificate."""
        return sha256(self.token(label).certificate).digest()

    def sign(self, label: str, message: bytes) -> bytes:
        """Sign with a person's token as the client does, in a process that sees it."""
        command = [sys.executable, "-c", _SIGN, str(self.tokens.module), label, self.token(label).pin]
        done = subprocess.run(command, input=message, capture_output=True, env=self.environment, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def make_desk(folder: Path) -> Desk:
    """Make the tokens, below a certification authority of their own."""
    return Desk(provision(folder / "desk", PLANS))


def make_hall(folder: Path, desk: Desk, *, database_url: str = "") -> Trial:
    """Make a city hall whose server has a seal and no person's token, and trusts the desk's authority."""
    trial = make_trial(folder / "hall", Settings(plans=SEAL_ALONE, database_url=database_url))
    text = trial.configuration.read_text(encoding="utf-8")
    text = text.replace("trust = [", f'trust = ["{desk.tokens.root}", ')
    lists = ", ".join(f'"{path}"' for path in desk.tokens.revocation_lists)
    text = text.replace("crl = [", f"crl = [{lists}, ")
    trial.configuration.write_text(text, encoding="utf-8")
    database = Database(load(trial.configuration, trial.environment).database_url())
    journal, act, tokens = Journal(utc_now), Act("pecete/trial", "", microseconds(utc_now())), {}
    for label in (ANA, BARBU, CORINA, DAN):
        with database.begin() as connection:
            identity.add(connection, journal, act, f"principals/{label}", [Role.SIGNER])
            tokens[label] = identity.add_token(connection, journal, act, f"principals/{label}")
    database.close()
    return replace(trial, api_tokens={**trial.api_tokens, **tokens})


def make_procedure(server: TrialServer, desk: Desk) -> str:
    """Make a procedure in which Ana signs and then Barbu, enrolled with the certificates of their tokens."""
    with server.client() as administrator:
        for label in (ANA, BARBU):
            person = Person(
                display_name=desk.token(label).plan.holder.common_name,
                principal=f"principals/{label}",
                certificate_sha256=[desk.certificate_sha256(label)],
            )
            administrator.create_person(person, person_id=label)
        steps = [ProcedureStep(post=label, capacity=f"Post {label}") for label in (ANA, BARBU)]
        return administrator.create_procedure(Procedure(display_name="Aviz", steps=steps)).name


def make_dossier(department: Client, procedure: str, document: Path) -> Dossier:
    """Open a dossier in which Ana and Barbu sign."""
    persons = {ANA: "persons/ana", BARBU: "persons/barbu"}
    return department.create_dossier(document, procedure, persons, display_name="Aviz nr. 7")


def prepare(client: Client, desk: Desk, label: str, document: str, **options: object) -> SignatureSession:
    """Prepare a signature of a person's."""
    token = desk.token(label)
    return client.prepare_signature(document, token.certificate, chain=token.chain, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Terminal:
    """What a command did: exit code, standard output, and what it showed on the terminal."""

    code: int
    output: str
    shown: str

    @property
    def json(self) -> dict[str, dict[str, str]]:
        """The JSON object that it printed."""
        value: dict[str, dict[str, str]] = json.loads(self.output)
        return value


def sign_at_desk(
    server: TrialServer, desk: Desk, label: str, target: str | Path, *arguments: str | Path, pin: str = ""
) -> Terminal:
    """Run `pecete sign --token` as a person does, who types the PIN on the terminal when asked."""
    token = ("--token", desk.tokens.module, "--token-label", label)
    environment = {**desk.environment, **caller_environment(server, label)}
    return sign_on_terminal((target, *token, *arguments), environment, pin or desk.token(label).pin)


def caller_environment(server: TrialServer, principal: str) -> dict[str, str]:
    """Give the variables under which `pecete` calls a server as a principal."""
    return {
        "PECETE_SERVER": server.addresses["grpc"],
        "PECETE_CREDENTIALS": str(server.trial.directory / CREDENTIALS),
        "PECETE_TOKEN": server.trial.api_tokens[principal],
    }


def sign_on_terminal(arguments: Sequence[str | Path], environment: Mapping[str, str], pin: str) -> Terminal:
    """Run `pecete sign` with these arguments on a terminal, and type the PIN there when it is asked for."""
    command = [str(part) for part in (PECETE, "sign", *arguments)]
    with _terminal() as (terminal, other_side):
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=other_side,
            stdout=subprocess.PIPE,
            stderr=other_side,
            start_new_session=True,
            text=True,
        )
        os.close(other_side)
        shown = b""
        while b"in order to sign: " not in shown and (more := _read(terminal)):
            shown += more
        if b"in order to sign: " in shown:
            os.write(terminal, pin.encode() + b"\n")
        output, _ = process.communicate()
        while more := _read(terminal):
            shown += more
    return Terminal(process.returncode, output, shown.decode())


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    terminal, other_side = pty.openpty()
    try:
        yield terminal, other_side
    finally:
        os.close(terminal)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""  # how a terminal ends whose other side is closed
