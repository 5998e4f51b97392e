"""The background work of this service: what is due, and how it is done. `server/jobs.py` runs it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from sqlalchemy import Connection, select

from archive import checkpoint, record
from archive.journal import head
from pecete.errors import PeceteError
from server import documents, idempotency, signature_sessions
from server.app import House
from server.jobs import Work
from server.times import microseconds
from workflow.dossier import held_documents
from workflow.journal import Act
from workflow.tables import dossiers

ACTOR = "pecete/background"
"""Who stands in the journal for what the service does by itself."""

UNTIL_DONE = 100_000
"""Attempts for what must not be given up: at one in five minutes, a year."""

OBJECTS_AT_ONCE = 1000
"""Objects that one transaction looks at."""

ORPHAN_AGE = timedelta(days=1)
"""How long an object without a row is left alone: its row may be on the way."""


def works(house: House) -> list[Work]:
    """Give every kind of background work of this server."""
    chores = Chores(house)
    seconds = house.configuration.journal.checkpoint_seconds
    every = f"* * * * * */{seconds}" if seconds < 60 else f"*/{min(seconds // 60, 59)} * * * *"
    kinds = [
        Work(
            "documents.expire", chores.due_documents, chores.expire_document, look="*/5 * * * *", priority=-1
        ),
        Work("sessions.expire", chores.due_sessions, chores.expire_session, look="*/5 * * * *", priority=-1),
        Work("answers.forget", chores.due_answers, chores.forget_answers, look="17 * * * *", priority=-1),
        Work(
            "objects.sweep",
            chores.due_objects,
            chores.sweep_object,
            look="41 3 * * *",
            at_start=False,
            limit=1,
            priority=-1,
        ),
        Work(
            "checkpoints.sign",
            chores.due_checkpoint,
            chores.sign_checkpoint,
            look=every,
            limit=1,
            attempts=UNTIL_DONE,
        ),
    ]
    if house.time_stamper is not None:
        kinds.append(
            Work(
                "checkpoints.stamp", chores.due_stamps, chores.stamp_checkpoint, limit=1, attempts=UNTIL_DONE
            )
        )
    return kinds


@dataclass(frozen=True)
class Chores:
    """What the works do; each is idempotent and looks again before it acts."""

    house: House

    def _act(self) -> Act:
        return Act(ACTOR, "", microseconds(self.house.clock()))

    async def due_documents(self) -> list[str]:
        """Give the documents whose time has passed and that nothing holds."""
        return await self.house.database.fetch(self._due_documents)

    def _due_documents(self, connection: Connection) -> list[str]:
        return documents.due_for_expiry(connection, self._act().time, select(dossiers.c.document))

    async def expire_document(self, name: str) -> None:
        """Remove a document's row, and its object unless another row needs it."""
        await self.house.database.run(self._expire, name)

    def _expire(self, connection: Connection, name: str) -> None:
        """The object goes before the commit: who stores the same bytes meanwhile waits at the journal's head.

        A crash in between leaves a row without its object, which the next run removes.
        """
        sha256 = documents.expire(connection, self.house.journal, self._act(), name, _is_held)
        if sha256 is not None and not record.is_referenced(connection, bytes.fromhex(sha256)):
            self.house.keeper.store.delete(sha256)

    async def due_sessions(self) -> list[str]:
        """Give the signature sessions that need not be remembered any longer."""
        return await self.house.database.fetch(signature_sessions.due_for_expiry, self._act().time)

    async def expire_session(self, name: str) -> None:
        """Remove a signature session; the act stands in the journal."""
        await self.house.database.run(signature_sessions.expire, self.house.journal, self._act(), name)

    async def due_answers(self) -> list[str]:
        """Give the present hour: answers are forgotten once in each, whatever became of the last one's."""
        return [f"{self.house.clock():%Y-%m-%dT%H}"]

    async def forget_answers(self, _hour: str) -> None:
        """Forget answers that are older than documents get."""
        age = timedelta(hours=self.house.configuration.documents.expire_after_hours)
        before = microseconds(self.house.clock() - age)
        await self.house.database.run(idempotency.forget, before)

    async def due_objects(self) -> list[str]:
        """Give the old objects that no row needs: what is left of calls that were not answered."""
        stored, orphans = self.house.keeper.store.iterate(), list[str]()
        # In short transactions: while one is open, SQLite's write-ahead log only grows.
        while some := await asyncio.to_thread(
            lambda: [found.sha256 for found in islice(stored, OBJECTS_AT_ONCE)]
        ):
            orphans += await self.house.database.fetch(self._orphans, some)
        return orphans

    def _orphans(self, connection: Connection, objects: list[str]) -> list[str]:
        return [sha256 for sha256 in objects if self._is_orphan(connection, sha256)]

    def _is_orphan(self, connection: Connection, sha256: str) -> bool:
        digest = bytes.fromhex(sha256)
        if documents.is_referenced(connection, digest) or record.is_referenced(connection, digest):
            return False
        return self.house.clock() - self.house.keeper.store.last_put(sha256) > ORPHAN_AGE

    async def sweep_object(self, sha256: str) -> None:
        """Remove an object that no row needs; the act stands in the journal."""
        await self.house.database.run(self._sweep, sha256)

    def _sweep(self, connection: Connection, sha256: str) -> None:
        store = self.house.keeper.store
        if not store.exists(sha256) or not self._is_orphan(connection, sha256):
            return
        self.house.journal.append(
            connection,
            actor=ACTOR,
            act="object.sweep",
            resource=f"objects/{sha256}",
            request_id="",
            digest=bytes.fromhex(sha256),
            row=None,
        )
        if self._is_orphan(connection, sha256):
            store.delete(sha256)

    async def due_checkpoint(self) -> list[str]:
        """Give the journal's size when something is not covered by a checkpoint."""
        size = await self.house.database.fetch(self._uncovered_size)
        return [] if size is None else [str(size)]

    def _uncovered_size(self, connection: Connection) -> int | None:
        """Our own authority's time-stamp of a checkpoint is an act too; alone it calls for no new one."""
        size = checkpoint.size_to_sign(connection)
        self.house.metrics.journal_size.set(head(connection).size)
        last = checkpoint.latest_checkpoint(connection)
        if last is None or last.timestamp_token is None or self.house.authority is None:
            return size
        return None if size == last.size + 1 else size

    async def sign_checkpoint(self, _size: str) -> None:
        """Sign the journal's present head and have it time-stamped; a stamp that fails is due by itself."""
        signed = await self.house.database.run(
            checkpoint.sign_checkpoint, self.house.checkpoint_signer, self.house.clock()
        )
        if signed is not None:
            with suppress(PeceteError):
                await self.stamp_checkpoint(str(signed.size))

    async def due_stamps(self) -> list[str]:
        """Give the sizes of checkpoints without a time-stamp."""
        return [str(size) for size in await self.house.database.fetch(checkpoint.sizes_to_timestamp)]

    async def stamp_checkpoint(self, size: str) -> None:
        """Have a checkpoint time-stamped."""
        imprint = await self.house.database.fetch(checkpoint.timestamp_imprint, int(size))
        if imprint is None or self.house.time_stamper is None:
            return
        token = await self.house.time_stamper.stamp("sha256", imprint, client=ACTOR, request_id="")
        await self.house.database.run(checkpoint.attach_timestamp, int(size), token)


def _is_held(connection: Connection, document: str) -> bool:
    return any(held_documents(connection, document))
