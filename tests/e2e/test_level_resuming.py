"""An authority that is away: no level is lowered, no signature is lost, and no key is used twice for one."""

import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pecete.client import Client
from pecete.errors import PeceteError, UnavailableError
from pecete.retry import RetryPolicy
from pecete.signing.v1.signing_pb2 import SIGNATURE_LEVEL_B_LT, SIGNATURE_LEVEL_B_LTA, SIGNATURE_LEVEL_B_T
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.workflow.v1.workflow_pb2 import (
    STEP_STATE_DUE,
    STEP_STATE_SIGNED,
    Dossier,
    Person,
    Procedure,
    ProcedureStep,
)
from server.trial import DEPARTMENT, SEAL, Trial, TrialServer, running_server
from tests.e2e.desk import ANA, CORINA, Desk, make_desk, make_dossier, make_hall, make_procedure, prepare
from tests.e2e.observation import acts, count_documents, faults, journal

pytestmark = pytest.mark.e2e


class Relay(ThreadingHTTPServer):
    """A time-stamping authority that passes requests on to another one, and can be down."""

    def __init__(self, authority: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.authority = authority  # host:port
        self.down = False


class Passing(BaseHTTPRequestHandler):
    """Passes one request on."""

    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = {"Content-Type": "application/timestamp-query"}
        answer = b""
        if not self.server.down:
            request = urllib.request.Request(f"http://{self.server.authority}/", body, kind)
            with urllib.request.urlopen(request) as response:  # noqa: S310 - a loopback address
                answer = response.read()
        self.send_response(200 if answer else 503)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def relay(server: TrialServer) -> Iterator[Relay]:
    """The way to the authority of the other city hall."""
    with Relay(server.addresses["timestamps"]) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="module")
def hall(
    trial: Trial, relay: Relay, desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrialServer]:
    """A city hall that has its time-stamps through the relay."""
    folder = tmp_path_factory.mktemp("hall")
    made = make_hall(folder, desk)
    port = relay.server_address[1]
    foreign = (
        f'[timestamping.external]\nurl = "http://127.0.0.1:{port}/"\ntrust = ["{trial.provisioned.root}"]\n'
    )
    text = made.configuration.read_text(encoding="utf-8")
    lists = ", ".join(f'"{path}"' for path in trial.provisioned.revocation_lists)
    text = text.replace("trust = [", f'trust = ["{trial.provisioned.root}", ')
    text = text.replace("crl = [", f"crl = [{lists}, ")
    text = re.sub(r"(?s)\[timestamping\].*?(?=\[validation\])", lambda _found: foreign, text)
    text = text.replace(f'"principals/{DEPARTMENT}"', f'"principals/{DEPARTMENT}", "principals/{CORINA}"')
    made.configuration.write_text(text, encoding="utf-8")
    with running_server(made, folder / "server.log") as running:
        yield running


@pytest.fixture
def away(relay: Relay) -> Iterator[Relay]:
    """The authority while it is away, until the test lets it come back."""
    relay.down = True
    yield relay
    relay.down = False


@pytest.fixture
def department(hall: TrialServer) -> Iterator[Client]:
    with once(hall, DEPARTMENT) as client:
        yield client


def once(server: TrialServer, principal: str) -> Client:
    """Connect a client that tries nothing again."""
    return Client(
        server.addresses["grpc"], server.credentials(principal), retry=RetryPolicy(attempts=1), timeout=120
    )


def unreached(call: Callable[[], object]) -> PeceteError:
    """Give the error of a signature that was made and has not reached its level."""
    with pytest.raises(UnavailableError) as refused:
        call()
    assert refused.value.reason == "TIMESTAMP_AUTHORITY_UNREACHABLE"
    assert (refused.value.metadata["reached"], refused.value.metadata["resume"]) == (
        "B-B",
        "AugmentSignature",
    )
    return refused.value


def keys_used(trial: Trial, request_id: str) -> int:
    found = [entry for entry in journal(trial) if entry.request_id == request_id]
    return sum(entry.act == "key.use" for entry in found)


@pytest.mark.parametrize(
    ("level", "code"),
    [("B-T", SIGNATURE_LEVEL_B_T), ("B-LT", SIGNATURE_LEVEL_B_LT), ("B-LTA", SIGNATURE_LEVEL_B_LTA)],
)
def test_the_same_request_goes_on_and_the_key_is_used_once(
    hall: TrialServer, department: Client, disposition: Path, away: Relay, level: str, code: int
) -> None:
    document, key = department.upload(disposition), hall.trial.signing_key(SEAL)
    request_id = f"sign-{level}"

    def sign() -> object:
        return department.sign(document, key, level=level, request_id=request_id)

    first = unreached(sign)
    before = count_documents(hall.trial)
    assert unreached(sign).metadata["document"] == first.metadata["document"]
    assert count_documents(hall.trial) == before
    away.down = False
    made = department.sign(document, key, level=level, request_id=request_id)
    assert made.signature.level == code
    assert made.signature.field_name == first.metadata["field_name"]
    assert department.sign(document, key, level=level, request_id=request_id) == made
    (verdict,) = department.validate(made.document).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED
    assert verdict.level == f"PAdES-BASELINE-{level[2:]}"
    assert keys_used(hall.trial, request_id) == 1
    assert acts(hall.trial, first.metadata["document"]) == ["signature.create"]
    assert acts(hall.trial, made.document.name) == ["signature.augment"]


def test_anybody_goes_on_from_the_document_that_is_named(
    hall: TrialServer, department: Client, disposition: Path, away: Relay
) -> None:
    document = department.upload(disposition)
    named = unreached(
        lambda: department.sign(document, hall.trial.signing_key(SEAL), level="B-LT", request_id="")
    ).metadata
    away.down = False
    raised = department.augment(named["document"], level="B-LT", field_name=named["field_name"])
    (verdict,) = department.validate(raised.document).signatures
    assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-LT")


def test_a_batch_stops_and_goes_on(
    hall: TrialServer, department: Client, disposition: Path, away: Relay
) -> None:
    content = disposition.read_bytes()
    documents = [department.upload(content + b"%% %d\n" % number) for number in range(40)]
    key = hall.trial.signing_key(SEAL)
    results = list(department.sign_batch(documents, key, level="B-T", request_id="batch"))
    reached = {each.index for each in results if each.error and each.error.metadata.get("reached") == "B-B"}
    stopped = {each.index for each in results if each.error and each.error.reason == "BATCH_STOPPED"}
    assert reached and stopped and reached | stopped == set(range(40))
    away.down = False
    again = list(department.sign_batch(documents, key, level="B-T", request_id="batch"))
    assert [each.error for each in again if each.error] == []
    assert {each.signed.signature.level for each in again if each.signed} == {SIGNATURE_LEVEL_B_T}
    used = [entry for entry in journal(hall.trial) if entry.act == "key.use"]
    used = [entry for entry in used if entry.request_id.startswith("batch/")]
    assert len(used) == len({entry.request_id for entry in used}) == 40


@pytest.fixture(scope="module")
def procedure(hall: TrialServer, desk: Desk) -> str:
    return make_procedure(hall, desk)


@pytest.fixture
def dossier(department: Client, procedure: str, disposition: Path) -> Dossier:
    return make_dossier(department, procedure, disposition)


def test_a_dossier_does_not_move_on_at_a_lower_level(
    hall: TrialServer, department: Client, desk: Desk, dossier: Dossier, away: Relay
) -> None:
    token = desk.token(ANA)
    with once(hall, ANA) as ana:
        session = ana.prepare_step(
            f"{dossier.name}/steps/1", token.certificate, chain=token.chain, level="B-LT"
        )
        signature = desk.sign(ANA, session.signed_attributes)

        def complete() -> object:
            return ana.complete_signature(session.name, signature, request_id=f"step of {dossier.name}")

        kept = unreached(complete).metadata["document"]
        assert unreached(complete).metadata["document"] == kept
        assert department.get_dossier(dossier.name).steps[0].state == STEP_STATE_DUE
        assert department.get_dossier(dossier.name).document == dossier.document
        away.down = False
        made = ana.complete_signature(session.name, signature, request_id=f"step of {dossier.name}")
    after = department.get_dossier(dossier.name)
    assert [step.state for step in after.steps] == [STEP_STATE_SIGNED, STEP_STATE_DUE]
    assert after.document == made.document.name
    (verdict,) = department.validate(after.document).signatures
    assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-LT")


def test_a_step_signed_with_a_key_of_the_service_goes_on_too(
    hall: TrialServer, department: Client, disposition: Path, away: Relay
) -> None:
    person = Person(
        display_name="Corina",
        principal=f"principals/{CORINA}",
        certificate_sha256=[hall.trial.certificate_sha256(SEAL)],
    )
    with hall.client() as administrator:
        administrator.create_person(person, person_id="corina-hsm")
        steps = [ProcedureStep(post="arhitect", capacity="Arhitect-șef")]
        procedure = administrator.create_procedure(Procedure(display_name="Aviz", steps=steps)).name
    dossier = department.create_dossier(disposition, procedure, {"arhitect": "persons/corina-hsm"})
    step, key = f"{dossier.name}/steps/1", hall.trial.signing_key(SEAL)
    with once(hall, CORINA) as corina:
        unreached(lambda: corina.sign_step(step, key, level="B-T", request_id="step-1"))
        assert department.get_dossier(dossier.name) == dossier
        away.down = False
        signed = corina.sign_step(step, key, level="B-T", request_id="step-1")
        assert corina.sign_step(step, key, level="B-T", request_id="step-1") == signed
    assert [each.state for each in signed.steps] == [STEP_STATE_SIGNED]
    (verdict,) = department.validate(signed.document).signatures
    assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-T")
    assert keys_used(hall.trial, "step-1") == 1


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_two_phases_end_in_any_level(
    hall: TrialServer, department: Client, desk: Desk, disposition: Path, level: str
) -> None:
    with once(hall, ANA) as ana:
        session = prepare(ana, desk, ANA, ana.upload(disposition).name, level=level)
        made = ana.complete_signature(session.name, desk.sign(ANA, session.signed_attributes))
    (verdict,) = department.validate(made.document).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED
    assert verdict.level == f"PAdES-BASELINE-{level[2:]}"


def test_the_journal_and_the_rows_agree(hall: TrialServer) -> None:
    assert faults(hall.trial) == []
