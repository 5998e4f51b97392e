"""Procedures: templates of signature steps in order, each bound to a post."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from pecete.errors import InvalidArgumentError, NotFoundError
from signer.pades.options import Certification, Lock
from workflow.creation import first_answer, new_row, write_row
from workflow.journal import Act, Journal
from workflow.names import PROCEDURES, check_id, check_text, id_of
from workflow.tables import procedures, row_of

STEPS_MAXIMUM = 8
CAPACITY_MAXIMUM = 100


USUAL_LOCK = Lock.FIELDS
"""What a signature locks where a procedure does not say it."""


@dataclass(frozen=True)
class ProcedureStep:
    """One signature: the post that gives it, such as `mayor`, and the capacity shown beside it, „Primar”.

    certification: what it certifies where it is the document's first signature; None: it approves.
    lock: what it locks.
    """

    post: str
    capacity: str
    certification: Certification | None = None
    lock: Lock | None = USUAL_LOCK


def usual_certification(index: int, count: int) -> Certification | None:
    """What step `index` (from 0) of `count` certifies where a procedure does not say it.

    The first of several guards what the others sign; a single one has nobody to guard it for, and a document
    that is not certified still takes visible signatures elsewhere.
    """
    return Certification.FORM_FILLING if index == 0 and count > 1 else None


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

    Raises InvalidArgumentError TEXT_INVALID, STEPS_INVALID, CERTIFICATION_INVALID, SIGNATURE_LOCK_INVALID or
    ID_INVALID, AlreadyExistsError ID_TAKEN or REQUEST_ID_REUSED, AbortedError CREATED_MEANWHILE.
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


def _check_steps(steps: Sequence[ProcedureStep]) -> list[list[str | int | None]]:
    if not 1 <= len(steps) <= STEPS_MAXIMUM:
        raise InvalidArgumentError(
            "STEPS_INVALID", f"A procedure has 1 to {STEPS_MAXIMUM} steps.", field="procedure.steps"
        )
    return [
        [
            check_id(step.post, f"procedure.steps[{index}].post"),
            check_text(step.capacity, f"procedure.steps[{index}].capacity", CAPACITY_MAXIMUM),
            _check_certification(step, index, len(steps)),
            _check_lock(step, index, len(steps)),
        ]
        for index, step in enumerate(steps)
    ]


def _check_certification(step: ProcedureStep, index: int, count: int) -> int | None:
    if step.certification is None:
        return None
    if index or (step.certification is Certification.NO_CHANGES and count > 1):
        raise InvalidArgumentError(
            "CERTIFICATION_INVALID",
            "Only the first step certifies, and it forbids all changes only where no other step follows.",
            field=f"procedure.steps[{index}].certification",
        )
    return step.certification.value


def _check_lock(step: ProcedureStep, index: int, count: int) -> str | None:
    if step.lock is Lock.DOCUMENT and (index + 1 < count or step.certification is not None):
        raise InvalidArgumentError(
            "SIGNATURE_LOCK_INVALID",
            "Only the last step locks the document, and not together with a certification.",
            field=f"procedure.steps[{index}].lock",
        )
    return step.lock


def _procedure(row: Mapping[str, Any]) -> Procedure:
    return Procedure(
        id=row["id"],
        display_name=row["display_name"],
        steps=tuple(_steps(json.loads(row["steps"]))),
        create_time=row["create_time"],
    )


def _steps(kept: Sequence[Sequence[Any]]) -> Iterator[ProcedureStep]:
    """Read steps; those of older procedures do not say what they certify and lock, and are as usual."""
    for index, (post, capacity, *said) in enumerate(kept):
        certification, lock = said or (usual_certification(index, len(kept)), USUAL_LOCK)
        yield ProcedureStep(
            post,
            capacity,
            None if certification is None else Certification(certification),
            None if lock is None else Lock(lock),
        )
