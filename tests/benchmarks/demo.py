"""How long `./pecete demo` takes: cold (every package fetched anew) and warm."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLD_GOAL_SECONDS, WARM_GOAL_SECONDS = 90.0, 10.0


def run() -> list[dict[str, object]]:
    """Clone the repository to a new folder and run the demo there twice."""
    with tempfile.TemporaryDirectory(prefix="pecete-benchmark-") as folder:
        clone = Path(folder) / "pecete"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        cold, warm = _demo(clone), _demo(clone)
        shutil.rmtree(clone)
    return [
        _result("demo cold", cold, COLD_GOAL_SECONDS),
        _result("demo warm", warm, WARM_GOAL_SECONDS),
    ]


def _demo(clone: Path) -> float:
    start = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PECETE_")}
    environment |= {"UV_CACHE_DIR": str(clone / ".pecete" / "uv-cache"), "PIP_NO_CACHE_DIR": "1"}
    subprocess.run(["./pecete", "demo"], cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _result(name: str, seconds: float, goal: float) -> dict[str, object]:
    return {
        "benchmark": name,
        "seconds": round(seconds, 2),
        "goal_seconds": goal,
        "reached": seconds <= goal,
    }
