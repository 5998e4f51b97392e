"""The verdict on a document's signatures from its facts and a policy (EN 319 102-1 §5.3 and §5.5).

The basic process and the process with time are one here: first what time cannot heal (format, signing
certificate, digest, signature value), then what stands against the certificate at the best signature time.
"""

from collections.abc import Iterable
from datetime import datetime

from signer.algorithms import NEVER_BELIEVED
from signer.validation.certificate_judgement import CertificateJudge, Use, unreliable
from signer.validation.certificates import CertificatePool, load_certificate
from signer.validation.facts import (
    CmsFacts,
    DocumentFacts,
    Integrity,
    SignatureFacts,
    SignerBinding,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.levels import covering, level
from signer.validation.path import Path
from signer.validation.pdf.aftermath import Modification
from signer.validation.policy import ValidationPolicy
from signer.validation.report import SignatureVerdict, TimestampVerdict
from signer.validation.revocation import RevocationData

Judged = tuple[TimestampFacts, TimestampVerdict]


def judge(
    facts: DocumentFacts, policy: ValidationPolicy
) -> tuple[list[SignatureVerdict], list[TimestampVerdict]]:
    """Verdicts on all signatures and on all document time-stamps, each in the order of coverage."""
    judgement = Judgement(facts, policy)
    return (
        [judgement.signature(signature) for signature in facts.signatures],
        [verdict for _, verdict in judgement.document_timestamps],
    )


class Judgement:
    """Judges the facts of one document."""

    def __init__(self, facts: DocumentFacts, policy: ValidationPolicy) -> None:
        self.facts, self.policy = facts, policy
        every = list(_all_cms(facts))
        store = facts.store
        stored = [der for der, _ in store.certificates]
        found = [der for cms in every for der in cms.certificates]
        self.pool = CertificatePool([*policy.anchors, *policy.certificates, *stored, *found])
        revocation = RevocationData(
            [*policy.crls, *(d for d, _ in store.crls), *(d for cms in every for d in cms.crls)],
            [
                *policy.ocsp_responses,
                *(d for d, _ in store.ocsp_responses),
                *(d for cms in every for d in cms.ocsp_responses),
            ],
        )
        self.revocation = revocation
        self.certificates = CertificateJudge(policy, self.pool, revocation)
        self.document_timestamps = self._document_timestamps()

    def _document_timestamps(self) -> list[Judged]:
        """Newest first, so that an older one is judged at the time that a newer one proves for it."""
        judged: list[Judged] = []
        for facts in reversed(self.facts.document_timestamps):
            later = [item for item in judged if item[0].covers(facts.end, facts.field)]
            judged.insert(0, (facts, self.timestamp(facts, self._proven(later))))
        return judged

    def _proven(self, judged: Iterable[Judged]) -> datetime:
        """Earliest time that valid time-stamps prove, at latest that of judging (§5.5.4)."""
        times = [facts.gen_time for facts, verdict in judged if verdict.conclusion.passed and facts.gen_time]
        return min([self.policy.time, *times])

    # ---- signatures

    def signature(self, facts: SignatureFacts) -> SignatureVerdict:
        """The verdict on one signature."""
        later = self._around(facts)
        existed = self._proven(later)
        own = [(stamp, self.timestamp(stamp, existed)) for stamp in facts.timestamps]
        stamps = [*own, *later]
        best = self._proven(stamps)
        conclusion, path = self._conclude(facts, stamps, best)
        signer = load_certificate(facts.cms.signer_certificate) if facts.cms.signer_certificate else None
        return SignatureVerdict(
            field=facts.field,
            format=facts.format,
            level=level(facts, self.facts, self.pool),
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
        )

    def existed(self, facts: SignatureFacts) -> datetime:
        """Earliest time at which the document time-stamps prove the signature with all that is in it."""
        return self._proven(self._around(facts))

    def stamp_existed(self, facts: TimestampFacts) -> datetime:
        """Earliest time at which later document time-stamps prove this one."""
        return self._proven(
            item for item in self.document_timestamps if item[0].covers(facts.end, facts.field)
        )

    def _around(self, facts: SignatureFacts) -> list[Judged]:
        around = {id(stamp) for stamp in covering(facts, self.facts)}
        return [item for item in self.document_timestamps if id(item[0]) in around]

    def _conclude(
        self, facts: SignatureFacts, stamps: list[Judged], best: datetime
    ) -> tuple[Conclusion, Path]:
        """Format checking, then the building blocks that a signature shares with a token, then its own."""
        if facts.faults:
            return Conclusion(SubIndication.FORMAT_FAILURE, facts.faults[0]), ()
        if facts.modification is Modification.FORBIDDEN:
            change = facts.changes[0] if facts.changes else "unknown"
            sentence = (
                f"the document was changed after the signature in a way that it does not permit: {change}"
            )
            return Conclusion(SubIndication.FORMAT_FAILURE, sentence), ()
        conclusion, path = self._cms(facts.cms, "signature", best)
        if not conclusion.passed:
            return conclusion, path
        return self._acceptance(facts, stamps, best), path

    def _cms(self, cms: CmsFacts, use: Use, proven: datetime) -> tuple[Conclusion, Path]:
        """Signing certificate, cryptographic verification, certificate (§5.2.3, §5.2.7, §5.2.6)."""
        signer = load_certificate(cms.signer_certificate) if cms.signer_certificate else None
        if signer is None or cms.binding is SignerBinding.MISMATCH:
            sentence = "the signing certificate is missing, or is not the one that the signature names"
            return Conclusion(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, sentence), ()
        conclusion = _cryptographic(cms)
        if not conclusion.passed:
            return conclusion, ()
        return self.certificates.judge(signer, use).conclude(proven)

    def _acceptance(self, facts: SignatureFacts, stamps: list[Judged], best: datetime) -> Conclusion:
        """Signature acceptance (§5.2.8), order of time-stamps and delay (§5.5.4), and what stays unknown."""
        conclusion = _first_failure(
            self._reference(facts.cms),
            _order(stamps),
            _claimed_time(facts),
            self._delay(facts, best),
            self._algorithms(facts.cms, best),
        )
        if conclusion.passed and facts.modification is Modification.UNKNOWN:
            sentence = "it cannot be told what was changed after the signature"
            return Conclusion(SubIndication.CUSTOM, sentence)
        return conclusion

    def _reference(self, cms: CmsFacts) -> Conclusion:
        if cms.binding is SignerBinding.BOUND:
            return PASSED
        return Conclusion(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "the signature does not name its signing certificate among what is signed",
        )

    def _delay(self, facts: SignatureFacts, best: datetime) -> Conclusion:
        delay = self.policy.delay
        if delay is None or facts.claimed_time is None or facts.claimed_time + delay >= best:
            return PASSED
        sentence = "the signature is proven only long after the time that the signer states"
        return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)

    def _algorithms(self, cms: CmsFacts, proven: datetime) -> Conclusion:
        """Each algorithm must be believed at the proven time; no time helps one that never was."""
        for use in cms.algorithms:
            end = self.policy.algorithms.end(use)
            if end <= proven:
                name = " ".join(part for part in (use.scheme, use.digest) if part)
                return Conclusion(unreliable(end), f"the {use.what} rests on {name}, which is not believed")
        return PASSED

    # ---- time-stamps

    def timestamp(self, facts: TimestampFacts, proven: datetime) -> TimestampVerdict:
        """The verdict on a token that is proven to have existed at `proven` (§5.4)."""
        conclusion = self._timestamp(facts, proven)
        signer = load_certificate(facts.cms.signer_certificate) if facts.cms.signer_certificate else None
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
        if facts.faults or facts.gen_time is None:
            return Conclusion(SubIndication.FORMAT_FAILURE, facts.faults[0] if facts.faults else "no genTime")
        if facts.imprint_matches is False:
            return Conclusion(SubIndication.HASH_FAILURE, "the time-stamp is over something else")
        if facts.imprint_matches is None:
            sentence = "the digest algorithm of the time-stamp is not known"
            return Conclusion(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, sentence)
        conclusion, path = self._cms(facts.cms, "timestamp", proven)
        if not conclusion.passed:
            return conclusion
        return _first_failure(
            self._reference(facts.cms),
            self._stated_time(facts, facts.gen_time, path),
            self._algorithms(facts.cms, proven),
            self._imprint_algorithm(facts, proven),
        )

    def _stated_time(self, facts: TimestampFacts, gen_time: datetime, path: Path) -> Conclusion:
        if gen_time - facts.accuracy > self.policy.time:
            sentence = "the time-stamp states a time that is yet to come"
            return Conclusion(SubIndication.TIMESTAMP_ORDER_FAILURE, sentence)
        unit = path[0].parsed
        if not unit.not_valid_before_utc <= gen_time <= unit.not_valid_after_utc:
            sentence = "the time-stamp states a time outside the validity of its authority's certificate"
            return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)
        return PASSED

    def _imprint_algorithm(self, facts: TimestampFacts, proven: datetime) -> Conclusion:
        if self.policy.algorithms.digests.get(facts.imprint_digest, NEVER_BELIEVED) > proven:
            return PASSED
        sentence = f"the time-stamp's imprint rests on {facts.imprint_digest}, which is not believed"
        return Conclusion(SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE, sentence)


def _cryptographic(cms: CmsFacts) -> Conclusion:
    """Cryptographic verification (§5.2.7): content found, digest, signature value."""
    if cms.integrity is Integrity.INTACT:
        return PASSED
    if cms.digest_matches is None:
        return Conclusion(SubIndication.SIGNED_DATA_NOT_FOUND, "what was signed is missing")
    if cms.digest_matches is False:
        return Conclusion(SubIndication.HASH_FAILURE, "what was signed has changed: its digest differs")
    if cms.signature_matches is False:
        return Conclusion(SubIndication.SIG_CRYPTO_FAILURE, "the signature value does not verify")
    return Conclusion(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the signature algorithm is not known")


def _claimed_time(facts: SignatureFacts) -> Conclusion:
    """A signer who states a time at which the certificate was not valid states something that cannot be."""
    signer = load_certificate(facts.cms.signer_certificate) if facts.cms.signer_certificate else None
    claimed = facts.claimed_time
    if signer is None or claimed is None:
        return PASSED
    if signer.parsed.not_valid_before_utc <= claimed <= signer.parsed.not_valid_after_utc:
        return PASSED
    sentence = "the signer states a signing time outside the validity of the certificate"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)


def _order(stamps: list[Judged]) -> Conclusion:
    """A time-stamp around the signature cannot be earlier than one within it (RFC 3161 §2.4.2, accuracy)."""
    valid = [facts for facts, verdict in stamps if verdict.conclusion.passed]
    inner = [facts for facts in valid if facts.kind is TimestampKind.SIGNATURE]
    for outer in (facts for facts in valid if facts.kind is not TimestampKind.SIGNATURE):
        for stamp in inner:
            if outer.gen_time and stamp.gen_time:
                allowance = outer.accuracy + stamp.accuracy
                if outer.gen_time + allowance < stamp.gen_time:
                    sentence = "a time-stamp around the signature is earlier than one within it"
                    return Conclusion(SubIndication.TIMESTAMP_ORDER_FAILURE, sentence)
    return PASSED


def _first_failure(*conclusions: Conclusion) -> Conclusion:
    return next((conclusion for conclusion in conclusions if not conclusion.passed), PASSED)


def _all_cms(facts: DocumentFacts) -> Iterable[CmsFacts]:
    for signature in facts.signatures:
        yield signature.cms
        for stamp in signature.timestamps:
            yield stamp.cms
    for stamp in facts.document_timestamps:
        yield stamp.cms
