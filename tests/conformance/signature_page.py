"""docs/conformance-signatures.md: what judges said of every signature, and whether they still do."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conformance.signature_files import FORMS, PADES, SignedFile

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "conformance-signatures.md"
MEASURED = ROOT / ".pecete" / "conformance-signatures.md"

NOT_JUDGED, NOT_RUN = "–", "not run"

Row = tuple[str, str, str]
"""Form, key and level."""

Table = dict[Row, dict[str, str]]
"""What each judge said, by row and judge."""

_JUDGES = "Judges"
_HEAD = """\
# Signatures and what other programs say of them

`tests/conformance/test_signature_table.py` signs with keys in SoftHSM, has time-stamps made by this project's
own authority, raises each signature from level to level, and asks other programs. `./pecete test conformance`
fails where one of them does not pass a signature, passes one that was tampered with, or says anything else
than this page. What they said stands in `.pecete/conformance-signatures.md`; copy that over this page when it
is right. The column of a program that a machine does not have is left as it is.

Signatures by Ed25519 are passed by pyHanko alone, and by DSS once EdDSA is in its policy, which leaves it out
as "not referenced in ETSI/SOGIS"; these versions of `openssl cms` and pdfsig cannot check it.
"""
_ASKED = {
    "DSS": "the EU's library, revocation required: the level reached, and the indication of EN 319 102-1",
    "pdfsig": "Poppler's, `-nocert`: whether the octets of a PDF are those that were signed",
    "openssl cms": "`-verify -cades`: octets (of an ASiC-E its manifest), path to the root; no time-stamps",
    "pyHanko": "revocation required: octets (of an ASiC-E its manifest), paths, time-stamps over signatures"
    " (where the content is not inside the signature), later revisions of a PDF; no archive time-stamps",
}


def row_of(file: SignedFile) -> Row:
    """The row that a file has in the table."""
    return file.form, file.key, f"{file.level}, tampered with" if file.is_tampered else file.level


def read_page(page: Path) -> tuple[Table, dict[str, str]]:
    """Give the table of a page, and the versions of its judges; both empty when there is no page yet."""
    table: Table = {}
    versions: dict[str, str] = {}
    form, header = "", list[str]()
    for line in page.read_text(encoding="utf-8").splitlines() if page.exists() else ():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            form, header = line.removeprefix("## "), []
        elif line.startswith("| ") and not header:
            header = cells
        elif line.startswith("| ") and form == _JUDGES:
            versions[cells[0]] = cells[1]
        elif line.startswith("| "):
            table[form, cells[0], cells[1]] = dict(zip(header[2:], cells[2:], strict=True))
    return table, versions


def render_page(table: Table, versions: Mapping[str, str]) -> str:
    """Give the text of a page."""
    judges = list(_ASKED)
    parts = [_HEAD, f"## {_JUDGES}\n", *_header("Judge", "Version", "What it is asked")]
    parts += [_line(judge, versions.get(judge, NOT_RUN), _ASKED[judge]) for judge in judges]
    for form in (PADES, *FORMS):
        parts += [f"\n## {form}\n", *_header("Key", "Level", *judges)]
        for (of, key, level), said in table.items():
            if of == form:
                parts.append(_line(key, level, *(said[judge] for judge in judges)))
    return "\n".join(parts) + "\n"


def differences(stated: Table, said: Table) -> Iterator[str]:
    """Name each cell that is not on the page, or is no more."""
    for row in dict.fromkeys((*stated, *said)):
        before, now = stated.get(row, {}), said.get(row, {})
        for judge in dict.fromkeys((*before, *now)):
            if before.get(judge) != now.get(judge):
                yield f"{', '.join(row)}: {judge} said {now.get(judge)}, the page has {before.get(judge)}"


def _header(*cells: str) -> list[str]:
    return [_line(*cells), "|" + "-|" * len(cells)]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
