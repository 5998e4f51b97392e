"""gRPC front of signing in two phases: translates requests; equal requests get the first one's answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from pecete.errors import InvalidArgumentError, PeceteError
from pecete.signing.v1 import signature_sessions_pb2 as pb
from pecete.signing.v1 import signature_sessions_pb2_grpc as rpc
from pecete.signing.v1 import signing_pb2
from server.authorization import authorize_step
from server.database import Database
from server.idempotency import RequestKey, RequestLocks, recall, request_key
from server.interceptors import caller
from server.signature_session_messages import session_message
from server.signature_statements import certification, commitment, lock
from server.signing import SigningOrder
from server.signing_service import level_name, visible
from server.two_phase_signing import Target, TwoPhaseSigner
from signer.algorithms import ALGORITHMS, SignatureAlgorithm
from signer.external import external_signer

PREPARE = "/pecete.signing.v1.SignatureSessionService/PrepareSignature"

Answer = TypeVar("Answer")


class SignatureSessionService(rpc.SignatureSessionServiceServicer):
    """Prepares and completes signatures whose key the service does not hold."""

    def __init__(self, database: Database, signer: TwoPhaseSigner, locks: RequestLocks) -> None:
        self._database = database
        self._signer = signer
        self._locks = locks

    async def PrepareSignature(
        self, request: pb.PrepareSignatureRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.SignatureSession:
        """Write the section and leave a session."""
        who = caller()
        if request.step:
            authorize_step(PREPARE, who.roles)
        key = request_key(who.principal, "PrepareSignature", request)
        return await self._once(key, pb.SignatureSession.FromString, lambda: self._prepare(key, request))

    async def _prepare(self, key: RequestKey, request: pb.PrepareSignatureRequest) -> pb.SignatureSession:
        if request.WhichOneof("target") is None:
            raise InvalidArgumentError("DOCUMENT_MISSING", "Name a document or a step.", field="document")
        signer = external_signer(request.certificate, request.chain, signature_algorithm(request.algorithm))
        target = Target(request.document, request.step)
        return await self._signer.prepare(key, target, signer, signing_order(request))

    async def GetSignatureSession(
        self, request: pb.GetSignatureSessionRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.SignatureSession:
        """Describe a session of the caller's."""
        session = await self._signer.get(request.name, caller().principal)
        return session_message(session, self._signer.now())

    async def CompleteSignature(
        self, request: pb.CompleteSignatureRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.CompleteSignatureResponse:
        """Take in the signature value and register the signed document."""
        key = request_key(caller().principal, "CompleteSignature", request)
        return await self._once(
            key,
            pb.CompleteSignatureResponse.FromString,
            lambda: self._signer.complete(key, request.name, request.signature),
        )

    async def _once(
        self, key: RequestKey, parse: Callable[[bytes], Answer], answer: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Answer a request, or give its first answer: also where another server was just giving that one."""
        async with self._locks.hold(key):
            first = await self._database.fetch(recall, key)
            if first is not None:
                return parse(first)
            try:
                return await answer()
            except PeceteError:
                first = await self._database.fetch(recall, key)
                if first is None:
                    raise
                return parse(first)


def signature_algorithm(code: int) -> SignatureAlgorithm | None:
    """Read what a key signs with; None where it is not stated.

    Raises InvalidArgumentError SIGNATURE_ALGORITHM_UNKNOWN.
    """
    if code == signing_pb2.SIGNATURE_ALGORITHM_UNSPECIFIED:
        return None
    if code not in signing_pb2.SignatureAlgorithm.values():
        raise InvalidArgumentError(
            "SIGNATURE_ALGORITHM_UNKNOWN", "There is no such algorithm.", field="algorithm"
        )
    name = signing_pb2.SignatureAlgorithm.Name(signing_pb2.SignatureAlgorithm.ValueType(code))
    return ALGORITHMS[name.removeprefix("SIGNATURE_ALGORITHM_").lower()]


def signing_order(request: pb.PrepareSignatureRequest) -> SigningOrder:
    """Read what is wanted. Raises InvalidArgumentError as for the same fields of SignDocument."""
    return SigningOrder(
        signing_key="",
        level=level_name(request.level),
        field_name=request.field_name or None,
        reason=request.reason,
        location=request.location,
        visible=visible(request.visible_signature) if request.HasField("visible_signature") else None,
        certification=certification(request.certification),
        lock=lock(request.lock),
        commitment=commitment(request.commitment),
    )
