"""The journey of one signature: document, token, time-stamp, new document.

No byte of the given document changes and none is held in memory: a worker process reads it where it is
stored and gives back the section to append; the time-stamp goes into that section; the object store copies
the document and appends. Levels above B-T take further sections. What fails before the token has signed
leaves at most objects without a row, which are swept.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from pecete.commitment import CommitmentType
from pecete.errors import PeceteError
from server.document_keeping import DocumentKeeper
from server.documents import Document
from server.idempotency import RequestKey
from server.made_signatures import MadeSignature, SignatureRaiser, SignedDocument
from server.stamping import TIMESTAMP_RESERVE, Stamping
from server.times import microseconds
from server.token_registry import RegisteredKey, TokenRegistry
from signer.pades.options import AppearanceText, Certification, Lock, PlannedField, SignatureOptions
from signer.pades.signing import SignedSection, finish, signature_value


@dataclass(frozen=True)
class Visible:
    """What a visible signature shows beside the signer's name; `page` is counted from 1, 0 is the last."""

    capacity: str = ""
    register_number: str = ""
    verification_uri: str = ""
    page: int = 0

    def text(self, signer_name: str) -> AppearanceText:
        """Give the texts of the appearance for a signer of this name."""
        return AppearanceText(signer_name, self.capacity, self.register_number, self.verification_uri)


@dataclass(frozen=True)
class SigningOrder:
    """What a caller wants: key, level, what the signature says, and the PIN where the key asks for one.

    What is said of the signature is as in `SignatureOptions`.
    """

    signing_key: str
    level: str = "B-T"
    pin: str | None = field(default=None, repr=False)
    field_name: str | None = None
    reason: str = ""
    location: str = ""
    visible: Visible | None = None
    certification: Certification | None = None
    certify_first_only: bool = False
    lock: Lock | None = None
    commitment: CommitmentType | None = None
    planned_fields: tuple[PlannedField, ...] = ()

    def options(self, signer_name: str, signing_time: datetime) -> SignatureOptions:
        """Give how this signature is made by a signer of this name at this time."""
        shown = self.visible
        return SignatureOptions(
            signing_time=signing_time,
            field_name=self.field_name,
            reason=self.reason,
            location=self.location,
            appearance=shown.text(signer_name) if shown else None,
            page=shown.page if shown else 0,
            timestamp_reserve=0 if self.level == "B-B" else TIMESTAMP_RESERVE,
            certification=self.certification,
            certify_first_only=self.certify_first_only,
            lock=self.lock,
            commitment=self.commitment,
            planned_fields=self.planned_fields,
        )


class DocumentSigner:
    """Makes PAdES signatures of stored documents. One for the whole server."""

    def __init__(
        self,
        keeper: DocumentKeeper,
        tokens: TokenRegistry,
        stamping: Stamping,
        raiser: SignatureRaiser,
        clock: Callable[[], datetime],
    ) -> None:
        self.tokens = tokens
        self.raiser = raiser
        self._keeper = keeper
        self._stamping = stamping
        self._clock = clock

    async def sign(
        self, key: RegisteredKey, document: Document, order: SigningOrder, request: RequestKey
    ) -> SignedDocument:
        """Sign one document with one key that was found for this caller, or go on where this request stopped.

        Raises what the key, the document or the time-stamping authority is at fault with; the level that was
        asked for is never lowered. Raises as `finish` once the key has signed.
        """
        self.require_level(order.level)
        if (resumed := await self.raiser.resume(request, document.sha256, order.level)) is not None:
            return resumed
        now = self._clock()
        options = order.options(key.info.common_name, now)
        path = self._keeper.store.path(document.sha256.hex())
        section = await self.tokens.sign_section(key, path, options, order.pin)
        made = MadeSignature(section.field_name, key.name, "B-B", microseconds(now))
        return await self.finish(document, section, made, order.level, request)

    def require_level(self, level: str) -> None:
        """Refuse a level that cannot be reached here, before anything is signed.

        Raises FailedPreconditionError TIMESTAMP_AUTHORITY_NOT_CONFIGURED.
        """
        if level != "B-B":
            self._stamping.require()

    async def finish(
        self,
        document: Document,
        section: SignedSection,
        made: MadeSignature,
        level: str,
        request: RequestKey,
    ) -> SignedDocument:
        """Bring a signature that was made, at B-B so far, to its level and store the new document.

        Raises what keeps it from its level; what was reached is kept then, see `SignatureRaiser`.
        """
        token, lacking = b"", None
        if level != "B-B":
            try:
                digest = sha256(signature_value(section)).digest()
                token = await self._stamping.stamp(
                    digest, principal=request.principal, request_id=request.request_id
                )
            except PeceteError as error:
                lacking = error
        base = document.sha256.hex()
        tail = finish(section, token or None)
        stored = await asyncio.to_thread(self._keeper.store.append_object, base, tail)
        if token:
            made = replace(made, level="B-T", timestamp_token=token)
        signed = SignedDocument(self.raiser.described(stored, document), made, document)
        if lacking is not None:
            raise await self.raiser.kept(signed, lacking, request) from lacking
        return await self.raiser.raised(signed, level, request)

    async def finish_basic(
        self, made: Sequence[tuple[Document, SignedSection, MadeSignature]]
    ) -> list[SignedDocument | PeceteError]:
        """Store many new documents whose signatures stay at level B-B, all at once.

        Gives for each the document, or why it cannot be stored.
        """
        appended = [(document.sha256.hex(), finish(section, None)) for document, section, _made in made]
        try:
            outcomes = await asyncio.to_thread(self._keeper.store.append_objects, appended)
        except PeceteError as error:
            return [error] * len(made)
        return [
            outcome
            if isinstance(outcome, PeceteError)
            else SignedDocument(self.raiser.described(outcome, document), signature, document)
            for outcome, (document, _section, signature) in zip(outcomes, made, strict=True)
        ]
