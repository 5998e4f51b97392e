"""The EU's DSS, asked through the judge beside the repository; one virtual machine judges many files."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from tests.conformance.documents import CORPUS

JUDGE = CORPUS.parent / "judge" / "judge"


def absence() -> str:
    """Say why DSS cannot be asked on this machine; empty where it can."""
    if not JUDGE.exists():
        return "the judge is not beside the repository"
    return "" if shutil.which("java") else "no java on this machine"


def version() -> str:
    """Give the version of DSS that the judge is built on."""
    (found,) = re.findall(r"<dss.version>(.*)</dss.version>", JUDGE.with_name("pom.xml").read_text())
    return str(found)


def policy_with_eddsa() -> bytes:
    """Give DSS's default policy with EdDSA, a comment there: "Not referenced in ETSI/SOGIS"."""
    built = Path(os.environ.get("JUDGE_TARGET") or JUDGE.with_name("target"))
    (jar,) = built.glob("lib/dss-policy-jaxb-*.jar")
    with zipfile.ZipFile(jar) as opened:
        policy = opened.read("policy/constraint.xml")
    listed, times = re.subn(rb"<!--\s*(<Algo>EdDSA</Algo>).*?-->", rb"\1", policy)
    assert times == 1
    return listed


def judge_pdfa(files: Sequence[Path], flavour: str) -> list[Mapping[str, Any]]:
    """Give what veraPDF says of each file as PDF/A of a flavour, such as `2a`."""
    command: list[str | Path] = [JUDGE, "pdfa", "--flavour", flavour, "--batch", *files]
    answer = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


def judge(
    files: Iterable[tuple[Path, Path | None]],
    *,
    anchor: bytes,
    crls: Sequence[bytes],
    time: datetime,
    policy: bytes = b"",
) -> Mapping[Path, Mapping[str, Any]]:
    """Give what DSS says of each file, which comes with the content that a detached signature is over.

    anchor: the trusted certificate, DER. crls: known beside the files, DER. time: as of when is judged.
    policy: in DSS's XML; its default one without.
    """
    known = [("--trust", anchor), *(("--crl", crl) for crl in crls)]
    known += [("--policy", policy)] if policy else []
    with_content = ((file, (content,) if content else ()) for file, content in files)
    return _judge(with_content, known, time, ())


def judge_without_revocation(
    files: Iterable[tuple[Path, Sequence[Path]]], *, anchors: Sequence[bytes], time: datetime
) -> Mapping[Path, Mapping[str, Any]]:
    """Give what DSS says of each file, which comes with what is apart from it, where revocation is not asked.

    anchors: the trusted certificates, DER. time: as of when is judged. Pages are not drawn.
    """
    options = ("--no-revocation", "--visual-pages", "0")
    return _judge(files, [("--trust", anchor) for anchor in anchors], time, options)


def _judge(
    files: Iterable[tuple[Path, Sequence[Path]]],
    known: Sequence[tuple[str, bytes]],
    time: datetime,
    further: Sequence[str],
) -> Mapping[Path, Mapping[str, Any]]:
    """Give DSS's answers by file; known: options with octets that it reads from a file."""
    lines = (json.dumps({"file": str(file), **_beside(apart)}) for file, apart in files)
    with TemporaryDirectory() as folder:
        options: list[str | Path] = ["--time", f"{time:%Y-%m-%dT%H:%M:%SZ}", *further]
        for number, (option, octets) in enumerate(known):
            path = Path(folder, str(number))
            path.write_bytes(octets)
            options += [option, path]
        answer = subprocess.run(
            [JUDGE, "validate", "--batch", *options],
            input="".join(line + "\n" for line in lines),
            capture_output=True,
            text=True,
            env=_environment(),
            check=False,
        )
    # 1: a file could not be read, which its answer says.
    assert answer.returncode in (0, 1), answer.stdout + answer.stderr
    said = (json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{"))
    return {Path(each["file"]): each for each in said}


def _beside(files: Sequence[Path]) -> dict[str, list[str]]:
    """What stands apart from a signed file: what it is over, and evidence records."""
    return {
        "detached": [str(file) for file in files if file.suffix != ".ers"],
        "er": [str(file) for file in files if file.suffix == ".ers"],
    }


def _environment() -> dict[str, str]:
    """Beside the repository nothing may be written in some places, so the judge is built elsewhere."""
    return {"JUDGE_TARGET": str(Path(gettempdir()) / "judge-target"), **os.environ}
