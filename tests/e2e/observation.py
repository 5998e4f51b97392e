"""Looking at a trial from outside: its journal, rows and objects, figures, processes and commands."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
from sqlalchemy import Connection, func, select

from archive import tables
from pecete.evidence.log_proof import JournalEntry, parse_entry
from server import documents
from server.config import load
from server.database import Database
from server.trial import Trial, TrialServer

PATIENCE = 60.0
"""Seconds after which something that does not come is taken for missing."""

Seen = TypeVar("Seen")


def until(what: str, look: Callable[[], Seen | None]) -> Seen:
    """Look until something other than None or False is seen, and give it; `what` names it when it is not."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.02)
    raise AssertionError(f"not seen within {PATIENCE:.0f} s: {what}")


@contextmanager
def reading(trial: Trial) -> Iterator[Connection]:
    """Read the trial's database."""
    database = Database(load(trial.configuration, trial.environment).database_url())
    try:
        with database.read() as connection:
            yield connection
    finally:
        database.close()


def journal(trial: Trial) -> list[JournalEntry]:
    """Give every entry of the journal in its order."""
    query = select(tables.journal.c.entry).order_by(tables.journal.c.leaf_index)
    with reading(trial) as connection:
        return [parse_entry(bytes(entry)) for entry in connection.execute(query).scalars()]


def acts(trial: Trial, resource: str) -> list[str]:
    """Give what was done to a resource."""
    return [entry.act for entry in journal(trial) if entry.resource == resource]


def count_documents(trial: Trial) -> int:
    """Give the number of documents' rows."""
    with reading(trial) as connection:
        return connection.execute(select(func.count()).select_from(documents.documents)).scalar_one()


def object_path(trial: Trial, sha256: bytes) -> Path:
    """Give the file of an object."""
    name = sha256.hex()
    return trial.directory / "data" / "objects" / name[:2] / name


def incoming(trial: Trial) -> list[Path]:
    """Give the files that are not objects yet."""
    return list((trial.directory / "data" / "incoming").iterdir())


def pecete_server(trial: Trial, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `pecete-server` on the trial's configuration."""
    return subprocess.run(
        [sys.executable, "-m", "server.cli", *arguments, "--config", str(trial.configuration)],
        env=trial.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def faults(trial: Trial) -> list[str]:
    """Run fsck and give the lines that name a fault; one without faults ends with 0."""
    done = pecete_server(trial, "fsck")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("OBJECT_ORPHANED")]
    assert done.returncode == (1 if lines else 0), done.stderr
    return lines


def calls_in_flight(server: TrialServer) -> int:
    """Give the number of gRPC calls that the server is at."""
    with urllib.request.urlopen(f"http://{server.addresses['metrics']}/metrics") as answer:
        found = re.search(r"^pecete_calls_in_flight (\S+)$", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def workers(server: TrialServer) -> list[psutil.Process]:
    """Give the server's worker processes, for tokens and for judging."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]
