"""Dossiers: a document on its way through the steps of a procedure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_

from pecete.errors import InvalidArgumentError, NotFoundError
from workflow.creation import first_answer, new_row, request_reused, write_row
from workflow.journal import Act, Journal
from workflow.names import DOCUMENTS, DOSSIERS, PERSONS, PROCEDURES, check_text, id_of, step_name
from workflow.organisation import get_person
from workflow.procedure import Procedure, get_procedure
from workflow.state import Chain, ChainStep, DossierState, StepState
from workflow.tables import dossier_steps, dossiers, row_of

_UNSIGNED = {column.name: None for column in dossier_steps.columns if column.nullable}
"""The columns of a step that say how it was signed, as they are before."""


@dataclass(frozen=True)
class Assignment:
    """Binds a post of the procedure to a person, `persons/{id}`."""

    post: str
    person: str


@dataclass(frozen=True)
class StepSignature:
    """What is known of the signature of a step.

    signing_key: `signingKeys/{id}`.
    certificate_sha256: fingerprint of the certificate it was made with, 32 octets.
    field_name: the PDF's signature field.
    level: the level that was reached, such as `PAdES-B-T`.
    claimed_time: its signing-time attribute, microseconds UTC.
    timestamp_token: TimeStampToken over the signature (RFC 3161), DER; empty where it has none.
    """

    signing_key: str
    certificate_sha256: bytes
    field_name: str
    level: str
    claimed_time: int
    timestamp_token: bytes


@dataclass(frozen=True)
class DossierStep:
    """One step. `sign_time` (microseconds UTC) and `signature` are None until it is signed."""

    dossier_id: str
    number: int
    post: str
    capacity: str
    person: str
    state: StepState
    sign_time: int | None
    signature: StepSignature | None

    @property
    def name(self) -> str:
        """Resource name."""
        return step_name(self.dossier_id, self.number)


@dataclass(frozen=True)
class Dossier:
    """A dossier as it stands. `document` holds all signatures so far. Times in microseconds UTC."""

    id: str
    display_name: str
    procedure: str
    document: str
    steps: tuple[DossierStep, ...]
    create_time: int
    update_time: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"{DOSSIERS}/{self.id}"

    @property
    def chain(self) -> Chain:
        """The dossier as the state machine sees it."""
        return Chain(tuple(ChainStep(step.person, step.signature is not None) for step in self.steps))

    @property
    def state(self) -> DossierState:
        """Whether every step is signed."""
        return self.chain.state


def create_dossier(
    connection: Connection,
    journal: Journal,
    act: Act,
    *,
    display_name: str,
    procedure: str,
    document: str,
    assignments: Sequence[Assignment],
    dossier_id: str = "",
) -> Dossier:
    """Open a dossier; a request id that was used for the same before gets that dossier as it is now.

    The caller has made sure that `document` exists and can be signed.
    Raises InvalidArgumentError TEXT_INVALID, NAME_INVALID, ID_INVALID, POST_UNKNOWN, ASSIGNMENT_MISSING or
    ASSIGNMENT_REPEATED, NotFoundError PROCEDURE_NOT_FOUND or PERSON_NOT_FOUND, AlreadyExistsError ID_TAKEN or
    REQUEST_ID_REUSED, AbortedError CREATED_MEANWHILE.
    """
    id_of(document, DOCUMENTS, "document")
    template = get_procedure(connection, procedure, "procedure")
    holders = _check_assignments(connection, template, assignments)
    wanted: dict[str, object] = {
        "display_name": check_text(display_name, "display_name"),
        "procedure": template.id,
        "original_document": document,
    }
    earlier = first_answer(connection, dossiers, act, dossier_id, wanted)
    if earlier is not None:
        opened = get_dossier(connection, f"{DOSSIERS}/{earlier['id']}")
        if any(step.person != f"{PERSONS}/{holders[step.post]}" for step in opened.steps):
            raise request_reused()
        return opened
    row = new_row(connection, dossiers, act, dossier_id, "dossier_id", wanted)
    row |= {"document": document, "update_time": act.time}
    write_row(connection, journal, act, "dossier.create", dossiers, row)
    for number, step in enumerate(template.steps, 1):
        bound = {"post": step.post, "capacity": step.capacity, "person": holders[step.post]}
        step_row = {"dossier": row["id"], "number": number, **bound, **_UNSIGNED}
        write_row(connection, journal, act, "step.create", dossier_steps, step_row)
    return get_dossier(connection, f"{DOSSIERS}/{row['id']}")


def get_dossier(connection: Connection, name: str, field: str = "name") -> Dossier:
    """Give the dossier of this resource name, which stands in the request's `field`.

    Raises InvalidArgumentError NAME_INVALID, NotFoundError DOSSIER_NOT_FOUND.
    """
    row = row_of(connection, dossiers, id_of(name, DOSSIERS, field))
    if row is None:
        raise NotFoundError("DOSSIER_NOT_FOUND", "There is no such dossier.", field=field)
    return _with_steps(connection, [row])[0]


def list_dossiers(connection: Connection, *, limit: int, after: Dossier | None = None) -> list[Dossier]:
    """Give at most `limit` dossiers, newest first, beginning behind `after` in this order."""
    query: Select[Any] = select(dossiers).order_by(dossiers.c.create_time.desc(), dossiers.c.id.desc())
    if after is not None:
        query = query.where(tuple_(dossiers.c.create_time, dossiers.c.id) < (after.create_time, after.id))
    return _with_steps(connection, [dict(row) for row in connection.execute(query.limit(limit)).mappings()])


def held_documents(connection: Connection, document: str = "") -> Iterator[tuple[str, str]]:
    """Give each dossier's name and the name of the document that must stay because of it.

    document: the one to ask for; "": all.
    """
    query = select(dossiers.c.id, dossiers.c.document)
    if document:
        query = query.where(dossiers.c.document == document)
    for row in connection.execute(query):
        yield f"{DOSSIERS}/{row.id}", row.document


def _check_assignments(
    connection: Connection, procedure: Procedure, assignments: Sequence[Assignment]
) -> dict[str, str]:
    """Give the id of the person for each post of the procedure."""
    posts = {step.post for step in procedure.steps}
    holders: dict[str, str] = {}
    for index, assignment in enumerate(assignments):
        field = f"assignments[{index}]"
        if assignment.post not in posts:
            raise InvalidArgumentError(
                "POST_UNKNOWN", "The procedure has no such post.", field=f"{field}.post"
            )
        if assignment.post in holders:
            raise InvalidArgumentError(
                "ASSIGNMENT_REPEATED", "A post is bound to one person.", field=f"{field}.post"
            )
        holders[assignment.post] = get_person(connection, assignment.person, f"{field}.person").id
    if missing := sorted(posts - set(holders)):
        raise InvalidArgumentError(
            "ASSIGNMENT_MISSING",
            "Every post of the procedure is bound to a person.",
            field="assignments",
            metadata={"posts": ",".join(missing)},
        )
    return holders


def _with_steps(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Dossier]:
    query = (
        select(dossier_steps)
        .where(dossier_steps.c.dossier.in_([row["id"] for row in rows]))
        .order_by(dossier_steps.c.dossier, dossier_steps.c.number)
    )
    steps: dict[str, list[Mapping[str, Any]]] = {row["id"]: [] for row in rows}
    for step in map(dict, connection.execute(query).mappings()):
        steps[step["dossier"]].append(step)
    return [_dossier(row, steps[row["id"]]) for row in rows]


def _dossier(row: Mapping[str, Any], step_rows: Sequence[Mapping[str, Any]]) -> Dossier:
    chain = Chain(tuple(ChainStep(step["person"], step["sign_time"] is not None) for step in step_rows))
    return Dossier(
        id=row["id"],
        display_name=row["display_name"],
        procedure=f"{PROCEDURES}/{row['procedure']}",
        document=row["document"],
        steps=tuple(_step(step, chain.step_state(step["number"])) for step in step_rows),
        create_time=row["create_time"],
        update_time=row["update_time"],
    )


def _step(row: Mapping[str, Any], state: StepState) -> DossierStep:
    signature = None
    if state is StepState.SIGNED:
        signature = StepSignature(
            signing_key=row["signing_key"],
            certificate_sha256=bytes(row["certificate_sha256"]),
            field_name=row["field_name"],
            level=row["level"],
            claimed_time=row["claimed_time"],
            timestamp_token=bytes(row["timestamp_token"]),
        )
    return DossierStep(
        dossier_id=row["dossier"],
        number=row["number"],
        post=row["post"],
        capacity=row["capacity"],
        person=f"{PERSONS}/{row['person']}",
        state=state,
        sign_time=row["sign_time"],
        signature=signature,
    )
