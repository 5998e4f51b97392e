"""Validation of Signatures with Archival Data (EN 319 102-1 §5.6.3), as far as it is about paths.

It begins with the process with time; past signature validation is for what that one cannot pass.
"""

from datetime import datetime

from signer.validation.basic_validation import BasicResult
from signer.validation.building_blocks import weak_algorithms
from signer.validation.certificate_validation import ValidatedPath
from signer.validation.facts import CmsFacts
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.past_validation import PastValidation
from signer.validation.path import Path
from signer.validation.policy import ValidationPolicy
from signer.validation.trace import Block, Trace
from signer.validation.validation_with_time import path_with_time

_GOES_ON = frozenset(
    {
        SubIndication.REVOKED_NO_POE,
        SubIndication.REVOKED_CA_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NOT_REVOKED,
        SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE,
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
        SubIndication.TRY_LATER,
    }
)
"""Conclusions of the process with time after which past signature validation may find otherwise."""

Found = tuple[Conclusion, ValidatedPath | None]


def best_path(basic: BasicResult, best: datetime, policy: ValidationPolicy) -> Found:
    """The path on which the signature passes with time, or else what is against the first (§5.5.4)."""
    if basic.certificates is None:
        return basic.failure, None
    if not basic.certificates.paths:
        return basic.certificates.conclusion, None
    return _first_passing([(path_with_time(path, best, policy), path) for path in basic.certificates.paths])


def past_path(basic: BasicResult, best: datetime, past: PastValidation, trace: Trace) -> Found:
    """The same by past signature validation (§5.6.2.4)."""
    paths = basic.certificates.paths if basic.certificates else ()
    return _first_passing([(past.signature(path, best, trace), path) for path in paths])


def _first_passing(found: list[tuple[Conclusion, ValidatedPath]]) -> Found:
    return next((each for each in found if each[0].passed), found[0])


def validate_path(
    basic: BasicResult, best: datetime, policy: ValidationPolicy, past: PastValidation, trace: Trace
) -> tuple[Conclusion, Path]:
    """What stands against the certificate for what existed at `best`, and the path that this rests on."""
    conclusion, validated = best_path(basic, best, policy)
    trace.note(Block.WITH_TIME, conclusion)
    if conclusion.sub_indication in _GOES_ON and best < policy.time:
        conclusion, validated = past_path(basic, best, past, trace)
    return conclusion, validated.path if validated else ()


def algorithms_at(cms: CmsFacts, policy: ValidationPolicy, best: datetime) -> Conclusion:
    """The signature's own algorithms must be believed when it is proven to have existed (§5.5.4)."""
    weak = next(weak_algorithms(cms, policy, best), None)
    return weak.conclusion if weak else PASSED
