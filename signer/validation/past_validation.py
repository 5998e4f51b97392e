"""Past certificate validation and past signature validation (EN 319 102-1 §5.6.2).

They answer whether what can no longer be validated now was valid when it is proven to have existed.
"""

from collections.abc import Iterator
from datetime import datetime

from signer.validation.certificate_validation import Finding, ValidatedPath
from signer.validation.certificates import Certificate
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.policy import ValidationPolicy
from signer.validation.proof_of_existence import ProofsOfExistence
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_algorithms import certificate_algorithm
from signer.validation.trace import Block, Trace
from signer.validation.validation_with_time import not_yet_valid, reconsider

_BY_VALIDITY = frozenset(
    {
        SubIndication.REVOKED_NO_POE,
        SubIndication.TRY_LATER,
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.OUT_OF_BOUNDS_NOT_REVOKED,
        SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
    }
)
"""What passes if the signature existed before the control-time and within the validity periods."""


class PastValidation:
    """Validates at times in the past, by the proofs of existence known so far.

    Without revocation data it validates nothing, also where a policy does without them in the present.
    """

    def __init__(self, policy: ValidationPolicy, proofs: ProofsOfExistence) -> None:
        self._policy = policy
        self._proofs = proofs

    def signature(self, path: ValidatedPath, best: datetime, trace: Trace) -> Conclusion:
        """Past signature validation (§5.6.2.4) of what is proven to have existed at `best`.

        Where past certificate validation fails, or the proof is later than the control-time, what stands
        against the path now is the conclusion.
        """
        conclusion, control = self.certificate(path)
        trace.note(Block.PAST_CERTIFICATE, conclusion)
        before = conclusion.passed and best <= control
        for finding in path.findings:
            told = reconsider(finding, path.leaf, best, self._policy)
            if not told.passed and before:
                told = self._resolved(finding, path, best)
            if not told.passed:
                return trace.note(Block.PAST_SIGNATURE, told)
        return trace.note(Block.PAST_SIGNATURE, not_yet_valid(path.leaf, best))

    def certificate(self, path: ValidatedPath) -> tuple[Conclusion, datetime]:
        """Past certificate validation (§5.6.2.1): the time up to which the path is known to be good.

        Constraints that are no matter of time stand among the path's findings already.
        """
        return self._slide(path)

    def _slide(self, path: ValidatedPath) -> tuple[Conclusion, datetime]:
        """Validation time sliding (§5.6.2.2), from below the anchor down to the signer.

        Revocation data that are no longer fresh move the control-time to the last moment at which they were,
        as at that moment they were good enough to pass (§5.2.5): with their issuance instead, nearly no
        signature that was valid when its archive was made could be validated later.
        """
        sunset = self._policy.sunset(path.path[-1].der)
        control = min(self._policy.time, sunset) if sunset else self._policy.time
        for index in range(len(path.statements) - 1, -1, -1):
            certificate, issuer = path.path[index], path.path[index + 1]
            said = self._known(path, index, control)
            if said is None or self._proofs.material(certificate.der) > control:
                sentence = (
                    f"nothing proves the certificate of {certificate.common_name} or its status in time"
                )
                return Conclusion(SubIndication.NO_POE, sentence), control
            uses = (certificate_algorithm(certificate, issuer), said.algorithm)
            ends = [self._policy.algorithms.end(use) for use in uses]
            fresh_until = said.fresh_until(self._policy.freshness)
            control = min(control, fresh_until, *ends, *_revocations(path.statements[index]))
        return PASSED, control

    def _known(self, path: ValidatedPath, index: int, control: datetime) -> RevocationStatement | None:
        """The newest revocation data issued and proven until the control-time, by one proven in time."""
        for said in path.statements[index]:
            proven = self._proofs.material(said.der)
            in_time = said.this_update <= control and proven <= control
            if in_time and self._is_proven_valid(said.issuer, proven, path.path[-1]):
                return said
        return None

    def _is_proven_valid(self, issuer: Certificate, proven: datetime, anchor: Certificate) -> bool:
        """Whether the certificate behind revocation data existed while it was valid (§5.6.2.4)."""
        existed = min(self._proofs.material(issuer.der), proven)
        return issuer == anchor or existed <= issuer.not_after

    def _resolved(self, finding: Finding, path: ValidatedPath, best: datetime) -> Conclusion:
        """One finding, for what existed before the control-time (§5.6.2.4)."""
        if finding.kind in _BY_VALIDITY:
            return self._in_validity(finding, path, best)
        moment = finding.moment
        if finding.kind is SubIndication.REVOKED_CA_NO_POE and moment is not None:
            statuses = path.statements[0]
            kept = not statuses or any(self._proofs.material(said.der) <= moment for said in statuses)
            return PASSED if best < moment and kept else finding.conclusion
        if finding.kind is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE and moment is not None:
            return PASSED if self._proofs.material(finding.material) < moment else finding.conclusion
        return finding.conclusion

    def _in_validity(self, finding: Finding, path: ValidatedPath, best: datetime) -> Conclusion:
        early = not_yet_valid(path.leaf, best)
        if not early.passed:
            return early
        if finding.moment is not None and best >= finding.moment:
            return finding.conclusion
        outside = finding.kind in (
            SubIndication.OUT_OF_BOUNDS_NO_POE,
            SubIndication.OUT_OF_BOUNDS_NOT_REVOKED,
        )
        periods = {path.leaf, finding.certificate} if outside else {path.leaf}
        if all(each.is_valid_at(best) for each in periods if each is not None):
            return PASSED
        sentence = f"the certificate of {path.leaf.common_name} is outside its validity period"
        return Conclusion(SubIndication.OUT_OF_BOUNDS_NOT_REVOKED, sentence)


def _revocations(said: tuple[RevocationStatement, ...]) -> Iterator[datetime]:
    """When the certificate was revoked, by any data; when it was suspended, by the newest."""
    for number, statement in enumerate(said):
        if statement.revoked_at is not None and (number == 0 or not statement.on_hold):
            yield statement.revoked_at
