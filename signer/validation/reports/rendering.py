"""A document judged and its report written as files, all in one task for a process that can be lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from signer.validation.engine import examine, fenced
from signer.validation.facts import DocumentFacts
from signer.validation.policy import ValidationPolicy
from signer.validation.report import ValidationReport
from signer.validation.reports.etsi import render_xml
from signer.validation.reports.page import render_html
from signer.validation.reports.pdf import render_pdf
from signer.validation.reports.texts import Language
from signer.validation.trusted_lists.joining import trusting


class ReportFormat(StrEnum):
    """A form of the whole report."""

    PDF = "pdf"
    HTML = "html"
    XML = "xml"


MEDIA_TYPES = {
    ReportFormat.PDF: "application/pdf",
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.XML: "application/xml",
}


@dataclass(frozen=True)
class Rendering:
    """Which files are wanted. file: the document's name for people; "" for that of the file itself."""

    formats: tuple[ReportFormat, ...]
    language: Language = "ro"
    file: str = ""


@dataclass(frozen=True)
class RenderedValidation:
    """A report and its files, in the order of the formats that were asked for."""

    report: ValidationReport
    files: tuple[bytes, ...]


def validate_and_render(
    document: Path | bytes, policy: ValidationPolicy, rendering: Rendering, *, detached: Sequence[Path] = ()
) -> RenderedValidation:
    """Judge a document and write its report in each format. Raises what `validate` raises."""
    facts, report = examine(document, policy, detached=detached)
    report = replace(report, file=rendering.file or report.file)
    with fenced():
        return RenderedValidation(report, render(report, facts, policy, rendering))


def render(
    report: ValidationReport, facts: DocumentFacts | None, policy: ValidationPolicy, rendering: Rendering
) -> tuple[bytes, ...]:
    """The files of a report. facts: None where the document could not be read, and the report says so."""
    makers = {
        ReportFormat.PDF: lambda: render_pdf(report, rendering.language),
        ReportFormat.HTML: lambda: render_html(report, rendering.language).encode(),
        ReportFormat.XML: lambda: render_xml(report, facts, trusting(policy, facts) if facts else policy),
    }
    return tuple(makers[form]() for form in rendering.formats)
