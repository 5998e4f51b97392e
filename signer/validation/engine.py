"""Judging one document: reading it for facts, judging them, and the typed errors of what cannot be read."""

import io
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pikepdf

from pecete.errors import InternalError, InvalidArgumentError, NotFoundError, PeceteError
from signer.validation import asic_facts, cades_facts, pdf_facts
from signer.validation.facts import DocumentFacts, Malformed, SignatureFacts
from signer.validation.judgement import judge
from signer.validation.pdf.values import PdfSyntaxError
from signer.validation.policy import ValidationPolicy
from signer.validation.report import ReportError, ValidationReport

_ZIP = b"PK\x03\x04"
_MALFORMED = {
    Malformed.UNDECODABLE: "The signature in the document cannot be decoded.",
    Malformed.CONTENT_ENCAPSULATED: "A detached signature in the document has content of its own.",
}


def validate(
    document: Path | bytes, policy: ValidationPolicy, *, detached: Sequence[Path] = ()
) -> ValidationReport:
    """Judge all signatures of a document under a policy (EN 319 102-1).

    detached: the signed file of a signature that stands apart from it. A document all of whose signatures are
    malformed has `error` set in its report. Raises InvalidArgumentError DOCUMENT_EMPTY, DOCUMENT_DAMAGED,
    DOCUMENT_ENCRYPTED, DETACHED_CONTENT_AMBIGUOUS or UNSUPPORTED_FORMAT, NotFoundError DOCUMENT_UNREADABLE,
    InternalError VALIDATION_FAULT.
    """
    return examine(document, policy, detached=detached)[1]


def examine(
    document: Path | bytes, policy: ValidationPolicy, *, detached: Sequence[Path] = ()
) -> tuple[DocumentFacts, ValidationReport]:
    """Judge as `validate` does, and give what the report rests on too. Raises what `validate` raises."""
    started = time.perf_counter()
    name = document.name if isinstance(document, Path) else ""
    with fenced():
        facts = document_facts(document, detached)
        report = judge_facts(facts, policy)
    return facts, replace(report, file=name, seconds=time.perf_counter() - started)


@contextmanager
def fenced() -> Iterator[None]:
    """Whatever hostile bytes provoke leaves as one typed error: InternalError VALIDATION_FAULT."""
    try:
        yield
    except (PeceteError, MemoryError):
        raise  # memory is the caller's limit, not the document's fault
    except Exception as error:  # the fence itself
        raise InternalError(
            "VALIDATION_FAULT",
            f"The document could not be judged ({type(error).__name__}).",
            field="document",
        ) from error


def document_facts(document: Path | bytes, detached: Sequence[Path]) -> DocumentFacts:
    """Collect the facts of a document, of a container in a file without holding it; raises as `validate`."""
    if isinstance(document, Path):
        with _reading(document), document.open("rb") as file:
            if file.read(4) == _ZIP:
                with _quiet():
                    return asic_facts.collect(file)
    return read_facts(read_document(document), [read_document(path) for path in detached])


def read_facts(data: bytes, detached: Sequence[bytes] = ()) -> DocumentFacts:
    """Collect the facts of a document; raises as `validate` does."""
    if not data:
        raise InvalidArgumentError("DOCUMENT_EMPTY", "The document is empty.", field="document")
    with _quiet():
        if data.lstrip(b"\0\t\n\f\r ")[:1] == b"\x30":
            return cades_facts.collect(data, detached)
        if data.startswith(_ZIP):
            return asic_facts.collect(io.BytesIO(data))
        if b"%PDF-" not in data[:1024] and b"%%EOF" not in data[-2048:]:
            raise InvalidArgumentError(
                "UNSUPPORTED_FORMAT",
                "This is neither a PDF nor a CMS signature nor an ASiC.",
                field="document",
            )
        return _pdf_facts(data)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of certificates that are read although they break a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pdf_facts(data: bytes) -> DocumentFacts:
    if b"/Encrypt" in data:
        _require_readable(data)
    try:
        return pdf_facts.collect(data)
    except PdfSyntaxError as error:
        raise InvalidArgumentError(
            "DOCUMENT_DAMAGED", f"The PDF is damaged beyond reading: {error}.", field="document"
        ) from error


def _require_readable(data: bytes) -> None:
    """Refuse a PDF that asks for a password; an empty user password asks nobody."""
    try:
        pikepdf.open(io.BytesIO(data)).close()
    except pikepdf.PasswordError as error:
        raise InvalidArgumentError(
            "DOCUMENT_ENCRYPTED", "The document is encrypted and asks for a password.", field="document"
        ) from error
    except (pikepdf.PdfError, ValueError):
        return  # damage has its own judge


def judge_facts(facts: DocumentFacts, policy: ValidationPolicy) -> ValidationReport:
    """Judge facts, read now or kept from an earlier reading."""
    error = _error(facts.signatures)
    if error and error.reason == Malformed.UNDECODABLE:
        facts = replace(facts, signatures=())
    signatures, stamps = judge(facts, policy)
    return ValidationReport("", facts.sha256, policy.time, tuple(signatures), tuple(stamps), error)


def _error(signatures: Sequence[SignatureFacts]) -> ReportError | None:
    """The error of a document none of whose signatures is one."""
    kinds = [signature.malformed for signature in signatures]
    first = kinds[0] if kinds else None
    if first is None or None in kinds:
        return None
    return ReportError(str(first), _MALFORMED[first])


def read_document(document: Path | bytes) -> bytes:
    """The octets of a document. Raises NotFoundError DOCUMENT_UNREADABLE."""
    if isinstance(document, bytes):
        return document
    with _reading(document):
        return document.read_bytes()


@contextmanager
def _reading(document: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotFoundError(
            "DOCUMENT_UNREADABLE", f"The file {document.name} cannot be read.", field="document"
        ) from error
