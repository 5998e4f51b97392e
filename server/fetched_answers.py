"""Answers of responders, kept in memory for as long as they say, and fetched once for all who ask at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

LONGEST_KEPT = timedelta(days=1)
"""How long an answer is kept at most, whatever it says: a revocation may come sooner than its nextUpdate."""

_MOST_ANSWERS = 1024
_MOST_OCTETS = 64 * 1024 * 1024

Key = TypeVar("Key", bound=Hashable)


class FetchedAnswers(Generic[Key]):
    """What was answered to which request, each until its own end; bounded in number and in octets.

    What was kept first makes room. An answer that alone is longer than `octets` is not kept.
    """

    def __init__(
        self, clock: Callable[[], datetime], *, answers: int = _MOST_ANSWERS, octets: int = _MOST_OCTETS
    ) -> None:
        self._clock = clock
        self._most_answers = answers
        self._most_octets = octets
        self._octets = 0
        self._kept: OrderedDict[Key, tuple[datetime, bytes]] = OrderedDict()
        self._running: dict[Key, asyncio.Future[bytes]] = {}

    def get(self, request: Key) -> bytes | None:
        """Give the answer to a request that is kept; None where there is none or its end has come."""
        until, answer = self._kept.get(request, (None, b""))
        if until is None:
            return None
        if self._clock() >= until:
            self._forget(request)
            return None
        return answer

    def keep(self, request: Key, answer: bytes, until: datetime | None) -> None:
        """Keep an answer until a moment such as its nextUpdate, at most LONGEST_KEPT; None: not at all."""
        if until is None or len(answer) > self._most_octets or self.get(request) == answer:
            return
        self._forget(request)
        self._kept[request] = (min(until, self._clock() + LONGEST_KEPT), answer)
        self._octets += len(answer)
        while self._octets > self._most_octets or len(self._kept) > self._most_answers:
            self._forget(next(iter(self._kept)))

    async def once(self, request: Key, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Fetch an answer, or wait for whoever fetches it already. Raises what `fetch` raises.

        Who gives up waiting does not end it for the others.
        """
        running = self._running.get(request)
        if running is None:
            running = asyncio.ensure_future(fetch())
            self._running[request] = running
            running.add_done_callback(lambda done: self._finished(request, done))
        return await asyncio.shield(running)

    async def close(self) -> None:
        """End what is still being fetched."""
        running = list(self._running.values())
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, request: Key, done: asyncio.Future[bytes]) -> None:
        del self._running[request]
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits for it any more

    def _forget(self, request: Key) -> None:
        kept = self._kept.pop(request, None)
        if kept is not None:
            self._octets -= len(kept[1])
