"""Keys of persons in the HSM: their identity and PIN alone use them, each use is an act, no PIN is kept."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archive.journal import Journal
from pecete.client import Client
from pecete.errors import FailedPreconditionError, NotFoundError, PeceteError, PermissionDeniedError
from pecete.retry import RetryPolicy
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure, ProcedureStep
from server import identity
from server.authorization import Role
from server.config import load
from server.database import Database
from server.times import microseconds, utc_now
from server.trial import DEPARTMENT, Settings, Trial, TrialServer, make_trial, running_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import count_documents, faults, journal
from workflow.journal import Act

pytestmark = pytest.mark.e2e

MAYOR, SECRETARY = "primar", "secretar-general"
OPERATOR, ALMIGHTY = "sef-it", "atotputernic"
OPERATORS: dict[str, list[Role]] = {
    OPERATOR: [role for role in Role if role is not Role.SIGNER],
    ALMIGHTY: list(Role),
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A city hall with two operators: one with every role but the signer's, and one with that one too."""
    plans = tuple(plan for plan in CITY_HALL if plan.label in (MAYOR, SECRETARY))
    made = make_trial(tmp_path_factory.mktemp("sole"), Settings(plans=plans))
    database = Database(load(made.configuration, made.environment).database_url())
    book, act, tokens = Journal(utc_now), Act("pecete/trial", "", microseconds(utc_now())), {}
    for name, roles in OPERATORS.items():
        with database.begin() as connection:
            identity.add(connection, book, act, f"principals/{name}", roles)
            tokens[name] = identity.add_token(connection, book, act, f"principals/{name}")
    database.close()
    return replace(made, api_tokens={**made.api_tokens, **tokens})


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def server(trial: Trial, log: Path) -> Iterator[TrialServer]:
    with running_server(trial, log) as running:
        yield running


@pytest.fixture(params=list(OPERATORS))
def operator(server: TrialServer, request: pytest.FixtureRequest) -> Iterator[Client]:
    with caller(server, request.param) as client:
        yield client


def caller(server: TrialServer, principal: str) -> Client:
    """Connect a client that tries nothing again."""
    return Client(
        server.addresses["grpc"], server.credentials(principal), retry=RetryPolicy(attempts=1), timeout=120
    )


@pytest.fixture(scope="module")
def dossier(server: TrialServer) -> Dossier:
    """A dossier whose one step is the mayor's."""
    person = Person(
        display_name="Primarul",
        principal=f"principals/{MAYOR}",
        certificate_sha256=[server.trial.certificate_sha256(MAYOR)],
    )
    with server.client() as administrator, server.client(DEPARTMENT) as department:
        administrator.create_person(person, person_id=MAYOR)
        steps = [ProcedureStep(post="primar", capacity="Primar")]
        procedure = administrator.create_procedure(Procedure(display_name="Dispoziție", steps=steps)).name
        sample = Path(__file__).resolve().parent.parent / "samples" / "dispozitia-primarului.pdf"
        return department.create_dossier(sample, procedure, {"primar": f"persons/{MAYOR}"})


def refused(call: Callable[[], object]) -> PeceteError:
    with pytest.raises(PeceteError) as error:
        call()
    return error.value


def test_no_role_and_no_knowledge_of_the_pin_opens_a_persons_key(
    server: TrialServer, operator: Client, dossier: Dossier, disposition: Path
) -> None:
    trial, step = server.trial, f"{dossier.name}/steps/1"
    key, pin = trial.signing_key(MAYOR), trial.pin(MAYOR)
    document = operator.upload(disposition)
    before = count_documents(trial)
    assert list(operator.list_signing_keys()) == []
    calls: list[Callable[[], object]] = [
        lambda: operator.get_signing_key(key),
        lambda: operator.sign(document, key, level="B-B", pin=pin),
        lambda: list(operator.sign_batch([document], key, level="B-B", pin=pin)),
    ]
    for call in calls:
        error = refused(call)
        assert isinstance(error, NotFoundError)
        assert error.reason == "SIGNING_KEY_NOT_FOUND"
    for call_for_step in (
        lambda: operator.sign_step(step, key, level="B-B", pin=pin),
        lambda: list(operator.sign_batch([step], key, level="B-B", pin=pin)),
    ):
        assert isinstance(refused(call_for_step), PermissionDeniedError | NotFoundError)
    assert count_documents(trial) == before
    assert not [entry for entry in journal(trial) if entry.act in ("key.use", "batch.authorize")]


def test_a_session_with_a_persons_certificate_needs_that_persons_key(
    server: TrialServer, operator: Client, dossier: Dossier, disposition: Path
) -> None:
    token = server.trial.provisioned.token(MAYOR)
    step = refused(lambda: operator.prepare_step(f"{dossier.name}/steps/1", token.certificate))
    assert (step.code, step.reason) in {
        ("PERMISSION_DENIED", "ROLE_REQUIRED"),
        ("PERMISSION_DENIED", "WRONG_SIGNER"),
    }
    session = operator.prepare_signature(disposition, token.certificate, level="B-B")
    forged = refused(lambda: operator.complete_signature(session.name, bytes(256)))
    assert forged.reason == "SIGNATURE_VALUE_WRONG"


def test_enrolling_a_person_of_ones_own_with_the_certificate_opens_nothing(
    server: TrialServer, disposition: Path
) -> None:
    trial = server.trial
    person = Person(
        display_name="Nu e primarul",
        principal=f"principals/{ALMIGHTY}",
        certificate_sha256=[trial.certificate_sha256(MAYOR)],
    )
    with caller(server, ALMIGHTY) as almighty:
        impostor = almighty.create_person(person)
        steps = [ProcedureStep(post="primar", capacity="Primar")]
        procedure = almighty.create_procedure(Procedure(display_name="Dispoziție", steps=steps)).name
        own = almighty.create_dossier(disposition, procedure, {"primar": impostor.name})
        key, pin = trial.signing_key(MAYOR), trial.pin(MAYOR)
        error = refused(lambda: almighty.sign_step(f"{own.name}/steps/1", key, pin=pin))
        assert error.reason == "SIGNING_KEY_NOT_FOUND"


def test_another_persons_pin_signs_nothing_and_the_own_one_does(
    server: TrialServer, disposition: Path, dossier: Dossier
) -> None:
    trial = server.trial
    key = trial.signing_key(MAYOR)
    with caller(server, MAYOR) as mayor:
        document = mayor.upload(disposition)
        error = refused(lambda: mayor.sign(document, key, level="B-B", pin=trial.pin(SECRETARY)))
        assert isinstance(error, FailedPreconditionError)
        assert (error.reason, error.field) == ("PIN_INCORRECT", "pin")
        signed = mayor.sign(document, key, level="B-B", pin=trial.pin(MAYOR), request_id="own-1")
        (result,) = mayor.sign_batch([document], key, level="B-B", pin=trial.pin(MAYOR), request_id="own-2")
        assert result.signed is not None
        mayor.sign_step(f"{dossier.name}/steps/1", key, pin=trial.pin(MAYOR), request_id="own-3")
    uses = [entry for entry in journal(trial) if entry.act == "key.use"]
    assert [(entry.actor, entry.resource, entry.request_id) for entry in uses] == [
        (f"principals/{MAYOR}", key, "own-1"),
        (f"principals/{MAYOR}", key, "own-2/0"),
        (f"principals/{MAYOR}", key, "own-3"),
    ]
    assert uses[0].digest == document.sha256.hex()
    assert signed.document.sha256 != document.sha256


def test_a_login_of_one_batch_lets_no_other_call_in(server: TrialServer, disposition: Path) -> None:
    """While a batch holds its login, a call with a wrong PIN must not ride on it."""
    trial, content = server.trial, disposition.read_bytes()
    key = trial.signing_key(SECRETARY)
    with caller(server, SECRETARY) as secretary:
        documents = [secretary.upload(content + b"%% %d\n" % number) for number in range(40)]
        batch = secretary.sign_batch(documents, key, level="B-B", pin=trial.pin(SECRETARY))
        first = next(batch)
        error = refused(lambda: secretary.sign(documents[0], key, level="B-B", pin="00000000"))
        assert error.reason == "PIN_INCORRECT"
        rest = list(batch)
    assert first.signed is not None
    assert [each.error for each in rest if each.error] == []


def test_no_pin_is_found_in_anything_that_the_server_wrote(server: TrialServer, log: Path) -> None:
    """The last test of this module: the server has seen right and wrong PINs in every kind of call."""
    trial = server.trial
    assert faults(trial) == []
    server.process.terminate()
    server.process.wait()
    files = [path for path in [log, *trial.directory.rglob("*")] if path.is_file()]
    assert any(path.suffix == ".db" for path in files) and log.stat().st_size
    for label in (MAYOR, SECRETARY):
        # Not within a longer number, such as a time.
        pin = re.compile(rb"(?<![0-9A-Fa-f])" + trial.pin(label).encode())
        found = [path for path in files if pin.search(path.read_bytes())]
        assert found == []
