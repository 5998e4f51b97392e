"""Procedures: templates of signature steps in order, each bound to a post."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from pecete.errors import InvalidArgumentError, NotFoundError
from workflow.creation import first_answer, new_row, write_row
from workflow.journal import Act, Journal
from workflow.names import PROCEDURES, check_id, check_text, id_of
from workflow.tables import procedures, row_of

STEPS_MAXIMUM = 8
CAPACITY_MAXIMUM = 100


@dataclass(frozen=True)
class ProcedureStep:
    """One signature: the post that gives it, such as `mayor`, and the capacity shown beside it, „Primar”."""

    post: str
    capacity: str


@dataclass(frozen=True)
class Procedure:
    """A template: who signs, in this order. `create_time`: microseconds UTC."""

    id: str
    display_name: str
    steps: tuple[ProcedureStep, ...]
    create_time: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"{PROCEDURES}/{self.id}"


def create_procedure(
    connection: Connection,
    journal: Journal,
    act: Act,
    *,
    display_name: str,
    steps: Sequence[ProcedureStep],
    procedure_id: str = "",
) -> Procedure:
    """Make a procedure; a request id that was used for the same before gets the first answer.

    Raises InvalidArgumentError TEXT_INVALID, STEPS_INVALID or ID_INVALID, AlreadyExistsError ID_TAKEN or
    REQUEST_ID_REUSED, AbortedError CREATED_MEANWHILE.
    """
    wanted: dict[str, object] = {
        "display_name": check_text(display_name, "procedure.display_name"),
        "steps": json.dumps(_check_steps(steps), ensure_ascii=False),
    }
    earlier = first_answer(connection, procedures, act, procedure_id, wanted)
    if earlier is not None:
        return _procedure(earlier)
    row = new_row(connection, procedures, act, procedure_id, "procedure_id", wanted)
    write_row(connection, journal, act, "procedure.create", procedures, row)
    return _procedure(row)


def get_procedure(connection: Connection, name: str, field: str = "name") -> Procedure:
    """Give the procedure of this resource name, which stands in the request's `field`.

    Raises InvalidArgumentError NAME_INVALID, NotFoundError PROCEDURE_NOT_FOUND.
    """
    row = row_of(connection, procedures, id_of(name, PROCEDURES, field))
    if row is None:
        raise NotFoundError("PROCEDURE_NOT_FOUND", "There is no such procedure.", field=field)
    return _procedure(row)


def _check_steps(steps: Sequence[ProcedureStep]) -> list[list[str]]:
    if not 1 <= len(steps) <= STEPS_MAXIMUM:
        raise InvalidArgumentError(
            "STEPS_INVALID", f"A procedure has 1 to {STEPS_MAXIMUM} steps.", field="procedure.steps"
        )
    return [
        [
            check_id(step.post, f"procedure.steps[{index}].post"),
            check_text(step.capacity, f"procedure.steps[{index}].capacity", CAPACITY_MAXIMUM),
        ]
        for index, step in enumerate(steps)
    ]


def _procedure(row: Mapping[str, Any]) -> Procedure:
    return Procedure(
        id=row["id"],
        display_name=row["display_name"],
        steps=tuple(ProcedureStep(post, capacity) for post, capacity in json.loads(row["steps"])),
        create_time=row["create_time"],
    )
