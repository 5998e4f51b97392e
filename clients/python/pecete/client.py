"""The client for programs that wait: each method is one call of the service.

    with Client("example.ro:7443", Credentials.from_folder(Path("credentials"))) as pecete:
        signed = pecete.sign(Path("act.pdf"), key.name)
        pecete.download(signed.document.name, Path("act-signed.pdf"))

Answers are the generated messages. Errors are those of `pecete.errors`, raised as the service raised them;
what cannot be reached is UnavailableError SERVER_UNREACHABLE. A call is tried again only when the service was
unavailable, with the same request id and within its deadline; a call that brings a PIN is sent once.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc

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
from pecete.channel import Stubs, open_channel
from pecete.credentials import Credentials
from pecete.document_calls import SigningOptions
from pecete.documents.v1.documents_pb2 import Document
from pecete.retry import TIMEOUT, TRANSFER_TIMEOUT, Attempts, RetryPolicy
from pecete.session_calls import PreparationOptions
from pecete.signing.v1.signature_sessions_pb2 import CompleteSignatureResponse, SignatureSession
from pecete.signing.v1.signing_pb2 import AugmentSignatureResponse, SignDocumentResponse, SigningKey
from pecete.timestamp_exchange import TimestampQuestion
from pecete.transfer import Description, Progress, Reception, Upload, no_progress
from pecete.validation.v1.validation_pb2 import ValidationReport
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure
from pecete.workflow_calls import StepOptions

Answer = TypeVar("Answer")


class Client:
    """A connection to the service; it may be shared by threads.

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
        self._channel = open_channel(server, credentials)
        self._stubs = Stubs(self._channel)
        self._metadata = credentials.metadata()
        self._timeout = timeout
        self._transfer_timeout = transfer_timeout
        self._retry = retry

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Connect to PECETE_SERVER with `Credentials.from_environment`."""
        return cls(environment.get("PECETE_SERVER", ""), Credentials.from_environment(environment))

    def close(self) -> None:
        """End the connection and every call on it."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Documents

    def upload(
        self,
        content: bytes | Path,
        *,
        display_name: str = "",
        progress: Progress = no_progress,
        request_id: str = "",
    ) -> Document:
        """Store a document; a file is streamed and its name is the display name unless another is given."""
        return self._send(Upload(content, display_name, request_id or new_request_id()), progress)

    def get_document(self, name: str) -> Document:
        """Describe a document."""
        return self._answer(document_calls.get_document(name))

    def download(self, name: str, target: Path, *, progress: Progress = no_progress) -> Document:
        """Write a document to a file, which appears whole and checked against its SHA-256, or not at all."""
        return self._receive(document_calls.download(name), target, progress)

    # Signing, validation, time-stamps

    def list_signing_keys(self) -> Iterator[SigningKey]:
        """Give the keys that the caller may sign with."""
        return self._items(document_calls.list_signing_keys())

    def get_signing_key(self, name: str) -> SigningKey:
        """Describe one key."""
        return self._answer(document_calls.get_signing_key(name))

    def sign(
        self, document: Source, signing_key: str, **options: Unpack[SigningOptions]
    ) -> SignDocumentResponse:
        """Make one signature; the answer names the new document."""
        # A container takes its files' names from documents, and what is sent inline has none.
        settle = self._store if options.get("format", "").startswith("asic") else self._settle
        return self._answer(
            document_calls.sign(
                settle(document),
                signing_key,
                options,
                [self._store(each) for each in options.get("further_documents", ())],
                self._name(options.get("detached")),
            )
        )

    def sign_batch(
        self, items: Sequence[BatchTarget | Source], signing_key: str, **options: Unpack[BatchOptions]
    ) -> Generator[BatchResult, None, None]:
        """Sign up to 500 documents and steps under one authorisation; give each one's result as it comes.

        An item is a `BatchTarget`, a document in any form, or the name of a step. Of what is only named the
        service is asked for the digest. After a break the batch goes on by itself, and signs nothing twice;
        an item that failed before the break may then come again. Leaving the iteration stops the batch.
        """
        targets = [self._target(item) for item in items]
        batch = Batch(targets, signing_key, options)
        attempts = Attempts(self._retry, self._transfer_timeout)
        while True:
            stream = self._stubs.signature_batches.SignBatch(
                batch.request, timeout=attempts.remaining(), metadata=self._metadata
            )
            try:
                for message in stream:
                    if (result := batch.take(message)) is not None:
                        yield result
                return
            except grpc.RpcError as failure:
                time.sleep(batch.delay_after(failure, attempts))
            finally:
                stream.cancel()

    def augment(
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
        return self._answer(
            document_calls.augment(
                self._settle(document),
                level,
                field_name,
                self._name(detached),
                return_content,
                request_id,
            )
        )

    def validate(
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
        settled, content = self._settle(document), self._name(detached)
        call = document_calls.validate(settled, at, content, report_formats, report_language)
        return self._answer(call)

    def timestamp(self, digest: bytes) -> bytes:
        """Give an RFC 3161 TimeStampToken, DER, over a SHA-256, SHA-384 or SHA-512 digest."""
        question = TimestampQuestion.over(digest)
        answer = self._answer(document_calls.create_timestamp(question.to_der()))
        return question.token_of(answer.timestamp_response)

    # Signatures whose key the service does not hold

    def prepare_signature(
        self, document: Source, certificate: bytes, **options: Unpack[PreparationOptions]
    ) -> SignatureSession:
        """Have a signature prepared for a certificate (DER), whose key then signs `signed_attributes`.

        `pecete.token.session_check` tells whether these are over the document, before the key is used.
        """
        name = self._store(document)
        return self._answer(session_calls.prepare_signature(name, certificate, options))

    def prepare_step(
        self, step: str, certificate: bytes, **options: Unpack[PreparationOptions]
    ) -> SignatureSession:
        """Have the signature of the step that is due prepared, as the person to whom it belongs."""
        return self._answer(session_calls.prepare_step(step, certificate, options))

    def get_signature_session(self, name: str) -> SignatureSession:
        """Show how a session stands."""
        return self._answer(session_calls.get_signature_session(name))

    def complete_signature(
        self, name: str, signature: bytes, *, request_id: str = ""
    ) -> CompleteSignatureResponse:
        """Bring a session's signature value; the answer names the signed document."""
        return self._answer(session_calls.complete_signature(name, signature, request_id))

    # Archive

    def archive(
        self,
        document: Source,
        descriptive_record: DescriptiveRecord,
        *,
        kind: str = "original",
        request_id: str = "",
    ) -> Record:
        """Archive a document for good, as an `original` or a `copy`."""
        name = self._store(document)
        return self._answer(record_calls.archive(name, descriptive_record, kind, request_id))

    def get_record(self, name: str) -> Record:
        """Describe a record."""
        return self._answer(record_calls.get_record(name))

    def list_records(self) -> Iterator[Record]:
        """Give all records, newest first."""
        return self._items(record_calls.list_records())

    def download_record(self, name: str, target: Path, *, progress: Progress = no_progress) -> Record:
        """Write a record's document to a file, as `download` does."""
        return self._receive(record_calls.download_record(name), target, progress)

    def verify_record(self, name: str) -> RecordVerdict:
        """Let the service read the kept bytes again and check them, the row and the journal."""
        return self._answer(record_calls.verify_record(name))

    def record_proof(self, name: str) -> RecordProof:
        """Give what proves a record offline; `pecete.evidence.record_proof` checks it."""
        return self._answer(record_calls.record_proof(name))

    # Workflow

    def create_person(self, person: Person, *, person_id: str = "", request_id: str = "") -> Person:
        """Enrol somebody who signs."""
        return self._answer(workflow_calls.create_person(person, person_id, request_id))

    def get_person(self, name: str) -> Person:
        """Describe a person."""
        return self._answer(workflow_calls.get_person(name))

    def create_procedure(
        self, procedure: Procedure, *, procedure_id: str = "", request_id: str = ""
    ) -> Procedure:
        """Make a template of signature steps."""
        return self._answer(workflow_calls.create_procedure(procedure, procedure_id, request_id))

    def get_procedure(self, name: str) -> Procedure:
        """Describe a procedure."""
        return self._answer(workflow_calls.get_procedure(name))

    def create_dossier(
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
        name = self._store(document)
        return self._answer(
            workflow_calls.create_dossier(name, procedure, assignments, display_name, dossier_id, request_id)
        )

    def get_dossier(self, name: str) -> Dossier:
        """Show where a document is, since when, and who has signed."""
        return self._answer(workflow_calls.get_dossier(name))

    def list_dossiers(self) -> Iterator[Dossier]:
        """Give all dossiers, newest first."""
        return self._items(workflow_calls.list_dossiers())

    def sign_step(self, name: str, signing_key: str, **options: Unpack[StepOptions]) -> Dossier:
        """Sign the step that is due, as the person to whom it belongs."""
        return self._answer(workflow_calls.sign_step(name, signing_key, options))

    # How calls travel

    def _answer(self, call: Call[Response]) -> Response:
        policy = replace(self._retry, attempts=1) if call.once else self._retry
        method = call.method(self._stubs)
        return _persist(
            Attempts(policy, self._timeout),
            lambda seconds: method(call.request, timeout=seconds, metadata=self._metadata),
        )

    def _items(self, listing: Listing[Page, Item]) -> Iterator[Item]:
        token = ""
        while True:
            page = self._answer(listing.page(token))
            yield from listing.items(page)
            if not (token := listing.next_page_token(page)):
                return

    def _send(self, upload: Upload, progress: Progress = no_progress) -> Document:
        method = self._stubs.documents.UploadDocument
        return _persist(
            Attempts(self._retry, self._transfer_timeout),
            lambda seconds: method(upload.messages(progress), timeout=seconds, metadata=self._metadata),
        )

    def _receive(
        self, download: Download[Message, Description], target: Path, progress: Progress
    ) -> Description:
        method = download.method(self._stubs)

        def receive(seconds: float) -> Description:
            with Reception[Description](target, progress) as reception:
                stream = method(download.request, timeout=seconds, metadata=self._metadata)
                try:
                    for message in stream:
                        reception.take(*download.unpack(message))
                finally:
                    stream.cancel()
                return reception.finish()

        return _persist(Attempts(self._retry, self._transfer_timeout), receive)

    def _target(self, item: BatchTarget | Source) -> BatchTarget:
        if isinstance(item, BatchTarget):
            return item
        if isinstance(item, Document):
            return BatchTarget(item.name, item.sha256)
        name = item
        if isinstance(item, str) and item.startswith(STEPS):
            name = (self.get_dossier(item.partition("/steps/")[0])).document
        stored = self.get_document(self._store(name))
        return BatchTarget(item if isinstance(item, str) else stored.name, stored.sha256)

    def _settle(self, document: Source) -> str | bytes:
        settled = name_or_bytes_or_upload(document)
        return self._send(settled).name if isinstance(settled, Upload) else settled

    def _name(self, document: Source | None) -> str:
        """Give the name of a document that may be left out, "" then."""
        return "" if document is None else self._store(document)

    def _store(self, document: Source) -> str:
        settled = name_or_upload(document)
        return self._send(settled).name if isinstance(settled, Upload) else settled


def _persist(attempts: Attempts, send: Callable[[float], Answer]) -> Answer:
    while True:
        try:
            return send(attempts.remaining())
        except grpc.RpcError as failure:
            time.sleep(attempts.delay_after(failure))
