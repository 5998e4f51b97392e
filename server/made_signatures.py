"""Signatures that were made: what they are, how they are brought to their level, and how that is resumed.

Once a token has signed, nothing of it is lost: when what the level needs besides cannot be had, the document
is registered at the level that was reached, the error names it, and the same request goes on from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from archive.journal import NewEntry
from archive.objects import StoredObject
from pecete.errors import PeceteError
from pecete.signing.v1 import signing_pb2 as pb
from server import documents
from server.augmenting import DocumentAugmenter
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.documents import Document
from server.idempotency import RequestKey, part_of, recall, recall_in_turn, remember
from server.raising import Raised
from server.signature_formats import format_code, format_named
from server.times import microseconds, timestamp
from signer.forms import Format
from workflow.journal import Act

LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
"""Baseline levels that can be made, lowest first."""


@dataclass(frozen=True)
class MadeSignature:
    """A signature that was made: `signing_time` in microseconds UTC, the level that was reached.

    timestamp_token: the signature's own, DER; empty at B-B, and where a document time-stamp stands for it.
    signature_sha256: of a CAdES signature's value; empty for PAdES.
    """

    field_name: str
    signing_key: str
    level: str
    signing_time: int
    timestamp_token: bytes = b""
    format: Format = "PAdES"
    signature_sha256: bytes = b""


@dataclass(frozen=True)
class SignedDocument:
    """The new document, stored but not yet registered, and its signature.

    source: the document that a key was used on for it; None: the signature was there before, and was raised.
    """

    document: Document
    signature: MadeSignature
    source: Document | None


class SignatureRaiser:
    """Brings signatures that were made to their level, and keeps what was reached. One for the whole server.

    What keeps a signature from its level is raised. The document is registered at the level that was reached
    then, unless the signature is not valid: the error's metadata has `reached`, `document`, `field_name` and
    `resume`, the method with which anybody goes on from there. The same request does it too.
    """

    def __init__(
        self,
        keeper: DocumentKeeper,
        database: Database,
        augmenter: DocumentAugmenter,
        clock: Callable[[], datetime],
    ) -> None:
        self._keeper = keeper
        self._database = database
        self._augmenter = augmenter
        self._clock = clock

    async def raised(
        self, signed: SignedDocument, level: str, request: RequestKey, *, detached: str = ""
    ) -> SignedDocument:
        """Bring a stored document's signature to its level.

        detached: SHA-256, in hex, of the content of a detached signature.
        """
        made, before = signed.signature, signed.document
        if LEVELS.index(made.level) >= LEVELS.index(level):
            return signed
        try:
            stored = await self._augmenter.augment(
                Raised(before.sha256.hex(), before.media_type, detached),
                level,
                field=made.field_name,
                principal=request.principal,
                request_id=request.request_id,
            )
        except PeceteError as error:
            if signed.source is None:
                raise
            raise await self.kept(signed, error, request) from error
        document = self.described(stored, before)
        return SignedDocument(document, replace(made, level=level), signed.source)

    async def resume(
        self, request: RequestKey, source_sha256: bytes, level: str, *, detached: str = ""
    ) -> SignedDocument | None:
        """Go on where the same request on the same document stopped; None: nothing was signed under it.

        detached: as in `raised`.
        """
        first = await self._database.fetch(recall, reached_key(request, source_sha256))
        if first is None:
            return None
        kept = pb.SignDocumentResponse.FromString(first)
        document = await self._database.fetch(documents.get, kept.document.name)
        made = _made(kept.signature)
        try:
            return await self.raised(SignedDocument(document, made, None), level, request, detached=detached)
        except PeceteError as error:
            raise _resumable(error, document.name, made) from error

    async def kept(self, signed: SignedDocument, error: PeceteError, request: RequestKey) -> PeceteError:
        """Register what was reached, for the same request to go on from; give the error that says so."""
        if error.reason == "SIGNATURE_NOT_VALID" or signed.source is None:
            return error
        reached = reached_key(request, signed.source.sha256)
        name = await self._database.run(self._keep, reached, request, signed)
        return _resumable(error, name, signed.signature)

    def register(self, connection: Connection, act: Act, signed: SignedDocument) -> None:
        """Write the new document and its act in the caller's transaction."""
        kind = "signature.augment" if signed.source is None else "signature.create"
        self._keeper.register(connection, act, signed.document, kind)

    def register_uses(self, connection: Connection, made: Sequence[tuple[Act, SignedDocument]]) -> None:
        """Write new documents as `register` does, and the uses of keys of ours, of those that were used now.

        The act `key.use` names the key, who used it, and the SHA-256 of the document that it signed.
        """
        added, uses = [], []
        for act, signed in made:
            row, made_by = signed.document, "signature.augment"
            if signed.source is not None:
                made_by = "signature.create"
                uses.append(_entry(act, "key.use", signed.signature.signing_key, signed.source.sha256, None))
            added.append((_entry(act, made_by, row.name, row.sha256, asdict(row)), row))
        documents.add_all(connection, self._keeper.journal, added, uses, self._keeper.store.exists)

    def described(self, stored: StoredObject, like: Document) -> Document:
        """Give the description of a new object that has come of a document, before it is registered."""
        return self._keeper.describe(
            stored,
            media=like.media_type,
            display_name=like.display_name,
            owner=like.owner,
            time=microseconds(self._clock()),
        )

    def _keep(
        self, connection: Connection, reached: RequestKey, request: RequestKey, signed: SignedDocument
    ) -> str:
        if (first := recall_in_turn(connection, reached)) is not None:
            return pb.SignDocumentResponse.FromString(first).document.name
        act = Act(request.principal, request.request_id, signed.document.create_time)
        self.register_uses(connection, [(act, signed)])
        kept = pb.SignDocumentResponse(signature=signature_message(signed.signature))
        kept.document.name = signed.document.name
        remember(connection, reached, kept, act.time)
        return signed.document.name


def reached_key(request: RequestKey, source_sha256: bytes) -> RequestKey:
    """Give the key under which is kept what a request has reached with a document."""
    return part_of(request, f"reached/{source_sha256.hex()}")


def _entry(act: Act, kind: str, resource: str, digest: bytes, row: Mapping[str, object] | None) -> NewEntry:
    return NewEntry(act.actor, kind, resource, act.request_id, digest, row)


def signature_message(made: MadeSignature) -> pb.Signature:
    """Give a made signature as its message."""
    return pb.Signature(
        field_name=made.field_name,
        signing_key=made.signing_key,
        level=pb.SignatureLevel.Value(f"SIGNATURE_LEVEL_{made.level.replace('-', '_')}"),
        signing_time=timestamp(made.signing_time),
        timestamp_token=made.timestamp_token,
        format=format_code(made.format),
        signature_sha256=made.signature_sha256,
    )


def _made(message: pb.Signature) -> MadeSignature:
    return MadeSignature(
        field_name=message.field_name,
        signing_key=message.signing_key,
        level=pb.SignatureLevel.Name(message.level).removeprefix("SIGNATURE_LEVEL_").replace("_", "-"),
        signing_time=message.signing_time.ToMicroseconds(),
        timestamp_token=message.timestamp_token,
        format=format_named(message.format),
        signature_sha256=message.signature_sha256,
    )


def _resumable(error: PeceteError, document: str, made: MadeSignature) -> PeceteError:
    """Say in an error what was reached all the same, and how to go on from there."""
    reached = {"reached": made.level, "document": document, "field_name": made.field_name}
    return type(error)(
        error.reason,
        f"{error.message} The signature is made and kept at level {made.level}; "
        "repeat the request, or raise that document's level, when what is missing can be had.",
        field=error.field,
        metadata={**error.metadata, **reached, "resume": "AugmentSignature"},
    )
