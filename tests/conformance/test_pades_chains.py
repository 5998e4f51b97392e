"""Chains of one to eight signatures, certified and locked: what DSS, veraPDF, pdfsig and pyHanko say."""

import asyncio
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper

from pecete.commitment import CommitmentType
from pecete.errors import PeceteError
from signer.pades.options import Certification, Lock, PlannedField
from signer.validation.facts import Integrity
from signer.validation.pdf.aftermath import Modification
from signer.validation.pdf_facts import collect
from tests.conformance import documents
from tests.conformance import test_pades_judges as judges

pytestmark = pytest.mark.conformance

JUDGE = documents.CORPUS.parent / "judge" / "judge"
LENGTHS = range(1, 9)
SAMPLES = ("adeverinta.pdf", "dispozitia-primarului.pdf", "petitie-scanata.pdf")


def make_chain(content: bytes, path: Path, length: int, *, last: Lock = Lock.DOCUMENT) -> bytes:
    """Sign as the steps of a dossier do: the first certifies and makes the fields of the others."""
    names = [f"dossiers/d/steps/{number}" for number in range(1, length + 1)]
    locks = [Lock.FIELDS] * (length - 1) + [last]
    for at, name in enumerate(names):
        planned = [PlannedField(*each) for each in zip(names[at + 1 :], locks[at + 1 :], strict=True)]
        content = judges.sign(
            content,
            path,
            judges.P256 if at % 2 else judges.RSA,
            signing_time=judges.NOW + timedelta(minutes=at),
            field_name=name,
            appearance=judges.MAYOR,
            commitment=CommitmentType.PROOF_OF_APPROVAL if at % 2 else None,
            reason="" if at % 2 else "Aprob",
            certification=Certification.FORM_FILLING if at == 0 and length > 1 else None,
            certify_first_only=True,
            lock=locks[at],
            planned_fields=tuple(planned),
        )
    return content


def check_with_own_validator(content: bytes, length: int) -> None:
    facts = collect(content)
    assert len(facts.signatures) == length
    for signature in facts.signatures:
        assert signature.cms.integrity is Integrity.INTACT
        assert signature.modification is not Modification.FORBIDDEN, signature.changes
    assert facts.signatures[-1].modification is Modification.NONE or facts.document_timestamps


def judge(*arguments: str | Path) -> list[dict[str, Any]]:
    """The judge's answers, one for each file."""
    if not JUDGE.exists():
        pytest.skip("the judge (DSS, veraPDF) is not beside the repository")
    environment = {"JUDGE_TARGET": str(Path(tempfile.gettempdir()) / "judge-target"), **os.environ}
    done = subprocess.run([JUDGE, *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 127:
        pytest.skip("no Java on this machine")
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def stamped(content: bytes) -> bytes:
    """The document with a document time-stamp after its signatures."""
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    asyncio.run(PdfTimeStamper(judges.TSA).async_timestamp_pdf(writer, "sha256", output=out))
    return out.getvalue()


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Chains of each length on a certificate, the longest on each sample, and one that was time-stamped."""
    folder = tmp_path_factory.mktemp("chains")
    cases = [(SAMPLES[0], length) for length in LENGTHS] + [(name, 8) for name in SAMPLES[1:]]
    made = {}
    for name, length in cases:
        path = folder / f"{Path(name).stem}-{length}.pdf"
        make_chain(documents.sample(name), path, length)
        made[path.stem] = path
    made["stamped-8"] = folder / "stamped-8.pdf"
    made["stamped-8"].write_bytes(stamped(made["adeverinta-8"].read_bytes()))
    return made


def lengths(chains: dict[str, Path]) -> Sequence[tuple[Path, int]]:
    return [(path, int(name.rpartition("-")[2])) for name, path in chains.items()]


def test_pdfsig_qpdf_pyhanko_and_our_own_validator(chains: dict[str, Path]) -> None:
    for path, length in lengths(chains):
        check_with_own_validator(path.read_bytes(), length)
        if path.stem != "stamped-8":
            judges.check(path, length)


def test_dss(chains: dict[str, Path], tmp_path: Path) -> None:
    """TOTAL_PASSED, and none of what DSS merely warns of: undefined changes, overlaps, other pages."""
    (tmp_path / "ca.pem").write_bytes(judges.CA.public_bytes(serialization.Encoding.PEM))
    paths = dict(lengths(chains))
    time = (judges.NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    trust = ("--trust", tmp_path / "ca.pem", "--no-revocation", "--time", time)
    answers = judge("validate", *trust, "--batch", *paths)
    assert [len(answer["signatures"]) for answer in answers] == list(paths.values())
    for answer in answers:
        for at, signature in enumerate(answer["signatures"]):
            assert signature["indication"] == "TOTAL_PASSED", answer["file"]
            found = signature["pdf"]
            certified = at == 0 and len(answer["signatures"]) > 1
            assert found["docMdp"] == ("MINIMAL_CHANGES_PERMITTED" if certified else None)
            for change in ("undefinedChanges", "annotationChanges", "annotationOverlap", "visualDifference"):
                assert not found[change], (answer["file"], at, change, found[change])
            assert not [text for text in signature["warnings"] if text.startswith("BBB_FC_")]


@pytest.mark.parametrize("part", [1, 2, 3])
def test_pdfa_stays_pdfa(part: int, tmp_path: Path) -> None:
    original, signed = tmp_path / "original.pdf", tmp_path / "signed.pdf"
    with pikepdf.open(documents.SAMPLES / "dispozitia-primarului.pdf") as pdf:
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
            metadata["pdfaid:part"] = str(part)
        for page in pdf.pages if part == 1 else []:
            if pikepdf.Name.Group in page:
                del page.Group
        mode = pikepdf.ObjectStreamMode.disable
        pdf.save(original, object_stream_mode=mode, force_version="1.4" if part == 1 else "")
    make_chain(original.read_bytes(), signed, 3)
    answers = judge("pdfa", "--flavour", f"{part}b", "--batch", original, signed)
    assert [answer["compliant"] for answer in answers] == [True, True], answers


def test_signing_out_of_order_breaks_the_lock_of_the_later_step(tmp_path: Path) -> None:
    """Step 3 locks step 2's field: after it, step 2 is refused here, and forbidden for whoever forces it."""
    path = tmp_path / "d.pdf"
    fields = [PlannedField(name, Lock.FIELDS) for name in ("two", "three")]
    content = judges.sign(
        documents.sample(), path, lock=Lock.FIELDS, planned_fields=tuple(fields), appearance=judges.MAYOR
    )
    ahead = judges.sign(content, path, field_name="three", appearance=judges.MAYOR)
    with pytest.raises(PeceteError) as refusal:
        judges.sign(ahead, path, field_name="two", appearance=judges.MAYOR)
    assert refusal.value.reason == "DOCUMENT_LOCKED"
    forced = judges.by_pyhanko(ahead, field_name="two")
    assert collect(forced).signatures[1].modification is Modification.FORBIDDEN


def test_nothing_is_signed_after_the_document_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    content = make_chain(documents.sample(), path, 2)
    with pytest.raises(PeceteError) as refusal:
        judges.sign(content, path)
    assert refusal.value.reason == "DOCUMENT_LOCKED"
    forced = judges.by_pyhanko(content)
    assert collect(forced).signatures[1].modification is Modification.FORBIDDEN


@pytest.mark.parametrize("certification", Certification)
def test_certified_documents(certification: Certification, tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    content = judges.sign(documents.sample(), path, certification=certification, appearance=judges.MAYOR)
    judges.check(path, 1)
    with pytest.raises(PeceteError) as refusal:
        judges.sign(content, path, certification=certification)
    forbidden = certification is Certification.NO_CHANGES
    expected = "DOCUMENT_CERTIFIED_NO_CHANGES" if forbidden else "DOCUMENT_HAS_SIGNATURES"
    assert refusal.value.reason == expected
    if not forbidden:
        judges.sign(content, path)
        judges.check(path, 2)


def test_chains_on_documents_that_are_not_plain(tmp_path: Path) -> None:
    """The general writer certifies, locks and plans as the plain one does."""
    path = tmp_path / "d.pdf"
    content = make_chain(documents.hybrid(documents.sample()), path, 3)
    judges.check(path, 3, strict=False)
    check_with_own_validator(content, 3)
