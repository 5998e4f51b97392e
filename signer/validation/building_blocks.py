"""The building blocks of Basic Signature validation that need no certificate path (EN 319 102-1 §5.2).

X.509 certificate validation (§5.2.6) is `certificate_validation`.
"""

from collections.abc import Iterator
from datetime import datetime

from signer.validation.certificate_validation import Finding, weakness
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.facts import CmsFacts, Integrity, SignatureFacts, SignerBinding, TimestampFacts
from signer.validation.indication import PASSED, Conclusion, SubIndication, first_failure
from signer.validation.pdf.aftermath import Modification
from signer.validation.policy import ValidationPolicy
from signer.validation.signature_policy import is_policy
from signer.validation.signature_value import DIGESTS


def signature_format(facts: SignatureFacts) -> Conclusion:
    """Format checking of a signature (§5.2.2), and what was made of the document after it."""
    if facts.faults:
        return Conclusion(SubIndication.FORMAT_FAILURE, facts.faults[0])
    if facts.modification is Modification.FORBIDDEN:
        change = facts.changes[0] if facts.changes else "unknown"
        sentence = f"the document was changed after the signature in a way that it does not permit: {change}"
        return Conclusion(SubIndication.FORMAT_FAILURE, sentence)
    return PASSED


def timestamp_format(facts: TimestampFacts) -> Conclusion:
    """Format checking of a time-stamp token, and its messageImprint (§5.4.4)."""
    if facts.faults or facts.gen_time is None:
        return Conclusion(SubIndication.FORMAT_FAILURE, facts.faults[0] if facts.faults else "no genTime")
    if facts.imprint_matches is False:
        return Conclusion(SubIndication.HASH_FAILURE, "the time-stamp is over something else")
    if facts.imprint_matches is None and facts.imprint_digest not in DIGESTS.values():
        sentence = "the digest algorithm of the time-stamp is not known"
        return Conclusion(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, sentence)
    if facts.imprint_matches is None:
        return Conclusion(SubIndication.SIGNED_DATA_NOT_FOUND, "what the time-stamp is over is missing")
    return PASSED


def signing_certificate(cms: CmsFacts) -> tuple[Conclusion, Certificate | None]:
    """Identification of the signing certificate (§5.2.3)."""
    signer = load_certificate(cms.signer_certificate) if cms.signer_certificate else None
    if signer is None or cms.binding is SignerBinding.MISMATCH:
        sentence = "the signing certificate is missing, or is not the one that the signature names"
        return Conclusion(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, sentence), None
    return PASSED, signer


def validation_context(cms: CmsFacts, policy: ValidationPolicy) -> Conclusion:
    """Validation context initialisation (§5.2.4): the signature policy that the signer names must be at hand.

    It is found and compared with the hash that was signed. What it says is not read: what a verifier asks of
    signatures is in the validation policy.
    """
    named = cms.policy
    if named is None:
        return PASSED
    if not named.identifier or not named.digest:
        sentence = "the signature policy that the signer names cannot be read"
        return Conclusion(SubIndication.POLICY_PROCESSING_ERROR, sentence)
    document = policy.signature_policy(named.identifier)
    document = named.document if document is None else document
    if document is None:
        sentence = f"the signature policy {named.identifier} that the signer names is not at hand"
        return Conclusion(SubIndication.SIGNATURE_POLICY_NOT_AVAILABLE, sentence)
    if not is_policy(document, named):
        sentence = f"the signature policy {named.identifier} is not the one that the signer names"
        return Conclusion(SubIndication.POLICY_PROCESSING_ERROR, sentence)
    return PASSED


def cryptographic(cms: CmsFacts) -> Conclusion:
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


def signature_acceptance(facts: SignatureFacts, signer: Certificate, policy: ValidationPolicy) -> Conclusion:
    """Signature acceptance validation (§5.2.8) but for algorithms: attributes, and what stays unknown."""
    return first_failure(
        certificate_reference(facts.cms),
        _required_attributes(facts.cms, policy),
        _claimed_time(facts, signer),
        _unknown_changes(facts),
    )


def timestamp_acceptance(facts: TimestampFacts, signer: Certificate, policy: ValidationPolicy) -> Conclusion:
    """What a token must say of its signer and of its time (§5.4.4)."""
    return first_failure(certificate_reference(facts.cms), _stated_time(facts, signer, policy))


def certificate_reference(cms: CmsFacts) -> Conclusion:
    """Whether the signing certificate is named among what is signed."""
    if cms.binding is SignerBinding.BOUND:
        return PASSED
    sentence = "the signature does not name its signing certificate among what is signed"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)


def weak_algorithms(cms: CmsFacts, policy: ValidationPolicy, time: datetime) -> Iterator[Finding]:
    """Algorithms of the signature that are not believed at a time (§5.2.8.4.2)."""
    for use in cms.algorithms:
        end = policy.algorithms.end(use)
        if end <= time:
            yield weakness(use, end)


def _required_attributes(cms: CmsFacts, policy: ValidationPolicy) -> Conclusion:
    missing = [kind for kind in policy.attributes if kind not in cms.attributes]
    if not missing:
        return PASSED
    sentence = f"the signer did not sign an attribute that the policy asks for: {missing[0]}"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)


def _claimed_time(facts: SignatureFacts, signer: Certificate) -> Conclusion:
    """A signer who states a time at which the certificate was not valid states something that cannot be."""
    if facts.claimed_time is None or signer.is_valid_at(facts.claimed_time):
        return PASSED
    sentence = "the signer states a signing time outside the validity of the certificate"
    return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)


def _unknown_changes(facts: SignatureFacts) -> Conclusion:
    if facts.modification is not Modification.UNKNOWN:
        return PASSED
    return Conclusion(SubIndication.CUSTOM, "it cannot be told what was changed after the signature")


def _stated_time(facts: TimestampFacts, signer: Certificate, policy: ValidationPolicy) -> Conclusion:
    if facts.gen_time is None or facts.gen_time > policy.time + facts.accuracy:
        sentence = "the time-stamp states a time that is yet to come"
        return Conclusion(SubIndication.TIMESTAMP_ORDER_FAILURE, sentence)
    if not signer.is_valid_at(facts.gen_time):
        sentence = "the time-stamp states a time outside the validity of its authority's certificate"
        return Conclusion(SubIndication.SIG_CONSTRAINTS_FAILURE, sentence)
    return PASSED
