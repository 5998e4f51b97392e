"""The journey of raising levels: what signatures lack is collected, stamped and added, step by step.

Each step makes an object in the store; only the last object becomes a document, and those between are
swept. A level is reached and proven, or the call fails and nothing is registered.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from archive.objects import StoredObject
from pecete.errors import FailedPreconditionError
from server.document_keeping import DocumentKeeper
from server.judging import Judge
from server.material_collecting import RevocationSource, collect
from server.raising import Raised, Workshop, raising
from server.signature_formats import ASIC_E_TYPE
from server.stamping import Stamping
from server.workers import WorkerPool
from signer.material import ValidationMaterial
from signer.validation.facts import Integrity
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
        clock: Callable[[], datetime],
    ) -> None:
        self._keeper = keeper
        self._judge = judge
        self._sources = sources
        self._stamping = stamping
        self._workers = workers
        self._clock = clock

    async def augment(
        self, raised: Raised, level: str, *, field: str, principal: str, request_id: str
    ) -> StoredObject:
        """Raise the signature in `field`, or with "" every signature, of a stored object to one of LEVELS.

        At B-LTA already, a signature is renewed: material for the last time-stamp, then a new one. An ASiC-E
        reaches B-LTA as a whole, whatever the field.
        Raises FailedPreconditionError DOCUMENT_NOT_SIGNED, SIGNATURE_NOT_FOUND, SIGNATURE_NOT_VALID,
        TIMESTAMP_NOT_INTACT, VALIDATION_MATERIAL_MISSING, LEVEL_ALREADY_REACHED, LEVEL_NOT_REACHED or
        TIMESTAMP_AUTHORITY_NOT_CONFIGURED; what the document or the authority is at fault with.
        """
        workshop = Workshop(self._keeper, self._stamping, self._workers, self._clock, principal, request_id)
        steps = raising(raised, workshop)
        scope = "" if level == "B-LTA" and raised.media_type == ASIC_E_TYPE else field
        survey = partial(self._survey, raised, scope)
        found = await survey(raised.sha256, ValidationMaterial())
        _require_signatures(found, field)
        require_intact(found)
        last, given = raised.sha256, ValidationMaterial()
        fields = [scope] if scope else []
        unstamped = [each.verdict.field for each in found.signatures if each.reached == "B"]
        if unstamped:
            last = await steps.stamp(last, unstamped)
        if level != "B-T":
            found, given = await collect(partial(survey, last), self._sources)
            for signature in found.signatures:
                if not signature.verdict.conclusion.passed:
                    raise _not_valid(signature)
            last = await steps.keep(last, fields, found.material)
        if level == "B-LTA":
            last = await steps.archive(last, fields)
        if last == raised.sha256:
            raise FailedPreconditionError(
                "LEVEL_ALREADY_REACHED", "The document has all that this level needs.", field="level"
            )
        lists = await self._judge.revocation_lists()
        _prove(await survey(last, given + ValidationMaterial(crls=lists)), level)
        return StoredObject(last, self._keeper.store.size(last))

    async def _survey(self, raised: Raised, field: str, sha256: str, material: ValidationMaterial) -> Survey:
        path = self._keeper.store.path
        detached = [path(raised.detached)] if raised.detached else []
        return await self._judge.survey(path(sha256), field, material, detached=detached)


def require_intact(found: Survey) -> None:
    """Refuse what no level can mend.

    Raises FailedPreconditionError SIGNATURE_NOT_VALID, or TIMESTAMP_NOT_INTACT where the signature has a
    time-stamp that is over something else: a higher level would keep it for ever.
    """
    for signature in found.signatures:
        if signature.verdict.conclusion.indication is Indication.TOTAL_FAILED:
            raise _not_valid(signature)
        if any(stamp.integrity is Integrity.BROKEN for stamp in signature.verdict.timestamps):
            raise FailedPreconditionError(
                "TIMESTAMP_NOT_INTACT",
                "The signature has a time-stamp that does not hold, and is not raised.",
                field="document",
                metadata={"signature": signature.verdict.field},
            )


def _prove(found: Survey, level: str) -> None:
    """Judge the result, read anew with the configured lists, which may know of a later revocation."""
    wanted = _ORDER.index(level.removeprefix("B-"))
    for signature in found.signatures:
        if level != "B-T" and not signature.verdict.conclusion.passed:
            raise _not_valid(signature)
        if _ORDER.index(signature.reached) < wanted:
            raise FailedPreconditionError(
                "LEVEL_NOT_REACHED",
                f"The signature would be at level {signature.reached} only.",
                field="level",
                metadata={"signature": signature.verdict.field, "reached": signature.reached},
            )


def _require_signatures(found: Survey, field: str) -> None:
    if any(field in ("", each.verdict.field) for each in found.signatures):
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
