"""What the signer says beside the signature: signature policies, content time-stamps, attributes."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from asn1crypto import algos, core
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.ades import cades_asn1
from pyhanko.sign.ades.api import CAdESSignedAttrSpec

from signer.algorithms import DIGEST_ENDS
from signer.validation import (
    AlgorithmPolicy,
    SignatureVerdict,
    ValidationPolicy,
    judge_facts,
    read_facts,
    validate,
)
from signer.validation.facts import SignaturePolicy, TimestampKind
from signer.validation.indication import Indication, SubIndication
from signer.validation.signature_policy import is_policy
from signer.validation.signed_data import SIGNING_CERTIFICATE_V2, SIGNING_TIME
from tests.unit.validation_documents import (
    BORN,
    GOOD,
    NOW,
    OFF,
    ROOT,
    SIGNED,
    SIGNER,
    SIGNING,
    STAMPER,
    SUB,
    blank,
    crl,
    issue,
    plain,
    policy,
    sign,
    stamped,
    timestamped,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
POLICY_DOCUMENT = b"Signatures of the town hall are made at a desk."
POLICY_NAME = "1.3.6.1.4.1.99999.7"
COMPROMISED = x509.ReasonFlags.key_compromise


def verdict(document: bytes, by: ValidationPolicy) -> SignatureVerdict:
    return validate(document, by).signatures[0]


# ---- signature policies


@cache
def under_policy(digest: str = "sha256", document: bytes = POLICY_DOCUMENT) -> bytes:
    hashed = {
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "digest": hashlib.new(digest, document).digest(),
    }
    named = cades_asn1.SignaturePolicyId({"sig_policy_id": POLICY_NAME, "sig_policy_hash": hashed})
    identifier = cades_asn1.SignaturePolicyIdentifier({"signature_policy_id": named})
    return sign(
        blank(), stamped=SIGNED, attributes=CAdESSignedAttrSpec(signature_policy_identifier=identifier)
    )


def with_policy(*documents: tuple[str, bytes]) -> ValidationPolicy:
    return replace(GOOD, signature_policies=documents)


def test_a_signature_policy_that_is_at_hand_is_found_by_its_hash() -> None:
    found = verdict(under_policy(), with_policy((POLICY_NAME, POLICY_DOCUMENT)))
    assert found.conclusion.passed
    assert ("VCI", "PASSED") in found.trace


def test_signature_policy_not_available() -> None:
    for by in (GOOD, with_policy(("1.2.3", POLICY_DOCUMENT))):
        found = verdict(under_policy(), by).conclusion
        assert found.sub_indication is SubIndication.SIGNATURE_POLICY_NOT_AVAILABLE
        assert found.indication is Indication.INDETERMINATE


def test_policy_processing_error_for_another_document_than_the_signer_named() -> None:
    found = verdict(under_policy(), with_policy((POLICY_NAME, POLICY_DOCUMENT + b" Or not.")))
    assert found.conclusion.sub_indication is SubIndication.POLICY_PROCESSING_ERROR


@pytest.mark.parametrize("stated", [SignaturePolicy(""), SignaturePolicy(POLICY_NAME, "", b"hash")])
def test_policy_processing_error_for_an_attribute_that_cannot_be_read(stated: SignaturePolicy) -> None:
    facts = read_facts(stamped())
    (signature,) = facts.signatures
    odd = replace(signature, cms=replace(signature.cms, policy=stated))
    by = with_policy((POLICY_NAME, POLICY_DOCUMENT))
    found = judge_facts(replace(facts, signatures=(odd,)), by).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.POLICY_PROCESSING_ERROR


def test_a_policy_that_the_signature_holds_itself_will_do() -> None:
    facts = read_facts(under_policy())
    (signature,) = facts.signatures
    assert signature.cms.policy is not None
    held = replace(signature.cms.policy, document=POLICY_DOCUMENT)
    holding = replace(signature, cms=replace(signature.cms, policy=held))
    assert judge_facts(replace(facts, signatures=(holding,)), GOOD).signatures[0].conclusion.passed


def test_an_implied_policy_asks_for_nothing() -> None:
    implied = cades_asn1.SignaturePolicyIdentifier({"signature_policy_implied": core.Null()})
    attributes = CAdESSignedAttrSpec(signature_policy_identifier=implied)
    assert verdict(sign(blank(), stamped=SIGNED, attributes=attributes), GOOD).conclusion.passed


def test_a_policy_in_asn1_is_hashed_without_what_is_around_it() -> None:
    inside = core.Integer(1).dump() + core.Integer(2).dump()
    document = b"\x30" + bytes((len(inside),)) + inside
    assert is_policy(document, SignaturePolicy(POLICY_NAME, "sha256", hashlib.sha256(inside).digest()))


# ---- content time-stamps


@cache
def stamped_before() -> bytes:
    """Signed with a content time-stamp, and time-stamped, all at SIGNED."""
    return sign(blank(), stamped=SIGNED, attributes=CAdESSignedAttrSpec(timestamp_content=True))


def test_a_content_time_stamp_proves_nothing_of_the_signature() -> None:
    found = verdict(stamped_before(), GOOD)
    assert found.conclusion.passed
    assert [each.kind for each in found.timestamps] == [TimestampKind.CONTENT, TimestampKind.SIGNATURE]
    assert all(each.conclusion.passed for each in found.timestamps)
    facts = read_facts(stamped_before())
    (signature,) = facts.signatures
    alone = replace(signature, timestamps=signature.timestamps[:1])
    found = judge_facts(replace(facts, signatures=(alone,)), GOOD).signatures[0]
    assert (found.best_signature_time, found.level, found.time_status) == (NOW, "PAdES-BASELINE-B", "claimed")


def test_revoked_when_a_content_time_stamp_proves_that_the_signature_came_later() -> None:
    by = policy(crl(ROOT), crl(SUB, (SIGNER, SIGNED - HOUR, COMPROMISED)))
    found = verdict(stamped_before(), by)
    assert found.conclusion.sub_indication is SubIndication.REVOKED
    assert found.conclusion.indication is Indication.TOTAL_FAILED
    assert found.identity == "untrusted"
    later = policy(crl(ROOT), crl(SUB, (SIGNER, SIGNED + HOUR, COMPROMISED)))
    assert verdict(stamped_before(), later).conclusion.passed


def test_expired_when_a_content_time_stamp_proves_that_the_signature_came_later() -> None:
    early = issue("Early", SUB, SIGNING, start=BORN, end=SIGNED - DAY)
    document = sign(blank(), early, stamped=SIGNED, attributes=CAdESSignedAttrSpec(timestamp_content=True))
    found = verdict(document, OFF)
    assert found.conclusion.sub_indication is SubIndication.EXPIRED
    assert found.conclusion.indication is Indication.TOTAL_FAILED


def test_crypto_constraints_failure_when_a_content_time_stamp_follows_the_algorithms_end() -> None:
    ended = AlgorithmPolicy({**DIGEST_ENDS, "sha384": SIGNED - DAY})
    document = sign(
        blank(), stamped=SIGNED, digest="sha384", attributes=CAdESSignedAttrSpec(timestamp_content=True)
    )
    facts = read_facts(document)
    (signature,) = facts.signatures
    stamps = tuple(
        replace(
            each, imprint_digest="sha256", cms=replace(each.cms, algorithms=())
        )  # the signature's alone ended
        for each in signature.timestamps
    )
    facts = replace(facts, signatures=(replace(signature, timestamps=stamps),))
    found = judge_facts(facts, replace(OFF, algorithms=ended)).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    bare = replace(facts, signatures=(replace(facts.signatures[0], timestamps=()),))
    found = judge_facts(bare, replace(OFF, algorithms=ended)).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def test_timestamp_order_failure_for_a_content_time_stamp_after_that_of_the_signature() -> None:
    facts = read_facts(stamped_before())
    (signature,) = facts.signatures
    content, value = signature.timestamps

    def moved(by: timedelta, accuracy: timedelta) -> SubIndication | None:
        late = replace(content, gen_time=SIGNED + by, accuracy=accuracy)
        changed = replace(signature, timestamps=(late, value))
        return (
            judge_facts(replace(facts, signatures=(changed,)), GOOD).signatures[0].conclusion.sub_indication
        )

    assert moved(HOUR, timedelta()) is SubIndication.TIMESTAMP_ORDER_FAILURE
    assert moved(HOUR, HOUR) is None


def test_timestamp_order_failure_for_document_time_stamps_in_the_wrong_order() -> None:
    document = timestamped(timestamped(plain(), SIGNED + DAY), SIGNED + 2 * HOUR)
    found = verdict(document, policy(crl(ROOT), crl(SUB)))
    assert found.conclusion.sub_indication is SubIndication.TIMESTAMP_ORDER_FAILURE


# ---- what a policy may ask for


def test_sig_constraints_failure_for_an_attribute_that_the_policy_asks_for() -> None:
    assert verdict(stamped(), replace(GOOD, attributes=(SIGNING_CERTIFICATE_V2,))).conclusion.passed
    found = verdict(stamped(), replace(GOOD, attributes=(SIGNING_TIME,)))
    assert found.conclusion.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE


def test_sig_constraints_failure_for_a_time_stamp_that_the_policy_asks_for() -> None:
    asked = replace(GOOD, timestamp=True)
    assert verdict(stamped(), asked).conclusion.passed
    assert verdict(plain(), GOOD).conclusion.passed
    assert verdict(plain(), asked).conclusion.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE


@pytest.mark.parametrize(
    ("purposes", "expected"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH], SubIndication.CHAIN_CONSTRAINTS_FAILURE),
        ([ExtendedKeyUsageOID.OCSP_SIGNING], SubIndication.CHAIN_CONSTRAINTS_FAILURE),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION], None),
    ],
)
def test_a_certificate_for_other_purposes_alone_signs_no_documents(
    purposes: list[x509.ObjectIdentifier], expected: SubIndication | None
) -> None:
    other = issue("Other", SUB, SIGNING, (x509.ExtendedKeyUsage(purposes), False))
    assert verdict(sign(blank(), other), OFF).conclusion.sub_indication is expected


# ---- what is told apart


def test_identity_and_time_are_told_apart_from_the_verdict() -> None:
    assert STAMPER.certificate.subject != SIGNER.certificate.subject
    good = verdict(stamped(), GOOD)
    assert (good.identity, good.identity_reason, good.time_status) == ("trusted", "", "proven")
    strange = verdict(stamped(), policy(anchors=(issue("Other root", None).der,)))
    assert (strange.identity, strange.time_status) == ("unknown", "claimed")
    assert "no path" in strange.identity_reason
    broken = verdict(stamped().replace(b"signed words", b"signed WORDS"), GOOD)
    assert (broken.identity, broken.conclusion.sub_indication) == ("unknown", SubIndication.HASH_FAILURE)
