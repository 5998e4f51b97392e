"""Running the server: open the house, listen, work in the background, stop gracefully."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server import logs
from server.app import House, open_house
from server.background import works
from server.config import Configuration
from server.front import Ports, open_ports
from server.jobs import Jobs
from server.times import utc_now

HEALTH_SECONDS = 15.0
"""How often the parts are looked at when nobody asks."""


def serve(configuration: Configuration) -> None:
    """Run until SIGTERM or SIGINT. Raises PeceteError when the server cannot start."""
    logs.configure(configuration.server.log_level)
    asyncio.run(_serve(configuration))


async def _serve(configuration: Configuration) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        open_house(configuration, utc_now) as house,
        _background(house),
        _watching(house),
        _watching_lists(house),
        open_ports(configuration, house) as ports,
    ):
        _announce(house, ports)
        await stop.wait()
        logs.get("server").info("stopping")
    logs.get("server").info("stopped")


@asynccontextmanager
async def _background(house: House) -> AsyncIterator[None]:
    """Work in the background until the block ends; the jobs under way are finished then."""
    jobs = Jobs(works(house), house.database, house.metrics)
    running = asyncio.create_task(jobs.run())
    try:
        yield
    finally:
        jobs.stop()
        await running


@asynccontextmanager
async def _watching(house: House) -> AsyncIterator[None]:
    """Look at the health of every part, now and then again and again; the first look warms the tokens up."""

    async def watch() -> None:
        while True:
            await house.health.look()
            await asyncio.sleep(HEALTH_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def _watching_lists(house: House) -> AsyncIterator[None]:
    """Look for new trusted lists, where any are configured."""
    if house.trusted_lists is None:
        yield
        return
    async with house.trusted_lists.watched():
        yield


def _announce(house: House, ports: Ports) -> None:
    """Say where the server listens: one line of JSON on standard output, and the log."""
    addresses = {"grpc": str(ports.grpc), "metrics": str(ports.metrics)}
    if ports.timestamps is not None and house.authority is not None:
        addresses["timestamps"] = str(ports.timestamps)
        addresses["clock"] = house.authority.clock
    logs.get("server").info("serving", **addresses)
    sys.stdout.write(json.dumps({"serving": addresses}) + "\n")
    sys.stdout.flush()
