"""Errors cross the wire whole, and calls without the service's details still end in typed errors."""

import grpc
import pytest
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import (
    BY_CODE,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    PeceteError,
    UnauthenticatedError,
    UnavailableError,
)
from pecete.wire_errors import from_rpc_error, from_status, to_status

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_ERRORS = st.builds(
    lambda kind, reason, message, field, metadata: kind(reason, message, field=field, metadata=metadata),
    st.sampled_from(list(BY_CODE.values())),
    st.from_regex(r"[A-Z][A-Z0-9_]{2,30}", fullmatch=True),
    _TEXT,
    _TEXT,
    st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), _TEXT, max_size=3),
)


class Failure(grpc.RpcError):
    """A call that ended; what gRPC raises is shaped so."""

    def __init__(
        self, code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._end = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._end[0]

    def details(self) -> str:
        return self._end[1]

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:  # type: ignore[override]
        return self._end[2]


def failure_of(status: status_pb2.Status) -> Failure:
    packed = rpc_status.to_status(status)
    return Failure(packed.code, packed.details, packed.trailing_metadata)  # type: ignore[arg-type]


def facts(error: PeceteError) -> tuple[object, ...]:
    return type(error), error.reason, error.message, error.field, error.metadata


@given(_ERRORS)
def test_an_error_is_the_same_on_both_sides(error: PeceteError) -> None:
    assert facts(from_rpc_error(failure_of(to_status(error)))) == facts(error)


def test_the_request_id_travels_with_the_error() -> None:
    error = from_status(to_status(InternalError("FAULT", "It failed."), "abc"))
    assert error is not None and error.metadata == {"request_id": "abc"}


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, UnavailableError, "SERVER_UNREACHABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.UNAUTHENTICATED, UnauthenticatedError, "CREDENTIALS_REFUSED"),
        (grpc.StatusCode.UNIMPLEMENTED, InternalError, "METHOD_UNKNOWN"),
        (grpc.StatusCode.UNKNOWN, InternalError, "SERVICE_FAULT"),
    ],
)
def test_a_call_without_details_is_judged_by_its_code(
    code: grpc.StatusCode, kind: type[PeceteError], reason: str
) -> None:
    error = from_rpc_error(Failure(code, "connection\n refused."))
    assert type(error) is kind and error.reason == reason
    assert error.message.endswith(": connection refused.")


def test_another_domains_error_info_is_not_ours() -> None:
    status = status_pb2.Status(code=3, message="no")
    status.details.add().Pack(ErrorInfo(reason="LIMIT", domain="googleapis.com"))
    assert from_status(status) is None
    assert from_rpc_error(failure_of(status)).reason == "SERVICE_FAULT"


@pytest.mark.parametrize(
    "trailer",
    [
        b"\xff\xff",
        to_status(InvalidArgumentError("A_REASON", "Another sentence.")).SerializeToString(),
        status_pb2.Status(code=99, message="no").SerializeToString(),
    ],
    ids=["not a Status", "contradicts the call", "unknown code"],
)
def test_details_that_cannot_be_believed_are_left_aside(trailer: bytes) -> None:
    failure = Failure(grpc.StatusCode.UNAVAILABLE, "no", (("grpc-status-details-bin", trailer),))
    assert from_rpc_error(failure).reason == "SERVER_UNREACHABLE"
