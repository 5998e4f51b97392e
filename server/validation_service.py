"""gRPC front of the judging of signatures: translates verdicts."""

import json
from datetime import UTC, datetime
from pathlib import Path

import grpc

from pecete.errors import InvalidArgumentError, ResourceExhaustedError
from pecete.validation.v1 import validation_pb2 as pb
from pecete.validation.v1 import validation_pb2_grpc as rpc
from server import documents
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.documents import Document
from server.interceptors import caller
from server.signature_formats import find_detached
from server.times import timestamp_of
from server.validation_fetching import FetchingJudge
from signer.validation import SignatureVerdict, TimestampVerdict, ValidationReport
from signer.validation.report import EvidenceRecordVerdict
from signer.validation.reports.rendering import MEDIA_TYPES, RenderedValidation, Rendering, ReportFormat
from signer.validation.reports.texts import Language

_REPORTS_MAXIMUM = 4 * 1024 * 1024
_FORMATS = {
    pb.REPORT_FORMAT_PDF: ReportFormat.PDF,
    pb.REPORT_FORMAT_HTML: ReportFormat.HTML,
    pb.REPORT_FORMAT_XML: ReportFormat.XML,
}
_LANGUAGES: dict[str, Language] = {"": "ro", "ro": "ro", "en": "en"}


class ValidationService(rpc.ValidationServiceServicer):
    """Judges the signatures of documents."""

    def __init__(self, database: Database, keeper: DocumentKeeper, judge: FetchingJudge) -> None:
        self._database = database
        self._keeper = keeper
        self._judge = judge

    async def ValidateDocument(
        self, request: pb.ValidateDocumentRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.ValidationReport:
        """Judge each signature of a document."""
        time, formats, language = _validation_time(request), _formats(request), _language(request)
        document = await self._source(request)
        path, detached = self._keeper.store.path(document.sha256.hex()), await self._detached(request)
        if not formats:
            report = await self._judge.judge(
                path, display_name=document.display_name, time=time, detached=detached
            )
            return report_message(report)
        rendering = Rendering(formats, language, document.display_name)
        rendered = await self._judge.render(path, rendering, time=time, detached=detached)
        return _rendered_message(rendered, formats)

    async def _source(self, request: pb.ValidateDocumentRequest) -> Document:
        """Give the document to judge; an inline one is stored for it and swept later, as no row needs it."""
        source = request.WhichOneof("source")
        if source is None:
            raise InvalidArgumentError(
                "DOCUMENT_MISSING", "Name a document or send it inline.", field="document"
            )
        if source == "document":
            return await self._database.fetch(documents.get, request.document)
        return await self._keeper.store_inline(request.content, principal=caller().principal)

    async def _detached(self, request: pb.ValidateDocumentRequest) -> list[Path]:
        if not request.detached:
            return []
        content = await find_detached(self._database, request.detached)
        return [self._keeper.store.path(content.sha256.hex())]


def _validation_time(request: pb.ValidateDocumentRequest) -> datetime | None:
    if not request.HasField("validation_time"):
        return None
    try:
        return request.validation_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            "VALIDATION_TIME_INVALID", "The time is not one from year 1 to 9999.", field="validation_time"
        ) from error


def _formats(request: pb.ValidateDocumentRequest) -> tuple[ReportFormat, ...]:
    unknown = [wanted for wanted in request.report_formats if wanted not in _FORMATS]
    if unknown or len(set(request.report_formats)) < len(request.report_formats):
        raise InvalidArgumentError(
            "REPORT_FORMAT_UNKNOWN", "Name each known form of the report once.", field="report_formats"
        )
    return tuple(_FORMATS[wanted] for wanted in request.report_formats)


def _language(request: pb.ValidateDocumentRequest) -> Language:
    if request.report_language not in _LANGUAGES:
        raise InvalidArgumentError(
            "REPORT_LANGUAGE_UNKNOWN", "Reports are written in ro and en.", field="report_language"
        )
    return _LANGUAGES[request.report_language]


def _rendered_message(rendered: RenderedValidation, formats: tuple[ReportFormat, ...]) -> pb.ValidationReport:
    message = report_message(rendered.report)
    if sum(map(len, rendered.files)) > _REPORTS_MAXIMUM:
        raise ResourceExhaustedError(
            "REPORT_TOO_LARGE", "The forms of the report do not fit into one answer.", field="report_formats"
        )
    for form, content in zip(formats, rendered.files, strict=True):
        number = pb.ReportFormat.Value(f"REPORT_FORMAT_{form}".upper())
        message.reports.add(format=number, media_type=MEDIA_TYPES[form], content=content)
    return message


def report_message(report: ValidationReport) -> pb.ValidationReport:
    """Give a report as its message. Raises InvalidArgumentError with why a document could not be judged."""
    if report.error is not None:
        raise InvalidArgumentError(report.error.reason.upper(), report.error.message, field="document")
    return pb.ValidationReport(
        document_sha256=report.sha256,
        validation_time=timestamp_of(report.validation_time),
        signatures=map(_signature_message, report.signatures),
        report_json=json.dumps(report.to_json(), ensure_ascii=False),
        document_timestamps=map(_timestamp_message, report.document_timestamps),
        evidence_records=map(_record_message, report.evidence_records),
    )


def _signature_message(verdict: SignatureVerdict) -> pb.SignatureVerdict:
    conclusion = verdict.conclusion
    claimed, best = verdict.signing_time, verdict.best_signature_time
    return pb.SignatureVerdict(
        field=verdict.field,
        format=verdict.format,
        level=verdict.level,
        integrity=pb.Integrity.Value(f"INTEGRITY_{verdict.integrity}".upper()),
        modification=pb.Modification.Value(f"MODIFICATION_{verdict.modification}".upper()),
        indication=pb.Indication.Value(f"INDICATION_{conclusion.indication}"),
        sub_indication=conclusion.sub_indication or "",
        signing_time=timestamp_of(claimed) if claimed else None,
        best_signature_time=timestamp_of(best) if best else None,
        signer=verdict.signer or "",
        signer_certificate=verdict.signer_certificate or b"",
        timestamps=map(_timestamp_message, verdict.timestamps),
        changes=verdict.changes,
        explanation=conclusion.explanation,
        identity=verdict.identity,
        identity_reason=verdict.identity_reason,
        time_status=verdict.time_status,
        qualification=verdict.qualification,
        findings=verdict.findings,
        faults=verdict.faults,
        path=verdict.path,
        trace=(pb.ProcessStep(building_block=block, conclusion=told) for block, told in verdict.trace),
    )


def _timestamp_message(verdict: TimestampVerdict) -> pb.TimestampVerdict:
    conclusion = verdict.conclusion
    return pb.TimestampVerdict(
        kind=str(verdict.kind),
        generation_time=timestamp_of(verdict.generation_time) if verdict.generation_time else None,
        authority=verdict.authority or "",
        indication=pb.Indication.Value(f"INDICATION_{conclusion.indication}"),
        sub_indication=conclusion.sub_indication or "",
        field=verdict.field,
        integrity=pb.Integrity.Value(f"INTEGRITY_{verdict.integrity}".upper()),
        explanation=conclusion.explanation,
        qualification=verdict.qualification,
    )


def _record_message(verdict: EvidenceRecordVerdict) -> pb.EvidenceRecordVerdict:
    conclusion = verdict.conclusion
    return pb.EvidenceRecordVerdict(
        name=verdict.name,
        integrity=pb.Integrity.Value(f"INTEGRITY_{verdict.integrity}".upper()),
        indication=pb.Indication.Value(f"INDICATION_{conclusion.indication}"),
        sub_indication=conclusion.sub_indication or "",
        proven_time=timestamp_of(verdict.proven_time) if verdict.proven_time else None,
        covers=verdict.covers,
        files=verdict.files,
    )
