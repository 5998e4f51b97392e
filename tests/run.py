"""Runs every check that `./pecete test` stands for: one line a stage, then a summary.

A stage's whole output stands in `.pecete/test-logs/STAGE.log`; of a stage that fails it is printed too.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LOGS = ROOT / ".pecete" / "test-logs"
COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|errors|xfailed)\b")


@dataclass(frozen=True)
class Stage:
    """One check: its name, what it is for people, and its command."""

    name: str
    purpose: str
    command: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a stage did: exit code, seconds, and the tests counted in its closing line by kind."""

    code: int
    seconds: float
    counts: dict[str, int]


def tool(name: str) -> str:
    """Path of a tool in the project's environment."""
    return str(BIN / name)


def pytest(folder: str, marks: str = "") -> tuple[str, ...]:
    """Command of one kind of tests; skipped tests say why."""
    return (tool("python"), "-m", "pytest", f"tests/{folder}", "-rs", "-m", marks)


STAGES = (
    Stage("format", "ruff format", (tool("ruff"), "format", "--check", "--quiet", ".")),
    Stage("lint", "ruff check", (tool("ruff"), "check", "--quiet", ".")),
    Stage("types", "mypy --strict, tests included", (tool("mypy"), "--no-error-summary")),
    Stage("floors", "import-linter contracts", (tool("lint-imports"), "--no-cache")),
    Stage("contract", "buf lint", (tool("buf"), "lint")),
    Stage(
        "compatible",
        "buf breaking, against the released contract",
        (tool("buf"), "breaking", "--against", "proto/released.binpb"),
    ),
    Stage(
        "stubs",
        "committed stubs are what proto/ says",
        (os.environ.get("PECETE_UV", "uv"), "run", "-q", "--no-project", "proto/generate.py", "--check"),
    ),
    Stage("unit", "pure tests", pytest("unit")),
    Stage("e2e", "real servers, tokens and databases", pytest("e2e")),
    Stage("conformance", "outside judges and the corpus", pytest("conformance", "not hsm")),
    Stage(
        "hsm",
        "every PKCS#11 provider that runs here",
        (tool("python"), "-m", "softhsm.isolation", *pytest("conformance", "hsm")),
    ),
    Stage("benchmarks", "JSON, ratios in one run", (tool("python"), "-m", "tests.benchmarks"), optional=True),
)


def run(stage: Stage) -> Outcome:
    """Run one stage with its output in its log."""
    log = LOGS / f"{stage.name}.log"
    start = time.monotonic()
    with log.open("wb") as out:
        code = subprocess.run(
            stage.command,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
    lines = log.read_text(errors="replace").splitlines()
    counts: dict[str, int] = {}
    if "pytest" in stage.command:
        closing = next((line for line in reversed(lines) if COUNT.search(line)), "")
        counts = {
            kind.rstrip("s") if kind == "errors" else kind: int(n) for n, kind in COUNT.findall(closing)
        }
        if not counts.get("passed"):
            code = code or 1
    return Outcome(code, time.monotonic() - start, counts)


def show(stage: Stage, outcome: Outcome) -> None:
    """Print the stage's line, what was tried and skipped, and the output of a failure."""
    word = "ok  " if outcome.code == 0 else "FAIL"
    counted = ", ".join(f"{n} {kind}" for kind, n in outcome.counts.items())
    say(f"{word} {stage.name:<12} {outcome.seconds:6.1f} s  {counted or stage.purpose}")
    text = (LOGS / f"{stage.name}.log").read_text(errors="replace")
    for line in text.splitlines():
        if line.startswith(("SKIPPED", "PROVIDER")):
            say(f"       {line}")
    if outcome.code:
        say(text[-20_000:])


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def chosen(names: Sequence[str]) -> list[Stage]:
    """Give the stages of these names; without names all but the optional ones."""
    if not names:
        return [stage for stage in STAGES if not stage.optional]
    return [stage for stage in STAGES if stage.name in names]


def main() -> int:
    """Run the chosen stages; 0 when all pass."""
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(prog="./pecete test", description=__doc__)
    parser.add_argument(
        "stage", nargs="*", choices=[*names, []], help=f"one of: {', '.join(names)}; default: all checks"
    )
    stages = chosen(parser.parse_args().stage)
    LOGS.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for stage in stages:
        outcome = run(stage)
        show(stage, outcome)
        outcomes.append(outcome)
    failed = [stage.name for stage, outcome in zip(stages, outcomes, strict=True) if outcome.code]
    say(
        f"{len(stages) - len(failed)} of {len(stages)} stages passed"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    total = {
        kind: sum(o.counts.get(kind, 0) for o in outcomes)
        for kind in ("passed", "failed", "error", "skipped")
    }
    say(f"{total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
