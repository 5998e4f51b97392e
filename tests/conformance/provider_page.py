"""docs/providers.md: three tables of what the tests measured, and whether it still says the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "providers.md"
MEASURED = ROOT / ".pecete" / "providers.md"

Row = tuple[str, ...]

KEYS, PINS, LOSSES = "Keys", "PINs", "A token that goes and comes back"

_HEADERS: Mapping[str, Row] = {
    KEYS: ("Provider", "Version", "Key", "Signature algorithm", "Mechanism", "PIN for each signature"),
    PINS: ("Provider", "Version", "Wrong PIN, first", "second", "third", "fourth", "then the right PIN"),
    LOSSES: ("Provider", "Version", "What is done", "A call meanwhile", "The next call after it is back"),
}

_TEXT = {
    "": """\
# PKCS#11 providers

What each provider does with our code. `./pecete test hsm` measures it (`tests/conformance/test_providers.py`)
and fails where this page says otherwise. What was measured last is in `.pecete/providers.md`; when that is
right, copy it over this page. Rows of a provider that a machine does not run, or has in another version, are
not compared, and the run says so.
""",
    KEYS: """\
A key is found by its certificate's SHA-256, the mechanism is chosen from the token's list, and each signature
is verified.
""",
    PINS: """\
What a caller is told: the reason, and the tries that are left where the token says so. A PIN that comes with
a call is tried once; a configured one that was refused is tried by no worker again.
""",
    LOSSES: """\
The PIN is configured, and the worker process stays.
""",
}


@dataclass
class Measured:
    """Rows of the page by table and provider; a row begins with the provider and its version."""

    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, str], list[Row]] = field(default_factory=dict)

    def add(self, table: str, provider: str, *cells: str) -> None:
        """Put a row into a table."""
        row = (provider, self.versions[provider], *cells)
        self.rows.setdefault((table, provider), []).append(row)


def read_page(page: Path) -> dict[tuple[str, str], list[Row]]:
    """Give the rows of a page by table and provider; none when there is no page yet."""
    rows: dict[tuple[str, str], list[Row]] = {}
    table = ""
    for line in page.read_text(encoding="utf-8").splitlines() if page.exists() else ():
        if line.startswith("## "):
            table = line.removeprefix("## ")
        elif line.startswith("| ") and (row := _cells(line)) != _HEADERS[table]:
            rows.setdefault((table, row[0]), []).append(row)
    return rows


def other_versions(measured: Measured, stated: Mapping[tuple[str, str], Sequence[Row]]) -> dict[str, str]:
    """Give the providers of which the page states another version than was measured, with that version."""
    versions = {provider: rows[0][1] for (_, provider), rows in stated.items()}
    return {
        provider: versions[provider]
        for provider, version in measured.versions.items()
        if versions.get(provider, version) != version
    }


def render_page(rows: Mapping[tuple[str, str], Sequence[Row]], providers: Sequence[str]) -> str:
    """Give the page's text, with the providers in this order."""
    parts = [_TEXT[""]]
    for table, header in _HEADERS.items():
        body = [row for provider in providers for row in rows.get((table, provider), ())]
        lines = [_line(header), "|" + "-|" * len(header), *(_line(row) for row in body)]
        parts += [f"## {table}\n", _TEXT[table], "\n".join(lines) + "\n"]
    return "\n".join(parts)


def differences(
    measured: Mapping[tuple[str, str], Sequence[Row]], stated: Mapping[tuple[str, str], Sequence[Row]]
) -> list[str]:
    """Name each row that only one of both has, the page's with - and the measured one with +."""
    found = []
    for place in sorted({*measured, *stated}):
        before, now = stated.get(place, ()), measured.get(place, ())
        found += [f"- {_line(row)}" for row in before if row not in now]
        found += [f"+ {_line(row)}" for row in now if row not in before]
    return found


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(line: str) -> Row:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))
