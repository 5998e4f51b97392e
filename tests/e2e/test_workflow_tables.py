"""The workflow's tables on SQLite and PostgreSQL: a chain of two over transactions, and races."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, create_engine

from pecete.errors import AbortedError, AlreadyExistsError
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
from workflow.organisation import Person, create_person
from workflow.procedure import ProcedureStep, create_procedure
from workflow.state import DossierState, StepState
from workflow.step_signing import StepAuthorisation, authorise_step, complete_step
from workflow.tables import METADATA, journalled_rows

pytestmark = pytest.mark.e2e

TIME = 1_790_000_000_000_000
CLERK = Act("principals/clerk", "", TIME)


class HookedJournal:
    """Keeps each resource's last row; `meanwhile` runs once, between a function's checks and its writes."""

    def __init__(self) -> None:
        self.rows: dict[str, Mapping[str, object] | None] = {}
        self.meanwhile: Callable[[], object] | None = None

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
        hook, self.meanwhile = self.meanwhile, None
        if hook is not None:
            hook()
        self.rows[resource] = None if row is None else dict(row)
        return len(self.rows) - 1


@pytest.fixture
def journal() -> HookedJournal:
    return HookedJournal()


@pytest.fixture
def engine(database_url: str, journal: HookedJournal) -> Iterator[Engine]:
    """A database with two persons, a procedure and a dossier."""
    engine = create_engine(database_url)
    fill(engine, journal)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_database_url: str, journal: HookedJournal) -> Iterator[Engine]:
    """The same on PostgreSQL alone: there two transactions write at once."""
    engine = create_engine(postgres_database_url)
    fill(engine, journal)
    yield engine
    engine.dispose()


def enrol(connection: Connection, journal: HookedJournal, person_id: str, *, act: Act = CLERK) -> Person:
    return create_person(
        connection,
        journal,
        act,
        display_name=person_id.title(),
        principal=f"principals/{person_id}",
        certificate_sha256=[certificate_of(person_id)],
        person_id=person_id,
    )


def certificate_of(person_id: str) -> bytes:
    return person_id[:1].encode() * 32


def fill(engine: Engine, journal: HookedJournal) -> None:
    METADATA.create_all(engine)
    with engine.begin() as connection:
        enrol(connection, journal, "mayor")
        enrol(connection, journal, "secretary")
        create_procedure(
            connection,
            journal,
            CLERK,
            display_name="Dispoziție",
            steps=[
                ProcedureStep("mayor", "Primar"),
                ProcedureStep("secretary-general", "Secretar general"),
            ],
            procedure_id="dispozitie",
        )
        open_dossier(connection, journal, "d87")


def open_dossier(
    connection: Connection, journal: HookedJournal, dossier_id: str, *, act: Act = CLERK
) -> Dossier:
    return create_dossier(
        connection,
        journal,
        act,
        display_name="Dispoziția nr. 87 — Țară, Știință",
        procedure="procedures/dispozitie",
        document=f"documents/{dossier_id}",
        assignments=[
            Assignment("mayor", "persons/mayor"),
            Assignment("secretary-general", "persons/secretary"),
        ],
        dossier_id=dossier_id,
    )


def leave_for(connection: Connection, step: str, person_id: str) -> StepAuthorisation:
    return authorise_step(
        connection, step, principal=f"principals/{person_id}", certificate_sha256=certificate_of(person_id)
    )


def complete(
    connection: Connection,
    journal: HookedJournal,
    leave: StepAuthorisation,
    document: str,
    *,
    request_id: str = "",
) -> Dossier:
    person_id = leave.person.removeprefix("persons/")
    return complete_step(
        connection,
        journal,
        Act(f"principals/{person_id}", request_id, TIME + leave.number),
        leave,
        document=document,
        document_sha256=b"d" * 32,
        signature=StepSignature(
            signing_key=f"signingKeys/{person_id}",
            certificate_sha256=certificate_of(person_id),
            field_name="Semnătura",
            level="PAdES-B-T",
            claimed_time=TIME,
            timestamp_token=bytes(range(256)),
        ),
    )


def test_a_chain_of_two_over_transactions(engine: Engine, journal: HookedJournal) -> None:
    for number, person_id in enumerate(("mayor", "secretary"), 1):
        with engine.begin() as connection:
            leave = leave_for(connection, f"dossiers/d87/steps/{number}", person_id)
        with engine.begin() as connection:
            complete(connection, journal, leave, f"documents/signed-{number}", request_id="r1")
    with engine.begin() as connection:
        dossier = get_dossier(connection, "dossiers/d87")
        assert dossier.state is DossierState.SIGNED
        assert dossier.display_name == "Dispoziția nr. 87 — Țară, Știință"
        assert [step.sign_time for step in dossier.steps] == [TIME + 1, TIME + 2]
        signature = dossier.steps[1].signature
        assert signature is not None
        assert signature.timestamp_token == bytes(range(256))
        assert list_dossiers(connection, limit=5) == [dossier]
        assert list_dossiers(connection, limit=5, after=dossier) == []
        assert list(held_documents(connection)) == [("dossiers/d87", "documents/signed-2")]


def test_rows_read_back_are_those_that_were_journalled(engine: Engine, journal: HookedJournal) -> None:
    with engine.begin() as connection:
        complete(
            connection, journal, leave_for(connection, "dossiers/d87/steps/1", "mayor"), "documents/signed"
        )
    with engine.begin() as connection:
        rows = dict(journalled_rows(connection))
    assert rows == journal.rows
    assert len(rows) == 6
    kinds = {type(value) for row in rows.values() for value in row.values()}
    assert kinds == {str, int, bytes, type(None)}


def test_nothing_stays_of_a_transaction_that_is_given_up(engine: Engine, journal: HookedJournal) -> None:
    with engine.begin() as connection:
        leave = leave_for(connection, "dossiers/d87/steps/1", "mayor")
    with pytest.raises(AbortedError), engine.begin() as connection:
        complete(connection, journal, leave, "documents/signed")
        complete(connection, journal, leave, "documents/twin")
    with engine.begin() as connection:
        dossier = get_dossier(connection, "dossiers/d87")
    assert dossier.document == "documents/d87"
    assert dossier.steps[0].state is StepState.DUE


def test_two_signatures_of_one_step_at_once(postgres_engine: Engine, journal: HookedJournal) -> None:
    with postgres_engine.begin() as connection:
        leave = leave_for(connection, "dossiers/d87/steps/1", "mayor")

    def other() -> None:
        with postgres_engine.begin() as connection:
            complete(connection, HookedJournal(), leave, "documents/first")

    journal.meanwhile = other
    with pytest.raises(AbortedError) as caught, postgres_engine.begin() as connection:
        complete(connection, journal, leave, "documents/second")
    assert caught.value.reason == "DOSSIER_CHANGED"
    with postgres_engine.begin() as connection:
        assert get_dossier(connection, "dossiers/d87").document == "documents/first"


def test_one_request_id_for_two_steps_at_once(postgres_engine: Engine, journal: HookedJournal) -> None:
    with postgres_engine.begin() as connection:
        open_dossier(connection, journal, "d88")
        leaves = [leave_for(connection, f"dossiers/{name}/steps/1", "mayor") for name in ("d87", "d88")]

    def other() -> None:
        with postgres_engine.begin() as connection:
            complete(connection, HookedJournal(), leaves[1], "documents/first", request_id="r1")

    journal.meanwhile = other
    with pytest.raises(AbortedError), postgres_engine.begin() as connection:
        complete(connection, journal, leaves[0], "documents/second", request_id="r1")
    with postgres_engine.begin() as connection:
        assert get_dossier(connection, "dossiers/d87").document == "documents/d87"
        assert get_dossier(connection, "dossiers/d88").document == "documents/first"
        with pytest.raises(AlreadyExistsError) as caught:
            complete(connection, journal, leaves[0], "documents/second", request_id="r1")
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_one_creation_asked_for_twice_at_once(postgres_engine: Engine, journal: HookedJournal) -> None:
    act = replace(CLERK, request_id="r1")

    def other() -> None:
        with postgres_engine.begin() as connection:
            enrol(connection, HookedJournal(), "jurist", act=act)

    journal.meanwhile = other
    with pytest.raises(AbortedError) as caught, postgres_engine.begin() as connection:
        enrol(connection, journal, "jurist", act=act)
    assert caught.value.reason == "CREATED_MEANWHILE"
    with postgres_engine.begin() as connection:
        assert enrol(connection, journal, "jurist", act=act).id == "jurist"
