"""What is asked of the service for signatures in two phases, with keys that it does not hold."""

from collections.abc import Sequence

from pecete.calls import Call, ask, level_named, new_request_id
from pecete.signature_statements import (
    SignatureStatements,
    certification_named,
    commitment_named,
    lock_named,
)
from pecete.signing.v1 import signature_sessions_pb2, signing_pb2


class PreparationOptions(SignatureStatements, total=False):
    """How a signature is prepared; everything may be left out.

    chain: certificates above the signer's, DER. algorithm: what the key signs with, else what is usual.
    request_id as in SigningOptions. A step is always visible and in its own capacity, and its procedure says
    what it certifies and locks.
    """

    chain: Sequence[bytes]
    algorithm: signing_pb2.SignatureAlgorithm.ValueType
    request_id: str


def prepare_signature(
    document: str, certificate: bytes, options: PreparationOptions
) -> Call[signature_sessions_pb2.SignatureSession]:
    """Ask for a signature on a document to be prepared. Raises InvalidArgumentError LEVEL_UNKNOWN."""
    request = _request(certificate, options)
    request.document = document
    return _prepare(request)


def prepare_step(
    step: str, certificate: bytes, options: PreparationOptions
) -> Call[signature_sessions_pb2.SignatureSession]:
    """Ask for the signature of a dossier's step to be prepared. Raises InvalidArgumentError LEVEL_UNKNOWN."""
    request = _request(certificate, options)
    request.step = step
    return _prepare(request)


def get_signature_session(name: str) -> Call[signature_sessions_pb2.SignatureSession]:
    """Ask for a session."""
    request = signature_sessions_pb2.GetSignatureSessionRequest(name=name)
    return ask(lambda stubs: stubs.signature_sessions.GetSignatureSession, request)


def complete_signature(
    name: str, signature: bytes, request_id: str
) -> Call[signature_sessions_pb2.CompleteSignatureResponse]:
    """Bring a session's signature value."""
    request = signature_sessions_pb2.CompleteSignatureRequest(
        name=name, signature=signature, request_id=request_id or new_request_id()
    )
    return ask(lambda stubs: stubs.signature_sessions.CompleteSignature, request)


def _prepare(
    request: signature_sessions_pb2.PrepareSignatureRequest,
) -> Call[signature_sessions_pb2.SignatureSession]:
    return ask(lambda stubs: stubs.signature_sessions.PrepareSignature, request)


def _request(
    certificate: bytes, options: PreparationOptions
) -> signature_sessions_pb2.PrepareSignatureRequest:
    return signature_sessions_pb2.PrepareSignatureRequest(
        certificate=certificate,
        chain=options.get("chain", ()),
        algorithm=options.get("algorithm", signing_pb2.SIGNATURE_ALGORITHM_UNSPECIFIED),
        level=level_named(options.get("level", "B-T")),
        reason=options.get("reason", ""),
        location=options.get("location", ""),
        field_name=options.get("field_name", ""),
        visible_signature=options.get("visible"),
        certification=certification_named(options.get("certification", "")),
        lock=lock_named(options.get("lock", "")),
        commitment=commitment_named(options.get("commitment", "")),
        request_id=options.get("request_id") or new_request_id(),
    )
