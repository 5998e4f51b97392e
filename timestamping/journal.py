"""The durable record of every token, made before the token leaves."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from pecete.errors import AlreadyExistsError
from timestamping.authority import IssuedTimestamp
from timestamping.tables import timestamps

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Journal(Protocol):
    """The part of the general journal that time-stamping needs."""

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
        """Append one act in the caller's transaction and give its leaf index."""


def record(connection: Connection, journal: Journal, issued: IssuedTimestamp) -> int:
    """Record a token and its act `timestamp.issue` in the caller's transaction; give the act's leaf index.

    The token may leave once that transaction is durable. Raises AlreadyExistsError SERIAL_NUMBER_TAKEN, after
    which the transaction must be given up.
    """
    row: dict[str, object] = {
        "serial": issued.serial,
        "request_digest": issued.request_digest,
        "gen_time": (issued.gen_time - _EPOCH) // timedelta(microseconds=1),
        "policy": issued.policy,
        "client": issued.client,
        "clock": issued.clock,
        "token": issued.token,
    }
    leaf_index = journal.append(
        connection,
        actor=issued.client,
        act="timestamp.issue",
        resource=_resource(issued.serial),
        request_id=issued.request_id,
        digest=issued.request_digest,
        row=row,
    )
    try:
        connection.execute(insert(timestamps).values(row))
    except IntegrityError as error:
        raise AlreadyExistsError("SERIAL_NUMBER_TAKEN", "A token with this serial number exists.") from error
    return leaf_index


def latest_gen_time(connection: Connection) -> datetime | None:
    """Give the newest genTime on record, before which no clock of this authority may stand."""
    newest = connection.execute(select(func.max(timestamps.c.gen_time))).scalar()
    return None if newest is None else _EPOCH + timedelta(microseconds=newest)


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each token's resource name and row as it was journalled."""
    query = select(timestamps).order_by(timestamps.c.serial).execution_options(yield_per=1000)
    for row in connection.execute(query).mappings():
        yield _resource(row["serial"]), dict(row)


def _resource(serial: object) -> str:
    """Give a token's resource name, also where somebody put something else than octets into its row."""
    return f"timestamps/{serial.hex() if isinstance(serial, bytes) else repr(serial)}"
