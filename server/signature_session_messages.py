"""Signature sessions as messages, and what a signer is shown as the row keeps it."""

from google.protobuf import json_format

from pecete.signing.v1 import signature_sessions_pb2 as pb
from pecete.signing.v1 import signing_pb2
from server.documents import Document
from server.documents_service import document_message
from server.made_signatures import SignedDocument, signature_message
from server.signature_sessions import SignatureSession
from server.signature_statements import certification_code, commitment_code, lock_code
from server.signing import SigningOrder, Visible
from server.signing_key_message import algorithm_code
from server.signing_service import level_code
from server.times import timestamp
from server.validation_service import report_message
from signer.pades.summary import DocumentSummary
from signer.validation import ValidationReport


def preview_text(
    document: Document, summary: DocumentSummary, report: ValidationReport, order: SigningOrder, signer: str
) -> str:
    """Give what the signer is shown as JSON. Raises as `report_message`."""
    preview = pb.SignaturePreview(
        display_name=document.display_name,
        title=summary.title,
        page_count=summary.page_count,
        size_bytes=document.size_bytes,
        document_sha256=document.sha256,
        earlier_signatures=report_message(report).signatures,
        signer=signer,
        reason=order.reason,
        location=order.location,
        visible_signature=_visible_message(order.visible) if order.visible else None,
        certification=certification_code(summary.certification),
        lock=lock_code(summary.lock),
        commitment=commitment_code(order.commitment),
    )
    return json_format.MessageToJson(preview, indent=None, preserving_proto_field_name=True)


def _visible_message(shown: Visible) -> signing_pb2.VisibleSignature:
    return signing_pb2.VisibleSignature(
        capacity=shown.capacity,
        register_number=shown.register_number,
        verification_uri=shown.verification_uri,
        page=shown.page,
    )


def session_message(session: SignatureSession, now: int) -> pb.SignatureSession:
    """Give a session as it stands at `now` (microseconds UTC)."""
    return pb.SignatureSession(
        name=session.name,
        document=session.document,
        step=session.step,
        certificate_sha256=session.certificate_sha256,
        algorithm=algorithm_code(session.signature_algorithm),
        level=level_code(session.level),
        signed_attributes=session.signed_attributes,
        document_digest=session.document_digest,
        byte_range=session.byte_range,
        section=session.tail,
        field_name=session.field_name,
        signing_time=timestamp(session.signing_time),
        preview=json_format.Parse(session.preview, pb.SignaturePreview()),
        create_time=timestamp(session.create_time),
        expire_time=timestamp(session.expire_time),
        state=_state(session, now),
        signed_document=session.signed_document or "",
    )


def _state(session: SignatureSession, now: int) -> pb.SignatureSession.State.ValueType:
    if session.complete_time is not None:
        return pb.SignatureSession.STATE_COMPLETED
    over = now >= session.expire_time
    return pb.SignatureSession.STATE_EXPIRED if over else pb.SignatureSession.STATE_PREPARED


def completion_message(signed: SignedDocument, dossier: str) -> pb.CompleteSignatureResponse:
    """Give what came of a session; `dossier` is the resource name of the one that moved on, or ""."""
    return pb.CompleteSignatureResponse(
        document=document_message(signed.document),
        signature=signature_message(signed.signature),
        dossier=dossier,
    )
