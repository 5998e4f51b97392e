"""The steps of raising a level, by what a document is: a PDF, or a file with CAdES signatures.

Each step makes a new object of one in the store and gives its SHA-256.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from server import document_work
from server.document_keeping import DocumentKeeper
from server.signature_formats import ASIC_E_TYPE, CADES_TYPES
from server.stamping import Stamping
from server.workers import WorkerPool
from signer.asic.archiving import finish_archiving, prepare_archiving
from signer.material import ValidationMaterial
from signer.pades.augmentation import finish_timestamp
from signer.pieces import Piece
from signer.signature_files import SignatureFile


@dataclass(frozen=True)
class Raised:
    """What is raised: the object, its media type, and where it has it apart, the object that was signed."""

    sha256: str
    media_type: str
    detached: str = ""


class Raising(Protocol):
    """The steps for one kind of document. fields: the signatures that are meant; empty for all."""

    async def stamp(self, last: str, fields: Sequence[str]) -> str:
        """Time-stamp the signatures in these fields, which have no time-stamp."""

    async def keep(self, last: str, fields: Sequence[str], material: ValidationMaterial) -> str:
        """Add what proves the signatures; gives the same object where it has all."""

    async def archive(self, last: str, fields: Sequence[str]) -> str:
        """Time-stamp the signatures with what proves them."""


@dataclass(frozen=True)
class Workshop:
    """What the steps are made with; `workers` are prepared by `document_work.prepare`.

    stamp: gives a TimeStampToken (DER) over a SHA-256.
    """

    keeper: DocumentKeeper
    stamping: Stamping
    workers: WorkerPool
    clock: Callable[[], datetime]
    principal: str
    request_id: str

    async def stamp(self, digest: bytes) -> bytes:
        """Give a TimeStampToken (DER) over a SHA-256. Raises what `Stamping.stamp` raises."""
        return await self.stamping.stamp(digest, principal=self.principal, request_id=self.request_id)

    def path(self, digest: str) -> Path:
        """Where an object is stored."""
        return self.keeper.store.path(digest)


def raising(raised: Raised, workshop: Workshop) -> Raising:
    """The steps for a document."""
    if raised.media_type in CADES_TYPES:
        return CadesRaising(raised, workshop)
    return PdfRaising(workshop)


class PdfRaising:
    """A PDF gets sections: document time-stamps, and a security store (EN 319 142-1)."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def stamp(self, last: str, fields: Sequence[str]) -> str:
        """Append a document time-stamp over all that is there."""
        workshop = self._workshop
        workshop.stamping.require()
        section = await workshop.workers.run(document_work.timestamp_section, workshop.path(last))
        token = await workshop.stamp(section.digest)
        return await self._append(last, finish_timestamp(section, token))

    async def keep(self, last: str, fields: Sequence[str], material: ValidationMaterial) -> str:
        """Append what the security store lacks."""
        workshop = self._workshop
        tail = await workshop.workers.run(document_work.material_section, workshop.path(last), material)
        return await self._append(last, tail) if tail else last

    async def archive(self, last: str, fields: Sequence[str]) -> str:
        """Append a document time-stamp."""
        return await self.stamp(last, fields)

    async def _append(self, last: str, tail: bytes) -> str:
        stored = await asyncio.to_thread(self._workshop.keeper.store.append_object, last, tail)
        return stored.sha256


class CadesRaising:
    """A CMS signature gets attributes and material inside (EN 319 122-1), also within a container.

    An ASiC-E is archived as a whole, by an archive manifest (EN 319 162-1).
    """

    def __init__(self, raised: Raised, workshop: Workshop) -> None:
        self._raised = raised
        self._workshop = workshop

    async def stamp(self, last: str, fields: Sequence[str]) -> str:
        """Add signature-time-stamps."""
        file, run = self._file(last), self._workshop.workers.run
        places = await run(file.signers, fields)
        tokens = [await self._workshop.stamp(place.signature_sha256) for place in places]
        return await self._store(await run(file.with_time_stamps, places, tokens, self._workshop.clock()))

    async def keep(self, last: str, fields: Sequence[str], material: ValidationMaterial) -> str:
        """Add what the signatures lack, or the last archive time-stamp over them."""
        file, run = self._file(last), self._workshop.workers.run
        names = sorted({place.name for place in await run(file.signers, fields)})
        pieces = await run(file.with_material, names, material, self._workshop.clock())
        return await self._store(pieces) if pieces else last

    async def archive(self, last: str, fields: Sequence[str]) -> str:
        """Add an archive time-stamp to each signature, or to the whole ASiC-E."""
        if self._raised.media_type == ASIC_E_TYPE:
            return await self._archive_container(last)
        run, now = self._workshop.workers.run, self._workshop.clock()
        for place in await run(self._file(last).signers, fields):
            file = self._file(last)
            prepared = await run(file.prepare_archive_time_stamp, place)
            token = await self._workshop.stamp(prepared.imprint)
            last = await self._store(await run(file.with_archive_time_stamp, place, prepared, token, now))
        return last

    async def _archive_container(self, last: str) -> str:
        run, path = self._workshop.workers.run, self._workshop.path(last)
        prepared = await run(prepare_archiving, path)
        token = await self._workshop.stamp(prepared.imprint)
        return await self._store(await run(finish_archiving, path, prepared, token, self._workshop.clock()))

    def _file(self, last: str) -> SignatureFile:
        detached = self._raised.detached
        return SignatureFile(self._workshop.path(last), self._workshop.path(detached) if detached else None)

    async def _store(self, pieces: Sequence[Piece]) -> str:
        return (await self._workshop.keeper.store_pieces(pieces)).sha256
