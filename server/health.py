"""Whether the service can work: its parts' states, for gRPC's health service and for `/healthz`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import OVERALL_HEALTH, aio

from pecete.errors import PeceteError
from server import logs

PATIENCE_SECONDS = 10.0
"""How long a part may take to say how it is."""

_WORKS = "ok"

Check = Callable[[], Awaitable[str | None]]
"""Looks at one part and gives a remark if there is any; raises PeceteError when it does not work."""


@dataclass(frozen=True)
class Look:
    """What a look found: whether the service can work, and each part's state, `ok` or a reason.

    A part that does not answer in time is `TIMED_OUT`, one that fails as nobody foresaw `INTERNAL_ERROR`; a
    remark stands after `ok`. `service` is `ok`, `degraded` when an optional part fails, or `failed`.
    """

    healthy: bool
    parts: Mapping[str, str]


class Health:
    """Asks every part how it is.

    required: by the part's name, such as `database`; without one of them the service cannot work. optional:
    parts such as one token of several; gRPC's health service tells of each under its own name. notes: what
    every answer repeats, such as which clock is trusted. patience: seconds that a part is waited for.
    """

    def __init__(
        self,
        required: Mapping[str, Check],
        optional: Mapping[str, Check],
        notes: Mapping[str, str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.servicer = aio.HealthServicer()
        self._required = dict(required)
        self._optional = dict(optional)
        self._notes = dict(notes or {})
        self._patience = patience
        self._log = logs.get("health")

    async def look(self) -> Look:
        """Ask every part at once and tell gRPC's health service."""
        required, optional = await asyncio.gather(self._states(self._required), self._states(self._optional))
        healthy = all(map(_works, required.values()))
        await self._tell(OVERALL_HEALTH, healthy)
        for name, state in optional.items():
            await self._tell(name, _works(state))
        service = "failed" if not healthy else "ok" if all(map(_works, optional.values())) else "degraded"
        return Look(healthy, {"service": service, **required, **optional, **self._notes})

    async def stopping(self) -> None:
        """Tell load balancers for good that nothing new is taken."""
        await self.servicer.enter_graceful_shutdown()

    async def _tell(self, name: str, serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        await self.servicer.set(name, answer.SERVING if serving else answer.NOT_SERVING)

    async def _states(self, checks: Mapping[str, Check]) -> dict[str, str]:
        """Ask all at once: one that hangs holds up none."""
        states = await asyncio.gather(*map(self._state, checks, checks.values()))
        return dict(zip(checks, states, strict=True))

    async def _state(self, part: str, check: Check) -> str:
        try:
            async with asyncio.timeout(self._patience):
                remark = await check()
        except PeceteError as error:
            return error.reason
        except TimeoutError:
            return "TIMED_OUT"
        except Exception:  # the fence around the parts: whatever one of them does, the others are looked at
            self._log.exception("health check failed", part=part)
            return "INTERNAL_ERROR"
        return f"{_WORKS} ({remark})" if remark else _WORKS


def _works(state: str) -> bool:
    return state.startswith(_WORKS)
