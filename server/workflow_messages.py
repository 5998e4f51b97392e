"""The workflow's values as messages, and a made signature as the workflow keeps it."""

from collections.abc import Sequence

from pecete.signing.v1 import signing_pb2
from pecete.workflow.v1 import workflow_pb2 as pb
from server.made_signatures import MadeSignature, signature_message
from server.signature_statements import certification, certification_code, lock, lock_code
from server.times import timestamp
from workflow.dossier import Dossier, DossierStep, StepSignature
from workflow.organisation import Person
from workflow.procedure import USUAL_LOCK, Procedure, ProcedureStep, usual_certification
from workflow.state import DossierState, StepState

_STEP_STATES = {
    StepState.WAITING: pb.STEP_STATE_WAITING,
    StepState.DUE: pb.STEP_STATE_DUE,
    StepState.SIGNED: pb.STEP_STATE_SIGNED,
}
_DOSSIER_STATES = {
    DossierState.IN_PROGRESS: pb.Dossier.STATE_IN_PROGRESS,
    DossierState.SIGNED: pb.Dossier.STATE_SIGNED,
}


def person_message(person: Person) -> pb.Person:
    """Give a person as a message."""
    return pb.Person(
        name=person.name,
        display_name=person.display_name,
        principal=person.principal,
        certificate_sha256=person.certificate_sha256,
        create_time=timestamp(person.create_time),
    )


def procedure_message(procedure: Procedure) -> pb.Procedure:
    """Give a procedure as a message."""
    return pb.Procedure(
        name=procedure.name,
        display_name=procedure.display_name,
        steps=map(_procedure_step_message, procedure.steps),
        create_time=timestamp(procedure.create_time),
    )


def _procedure_step_message(step: ProcedureStep) -> pb.ProcedureStep:
    return pb.ProcedureStep(
        post=step.post,
        capacity=step.capacity,
        certification=certification_code(step.certification),
        lock=lock_code(step.lock),
    )


def procedure_steps(messages: Sequence[pb.ProcedureStep]) -> list[ProcedureStep]:
    """Read the steps of a procedure; what is not stated is as usual (`workflow.procedure`).

    Raises InvalidArgumentError CERTIFICATION_UNKNOWN or SIGNATURE_LOCK_UNKNOWN.
    """
    return [
        ProcedureStep(
            step.post,
            step.capacity,
            certification(step.certification, f"procedure.steps[{index}].certification")
            if step.certification
            else usual_certification(index, len(messages)),
            lock(step.lock, f"procedure.steps[{index}].lock") if step.lock else USUAL_LOCK,
        )
        for index, step in enumerate(messages)
    ]


def dossier_message(dossier: Dossier) -> pb.Dossier:
    """Give a dossier with its steps as a message."""
    return pb.Dossier(
        name=dossier.name,
        display_name=dossier.display_name,
        procedure=dossier.procedure,
        document=dossier.document,
        steps=map(_step_message, dossier.steps),
        state=_DOSSIER_STATES[dossier.state],
        create_time=timestamp(dossier.create_time),
        update_time=timestamp(dossier.update_time),
    )


def _step_message(step: DossierStep) -> pb.DossierStep:
    return pb.DossierStep(
        name=step.name,
        post=step.post,
        capacity=step.capacity,
        person=step.person,
        state=_STEP_STATES[step.state],
        sign_time=None if step.sign_time is None else timestamp(step.sign_time),
        signature=None if step.signature is None else _signature_message(step.signature),
    )


def _signature_message(signature: StepSignature) -> signing_pb2.Signature:
    made = MadeSignature(
        field_name=signature.field_name,
        signing_key=signature.signing_key,
        level=signature.level,
        signing_time=signature.claimed_time,
        timestamp_token=signature.timestamp_token,
    )
    return signature_message(made)


def step_signature(made: MadeSignature, certificate_sha256: bytes) -> StepSignature:
    """Give a made signature as the workflow keeps it."""
    return StepSignature(
        certificate_sha256=certificate_sha256,
        signing_key=made.signing_key,
        field_name=made.field_name,
        level=made.level,
        claimed_time=made.signing_time,
        timestamp_token=made.timestamp_token,
    )
