"""A trial city hall for the end-to-end tests: made once, with its server running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pecete.archive.v1.archive_pb2 import DescriptiveRecord
from pecete.client import Client
from pecete.workflow.v1.workflow_pb2 import Person, Procedure, ProcedureStep
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


@pytest.fixture
def scan() -> Path:
    """A scanned petition: a PDF without a signature and without text."""
    return SAMPLES / "petitie-scanata.pdf"


@pytest.fixture
def description() -> DescriptiveRecord:
    """What the registry says of a document, complete."""
    return DescriptiveRecord(
        owner="Primăria Comunei Lunca Teilor",
        issuer="Primarul Comunei Lunca Teilor",
        rights_holder="Primăria Comunei Lunca Teilor",
        history="Semnată electronic de primar.",
        document_type="dispoziție",
        classification="I.A.2",
        keywords=["dispoziție", "numire"],
        issue_date="2026-03-02",
        retention="P",
    )


@pytest.fixture(scope="session")
def procedure(server: TrialServer) -> str:
    """A procedure in which the mayor signs and then the secretary general; both are enrolled as persons."""
    posts = {"primar": "Primar", "secretar-general": "Secretar general"}
    with server.client() as administrator:
        for label in posts:
            person = Person(
                display_name=server.trial.provisioned.token(label).plan.holder.common_name,
                principal=f"principals/{label}",
                certificate_sha256=[server.trial.certificate_sha256(label)],
            )
            administrator.create_person(person, person_id=label)
        steps = [ProcedureStep(post=post, capacity=capacity) for post, capacity in posts.items()]
        made = administrator.create_procedure(Procedure(display_name="Dispoziție", steps=steps))
    return made.name
