"""One configured token: its worker processes, the keys it was last seen with, and whether it answers."""

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
from server import logs
from server.config import TokenSettings
from server.metrics import Metrics
from server.workers import Loss, WorkerPool
from signer.tokens import worker as token_worker
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.faults import pin_locked
from signer.tokens.inventory import SigningKeyInfo
from signer.tokens.login import pin_outcome_unknown
from signer.tokens.pin_guard import PinGuard

REFRESH_SECONDS = 60.0
"""How long a token's list of keys is believed before it is read again."""

PROOF_SECONDS = 5.0
"""For how long a job that the token has done proves that it answers: a probe would wait behind the others."""

P = ParamSpec("P")
Result = TypeVar("Result")


def token_configuration(settings: TokenSettings, pin: str | None) -> TokenConfiguration:
    """Give what opens a configured token with this PIN."""
    return TokenConfiguration(
        name=settings.name,
        module=str(settings.module),
        token_label=settings.token_label,
        pin=pin,
        rsa_scheme=settings.rsa_scheme,
    )


class Token:
    """One configured token with its worker processes."""

    def __init__(self, settings: TokenSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.keys_seen: tuple[SigningKeyInfo, ...] = ()
        """Its keys as they were last seen."""
        self.tries_left = ""
        """What it last said of its PIN's tries: `low`, `one`, `none`, or "" for nothing."""
        self._metrics = metrics
        self._log = logs.get("tokens")
        self._fault: PeceteError | None = None
        self._read_at = self._proven_at = float("-inf")
        self._reading, self._probing = asyncio.Lock(), asyncio.Lock()
        configuration = token_configuration(settings, settings.pin.read() if settings.pin else None)
        # Each call's login rewrites the state of some tokens (SoftHSM's files), which other processes read.
        workers = settings.workers if settings.pin else 1
        guard = PinGuard(patience_seconds=settings.timeout_seconds / 2)
        self._pool = WorkerPool(
            workers,
            token_worker.open_token,
            (configuration, guard),
            timeout=settings.timeout_seconds,
            lost=self._lost_worker,
            orphaned=token_worker.close_token,
        )

    @property
    def fault(self) -> PeceteError | None:
        """What keeps the token from signing, as far as is known."""
        if self._fault is None and self.tries_left == "none":
            return self._named(pin_locked())
        return self._fault

    async def run(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a function in a worker process. Raises as `WorkerPool.run`; faults name the token."""
        try:
            result = await self._pool.run(function, *args, **kwargs)
        except PeceteError as error:
            raise self._taken_note_of(error) from error
        self._works(logged_in=function not in (token_worker.look, token_worker.end_series))
        return result

    async def run_with_pin(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run a function that gives the token a caller's PIN: what becomes of that is never tried again.

        Raises as `run`, and FailedPreconditionError PIN_OUTCOME_UNKNOWN when the worker was lost over it.
        """
        try:
            result = await self._pool.run_once(function, *args, **kwargs)
        except PeceteError as error:
            if error.reason in ("WORKER_CRASHED", "WORKER_TIMED_OUT"):
                self._taken_note_of(error)
                unknown = self._named(pin_outcome_unknown())
                unknown.metadata["cause"] = error.reason
                raise unknown from error
            if error.field == "pin":
                self.tries_left = error.metadata.get("tries_left", self.tries_left)
                raise self._named(error) from error
            raise self._taken_note_of(error) from error
        self.tries_left = ""
        self._works(logged_in=True)
        return result

    async def check(self) -> str:
        """Look whether the token answers and takes its configured PIN; "" or a remark. Raises its fault."""
        async with self._probing:
            if time.monotonic() - self._proven_at > PROOF_SECONDS:
                await self._look(token_worker.probe)
        if self.fault is not None:
            raise self.fault
        return f"PIN tries left: {self.tries_left}" if self.tries_left else ""

    async def keys(self, maximum_age: float = REFRESH_SECONDS) -> tuple[SigningKeyInfo, ...]:
        """Give the token's keys, read again when the list is older than so many seconds.

        Raises what reading the token raises; the next call tries anew.
        """
        async with self._reading:
            if time.monotonic() - self._read_at > maximum_age:
                self._read_at = float("-inf")
                await self._look(token_worker.look)
            return self.keys_seen

    async def close(self) -> None:
        """Log out and end the worker processes."""
        await self._pool.close()

    async def _look(self, how: Callable[[], token_worker.TokenLook]) -> None:
        found = await self.run(how)
        self.keys_seen, self.tries_left = found.keys, found.tries_left
        self._read_at = time.monotonic()
        self._metrics.token_pin_tries_low.labels(self.settings.name).set(bool(found.tries_left))

    def _works(self, *, logged_in: bool) -> None:
        """Keys are seen without a login, so that they are seen proves nothing of a PIN that was refused."""
        if logged_in:
            self._proven_at = time.monotonic()
        elif self._fault is not None and self._fault.field == "pin":
            return
        if self._fault is not None:
            self._log.info("token is back", token=self.settings.name)
            self._metrics.token_recoveries.labels(self.settings.name).inc()
        self._fault = None
        self._metrics.token_up.labels(self.settings.name).set(1)

    def _taken_note_of(self, error: PeceteError) -> PeceteError:
        """Give an error with the token's name in it, when it is the token's, and remember that fault."""
        if not is_fault(error):
            return error
        named = self._named(error)
        if self._fault is None:
            self._log.warning("token is away", token=self.settings.name, reason=error.reason)
        self._fault = named
        self._proven_at = float("-inf")
        self._metrics.token_up.labels(self.settings.name).set(0)
        return named

    def _named(self, error: PeceteError) -> PeceteError:
        name = self.settings.name
        return type(error)(
            error.reason,
            f"Token {name}: {error.message}",
            field=error.field,
            metadata={**error.metadata, "token": name},
        )

    def _lost_worker(self, loss: Loss) -> None:
        self._log.warning("token worker lost", token=self.settings.name, cause=loss)
        self._metrics.token_worker_losses.labels(self.settings.name, loss).inc()


def is_fault(error: PeceteError) -> bool:
    """Say whether an error is one of the token, and not of what it was to sign."""
    if isinstance(error, UnavailableError):
        return True
    return isinstance(error, FailedPreconditionError) and (
        error.field == "pin" or error.reason == "TOKEN_AMBIGUOUS"
    )
