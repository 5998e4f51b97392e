"""What others say of levels that we raised: pyHanko, pdfsig and qpdf; and our own engine."""

import asyncio
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import PdfSignatureValidationSpec, SignatureValidationSpec
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from pecete.errors import PeceteError
from signer.material import ValidationMaterial
from signer.pades.augmentation import append_material, finish_timestamp, prepare_timestamp
from signer.validation import ValidationPolicy, validate
from signer.validation.facts import Integrity
from signer.validation.pdf.aftermath import Modification
from signer.validation.survey import survey
from tests.conformance.documents import CORPUS, hybrid, run, sample, saved
from tests.unit.validation_documents import CRL_START, ROOT, SIGNED, SUB, crl, sign, stamper

pytestmark = pytest.mark.conformance

DAY = timedelta(days=1)
# The signer's list stays fresh: pyHanko also refuses its own renewed documents when that one is too old.
LISTS = (crl(ROOT), crl(SUB, next_update=CRL_START + 300 * DAY))
LONG_TERM = PdfSignatureValidationSpec(
    SignatureValidationSpec(
        CertValidationPolicySpec(
            SimpleTrustManager.build(trust_roots=[ROOT.asn1]),
            CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("require")),
        )
    )
)
MATERIAL = ValidationMaterial((SUB.der, ROOT.der), LISTS)


def policy(time: datetime, *crls: bytes) -> ValidationPolicy:
    return ValidationPolicy((ROOT.der,), time, crls=crls)


def append(path: Path, tail: bytes) -> None:
    before = path.read_bytes()
    with path.open("ab") as out:
        out.write(tail)
    assert path.read_bytes() == before + tail


def keep_material(path: Path, time: datetime, *crls: bytes) -> None:
    found = survey(path, policy(time, *crls), "")
    assert found.gaps == ()
    append(path, append_material(path, found.material))


def stamp(path: Path, time: datetime) -> None:
    section = prepare_timestamp(path, reserve=8192)
    token = asyncio.run(stamper(time).async_timestamp(section.digest, "sha256"))
    append(path, finish_timestamp(section, token.dump()))


def check_with_pyhanko(content: bytes, moment: datetime, *, strict: bool) -> None:
    """The first signature is trusted at level LTA, and what came later is what its policy lets be."""
    signature = PdfFileReader(io.BytesIO(content), strict=strict).embedded_regular_signatures[0]
    context = ValidationContext(
        trust_roots=[ROOT.asn1], allow_fetching=False, revocation_mode="soft-fail", moment=moment
    )
    status = asyncio.run(
        async_validate_pdf_signature(
            signature, signer_validation_context=context, ts_validation_context=context
        )
    )
    assert status.bottom_line, status.pretty_print_details()
    assert status.modification_level is not None
    assert status.modification_level.name == "LTA_UPDATES"
    judged = asyncio.run(
        ades_lta_validation(
            signature,
            LONG_TERM,
            timing_info=ValidationTimingInfo(moment, moment, point_in_time_validation=True),
        )
    )
    assert judged.ades_subindic is AdESPassed.OK, judged.failure_msg
    assert judged.oldest_evidence_record_timestamp == CRL_START + DAY


def check(path: Path, moment: datetime, level: str, *, strict: bool = True) -> None:
    (verdict,) = validate(path, policy(moment)).signatures
    assert verdict.conclusion.passed, verdict.conclusion
    assert verdict.level == f"PAdES-BASELINE-{level}"
    structure = run("qpdf", "--check", path)
    assert structure.returncode == 0, structure.stdout + structure.stderr
    answer = run("pdfsig", "-nocert", path).stdout
    assert answer.count("Signature is Valid") == 1, answer
    if level == "LTA":
        assert answer.count("Total document signed") == 1, answer
        check_with_pyhanko(path.read_bytes(), moment, strict=strict)


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "certificate": sample,
    "disposition": lambda: sample("dispozitia-primarului.pdf"),
    "object streams": lambda: saved(sample(), streams=True),
    "linearized": lambda: saved(sample(), linearize=True),
    "linearized object streams": lambda: saved(sample(), linearize=True, streams=True),
    "trailing white space": lambda: sample() + b"\r\n \n",
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_signature_of_pyhanko_is_raised_and_renewed_twice(tmp_path: Path, case: str) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(sign(DOCUMENTS[case](), stamped=SIGNED))
    time = CRL_START + DAY
    keep_material(path, time, *LISTS)
    check(path, time, "LT")
    stamp(path, time)
    check(path, time + DAY, "LTA")
    for number in (1, 2):
        time += 25 * DAY
        fresh = crl(ROOT, this_update=time - DAY, next_update=time + 29 * DAY)
        keep_material(path, time, fresh)
        stamp(path, time)
        check(path, time + DAY, "LTA")
        (verdict,) = validate(path, policy(time + DAY)).signatures
        assert len(verdict.timestamps) == 2 + number


def test_hybrid_cross_references(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(hybrid(sample()))
    before = path.read_bytes()
    append(path, append_material(path, MATERIAL))
    stamp(path, SIGNED)
    assert path.read_bytes().startswith(before)
    assert run("qpdf", "--check", path).returncode == 0
    assert append_material(path, MATERIAL) == b""


def test_every_document_of_the_corpus_is_added_to_or_refused(tmp_path: Path) -> None:
    found = sorted(CORPUS.glob("pades/*.pdf"))
    if not found:
        pytest.skip("the corpus is not beside the repository")
    reasons, path = {}, tmp_path / "d.pdf"
    for document in found:
        path.write_bytes(document.read_bytes())
        try:
            append(path, append_material(path, MATERIAL))
            stamp(path, SIGNED)
        except PeceteError as refusal:
            reasons[document.name] = refusal.reason
            continue
        whole = run("pdfsig", "-nocert", path).stdout
        assert "Total document signed" in whole.rpartition("Signature #")[2], document.name
        assert verdicts(path) == verdicts(document), document.name
    assert reasons["encrypted.pdf"] == "DOCUMENT_ENCRYPTED"
    assert len(reasons) < len(found) / 4, reasons


def verdicts(path: Path) -> list[tuple[str, bool]]:
    """Fields of intact signatures, and whether what came later is forbidden."""
    try:
        report = validate(path, policy(CRL_START + DAY))
    except PeceteError:
        return []
    return [
        (each.field, each.modification is Modification.FORBIDDEN)
        for each in report.signatures
        if each.integrity is Integrity.INTACT
    ]
