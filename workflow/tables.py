"""Tables of the workflow. Times are microseconds since the epoch, UTC."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    select,
)

from workflow.names import DOSSIERS, PERSONS, PROCEDURES, step_name

METADATA = MetaData()

persons = Table(
    "persons",
    METADATA,
    Column("id", String(63), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("principal", String(255), nullable=False, unique=True),
    Column("certificates", Text, nullable=False),
    Column("creator", String(255), nullable=False),
    Column("request_id", String(128)),
    Column("create_time", BigInteger, nullable=False),
    Index("persons_request", "creator", "request_id", unique=True),
)
"""`certificates`: JSON list of SHA-256 fingerprints in hex, sorted. `request_id`: of the creation, if any."""

procedures = Table(
    "procedures",
    METADATA,
    Column("id", String(63), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Column("creator", String(255), nullable=False),
    Column("request_id", String(128)),
    Column("create_time", BigInteger, nullable=False),
    Index("procedures_request", "creator", "request_id", unique=True),
)
"""`steps`: JSON list of [post, capacity, certification, lock] in the order of signing."""

dossiers = Table(
    "dossiers",
    METADATA,
    Column("id", String(63), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("procedure", String(63), ForeignKey("procedures.id"), nullable=False),
    Column("original_document", String(255), nullable=False),
    Column("document", String(255), nullable=False),
    Column("creator", String(255), nullable=False),
    Column("request_id", String(128)),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Index("dossiers_request", "creator", "request_id", unique=True),
    Index("dossiers_newest", "create_time", "id"),
    Index("dossiers_document", "document"),
)
"""`original_document` is the one it was opened with, `document` the one with all signatures so far."""

dossier_steps = Table(
    "dossier_steps",
    METADATA,
    Column("dossier", String(63), ForeignKey("dossiers.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("post", String(63), nullable=False),
    Column("capacity", Text, nullable=False),
    Column("person", String(63), ForeignKey("persons.id"), nullable=False),
    Column("sign_time", BigInteger),
    Column("principal", String(255)),
    Column("request_id", String(128)),
    Column("certificate_sha256", LargeBinary(32)),
    Column("signing_key", String(255)),
    Column("field_name", Text),
    Column("level", String(32)),
    Column("claimed_time", BigInteger),
    Column("timestamp_token", LargeBinary),
    Index("dossier_steps_request", "principal", "request_id", unique=True),
)
"""From `sign_time` on the columns are NULL until the step is signed; `principal` is who called to sign it.

`claimed_time` is the signing-time attribute of the signature, `sign_time` when the service took it in.
"""

_NAMES: dict[Table, Callable[[Mapping[str, Any]], str]] = {
    persons: lambda row: f"{PERSONS}/{row['id']}",
    procedures: lambda row: f"{PROCEDURES}/{row['id']}",
    dossiers: lambda row: f"{DOSSIERS}/{row['id']}",
    dossier_steps: lambda row: step_name(row["dossier"], row["number"]),
}


def resource_name(table: Table, row: Mapping[str, Any]) -> str:
    """Give the resource name of a row of one of these tables."""
    return _NAMES[table](row)


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give the resource name and the row of everything the workflow keeps, as they were journalled."""
    for table, name in _NAMES.items():
        query = select(table).order_by(*table.primary_key.columns)
        for row in map(dict, connection.execute(query).mappings()):
            yield name(row), row


def row_of(connection: Connection, table: Table, identifier: str) -> dict[str, Any] | None:
    """Give the row with this id, or None."""
    row = connection.execute(select(table).where(table.c.id == identifier)).mappings().first()
    return None if row is None else dict(row)
