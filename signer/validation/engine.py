"""Judging one document: reading it for facts, judging them, and the typed errors of what cannot be read."""

import codecs
import hashlib
import io
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from pecete.errors import InternalError, InvalidArgumentError, NotFoundError, PeceteError
from signer.validation import asic_facts, cades_facts, pdf_facts, proof_facts, xades_facts
from signer.validation.facts import DocumentFacts, Malformed, SignatureFacts
from signer.validation.integrity import ContentDigest
from signer.validation.judgement import Judgement
from signer.validation.pdf.encryption import PasswordRequiredError
from signer.validation.pdf.mapped import Buffer, blocks, contents_of
from signer.validation.pdf.values import PdfSyntaxError
from signer.validation.policy import ValidationPolicy
from signer.validation.report import ReportError, ValidationReport
from signer.validation.trusted_lists.joining import with_trusted_lists

_ZIP = b"PK\x03\x04"
_SPACE = b"\0\t\n\f\r "
_LEADING = 4096
"""Bytes within which a document shows what it is."""
_MALFORMED = {
    Malformed.UNDECODABLE: "The signature in the document cannot be decoded.",
    Malformed.CONTENT_ENCAPSULATED: "A detached signature in the document has content of its own.",
}


def validate(
    document: Path | bytes, policy: ValidationPolicy, *, detached: Sequence[Path] = ()
) -> ValidationReport:
    """Judge all signatures of a document under a policy (EN 319 102-1).

    detached: the signed file of a signature that stands apart from it, and evidence records over the
    document. The document may be a time-stamp or an evidence record itself, over detached files. A document
    all of whose signatures are malformed has `error` set in its report. Raises InvalidArgumentError
    DOCUMENT_EMPTY, DOCUMENT_DAMAGED, DOCUMENT_ENCRYPTED, DETACHED_CONTENT_AMBIGUOUS, TIMESTAMP_REFUSED or
    UNSUPPORTED_FORMAT, NotFoundError DOCUMENT_UNREADABLE, InternalError VALIDATION_FAULT.
    """
    return examine(document, policy, detached=detached)[1]


def examine(
    document: Path | bytes, policy: ValidationPolicy, *, detached: Sequence[Path] = ()
) -> tuple[DocumentFacts, ValidationReport]:
    """Judge as `validate` does, and give what the report rests on too. Raises what `validate` raises."""
    started = time.perf_counter()
    name = document.name if isinstance(document, Path) else ""
    with fenced():
        facts = document_facts(document, detached, rendering=policy.rendering)
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


def document_facts(
    document: Path | bytes, detached: Sequence[Path], *, rendering: bool = True
) -> DocumentFacts:
    """Collect the facts of a document, of a container in a file without holding it; raises as `validate`."""
    beside = [read_document(path) for path in detached]
    if isinstance(document, bytes):
        return read_facts(document, beside, rendering=rendering)
    with _reading(document), document.open("rb") as file:
        if file.read(4) == _ZIP:
            with _quiet():
                return _with_evidence(asic_facts.collect(file), _digest_of_file(file), beside)
        with contents_of(file) as data:
            return read_facts(data, beside, rendering=rendering)


def read_facts(data: Buffer, detached: Sequence[bytes] = (), *, rendering: bool = True) -> DocumentFacts:
    """Collect the facts of a document; raises as `validate` does.

    rendering: whether pages of a PDF that were changed after a signature are drawn and compared.
    """
    if not len(data):
        raise InvalidArgumentError("DOCUMENT_EMPTY", "The document is empty.", field="document")
    with _quiet():
        if _is_pdf(data):
            return _with_evidence(_pdf_facts(data, rendering), _digest_of(data), detached)
        octets = data[:]
        proof = proof_facts.collect_proof(octets, detached)
        if proof is not None:
            return proof
        content = [each for each in detached if not proof_facts.is_evidence_record(each)]
        return _with_evidence(_facts(octets, content), _digest_of(octets), detached)


def _is_pdf(data: Buffer) -> bool:
    """Whether it is a PDF, and not a signature or a container that has one in it."""
    start = data[:_LEADING]
    if start.lstrip(_SPACE)[:1] == b"\x30" or start.startswith(_ZIP):
        return False
    return b"%PDF-" in start[:1024] or b"%%EOF" in data[-2048:]


def _facts(data: bytes, detached: Sequence[bytes]) -> DocumentFacts:
    """The facts of what is no PDF, by its kind."""
    if data[:_LEADING].lstrip(_SPACE)[:1] == b"\x30":
        return cades_facts.collect(data, detached)
    if data.startswith(_ZIP):
        return asic_facts.collect(io.BytesIO(data))
    if _looks_like_xml(data):
        return xades_facts.collect(data, detached)
    raise InvalidArgumentError(
        "UNSUPPORTED_FORMAT",
        "This is neither a PDF nor a CMS signature nor an ASiC nor XML.",
        field="document",
    )


def _with_evidence(facts: DocumentFacts, document: ContentDigest, detached: Sequence[bytes]) -> DocumentFacts:
    """The facts with those of the evidence records among what was given beside the document."""
    records = [each for each in detached if proof_facts.is_evidence_record(each)]
    content = [each for each in detached if each not in records]
    return proof_facts.with_evidence_beside(facts, document, records, content)


def _digest_of(data: Buffer) -> ContentDigest:
    def digest(name: str) -> bytes:
        state = hashlib.new(name, usedforsecurity=False)
        for block in blocks(data, 0, len(data)):
            state.update(block)
        return state.digest()

    return digest


def _digest_of_file(file: IO[bytes]) -> ContentDigest:
    def digest(name: str) -> bytes:
        file.seek(0)
        return hashlib.file_digest(file, name).digest()  # type: ignore[arg-type] # it is open for reading

    return digest


def _looks_like_xml(data: bytes) -> bool:
    """Whether it begins as XML does, in UTF-8 or UTF-16, with a byte order mark or without."""
    start = data[:64].removeprefix(codecs.BOM_UTF8)
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        start = start.removeprefix(mark)
    return start.replace(b"\0", b"").lstrip()[:1] == b"<"


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of certificates that are read although they break a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pdf_facts(data: Buffer, rendering: bool) -> DocumentFacts:
    try:
        return pdf_facts.collect(data, rendering=rendering)
    except PasswordRequiredError as error:
        raise InvalidArgumentError(
            "DOCUMENT_ENCRYPTED", f"The document cannot be read: {error}.", field="document"
        ) from error
    except PdfSyntaxError as error:
        raise InvalidArgumentError(
            "DOCUMENT_DAMAGED", f"The PDF is damaged beyond reading: {error}.", field="document"
        ) from error


@with_trusted_lists
def judge_facts(facts: DocumentFacts, policy: ValidationPolicy) -> ValidationReport:
    """Judge facts, read now or kept from an earlier reading."""
    error = _error(facts.signatures)
    if error and error.reason == Malformed.UNDECODABLE:
        facts = replace(facts, signatures=())
    judgement = Judgement(facts, policy)
    return ValidationReport(
        "",
        facts.sha256,
        policy.time,
        tuple(judgement.signature(signature) for signature in facts.signatures),
        tuple(verdict for _, verdict in judgement.document_timestamps),
        error,
        evidence_records=tuple(judgement.evidence_records),
    )


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
