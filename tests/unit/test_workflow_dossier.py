"""Dossiers and the signing of their steps, on a database in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, create_engine

from pecete.errors import (
    AbortedError,
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
    PermissionDeniedError,
)
from workflow.dossier import (
    Assignment,
    Dossier,
    StepSignature,
    create_dossier,
    get_dossier,
    held_documents,
    list_dossiers,
)
from workflow.journal import Act
from workflow.organisation import create_person
from workflow.procedure import ProcedureStep, create_procedure
from workflow.state import DossierState, StepState
from workflow.step_signing import StepAuthorisation, authorise_step, complete_step, recall_step
from workflow.tables import METADATA, journalled_rows

TIME = 1_790_000_000_000_000
CLERK = Act("principals/clerk", "", TIME)
MAYOR = Act("principals/mayor", "", TIME + 10)
SECRETARY = Act("principals/secretary", "", TIME + 20)
MAYOR_CERTIFICATE = b"M" * 32
SECRETARY_CERTIFICATE = b"S" * 32
BOUND = (
    Assignment("mayor", "persons/serbanescu"),
    Assignment("secretary-general", "persons/dumitrescu"),
)
STEP_1 = "dossiers/d87/steps/1"
STEP_2 = "dossiers/d87/steps/2"


class RecordingJournal:
    """Keeps the acts of a test."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, str, bytes | None]] = []
        self.rows: dict[str, Mapping[str, object] | None] = {}

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        act: str,
        resource: str,
        request_id: str,
        digest: bytes | None,
        row: Mapping[str, object] | None,
    ) -> int:
        """Note the act."""
        self.acts.append((actor, act, resource, digest))
        self.rows[resource] = None if row is None else dict(row)
        return len(self.acts) - 1


@pytest.fixture
def journal() -> RecordingJournal:
    return RecordingJournal()


@pytest.fixture
def connection(journal: RecordingJournal) -> Iterator[Connection]:
    """A database with two persons and a procedure of two steps."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for person_id, name, act, certificate in (
            ("serbanescu", "Ion-Matei Șerbănescu", MAYOR, MAYOR_CERTIFICATE),
            ("dumitrescu", "Elena Dumitrescu", SECRETARY, SECRETARY_CERTIFICATE),
        ):
            create_person(
                connection,
                journal,
                CLERK,
                display_name=name,
                principal=act.actor,
                certificate_sha256=[certificate],
                person_id=person_id,
            )
        create_procedure(
            connection,
            journal,
            CLERK,
            display_name="Dispoziție",
            steps=[
                ProcedureStep("mayor", "Primar"),
                ProcedureStep("secretary-general", "Contrasemnează, Secretar general"),
            ],
            procedure_id="dispozitie",
        )
        yield connection
    engine.dispose()


def open_dossier(
    connection: Connection,
    journal: RecordingJournal,
    act: Act = CLERK,
    *,
    display_name: str = "Dispoziția nr. 87",
    procedure: str = "procedures/dispozitie",
    document: str = "documents/original",
    assignments: tuple[Assignment, ...] = BOUND,
    dossier_id: str = "d87",
) -> Dossier:
    return create_dossier(
        connection,
        journal,
        act,
        display_name=display_name,
        procedure=procedure,
        document=document,
        assignments=assignments,
        dossier_id=dossier_id,
    )


def signature_with(certificate: bytes) -> StepSignature:
    return StepSignature(
        signing_key="signingKeys/k",
        certificate_sha256=certificate,
        field_name="Semnatura1",
        level="PAdES-B-T",
        claimed_time=TIME + 5,
        timestamp_token=b"0\x00",
    )


def complete(
    connection: Connection,
    journal: RecordingJournal,
    act: Act,
    leave: StepAuthorisation,
    *,
    document: str,
    certificate: bytes,
) -> Dossier:
    return complete_step(
        connection,
        journal,
        act,
        leave,
        document=document,
        document_sha256=b"d" * 32,
        signature=signature_with(certificate),
    )


def sign(
    connection: Connection,
    journal: RecordingJournal,
    act: Act,
    step: str,
    *,
    document: str,
    certificate: bytes = MAYOR_CERTIFICATE,
) -> Dossier:
    leave = authorise_step(connection, step, principal=act.actor, certificate_sha256=certificate)
    return complete(connection, journal, act, leave, document=document, certificate=certificate)


def test_a_dossier_opens_with_its_first_step_due(connection: Connection, journal: RecordingJournal) -> None:
    before = len(journal.acts)
    dossier = open_dossier(connection, journal)
    assert dossier == get_dossier(connection, "dossiers/d87")
    assert dossier.state is DossierState.IN_PROGRESS
    assert [(s.name, s.post, s.capacity, s.person, s.state) for s in dossier.steps] == [
        (STEP_1, "mayor", "Primar", "persons/serbanescu", StepState.DUE),
        (
            STEP_2,
            "secretary-general",
            "Contrasemnează, Secretar general",
            "persons/dumitrescu",
            StepState.WAITING,
        ),
    ]
    assert [(act, resource) for _, act, resource, _ in journal.acts[before:]] == [
        ("dossier.create", "dossiers/d87"),
        ("step.create", STEP_1),
        ("step.create", STEP_2),
    ]
    assert list(held_documents(connection)) == [("dossiers/d87", "documents/original")]
    assert dict(journalled_rows(connection)) == journal.rows


def test_the_steps_are_signed_in_order(connection: Connection, journal: RecordingJournal) -> None:
    open_dossier(connection, journal)
    leave = authorise_step(connection, STEP_1, principal=MAYOR.actor, certificate_sha256=MAYOR_CERTIFICATE)
    assert (leave.name, leave.dossier, leave.document) == (STEP_1, "dossiers/d87", "documents/original")
    assert (leave.capacity, leave.person_display_name) == ("Primar", "Ion-Matei Șerbănescu")
    half = complete(
        connection, journal, MAYOR, leave, document="documents/one", certificate=MAYOR_CERTIFICATE
    )
    assert (half.document, half.update_time, half.state) == (
        "documents/one",
        MAYOR.time,
        DossierState.IN_PROGRESS,
    )
    assert half.steps[0].signature == signature_with(MAYOR_CERTIFICATE)
    assert half.steps[0].sign_time == MAYOR.time
    assert [step.state for step in half.steps] == [StepState.SIGNED, StepState.DUE]
    whole = sign(
        connection,
        journal,
        SECRETARY,
        STEP_2,
        document="documents/two",
        certificate=SECRETARY_CERTIFICATE,
    )
    assert whole.state is DossierState.SIGNED
    assert list(held_documents(connection)) == [("dossiers/d87", "documents/two")]
    assert journal.acts[-2:] == [
        (SECRETARY.actor, "step.sign", STEP_2, b"d" * 32),
        (SECRETARY.actor, "dossier.update", "dossiers/d87", None),
    ]
    assert dict(journalled_rows(connection)) == journal.rows


@pytest.mark.parametrize(
    ("step", "principal", "certificate", "kind", "reason"),
    [
        (STEP_2, SECRETARY.actor, SECRETARY_CERTIFICATE, FailedPreconditionError, "STEP_OUT_OF_TURN"),
        (STEP_1, SECRETARY.actor, MAYOR_CERTIFICATE, PermissionDeniedError, "WRONG_SIGNER"),
        (STEP_1, CLERK.actor, MAYOR_CERTIFICATE, PermissionDeniedError, "WRONG_SIGNER"),
        (STEP_1, MAYOR.actor, SECRETARY_CERTIFICATE, PermissionDeniedError, "WRONG_CERTIFICATE"),
        ("dossiers/d87/steps/3", MAYOR.actor, MAYOR_CERTIFICATE, NotFoundError, "STEP_NOT_FOUND"),
        ("dossiers/none/steps/1", MAYOR.actor, MAYOR_CERTIFICATE, NotFoundError, "DOSSIER_NOT_FOUND"),
        ("dossiers/d87", MAYOR.actor, MAYOR_CERTIFICATE, InvalidArgumentError, "NAME_INVALID"),
    ],
)
def test_leave_that_is_refused(
    connection: Connection,
    journal: RecordingJournal,
    step: str,
    principal: str,
    certificate: bytes,
    kind: type[PeceteError],
    reason: str,
) -> None:
    open_dossier(connection, journal)
    with pytest.raises(kind) as caught:
        authorise_step(connection, step, principal=principal, certificate_sha256=certificate)
    assert caught.value.reason == reason


def test_a_signed_step_is_not_signed_again(connection: Connection, journal: RecordingJournal) -> None:
    open_dossier(connection, journal)
    sign(connection, journal, MAYOR, STEP_1, document="documents/one")
    with pytest.raises(FailedPreconditionError) as caught:
        authorise_step(connection, STEP_1, principal=MAYOR.actor, certificate_sha256=MAYOR_CERTIFICATE)
    assert caught.value.reason == "STEP_ALREADY_SIGNED"


def test_leave_is_worth_nothing_once_the_dossier_moved(
    connection: Connection, journal: RecordingJournal
) -> None:
    open_dossier(connection, journal)
    leave = authorise_step(connection, STEP_1, principal=MAYOR.actor, certificate_sha256=MAYOR_CERTIFICATE)
    sign(connection, journal, MAYOR, STEP_1, document="documents/one")
    acts = len(journal.acts)
    with pytest.raises(AbortedError) as caught:
        complete(connection, journal, MAYOR, leave, document="documents/twin", certificate=MAYOR_CERTIFICATE)
    assert caught.value.reason == "DOSSIER_CHANGED"
    assert get_dossier(connection, "dossiers/d87").document == "documents/one"
    assert len(journal.acts) == acts


def test_leave_is_for_one_certificate(connection: Connection, journal: RecordingJournal) -> None:
    open_dossier(connection, journal)
    leave = authorise_step(connection, STEP_1, principal=MAYOR.actor, certificate_sha256=MAYOR_CERTIFICATE)
    other = replace(leave, certificate_sha256=b"N" * 32)
    with pytest.raises(PermissionDeniedError) as caught:
        complete(connection, journal, MAYOR, other, document="documents/one", certificate=MAYOR_CERTIFICATE)
    assert caught.value.reason == "WRONG_CERTIFICATE"
    assert get_dossier(connection, "dossiers/d87").steps[0].state is StepState.DUE


@pytest.mark.parametrize(
    ("act", "certificate", "reason"),
    [(SECRETARY, MAYOR_CERTIFICATE, "WRONG_SIGNER"), (MAYOR, SECRETARY_CERTIFICATE, "WRONG_CERTIFICATE")],
)
def test_completion_asks_leave_again(
    connection: Connection, journal: RecordingJournal, act: Act, certificate: bytes, reason: str
) -> None:
    open_dossier(connection, journal)
    leave = authorise_step(connection, STEP_1, principal=MAYOR.actor, certificate_sha256=MAYOR_CERTIFICATE)
    leave = replace(leave, certificate_sha256=certificate)
    with pytest.raises(PermissionDeniedError) as caught:
        complete(connection, journal, act, leave, document="documents/one", certificate=certificate)
    assert caught.value.reason == reason
    assert get_dossier(connection, "dossiers/d87").steps[0].state is StepState.DUE


def test_a_retried_signing_is_recalled(connection: Connection, journal: RecordingJournal) -> None:
    open_dossier(connection, journal)
    act = replace(MAYOR, request_id="r1")
    assert recall_step(connection, act, STEP_1, certificate_sha256=MAYOR_CERTIFICATE) is None
    signed = sign(connection, journal, act, STEP_1, document="documents/one")
    assert recall_step(connection, act, STEP_1, certificate_sha256=MAYOR_CERTIFICATE) == signed
    assert recall_step(connection, MAYOR, STEP_1, certificate_sha256=MAYOR_CERTIFICATE) is None
    other = replace(SECRETARY, request_id="r1")
    assert recall_step(connection, other, STEP_1, certificate_sha256=MAYOR_CERTIFICATE) is None


def test_a_request_id_signs_one_step(connection: Connection, journal: RecordingJournal) -> None:
    open_dossier(connection, journal)
    open_dossier(connection, journal, dossier_id="d88", document="documents/other")
    act = replace(MAYOR, request_id="r1")
    sign(connection, journal, act, STEP_1, document="documents/one")
    with pytest.raises(AlreadyExistsError) as caught:
        recall_step(connection, act, "dossiers/d88/steps/1", certificate_sha256=MAYOR_CERTIFICATE)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    with pytest.raises(AlreadyExistsError):
        recall_step(connection, act, STEP_1, certificate_sha256=b"N" * 32)
    with pytest.raises(AlreadyExistsError) as caught:
        sign(connection, journal, act, "dossiers/d88/steps/1", document="documents/two")
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_a_retried_opening_gets_the_dossier_as_it_is(
    connection: Connection, journal: RecordingJournal
) -> None:
    act = replace(CLERK, request_id="r1")
    open_dossier(connection, journal, act)
    moved = sign(connection, journal, MAYOR, STEP_1, document="documents/one")
    assert open_dossier(connection, journal, act, dossier_id="") == moved
    assert open_dossier(connection, journal, act, assignments=BOUND[::-1]) == moved
    assert len(list_dossiers(connection, limit=10)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"display_name": "Altă dispoziție"},
        {"document": "documents/other"},
        {"dossier_id": "d88"},
        {
            "assignments": (
                Assignment("mayor", "persons/serbanescu"),
                Assignment("secretary-general", "persons/serbanescu"),
            )
        },
    ],
)
def test_a_request_id_opens_one_dossier(
    connection: Connection, journal: RecordingJournal, changed: dict[str, str]
) -> None:
    act = replace(CLERK, request_id="r1")
    open_dossier(connection, journal, act)
    with pytest.raises(AlreadyExistsError) as caught:
        open_dossier(connection, journal, act, **changed)  # type: ignore[arg-type]
    assert caught.value.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("wrong", "reason", "field"),
    [
        ({"display_name": ""}, "TEXT_INVALID", "display_name"),
        ({"document": "records/r"}, "NAME_INVALID", "document"),
        ({"procedure": "procedures/none"}, "PROCEDURE_NOT_FOUND", "procedure"),
        ({"dossier_id": "D"}, "ID_INVALID", "dossier_id"),
        ({"assignments": BOUND[:1]}, "ASSIGNMENT_MISSING", "assignments"),
        ({"assignments": (*BOUND, BOUND[0])}, "ASSIGNMENT_REPEATED", "assignments[2].post"),
        (
            {"assignments": (*BOUND, Assignment("jurist", "persons/serbanescu"))},
            "POST_UNKNOWN",
            "assignments[2].post",
        ),
        (
            {"assignments": (BOUND[0], Assignment("secretary-general", "persons/nobody"))},
            "PERSON_NOT_FOUND",
            "assignments[1].person",
        ),
    ],
)
def test_dossiers_that_are_refused(
    connection: Connection,
    journal: RecordingJournal,
    wrong: dict[str, str],
    reason: str,
    field: str,
) -> None:
    acts = len(journal.acts)
    with pytest.raises(PeceteError) as caught:
        open_dossier(connection, journal, **wrong)  # type: ignore[arg-type]
    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert len(journal.acts) == acts
    assert list_dossiers(connection, limit=10) == []


def test_one_person_may_hold_both_posts(connection: Connection, journal: RecordingJournal) -> None:
    both = tuple(Assignment(bound.post, "persons/serbanescu") for bound in BOUND)
    open_dossier(connection, journal, assignments=both)
    sign(connection, journal, MAYOR, STEP_1, document="documents/one")
    done = sign(connection, journal, MAYOR, STEP_2, document="documents/two")
    assert done.state is DossierState.SIGNED


def test_dossiers_are_listed_newest_first_in_pages(connection: Connection, journal: RecordingJournal) -> None:
    for number, time in enumerate((TIME, TIME + 1, TIME + 1, TIME + 2)):
        open_dossier(connection, journal, replace(CLERK, time=time), dossier_id=f"d{number}")
    first = list_dossiers(connection, limit=2)
    assert [dossier.id for dossier in first] == ["d3", "d2"]
    assert [len(dossier.steps) for dossier in first] == [2, 2]
    rest = list_dossiers(connection, limit=9, after=first[-1])
    assert [dossier.id for dossier in rest] == ["d1", "d0"]
