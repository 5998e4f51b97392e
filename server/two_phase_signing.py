"""The journey of a signature whose key is elsewhere: prepared here, signed by the signer's token, completed.

`prepare` leaves a session in the database and `complete` takes it from there: between the two no memory, no
transaction and no worker waits. Both ends are those of a signature with a key of ours: the document is
admitted by the same rules, and the signature is verified, time-stamped and registered in the same way.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from archive.journal import Journal
from pecete.errors import AbortedError, PeceteError
from pecete.signing.v1 import signature_sessions_pb2 as pb
from server import documents, signature_sessions
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.document_work import prepare_with_summary
from server.documents import Document
from server.idempotency import RequestKey, remember
from server.judging import Judge
from server.made_signatures import MadeSignature, SignedDocument
from server.revocation_check import KnownRevocations
from server.signature_session_messages import completion_message, preview_text, session_message
from server.signature_sessions import LIFETIME, SignatureSession, chain_text
from server.signing import DocumentSigner, SigningOrder
from server.step_orders import step_order
from server.times import from_microseconds, microseconds
from server.workers import WorkerPool
from server.workflow_messages import step_signature
from signer.external import ExternalSigner
from signer.pades.signing import SignedSection, complete_section
from workflow.journal import Act
from workflow.step_signing import authorise_step, complete_step


@dataclass(frozen=True)
class Target:
    """What is to be signed: a document, or the step that its signer has in a dossier; the other is ""."""

    document: str = ""
    step: str = ""


class TwoPhaseSigner:
    """Prepares and completes signatures. One for the whole server."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        keeper: DocumentKeeper,
        signer: DocumentSigner,
        judge: Judge,
        workers: WorkerPool,
        revocation: KnownRevocations,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._journal = journal
        self._keeper = keeper
        self._signer = signer
        self._judge = judge
        self._workers = workers
        self._revocation = revocation
        self._clock = clock

    def now(self) -> int:
        """Give the present time in microseconds UTC."""
        return microseconds(self._clock())

    async def prepare(
        self, key: RequestKey, target: Target, signer: ExternalSigner, order: SigningOrder
    ) -> pb.SignatureSession:
        """Prepare a signature and leave its session; the order's `signing_key` and `pin` take no part.

        Raises what `prepare_section` and `authorise_step` raise, with field "certificate" for a certificate
        that cannot sign; NotFoundError DOCUMENT_NOT_FOUND; FailedPreconditionError
        TIMESTAMP_AUTHORITY_NOT_CONFIGURED or CERTIFICATE_REVOKED; what judging the document raises.
        """
        self._signer.require_level(order.level)
        await self._revocation.require_unrevoked(signer.certificate, signer.chain, field="certificate")
        name = target.document
        if target.step:
            certificate = sha256(signer.certificate).digest()
            leave = await self._database.fetch(
                authorise_step, target.step, principal=key.principal, certificate_sha256=certificate
            )
            name = leave.document
            order = step_order(order, leave)
        document = await self._database.fetch(documents.get, name)
        session = await self._session(key, document, target.step, signer, order)
        return await self._database.run(self._keep, key, session)

    async def _session(
        self, key: RequestKey, document: Document, step: str, signer: ExternalSigner, order: SigningOrder
    ) -> SignatureSession:
        path = self._keeper.store.path(document.sha256.hex())
        now = self._clock()
        options = order.options(signer.common_name, now)
        try:
            section, summary = await self._workers.run(prepare_with_summary, path, signer, options)
        except PeceteError as error:
            raise _placed(error) from error
        report = await self._judge.judge(path, display_name=document.display_name)
        return SignatureSession(
            id=documents.new_id(),
            principal=key.principal,
            document=document.name,
            document_sha256=document.sha256,
            step=step,
            certificate=signer.certificate,
            chain=chain_text(signer.chain),
            algorithm=signer.algorithm.name,
            level=order.level,
            signing_time=microseconds(now),
            field_name=section.field_name,
            base_length=section.base_length,
            base_digest=section.base_digest,
            tail=section.tail,
            gap_position=section.gap_position,
            gap_length=section.gap_length,
            document_digest=section.digest,
            signed_attributes=section.signed_attributes,
            preview=preview_text(document, summary, report, order, signer.common_name),
            create_time=microseconds(now),
            expire_time=microseconds(now + LIFETIME),
        )

    def _keep(
        self, connection: Connection, key: RequestKey, session: SignatureSession
    ) -> pb.SignatureSession:
        act = Act(key.principal, key.request_id, session.create_time)
        answer = session_message(session, act.time)
        signature_sessions.add(connection, self._journal, act, session)
        remember(connection, key, answer, act.time)
        return answer

    async def get(self, name: str, principal: str) -> SignatureSession:
        """Give a session of this principal's. Raises NotFoundError SIGNATURE_SESSION_NOT_FOUND."""
        return await self._database.fetch(signature_sessions.get, name, principal)

    async def complete(self, key: RequestKey, name: str, signature: bytes) -> pb.CompleteSignatureResponse:
        """Take in the signature value and register the signed document.

        Nothing is changed unless everything is right, so a wrong value does not use the session up. Raises
        NotFoundError SIGNATURE_SESSION_NOT_FOUND; FailedPreconditionError SIGNATURE_SESSION_COMPLETED or
        SIGNATURE_SESSION_EXPIRED; InvalidArgumentError SIGNATURE_VALUE_WRONG; AbortedError DOCUMENT_CHANGED
        or DOSSIER_CHANGED; what `complete_section`, `authorise_step` and the time-stamping authority raise.
        """
        session = await self.get(name, key.principal)
        # A signature that has not reached its level is the session's, whatever the request.
        own = replace(key, request_id=session.name, request_sha256=session.document_digest)
        signed = await self._signer.raiser.resume(own, session.document_sha256, session.level)
        if signed is None:
            session.require_open(self.now())
            section = await asyncio.to_thread(self._signed_section, session, signature)
            document = await self._database.fetch(self._document, session)
            signing_key = f"signingKeys/{session.certificate_sha256.hex()}"
            made = MadeSignature(section.field_name, signing_key, "B-B", session.signing_time)
            signed = await self._signer.finish(document, section, made, session.level, own)
        return await self._database.run(self._register, key, session, signed)

    def _signed_section(self, session: SignatureSession, signature: bytes) -> SignedSection:
        """Check the value before anything else, then the document as it is stored now."""
        prepared = session.prepared_section()
        path = self._keeper.store.path(session.document_sha256.hex())
        try:
            return complete_section(path, prepared, signature, from_microseconds(self.now()))
        except PeceteError as error:
            raise _placed(error) from error

    def _document(self, connection: Connection, session: SignatureSession) -> Document:
        """Give the session's document if it is still the one that was signed, and its step still due."""
        document = documents.get(connection, session.document)
        if document.sha256 != session.document_sha256:
            raise AbortedError(
                "DOCUMENT_CHANGED", "The document is no longer the one that was signed.", field="name"
            )
        if session.step:
            authorise_step(
                connection,
                session.step,
                principal=session.principal,
                certificate_sha256=session.certificate_sha256,
            )
        return document

    def _register(
        self, connection: Connection, key: RequestKey, session: SignatureSession, signed: SignedDocument
    ) -> pb.CompleteSignatureResponse:
        """Register the document, use the session up and move the dossier on: all in one transaction."""
        act = Act(key.principal, key.request_id, signed.document.create_time)
        self._signer.raiser.register(connection, act, signed)
        signature_sessions.complete(connection, self._journal, act, session, signed.document.name)
        dossier = self._complete_step(connection, act, session, signed) if session.step else ""
        answer = completion_message(signed, dossier)
        remember(connection, key, answer, act.time)
        return answer

    def _complete_step(
        self, connection: Connection, act: Act, session: SignatureSession, signed: SignedDocument
    ) -> str:
        """Move the dossier on, if its document is still the one that the session was prepared for."""
        certificate = session.certificate_sha256
        leave = authorise_step(connection, session.step, principal=act.actor, certificate_sha256=certificate)
        dossier = complete_step(
            connection,
            self._journal,
            act,
            replace(leave, document=session.document),
            document=signed.document.name,
            document_sha256=signed.document.sha256,
            signature=step_signature(signed.signature, certificate),
        )
        return dossier.name


def _placed(error: PeceteError) -> PeceteError:
    """Name the field of these requests: they have no signing key, but a certificate and a value."""
    field = "signature" if error.reason == "SIGNATURE_VALUE_WRONG" else error.field
    if field == "signing_key":
        field = "certificate"
    return type(error)(error.reason, error.message, field=field, metadata=error.metadata)
