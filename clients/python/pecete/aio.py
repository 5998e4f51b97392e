"""The client for asyncio: the methods of `pecete.client.Client`, awaited.

    async with AsyncClient("example.ro:7443", Credentials.from_folder(Path("credentials"))) as pecete:
        signed = await pecete.sign(Path("act.pdf"), key.name)

What is said there of answers, errors and retries holds here. Files are read and written in threads.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, Unpack, cast

import grpc
from grpc import aio

from pecete import document_calls, record_calls, session_calls, workflow_calls
from pecete.archive.v1.archive_pb2 import DescriptiveRecord, Record, RecordProof, RecordVerdict
from pecete.batch_calls import STEPS, Batch, BatchOptions, BatchResult, BatchTarget
from pecete.calls import (
    Call,
    Download,
    Item,
    Listing,
    Message,
    Page,
    Response,
    Source,
    name_or_bytes_or_upload,
    name_or_upload,
    new_request_id,
)
from pecete.channel import aio_stubs, open_aio_channel
from pecete.credentials import Credentials
from pecete.document_calls import SigningOptions
from pecete.documents.v1.documents_pb2 import Document, UploadDocumentRequest
from pecete.retry import TIMEOUT, TRANSFER_TIMEOUT, Attempts, RetryPolicy
from pecete.session_calls import PreparationOptions
from pecete.signing.v1.signature_batches_pb2 import SignBatchResponse
from pecete.signing.v1.signature_sessions_pb2 import CompleteSignatureResponse, SignatureSession
from pecete.signing.v1.signing_pb2 import AugmentSignatureResponse, SignDocumentResponse, SigningKey
from pecete.timestamp_exchange import TimestampQuestion
from pecete.transfer import Description, Progress, Reception, Upload, no_progress
from pecete.validation.v1.validation_pb2 import ValidationReport
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure
from pecete.workflow_calls import StepOptions

Answer = TypeVar("Answer")


class AsyncClient:
    """A connection to the service; it may be shared by the tasks of one event loop.

    server: `host:port`. timeout, transfer_timeout: seconds for a call or a transfer with all its tries.
    Raises InvalidArgumentError SERVER_MALFORMED, PLAINTEXT_NOT_LOOPBACK.
    """

    def __init__(
        self,
        server: str,
        credentials: Credentials,
        *,
        timeout: float = TIMEOUT,
        transfer_timeout: float = TRANSFER_TIMEOUT,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._channel = open_aio_channel(server, credentials)
        self._stubs = aio_stubs(self._channel)
        self._metadata = credentials.metadata()
        self._timeout = timeout
        self._transfer_timeout = transfer_timeout
        self._retry = retry

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Connect to PECETE_SERVER with `Credentials.from_environment`."""
        return cls(environment.get("PECETE_SERVER", ""), Credentials.from_environment(environment))

    async def close(self) -> None:
        """End the connection and every call on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # Documents

    async def upload(
        self,
        content: bytes | Path,
        *,
        display_name: str = "",
        progress: Progress = no_progress,
        request_id: str = "",
    ) -> Document:
        """Store a document; a file is streamed and its name is the display name unless another is given."""
        upload = await asyncio.to_thread(Upload, content, display_name, request_id or new_request_id())
        return await self._send(upload, progress)

    async def get_document(self, name: str) -> Document:
        """Describe a document."""
        return await self._answer(document_calls.get_document(name))

    async def download(self, name: str, target: Path, *, progress: Progress = no_progress) -> Document:
        """Write a document to a file, which appears whole and checked against its SHA-256, or not at all."""
        return await self._receive(document_calls.download(name), target, progress)

    # Signing, validation, time-stamps

    def list_signing_keys(self) -> AsyncIterator[SigningKey]:
        """Give the keys that the caller may sign with."""
        return self._items(document_calls.list_signing_keys())

    async def get_signing_key(self, name: str) -> SigningKey:
        """Describe one key."""
        return await self._answer(document_calls.get_signing_key(name))

    async def sign(
        self, document: Source, signing_key: str, **options: Unpack[SigningOptions]
    ) -> SignDocumentResponse:
        """Make one signature; the answer names the new document."""
        # A container takes its files' names from documents, and what is sent inline has none.
        settle = self._store if options.get("format", "").startswith("asic") else self._settle
        return await self._answer(
            document_calls.sign(
                await settle(document),
                signing_key,
                options,
                [await self._store(each) for each in options.get("further_documents", ())],
                await self._name(options.get("detached")),
            )
        )

    async def sign_batch(
        self, items: Sequence[BatchTarget | Source], signing_key: str, **options: Unpack[BatchOptions]
    ) -> AsyncGenerator[BatchResult, None]:
        """Sign up to 500 documents and steps under one authorisation; give each one's result as it comes.

        An item is a `BatchTarget`, a document in any form, or the name of a step. Of what is only named the
        service is asked for the digest. After a break the batch goes on by itself, and signs nothing twice;
        an item that failed before the break may then come again. Leaving the iteration stops the batch.
        """
        targets = [await self._target(item) for item in items]
        batch = Batch(targets, signing_key, options)
        attempts = Attempts(self._retry, self._transfer_timeout)
        while True:
            method = cast(
                "aio.UnaryStreamMultiCallable[object, SignBatchResponse]",
                self._stubs.signature_batches.SignBatch,
            )
            stream = method(batch.request, timeout=attempts.remaining(), metadata=self._metadata)
            try:
                async for message in stream:
                    if (result := batch.take(message)) is not None:
                        yield result
                return
            except grpc.RpcError as failure:
                await asyncio.sleep(batch.delay_after(failure, attempts))
            finally:
                stream.cancel()

    async def augment(
        self,
        document: Source,
        *,
        level: str = "B-LTA",
        field_name: str = "",
        detached: Source | None = None,
        return_content: bool = False,
        request_id: str = "",
    ) -> AugmentSignatureResponse:
        """Raise the signature in a field, or every signature, to a level; at B-LTA already, renew it.

        detached: the content of a detached CMS signature.
        """
        return await self._answer(
            document_calls.augment(
                await self._settle(document),
                level,
                field_name,
                await self._name(detached),
                return_content,
                request_id,
            )
        )

    async def validate(
        self,
        document: Source,
        *,
        at: datetime | None = None,
        detached: Source | None = None,
        report_formats: Sequence[str] = (),
        report_language: str = "ro",
    ) -> ValidationReport:
        """Judge each signature of a document, as of an aware time or now.

        detached: the content of a detached CMS signature. report_formats: `pdf`, `html` (both in
        `report_language`, `ro` or `en`) and `xml`; the files come in the answer's `reports`.
        """
        settled, content = await self._settle(document), await self._name(detached)
        call = document_calls.validate(settled, at, content, report_formats, report_language)
        return await self._answer(call)

    async def timestamp(self, digest: bytes) -> bytes:
        """Give an RFC 3161 TimeStampToken, DER, over a SHA-256, SHA-384 or SHA-512 digest."""
        question = TimestampQuestion.over(digest)
        answer = await self._answer(document_calls.create_timestamp(question.to_der()))
        return question.token_of(answer.timestamp_response)

    # Signatures whose key the service does not hold

    async def prepare_signature(
        self, document: Source, certificate: bytes, **options: Unpack[PreparationOptions]
    ) -> SignatureSession:
        """Have a signature prepared for a certificate (DER), whose key then signs `signed_attributes`.

        `pecete.token.session_check` tells whether these are over the document, before the key is used.
        """
        name = await self._store(document)
        return await self._answer(session_calls.prepare_signature(name, certificate, options))

    async def prepare_step(
        self, step: str, certificate: bytes, **options: Unpack[PreparationOptions]
    ) -> SignatureSession:
        """Have the signature of the step that is due prepared, as the person to whom it belongs."""
        return await self._answer(session_calls.prepare_step(step, certificate, options))

    async def get_signature_session(self, name: str) -> SignatureSession:
        """Show how a session stands."""
        return await self._answer(session_calls.get_signature_session(name))

    async def complete_signature(
        self, name: str, signature: bytes, *, request_id: str = ""
    ) -> CompleteSignatureResponse:
        """Bring a session's signature value; the answer names the signed document."""
        return await self._answer(session_calls.complete_signature(name, signature, request_id))

    # Archive

    async def archive(
        self,
        document: Source,
        descriptive_record: DescriptiveRecord,
        *,
        kind: str = "original",
        request_id: str = "",
    ) -> Record:
        """Archive a document for good, as an `original` or a `copy`."""
        name = await self._store(document)
        return await self._answer(record_calls.archive(name, descriptive_record, kind, request_id))

    async def get_record(self, name: str) -> Record:
        """Describe a record."""
        return await self._answer(record_calls.get_record(name))

    def list_records(self) -> AsyncIterator[Record]:
        """Give all records, newest first."""
        return self._items(record_calls.list_records())

    async def download_record(self, name: str, target: Path, *, progress: Progress = no_progress) -> Record:
        """Write a record's document to a file, as `download` does."""
        return await self._receive(record_calls.download_record(name), target, progress)

    async def verify_record(self, name: str) -> RecordVerdict:
        """Let the service read the kept bytes again and check them, the row and the journal."""
        return await self._answer(record_calls.verify_record(name))

    async def record_proof(self, name: str) -> RecordProof:
        """Give what proves a record offline; `pecete.evidence.record_proof` checks it."""
        return await self._answer(record_calls.record_proof(name))

    # Workflow

    async def create_person(self, person: Person, *, person_id: str = "", request_id: str = "") -> Person:
        """Enrol somebody who signs."""
        return await self._answer(workflow_calls.create_person(person, person_id, request_id))

    async def get_person(self, name: str) -> Person:
        """Describe a person."""
        return await self._answer(workflow_calls.get_person(name))

    async def create_procedure(
        self, procedure: Procedure, *, procedure_id: str = "", request_id: str = ""
    ) -> Procedure:
        """Make a template of signature steps."""
        return await self._answer(workflow_calls.create_procedure(procedure, procedure_id, request_id))

    async def get_procedure(self, name: str) -> Procedure:
        """Describe a procedure."""
        return await self._answer(workflow_calls.get_procedure(name))

    async def create_dossier(
        self,
        document: Source,
        procedure: str,
        assignments: Mapping[str, str],
        *,
        display_name: str = "",
        dossier_id: str = "",
        request_id: str = "",
    ) -> Dossier:
        """Send a document on its way; `assignments` gives the person of each post."""
        name = await self._store(document)
        return await self._answer(
            workflow_calls.create_dossier(name, procedure, assignments, display_name, dossier_id, request_id)
        )

    async def get_dossier(self, name: str) -> Dossier:
        """Show where a document is, since when, and who has signed."""
        return await self._answer(workflow_calls.get_dossier(name))

    def list_dossiers(self) -> AsyncIterator[Dossier]:
        """Give all dossiers, newest first."""
        return self._items(workflow_calls.list_dossiers())

    async def sign_step(self, name: str, signing_key: str, **options: Unpack[StepOptions]) -> Dossier:
        """Sign the step that is due, as the person to whom it belongs."""
        return await self._answer(workflow_calls.sign_step(name, signing_key, options))

    # How calls travel

    async def _answer(self, call: Call[Response]) -> Response:
        policy = replace(self._retry, attempts=1) if call.once else self._retry
        method = call.method(self._stubs)
        return await _persist(
            Attempts(policy, self._timeout),
            lambda seconds: _awaitable(method(call.request, timeout=seconds, metadata=self._metadata)),
        )

    async def _items(self, listing: Listing[Page, Item]) -> AsyncIterator[Item]:
        token = ""
        while True:
            page = await self._answer(listing.page(token))
            for item in listing.items(page):
                yield item
            if not (token := listing.next_page_token(page)):
                return

    async def _send(self, upload: Upload, progress: Progress = no_progress) -> Document:
        method = cast(
            "aio.StreamUnaryMultiCallable[UploadDocumentRequest, Document]",
            self._stubs.documents.UploadDocument,
        )
        return await _persist(
            Attempts(self._retry, self._transfer_timeout),
            lambda seconds: method(
                _in_thread(upload.messages(progress)), timeout=seconds, metadata=self._metadata
            ),
        )

    async def _receive(
        self, download: Download[Message, Description], target: Path, progress: Progress
    ) -> Description:
        method = cast("aio.UnaryStreamMultiCallable[object, Message]", download.method(self._stubs))

        async def receive(seconds: float) -> Description:
            with Reception[Description](target, progress) as reception:
                stream = method(download.request, timeout=seconds, metadata=self._metadata)
                try:
                    async for message in stream:
                        await asyncio.to_thread(reception.take, *download.unpack(message))
                finally:
                    stream.cancel()
                return reception.finish()

        return await _persist(Attempts(self._retry, self._transfer_timeout), receive)

    async def _target(self, item: BatchTarget | Source) -> BatchTarget:
        if isinstance(item, BatchTarget):
            return item
        if isinstance(item, Document):
            return BatchTarget(item.name, item.sha256)
        name = item
        if isinstance(item, str) and item.startswith(STEPS):
            name = (await self.get_dossier(item.partition("/steps/")[0])).document
        stored = await self.get_document(await self._store(name))
        return BatchTarget(item if isinstance(item, str) else stored.name, stored.sha256)

    async def _settle(self, document: Source) -> str | bytes:
        settled = await asyncio.to_thread(name_or_bytes_or_upload, document)
        return (await self._send(settled)).name if isinstance(settled, Upload) else settled

    async def _name(self, document: Source | None) -> str:
        """Give the name of a document that may be left out, "" then."""
        return "" if document is None else await self._store(document)

    async def _store(self, document: Source) -> str:
        settled = await asyncio.to_thread(name_or_upload, document)
        return (await self._send(settled)).name if isinstance(settled, Upload) else settled


async def _persist(attempts: Attempts, send: Callable[[float], Awaitable[Answer]]) -> Answer:
    while True:
        try:
            return await send(attempts.remaining())
        except grpc.RpcError as failure:
            await asyncio.sleep(attempts.delay_after(failure))


async def _in_thread(items: Iterator[Item]) -> AsyncIterator[Item]:
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item


def _awaitable(answer: Response) -> Awaitable[Response]:
    """Say what the stubs' types cannot: on an aio channel the same methods give what is awaited."""
    return cast(Awaitable[Response], answer)
