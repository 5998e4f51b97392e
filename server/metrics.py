"""What Prometheus learns of the service, and the HTTP port where it asks."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from server.health import Look

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The service's figures, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("pecete_calls", "Finished calls", ["method", "code"], registry=self.registry)
        self.seconds = Histogram(
            "pecete_call_seconds", "Duration of calls", ["method"], buckets=_BUCKETS, registry=self.registry
        )
        self.errors = Counter("pecete_errors", "Errors by reason", ["reason"], registry=self.registry)
        self.in_flight = Gauge("pecete_calls_in_flight", "Calls under way", registry=self.registry)
        self.journal_size = Gauge("pecete_journal_size", "Leaves of the journal", registry=self.registry)
        self.token_up = Gauge(
            "pecete_token_up", "1: the token answers, 0: it does not", ["token"], registry=self.registry
        )
        self.token_pin_tries_low = Gauge(
            "pecete_token_pin_tries_low",
            "1: the token says that few or no tries are left for its PIN",
            ["token"],
            registry=self.registry,
        )
        self.token_recoveries = Counter(
            "pecete_token_recoveries", "Times a token answered again", ["token"], registry=self.registry
        )
        self.token_worker_losses = Counter(
            "pecete_token_worker_losses",
            "Worker processes of a token that crashed, or were killed for hanging",
            ["token", "cause"],
            registry=self.registry,
        )
        self.token_failovers = Counter(
            "pecete_token_failovers",
            "Signatures that another token with the same key made in this one's place",
            ["token"],
            registry=self.registry,
        )
        self.trusted_list_refreshes = Counter(
            "pecete_trusted_list_refreshes",
            "Attempts to get a trusted list, by what came of them",
            ["territory", "outcome"],
            registry=self.registry,
        )
        self.trusted_list_next_update = Gauge(
            "pecete_trusted_list_next_update_seconds",
            "Until when the last good trusted list may be believed, Unix time",
            ["territory"],
            registry=self.registry,
        )
        self.trusted_list_fetched = Gauge(
            "pecete_trusted_list_fetched_seconds",
            "When a trusted list was last fetched and found good, Unix time",
            ["territory"],
            registry=self.registry,
        )
        self.trusted_list_sequence = Gauge(
            "pecete_trusted_list_sequence",
            "Sequence number of the last good trusted list",
            ["territory"],
            registry=self.registry,
        )
        self.fetches = Counter(
            "pecete_validation_fetches",
            "Requests for CRLs, OCSP responses and issuers' certificates, by what came of them",
            ["outcome"],
            registry=self.registry,
        )
        self.jobs = Counter("pecete_jobs", "Background jobs run", ["work", "outcome"], registry=self.registry)

    def fetched(self, outcome: str) -> None:
        """Count a request for validation data by its outcome: `fetched`, `cached` or `failed`."""
        self.fetches.labels(outcome).inc()

    def finished(self, method: str, code: str, reason: str, seconds: float) -> None:
        """Count a finished call by its status code, and its error by reason where it has one.

        method: one that the service has, so that strangers cannot make figures without end.
        """
        self.calls.labels(method, code).inc()
        self.seconds.labels(method).observe(seconds)
        if reason:
            self.errors.labels(reason).inc()


def http_application(metrics: Metrics, health: Callable[[], Awaitable[Look]]) -> web.Application:
    """Give the application that answers `/metrics` and `/healthz`.

    health: looks at the parts; `/healthz` answers their states, with 503 when the service cannot work.
    """

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def show_health(_request: web.Request) -> web.Response:
        look = await health()
        return web.json_response(dict(look.parts), status=200 if look.healthy else 503)

    application = web.Application()
    application.add_routes([web.get("/metrics", show_metrics), web.get("/healthz", show_health)])
    return application
