"""Reports as files, from the service and from both command lines."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest
from lxml import etree

from pecete.client import Client
from pecete.errors import InvalidArgumentError
from pecete.validation.v1 import validation_pb2 as pb
from server.trial import SEAL, TrialServer
from tests.e2e.test_command_line import pecete

pytestmark = pytest.mark.e2e


@pytest.fixture
def signed(server: TrialServer, department: Client, disposition: Path) -> str:
    """A document with one signature, at B-T."""
    made = department.sign(disposition, server.trial.signing_key(SEAL), level="B-T")
    return str(made.document.name)


def test_the_service_gives_the_report_in_each_form(department: Client, signed: str) -> None:
    report = department.validate(signed, report_formats=["pdf", "html", "xml"], report_language="en")
    pdf, page, xml = report.reports
    assert [each.format for each in report.reports] == [
        pb.REPORT_FORMAT_PDF,
        pb.REPORT_FORMAT_HTML,
        pb.REPORT_FORMAT_XML,
    ]
    assert pdf.media_type == "application/pdf"
    with pikepdf.open(io.BytesIO(pdf.content)) as document:
        assert str(document.Root.Lang) == "en"
    assert "The signature in this document is valid." in page.content.decode()
    (told,) = etree.fromstring(xml.content).findall("{*}SignatureValidationReport")
    assert told.findtext(".//{*}MainIndication", "").endswith(":passed")


def test_each_question_is_a_field_of_its_own(department: Client, signed: str) -> None:
    report = department.validate(signed)
    (verdict,) = report.signatures
    same = json.loads(report.report_json)["signatures"][0]
    assert not report.reports
    assert list(verdict.path) == same["path"] and len(verdict.path) > 1
    assert (verdict.identity, verdict.time_status) == (same["identity"], same["time"])
    assert (verdict.qualification, list(verdict.findings)) == (same["qualification"], same["findings"])
    assert verdict.timestamps[0].integrity == pb.INTEGRITY_INTACT


@pytest.mark.parametrize(
    ("formats", "language", "reason"),
    [
        (["docx"], "ro", "REPORT_FORMAT_UNKNOWN"),
        (["pdf", "pdf"], "ro", "REPORT_FORMAT_UNKNOWN"),
        (["pdf"], "fr", "REPORT_LANGUAGE_UNKNOWN"),
    ],
)
def test_what_is_not_known_is_refused(
    department: Client, disposition: Path, formats: list[str], language: str, reason: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        department.validate(disposition, report_formats=formats, report_language=language)
    assert refused.value.reason == reason


def test_both_command_lines_write_the_report_beside_the_document(
    server: TrialServer, department: Client, signed: str, tmp_path: Path
) -> None:
    act = tmp_path / "act.pdf"
    department.download(signed, act)
    pecete(server, "validate", act, "--report", "pdf", "--report", "xml")
    assert (tmp_path / "act.pdf.report.pdf").read_bytes().startswith(b"%PDF-1.7")
    assert etree.parse(tmp_path / "act.pdf.report.xml").getroot().tag.endswith("}ValidationReport")

    page = tmp_path / "raport.html"
    trust = ("--trust", str(server.trial.provisioned.root), "--no-revocation")
    offline = (sys.executable, "-m", "server.cli", "validate", *trust, "--report", "html", str(act))
    done = subprocess.run([*offline, "--output", str(page)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Semnătura din acest document este validă." in page.read_text(encoding="utf-8")
    refused = subprocess.run([*offline, "--output", str(act)], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "OUTPUT_IS_INPUT" in refused.stderr
