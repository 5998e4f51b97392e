"""A trial city hall for the end-to-end tests: made once, with its server running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pecete.client import Client
from server.trial import DEPARTMENT, Settings, Trial, TrialServer, make_trial, running_server

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A city hall on SQLite with two workers a token."""
    return make_trial(tmp_path_factory.mktemp("trial"), Settings(workers=2))


@pytest.fixture(scope="session")
def server(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    """Its running server."""
    with running_server(trial, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


@pytest.fixture
def department(server: TrialServer) -> Iterator[Client]:
    """The registry's application."""
    with server.client(DEPARTMENT) as client:
        yield client


@pytest.fixture
def disposition() -> Path:
    """A mayor's disposition, PDF/A-2b."""
    return SAMPLES / "dispozitia-primarului.pdf"
