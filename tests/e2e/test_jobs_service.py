"""The service's own background work: what expires and what is held, and one checkpoint from two servers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sized
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from archive.tables import checkpoints
from pecete.archive.v1.archive_pb2 import DescriptiveRecord
from pecete.client import Client
from pecete.errors import NotFoundError
from pecete.workflow.v1.workflow_pb2 import Person, Procedure, ProcedureStep
from server import logs
from server.app import House, open_house
from server.background import Chores, works
from server.config import load
from server.jobs import Jobs
from server.times import utc_now
from server.trial import DEPARTMENT, Settings, Trial, make_trial, running_server
from softhsm.provision import CITY_HALL
from tests.e2e.observation import PATIENCE, acts, faults, journal, object_path, reading, until

pytestmark = pytest.mark.e2e

MAYOR = "primar"
PLANS = tuple(plan for plan in CITY_HALL if plan.label == MAYOR)


@asynccontextmanager
async def house_at(trial: Trial, clock: Callable[[], datetime]) -> AsyncIterator[House]:
    """Open the parts of a server whose clock is another one."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in trial.provisioned.environment.items():
            patch.setenv(name, value)
        async with open_house(load(trial.configuration, os.environ), clock) as house:
            yield house


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """Do the house's background work until the block ends."""
    jobs = Jobs(works(house), house.database, house.metrics)
    running = asyncio.create_task(jobs.run())
    try:
        yield
    finally:
        jobs.stop()
        await running


async def until_nothing_is_due(due: Callable[[], Awaitable[Sized]]) -> None:
    """Wait until a work has nothing to do."""
    async with asyncio.timeout(PATIENCE):
        while await due():
            await asyncio.sleep(0.02)


class Shelf:
    """Documents in every state in which their time may find them."""

    def __init__(
        self, department: Client, administrator: Client, act: Path, description: DescriptiveRecord
    ) -> None:
        person = Person(
            display_name="Primar", principal=f"principals/{MAYOR}", certificate_sha256=[bytes(range(32))]
        )
        administrator.create_person(person, person_id=MAYOR)
        steps = [ProcedureStep(post=MAYOR, capacity="Primar")]
        procedure = administrator.create_procedure(Procedure(display_name="Dispoziție", steps=steps))
        self.loose = department.upload(b"loose")
        self.twin = department.upload(b"loose")
        self.archived = department.upload(b"archived")
        self.record = department.archive(self.archived, description)
        self.held = department.upload(act)
        department.create_dossier(
            self.held, procedure.name, {MAYOR: f"persons/{MAYOR}"}, display_name="Dispoziția nr. 12"
        )


async def test_what_nothing_holds_expires_and_the_rest_stays(
    tmp_path: Path, disposition: Path, description: DescriptiveRecord
) -> None:
    trial = make_trial(tmp_path / "trial", Settings(plans=PLANS, documents="expire_after_hours = 1"))
    with (
        running_server(trial, tmp_path / "server.log") as server,
        server.client(DEPARTMENT) as department,
        server.client() as administrator,
    ):
        shelf = Shelf(department, administrator, disposition, description)

    expiring = {shelf.loose.name, shelf.twin.name, shelf.archived.name}
    async with house_at(trial, lambda: utc_now() + timedelta(minutes=50)) as early:
        assert await Chores(early).due_documents() == []
    async with house_at(trial, lambda: utc_now() + timedelta(hours=2)) as house:
        chores = Chores(house)
        assert set(await chores.due_documents()) == expiring
        await chores.expire_document(shelf.twin.name)
        assert object_path(trial, shelf.loose.sha256).exists()
        async with working(house):
            await until_nothing_is_due(chores.due_documents)
        for name in (*expiring, shelf.held.name):
            await chores.expire_document(name)

    assert not object_path(trial, shelf.loose.sha256).exists()
    for name in expiring:
        assert acts(trial, name) == ["document.upload", "document.expire"]
    assert acts(trial, shelf.held.name) == ["document.upload"]
    with running_server(trial, tmp_path / "server.log") as server, server.client(DEPARTMENT) as department:
        for name in expiring:
            with pytest.raises(NotFoundError):
                department.get_document(name)
        department.download(shelf.held.name, tmp_path / "held")
        department.download_record(shelf.record.name, tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"archived"
    assert faults(trial) == []


async def test_old_objects_without_a_row_are_swept_and_young_ones_stay(tmp_path: Path) -> None:
    trial = make_trial(tmp_path / "trial", Settings(plans=PLANS))
    async with house_at(trial, utc_now) as house:
        with house.keeper.store.writer(100) as writer:
            writer.write(b"nobody was answered")
            orphan = writer.commit().sha256
        assert await Chores(house).due_objects() == []
        await Chores(house).sweep_object(orphan)
        assert house.keeper.store.exists(orphan)
    async with house_at(trial, lambda: utc_now() + timedelta(days=2)) as house:
        assert await Chores(house).due_objects() == [orphan]
        for _ in range(2):  # a job may run twice
            await Chores(house).sweep_object(orphan)
        assert await Chores(house).due_objects() == []
        assert not house.keeper.store.exists(orphan)
    assert acts(trial, f"objects/{orphan}") == ["object.sweep"]
    assert faults(trial) == []


# Two servers


async def work_as_a_server(configuration: Path) -> None:
    """Do the background work of a server, with a short takeover; say when it begins."""
    logs.configure("warning")
    async with open_house(load(configuration, os.environ), utc_now) as house:
        sys.stdout.write("working\n")
        sys.stdout.flush()
        await Jobs(works(house), house.database, house.metrics, takeover=timedelta(seconds=2)).run()


@contextmanager
def worker(trial: Trial) -> Iterator[subprocess.Popen[str]]:
    """Run a server's background work in a process of its own until the block ends."""
    command = [sys.executable, str(Path(__file__).resolve()), str(trial.configuration)]
    with subprocess.Popen(command, env=trial.environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
            yield process
        finally:
            process.kill()


def stamped_sizes(trial: Trial) -> list[int]:
    """Give the tree sizes of the checkpoints that have a time-stamp."""
    query = select(checkpoints.c.size).where(checkpoints.c.timestamp_token.is_not(None))
    with reading(trial) as connection:
        return list(connection.execute(query).scalars())


def test_of_two_servers_the_other_signs_the_checkpoint_of_a_killed_one(
    postgres_database_url: str, tmp_path: Path
) -> None:
    trial = make_trial(tmp_path / "trial", Settings(plans=PLANS, database_url=postgres_database_url))
    size = len(journal(trial))
    with psycopg.connect(postgres_database_url.replace("+psycopg", "")) as lock:
        # Reading goes on, writing waits: the first server comes to a stand amid its job.
        lock.execute("LOCK TABLE checkpoints IN EXCLUSIVE MODE")
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'checkpoints'::regclass"
        with worker(trial) as first:
            until("the first server amid its job", lambda: lock.execute(waiting).fetchone())
            with worker(trial):
                first.kill()
                first.wait()
                lock.rollback()
                assert until("a time-stamped checkpoint", lambda: stamped_sizes(trial))[0] >= size
    with reading(trial) as connection:
        assert connection.execute(select(func.count()).select_from(checkpoints)).scalar_one() == 1
    assert faults(trial) == []


if __name__ == "__main__":
    asyncio.run(work_as_a_server(Path(sys.argv[1])))
