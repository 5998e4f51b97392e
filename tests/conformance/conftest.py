"""The provider matrix, started once for all tests that need it, and a server that knows all of its tokens."""

from collections.abc import Iterator

import pytest

from server.trial import TrialServer, running_server
from tests.conformance.provider_matrix import Matrix, running_matrix

MATRIX = pytest.StashKey[Matrix]()


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Matrix]:
    """Every provider that runs on this machine."""
    with running_matrix(tmp_path_factory.mktemp("matrix")) as running:
        pytestconfig.stash[MATRIX] = running
        yield running


@pytest.fixture(scope="module")
def server(matrix: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    """A server with the tokens of every provider."""
    with running_server(matrix.trial, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which providers ran; skipped tests say why others did not."""
    if MATRIX in config.stash:
        for name, version in config.stash[MATRIX].measured.versions.items():
            terminalreporter.write_line(f"PROVIDER {name} {version} ran")
