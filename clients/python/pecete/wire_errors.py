"""PeceteError to google.rpc.Status and back (AIP-193): the one place that knows how errors look on the wire.

The service packs with `to_status` and the client unpacks with `from_rpc_error`, so an error is raised on both
sides of the wire as the same class with the same reason, message, field and metadata.
"""

from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    RequestInfo,
)
from grpc_status import rpc_status

from pecete.errors import (
    BY_CODE,
    DOMAIN,
    AbortedError,
    DeadlineExceededError,
    InternalError,
    PeceteError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)
from pecete.signing.v1.signature_batches_pb2 import BatchError

SERVER_UNREACHABLE = "SERVER_UNREACHABLE"
"""Reason of the UnavailableError for a call that got no answer from the service itself."""

_WITHOUT_DETAILS: dict[str, tuple[type[PeceteError], str, str]] = {
    "UNAVAILABLE": (UnavailableError, SERVER_UNREACHABLE, "The service cannot be reached"),
    "DEADLINE_EXCEEDED": (DeadlineExceededError, "DEADLINE_EXCEEDED", "The service did not answer in time"),
    "UNAUTHENTICATED": (UnauthenticatedError, "CREDENTIALS_REFUSED", "The service refused the credentials"),
    "PERMISSION_DENIED": (PermissionDeniedError, "PERMISSION_DENIED", "The caller may not do this"),
    "RESOURCE_EXHAUSTED": (ResourceExhaustedError, "LIMIT_EXCEEDED", "A limit was exceeded"),
    "CANCELLED": (AbortedError, "CALL_CANCELLED", "The call was cancelled"),
    "UNIMPLEMENTED": (InternalError, "METHOD_UNKNOWN", "The service does not know this call"),
}
_FAULT = (InternalError, "SERVICE_FAULT", "The call failed")


def to_status(error: PeceteError, request_id: str = "") -> status_pb2.Status:
    """Pack an error: its ErrorInfo, a BadRequest where it has a field, a RequestInfo where there is an id."""
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message)
    status.details.add().Pack(ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if error.field:
        violation = BadRequest.FieldViolation(field=error.field, description=error.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if request_id:
        status.details.add().Pack(RequestInfo(request_id=request_id))
    return status


def from_status(status: status_pb2.Status) -> PeceteError | None:
    """Unpack what `to_status` packed; None where no ErrorInfo of this domain is in it.

    The id under which the service logged the call becomes the metadatum `request_id`.
    """
    info, bad_request, request = ErrorInfo(), BadRequest(), RequestInfo()
    for detail in status.details:
        for kind in (info, bad_request, request):
            detail.Unpack(kind)
    error_class = BY_CODE.get(_code_name(status.code))
    if info.domain != DOMAIN or error_class is None:
        return None
    field = bad_request.field_violations[0].field if bad_request.field_violations else ""
    metadata = dict(info.metadata)
    if request.request_id:
        metadata["request_id"] = request.request_id
    return error_class(info.reason, status.message, field=field, metadata=metadata)


def to_batch_error(error: PeceteError) -> BatchError:
    """Pack the error of one item of a batch."""
    return BatchError(
        code=code_pb2.Code.Value(error.code),
        reason=error.reason,
        message=error.message,
        field=error.field,
        metadata=error.metadata,
    )


def from_batch_error(error: BatchError) -> PeceteError:
    """Unpack what `to_batch_error` packed; of an unknown code it is an InternalError."""
    kind = BY_CODE.get(_code_name(error.code), InternalError)
    return kind(error.reason, error.message, field=error.field, metadata=dict(error.metadata))


def _code_name(number: int) -> str:
    return str(code_pb2.Code.Name(number)) if number in code_pb2.Code.values() else ""


def from_rpc_error(failure: grpc.RpcError) -> PeceteError:
    """Turn a failed call, sync or aio, into the error that the service raised.

    A call that ended without the service's details (no connection, a proxy's answer, a deadline) becomes an
    error by its code alone, with the transport's own words in the message.
    """
    call = cast(grpc.Call, failure)
    try:
        status = rpc_status.from_call(call)
        error = from_status(status) if status is not None else None
    except (ValueError, DecodeError):
        error = None
    return error or _without_details(call.code().name, call.details() or "")


def _without_details(code: str, details: str) -> PeceteError:
    kind, reason, sentence = _WITHOUT_DETAILS.get(code, _FAULT)
    words = " ".join(details.split()).rstrip(".")
    return kind(reason, f"{sentence}: {words}." if words else f"{sentence}.")
