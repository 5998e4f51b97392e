"""Making a resource exactly once: its request id, its own id, its act in the journal and its row."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.exc import IntegrityError

from pecete.errors import AbortedError, AlreadyExistsError
from workflow.journal import Act, Journal
from workflow.names import id_or_new
from workflow.tables import resource_name, row_of


def request_reused() -> AlreadyExistsError:
    """Give the error for a request id that was used for something else."""
    return AlreadyExistsError(
        "REQUEST_ID_REUSED", "The request id was used for another request.", field="request_id"
    )


def first_answer(
    connection: Connection, table: Table, act: Act, identifier: str, wanted: Mapping[str, object]
) -> dict[str, Any] | None:
    """Give the row that the same caller made under the same request id, or None.

    `identifier` is the id the caller wants ("": any) and `wanted` the columns that the request determines.
    Raises AlreadyExistsError REQUEST_ID_REUSED when either differs from what was made.
    """
    if not act.request_id:
        return None
    query = select(table).where(table.c.creator == act.actor, table.c.request_id == act.request_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if identifier not in ("", row["id"]) or any(row[column] != wanted[column] for column in wanted):
        raise request_reused()
    return dict(row)


def new_row(
    connection: Connection, table: Table, act: Act, identifier: str, field: str, wanted: Mapping[str, object]
) -> dict[str, Any]:
    """Give the row of a new resource, not yet written; `field` is the request's field of the id.

    Raises InvalidArgumentError ID_INVALID, AlreadyExistsError ID_TAKEN.
    """
    row_id = id_or_new(identifier, field)
    if row_of(connection, table, row_id) is not None:
        raise AlreadyExistsError("ID_TAKEN", "A resource with this id exists already.", field=field)
    made = {"creator": act.actor, "request_id": act.request_id or None, "create_time": act.time}
    return {"id": row_id, **wanted, **made}


def write_row(
    connection: Connection, journal: Journal, act: Act, kind: str, table: Table, row: Mapping[str, Any]
) -> None:
    """Write a new row and its act of `kind`, such as `person.create`.

    Raises AbortedError CREATED_MEANWHILE when another transaction has taken its id, principal or request id
    since they were looked up: this transaction must be given up, and a retry is told what stands there.
    """
    journal.append(
        connection,
        actor=act.actor,
        act=kind,
        resource=resource_name(table, row),
        request_id=act.request_id,
        digest=None,
        row=row,
    )
    try:
        connection.execute(insert(table).values(row))
    except IntegrityError as error:
        raise AbortedError(
            "CREATED_MEANWHILE", "Another request made it meanwhile; retry to see what stands there."
        ) from error
