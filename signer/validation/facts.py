"""What was found in a document, before anything is judged: plain values that can be kept and judged again.

Nothing here depends on trust anchors, on the time of judging or on a policy. Certificates, CRLs and OCSP
responses are DER; times are aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signer.validation.pdf.aftermath import Modification


class Integrity(StrEnum):
    """Whether a signature verifies over all that it covers."""

    INTACT = "intact"
    BROKEN = "broken"
    UNVERIFIABLE = "unverifiable"


class SignerBinding(StrEnum):
    """Whether the signing-certificate attribute names the signer's certificate (EN 319 122-1 §5.2.2)."""

    BOUND = "bound"
    ABSENT = "absent"
    MISMATCH = "mismatch"


@dataclass(frozen=True)
class AlgorithmUse:
    """An algorithm that a signature leans on: a digest, or a signature scheme with its digest and key."""

    what: str
    digest: str
    scheme: str = ""
    key_bits: int = 0


@dataclass(frozen=True)
class SignaturePolicy:
    """The signature-policy-identifier attribute (EN 319 122-1 §5.2.9, EN 319 132-1 §5.2.9).

    identifier: dotted, or another that XAdES allows; "" where the attribute cannot be read. digest: hashlib's
    name, "" for an unknown one.
    hash: what the policy document must have. document: the one that the signature holds itself
    (signature-policy-store, §5.2.10), None where it holds none.
    """

    identifier: str
    digest: str = ""
    hash: bytes = b""
    document: bytes | None = None


@dataclass(frozen=True)
class CmsFacts:
    """What the SignedData of a signature or of a time-stamp token shows.

    digest_matches, signature_matches: None where it could not be checked. signer_certificate: None where the
    SignedData does not hold it. faults: sentences on what a signature must not look like (FORMAT_FAILURE).
    attributes: signed attribute types, dotted, repeated as often as they occur.
    policy: None where the signer names none, or says that it is implied.
    content_digest: of what is signed, under the first of `algorithms`. signed_digest: SHA-256 of the signed
    attributes as they are signed. Both, and signature_value, are empty where there is none.
    """

    digest_matches: bool | None
    signature_matches: bool | None
    signer_certificate: bytes | None
    binding: SignerBinding
    algorithms: tuple[AlgorithmUse, ...]
    attributes: tuple[str, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    signing_time: datetime | None
    faults: tuple[str, ...]
    policy: SignaturePolicy | None = None
    signature_value: bytes = b""
    content_digest: bytes = b""
    signed_digest: bytes = b""

    @property
    def integrity(self) -> Integrity:
        """Digest and signature value in one word."""
        if self.digest_matches is False or self.signature_matches is False:
            return Integrity.BROKEN
        if self.digest_matches and self.signature_matches:
            return Integrity.INTACT
        return Integrity.UNVERIFIABLE


class TimestampKind(StrEnum):
    """Where a time-stamp stands."""

    CONTENT = "content"
    SIGNATURE = "signature"
    DOCUMENT = "document"
    ARCHIVE = "archive"
    EVIDENCE_RECORD = "evidence_record"


@dataclass(frozen=True)
class TimestampFacts:
    """A time-stamp token (RFC 3161 §2.4.2).

    imprint_matches: whether its messageImprint is over what it stands for; None where it cannot be told.
    field, end: of a document time-stamp, its field and the position up to which it covers the file.
    covered: position before which it covers every byte; 0 where that cannot be told. An archive time-stamp
    has its signature's field; its positions are places in the order of `archive_timestamps`.
    protected: SHA-256 of each certificate, CRL and OCSP response that an archive time-stamp's index lists.
    countersignatures: fields of the counter-signatures that an archive time-stamp is over as well.
    findings: as of a signature.
    """

    kind: TimestampKind
    cms: CmsFacts
    gen_time: datetime | None
    accuracy: timedelta
    imprint_digest: str
    imprint_matches: bool | None
    field: str = ""
    end: int = 0
    covered: int = 0
    modification: Modification = Modification.NONE
    changes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    protected: tuple[bytes, ...] = ()
    countersignatures: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def covers(self, end: int, field: str) -> bool:
        """Whether it is over all of what ends there; `field` is the signature's that is meant."""
        is_meant = self.kind is not TimestampKind.ARCHIVE or field in (self.field, *self.countersignatures)
        return 0 < end <= self.covered and is_meant

    @property
    def integrity(self) -> Integrity:
        """Imprint, digest and signature value in one word."""
        if self.imprint_matches is False:
            return Integrity.BROKEN
        return self.cms.integrity if self.imprint_matches else Integrity.UNVERIFIABLE


class Malformed(StrEnum):
    """A signature that is none at all, in the words of an error's reason."""

    UNDECODABLE = "SIGNATURE_UNDECODABLE"
    CONTENT_ENCAPSULATED = "SIGNATURE_CONTENT_ENCAPSULATED"


@dataclass(frozen=True)
class VisualChange:
    """A page that looks different after a later revision, where nothing permitted explains it.

    page: from 1. rectangle: left, bottom, right, top of what differs, in points from the lower left corner of
    the page as shown. sentence: what it is. picture: PNG, before and after side by side with the difference
    framed; empty where it would be one too many.
    """

    page: int
    rectangle: tuple[float, float, float, float]
    sentence: str
    picture: bytes


@dataclass(frozen=True)
class SignatureFacts:
    """A signature of the document.

    form: what the signature dictionary says the signature is, such as `ETSI.CAdES.detached`.
    claimed_time: signing time as the signer states it. end: position up to which it covers the file.
    baseline: whether it has all, and only, what EN 319 142-1 Table 1 wants of a baseline signature.
    countersigns: field of the signature whose value it signs (EN 319 122-1 §5.2.7), `signer 1` where that
    is "" as a sole signer's; "" of any other signature.
    timestamps: those within it, over its value (SIGNATURE) or over what it signs (CONTENT).
    findings: sentences on what is not forbidden but should be known, such as validation data removed later.
    visual_changes: what the pages show of changes that are not permitted, seen by drawing them.
    changed_pages: numbers from 1 of the pages that later revisions changed in a way that can be seen.
    extension: level that attributes outside the baseline give (EN 319 122-2): `ERS` for an evidence record,
    `C` for complete references to certificates and revocation data; "" without them.
    """

    field: str
    format: str
    form: str
    cms: CmsFacts
    claimed_time: datetime | None
    end: int
    baseline: bool
    modification: Modification
    changes: tuple[str, ...]
    timestamps: tuple[TimestampFacts, ...]
    faults: tuple[str, ...]
    malformed: Malformed | None = None
    countersigns: str = ""
    findings: tuple[str, ...] = ()
    visual_changes: tuple[VisualChange, ...] = ()
    changed_pages: tuple[int, ...] = ()
    extension: str = ""


@dataclass(frozen=True)
class EvidenceRecordFacts:
    """An evidence record (RFC 4998) in a document, in a container or beside it.

    name: where it stands: its file's name, or the field of the signature that holds it. integrity: whether
    the whole chain holds over what it protects, trust apart; failing_check names what does not, or is "".
    timestamps: archive time-stamps, the initial one first, then renewals, each as it stands in its chain.
    covers: fields of the signatures, and of document time-stamps, that it protects with all that is in them.
    files: names of the files that it protects.
    """

    name: str
    integrity: Integrity
    failing_check: str
    timestamps: tuple[TimestampFacts, ...]
    covers: tuple[str, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredData:
    """Validation data of the document security store, with the position in the file where each ends."""

    certificates: tuple[tuple[bytes, int], ...] = ()
    crls: tuple[tuple[bytes, int], ...] = ()
    ocsp_responses: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True)
class DocumentFacts:
    """All that was found in one document; signatures in the order of their coverage.

    document_timestamps: those around signatures, in that order too: a PDF's own, and archive time-stamps.
    """

    sha256: bytes
    size: int
    signatures: tuple[SignatureFacts, ...]
    document_timestamps: tuple[TimestampFacts, ...]
    store: StoredData
    evidence_records: tuple[EvidenceRecordFacts, ...] = ()
