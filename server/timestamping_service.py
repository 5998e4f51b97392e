"""gRPC front of the time-stamping authority: DER in, DER out."""

import grpc

from pecete.errors import FailedPreconditionError
from pecete.timestamping.v1 import timestamping_pb2 as pb
from pecete.timestamping.v1 import timestamping_pb2_grpc as rpc
from server.interceptors import caller
from timestamping.authority import Authority


class TimestampingService(rpc.TimestampingServiceServicer):
    """Answers RFC 3161 requests; None: this server has no authority."""

    def __init__(self, authority: Authority | None) -> None:
        self._authority = authority

    async def CreateTimestamp(
        self, request: pb.CreateTimestampRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.CreateTimestampResponse:
        """Answer a TimeStampReq with a TimeStampResp."""
        if self._authority is None:
            raise FailedPreconditionError(
                "TIMESTAMP_AUTHORITY_NOT_CONFIGURED", "This server has no time-stamping authority."
            )
        who = caller()
        response = await self._authority.respond(
            request.timestamp_request, client=who.principal, request_id=who.request_id
        )
        return pb.CreateTimestampResponse(timestamp_response=response)
