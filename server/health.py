"""Whether the service can work: its parts' states, for gRPC's health service and for `/healthz`."""

from collections.abc import Awaitable, Callable, Mapping

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import OVERALL_HEALTH, aio

from pecete.errors import PeceteError

Check = Callable[[], Awaitable[object]]
"""Looks at one part; raises PeceteError when it does not work."""


class Health:
    """Asks every part how it is.

    required: by the part's name, such as `database`; without one of them the service cannot work. optional:
    parts such as one token of several; gRPC's health service tells of each under its own name.
    """

    def __init__(self, required: Mapping[str, Check], optional: Mapping[str, Check]) -> None:
        self.servicer = aio.HealthServicer()
        self._required = dict(required)
        self._optional = dict(optional)

    async def look(self) -> dict[str, str]:
        """Ask each part, tell gRPC's health service, and give the required ones' states: `ok` or a reason."""
        states = {name: await _state(check) for name, check in self._required.items()}
        await self._tell(OVERALL_HEALTH, all(state == "ok" for state in states.values()))
        for name, check in self._optional.items():
            await self._tell(name, await _state(check) == "ok")
        return states

    async def stopping(self) -> None:
        """Tell load balancers for good that nothing new is taken."""
        await self.servicer.enter_graceful_shutdown()

    async def _tell(self, name: str, serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        await self.servicer.set(name, answer.SERVING if serving else answer.NOT_SERVING)


async def _state(check: Check) -> str:
    try:
        await check()
    except PeceteError as error:
        return error.reason
    return "ok"
