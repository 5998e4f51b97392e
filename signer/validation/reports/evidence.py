"""What the verdicts of a document rest on: certification paths, revocations, algorithms, proofs of existence.

Gathered from the facts for reports that list it; nothing is judged here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from signer.validation.certificates import Certificate, CertificatePool, load_certificate
from signer.validation.der import SEQUENCE, DerError, read
from signer.validation.facts import (
    AlgorithmUse,
    CmsFacts,
    DocumentFacts,
    EvidenceRecordFacts,
    SignatureFacts,
    TimestampFacts,
)
from signer.validation.path import Path, find_paths
from signer.validation.policy import ValidationPolicy
from signer.validation.report import (
    EvidenceRecordVerdict,
    SignatureVerdict,
    TimestampVerdict,
    ValidationReport,
)
from signer.validation.revocation import RevocationData
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_value import key_size, read_scheme


@dataclass(frozen=True)
class Weakness:
    """An algorithm that something leans on. subject: the certificate that does; None: the signature itself.

    end: first moment at which it is no longer believed.
    """

    subject: Certificate | None
    use: AlgorithmUse
    end: datetime


@dataclass(frozen=True)
class Revocation:
    """A certificate that was revoked, and what says so."""

    certificate: Certificate
    time: datetime
    statement: RevocationStatement


class Evidence:
    """Everything that the facts of one document, with the policy, have to say for its verdicts."""

    def __init__(self, facts: DocumentFacts, policy: ValidationPolicy, report: ValidationReport) -> None:
        self.facts, self.policy, self.report = facts, policy, report
        every = list(_all_cms(facts))
        store = facts.store
        self.crls = _distinct(*policy.crls, *(d for d, _ in store.crls), *(d for c in every for d in c.crls))
        self.ocsp_responses = _distinct(
            *policy.ocsp_responses,
            *(d for d, _ in store.ocsp_responses),
            *(d for c in every for d in c.ocsp_responses),
        )
        found = [d for c in every for d in c.certificates]
        signers = [c.signer_certificate for c in every if c.signer_certificate]
        stored = [der for der, _ in store.certificates]
        self.certificates = _distinct(*policy.certificates, *stored, *found, *signers)
        self._anchors = [anchor for der in policy.anchors if (anchor := load_certificate(der))]
        self._pool = CertificatePool([*policy.anchors, *self.certificates])
        self._revocation = RevocationData(self.crls, self.ocsp_responses)
        self._verdicts = dict(self._judged_timestamps())

    def path(self, cms: CmsFacts, names: tuple[str, ...] = ()) -> Path:
        """The certification path of a signer; of several, the one along which the verdict saw `names`.

        Without any path, the signer's certificate alone; () where that is missing.
        """
        signer = load_certificate(cms.signer_certificate) if cms.signer_certificate else None
        if signer is None:
            return ()
        paths = list(find_paths(signer, self._pool, self._anchors))
        named = (path for path in paths if tuple(each.common_name for each in path) == names)
        return next(named, paths[0] if paths and not names else (signer,))

    def is_anchor(self, certificate: Certificate) -> bool:
        """Whether the policy trusts the certificate by itself."""
        return certificate in self._anchors

    def revocation(self, path: Path) -> Revocation | None:
        """The first certificate of a path that is on record as revoked."""
        for certificate, issuer in pairwise(path):
            for statement in self._revocation.about(certificate, issuer):
                if statement.revoked_at is not None:
                    return Revocation(certificate, statement.revoked_at, statement)
        return None

    def weakest(self, cms: CmsFacts, path: Path) -> Weakness | None:
        """The algorithm of a signature or of its path that is, or was, the first no longer to be believed."""
        own = [Weakness(None, use, self.policy.algorithms.end(use)) for use in cms.algorithms]
        of_path = [
            Weakness(certificate, use, self.policy.algorithms.end(use))
            for certificate, issuer in pairwise(path)
            for use in (_certificate_algorithm(certificate, issuer),)
        ]
        # Of those that have no end, the scheme of the signature value tells more than its digest.
        return min((*reversed(own), *of_path), key=lambda weakness: weakness.end, default=None)

    def verdict_on(self, stamp: TimestampFacts) -> TimestampVerdict | None:
        """The verdict on a time-stamp of these facts."""
        return self._verdicts.get(id(stamp))

    def _judged_timestamps(self) -> Iterator[tuple[int, TimestampVerdict]]:
        """Time-stamps by identity; a verdict that is evidently on another one is left out."""
        pairs = [(self.facts.document_timestamps, self.report.document_timestamps)]
        pairs += [(signature.timestamps, verdict.timestamps) for signature, verdict in self.signatures()]
        for stamps, verdicts in pairs:
            for stamp, verdict in zip(stamps, verdicts, strict=False):
                if (stamp.kind, stamp.gen_time) == (verdict.kind, verdict.generation_time):
                    yield id(stamp), verdict

    def signatures(self) -> Iterator[tuple[SignatureFacts, SignatureVerdict]]:
        """Each signature with its verdict."""
        yield from zip(self.facts.signatures, self.report.signatures, strict=False)

    def records(self) -> Iterator[tuple[EvidenceRecordFacts, EvidenceRecordVerdict]]:
        """Each evidence record with its verdict."""
        verdicts = {verdict.name: verdict for verdict in self.report.evidence_records}
        for record in self.facts.evidence_records:
            if record.name in verdicts:
                yield record, verdicts[record.name]

    def timestamps(self) -> Iterator[TimestampFacts]:
        """All time-stamps: those within signatures, then those around them."""
        for signature in self.facts.signatures:
            yield from signature.timestamps
        yield from self.facts.document_timestamps
        for record in self.facts.evidence_records:
            yield from record.timestamps

    def proof(self, end: int) -> TimestampFacts | None:
        """The earliest valid document time-stamp over all that ends at a position of the file."""
        proofs = [
            stamp
            for stamp in self.facts.document_timestamps
            if 0 < end <= stamp.covered and (verdict := self.verdict_on(stamp)) and verdict.conclusion.passed
        ]
        return min(proofs, key=lambda stamp: stamp.gen_time or self.policy.time, default=None)


def _certificate_algorithm(certificate: Certificate, issuer: Certificate) -> AlgorithmUse:
    try:
        scheme = read_scheme(read(certificate.der).parts(SEQUENCE, 3)[1], "")
    except DerError:
        scheme = None
    name, digest = (scheme.name, scheme.digest) if scheme else ("unknown", "")
    return AlgorithmUse("certificate", digest, name, key_size(issuer.key))


def _all_cms(facts: DocumentFacts) -> Iterator[CmsFacts]:
    for signature in facts.signatures:
        yield signature.cms
        yield from (stamp.cms for stamp in signature.timestamps)
    yield from (stamp.cms for stamp in facts.document_timestamps)
    for record in facts.evidence_records:
        yield from (stamp.cms for stamp in record.timestamps)


def _distinct(*ders: bytes) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(ders))
