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
from signer.validation.proof_of_existence import ProofsOfExistence
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


def _first_passing(found: list[tuple[Conclusion, ValidatedPath]]) -> Found:
    return next((each for each in found if each[0].passed), found[0])


class ArchivalValidation:
    """Validates paths under one policy, by the proofs of existence known so far."""

    def __init__(self, policy: ValidationPolicy, proofs: ProofsOfExistence) -> None:
        self._policy = policy
        self._past = PastValidation(policy, proofs)

    def path(
        self, basic: BasicResult, best: datetime, archived: datetime, trace: Trace
    ) -> tuple[Conclusion, Path]:
        """What stands against the certificate for what existed at `best`, and the path that this rests on.

        archived: since when an archive proves it with all that is in it. Without an archive, when that is the
        time of judging, the process with time has the last word.
        """
        conclusion, validated = best_path(basic, best, self._policy)
        trace.note(Block.WITH_TIME, conclusion)
        if conclusion.sub_indication in _GOES_ON and archived < self._policy.time:
            paths = basic.certificates.paths if basic.certificates else ()
            judged = [(self._past.signature(path, best, trace), path) for path in paths]
            conclusion, validated = _first_passing(judged)
        return conclusion, validated.path if validated else ()


def algorithms_at(cms: CmsFacts, policy: ValidationPolicy, best: datetime) -> Conclusion:
    """The signature's own algorithms must be believed when it is proven to have existed (§5.5.4)."""
    weak = next(weak_algorithms(cms, policy, best), None)
    return weak.conclusion if weak else PASSED
