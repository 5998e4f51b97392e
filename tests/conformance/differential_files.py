"""The files that this engine and DSS are both asked about: the corpus, and some that are made here."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from asn1crypto import tsp

from signer.material import ValidationMaterial
from tests.attacks import (
    byte_ranges,
    containers,
    file_structure,
    forms,
    incremental,
    messages,
    overlays,
    shadows,
)
from tests.attacks.cases import Attack
from tests.conformance.differential import Case
from tests.conformance.documents import CORPUS
from tests.unit import test_validation_ed25519 as ed25519
from tests.unit.cades_signatures import CONTENT
from tests.unit.validation_documents import CRL_START, ROOT, SUB, crl, kept, plain, stamped, timestamped

ANCHORS = (ROOT.der, ed25519.ROOT)
"""Trusted for the files that are made here."""

_FOLDERS = ("pades/", "pdfa/", "cades/", "asic/", "timestamps/")
_STEP = 5
"""Of how many attacks of a kind one is taken; `docs/conformance.md` has the numbers of all."""


def corpus(folder: Path) -> Iterator[Case]:
    """Signed files and time-stamps of other projects; `folder` takes what their tables give as text."""
    for number, (file, detached) in enumerate(_rows()):
        path = CORPUS / file
        apart: tuple[Path, ...] = ()
        if given := re.search(r"-> (\S+)", detached):
            apart = (CORPUS / given[1],)
        elif text := re.search(r'text "([^"]*)"', detached):
            content = folder / f"{number}.content"
            content.write_text(text[1], encoding="utf-8")
            apart = (content,)
        yield Case(file, _without_response(path, folder / f"{number}.tst"), apart)


def _rows() -> Iterator[tuple[str, str]]:
    """Each file of the tables once, with what is said of its detached content."""
    seen: set[str] = set()
    for table, column in (("cases.tsv", "detached_content"), ("timestamps/cases.tsv", "data")):
        with (CORPUS / table).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                if row["file"].startswith(_FOLDERS) and row["file"] not in seen:
                    seen.add(row["file"])
                    yield row["file"], row[column] or ""


def _without_response(path: Path, apart: Path) -> Path:
    """The token of a TimeStampResp, which DSS does not read, in a file of its own; others as they are."""
    if path.suffix != ".tsr":
        return path
    try:
        token = tsp.TimeStampResp.load(path.read_bytes())["time_stamp_token"].dump()
    except (ValueError, TypeError):
        return path
    apart.write_bytes(token)
    return apart


def made(folder: Path) -> Iterator[Case]:
    """Signatures of each level, one of Ed25519, and of each kind of attack some with what looks alike."""
    material = ValidationMaterial((SUB.der,), (crl(ROOT), crl(SUB)))
    long_term = timestamped(kept(stamped(), material), CRL_START)
    levels = {"B-B": plain(), "B-T": stamped(), "B-LTA": long_term}
    for level, document in levels.items():
        yield _written(folder, f"made/{level}.pdf", document)
    signed = folder / "signed"
    signed.write_bytes(ed25519.CONTENT)
    yield _written(folder, "made/Ed25519.p7s", ed25519.SIGNATURE, (signed,))
    kinds = (incremental, file_structure, byte_ranges, shadows, forms, overlays)
    for kind in kinds:
        yield from _attacked(folder, _name(kind.__name__), kind.ATTACKS, ".pdf", ())
    yield from _attacked(folder, "containers", containers.ATTACKS, ".asice", ())
    content = folder / "content"
    content.write_bytes(CONTENT)
    yield from _attacked(folder, "messages", messages.ATTACKS_BESIDE, ".p7s", (content,))


def _attacked(
    folder: Path, kind: str, attacks: Sequence[Attack], suffix: str, apart: tuple[Path, ...]
) -> Iterator[Case]:
    for attack in [attack for attack in attacks if not attack.late][::_STEP]:
        yield _written(folder, f"attacks/{kind}/{attack.name}{suffix}", attack.attack(), apart)
        yield _written(folder, f"look-alikes/{kind}/{attack.name}{suffix}", attack.innocent(), apart)


def _written(folder: Path, name: str, content: bytes, apart: tuple[Path, ...] = ()) -> Case:
    path = folder / re.sub(r"[^\w.]", "-", name)
    path.write_bytes(content)
    return Case(name, path, apart)


def _name(module: str) -> str:
    return module.rpartition(".")[2]
