"""Rows of signature sessions on SQLite and PostgreSQL: used once, remembered a while, removed."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from archive.journal import Journal
from pecete.errors import FailedPreconditionError, NotFoundError
from server import signature_sessions
from server.database import Database
from server.migrations import upgrade
from server.signature_sessions import REMEMBERED, SignatureSession
from server.times import utc_now
from workflow.journal import Act

pytestmark = pytest.mark.e2e

TIME = 1_790_000_000_000_000
KEPT = REMEMBERED // timedelta(microseconds=1)
SESSION = SignatureSession(
    id="s1",
    principal="principals/ana",
    document="documents/d1",
    document_sha256=bytes(32),
    step="",
    certificate=b"certificate",
    chain="[]",
    algorithm="ecdsa_sha256",
    level="B-T",
    signing_time=TIME,
    field_name="Signature1",
    base_length=1 << 33,
    base_digest=bytes(32),
    tail=b"/Contents <00>",
    gap_position=10,
    gap_length=4,
    document_digest=bytes(range(32)),
    signed_attributes=b"\x31\x00",
    preview="{}",
    create_time=TIME,
    expire_time=TIME + 10,
)
JOURNAL = Journal(utc_now)
ANA = Act("principals/ana", "", TIME)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database)
    with database.begin() as connection:
        signature_sessions.add(connection, JOURNAL, ANA, SESSION)
    yield database
    database.close()


def test_a_session_comes_back_as_it_was(database: Database) -> None:
    with database.begin() as connection:
        assert signature_sessions.get(connection, SESSION.name, SESSION.principal) == SESSION
        assert list(signature_sessions.journalled_rows(connection)) == [(SESSION.name, asdict(SESSION))]
        for name, principal in ((SESSION.name, "principals/barbu"), ("documents/s1", SESSION.principal)):
            with pytest.raises(NotFoundError, match="SIGNATURE_SESSION_NOT_FOUND"):
                signature_sessions.get(connection, name, principal)


def test_it_is_completed_once(database: Database) -> None:
    with database.begin() as connection:
        signature_sessions.complete(connection, JOURNAL, ANA, SESSION, "documents/d2")
    with (
        pytest.raises(FailedPreconditionError, match="SIGNATURE_SESSION_COMPLETED"),
        database.begin() as connection,
    ):
        signature_sessions.complete(connection, JOURNAL, ANA, SESSION, "documents/d3")
    with database.begin() as connection:
        now = signature_sessions.get(connection, SESSION.name, SESSION.principal)
    assert now == replace(SESSION, complete_time=TIME, signed_document="documents/d2")
    with pytest.raises(FailedPreconditionError, match="SIGNATURE_SESSION_COMPLETED"):
        now.require_open(TIME)


def test_it_is_open_until_its_time() -> None:
    SESSION.require_open(SESSION.expire_time - 1)
    with pytest.raises(FailedPreconditionError, match="SIGNATURE_SESSION_EXPIRED"):
        SESSION.require_open(SESSION.expire_time)


def test_it_is_remembered_for_a_while_and_removed_once(database: Database) -> None:
    last = SESSION.expire_time + KEPT
    with database.begin() as connection:
        assert signature_sessions.due_for_expiry(connection, last) == []
        signature_sessions.expire(connection, JOURNAL, Act("pecete/background", "", last), SESSION.name)
        assert len(list(signature_sessions.journalled_rows(connection))) == 1
        assert signature_sessions.due_for_expiry(connection, last + 1) == [SESSION.name]
        for _ in range(2):
            act = Act("pecete/background", "", last + 1)
            signature_sessions.expire(connection, JOURNAL, act, SESSION.name)
        assert list(signature_sessions.journalled_rows(connection)) == []
