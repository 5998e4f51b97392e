"""The verdict on a document's signatures from its facts and a policy (EN 319 102-1 §5.6.3).

Evidence records come first, then time-stamps from the newest to the oldest, so that each is judged at the
time that those after it prove for it, then the signatures at the best time that is proven for them.
"""

from collections.abc import Iterable
from datetime import datetime

from signer.algorithms import NEVER_BELIEVED
from signer.validation.archival_validation import ArchivalValidation, algorithms_at, best_path
from signer.validation.assurance import identity, time_status
from signer.validation.basic_validation import BasicResult, basic_signature, basic_timestamp
from signer.validation.certificate_constraints import Use
from signer.validation.certificate_validation import CertificateValidator
from signer.validation.certificates import Certificate, CertificatePool, load_certificate
from signer.validation.facts import (
    CmsFacts,
    DocumentFacts,
    EvidenceRecordFacts,
    Integrity,
    SignatureFacts,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.indication import PASSED, Conclusion, SubIndication, first_failure
from signer.validation.levels import Levels
from signer.validation.path import Path
from signer.validation.policy import ValidationPolicy
from signer.validation.proof_of_existence import ProofsOfExistence
from signer.validation.report import (
    CertificateNames,
    EvidenceRecordVerdict,
    SignatureVerdict,
    TimestampVerdict,
)
from signer.validation.trace import Block, Trace
from signer.validation.validation_with_time import required_timestamp, signing_delay, timestamp_order

Judged = tuple[TimestampFacts, TimestampVerdict]


class Judgement:
    """Judges the facts of one document."""

    def __init__(self, facts: DocumentFacts, policy: ValidationPolicy) -> None:
        self.facts, self.policy = facts, policy
        every = list(_all_cms(facts))
        store = facts.store
        found = [der for cms in every for der in cms.certificates]
        stored = [der for der, _ in store.certificates]
        self.pool = CertificatePool([*policy.anchors, *policy.certificates, *stored, *found])
        self.certificates = CertificateValidator(
            policy,
            self.pool,
            [*policy.crls, *(d for d, _ in store.crls), *(d for cms in every for d in cms.crls)],
            [
                *policy.ocsp_responses,
                *(d for d, _ in store.ocsp_responses),
                *(d for cms in every for d in cms.ocsp_responses),
            ],
        )
        self.revocation = self.certificates.revocation
        self.proofs = ProofsOfExistence(facts, policy.time)
        self._archival = ArchivalValidation(policy, self.proofs)
        self.levels = Levels(facts, self.pool)
        self.evidence_records = [self._evidence_record(record) for record in facts.evidence_records]
        self.document_timestamps = self._document_timestamps()
        self._inner = {id(signature): self._inner_timestamps(signature) for signature in facts.signatures}

    # ---- time-stamps and evidence records

    def _evidence_record(self, facts: EvidenceRecordFacts) -> EvidenceRecordVerdict:
        """An evidence record proves what it protects since its first archive time-stamp (§5.6.3.4)."""
        conclusion = _record_integrity(facts)
        proven = self.policy.time
        for stamp in reversed(facts.timestamps):
            if conclusion.passed and stamp.gen_time is not None:
                conclusion = self.timestamp(stamp, proven).conclusion
                proven = min(proven, stamp.gen_time)
        if conclusion.passed:
            self.proofs.add_evidence_record(facts, proven)
        return EvidenceRecordVerdict(
            facts.name,
            facts.integrity,
            conclusion,
            proven if conclusion.passed else None,
            facts.covers,
            facts.files,
        )

    def _document_timestamps(self) -> list[Judged]:
        judged: list[Judged] = []
        for facts in reversed(self.facts.document_timestamps):
            verdict = self.timestamp(facts, self.stamp_existed(facts))
            if verdict.conclusion.passed:
                self.proofs.add_timestamp(facts)
            judged.append((facts, verdict))
        return judged[::-1]

    def _inner_timestamps(self, facts: SignatureFacts) -> list[Judged]:
        """Time-stamps within a signature, judged when all of it is proven to have existed."""
        existed = self.existed(facts)
        judged = [(stamp, self.timestamp(stamp, existed)) for stamp in facts.timestamps]
        for stamp, verdict in judged:
            if stamp.kind is TimestampKind.SIGNATURE and verdict.conclusion.passed and stamp.gen_time:
                self.proofs.add_signature_timestamp(facts, stamp.gen_time)
        return judged

    def timestamp(self, facts: TimestampFacts, proven: datetime) -> TimestampVerdict:
        """The verdict on a token that is proven to have existed at `proven` (§5.4, §5.6.3.4)."""
        conclusion = self._timestamp(facts, proven)
        signer = _signer(facts.cms)
        return TimestampVerdict(
            kind=facts.kind,
            field=facts.field,
            integrity=facts.integrity,
            generation_time=facts.gen_time,
            authority=signer.common_name if signer else None,
            conclusion=conclusion,
            modification=facts.modification,
            changes=facts.changes,
        )

    def _timestamp(self, facts: TimestampFacts, proven: datetime) -> Conclusion:
        trace = Trace()
        basic = basic_timestamp(facts, self.certificates, trace)
        if not basic.failure.passed:
            return basic.failure
        return first_failure(
            self._archival.path(basic, proven, proven, trace)[0],
            basic.acceptance,
            algorithms_at(facts.cms, self.policy, proven),
            self._imprint_algorithm(facts, proven),
        )

    def _imprint_algorithm(self, facts: TimestampFacts, proven: datetime) -> Conclusion:
        if self.policy.algorithms.digests.get(facts.imprint_digest, NEVER_BELIEVED) > proven:
            return PASSED
        sentence = f"the time-stamp's imprint rests on {facts.imprint_digest}, which is not believed"
        return Conclusion(SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE, sentence)

    # ---- signatures

    def signature(self, facts: SignatureFacts) -> SignatureVerdict:
        """The verdict on one signature."""
        trace = Trace()
        stamps = self._stamps(facts, trace)
        valid = [stamp for stamp, verdict in stamps if verdict.conclusion.passed]
        best = self.proofs.signature(facts)
        basic = basic_signature(facts, self.certificates, _signed_after(valid), trace)
        path: Path = ()
        trusted = basic.failure
        if basic.failure.passed:
            trusted, path = self._archival.path(basic, best, self.existed(facts), trace)
        conclusion = first_failure(trusted, self._acceptable(facts, basic, valid, best))
        trace.note(Block.ARCHIVAL, conclusion)
        signer = _signer(facts.cms)
        known, reason = identity(basic, trusted)
        return SignatureVerdict(
            field=facts.field,
            format=facts.format,
            level=self.levels.name(facts),
            integrity=facts.cms.integrity,
            modification=facts.modification,
            conclusion=conclusion,
            signing_time=facts.claimed_time,
            best_signature_time=best,
            signer=signer.common_name if signer else None,
            signer_certificate=signer.der if signer else None,
            path=tuple(certificate.common_name for certificate in path),
            timestamps=tuple(verdict for _, verdict in stamps),
            changes=facts.changes,
            faults=facts.faults,
            findings=facts.findings,
            visual_changes=facts.visual_changes,
            changed_pages=facts.changed_pages,
            certificate=_names(signer) if signer else None,
            identity=str(known),
            identity_reason=reason,
            time_status=str(time_status(facts, best, self.policy)),
            trace=trace.steps,
        )

    def _stamps(self, facts: SignatureFacts, trace: Trace) -> list[Judged]:
        """Time-stamps within a signature and around it, in the order of their coverage."""
        around = {id(stamp) for stamp in self.levels.covering(facts)}
        stamps = [
            *self._inner[id(facts)],
            *(each for each in self.document_timestamps if id(each[0]) in around),
        ]
        for stamp, verdict in stamps:
            trace.note(Block.TIMESTAMP, verdict.conclusion, str(stamp.kind))
        return stamps

    def _acceptable(
        self, facts: SignatureFacts, basic: BasicResult, valid: list[TimestampFacts], best: datetime
    ) -> Conclusion:
        """Signature acceptance and the signature's own times at the best signature time (§5.5.4)."""
        return first_failure(
            basic.acceptance,
            timestamp_order(valid),
            signing_delay(facts, best, self.policy),
            required_timestamp(best, self.policy),
            _outlived(basic),
            algorithms_at(facts.cms, self.policy, best),
        )

    # ---- for those who look for what is missing

    def existed(self, facts: SignatureFacts) -> datetime:
        """Earliest time at which the signature is proven with all that is in it."""
        return self.proofs.content(facts)

    def stamp_existed(self, facts: TimestampFacts) -> datetime:
        """Earliest time at which later document time-stamps and evidence records prove this one."""
        return self.proofs.timestamp(facts)

    def path(self, certificate: Certificate, use: Use, proven: datetime) -> Path:
        """The path that a signature proven for that time rests on; () where there is none."""
        basic = BasicResult(PASSED, self.certificates.validate(certificate, use))
        _, validated = best_path(basic, proven, self.policy)
        return validated.path if validated else ()


def _record_integrity(facts: EvidenceRecordFacts) -> Conclusion:
    if facts.integrity is Integrity.INTACT and facts.timestamps:
        return PASSED
    sentence = f"the evidence record does not hold: {facts.failing_check or 'it has no time-stamp'}"
    broken = facts.integrity is Integrity.BROKEN
    return Conclusion(SubIndication.HASH_FAILURE if broken else SubIndication.SIGNED_DATA_NOT_FOUND, sentence)


def _signed_after(valid: list[TimestampFacts]) -> datetime | None:
    """When the signer can have signed at the earliest, by the latest content time-stamp."""
    times = [stamp.gen_time for stamp in valid if stamp.kind is TimestampKind.CONTENT and stamp.gen_time]
    return max(times, default=None)


def _outlived(basic: BasicResult) -> Conclusion:
    """An algorithm that had ended before the signer signed, whatever is proven of later."""
    kind = SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    return next((each.conclusion for each in basic.weak if each.kind is kind), PASSED)


def _names(certificate: Certificate) -> CertificateNames:
    return CertificateNames(
        serial_number=f"{certificate.parsed.serial_number:X}",
        issuer=certificate.parsed.issuer.rfc4514_string(),
        subject=certificate.parsed.subject.rfc4514_string(),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        sha256=certificate.sha256,
    )


def _signer(cms: CmsFacts) -> Certificate | None:
    return load_certificate(cms.signer_certificate) if cms.signer_certificate else None


def _all_cms(facts: DocumentFacts) -> Iterable[CmsFacts]:
    for signature in facts.signatures:
        yield signature.cms
        for stamp in signature.timestamps:
            yield stamp.cms
    for stamp in facts.document_timestamps:
        yield stamp.cms
    for record in facts.evidence_records:
        for stamp in record.timestamps:
            yield stamp.cms
