"""A web server on loopback that publishes made trusted lists, and a clock that stands until it is moved."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.serialization import Encoding

from server.config import TrustedListSettings
from server.metrics import Metrics
from server.trusted_lists import TrustedLists
from signer.validation.trusted_lists.model import LIST_OF_LISTS
from tests.unit.trusted_list_maker import (
    ISSUED,
    MadeList,
    MadePointer,
    list_of_lists,
    operator,
    service,
    signed,
)
from tests.unit.validation_documents import SUB, Identity

DAY = timedelta(days=1)
NOW = ISSUED + DAY
COMMISSION, NEXT_COMMISSION = operator("Commission"), operator("Next commission")
ROMANIA, NEXT_ROMANIA, GERMANY = operator("Romania"), operator("Next Romania"), operator("Germany")
STRANGER = operator("Stranger")


@dataclass
class Web:
    """A web server on loopback with lists by path, and a clock that stands until it is moved."""

    folder: Path
    address: str = ""
    time: datetime = NOW
    pages: dict[str, bytes] = field(default_factory=dict)

    def clock(self) -> datetime:
        return self.time

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/moved.xml":
            raise web.HTTPFound("/ro.xml")
        body = self.pages.get(request.path)
        return web.Response(body=body) if body is not None else web.Response(status=404)

    # ---- what is published

    def publish(
        self,
        *,
        number: int = 1,
        signer: Identity = COMMISSION,
        names: Identity = COMMISSION,
        romanian: Identity = ROMANIA,
        pivots: tuple[str, ...] = (),
        path: str = "/lotl.xml",
        issue_time: datetime = ISSUED,
        romanian_path: str = "/ro.xml",
    ) -> None:
        """Publish a list of lists that points to Romania's and Germany's."""
        made = list_of_lists(
            MadePointer(self.address + "/lotl.xml", "EU", (names,), LIST_OF_LISTS),
            MadePointer(self.address + romanian_path, "RO", (romanian,)),
            MadePointer(self.address + "/de.xml", "DE", (GERMANY,)),
            sequence_number=number,
            information_uris=tuple(self.address + each for each in pivots),
            issue_time=issue_time,
            next_update=issue_time + 90 * DAY,
        )
        self.pages[path] = signed(made, signer)

    def publish_national(self, path: str = "/ro.xml", signer: Identity = ROMANIA, **others: object) -> None:
        made = MadeList(territory=path[1:3].upper(), services=(service(SUB),))
        self.pages[path] = signed(replace(made, **others), signer)  # type: ignore[arg-type]

    # ---- who looks

    def lists(self) -> TrustedLists:
        anchor = self.folder / "journal.pem"
        anchor.write_bytes(COMMISSION.certificate.public_bytes(Encoding.PEM))
        settings = TrustedListSettings((anchor,), lotl_url=self.address + "/lotl.xml")
        self.metrics = Metrics()
        return TrustedLists(settings, self.folder / "trusted-lists", self.clock, self.metrics)

    def measured(self, name: str, territory: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"territory": territory})


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Web]:
    made = Web(folder)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    async with TestServer(application) as server:
        made.address = str(server.make_url("")).rstrip("/")
        made.publish()
        made.publish_national()
        made.publish_national("/de.xml", GERMANY)
        yield made
