"""The one exception family of Pecete, raised by the service and by its client alike.

Each error carries what `google.rpc.Status` carries on the wire (AIP-193): a canonical code (the class),
a machine-readable `reason` in UPPER_SNAKE, a sentence for people, the field at fault and further metadata.
`server/errors.py` maps them to gRPC and `pecete/wire_errors.py` maps them back; nothing else does.
"""

from collections.abc import Mapping
from typing import ClassVar

DOMAIN = "pecete"
"""The `domain` of every ErrorInfo that the service sends."""


class PeceteError(Exception):
    """An error that a caller can act on.

    reason: UPPER_SNAKE word that never changes its meaning, such as `DOCUMENT_ENCRYPTED`.
    message: one English sentence for people; it holds no PIN, key, personal number or internal path.
    field: the request or configuration field at fault, such as `signing_key`, or "" where there is none.
    metadata: further facts as short strings, such as `{"tries_left": "low"}`.
    """

    code: ClassVar[str] = "UNKNOWN"
    """Name of the canonical gRPC status code of this class."""

    def __init__(
        self, reason: str, message: str, *, field: str = "", metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.metadata: dict[str, str] = dict(metadata or {})

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.reason}{where}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders whole: worker processes raise them."""
        return _rebuild, (type(self), self.reason, self.message, self.field, self.metadata)


def _rebuild(
    kind: type[PeceteError], reason: str, message: str, field: str, metadata: dict[str, str]
) -> PeceteError:
    return kind(reason, message, field=field, metadata=metadata)


class InvalidArgumentError(PeceteError):
    """The request is wrong whatever the state of the service is."""

    code = "INVALID_ARGUMENT"


class NotFoundError(PeceteError):
    """The named resource does not exist (or the caller may not know of it)."""

    code = "NOT_FOUND"


class AlreadyExistsError(PeceteError):
    """A resource of that name exists, or a request id was used for another request."""

    code = "ALREADY_EXISTS"


class FailedPreconditionError(PeceteError):
    """The state forbids it: a step out of turn, an expired certificate, a locked PIN."""

    code = "FAILED_PRECONDITION"


class PermissionDeniedError(PeceteError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"


class UnauthenticatedError(PeceteError):
    """The caller is not known."""

    code = "UNAUTHENTICATED"


class ResourceExhaustedError(PeceteError):
    """A limit of size, rate or space is reached."""

    code = "RESOURCE_EXHAUSTED"


class AbortedError(PeceteError):
    """A concurrent change won; read again and retry."""

    code = "ABORTED"


class UnavailableError(PeceteError):
    """A token, authority or database does not answer now; the same request may succeed later."""

    code = "UNAVAILABLE"


class DeadlineExceededError(PeceteError):
    """The caller's deadline passed."""

    code = "DEADLINE_EXCEEDED"


class DataLossError(PeceteError):
    """Kept bytes are not what was kept: a hash, proof or row does not match."""

    code = "DATA_LOSS"


class InternalError(PeceteError):
    """A fault of the service; details stand in its log under the request id."""

    code = "INTERNAL"


BY_CODE: dict[str, type[PeceteError]] = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        FailedPreconditionError,
        PermissionDeniedError,
        UnauthenticatedError,
        ResourceExhaustedError,
        AbortedError,
        UnavailableError,
        DeadlineExceededError,
        DataLossError,
        InternalError,
    )
}
"""Error class by canonical code name."""
