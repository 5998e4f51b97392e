"""Validation of Basic Signatures (EN 319 102-1 §5.3): the building blocks, one after the other, at one time.

The result of X.509 certificate validation is held back until the signature value is verified, and what stands
against the path is kept whole, since a proof of existence may take it away in a later process.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from signer.validation.building_blocks import (
    cryptographic,
    signature_acceptance,
    signature_format,
    signing_certificate,
    timestamp_acceptance,
    timestamp_format,
    validation_context,
    weak_algorithms,
)
from signer.validation.certificate_constraints import Use
from signer.validation.certificate_validation import (
    CertificateValidation,
    CertificateValidator,
    Finding,
    ValidatedPath,
)
from signer.validation.certificates import Certificate
from signer.validation.facts import CmsFacts, SignatureFacts, TimestampFacts
from signer.validation.indication import PASSED, Conclusion, SubIndication, first_failure
from signer.validation.trace import Block, Trace


@dataclass(frozen=True)
class BasicResult:
    """What Basic Signature validation found.

    failure: what no proof of existence can change: of FC, ISC, VCI or CV. certificates: what XCV found, None
    where it did not run. acceptance: what SAV says of attributes. weak: algorithms not believed now.
    signed_after: time of the latest valid content time-stamp; the signature is younger.
    """

    failure: Conclusion
    certificates: CertificateValidation | None = None
    acceptance: Conclusion = PASSED
    weak: tuple[Finding, ...] = ()
    signed_after: datetime | None = None

    @property
    def conclusion(self) -> Conclusion:
        """Of the process (§5.3.4)."""
        path = self.certificates.conclusion if self.certificates else PASSED
        weak = self.weak[0].conclusion if self.weak else PASSED
        return first_failure(self.failure, path, self.acceptance, weak)


def basic_signature(
    facts: SignatureFacts, validator: CertificateValidator, signed_after: datetime | None, trace: Trace
) -> BasicResult:
    """Validate a signature; `signed_after` is the time of its latest valid content time-stamp."""
    failure = trace.note(Block.FORMAT_CHECKING, signature_format(facts))
    if failure.passed:
        failure, signer = _identify(facts.cms, trace)
        if failure.passed:
            failure = trace.note(Block.CONTEXT, validation_context(facts.cms, validator.policy))
        if failure.passed and signer is not None:
            return _checked(facts, signer, validator, signed_after, trace)
    trace.note(Block.BASIC, failure)
    return BasicResult(failure)


def _checked(
    facts: SignatureFacts,
    signer: Certificate,
    validator: CertificateValidator,
    signed_after: datetime | None,
    trace: Trace,
) -> BasicResult:
    """From X.509 certificate validation on."""
    found = _certificates(facts.cms, signer, "signature", validator, trace)
    if not found.failure.passed:
        trace.note(Block.BASIC, found.failure)
        return found
    acceptance = signature_acceptance(facts, signer, validator.policy)
    found = _after(replace(found, acceptance=acceptance, signed_after=signed_after))
    weak = found.weak[0].conclusion if found.weak else PASSED
    trace.note(Block.ACCEPTANCE, first_failure(acceptance, weak))
    trace.note(Block.BASIC, found.conclusion)
    return found


def basic_timestamp(facts: TimestampFacts, validator: CertificateValidator, trace: Trace) -> BasicResult:
    """Validate a time-stamp token as it stands (§5.4)."""
    failure = trace.note(Block.FORMAT_CHECKING, timestamp_format(facts))
    if not failure.passed:
        return BasicResult(failure)
    failure, signer = _identify(facts.cms, trace)
    if signer is None:
        return BasicResult(failure)
    found = _certificates(facts.cms, signer, "timestamp", validator, trace)
    if not found.failure.passed:
        return found
    acceptance = trace.note(Block.ACCEPTANCE, timestamp_acceptance(facts, signer, validator.policy))
    return replace(found, acceptance=acceptance)


def _identify(cms: CmsFacts, trace: Trace) -> tuple[Conclusion, Certificate | None]:
    conclusion, signer = signing_certificate(cms)
    return trace.note(Block.SIGNING_CERTIFICATE, conclusion), signer


def _certificates(
    cms: CmsFacts, signer: Certificate, use: Use, validator: CertificateValidator, trace: Trace
) -> BasicResult:
    certificates = validator.validate(signer, use)
    trace.note(Block.CERTIFICATE, certificates.conclusion)
    failure = trace.note(Block.CRYPTOGRAPHIC, cryptographic(cms))
    weak = tuple(weak_algorithms(cms, validator.policy, validator.policy.time))
    return BasicResult(failure, certificates, weak=weak)


def _after(found: BasicResult) -> BasicResult:
    """What a content time-stamp makes certain: the signer signed when it was too late (§5.3.4)."""
    time, certificates = found.signed_after, found.certificates
    if time is None or certificates is None:
        return found
    paths = tuple(
        replace(path, findings=tuple(_certain(finding, time, path) for finding in path.findings))
        for path in certificates.paths
    )
    weak = tuple(_outlived(finding, time) for finding in found.weak)
    return replace(found, certificates=CertificateValidation(certificates.certificate, paths), weak=weak)


def _certain(finding: Finding, time: datetime, path: ValidatedPath) -> Finding:
    revoked = finding.kind is SubIndication.REVOKED_NO_POE
    if revoked and finding.moment is not None and finding.moment <= time:
        return _changed(finding, SubIndication.REVOKED)
    bounds = (SubIndication.OUT_OF_BOUNDS_NO_POE, SubIndication.OUT_OF_BOUNDS_NOT_REVOKED)
    if finding.kind in bounds and finding.certificate == path.leaf and path.leaf.not_after < time:
        return _changed(finding, SubIndication.EXPIRED)
    return finding


def _outlived(finding: Finding, time: datetime) -> Finding:
    unproven = finding.kind is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
    if unproven and finding.moment is not None and finding.moment <= time:
        return _changed(finding, SubIndication.CRYPTO_CONSTRAINTS_FAILURE)
    return finding


def _changed(finding: Finding, kind: SubIndication) -> Finding:
    sentence = f"{finding.conclusion.explanation}, and a time-stamp proves that it was signed later"
    return replace(finding, conclusion=Conclusion(kind, sentence))
