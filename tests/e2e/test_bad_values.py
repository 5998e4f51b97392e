"""Values that cannot be kept or meant: a typed error names the field, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from pecete.client import Client
from pecete.errors import InvalidArgumentError, PeceteError
from pecete.validation.v1 import validation_pb2
from pecete.wire_errors import from_rpc_error
from pecete.workflow.v1.workflow_pb2 import Person, Procedure, ProcedureStep
from server import documents
from server.database import Database
from server.documents import METADATA
from server.trial import SEAL, TrialServer
from tests.e2e.observation import faults, journal

pytestmark = pytest.mark.e2e


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.begin() as connection:
        METADATA.create_all(connection)
    yield database
    database.close()


async def test_what_a_database_cannot_keep_is_the_callers_fault(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    with database.begin() as connection:
        METADATA.create_all(connection)
    with pytest.raises(InvalidArgumentError, match="VALUE_NOT_STORABLE"):
        await database.fetch(documents.get, "documents/a\0b")
    database.close()


async def test_an_error_of_the_database_tells_no_values(database: Database) -> None:
    def write(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO documents (id, display_name) VALUES (:id, :name)"),
            {"id": "a", "name": "1800101221144"},
        )

    with pytest.raises(IntegrityError) as caught:
        await database.run(write)
    assert "1800101221144" not in str(caught.value).partition("DETAIL")[0]


def refusal(error: PeceteError) -> tuple[str, str]:
    return error.reason, error.field


@pytest.mark.parametrize("name", ["x" * 256, "two\nlines", "\0"])
def test_a_name_that_is_no_name_is_refused(department: Client, name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        department.upload(b"bytes", display_name=name)
    assert refusal(caught.value) == ("TEXT_INVALID", "metadata.display_name")


def test_a_time_outside_the_calendar_is_refused(department: Client) -> None:
    document = department.upload(b"%PDF-1.7 not much of one")
    request = validation_pb2.ValidateDocumentRequest(document=document.name)
    request.validation_time.seconds = 10**15
    with pytest.raises(grpc.RpcError) as caught:
        department._stubs.validation.ValidateDocument(request)
    assert refusal(from_rpc_error(caught.value)) == ("VALIDATION_TIME_INVALID", "validation_time")


def test_a_request_id_that_is_too_long_is_refused_everywhere(server: TrialServer) -> None:
    long = "r" * 129
    person = Person(display_name="A", principal="principals/a", certificate_sha256=[bytes(32)])
    procedure = Procedure(display_name="P", steps=[ProcedureStep(post="primar", capacity="Primar")])
    with server.client() as administrator:
        for call in (
            lambda: administrator.create_person(person, request_id=long),
            lambda: administrator.create_procedure(procedure, request_id=long),
            lambda: administrator.upload(b"bytes", request_id=long),
        ):
            with pytest.raises(InvalidArgumentError) as caught:
                call()
            assert refusal(caught.value) == ("REQUEST_ID_TOO_LONG", "request_id")


def uploads(server: TrialServer) -> int:
    return sum(entry.act == "document.upload" for entry in journal(server.trial))


def test_an_inline_document_that_cannot_be_signed_leaves_nothing(
    server: TrialServer, department: Client
) -> None:
    before = uploads(server)
    with pytest.raises(InvalidArgumentError) as caught:
        department.sign(b"This is not a PDF.", server.trial.signing_key(SEAL))
    assert refusal(caught.value) == ("NOT_A_PDF", "document")
    assert uploads(server) == before


def test_judging_an_inline_document_changes_nothing(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    before = uploads(server)
    assert not department.validate(disposition.read_bytes()).signatures
    assert uploads(server) == before


def test_an_inline_document_that_is_signed_is_kept_with_its_signature(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    key = server.trial.signing_key(SEAL)
    answers = [
        department.sign(disposition.read_bytes(), key, level="B-B", request_id="inline") for _ in range(2)
    ]
    assert answers[0] == answers[1]
    acts = [entry.act for entry in journal(server.trial) if entry.request_id == "inline"]
    assert acts == ["document.upload", "signature.create", "key.use"]
    assert faults(server.trial) == []
