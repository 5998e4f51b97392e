"""`/metrics` and `/healthz` over HTTP, and gRPC's health service."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from grpc_health.v1 import health_pb2

from pecete.errors import UnavailableError
from server.health import Health
from server.metrics import Metrics, http_application

pytestmark = pytest.mark.e2e


class Part:
    """A part of the service that can be broken."""

    broken = False

    async def check(self) -> None:
        if self.broken:
            raise UnavailableError("DATABASE_UNAVAILABLE", "Away.")


async def test_health_follows_the_required_parts() -> None:
    database, token = Part(), Part()
    health = Health({"database": database.check}, {"tokens/seal": token.check})
    application = http_application(Metrics(), health.look)
    async with TestClient(TestServer(application)) as client:
        answer = await client.get("/healthz")
        assert (answer.status, await answer.json()) == (
            200,
            {"service": "ok", "database": "ok", "tokens/seal": "ok"},
        )
        token.broken = True
        answer = await client.get("/healthz")
        states_then = await answer.json()
        assert (answer.status, states_then["tokens/seal"]) == (200, "DATABASE_UNAVAILABLE")
        assert states_then["service"] == "degraded"
        assert await states(health, "", "tokens/seal") == ["SERVING", "NOT_SERVING"]
        database.broken = True
        answer = await client.get("/healthz")
        assert (answer.status, (await answer.json())["database"]) == (503, "DATABASE_UNAVAILABLE")
        assert (await answer.json())["service"] == "failed"
        assert await states(health, "") == ["NOT_SERVING"]
        database.broken = token.broken = False
        await health.look()
        assert await states(health, "", "tokens/seal") == ["SERVING", "SERVING"]
    await health.stopping()
    await health.look()
    assert await states(health, "", "tokens/seal") == ["NOT_SERVING", "NOT_SERVING"]


async def states(health: Health, *names: str) -> list[str]:
    check: Any = health.servicer.Check
    answers = [await check(health_pb2.HealthCheckRequest(service=name), None) for name in names]
    return [health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) for answer in answers]


async def test_metrics_are_given_in_prometheus_text() -> None:
    metrics = Metrics()
    metrics.finished("/x/Y", "OK", "", 0.2)
    metrics.finished("/x/Y", "NOT_FOUND", "DOCUMENT_NOT_FOUND", 0.2)
    metrics.token_up.labels("seal").set(1)
    metrics.journal_size.set(7)
    health = Health({}, {})
    async with TestClient(TestServer(http_application(metrics, health.look))) as client:
        answer = await client.get("/metrics")
        text = await answer.text()
    assert answer.content_type == "text/plain"
    for line in (
        'pecete_calls_total{code="OK",method="/x/Y"} 1.0',
        'pecete_errors_total{reason="DOCUMENT_NOT_FOUND"} 1.0',
        'pecete_token_up{token="seal"} 1.0',
        "pecete_journal_size 7.0",
    ):
        assert line in text.splitlines()
