"""Reports against outside judges: the XML against ETSI's schema, the PDF against veraPDF's idea of PDF/A."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from lxml import etree

from pecete.errors import PeceteError
from signer.validation import ValidationPolicy
from signer.validation.engine import examine
from signer.validation.facts import DocumentFacts
from signer.validation.report import EvidenceRecordVerdict, ReportError, ValidationReport
from signer.validation.reports.etsi import render_xml
from signer.validation.reports.pdf import render_pdf
from tests.conformance import dss
from tests.conformance.documents import CORPUS
from tests.conformance.etsi_schema import AbsentError, schema
from tests.unit.report_samples import CHANGED, OTHER_LETTERS
from tests.unit.validation_documents import (
    CRL_START,
    GOOD,
    NOW,
    ROOT,
    SIGNED,
    SIGNER,
    SUB,
    blank,
    crl,
    policy,
    sign,
)

pytestmark = pytest.mark.conformance

REVOKED = crl(SUB, (SIGNER, SIGNED.replace(month=5), x509.ReasonFlags.key_compromise))
STRANGE = ValidationPolicy((), datetime(2026, 1, 1, tzinfo=UTC), "off")
LARGEST = 400_000

Examined = tuple[ValidationReport, DocumentFacts | None, ValidationPolicy]


@pytest.fixture(scope="module")
def reports_schema() -> etree.XMLSchema:
    try:
        return schema()
    except AbsentError as absence:
        pytest.skip(str(absence))


def examined(document: bytes | Path, under: ValidationPolicy) -> Examined:
    facts, report = examine(document, under)
    return report, facts, under


def own_reports() -> Iterator[Examined]:
    """Reports of each kind of verdict."""
    stamped = sign(blank(), stamped=SIGNED)
    yield examined(stamped, GOOD)
    yield examined(sign(stamped, field="Sig2"), policy(crl(ROOT), REVOKED))
    yield examined(sign(blank(), digest="sha1"), GOOD)
    yield examined(stamped, policy(anchors=()))
    yield examined(stamped.replace(b"signed words", b"forged words"), GOOD)
    yield examined(blank(), GOOD)
    yield examined(sign(blank()), replace(GOOD, time=NOW.replace(year=2030)))
    for reason in ("DOCUMENT_DAMAGED", "SIGNATURE_UNDECODABLE"):
        error = ReportError(reason, "It cannot be read.")
        yield ValidationReport("act.pdf", b"", NOW, error=error), None, GOOD


def corpus_reports() -> Iterator[Examined]:
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST and path.suffix not in (".tsv", ".xml"):
            try:
                yield examined(path, STRANGE)
            except PeceteError:
                continue  # what is no document of signatures has no report


def faults(reports: Iterator[Examined], valid: etree.XMLSchema) -> tuple[int, list[str]]:
    """How many reports there were, and what is wrong with them."""
    count, found = 0, []
    for report, facts, under in reports:
        count += 1
        tree = etree.fromstring(render_xml(report, facts, under))
        if not valid.validate(tree):
            found.append(f"{report.file}: {valid.error_log}")
        names = {element.get("id") for element in tree.iter() if element.get("id")}
        used = {name for element in tree.iter() for name in element.get("VOReference", "").split()}
        found += [f"{report.file}: nothing is named {name}" for name in used - names]
    return count, found


def test_every_kind_of_report_is_as_the_schema_says(reports_schema: etree.XMLSchema) -> None:
    assert faults(own_reports(), reports_schema) == (9, [])


def test_the_schema_refuses_what_it_should(reports_schema: etree.XMLSchema) -> None:
    report, facts, under = next(own_reports())
    tree = etree.fromstring(render_xml(report, facts, under))
    (status,) = tree.findall("{*}SignatureValidationReport/{*}SignatureValidationStatus")
    status.remove(status[0])
    assert not reports_schema.validate(tree)


def test_reports_on_strangers_documents_are_as_the_schema_says(reports_schema: etree.XMLSchema) -> None:
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the repository")
    count, found = faults(corpus_reports(), reports_schema)
    assert count > 40 and found == []


def test_an_evidence_record_is_listed_with_what_it_proves(reports_schema: etree.XMLSchema) -> None:
    from signer.validation.facts import EvidenceRecordFacts, Integrity
    from signer.validation.indication import PASSED

    report, facts, under = next(own_reports())
    assert facts is not None
    record = EvidenceRecordFacts("proof.ers", Integrity.INTACT, "", (), ("Sig1",))
    verdict = EvidenceRecordVerdict("proof.ers", Integrity.INTACT, PASSED, CRL_START, ("Sig1",))
    facts = replace(facts, evidence_records=(record,))
    report = replace(report, evidence_records=(verdict,))
    tree = etree.fromstring(render_xml(report, facts, under))
    assert reports_schema.validate(tree), reports_schema.error_log
    assert tree.findtext(".//{*}SignatureReference/{*}PAdESFieldName") == "Sig1"


@pytest.mark.skipif(bool(dss.absence()), reason=dss.absence() or "-")
def test_the_readable_report_is_pdf_a(tmp_path: Path) -> None:
    reports = [report for report, _, _ in own_reports()]
    many = replace(reports[0], signatures=reports[0].signatures * 30)
    files = {f"{number}.pdf": render_pdf(report) for number, report in enumerate((*reports, many, CHANGED))}
    files["english.pdf"] = render_pdf(CHANGED, "en")
    files["letters.pdf"] = render_pdf(OTHER_LETTERS)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    answers = dss.judge_pdfa([tmp_path / name for name in files], "2a")
    assert len(answers) == len(files)
    assert [answer for answer in answers if not answer["compliant"]] == []
