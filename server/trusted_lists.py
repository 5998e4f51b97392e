"""The trusted lists that this server believes: kept on disk, refreshed, watched until they end.

Each list is verified when it is fetched and again when it is read from disk, from the certificates of the
Official Journal on. One that is refused changes nothing: the last good one goes on until it should have been
replaced. When the list of lists is no longer in force, no other is believed any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pecete.errors import PeceteError, UnavailableError
from server import logs
from server.authorities import read_certificates
from server.config import Configuration, TrustedListSettings
from server.metrics import Metrics
from server.trusted_list_store import ListFetcher, ListFolder
from signer.validation.trusted_lists.acceptance import Known
from signer.validation.trusted_lists.model import LIST_OF_LISTS, Pointer, TrustedList
from signer.validation.trusted_lists.pivots import (
    accept_list_of_lists,
    accept_national,
    national_pointers,
    pivot_locations,
)
from signer.validation.trusted_lists.snapshot import TrustedServices, snapshot

REFRESH_EVERY = timedelta(hours=6)
"""How often lists are looked for."""

TRY_AGAIN_AFTER = timedelta(minutes=15)
"""How soon they are looked for again where one could not be had."""

MAIN_TERRITORY = "EU"
"""Under what the list of lists is told of."""

_AT_ONCE = 4


@dataclass(frozen=True)
class ListState:
    """How it stands with one list.

    pointer: where it is and who may sign it. found: the last good one, whether or not it is still in force.
    fault: why the last attempt gave nothing, in a sentence, or "". known: what a newer one must not be older
    than, also where others may sign it now.
    """

    pointer: Pointer
    found: TrustedList | None = None
    fault: str = ""
    known: Known | None = None

    def having(self, found: TrustedList) -> "ListState":
        """The state with a new good list."""
        return ListState(self.pointer, found, "", Known(found.sequence_number, found.issue_time))

    @property
    def territory(self) -> str:
        """Whose list it is."""
        return self.pointer.territory

    @property
    def location(self) -> str:
        """Where it is published."""
        return self.pointer.location

    def in_force(self, time: datetime) -> bool:
        """Whether there is a list that may be believed at that time."""
        if self.found is None:
            return False
        return self.found.next_update is None or time <= self.found.next_update


class TrustedLists:
    """The lists of one configuration.

    folder: where the last good ones are kept. Raises InvalidArgumentError
    CONFIGURATION_CERTIFICATE_UNREADABLE.
    """

    def __init__(
        self,
        settings: TrustedListSettings,
        folder: Path,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._settings, self._clock, self._metrics = settings, clock, metrics
        self._folder = ListFolder(folder)
        signers = tuple(
            der
            for index, path in enumerate(settings.official_journal)
            for der in read_certificates(path, f"trusted_lists.official_journal[{index}]")
        )
        self._main = ListState(Pointer(settings.lotl_url, LIST_OF_LISTS, MAIN_TERRITORY, "", signers))
        self._national: dict[str, ListState] = {}
        self._services = TrustedServices(())
        self._log = logs.get("trusted_lists")

    # ---- what they say

    @property
    def states(self) -> tuple[ListState, ...]:
        """Every list that is known of, the list of lists first, then by territory."""
        return (self._main, *sorted(self._national.values(), key=lambda each: each.territory))

    def services(self) -> TrustedServices:
        """What the lists say that are in force now; the same value while these stay the same."""
        now = self._clock()
        states = self._national.values() if self._main.in_force(now) else ()
        found = [state.found for state in states if state.found and state.in_force(now)]
        if {each.sha256 for each in found} != set(self._services.key):
            self._services = snapshot(found)
        return self._services

    async def check(self) -> str:
        """Tell health how many lists are in force. Raises UnavailableError NOTHING_TRUSTED where none is."""
        now = self._clock()
        if not self.services().lists:
            raise UnavailableError(
                "NOTHING_TRUSTED", "No trusted list is in force: I no longer trust anything."
            )
        missing = sorted(each.territory for each in self._national.values() if not each.in_force(now))
        remark = f"{len(self._national) - len(missing)} lists in force"
        return f"{remark}, none of {', '.join(missing)}" if missing else remark

    # ---- from disk and from the network

    async def load(self) -> None:
        """Take up the lists that were kept, as far as they may still be believed."""
        lotl = await asyncio.to_thread(self._folder.read, self._settings.lotl_url)
        if lotl is not None:
            await asyncio.to_thread(self._load_main, lotl)
        self._measure()

    def _load_main(self, lotl: bytes) -> None:
        try:
            pivots = [self._folder.read(each) or b"" for each in self._pivot_locations(lotl)]
            self._take_main(self._accept_main(lotl, pivots))
        except PeceteError as error:
            self._main = self._failed(self._main, error)

    async def refresh(self) -> bool:
        """Fetch every list, and say whether all could be had. What is refused leaves the last good one."""
        limit = asyncio.Semaphore(_AT_ONCE)
        async with ListFetcher() as fetcher:
            await self._refresh_main(fetcher)
            await asyncio.gather(
                *(self._refresh_national(fetcher, location, limit) for location in list(self._national))
            )
        self._measure()
        return not any(state.fault for state in self.states)

    async def _refresh_main(self, fetcher: ListFetcher) -> None:
        try:
            lotl = await fetcher.fetch(self._settings.lotl_url)
            locations = await asyncio.to_thread(self._pivot_locations, lotl)
            pivots = [await self._pivot(fetcher, location) for location in locations]
            found = await asyncio.to_thread(self._accept_main, lotl, pivots)
            kept = [*zip(locations, pivots, strict=True), (self._settings.lotl_url, lotl)]
            for location, document in kept:
                await asyncio.to_thread(self._folder.write, location, document)
        except PeceteError as error:
            self._main = self._failed(self._main, error)
            return
        await asyncio.to_thread(self._take_main, found)
        self._tell_of_success(MAIN_TERRITORY)

    async def _pivot(self, fetcher: ListFetcher, location: str) -> bytes:
        """A pivot never changes: the one that was kept is as good as one that is fetched."""
        try:
            return await fetcher.fetch(location)
        except UnavailableError:
            kept = await asyncio.to_thread(self._folder.read, location)
            if kept is None:
                raise
            return kept

    async def _refresh_national(self, fetcher: ListFetcher, location: str, limit: asyncio.Semaphore) -> None:
        state = self._national[location]
        async with limit:
            try:
                document = await fetcher.fetch(location)
                found = await asyncio.to_thread(self._accept_national, state, document)
                await asyncio.to_thread(self._folder.write, location, document)
            except PeceteError as error:
                self._national[location] = self._failed(state, error)
                return
        self._national[location] = state.having(found)
        self._tell_of_success(state.territory)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look for new lists again and again until the block ends."""

        async def watch() -> None:
            while True:
                has_all = await self.refresh()
                await asyncio.sleep((REFRESH_EVERY if has_all else TRY_AGAIN_AFTER).total_seconds())

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    # ---- believing

    def _pivot_locations(self, lotl: bytes) -> tuple[str, ...]:
        return pivot_locations(lotl, self._settings.lotl_url, self._settings.official_journal_url)

    def _accept_main(self, lotl: bytes, pivots: Sequence[bytes]) -> TrustedList:
        return accept_list_of_lists(
            lotl, pivots, self._main.pointer.signers, time=self._clock(), known=self._main.known
        )

    def _accept_national(self, state: ListState, document: bytes) -> TrustedList:
        return accept_national(document, state.pointer, time=self._clock(), known=state.known)

    def _take_main(self, found: TrustedList) -> None:
        """Believe a list of lists, and of the national ones those that are as it says."""
        self._main = self._main.having(found)
        self._national = {pointer.location: self._pointed_to(pointer) for pointer in national_pointers(found)}

    def _pointed_to(self, pointer: Pointer) -> ListState:
        """The list as it stands; judged anew, from disk, where others may sign it now."""
        before = self._national.get(pointer.location)
        if before is not None and before.pointer == pointer:
            return before
        state = ListState(pointer, known=before.known if before else None)
        document = self._folder.read(pointer.location)
        if document is None:
            return state
        try:
            return state.having(self._accept_national(state, document))
        except PeceteError as error:
            return self._failed(state, error)

    # ---- telling

    def _failed(self, state: ListState, error: PeceteError) -> ListState:
        self._log.warning(
            "trusted list refused",
            territory=state.territory,
            location=state.location,
            reason=error.reason,
            message=error.message,
        )
        self._count(state.territory, error.reason)
        return replace(state, fault=error.message)

    def _tell_of_success(self, territory: str) -> None:
        self._count(territory, "fetched")
        self._metrics.trusted_list_fetched.labels(territory).set(self._clock().timestamp())

    def _count(self, territory: str, outcome: str) -> None:
        self._metrics.trusted_list_refreshes.labels(territory, outcome).inc()

    def _measure(self) -> None:
        for state in self.states:
            if state.found is not None:
                until = state.found.next_update
                end = until.timestamp() if until else float("inf")
                self._metrics.trusted_list_next_update.labels(state.territory).set(end)
                self._metrics.trusted_list_sequence.labels(state.territory).set(state.found.sequence_number)


async def open_trusted_lists(
    configuration: Configuration, clock: Callable[[], datetime], metrics: Metrics
) -> TrustedLists | None:
    """The trusted lists as they were kept; None where none are configured."""
    settings = configuration.trusted_lists
    if settings is None:
        return None
    lists = TrustedLists(settings, configuration.trusted_lists_directory, clock, metrics)
    await lists.load()
    return lists
