"""What happens around every call: request id, identity, permission, errors, log line and metrics."""

import inspect
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import structlog
from grpc_status import rpc_status

from pecete.errors import InternalError, PeceteError, ResourceExhaustedError, UnauthenticatedError
from pecete.wire_errors import to_status
from server import identity, logs
from server.authorization import OPEN, Role, authorize
from server.database import Database
from server.errors import unexpected
from server.identity import Principal
from server.metrics import Metrics

REQUEST_ID = "x-request-id"
"""Metadata key: a caller may send the id, every answer bears it."""

CALLS_AT_ONCE = 500
"""Calls that one principal may have under way; nobody takes files and queues from all the others."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_BEARER = re.compile(r"[Bb]earer +(\S+)")

Context = grpc.aio.ServicerContext[Any, Any]

if TYPE_CHECKING:
    # Generic for the type checker only.
    Handler = grpc.RpcMethodHandler[Any, Any]


@dataclass(frozen=True)
class Caller:
    """Who makes the present call: `principals/{id}`, roles, and the call's own request id."""

    principal: str
    roles: frozenset[Role]
    request_id: str


_caller: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """Give who makes the present call. Raises InternalError CALLER_UNKNOWN outside an authenticated one."""
    try:
        return _caller.get()
    except LookupError as error:
        raise InternalError("CALLER_UNKNOWN", "This is not the call of a known caller.") from error


@dataclass
class _Outcome:
    """How a call ends, for log and metrics: cancelled unless something else is known."""

    code: str = "CANCELLED"
    reason: str = ""
    start: float = field(default_factory=time.perf_counter)


class Front(grpc.aio.ServerInterceptor):
    """The one interceptor: nothing reaches a service without it, and no fault leaves untranslated."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._calls: Counter[str] = Counter()
        self._log = logs.get("calls")

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Put the front before the method's handler."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        wrap: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        behaviour = self._wrapped(handler_call_details.method, getattr(handler, kind))
        return cast("Handler", wrap(behaviour, handler.request_deserializer, handler.response_serializer))

    def _wrapped(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        """A generator stays a generator, and a coroutine (which may write to the context) a coroutine."""

        async def generate(request: object, context: Context) -> AsyncIterator[object]:
            async with self._call(method, context), aclosing(behaviour(request, context)) as answers:
                async for answer in answers:
                    yield answer

        async def answer(request: object, context: Context) -> object:
            async with self._call(method, context):
                return await behaviour(request, context)

        return generate if inspect.isasyncgenfunction(behaviour) else answer

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncIterator[None]:
        """Run one call: gRPC gives each its own task and context variables, so nothing has to be undone."""
        request_id = _request_id(context)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        outcome = _Outcome()
        try:
            with self._metrics.in_flight.track_inprogress():
                principal = await self._admit(method, context, request_id)
                with self._counted(principal):
                    yield
            outcome.code = "OK"
        except PeceteError as error:
            outcome.code, outcome.reason = error.code, error.reason
            await _abort(context, error, request_id)
        except grpc.aio.AbortError:
            outcome.code = _code_name(context)
            raise
        except Exception as error:  # the fence around the service: of an unforeseen fault nothing is sent
            self._log.exception("call failed", method=method)
            outcome.code, outcome.reason = "INTERNAL", type(error).__name__
            await _abort(context, unexpected(request_id), request_id)
        finally:
            self._finish(method, outcome)

    @contextmanager
    def _counted(self, principal: str) -> Iterator[None]:
        """Count a call while it is under way. Raises ResourceExhaustedError TOO_MANY_CALLS."""
        if self._calls[principal] >= CALLS_AT_ONCE:
            raise ResourceExhaustedError(
                "TOO_MANY_CALLS", f"At most {CALLS_AT_ONCE} calls of yours may be under way at one time."
            )
        self._calls[principal] += 1
        try:
            yield
        finally:
            self._calls[principal] -= 1
            if not self._calls[principal]:
                del self._calls[principal]

    async def _admit(self, method: str, context: Context, request_id: str) -> str:
        """Find out who calls ("": anybody) and whether they may.

        Raises UnauthenticatedError and PermissionDeniedError.
        """
        if method in OPEN:
            return ""
        principal = await self._identify(context)
        structlog.contextvars.bind_contextvars(principal=principal.name)
        authorize(method, principal.roles)
        _caller.set(Caller(principal.name, principal.roles, request_id))
        return principal.name

    async def _identify(self, context: Context) -> Principal:
        """A token goes before the certificate of the channel: a person calls through a department's one."""
        authorization = _metadata(context, "authorization")
        if authorization:
            match = _BEARER.fullmatch(authorization)
            if match is None:
                raise UnauthenticatedError("TOKEN_INVALID", "This is no bearer token.", field="authorization")
            return await self._database.fetch(identity.identify_token, match.group(1))
        for certificate in context.auth_context().get("x509_pem_cert", ()):
            return await self._database.fetch(identity.identify_certificate, certificate)
        raise UnauthenticatedError(
            "CREDENTIALS_MISSING", "Call with an enrolled client certificate or an API token."
        )

    def _finish(self, method: str, outcome: _Outcome) -> None:
        seconds = time.perf_counter() - outcome.start
        self._metrics.finished(method, outcome.code, outcome.reason, seconds)
        self._log.info(
            "call", method=method, code=outcome.code, reason=outcome.reason, seconds=round(seconds, 6)
        )


def _metadata(context: Context, key: str) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == key and isinstance(value, str):
            return value
    return ""


def _request_id(context: Context) -> str:
    """The caller's id where it is a plain word (it goes into logs), otherwise a new one."""
    given = _metadata(context, REQUEST_ID)
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _code_name(context: Context) -> str:
    """Name of the status code with which a handler aborted by itself, as gRPC's own services do."""
    number = context.code()
    return next((code.name for code in grpc.StatusCode if number in (code, code.value[0])), "UNKNOWN")


async def _abort(context: Context, error: PeceteError, request_id: str) -> NoReturn:
    """End the call with the error's status; raises what gRPC wants raised."""
    status = rpc_status.to_status(to_status(error, request_id))
    metadata = (*(status.trailing_metadata or ()), (REQUEST_ID, request_id))
    await context.abort(status.code, status.details or "", metadata)
