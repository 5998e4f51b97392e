"""Validation of Signatures with Time (EN 319 102-1 §5.5): what the best signature time changes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from signer.validation.certificate_validation import Finding, ValidatedPath
from signer.validation.certificates import Certificate
from signer.validation.facts import SignatureFacts, TimestampFacts, TimestampKind
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.policy import ValidationPolicy

_BOUNDS = (SubIndication.OUT_OF_BOUNDS_NO_POE, SubIndication.OUT_OF_BOUNDS_NOT_REVOKED)
_REVOKED = (SubIndication.REVOKED_NO_POE, SubIndication.REVOKED_CA_NO_POE)


def path_with_time(path: ValidatedPath, best: datetime, policy: ValidationPolicy) -> Conclusion:
    """What still stands against a path for what existed at the best signature time (§5.5.4)."""
    for finding in path.findings:
        conclusion = reconsider(finding, path.leaf, best, policy)
        if not conclusion.passed:
            return not_yet_valid(path.leaf, best) if _by_bounds(conclusion, path, best) else conclusion
    return not_yet_valid(path.leaf, best)


def _by_bounds(conclusion: Conclusion, path: ValidatedPath, best: datetime) -> bool:
    return conclusion.sub_indication in _BOUNDS and best < path.leaf.not_before


def not_yet_valid(leaf: Certificate, best: datetime) -> Conclusion:
    """A signature cannot be older than its certificate."""
    if best >= leaf.not_before:
        return PASSED
    sentence = "the signature is proven to be older than its certificate"
    return Conclusion(SubIndication.NOT_YET_VALID, sentence)


def reconsider(finding: Finding, leaf: Certificate, best: datetime, policy: ValidationPolicy) -> Conclusion:
    """One finding at the best signature time; what is no matter of time stays as it is."""
    if finding.kind in _REVOKED and finding.moment is not None:
        return _within(leaf, best) if best < finding.moment else finding.conclusion
    if finding.kind is SubIndication.OUT_OF_BOUNDS_NOT_REVOKED:
        return _within(leaf, best)
    if finding.kind is SubIndication.TRY_LATER:
        return PASSED if _was_known(finding, best, policy) else finding.conclusion
    return finding.conclusion


def _was_known(finding: Finding, best: datetime, policy: ValidationPolicy) -> bool:
    """Whether the certificate was suspended only later, or its status was fresh at that time (§5.2.5)."""
    if finding.moment is not None:
        return best < finding.moment
    return finding.statement is not None and finding.statement.is_fresh(best, policy.freshness)


def _within(leaf: Certificate, best: datetime) -> Conclusion:
    early = not_yet_valid(leaf, best)
    if not early.passed or best <= leaf.not_after:
        return early
    sentence = f"the certificate of {leaf.common_name} is outside its validity period"
    return Conclusion(SubIndication.OUT_OF_BOUNDS_NOT_REVOKED, sentence)


# ---- the signature's own times


def timestamp_order(stamps: Sequence[TimestampFacts]) -> Conclusion:
    """Valid time-stamps must follow each other as what they are over does (§5.5.4, RFC 3161 §2.4.2).

    stamps: in the order of their coverage. Two are in the wrong order only if their times differ by more than
    both accuracies.
    """
    inner = [stamp for stamp in stamps if stamp.kind is TimestampKind.CONTENT]
    signature = [stamp for stamp in stamps if stamp.kind is TimestampKind.SIGNATURE]
    outer = [
        [stamp] for stamp in stamps if stamp.kind not in (TimestampKind.CONTENT, TimestampKind.SIGNATURE)
    ]
    least: datetime | None = None
    for group in (inner, signature, *outer):
        if least is not None and any(_latest(stamp) < least for stamp in group):
            sentence = "a time-stamp around the signature is earlier than one within it"
            return Conclusion(SubIndication.TIMESTAMP_ORDER_FAILURE, sentence)
        least = max([_earliest(stamp) for stamp in group] + ([least] if least else []), default=None)
    return PASSED


def _earliest(stamp: TimestampFacts) -> datetime:
    return _moved(stamp, -stamp.accuracy)


def _latest(stamp: TimestampFacts) -> datetime:
    return _moved(stamp, stamp.accuracy)


def _moved(stamp: TimestampFacts, by: timedelta) -> datetime:
    if stamp.gen_time is None:
        raise ValueError("a valid time-stamp has a time")
    return stamp.gen_time + by


def signing_delay(facts: SignatureFacts, best: datetime, policy: ValidationPolicy) -> Conclusion:
    """The time-stamp delay: how long after the claimed time a signature must be proven (§5.5.4)."""
    if policy.delay is None or facts.claimed_time is None or best - facts.claimed_time <= policy.delay:
        return PASSED
    sentence = "the signature is proven only long after the time that the signer states"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)


def required_timestamp(best: datetime, policy: ValidationPolicy) -> Conclusion:
    """A proof of time, where the policy asks for one."""
    if not policy.timestamp or best < policy.time:
        return PASSED
    sentence = "no valid time-stamp or evidence record proves the signature"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)
