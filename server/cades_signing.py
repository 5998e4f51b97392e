"""The journey of a CAdES signature, alone or in a container: digest, token, time-stamp, new document.

No document is held in memory: a worker process reads what is to be signed and gives its digest, a worker of
the token signs it, and the new document is written as pieces, most of which are copied from what is stored.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from pecete.errors import InvalidArgumentError, PeceteError, ResourceExhaustedError
from server.cades_work import FormPlan, StoredFile, plan_form
from server.document_keeping import DocumentKeeper
from server.documents import Document
from server.idempotency import RequestKey
from server.made_signatures import MadeSignature, SignatureRaiser, SignedDocument
from server.media_type import file_suffix
from server.signature_formats import SUFFIXES, FormatOrder
from server.signing import SigningOrder
from server.stamping import Stamping
from server.times import microseconds
from server.token_registry import RegisteredKey, TokenRegistry
from server.workers import WorkerPool
from signer.asic.signing import member_names
from signer.cades.signing import SignatureOptions


@dataclass(frozen=True)
class CadesSigner:
    """Makes CAdES signatures of stored documents. One for the whole server.

    workers: processes prepared by `document_work.prepare`, in which documents are read.
    """

    keeper: DocumentKeeper
    tokens: TokenRegistry
    stamping: Stamping
    raiser: SignatureRaiser
    workers: WorkerPool
    clock: Callable[[], datetime]

    async def sign(
        self,
        key: RegisteredKey,
        document: Document,
        order: SigningOrder,
        form: FormatOrder,
        request: RequestKey,
    ) -> SignedDocument:
        """Sign a document with one key that was found for this caller, or go on where this request stopped.

        Raises what the key, the documents or the time-stamping authority is at fault with; the level that was
        asked for is never lowered. Once the key has signed, what was reached is kept, see `SignatureRaiser`.
        """
        self._require_level(order.level, form)
        detached = _detached_sha256(document, form)
        resumed = await self.raiser.resume(request, document.sha256, order.level, detached=detached)
        if resumed is not None:
            return resumed
        now = self.clock()
        planned = await self.workers.run(
            plan_form, await self._plan(document, form), key.info.algorithm.digest
        )
        signature = await self.tokens.sign_digest(
            key,
            planned.digest,
            SignatureOptions(now, _mime_type(document, form), order.commitment),
            order.pin,
            counter=bool(form.countersigned),
        )
        value_sha256 = sha256(signature.signature).digest()
        token, lacking = b"", None
        if order.level != "B-B":
            try:
                token = await self.stamping.stamp(
                    value_sha256, principal=request.principal, request_id=request.request_id
                )
            except PeceteError as error:
                lacking = error
        stored = await self.keeper.store_pieces(
            await self.workers.run(planned.form.pieces, signature, token or None, now)
        )
        described = replace(
            self.raiser.described(stored, document),
            media_type=form.media_type,
            display_name=_display_name(document, form),
        )
        level = "B-T" if token else "B-B"
        made = MadeSignature(
            planned.field, key.name, level, microseconds(now), token, form.format, value_sha256
        )
        signed = SignedDocument(described, made, document)
        if lacking is not None:
            raise await self.raiser.kept(signed, lacking, request) from lacking
        return await self.raiser.raised(signed, order.level, request, detached=detached)

    def _require_level(self, level: str, form: FormatOrder) -> None:
        """Refuse a level that cannot be reached, before anything is signed."""
        if form.countersigned and level not in ("B-B", "B-T"):
            raise InvalidArgumentError(
                "COUNTERSIGNATURE_LEVEL",
                "A countersignature is made at B-B or B-T; what it signs can be raised afterwards.",
                field="level",
            )
        if level != "B-B":
            self.stamping.require()

    async def _plan(self, document: Document, form: FormatOrder) -> FormPlan:
        """Look the documents up in the store, and check those whose octets are not checked on the way."""
        sources = (document, *form.further)
        if sum(source.size_bytes for source in sources) > self.keeper.maximum_bytes:
            raise ResourceExhaustedError(
                "DOCUMENT_TOO_LARGE",
                f"At most {self.keeper.maximum_bytes} bytes are taken together.",
                field="further_documents",
                metadata={"maximum_bytes": str(self.keeper.maximum_bytes)},
            )
        store = self.keeper.store
        checked = [document] if form.is_further or form.format.startswith("CAdES") else []
        for each in (*checked, *([form.detached] if form.detached else [])):
            await asyncio.to_thread(store.verify, each.sha256.hex())
        titles = member_names(
            each.display_name or f"document{file_suffix(each.media_type)}" for each in sources
        )
        files = tuple(
            StoredFile(store.path(each.sha256.hex()), title, each.media_type, each.sha256)
            for each, title in zip(sources, titles, strict=True)
        )
        detached = store.path(form.detached.sha256.hex()) if form.detached else None
        return FormPlan(form.format, form.is_further, files, detached, form.countersigned)


def _mime_type(document: Document, form: FormatOrder) -> str:
    """What the signature says of its content; nothing of a manifest, nor where others have said it."""
    return "" if form.is_further or form.format == "ASiC-E" else document.media_type


def _detached_sha256(document: Document, form: FormatOrder) -> str:
    """The content of a detached signature."""
    if form.format != "CAdES-detached":
        return ""
    content = form.detached if form.is_further else document
    return content.sha256.hex() if content else ""


def _display_name(document: Document, form: FormatOrder) -> str:
    if form.is_further or not document.display_name:
        return document.display_name
    return document.display_name + SUFFIXES[form.format]
