"""A chain of two over the wire: who signs what, with which key, in which order, and once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pikepdf
import pytest

from pecete.client import Client
from pecete.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, PeceteError
from pecete.signing.v1.signing_pb2 import (
    CERTIFICATION_FORM_FILLING,
    CERTIFICATION_NONE,
    SIGNATURE_LOCK_DOCUMENT,
    SIGNATURE_LOCK_FIELDS,
)
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure, ProcedureStep, StepState
from server.trial import TrialServer
from tests.e2e.observation import acts, count_documents, object_path

pytestmark = pytest.mark.e2e

MAYOR, SECRETARY, ACCOUNTANT = "primar", "secretar-general", "contabil"
PERSONS = {MAYOR: f"persons/{MAYOR}", SECRETARY: f"persons/{SECRETARY}"}


@pytest.fixture
def dossier(department: Client, procedure: str, disposition: Path) -> Dossier:
    """A disposition at the beginning of its way."""
    return department.create_dossier(disposition, procedure, PERSONS, display_name="Dispoziția nr. 12")


def sign(server: TrialServer, label: str, dossier: str, number: int, request_id: str = "") -> Dossier:
    """Sign a step as an official, with their own key."""
    key, pin = server.trial.signing_key(label), server.trial.pin(label)
    with server.client(label) as official:
        return official.sign_step(f"{dossier}/steps/{number}", key, pin=pin, request_id=request_id)


def refusal(server: TrialServer, label: str, dossier: str, number: int) -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        sign(server, label, dossier, number)
    return refused.value


def states(dossier: Dossier) -> list[str]:
    return [StepState.Name(step.state).removeprefix("STEP_STATE_") for step in dossier.steps]


def test_the_right_persons_in_the_right_order_sign_the_whole(
    server: TrialServer, department: Client, dossier: Dossier, disposition: Path, tmp_path: Path
) -> None:
    assert (dossier.state, states(dossier)) == (Dossier.STATE_IN_PROGRESS, ["DUE", "WAITING"])
    half = sign(server, MAYOR, dossier.name, 1)
    assert (half.state, states(half)) == (Dossier.STATE_IN_PROGRESS, ["SIGNED", "DUE"])
    whole = sign(server, SECRETARY, dossier.name, 2)
    assert (whole.state, states(whole)) == (Dossier.STATE_SIGNED, ["SIGNED", "SIGNED"])
    assert whole == department.get_dossier(dossier.name)

    department.download(whole.document, tmp_path / "signed.pdf")
    department.download(half.document, tmp_path / "half.pdf")
    signed = (tmp_path / "signed.pdf").read_bytes()
    assert signed.startswith((tmp_path / "half.pdf").read_bytes())
    assert signed.startswith(disposition.read_bytes())
    verdicts = department.validate(whole.document).signatures
    names = [server.trial.provisioned.token(label).plan.holder.common_name for label in (MAYOR, SECRETARY)]
    assert [(verdict.signer, verdict.indication) for verdict in verdicts] == [
        (name, INDICATION_TOTAL_PASSED) for name in names
    ]
    steps = [step.name for step in whole.steps]
    assert [verdict.field for verdict in verdicts] == steps
    assert [step.signature.field_name for step in whole.steps] == steps
    with pikepdf.open(tmp_path / "half.pdf") as pdf:
        made = {str(field.T): field for field in pdf.Root.AcroForm.Fields}
        assert pdf.Root.Perms.DocMDP.objgen == made[steps[0]].V.objgen
        assert pikepdf.Name.V not in made[steps[1]]
        assert [str(name) for name in made[steps[1]].Lock.Fields] == steps


def test_a_procedure_says_what_its_steps_certify_and_lock(
    server: TrialServer, department: Client, procedure: str, disposition: Path
) -> None:
    usual = department.get_procedure(procedure).steps
    assert [step.certification for step in usual] == [CERTIFICATION_FORM_FILLING, CERTIFICATION_NONE]
    assert [step.lock for step in usual] == [SIGNATURE_LOCK_FIELDS] * 2
    steps = [
        ProcedureStep(post=MAYOR, capacity="Primar", certification=CERTIFICATION_NONE),
        ProcedureStep(post=SECRETARY, capacity="Secretar", lock=SIGNATURE_LOCK_DOCUMENT),
    ]
    with server.client() as administrator:
        made = administrator.create_procedure(Procedure(display_name="Contract", steps=steps))
    dossier = department.create_dossier(disposition, made.name, PERSONS, display_name="Contract nr. 4")
    sign(server, MAYOR, dossier.name, 1)
    whole = sign(server, SECRETARY, dossier.name, 2)
    verdicts = department.validate(whole.document).signatures
    assert [verdict.indication for verdict in verdicts] == [INDICATION_TOTAL_PASSED] * 2
    with server.client(MAYOR) as mayor, pytest.raises(FailedPreconditionError, match="DOCUMENT_LOCKED"):
        mayor.sign(whole.document, server.trial.signing_key(MAYOR), pin=server.trial.pin(MAYOR))


def test_every_act_stands_in_the_journal(server: TrialServer, dossier: Dossier) -> None:
    half = sign(server, MAYOR, dossier.name, 1)
    trial = server.trial
    assert acts(trial, dossier.name) == ["dossier.create", "dossier.update"]
    assert acts(trial, half.steps[0].name) == ["step.create", "step.sign"]
    assert acts(trial, half.steps[1].name) == ["step.create"]
    assert acts(trial, half.document) == ["signature.create"]


def test_a_step_out_of_turn_is_refused_and_nothing_is_signed(server: TrialServer, dossier: Dossier) -> None:
    before = count_documents(server.trial)
    refused = refusal(server, SECRETARY, dossier.name, 2)
    assert isinstance(refused, FailedPreconditionError)
    assert (refused.reason, refused.field) == ("STEP_OUT_OF_TURN", "name")
    assert count_documents(server.trial) == before


@pytest.mark.parametrize("other", [SECRETARY, ACCOUNTANT])
def test_a_step_of_another_person_is_refused(server: TrialServer, dossier: Dossier, other: str) -> None:
    refused = refusal(server, other, dossier.name, 1)
    assert (refused.code, refused.reason, refused.field) == ("PERMISSION_DENIED", "WRONG_SIGNER", "name")


def test_a_certificate_that_is_not_the_persons_is_refused(
    server: TrialServer, department: Client, procedure: str, disposition: Path
) -> None:
    with server.client() as administrator:
        person = Person(
            display_name="Contabil cu alt certificat",
            principal=f"principals/{ACCOUNTANT}",
            certificate_sha256=[server.trial.certificate_sha256(MAYOR)],
        )
        other = administrator.create_person(person)
    persons = {**PERSONS, MAYOR: other.name}
    dossier = department.create_dossier(disposition, procedure, persons, display_name="Dispoziția nr. 13")
    refused = refusal(server, ACCOUNTANT, dossier.name, 1)
    assert (refused.code, refused.reason, refused.field) == (
        "PERMISSION_DENIED",
        "WRONG_CERTIFICATE",
        "signing_key",
    )


def test_a_retry_gets_the_first_answer_and_never_a_second_signature(
    server: TrialServer, dossier: Dossier
) -> None:
    first = sign(server, MAYOR, dossier.name, 1, request_id="mayor-signs-once")
    documents = count_documents(server.trial)
    assert sign(server, MAYOR, dossier.name, 1, request_id="mayor-signs-once") == first
    assert count_documents(server.trial) == documents
    again = refusal(server, MAYOR, dossier.name, 1)
    assert isinstance(again, FailedPreconditionError)
    assert (again.reason, again.field) == ("STEP_ALREADY_SIGNED", "name")


def test_of_two_signatures_of_one_step_at_once_one_stands(server: TrialServer, dossier: Dossier) -> None:
    barrier = threading.Barrier(2)

    def sign_at_once(number: int) -> Dossier | PeceteError:
        barrier.wait()
        try:
            return sign(server, MAYOR, dossier.name, 1, request_id=f"{dossier.name} at once {number}")
        except PeceteError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(sign_at_once, range(2)))
    (won,) = (outcome for outcome in outcomes if isinstance(outcome, Dossier))
    (lost,) = (outcome for outcome in outcomes if isinstance(outcome, PeceteError))
    assert lost.reason in ("DOSSIER_CHANGED", "STEP_ALREADY_SIGNED")
    with server.client(MAYOR) as mayor:
        assert mayor.get_dossier(dossier.name) == won
        document = mayor.get_document(won.document)
    assert object_path(server.trial, document.sha256).read_bytes().count(b"/ByteRange") == 1
    assert acts(server.trial, won.steps[0].name) == ["step.create", "step.sign"]


def test_a_dossier_needs_a_pdf_that_is_there(department: Client, procedure: str) -> None:
    with pytest.raises(InvalidArgumentError) as words:
        department.create_dossier(b"words", procedure, PERSONS, display_name="Cuvinte")
    assert (words.value.reason, words.value.field) == ("NOT_A_PDF", "document")
    with pytest.raises(NotFoundError) as missing:
        department.create_dossier("documents/nosuch", procedure, PERSONS, display_name="Nimic")
    assert (missing.value.reason, missing.value.field) == ("DOCUMENT_NOT_FOUND", "document")


def test_a_dossier_needs_a_person_for_each_post(
    department: Client, procedure: str, disposition: Path
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        department.create_dossier(
            disposition, procedure, {MAYOR: PERSONS[MAYOR]}, display_name="Dispoziția nr. 14"
        )
    assert refused.value.field == "assignments"


def test_dossiers_are_listed_newest_first(department: Client, procedure: str, disposition: Path) -> None:
    titles = [f"Dispoziția nr. {number}" for number in (21, 22, 23)]
    for title in titles:
        department.create_dossier(disposition, procedure, PERSONS, display_name=title)
    listed = [dossier.display_name for dossier in department.list_dossiers()]
    assert listed[:3] == titles[::-1]
