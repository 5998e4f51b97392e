"""The journey of raising levels: what signatures lack is collected, stamped and appended as further sections.

Each section is appended to what the object store holds; only the last object becomes a document, and those
between are swept. A level is reached and proven, or the call fails and nothing is registered.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from archive.objects import StoredObject
from pecete.errors import FailedPreconditionError
from server import document_work
from server.document_keeping import DocumentKeeper
from server.judging import Judge
from server.material_collecting import RevocationSource, collect
from server.stamping import Stamping
from server.workers import WorkerPool
from signer.material import ValidationMaterial
from signer.pades.augmentation import finish_timestamp
from signer.validation.indication import Indication
from signer.validation.survey import Survey, SurveyedSignature

LEVELS = ("B-T", "B-LT", "B-LTA")
"""Levels that a signature can be raised to, lowest first."""

_ORDER = ("B", "T", "LT", "LTA")


class DocumentAugmenter:
    """Raises the levels of signatures in stored documents. One for the whole server.

    workers: processes prepared by `document_work.prepare`, in which documents are read.
    """

    def __init__(
        self,
        keeper: DocumentKeeper,
        judge: Judge,
        sources: Sequence[RevocationSource],
        stamping: Stamping,
        workers: WorkerPool,
    ) -> None:
        self._keeper = keeper
        self._judge = judge
        self._sources = sources
        self._stamping = stamping
        self._workers = workers

    async def augment(
        self, sha256: str, level: str, *, field: str, principal: str, request_id: str
    ) -> StoredObject:
        """Raise the signature in `field`, or with "" every signature, of a stored object to one of LEVELS.

        At B-LTA already, a signature is renewed: material for the last document time-stamp, then a new one.
        Raises FailedPreconditionError DOCUMENT_NOT_SIGNED, SIGNATURE_NOT_FOUND, SIGNATURE_NOT_VALID,
        VALIDATION_MATERIAL_MISSING, LEVEL_ALREADY_REACHED, LEVEL_NOT_REACHED or
        TIMESTAMP_AUTHORITY_NOT_CONFIGURED; what the document or the authority is at fault with.
        """
        stamp = partial(self._stamp, principal=principal, request_id=request_id)
        found = await self._survey(sha256, field, ValidationMaterial())
        _require_signatures(found, field)
        for signature in found.signatures:
            if signature.verdict.conclusion.indication is Indication.TOTAL_FAILED:
                raise _not_valid(signature)
        last, given = sha256, ValidationMaterial()
        if any(signature.reached == "B" for signature in found.signatures):
            last = await stamp(last)
        if level != "B-T":
            last, given = await self._keep_material(last, field)
        if level == "B-LTA":
            last = await stamp(last)
        if last == sha256:
            raise FailedPreconditionError(
                "LEVEL_ALREADY_REACHED", "The document has all that this level needs.", field="level"
            )
        await self._prove(last, level, field, given)
        return StoredObject(last, self._keeper.store.size(last))

    async def _survey(self, sha256: str, field: str, material: ValidationMaterial) -> Survey:
        return await self._judge.survey(self._keeper.store.path(sha256), field, material)

    async def _keep_material(self, sha256: str, field: str) -> tuple[str, ValidationMaterial]:
        """Append what proves the signatures; gives the object, and what came from the sources."""
        found, given = await collect(partial(self._survey, sha256, field), self._sources)
        for signature in found.signatures:
            if not signature.verdict.conclusion.passed:
                raise _not_valid(signature)
        path = self._keeper.store.path(sha256)
        tail = await self._workers.run(document_work.material_section, path, found.material)
        return (await self._append(sha256, tail) if tail else sha256), given

    async def _stamp(self, sha256: str, *, principal: str, request_id: str) -> str:
        """Append a document time-stamp over all that is there."""
        self._stamping.require()
        section = await self._workers.run(document_work.timestamp_section, self._keeper.store.path(sha256))
        token = await self._stamping.stamp(section.digest, principal=principal, request_id=request_id)
        return await self._append(sha256, finish_timestamp(section, token))

    async def _append(self, sha256: str, tail: bytes) -> str:
        return (await asyncio.to_thread(self._keeper.store.append_object, sha256, tail)).sha256

    async def _prove(self, sha256: str, level: str, field: str, given: ValidationMaterial) -> None:
        """Read the result anew, with the configured lists, which may know of a later revocation."""
        lists = await self._judge.revocation_lists()
        found = await self._survey(sha256, field, given + ValidationMaterial(crls=lists))
        wanted = _ORDER.index(level.removeprefix("B-"))
        for signature in found.signatures:
            if level != "B-T" and not signature.verdict.conclusion.passed:
                raise _not_valid(signature)
            if _ORDER.index(signature.reached) < wanted:
                raise FailedPreconditionError(
                    "LEVEL_NOT_REACHED",
                    f"The signature would be at level {signature.reached} only; nothing was registered.",
                    field="level",
                    metadata={"signature": signature.verdict.field, "reached": signature.reached},
                )


def _require_signatures(found: Survey, field: str) -> None:
    if found.signatures:
        return
    if field:
        raise FailedPreconditionError(
            "SIGNATURE_NOT_FOUND",
            "The document has no signature in such a field.",
            field="field_name",
        )
    raise FailedPreconditionError("DOCUMENT_NOT_SIGNED", "The document has no signature.", field="document")


def _not_valid(signature: SurveyedSignature) -> FailedPreconditionError:
    verdict = signature.verdict
    return FailedPreconditionError(
        "SIGNATURE_NOT_VALID",
        f"A signature that is not valid is not raised: {verdict.conclusion.explanation}.",
        field="document",
        metadata={
            "signature": verdict.field,
            "indication": str(verdict.conclusion.indication),
            "sub_indication": str(verdict.conclusion.sub_indication or ""),
        },
    )
