"""Channels to the service, sync and aio, and the stubs on them."""

from typing import cast

import grpc
from grpc import aio

from pecete.archive.v1.archive_pb2_grpc import ArchiveServiceStub
from pecete.credentials import Credentials, is_loopback
from pecete.documents.v1.documents_pb2_grpc import DocumentServiceStub
from pecete.errors import InvalidArgumentError
from pecete.signing.v1.signature_batches_pb2_grpc import SignatureBatchServiceStub
from pecete.signing.v1.signature_sessions_pb2_grpc import SignatureSessionServiceStub
from pecete.signing.v1.signing_pb2_grpc import SigningServiceStub
from pecete.timestamping.v1.timestamping_pb2_grpc import TimestampingServiceStub
from pecete.validation.v1.validation_pb2_grpc import ValidationServiceStub
from pecete.workflow.v1.workflow_pb2_grpc import WorkflowServiceStub

OPTIONS = (
    # An inline document of 4 MiB and the fields around it.
    ("grpc.max_receive_message_length", 5 << 20),
    # The retry policy decides when to try again; the channel should follow soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


class Stubs:
    """The stubs of every service on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.documents = DocumentServiceStub(channel)
        self.signing = SigningServiceStub(channel)
        self.signature_sessions = SignatureSessionServiceStub(channel)
        self.signature_batches = SignatureBatchServiceStub(channel)
        self.validation = ValidationServiceStub(channel)
        self.timestamping = TimestampingServiceStub(channel)
        self.archive = ArchiveServiceStub(channel)
        self.workflow = WorkflowServiceStub(channel)


def open_channel(server: str, credentials: Credentials) -> grpc.Channel:
    """Open a channel to `host:port`; nothing is sent yet.

    Raises InvalidArgumentError SERVER_MALFORMED, PLAINTEXT_NOT_LOOPBACK.
    """
    if (secret := _tls(server, credentials)) is None:
        return grpc.insecure_channel(server, OPTIONS)
    return grpc.secure_channel(server, secret, OPTIONS)


def open_aio_channel(server: str, credentials: Credentials) -> aio.Channel:
    """Open a channel as `open_channel` does, for asyncio."""
    if (secret := _tls(server, credentials)) is None:
        return aio.insecure_channel(server, OPTIONS)
    return aio.secure_channel(server, secret, OPTIONS)


def aio_stubs(channel: aio.Channel) -> Stubs:
    """Make the stubs on an aio channel: what they return is awaited or iterated asynchronously."""
    return Stubs(cast(grpc.Channel, channel))


def _tls(server: str, credentials: Credentials) -> grpc.ChannelCredentials | None:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidArgumentError(
            "SERVER_MALFORMED",
            "The server is named as host:port, such as example.ro:8443.",
            field="server",
        )
    if not credentials.plaintext:
        return grpc.ssl_channel_credentials(
            credentials.ca or None, credentials.key or None, credentials.certificate or None
        )
    if not is_loopback(server):
        raise InvalidArgumentError(
            "PLAINTEXT_NOT_LOOPBACK", "Without TLS only a loopback address may be called.", field="server"
        )
    return None
