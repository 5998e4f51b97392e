"""The ports: gRPC with TLS, HTTP for metrics, health and time-stamps, and a stop that finishes what runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from pecete.errors import FailedPreconditionError
from server.app import House
from server.config import Configuration, TlsSettings
from server.config_reader import Address
from server.interceptors import Front
from server.metrics import http_application
from server.timestamp_http import timestamp_application

MAXIMUM_MESSAGE = 5 * 1024 * 1024
"""Longest message taken: 4 MiB of inline document and what is around it."""


@dataclass(frozen=True)
class Ports:
    """Where the server listens: a configured port 0 has become a real one; None: not at all."""

    grpc: Address
    metrics: Address
    timestamps: Address | None


@asynccontextmanager
async def open_ports(configuration: Configuration, house: House) -> AsyncIterator[Ports]:
    """Listen until the block ends; then take nothing new and finish what runs within the time of grace."""
    server = grpc.aio.server(
        interceptors=[Front(house.database, house.metrics)],
        options=[
            ("grpc.max_receive_message_length", MAXIMUM_MESSAGE),
            ("grpc.max_send_message_length", MAXIMUM_MESSAGE),
            ("grpc.so_reuseport", 0),
            # A caller whose network is gone would hold its call, and lock out its own retry, for hours.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ],
    )
    _add_services(server, house)
    port = _bind(server, configuration.server.listen, configuration.tls)
    await server.start()
    try:
        async with (
            _http(
                http_application(house.metrics, house.health.look), configuration.server.metrics_listen
            ) as m,
            _timestamps(house, configuration) as t,
        ):
            yield Ports(Address(configuration.server.listen.host, port), m, t)
            await house.health.stopping()
            await server.stop(configuration.server.grace_seconds)
    finally:
        await server.stop(None)


def _add_services(server: grpc.aio.Server, house: House) -> None:
    names = [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
    for add, servicer, descriptor in house.services():
        add(servicer, server)
        names.append(descriptor.full_name)
    health_pb2_grpc.add_HealthServicer_to_server(house.health.servicer, server)
    reflection.enable_server_reflection(names, server)


def _bind(server: grpc.aio.Server, address: Address, tls: TlsSettings) -> int:
    credentials = _credentials(tls)
    try:
        if credentials is None:
            return server.add_insecure_port(str(address))
        return server.add_secure_port(str(address), credentials)
    except RuntimeError as error:
        raise _taken(address, "server.listen") from error


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """Give TLS credentials, None for plaintext; with a client authority every channel needs its certificate.

    A person's API token then goes through a department's channel.
    """
    if tls.certificate is None or tls.key is None:
        return None
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    if tls.client_ca is None:
        return grpc.ssl_server_credentials([pair])
    return grpc.ssl_server_credentials([pair], tls.client_ca.read_bytes(), require_client_auth=True)


@asynccontextmanager
async def _timestamps(house: House, configuration: Configuration) -> AsyncIterator[Address | None]:
    if house.authority is None:
        yield None
        return
    async with _http(timestamp_application(house.authority), configuration.timestamping.listen) as address:
        yield address


@asynccontextmanager
async def _http(application: web.Application, address: Address) -> AsyncIterator[Address]:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise _taken(address, "listen") from error
        yield Address(address.host, _port(runner.addresses))
    finally:
        await runner.cleanup()


def _port(addresses: Sequence[object]) -> int:
    first = addresses[0]
    return int(first[1]) if isinstance(first, tuple) else 0


def _taken(address: Address, field: str) -> FailedPreconditionError:
    return FailedPreconditionError(
        "ADDRESS_NOT_AVAILABLE", f"The server cannot listen on {address}.", field=field
    )
