"""gRPC front of the archive: translates requests and answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import grpc
from sqlalchemy import Connection

from archive.checkpoint import CheckpointSigner
from archive.description import Description
from archive.journal import Journal
from archive.proof import Outcome, record_proof, verify_record
from archive.record import Record, RecordKind, Submission, archive_document, get_record, list_records
from pecete.archive.v1 import archive_pb2 as pb
from pecete.archive.v1 import archive_pb2_grpc as rpc
from pecete.errors import InvalidArgumentError
from server import documents
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.documents import Document, new_id
from server.documents_service import object_chunks
from server.idempotency import RequestKey, RequestLocks, recall, recall_in_turn, remember, request_key
from server.interceptors import caller
from server.judging import Judge
from server.times import microseconds, timestamp

_KINDS: dict[int, RecordKind] = {pb.RECORD_KIND_ORIGINAL: "original", pb.RECORD_KIND_COPY: "copy"}
_KIND_CODES = {"original": pb.RECORD_KIND_ORIGINAL, "copy": pb.RECORD_KIND_COPY}
_VERIFYING = 2
"""Records that one server reads again at a time; further ones wait, and nothing else does."""
_OUTCOMES = {
    Outcome.PASSED: pb.RecordCheck.OUTCOME_PASSED,
    Outcome.FAILED: pb.RecordCheck.OUTCOME_FAILED,
    Outcome.PENDING: pb.RecordCheck.OUTCOME_PENDING,
}


def record_message(record: Record) -> pb.Record:
    """Give a record as its message."""
    described = record.descriptive_record
    return pb.Record(
        name=record.name,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        media_type=record.media_type,
        kind=_KIND_CODES[record.kind],
        descriptive_record=pb.DescriptiveRecord(
            owner=described.owner,
            issuer=described.issuer,
            rights_holder=described.rights_holder,
            history=described.history,
            document_type=described.document_type,
            classification=described.classification,
            format=described.format,
            keywords=described.keywords,
            carrier_location=described.carrier_location,
            unique_identifier=described.unique_identifier,
            issue_date=described.issue_date,
            archive_date=described.archive_date,
            retention=described.retention,
        ),
        validation_report_json=record.validation_report,
        archivist=record.archivist,
        create_time=timestamp(record.create_time),
    )


class ArchiveService(rpc.ArchiveServiceServicer):
    """Keeps documents and proves what they were."""

    def __init__(
        self,
        *,
        database: Database,
        keeper: DocumentKeeper,
        journal: Journal,
        judge: Judge,
        signer: CheckpointSigner,
        journal_public_key: str,
        carrier_location: str,
        locks: RequestLocks,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._journal = journal
        self._judge = judge
        self._signer = signer
        self._journal_public_key = journal_public_key
        self._carrier_location = carrier_location
        self._locks = locks
        self._clock = clock
        self._verifying = ThreadPoolExecutor(_VERIFYING, thread_name_prefix="verify")

    async def ArchiveDocument(
        self, request: pb.ArchiveDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Record:
        """Judge a document, then archive it with its verdict whatever that is."""
        key = request_key(caller().principal, "ArchiveDocument", request)
        async with self._locks.hold(key):
            if (first := await self._database.fetch(recall, key)) is not None:
                return pb.Record.FromString(first)
            description = _description(request)
            description.check(self._clock())
            document = await self._database.fetch(documents.get, request.document)
            report = await self._judge.report_for_archive(
                self._keeper.store.path(document.sha256.hex()), display_name=document.display_name
            )
            answer = await self._database.run(self._archive, request, key, document, description, report)
            return pb.Record.FromString(answer)

    def _archive(
        self,
        connection: Connection,
        request: pb.ArchiveDocumentRequest,
        key: RequestKey,
        document: Document,
        description: Description,
        report: str,
    ) -> bytes:
        if (first := recall_in_turn(connection, key)) is not None:
            return first
        now = self._clock()
        submission = Submission(
            sha256=document.sha256,
            size_bytes=document.size_bytes,
            media_type=document.media_type,
            kind=_kind(request.kind),
            archivist=key.principal,
            description=description,
            validation_report=report,
        )
        record = archive_document(
            connection,
            self._journal,
            submission,
            record_id=new_id(),
            request_id=key.request_id,
            now=now,
            carrier_location=self._carrier_location,
            exists=self._keeper.store.exists,
        )
        answer = record_message(record)
        remember(connection, key, answer, microseconds(now))
        return answer.SerializeToString()

    async def GetRecord(
        self, request: pb.GetRecordRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Record:
        """Describe a record."""
        return record_message(await self._database.fetch(get_record, request.name))

    async def ListRecords(
        self, request: pb.ListRecordsRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.ListRecordsResponse:
        """List records, newest first."""
        page = await self._database.fetch(
            list_records, page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListRecordsResponse(
            records=map(record_message, page.records), next_page_token=page.next_page_token
        )

    async def DownloadRecord(
        self, request: pb.DownloadRecordRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncIterator[pb.DownloadRecordResponse]:
        """Send a record: its description, then its bytes."""
        record = await self._database.fetch(get_record, request.name)
        yield pb.DownloadRecordResponse(record=record_message(record))
        async for chunk in object_chunks(self._keeper, record.sha256.hex()):
            yield pb.DownloadRecordResponse(chunk=chunk)

    async def VerifyRecord(
        self, request: pb.VerifyRecordRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.RecordVerdict:
        """Check bytes, row, journal and checkpoint of a record."""
        verify = partial(
            verify_record,
            self._database.read,
            self._keeper.store,
            request.name,
            public_key=self._signer.public_key,
            origin=self._signer.origin,
        )
        verdict = await asyncio.get_running_loop().run_in_executor(self._verifying, verify)
        checks = (
            pb.RecordCheck(check=check.check, outcome=_OUTCOMES[check.outcome], detail=check.detail)
            for check in verdict.checks
        )
        return pb.RecordVerdict(record=verdict.record, checks=checks)

    async def GetRecordProof(
        self, request: pb.GetRecordProofRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.RecordProof:
        """Give what proves a record offline."""
        proof = await self._database.fetch(record_proof, request.name)
        return pb.RecordProof(
            record=request.name, proof_json=proof.to_json(), journal_public_key=self._journal_public_key
        )


def _kind(kind: int) -> RecordKind:
    if kind not in _KINDS:
        raise InvalidArgumentError("RECORD_KIND_MISSING", "A record is an original or a copy.", field="kind")
    return _KINDS[kind]


def _description(request: pb.ArchiveDocumentRequest) -> Description:
    given = request.descriptive_record
    return Description(
        owner=given.owner,
        issuer=given.issuer,
        rights_holder=given.rights_holder,
        history=given.history,
        document_type=given.document_type,
        classification=given.classification,
        keywords=tuple(given.keywords),
        issue_date=given.issue_date,
        retention=given.retention,
    )
