"""A department installs the client alone: `pecete` works, and nothing of the service comes with it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"
OF_THE_SERVICE = ("sqlalchemy", "pkcs11", "pyhanko", "pikepdf", "pgqueuer", "server", "signer", "archive")
IMPORT_EVERYTHING = """
import importlib, importlib.util, json, pkgutil, sys, pecete
names = [module.name for module in pkgutil.walk_packages(pecete.__path__, "pecete.")]
for name in names:
    importlib.import_module(name)
present = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
print(json.dumps({"modules": names, "present": present}))
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the client into an empty environment; give the folder of its programs."""
    uv = os.environ.get("PECETE_UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("department")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder / "venv"], check=True)
    # From a copy: building in the checkout would leave files there.
    source = shutil.copytree(CLIENT, folder / "client", ignore=shutil.ignore_patterns("__pycache__"))
    python = folder / "venv" / "bin" / "python"
    install = subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, source], capture_output=True, text=True
    )
    assert install.returncode == 0, install.stderr
    return python.parent


def test_the_command_is_there(programs: Path) -> None:
    shown = subprocess.run([programs / "pecete", "--help"], capture_output=True, text=True, check=True).stdout
    assert "verify-proof" in shown


def test_every_module_is_there_and_nothing_of_the_service(programs: Path) -> None:
    command = [str(programs / "python"), "-I", "-c", IMPORT_EVERYTHING, *OF_THE_SERVICE]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {"pecete.client", "pecete.aio", "pecete.evidence.record_proof"} <= set(found["modules"])
    assert found["present"] == []


def test_a_service_that_is_down_is_said_to_be(programs: Path) -> None:
    command = [str(programs / "pecete"), "--server", "127.0.0.1:1", "--plaintext", "keys"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("pecete: SERVER_UNREACHABLE: The service cannot be reached")
