"""Verdicts as plain values, and the report of one document as JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime

from signer.validation.facts import Integrity, TimestampKind, VisualChange
from signer.validation.indication import Conclusion
from signer.validation.pdf.aftermath import Modification

Json = dict[str, object]
"""A JSON object."""


@dataclass(frozen=True)
class TimestampVerdict:
    """The verdict on a time-stamp.

    authority: common name of its certificate. qualification: `QTSA`, `TSA` or `N/A`; "" where no trusted list
    was asked.
    """

    kind: TimestampKind
    field: str
    integrity: Integrity
    generation_time: datetime | None
    authority: str | None
    conclusion: Conclusion
    modification: Modification
    changes: tuple[str, ...]
    qualification: str = ""

    def to_json(self) -> Json:
        """As a JSON object."""
        return {
            "kind": str(self.kind),
            "field": self.field,
            "integrity": str(self.integrity),
            "generation_time": _time(self.generation_time),
            "authority": self.authority,
            **_conclusion(self.conclusion),
            "qualification": self.qualification,
        }


@dataclass(frozen=True)
class CertificateNames:
    """What names a certificate, read where the document was read.

    serial_number: hexadecimal digits, as certificates are printed. issuer, subject: as RFC 4514 writes them.
    sha256: of its DER, in hex.
    """

    serial_number: str
    issuer: str
    subject: str
    not_before: datetime
    not_after: datetime
    sha256: str

    def to_json(self) -> Json:
        """As a JSON object."""
        times = {"not_before": _time(self.not_before), "not_after": _time(self.not_after)}
        names = {"serial_number": self.serial_number, "issuer": self.issuer, "subject": self.subject}
        return {**names, **times, "sha256": self.sha256}


@dataclass(frozen=True)
class SignatureVerdict:
    """The verdict on one signature; each thing that can be wrong with it is told apart.

    integrity: the signed bytes. modification, changes: what came after. conclusion: trust, in one word.
    signing_time: claimed by the signer. best_signature_time: earliest at which the signature is proven to
    have existed, which is the time of judging where no time-stamp proves an earlier one.
    path: common names from the signer to the trust anchor, as far as a path was found.
    qualification: the result of TS 119 615, such as `QESig`; "" where no trusted list was asked.
    findings: sentences on what is not forbidden but should be known.
    identity, time_status: who signed, and how well its time is proven, each in one word; ""
    where not told. identity_reason: why the identity is not trusted, as a sentence.
    trace: each building block of EN 319 102-1 that ran, with its conclusion, in that order.
    visual_changes: pages that look different. changed_pages: numbers from 1 of those that later revisions
    changed in a way that can be seen, permitted or not. certificate: what names the signer's certificate.
    """

    field: str
    format: str
    level: str
    integrity: Integrity
    modification: Modification
    conclusion: Conclusion
    signing_time: datetime | None
    best_signature_time: datetime
    signer: str | None
    signer_certificate: bytes | None
    path: tuple[str, ...]
    timestamps: tuple[TimestampVerdict, ...]
    changes: tuple[str, ...]
    faults: tuple[str, ...]
    qualification: str = ""
    findings: tuple[str, ...] = ()
    identity: str = ""
    time_status: str = ""
    trace: tuple[tuple[str, str], ...] = ()
    visual_changes: tuple[VisualChange, ...] = ()
    identity_reason: str = ""
    changed_pages: tuple[int, ...] = ()
    certificate: CertificateNames | None = None

    def to_json(self) -> Json:
        """As a JSON object."""
        return {
            "field": self.field,
            "format": self.format,
            "level": self.level,
            "integrity": str(self.integrity),
            "modification": str(self.modification),
            **_conclusion(self.conclusion),
            "signing_time": _time(self.signing_time),
            "best_signature_time": _time(self.best_signature_time),
            "signer": self.signer,
            "timestamps": [stamp.to_json() for stamp in self.timestamps],
            "path": list(self.path),
            "changes": list(self.changes),
            "faults": list(self.faults),
            "identity": self.identity,
            "identity_reason": self.identity_reason,
            "time": self.time_status,
            "qualification": self.qualification,
            "findings": list(self.findings),
            "signer_certificate": self.certificate.to_json() if self.certificate else None,
            "trace": [{"block": block, "conclusion": conclusion} for block, conclusion in self.trace],
            "changed_pages": list(self.changed_pages),
            "visual_changes": [
                {"page": change.page, "rectangle": list(change.rectangle), "sentence": change.sentence}
                for change in self.visual_changes
            ],
        }


@dataclass(frozen=True)
class EvidenceRecordVerdict:
    """The verdict on an evidence record (RFC 4998).

    name: where it stands. proven_time: from when on it proves what it protects; None where it proves nothing.
    covers: fields of the signatures, and files: names of the files, that it protects.
    """

    name: str
    integrity: Integrity
    conclusion: Conclusion
    proven_time: datetime | None
    covers: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """As a JSON object."""
        return {
            "name": self.name,
            "integrity": str(self.integrity),
            **_conclusion(self.conclusion),
            "proven_time": _time(self.proven_time),
            "covers": list(self.covers),
            "files": list(self.files),
        }


@dataclass(frozen=True)
class ReportError:
    """Why a document could not be judged: a reason that never changes its meaning, and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True)
class ValidationReport:
    """The verdicts on all signatures of a document.

    file: its name for people. sha256: of the judged bytes, 32 octets; empty where none were read.
    document_timestamps: all of them, also those that cover no signature. seconds: how long it took.
    fetching: addresses that were asked for validation data, each with what came of it.
    """

    file: str
    sha256: bytes
    validation_time: datetime
    signatures: tuple[SignatureVerdict, ...] = ()
    document_timestamps: tuple[TimestampVerdict, ...] = ()
    error: ReportError | None = None
    seconds: float = 0.0
    evidence_records: tuple[EvidenceRecordVerdict, ...] = ()
    fetching: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """As a JSON object; keys are only ever added."""
        error = {"reason": self.error.reason, "message": self.error.message} if self.error else None
        return {
            "file": self.file,
            "error": error,
            "signatures": [signature.to_json() for signature in self.signatures],
            "seconds": round(self.seconds, 4),
            "sha256": self.sha256.hex(),
            "validation_time": _time(self.validation_time),
            "document_timestamps": [stamp.to_json() for stamp in self.document_timestamps],
            "evidence_records": [record.to_json() for record in self.evidence_records],
            "fetching": list(self.fetching),
        }


def _conclusion(conclusion: Conclusion) -> Json:
    kind = conclusion.sub_indication
    return {
        "indication": str(conclusion.indication),
        "sub_indication": str(kind) if kind else None,
        "explanation": conclusion.explanation,
    }


def _time(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None
