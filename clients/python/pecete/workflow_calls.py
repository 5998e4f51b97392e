"""What is asked of the workflow: persons, procedures, dossiers and their steps."""

from collections.abc import Mapping
from typing import TypedDict

from pecete.calls import Call, Listing, ask, level_named, new_request_id
from pecete.signature_statements import commitment_named
from pecete.workflow.v1 import workflow_pb2


class StepOptions(TypedDict, total=False):
    """How a dossier's step is signed: `level`, `pin`, `commitment` and `request_id` as in SigningOptions.

    register_number: such as `12345/14.03.2025`. verification_uri: where a reader verifies the
    document.
    """

    level: str
    pin: str
    register_number: str
    verification_uri: str
    commitment: str
    request_id: str


def create_person(person: workflow_pb2.Person, person_id: str, request_id: str) -> Call[workflow_pb2.Person]:
    """Ask to enrol a person."""
    request = workflow_pb2.CreatePersonRequest(
        person=person, person_id=person_id, request_id=request_id or new_request_id()
    )
    return ask(lambda stubs: stubs.workflow.CreatePerson, request)


def get_person(name: str) -> Call[workflow_pb2.Person]:
    """Ask for a person."""
    return ask(lambda stubs: stubs.workflow.GetPerson, workflow_pb2.GetPersonRequest(name=name))


def create_procedure(
    procedure: workflow_pb2.Procedure, procedure_id: str, request_id: str
) -> Call[workflow_pb2.Procedure]:
    """Ask to make a procedure."""
    request = workflow_pb2.CreateProcedureRequest(
        procedure=procedure, procedure_id=procedure_id, request_id=request_id or new_request_id()
    )
    return ask(lambda stubs: stubs.workflow.CreateProcedure, request)


def get_procedure(name: str) -> Call[workflow_pb2.Procedure]:
    """Ask for a procedure."""
    return ask(lambda stubs: stubs.workflow.GetProcedure, workflow_pb2.GetProcedureRequest(name=name))


def create_dossier(
    document: str,
    procedure: str,
    assignments: Mapping[str, str],
    display_name: str,
    dossier_id: str,
    request_id: str,
) -> Call[workflow_pb2.Dossier]:
    """Ask to open a dossier; `assignments` gives the person of each post."""
    request = workflow_pb2.CreateDossierRequest(
        display_name=display_name,
        procedure=procedure,
        document=document,
        assignments=[workflow_pb2.Assignment(post=post, person=who) for post, who in assignments.items()],
        dossier_id=dossier_id,
        request_id=request_id or new_request_id(),
    )
    return ask(lambda stubs: stubs.workflow.CreateDossier, request)


def get_dossier(name: str) -> Call[workflow_pb2.Dossier]:
    """Ask for a dossier."""
    return ask(lambda stubs: stubs.workflow.GetDossier, workflow_pb2.GetDossierRequest(name=name))


def list_dossiers() -> Listing[workflow_pb2.ListDossiersResponse, workflow_pb2.Dossier]:
    """Ask for all dossiers, newest first."""
    return Listing(
        lambda token: ask(
            lambda stubs: stubs.workflow.ListDossiers, workflow_pb2.ListDossiersRequest(page_token=token)
        ),
        lambda page: page.dossiers,
        lambda page: page.next_page_token,
    )


def sign_step(name: str, signing_key: str, options: StepOptions) -> Call[workflow_pb2.Dossier]:
    """Ask to sign the step that is due. Raises InvalidArgumentError LEVEL_UNKNOWN or COMMITMENT_UNKNOWN."""
    request = workflow_pb2.SignStepRequest(
        name=name,
        signing_key=signing_key,
        level=level_named(options.get("level", "B-T")),
        pin=options.get("pin", ""),
        register_number=options.get("register_number", ""),
        verification_uri=options.get("verification_uri", ""),
        commitment=commitment_named(options.get("commitment", "")),
        request_id=options.get("request_id") or new_request_id(),
    )
    return ask(lambda stubs: stubs.workflow.SignStep, request, once=bool(request.pin))
