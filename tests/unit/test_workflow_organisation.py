"""Persons and procedures, on a database in memory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, create_engine, update

from pecete.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from signer.pades.options import Certification, Lock
from workflow.journal import Act
from workflow.organisation import Person, create_person, get_person
from workflow.procedure import Procedure, ProcedureStep, create_procedure, get_procedure, usual_certification
from workflow.tables import METADATA, journalled_rows, procedures

ACT = Act("principals/clerk", "", 1_790_000_000_000_000)
STEPS = (ProcedureStep("mayor", "Primar"), ProcedureStep("secretary-general", "Secretar general"))


class RecordingJournal:
    """Keeps the acts of a test."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, str]] = []
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
        self.acts.append((actor, act, resource))
        self.rows[resource] = None if row is None else dict(row)
        return len(self.acts) - 1


@pytest.fixture
def journal() -> RecordingJournal:
    return RecordingJournal()


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def enrol(
    connection: Connection,
    journal: RecordingJournal,
    act: Act = ACT,
    *,
    display_name: str = "Ion-Matei Șerbănescu",
    principal: str = "principals/mayor",
    certificates: tuple[bytes, ...] = (b"B" * 32, b"A" * 32),
    person_id: str = "",
) -> Person:
    return create_person(
        connection,
        journal,
        act,
        display_name=display_name,
        principal=principal,
        certificate_sha256=certificates,
        person_id=person_id,
    )


def make(
    connection: Connection,
    journal: RecordingJournal,
    act: Act = ACT,
    *,
    steps: tuple[ProcedureStep, ...] = STEPS,
    procedure_id: str = "",
) -> Procedure:
    return create_procedure(
        connection, journal, act, display_name="Dispoziție", steps=steps, procedure_id=procedure_id
    )


def test_a_person_is_enrolled_and_journalled(connection: Connection, journal: RecordingJournal) -> None:
    person = enrol(connection, journal, person_id="primar")
    assert get_person(connection, "persons/primar") == person
    assert person.certificate_sha256 == (b"A" * 32, b"B" * 32)
    assert person.create_time == ACT.time
    assert journal.acts == [("principals/clerk", "person.create", "persons/primar")]
    assert dict(journalled_rows(connection)) == journal.rows


def test_an_id_is_made_where_none_is_wanted(connection: Connection, journal: RecordingJournal) -> None:
    person = enrol(connection, journal)
    assert len(person.id) == 26
    assert get_person(connection, person.name) == person


def test_a_retry_gets_the_first_answer(connection: Connection, journal: RecordingJournal) -> None:
    act = replace(ACT, request_id="r1")
    first = enrol(connection, journal, act)
    later = replace(act, time=act.time + 5)
    assert enrol(connection, journal, later, certificates=(b"A" * 32, b"B" * 32, b"A" * 32)) == first
    assert enrol(connection, journal, later, person_id=first.id) == first
    assert len(journal.acts) == 1


def test_a_request_id_is_for_one_request(connection: Connection, journal: RecordingJournal) -> None:
    act = replace(ACT, request_id="r1")
    enrol(connection, journal, act)
    make(connection, journal, act)
    for attempt in (
        lambda: enrol(connection, journal, act, display_name="Altcineva"),
        lambda: enrol(connection, journal, act, principal="principals/other"),
        lambda: enrol(connection, journal, act, certificates=(b"A" * 32,)),
        lambda: enrol(connection, journal, act, person_id="alt-id"),
        lambda: make(connection, journal, act, steps=STEPS[::-1]),
    ):
        with pytest.raises(AlreadyExistsError) as caught:
            attempt()
        assert (caught.value.reason, caught.value.field) == ("REQUEST_ID_REUSED", "request_id")
    other = replace(act, actor="principals/other-clerk")
    assert enrol(connection, journal, other, principal="principals/x").principal == "principals/x"


def test_ids_and_principals_are_taken_once(connection: Connection, journal: RecordingJournal) -> None:
    enrol(connection, journal, person_id="primar")
    with pytest.raises(AlreadyExistsError) as caught:
        enrol(connection, journal, person_id="primar", principal="principals/other")
    assert (caught.value.reason, caught.value.field) == ("ID_TAKEN", "person_id")
    with pytest.raises(AlreadyExistsError) as caught:
        enrol(connection, journal)
    assert (caught.value.reason, caught.value.field) == ("PRINCIPAL_TAKEN", "person.principal")
    assert len(journal.acts) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"display_name": ""}, "TEXT_INVALID"),
        ({"principal": ""}, "PRINCIPAL_INVALID"),
        ({"principal": "p" * 256}, "PRINCIPAL_INVALID"),
        ({"principal": "a\nb"}, "PRINCIPAL_INVALID"),
        ({"certificates": ()}, "CERTIFICATE_SHA256_INVALID"),
        ({"certificates": (b"A" * 20,)}, "CERTIFICATE_SHA256_INVALID"),
        ({"person_id": "Primar"}, "ID_INVALID"),
    ],
)
def test_persons_that_are_refused(
    connection: Connection, journal: RecordingJournal, wrong: dict[str, str], reason: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        enrol(connection, journal, **wrong)  # type: ignore[arg-type]
    assert caught.value.reason == reason
    assert caught.value.field
    assert journal.acts == []


def test_a_procedure_keeps_its_steps_in_order(connection: Connection, journal: RecordingJournal) -> None:
    procedure = make(connection, journal, procedure_id="dispozitie")
    assert get_procedure(connection, "procedures/dispozitie") == procedure
    assert procedure.steps == STEPS
    assert journal.acts == [("principals/clerk", "procedure.create", "procedures/dispozitie")]
    assert dict(journalled_rows(connection)) == journal.rows


def test_a_procedure_of_a_retry_is_the_first(connection: Connection, journal: RecordingJournal) -> None:
    act = replace(ACT, request_id="r1")
    assert make(connection, journal, act) == make(connection, journal, act)


@pytest.mark.parametrize(
    ("steps", "reason", "field"),
    [
        ((), "STEPS_INVALID", "procedure.steps"),
        (STEPS[:1] * 9, "STEPS_INVALID", "procedure.steps"),
        ((ProcedureStep("Mayor", "Primar"),), "ID_INVALID", "procedure.steps[0].post"),
        ((STEPS[0], ProcedureStep("mayor", "")), "TEXT_INVALID", "procedure.steps[1].capacity"),
    ],
)
def test_procedures_that_are_refused(
    connection: Connection,
    journal: RecordingJournal,
    steps: tuple[ProcedureStep, ...],
    reason: str,
    field: str,
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make(connection, journal, steps=steps)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_what_is_not_there(connection: Connection) -> None:
    with pytest.raises(NotFoundError) as caught:
        get_person(connection, "persons/nobody")
    assert caught.value.reason == "PERSON_NOT_FOUND"
    with pytest.raises(NotFoundError) as caught:
        get_procedure(connection, "procedures/none", "procedure")
    assert (caught.value.reason, caught.value.field) == ("PROCEDURE_NOT_FOUND", "procedure")


def test_the_first_of_several_certifies_and_each_locks_where_nothing_is_said() -> None:
    assert usual_certification(0, 2) is Certification.FORM_FILLING
    assert usual_certification(1, 2) is usual_certification(0, 1) is None
    assert ProcedureStep("mayor", "Primar").lock is Lock.FIELDS


def test_what_steps_certify_and_lock_is_kept(connection: Connection, journal: RecordingJournal) -> None:
    steps = (
        ProcedureStep("clerk", "Referent", Certification.ANNOTATIONS, None),
        ProcedureStep("mayor", "Primar", None, Lock.DOCUMENT),
    )
    made = make(connection, journal, steps=steps)
    assert get_procedure(connection, made.name).steps == steps


def test_steps_of_older_procedures_are_as_usual(connection: Connection, journal: RecordingJournal) -> None:
    made = make(connection, journal)
    kept = json.dumps([[step.post, step.capacity] for step in STEPS])
    connection.execute(update(procedures).values(steps=kept))
    first, second = get_procedure(connection, made.name).steps
    assert (first.certification, first.lock) == (Certification.FORM_FILLING, Lock.FIELDS)
    assert (second.certification, second.lock) == (None, Lock.FIELDS)


@pytest.mark.parametrize(
    ("steps", "reason", "field"),
    [
        ([(None, None), (Certification.FORM_FILLING, None)], "CERTIFICATION_INVALID", "[1].certification"),
        ([(Certification.NO_CHANGES, None), (None, None)], "CERTIFICATION_INVALID", "[0].certification"),
        ([(None, Lock.DOCUMENT), (None, None)], "SIGNATURE_LOCK_INVALID", "[0].lock"),
        ([(Certification.FORM_FILLING, Lock.DOCUMENT)], "SIGNATURE_LOCK_INVALID", "[0].lock"),
    ],
)
def test_steps_that_would_stop_the_later_ones_are_refused(
    connection: Connection,
    journal: RecordingJournal,
    steps: list[tuple[Certification | None, Lock | None]],
    reason: str,
    field: str,
) -> None:
    wanted = tuple(ProcedureStep(f"post-{at}", "Primar", *each) for at, each in enumerate(steps))
    with pytest.raises(InvalidArgumentError) as caught:
        make(connection, journal, steps=wanted)
    assert (caught.value.reason, caught.value.field) == (reason, f"procedure.steps{field}")
