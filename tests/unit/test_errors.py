"""Errors on the wire: code, reason, field and metadata arrive, and nothing else does."""

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo

from pecete.errors import BY_CODE, DOMAIN, InvalidArgumentError, NotFoundError, PeceteError
from pecete.wire_errors import to_status
from server.errors import unexpected


def detail(error: PeceteError, message: Message) -> bool:
    """Unpack the one detail of the message's kind; False: there is none."""
    found = [packed for packed in to_status(error, "r1").details if packed.Is(message.DESCRIPTOR)]
    return len(found) == 1 and bool(found[0].Unpack(message))


@pytest.mark.parametrize("code", BY_CODE)
def test_each_class_has_its_code(code: str) -> None:
    status = to_status(BY_CODE[code]("REASON", "A sentence."), "r1")
    assert code_pb2.Code.Name(status.code) == code
    assert status.message == "A sentence."


def test_an_error_arrives_whole() -> None:
    error = InvalidArgumentError("DOCUMENT_ENCRYPTED", "Encrypted.", field="document", metadata={"a": "b"})
    info, request, bad = ErrorInfo(), RequestInfo(), BadRequest()
    assert detail(error, info)
    assert (info.reason, info.domain, dict(info.metadata)) == ("DOCUMENT_ENCRYPTED", DOMAIN, {"a": "b"})
    assert detail(error, request)
    assert request.request_id == "r1"
    assert detail(error, bad)
    (violation,) = bad.field_violations
    assert (violation.field, violation.description) == ("document", "Encrypted.")


def test_without_a_field_there_is_no_violation() -> None:
    assert not detail(NotFoundError("DOCUMENT_NOT_FOUND", "No such document."), BadRequest())


def test_of_an_unexpected_fault_only_the_request_id_is_told() -> None:
    info = ErrorInfo()
    assert detail(unexpected("r7"), info)
    assert (info.reason, dict(info.metadata)) == ("INTERNAL_ERROR", {"request_id": "r7"})
