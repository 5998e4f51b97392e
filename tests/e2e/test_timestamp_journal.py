"""Tokens on record in real databases, beside the real journal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, select

from archive.journal import Journal, start_journal
from archive.tables import METADATA as ARCHIVE
from archive.tables import journal as archive_journal
from pecete.errors import AlreadyExistsError
from pecete.evidence.log_proof import parse_entry, row_sha256
from timestamping import journal
from timestamping.authority import IssuedTimestamp
from timestamping.serial import Serials
from timestamping.tables import METADATA

pytestmark = pytest.mark.e2e
NOON = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        ARCHIVE.create_all(connection)
        METADATA.create_all(connection)
        start_journal(connection)
    yield engine
    engine.dispose()


def issued(serial: bytes, minute: int) -> IssuedTimestamp:
    return IssuedTimestamp(
        serial=serial,
        request_digest=bytes(range(32)),
        gen_time=NOON + timedelta(minutes=minute),
        policy="1.2.3",
        client="cn=registratură",
        clock="system",
        request_id=f"r{minute}",
        token=b"\x30\x00\xff" * 400,
    )


def test_every_row_is_the_one_that_was_journalled(engine: Engine) -> None:
    serials, general = Serials(), Journal(lambda: NOON)
    made = [issued(serials.next(), minute) for minute in (2, 0, 1)]
    for token in made:
        with engine.begin() as connection:
            journal.record(connection, general, token)
    with engine.connect() as connection:
        rows = dict(journal.journalled_rows(connection))
        entries = [parse_entry(bytes(entry)) for entry in connection.scalars(select(archive_journal.c.entry))]
        assert journal.latest_gen_time(connection) == NOON + timedelta(minutes=2)
    assert {entry.resource: entry.row_sha256 for entry in entries} == {
        resource: row_sha256(row).hex() for resource, row in rows.items()
    }
    assert rows.keys() == {f"timestamps/{token.serial.hex()}" for token in made}
    assert {entry.act for entry in entries} == {"timestamp.issue"}


def test_a_serial_number_is_taken_once(engine: Engine) -> None:
    general, serial = Journal(lambda: NOON), Serials().next()
    with engine.begin() as connection:
        journal.record(connection, general, issued(serial, 0))
    with pytest.raises(AlreadyExistsError) as refused, engine.begin() as connection:
        journal.record(connection, general, issued(serial, 1))
    assert refused.value.reason == "SERIAL_NUMBER_TAKEN"
    with engine.connect() as connection:
        assert [row["gen_time"] for _, row in journal.journalled_rows(connection)] == [1772366400123000]
        assert len(connection.execute(select(archive_journal)).all()) == 1
