"""What is asked of the archive."""

from pecete.archive.v1 import archive_pb2
from pecete.calls import Call, Download, Listing, ask, new_request_id
from pecete.errors import InvalidArgumentError

KINDS = {"original": archive_pb2.RECORD_KIND_ORIGINAL, "copy": archive_pb2.RECORD_KIND_COPY}
"""What a record is of its document."""


def archive(
    document: str, descriptive_record: archive_pb2.DescriptiveRecord, kind: str, request_id: str
) -> Call[archive_pb2.Record]:
    """Ask to archive a document. Raises InvalidArgumentError RECORD_KIND_UNKNOWN."""
    if kind not in KINDS:
        raise InvalidArgumentError("RECORD_KIND_UNKNOWN", "A record is an original or a copy.", field="kind")
    request = archive_pb2.ArchiveDocumentRequest(
        document=document,
        kind=KINDS[kind],
        descriptive_record=descriptive_record,
        request_id=request_id or new_request_id(),
    )
    return ask(lambda stubs: stubs.archive.ArchiveDocument, request)


def get_record(name: str) -> Call[archive_pb2.Record]:
    """Ask for a record."""
    return ask(lambda stubs: stubs.archive.GetRecord, archive_pb2.GetRecordRequest(name=name))


def list_records() -> Listing[archive_pb2.ListRecordsResponse, archive_pb2.Record]:
    """Ask for all records, newest first."""
    return Listing(
        lambda token: ask(
            lambda stubs: stubs.archive.ListRecords, archive_pb2.ListRecordsRequest(page_token=token)
        ),
        lambda page: page.records,
        lambda page: page.next_page_token,
    )


def download_record(
    name: str,
) -> Download[archive_pb2.DownloadRecordResponse, archive_pb2.Record]:
    """Ask for a record's document."""
    return Download(
        lambda stubs: stubs.archive.DownloadRecord,
        archive_pb2.DownloadRecordRequest(name=name),
        lambda message: (message.record if message.HasField("record") else None, message.chunk),
    )


def verify_record(name: str) -> Call[archive_pb2.RecordVerdict]:
    """Ask to check a record."""
    return ask(lambda stubs: stubs.archive.VerifyRecord, archive_pb2.VerifyRecordRequest(name=name))


def record_proof(name: str) -> Call[archive_pb2.RecordProof]:
    """Ask for what proves a record offline."""
    return ask(lambda stubs: stubs.archive.GetRecordProof, archive_pb2.GetRecordProofRequest(name=name))
