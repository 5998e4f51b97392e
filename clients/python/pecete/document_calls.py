"""What is asked of the services for documents, signing, validation and time-stamping."""

from collections.abc import Sequence
from datetime import datetime

from pecete.calls import Call, Download, Listing, Source, ask, format_named, level_named, new_request_id
from pecete.documents.v1 import documents_pb2
from pecete.errors import InvalidArgumentError
from pecete.signature_statements import (
    SignatureStatements,
    certification_named,
    commitment_named,
    lock_named,
)
from pecete.signing.v1 import signing_pb2
from pecete.timestamping.v1 import timestamping_pb2
from pecete.validation.v1 import validation_pb2
from pecete.validation.v1.validation_pb2 import REPORT_FORMAT_HTML, REPORT_FORMAT_PDF, REPORT_FORMAT_XML


class SigningOptions(SignatureStatements, total=False):
    """How a document is signed; everything may be left out.

    pin: the token's PIN where the key asks for it with each call.
    format: `pades`, `cades` (detached), `cades-enveloping`, `asic-s` or `asic-e`; without it a PDF gets
    `pades`, and a CMS signature or an ASiC one more signature. further_documents: those that go into an
    ASiC-E after the first. detached: the content of a detached signature that gets one more.
    countersigned_signature: SHA-256 of the signature value that is countersigned.
    return_content: whether the answer carries the signed document (up to 4 MiB). request_id: see the module.
    """

    pin: str
    format: str
    further_documents: Sequence[Source]
    detached: Source
    countersigned_signature: bytes
    return_content: bool
    request_id: str


def get_document(name: str) -> Call[documents_pb2.Document]:
    """Ask for a document's description."""
    return ask(lambda stubs: stubs.documents.GetDocument, documents_pb2.GetDocumentRequest(name=name))


def download(
    name: str,
) -> Download[documents_pb2.DownloadDocumentResponse, documents_pb2.Document]:
    """Ask for a document's bytes."""
    return Download(
        lambda stubs: stubs.documents.DownloadDocument,
        documents_pb2.DownloadDocumentRequest(name=name),
        lambda message: (message.document if message.HasField("document") else None, message.chunk),
    )


def list_signing_keys() -> Listing[signing_pb2.ListSigningKeysResponse, signing_pb2.SigningKey]:
    """Ask for the keys that the caller may use."""
    return Listing(
        lambda token: ask(
            lambda stubs: stubs.signing.ListSigningKeys, signing_pb2.ListSigningKeysRequest(page_token=token)
        ),
        lambda page: page.signing_keys,
        lambda page: page.next_page_token,
    )


def get_signing_key(name: str) -> Call[signing_pb2.SigningKey]:
    """Ask for one key."""
    return ask(lambda stubs: stubs.signing.GetSigningKey, signing_pb2.GetSigningKeyRequest(name=name))


def stated_request(signing_key: str, stated: SignatureStatements) -> signing_pb2.SignDocumentRequest:
    """Give a request that says how is signed, and not yet what. Raises as `sign`."""
    return signing_pb2.SignDocumentRequest(
        signing_key=signing_key,
        level=level_named(stated.get("level", "B-T")),
        reason=stated.get("reason", ""),
        location=stated.get("location", ""),
        field_name=stated.get("field_name", ""),
        visible_signature=stated.get("visible"),
        certification=certification_named(stated.get("certification", "")),
        lock=lock_named(stated.get("lock", "")),
        commitment=commitment_named(stated.get("commitment", "")),
    )


def sign(
    document: str | bytes,
    signing_key: str,
    options: SigningOptions,
    further_documents: Sequence[str],
    detached: str,
) -> Call[signing_pb2.SignDocumentResponse]:
    """Ask for one signature; the options' further documents and detached content are given as names.

    Raises InvalidArgumentError LEVEL_UNKNOWN, SIGNATURE_FORMAT_UNKNOWN, CERTIFICATION_UNKNOWN, LOCK_UNKNOWN
    or COMMITMENT_UNKNOWN.
    """
    request = stated_request(signing_key, options)
    request.pin = options.get("pin", "")
    request.format = format_named(options.get("format", ""))
    request.further_documents.extend(further_documents)
    request.detached = detached
    request.countersigned_signature = options.get("countersigned_signature", b"")
    request.return_content = options.get("return_content", False)
    request.request_id = options.get("request_id") or new_request_id()
    if isinstance(document, str):
        request.document = document
    else:
        request.content = document
    return ask(lambda stubs: stubs.signing.SignDocument, request, once=bool(request.pin))


def augment(
    document: str | bytes, level: str, field_name: str, detached: str, return_content: bool, request_id: str
) -> Call[signing_pb2.AugmentSignatureResponse]:
    """Ask for a higher level. Raises InvalidArgumentError LEVEL_UNKNOWN."""
    request = signing_pb2.AugmentSignatureRequest(
        level=level_named(level),
        field_name=field_name,
        detached=detached,
        return_content=return_content,
        request_id=request_id or new_request_id(),
    )
    if isinstance(document, str):
        request.document = document
    else:
        request.content = document
    return ask(lambda stubs: stubs.signing.AugmentSignature, request)


def validate(
    document: str | bytes,
    time: datetime | None,
    detached: str,
    report_formats: Sequence[str] = (),
    report_language: str = "",
) -> Call[validation_pb2.ValidationReport]:
    """Ask for a verdict as of `time`, or now, and for the report as files: `pdf`, `html`, `xml`.

    Raises InvalidArgumentError TIME_NAIVE or REPORT_FORMAT_UNKNOWN.
    """
    request = validation_pb2.ValidateDocumentRequest(
        detached=detached,
        report_formats=[_report_format(name) for name in report_formats],
        report_language=report_language,
    )
    if isinstance(document, str):
        request.document = document
    else:
        request.content = document
    if time is not None:
        if time.tzinfo is None:
            raise InvalidArgumentError("TIME_NAIVE", "The time needs its zone.", field="validation_time")
        request.validation_time.FromDatetime(time)
    return ask(lambda stubs: stubs.validation.ValidateDocument, request)


def _report_format(name: str) -> validation_pb2.ReportFormat.ValueType:
    known = {"pdf": REPORT_FORMAT_PDF, "html": REPORT_FORMAT_HTML, "xml": REPORT_FORMAT_XML}
    if name not in known:
        raise InvalidArgumentError(
            "REPORT_FORMAT_UNKNOWN", "Reports are written as pdf, html and xml.", field="report_formats"
        )
    return known[name]


def create_timestamp(
    timestamp_request: bytes,
) -> Call[timestamping_pb2.CreateTimestampResponse]:
    """Carry a TimeStampReq, DER. It has no request id: a second token does no harm."""
    return ask(
        lambda stubs: stubs.timestamping.CreateTimestamp,
        timestamping_pb2.CreateTimestampRequest(timestamp_request=timestamp_request),
    )
