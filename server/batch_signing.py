"""The journey of a batch: one authorisation and one PIN for a stated list, and an answer for each item.

Items go in groups through the stages of a signature: looked at in one transaction, signed in one job of the
token's worker, stamped and stored side by side, registered in one transaction. Several groups are under way
at once, so that no worker of the token waits. What is registered is answered at once and stands whatever
comes after it.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from archive.journal import Journal
from pecete.errors import AbortedError, PeceteError, ResourceExhaustedError, UnavailableError
from pecete.signing.v1 import signature_batches_pb2 as pb
from server.batch_items import BatchItem, PreparedItem, answered, authorise, prepare, register
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.idempotency import RequestKey
from server.made_signatures import MadeSignature, SignedDocument
from server.signing import DocumentSigner
from server.times import microseconds
from server.token_registry import RegisteredKey
from server.token_work import SectionOrder
from signer.pades.signing import SignedSection
from workflow.journal import Act

ITEMS_AT_ONCE = 16
"""Items of one job: as many are lost to a break at most, and signed anew, for each group under way."""

Outcome = pb.BatchSignature | PeceteError
"""What became of an item: its signature, or why there is none."""


@dataclass
class _Run:
    """A batch under way. series: name of the token's jobs that share a login."""

    request: RequestKey
    key: RegisteredKey
    pin: str | None = field(repr=False)
    waiting: deque[BatchItem]
    series: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    outcomes: asyncio.Queue[tuple[int, Outcome] | None] = field(default_factory=asyncio.Queue)
    stopped_by: PeceteError | None = None
    is_abandoned: bool = False

    def next_group(self, most: int = ITEMS_AT_ONCE) -> list[BatchItem]:
        """Take the items to be signed next; none once the batch is stopped or nobody listens."""
        if self.stopped_by is not None or self.is_abandoned:
            return []
        return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def tell(self, item: BatchItem, outcome: Outcome) -> None:
        """Let the caller know of an item."""
        self.outcomes.put_nowait((item.index, outcome))

    def stop(self, error: PeceteError) -> None:
        """Attempt no further group: the next would fare the same."""
        self.stopped_by = self.stopped_by or error

    def tell_not_attempted(self, items: Sequence[BatchItem]) -> None:
        """Let the caller know of the items that the batch did not come to."""
        reason = self.stopped_by.reason if self.stopped_by else ""
        for item in items:
            self.tell(
                item,
                AbortedError(
                    "BATCH_STOPPED",
                    "The batch was stopped before this item; it was not attempted.",
                    metadata={"cause": reason},
                ),
            )


class BatchSigner:
    """Signs batches. One for the whole server."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        keeper: DocumentKeeper,
        signer: DocumentSigner,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._journal = journal
        self._keeper = keeper
        self._signer = signer
        self._clock = clock

    async def sign(
        self, request: RequestKey, items: Sequence[BatchItem], pin: str | None
    ) -> AsyncIterator[tuple[int, Outcome]]:
        """Sign items, which name one key and level, and give the outcome of each by its index, as it comes.

        Whoever stops listening stops the batch after the groups that are under way. Raises before anything is
        signed what finding the key and `authorise` raise, and FailedPreconditionError
        TIMESTAMP_AUTHORITY_NOT_CONFIGURED.
        """
        before = await self._database.fetch(answered, request, items)
        for index, answer in before.items():
            yield index, answer
        waiting = deque(item for item in items if item.index not in before)
        if not waiting:
            return
        order = items[0].order
        self._signer.require_level(order.level)
        key = await self._signer.tokens.find(order.signing_key, request.principal)
        act = Act(request.principal, request.request_id, microseconds(self._clock()))
        await self._database.run(authorise, self._journal, act, request, items, key.name)
        run = _Run(request, key, pin, waiting)
        working = asyncio.create_task(self._work(run))
        try:
            while (outcome := await run.outcomes.get()) is not None:
                yield outcome
        finally:
            run.is_abandoned = True
            await _its_end(working)
        working.result()

    async def _work(self, run: _Run) -> None:
        """Sign groups until none is left; one item goes alone, so that what stops all stops the rest."""
        try:
            await self._sign_group(run, run.next_group(1))
            async with asyncio.TaskGroup() as lanes:
                for _ in range(_lanes(run.key)):
                    lanes.create_task(self._sign_groups(run))
            run.tell_not_attempted(run.waiting)
        finally:
            await self._signer.tokens.end_series(run.key, run.series)
            run.outcomes.put_nowait(None)

    async def _sign_groups(self, run: _Run) -> None:
        while group := run.next_group():
            await self._sign_group(run, group)

    async def _sign_group(self, run: _Run, group: Sequence[BatchItem]) -> None:
        certificate = bytes.fromhex(run.key.info.id)
        looked_at = await self._database.fetch(prepare, run.request, group, certificate)
        prepared = []
        for item, found in zip(group, looked_at, strict=True):
            if isinstance(found, PreparedItem):
                prepared.append(found)
            else:
                run.tell(item, found)
        to_sign = [each for each in prepared if not each.is_signed]
        signed = dict(
            zip((each.item.index for each in to_sign), await self._sign(run, to_sign), strict=False)
        )
        await self._finish(run, [(each, signed.get(each.item.index)) for each in prepared])

    async def _sign(
        self, run: _Run, items: Sequence[PreparedItem]
    ) -> list[tuple[SignedSection, int] | PeceteError]:
        """Give each item's section with its signing time, or its error; fewer when the batch has to stop."""
        now = self._clock()
        name = run.key.info.common_name
        orders = [
            SectionOrder(self._keeper.store.path(each.document.sha256.hex()), each.order.options(name, now))
            for each in items
        ]
        if not orders:
            return []
        try:
            made = await self._signer.tokens.sign_sections(run.key, orders, run.pin, run.series)
        except PeceteError as error:
            run.stop(error)
            return [error]
        if len(made) < len(orders) or (isinstance(made[-1], PeceteError) and made[-1].field == "pin"):
            last = made[-1]
            run.stop(last if isinstance(last, PeceteError) else _interrupted())
        time = microseconds(now)
        return [each if isinstance(each, PeceteError) else (each, time) for each in made]

    async def _finish(
        self,
        run: _Run,
        signed: Sequence[tuple[PreparedItem, tuple[SignedSection, int] | PeceteError | None]],
    ) -> None:
        """Bring what was signed to its level, register it, and tell of every item of the group."""
        attempted = [(each, result) for each, result in signed if each.is_signed or result is not None]
        finished = await self._all_finished(run, attempted)
        done: list[tuple[PreparedItem, SignedDocument]] = []
        for (each, _result), outcome in zip(attempted, finished, strict=True):
            if isinstance(outcome, PeceteError):
                if _concerns_all(outcome):
                    run.stop(outcome)
                run.tell(each.item, outcome)
            else:
                done.append((each, outcome))
        together = [each for each in done if each[0].leave is None]
        for group in ([together] if together else []) + [[each] for each in done if each[0].leave]:
            await self._register(run, group)
        left = [each.item for each, result in signed if not each.is_signed and result is None]
        run.tell_not_attempted(left)

    async def _all_finished(
        self,
        run: _Run,
        attempted: Sequence[tuple[PreparedItem, tuple[SignedSection, int] | PeceteError | None]],
    ) -> Sequence[SignedDocument | PeceteError]:
        """Bring signatures to their level: at B-B there is only to store, above it each takes its own way."""
        basic = [
            (each.document, result[0], _made(run, *result))
            for each, result in attempted
            if isinstance(result, tuple) and each.order.level == "B-B"
        ]
        if len(basic) < len(attempted):
            return await asyncio.gather(*(self._finished(run, *each) for each in attempted))
        return await self._signer.finish_basic(basic)

    async def _finished(
        self, run: _Run, prepared: PreparedItem, result: tuple[SignedSection, int] | PeceteError | None
    ) -> SignedDocument | PeceteError:
        if isinstance(result, PeceteError):
            return result
        key, level = prepared.item.key(run.request), prepared.order.level
        try:
            if result is None:
                resumed = await self._signer.raiser.resume(key, prepared.document.sha256, level)
                return resumed or _interrupted()
            made = _made(run, *result)
            return await self._signer.finish(prepared.document, result[0], made, level, key)
        except PeceteError as error:
            return error

    async def _register(self, run: _Run, made: Sequence[tuple[PreparedItem, SignedDocument]]) -> None:
        try:
            answers: Sequence[Outcome] = await self._database.run(
                register, self._signer, self._journal, run.request, made
            )
        except PeceteError as error:
            answers = [error] * len(made)
        for (prepared, _signed), answer in zip(made, answers, strict=True):
            run.tell(prepared.item, answer)


def _concerns_all(error: PeceteError) -> bool:
    """Say whether the next item would fare the same: a level, the store or a token cannot be had now."""
    return "reached" in error.metadata or isinstance(error, UnavailableError | ResourceExhaustedError)


def _made(run: _Run, section: SignedSection, time: int) -> MadeSignature:
    return MadeSignature(section.field_name, run.key.name, "B-B", time)


def _lanes(key: RegisteredKey) -> int:
    """Groups under way: some more than workers, so that none of them waits while a group is made durable.

    With a caller's PIN it is one group after the other, so that a PIN that is refused is given once.
    """
    return key.token.workers + 3 if key.token.pin is not None else 1


def _interrupted() -> PeceteError:
    return AbortedError("BATCH_INTERRUPTED", "The item was not brought to its end; repeat the batch.")


async def _its_end(task: "asyncio.Task[None]") -> None:
    """Wait until the groups under way are done, even when the call is cancelled meanwhile."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
