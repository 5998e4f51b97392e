"""gRPC front of signing: translates requests and answers."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import grpc
from sqlalchemy import Connection

from pecete.errors import InvalidArgumentError
from pecete.signing.v1 import signing_pb2 as pb
from pecete.signing.v1 import signing_pb2_grpc as rpc
from server import augmenting, documents
from server.augmenting import DocumentAugmenter
from server.cades_signing import CadesSigner
from server.database import Database
from server.document_keeping import INLINE_MAXIMUM, DocumentKeeper
from server.documents import Document
from server.documents_service import document_message
from server.idempotency import RequestKey, RequestLocks, recall, recall_in_turn, remember, request_key
from server.interceptors import caller
from server.made_signatures import signature_message
from server.raising import Raised
from server.signature_formats import find_detached, format_order
from server.signature_statements import certification, commitment, lock
from server.signing import DocumentSigner, SigningOrder, Visible
from server.signing_key_message import key_message
from server.times import microseconds
from workflow.journal import Act

_LEVEL_CODES: dict[str, pb.SignatureLevel.ValueType] = {
    "B-B": pb.SIGNATURE_LEVEL_B_B,
    "B-T": pb.SIGNATURE_LEVEL_B_T,
    "B-LT": pb.SIGNATURE_LEVEL_B_LT,
    "B-LTA": pb.SIGNATURE_LEVEL_B_LTA,
}
_LEVELS: dict[int, str] = {code: name for name, code in _LEVEL_CODES.items()}
_LEVELS[pb.SIGNATURE_LEVEL_UNSPECIFIED] = "B-T"
PAGE_SIZE = 100

Request = pb.SignDocumentRequest | pb.AugmentSignatureRequest
Answer = TypeVar("Answer", pb.SignDocumentResponse, pb.AugmentSignatureResponse)


def page_size(wanted: int) -> int:
    """Give how many items a page has at most (AIP-158). Raises InvalidArgumentError PAGE_SIZE_NEGATIVE."""
    if wanted < 0:
        raise InvalidArgumentError("PAGE_SIZE_NEGATIVE", "A page has no negative size.", field="page_size")
    return min(wanted or PAGE_SIZE, PAGE_SIZE)


def level_name(level: int) -> str:
    """Give a wire level as the domain names it. Raises InvalidArgumentError SIGNATURE_LEVEL_UNKNOWN."""
    if level not in _LEVELS:
        raise InvalidArgumentError("SIGNATURE_LEVEL_UNKNOWN", "There is no such level.", field="level")
    return _LEVELS[level]


def level_code(level: str) -> pb.SignatureLevel.ValueType:
    """Give a level as the wire names it."""
    return _LEVEL_CODES[level]


class SigningService(rpc.SigningServiceServicer):
    """Lists keys, signs documents with them, and raises the levels of signatures."""

    def __init__(
        self,
        database: Database,
        keeper: DocumentKeeper,
        signer: DocumentSigner,
        cades_signer: CadesSigner,
        augmenter: DocumentAugmenter,
        locks: RequestLocks,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._signer = signer
        self._cades_signer = cades_signer
        self._augmenter = augmenter
        self._locks = locks
        self._clock = clock

    async def ListSigningKeys(
        self, request: pb.ListSigningKeysRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.ListSigningKeysResponse:
        """List the caller's keys."""
        keys = await self._signer.tokens.list_keys(caller().principal)
        rest = [key for key in keys if key.name > request.page_token]
        size = page_size(request.page_size)
        page = rest[:size]
        more = page[-1].name if len(rest) > size else ""
        now = self._clock()
        messages = [key_message(key, now) for key in page]
        return pb.ListSigningKeysResponse(signing_keys=messages, next_page_token=more)

    async def GetSigningKey(
        self, request: pb.GetSigningKeyRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.SigningKey:
        """Describe one key."""
        key = await self._signer.tokens.describe(request.name, caller().principal)
        return key_message(key, self._clock())

    async def SignDocument(
        self, request: pb.SignDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.SignDocumentResponse:
        """Make one signature and register the new document."""
        key = request_key(caller().principal, "SignDocument", request)
        async with self._locks.hold(key):
            first = await self._database.fetch(recall, key)
            answer = (
                await self._sign(request, key) if first is None else pb.SignDocumentResponse.FromString(first)
            )
        await self._add_content(answer, request.return_content)
        return answer

    async def AugmentSignature(
        self, request: pb.AugmentSignatureRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.AugmentSignatureResponse:
        """Add what signatures lack to a level and register the new document."""
        key = request_key(caller().principal, "AugmentSignature", request)
        async with self._locks.hold(key):
            first = await self._database.fetch(recall, key)
            answer = (
                await self._augment(request, key)
                if first is None
                else pb.AugmentSignatureResponse.FromString(first)
            )
        await self._add_content(answer, request.return_content)
        return answer

    async def _sign(self, request: pb.SignDocumentRequest, key: RequestKey) -> pb.SignDocumentResponse:
        order = signing_order(request)
        signing_key = await self._signer.tokens.find(order.signing_key, key.principal)
        source = await self._source(request, key)
        form = await format_order(request, source, self._database)
        if form.format == "PAdES":
            signed = await self._signer.sign(signing_key, source, order, key)
        else:
            signed = await self._cades_signer.sign(signing_key, source, order, form, key)
        answer = pb.SignDocumentResponse(
            document=document_message(signed.document), signature=signature_message(signed.signature)
        )

        def register(connection: Connection, act: Act) -> None:
            self._signer.raiser.register_uses(connection, [(act, signed)])

        return await self._registered(request, key, source, register, answer)

    async def _augment(
        self, request: pb.AugmentSignatureRequest, key: RequestKey
    ) -> pb.AugmentSignatureResponse:
        _require_source(request)
        level = augmented_level(request.level)
        source = await self._source(request, key)
        detached = ""
        if request.detached:
            detached = (await find_detached(self._database, request.detached)).sha256.hex()
        stored = await self._augmenter.augment(
            Raised(source.sha256.hex(), source.media_type, detached),
            level,
            field=request.field_name,
            principal=key.principal,
            request_id=key.request_id,
        )
        raised = self._keeper.describe(
            stored,
            media=source.media_type,
            display_name=source.display_name,
            owner=source.owner,
            time=microseconds(self._clock()),
        )
        answer = pb.AugmentSignatureResponse(document=document_message(raised), level=_LEVEL_CODES[level])

        def register(connection: Connection, act: Act) -> None:
            self._keeper.register(connection, act, raised, "signature.augment")

        return await self._registered(request, key, source, register, answer)

    async def _registered(
        self,
        request: Request,
        key: RequestKey,
        source: Document,
        add: Callable[[Connection, Act], None],
        answer: Answer,
    ) -> Answer:
        """Register the new document with `add`, with the one that came inline, and keep the answer.

        When another server has answered the same request meanwhile, its answer stands and nothing is added.
        """

        def register(connection: Connection) -> bytes | None:
            if (first := recall_in_turn(connection, key)) is not None:
                return first
            act = Act(key.principal, key.request_id, answer.document.create_time.ToMicroseconds())
            if request.WhichOneof("source") == "content":
                self._keeper.register(connection, act, source, "document.upload")
            add(connection, act)
            remember(connection, key, answer, act.time)
            return None

        first = await self._database.run(register)
        if first is not None:
            answer.ParseFromString(first)
        return answer

    async def _source(self, request: Request, key: RequestKey) -> Document:
        """Give the document that is meant; an inline one is stored, and registered with what comes of it."""
        if request.WhichOneof("source") == "document":
            return await self._database.fetch(documents.get, request.document)
        return await self._keeper.store_inline(request.content, principal=key.principal)

    async def _add_content(
        self, answer: pb.SignDocumentResponse | pb.AugmentSignatureResponse, wanted: bool
    ) -> None:
        if not wanted:
            return
        if answer.document.size_bytes > INLINE_MAXIMUM:
            raise InvalidArgumentError(
                "CONTENT_TOO_LARGE",
                "The new document is too long to travel inline; download it.",
                field="return_content",
                metadata={"document": answer.document.name},
            )
        path = self._keeper.store.path(answer.document.sha256.hex())
        answer.content = await asyncio.to_thread(path.read_bytes)


def augmented_level(level: int) -> str:
    """Read the level to raise to. Raises InvalidArgumentError SIGNATURE_LEVEL_UNKNOWN or LEVEL_TOO_LOW."""
    name = "B-LTA" if level == pb.SIGNATURE_LEVEL_UNSPECIFIED else level_name(level)
    if name not in augmenting.LEVELS:
        raise InvalidArgumentError("LEVEL_TOO_LOW", "Every signature has this level.", field="level")
    return name


def _require_source(request: Request) -> None:
    if request.WhichOneof("source") is None:
        raise InvalidArgumentError("DOCUMENT_MISSING", "Name a document or send it inline.", field="document")


def signing_order(request: pb.SignDocumentRequest) -> SigningOrder:
    """Read what is wanted.

    Raises InvalidArgumentError DOCUMENT_MISSING, SIGNING_KEY_MISSING, SIGNATURE_LEVEL_UNKNOWN,
    PAGE_NEGATIVE, CERTIFICATION_UNKNOWN, SIGNATURE_LOCK_UNKNOWN or COMMITMENT_TYPE_UNKNOWN.
    """
    _require_source(request)
    if not request.signing_key:
        raise InvalidArgumentError("SIGNING_KEY_MISSING", "Name the key to sign with.", field="signing_key")
    return SigningOrder(
        signing_key=request.signing_key,
        level=level_name(request.level),
        pin=request.pin or None,
        field_name=request.field_name or None,
        reason=request.reason,
        location=request.location,
        visible=visible(request.visible_signature) if request.HasField("visible_signature") else None,
        certification=certification(request.certification),
        lock=lock(request.lock),
        commitment=commitment(request.commitment),
    )


def visible(shown: pb.VisibleSignature) -> Visible:
    """Read what the page shows of a signature. Raises InvalidArgumentError PAGE_NEGATIVE."""
    if shown.page < 0:
        raise InvalidArgumentError(
            "PAGE_NEGATIVE", "Pages are counted from 1.", field="visible_signature.page"
        )
    return Visible(shown.capacity, shown.register_number, shown.verification_uri, shown.page)
