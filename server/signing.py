"""The journey of one signature: document, token, time-stamp, new document.

No byte of the given document changes and none is held in memory: a worker process reads it where it is
stored and gives back the section to append; the time-stamp goes into that section; the object store copies
the document and appends. Levels above B-T take further sections. What is not answered leaves at most objects
without a row, which are swept.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from pecete.commitment import CommitmentType
from server.augmenting import DocumentAugmenter
from server.document_keeping import DocumentKeeper
from server.documents import Document
from server.raising import Raised
from server.stamping import TIMESTAMP_RESERVE, Stamping
from server.times import microseconds
from server.token_registry import RegisteredKey, TokenRegistry
from signer.forms import Format
from signer.pades.options import AppearanceText, Certification, Lock, PlannedField, SignatureOptions
from signer.pades.signing import SignedSection, finish, signature_value

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
"""PAdES baseline levels that can be made, lowest first."""


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


@dataclass(frozen=True)
class MadeSignature:
    """A signature that was made: `signing_time` in microseconds UTC, the token (DER) empty at B-B.

    signature_sha256: of a CAdES signature's value; empty for PAdES.
    """

    field_name: str
    signing_key: str
    level: str
    signing_time: int
    timestamp_token: bytes
    format: Format = "PAdES"
    signature_sha256: bytes = b""


@dataclass(frozen=True)
class SignedDocument:
    """The new document, stored but not yet registered, and its signature."""

    document: Document
    signature: MadeSignature


class DocumentSigner:
    """Signs stored documents. One for the whole server."""

    def __init__(
        self,
        keeper: DocumentKeeper,
        tokens: TokenRegistry,
        stamping: Stamping,
        augmenter: DocumentAugmenter,
        clock: Callable[[], datetime],
    ) -> None:
        self.tokens = tokens
        self._keeper = keeper
        self._stamping = stamping
        self._augmenter = augmenter
        self._clock = clock

    async def sign(
        self, key: RegisteredKey, document: Document, order: SigningOrder, *, principal: str, request_id: str
    ) -> SignedDocument:
        """Sign one document with one key that was found for this caller.

        Raises what the key, the document or the time-stamping authority is at fault with; the level that was
        asked for is never lowered, and nothing is registered.
        """
        self.require_level(order.level)
        now = self._clock()
        options = order.options(key.info.common_name, now)
        path = self._keeper.store.path(document.sha256.hex())
        section = await self.tokens.sign_section(key, path, options, order.pin)
        return await self.finish(
            document,
            section,
            signing_key=key.name,
            level=order.level,
            signing_time=microseconds(now),
            principal=principal,
            request_id=request_id,
        )

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
        *,
        signing_key: str,
        level: str,
        signing_time: int,
        principal: str,
        request_id: str,
    ) -> SignedDocument:
        """Bring a signature that was made to its level and store the new document.

        signing_time: claimed by the signature, microseconds UTC. Raises as `sign` of level and document.
        """
        token = b""
        if level != "B-B":
            digest = sha256(signature_value(section)).digest()
            token = await self._stamping.stamp(digest, principal=principal, request_id=request_id)
        tail = finish(section, token or None)
        stored = await asyncio.to_thread(self._keeper.store.append_object, document.sha256.hex(), tail)
        if level in ("B-LT", "B-LTA"):
            stored = await self._augmenter.augment(
                Raised(stored.sha256, document.media_type),
                level,
                field=section.field_name,
                principal=principal,
                request_id=request_id,
            )
        signed = self._keeper.describe(
            stored,
            media=document.media_type,
            display_name=document.display_name,
            owner=document.owner,
            time=microseconds(self._clock()),
        )
        made = MadeSignature(section.field_name, signing_key, level, signing_time, token)
        return SignedDocument(signed, made)
