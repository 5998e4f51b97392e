"""What a signature assures, each thing apart and in one word: who signed, and since when that is proven."""

from datetime import datetime
from enum import StrEnum

from signer.validation.basic_validation import BasicResult
from signer.validation.facts import SignatureFacts
from signer.validation.indication import Conclusion, SubIndication
from signer.validation.policy import ValidationPolicy


class Identity(StrEnum):
    """Whether the signer is who the certificate says, on the word of a trust anchor."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


class TimeStatus(StrEnum):
    """How well it is known when the signature existed."""

    PROVEN = "proven"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


_AGAINST = frozenset(
    {
        SubIndication.REVOKED,
        SubIndication.EXPIRED,
        SubIndication.NOT_YET_VALID,
        SubIndication.REVOKED_NO_POE,
        SubIndication.REVOKED_CA_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NOT_REVOKED,
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    }
)
"""What speaks against a certificate; other conclusions leave it open whom it names."""


def identity(basic: BasicResult, certificate: Conclusion) -> tuple[Identity, str]:
    """Who signed, and why it is not trusted, as a sentence.

    certificate: what stands against the certificate in the end.
    """
    if basic.certificates is None or not basic.failure.passed:
        return Identity.UNKNOWN, basic.failure.explanation
    if certificate.passed:
        return Identity.TRUSTED, ""
    if certificate.sub_indication in _AGAINST:
        return Identity.UNTRUSTED, certificate.explanation
    return Identity.UNKNOWN, certificate.explanation


def time_status(facts: SignatureFacts, best: datetime, policy: ValidationPolicy) -> TimeStatus:
    """Whether anything but the signer's word says when the signature existed."""
    if best < policy.time:
        return TimeStatus.PROVEN
    return TimeStatus.UNKNOWN if facts.claimed_time is None else TimeStatus.CLAIMED
