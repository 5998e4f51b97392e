"""What a caller learns of a fault that nobody foresaw; `pecete.wire_errors` puts every error on the wire."""

from pecete.errors import InternalError


def unexpected(request_id: str) -> InternalError:
    """Give the error that stands for an unforeseen fault: the id under which the log tells the rest."""
    return InternalError(
        "INTERNAL_ERROR",
        "The service failed; its log tells why under the request id.",
        metadata={"request_id": request_id},
    )
