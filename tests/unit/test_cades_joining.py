"""Parallel signers and countersignatures beside signatures that stay as they are."""

import hashlib
from collections.abc import Callable

import pytest
from asn1crypto import cms as asn1_cms

from pecete.errors import AbortedError, FailedPreconditionError, PeceteError
from signer.cades.archive_timestamp import prepare_archive_timestamp
from signer.cades.augmentation import add_material, add_signature_time_stamp
from signer.cades.countersigning import add_countersignature, countersigned_content
from signer.cades.joining import add_signature, joint_content
from signer.cades.signing import CompletedSignature, ContentDigest, octets_content, sign_content
from signer.cades.structure import SignedDataParts, take_apart
from signer.validation import validate
from tests.unit.cades_signatures import (
    CONTENT,
    DETACHED,
    KEYS,
    MATERIAL,
    OPTIONS,
    P256,
    P384,
    in_ber,
    long_term,
    signed,
    value_token,
)
from tests.unit.validation_documents import policy

LEGACY, RECORD = "1.2.840.113549.1.9.16.2.48", "1.2.840.113549.1.9.16.2.49"


def join(cms: bytes, key: str, detached: ContentDigest | None = DETACHED) -> bytes:
    signature = sign_content(joint_content(cms, detached), KEYS[key], OPTIONS)
    return add_signature(cms, detached, signature, value_token(signature))


def counter(cms: bytes, index: int, key: str = "p384") -> bytes:
    name = hashlib.sha256(take_apart(cms).signers[index].signature_value).digest()
    signature = sign_content(countersigned_content(cms, name), KEYS[key], OPTIONS, counter=True)
    return add_countersignature(cms, name, signature, value_token(signature))


def verdicts(cms: bytes) -> list[bool]:
    """Whether each signer's signature holds, to our own engine."""
    return [each.conclusion.passed for each in validate(cms, policy(*MATERIAL.crls)).signatures]


STAMPED = {
    "detached": (signed(), DETACHED),
    "enveloping": (signed(enveloping=True), None),
    "BER": (in_ber(signed()), DETACHED),
    "BER around content": (in_ber(signed(enveloping=True)), None),
    "long-term": (long_term(signed()), DETACHED),
}


def kept(before: SignedDataParts, after: SignedDataParts) -> bool:
    """Whether all of the signature stands in the other as it was."""
    return (
        after.encapsulated == before.encapsulated
        and set(before.certificates) <= set(after.certificates)
        and set(before.revocation) == set(after.revocation)
        and set(before.digest_algorithms) <= set(after.digest_algorithms)
        and all(
            new.fields == old.fields and set(old.unsigned) <= set(new.unsigned)
            for old, new in zip(before.signers, after.signers, strict=False)
        )
    )


@pytest.mark.parametrize("case", STAMPED)
def test_more_signers_join_and_nothing_of_the_others_changes(case: str) -> None:
    cms, detached = STAMPED[case]
    joined = join(join(cms, "p384", detached), "rsa-pss", detached)
    before, after = take_apart(cms), take_apart(joined)
    assert kept(before, after)
    assert after.signers[0].stored == before.signers[0].stored
    assert len(after.signers) == 3
    assert len(after.digest_algorithms) == 3
    assert len(set(after.certificates)) == len(after.certificates)
    assert {KEYS[name].certificate for name in ("p384", "rsa-pss")} <= set(after.certificates)
    if detached is None:
        assert verdicts(joined) == [True, True, True]


def test_a_signer_of_the_same_digest_does_not_repeat_it() -> None:
    assert len(take_apart(join(signed(), "rsa3072")).digest_algorithms) == 1


@pytest.mark.parametrize("case", STAMPED)
def test_a_countersignature_is_an_unsigned_attribute_of_one_signer(case: str) -> None:
    cms, detached = STAMPED[case]
    cms = join(cms, "rsa3072", detached)
    made = counter(cms, 1)
    before, after = take_apart(cms), take_apart(made)
    assert kept(before, after)
    assert after.signers[0] == before.signers[0]
    assert P384.certificate in after.certificates
    signer = asn1_cms.ContentInfo.load(made)["content"]["signer_infos"][1]
    (found,) = (each for each in signer["unsigned_attrs"] if each["type"].native == "counter_signature")
    signed_values = {
        each["type"].native: each["values"][0].native for each in found["values"][0]["signed_attrs"]
    }
    value = signer["signature"].native
    assert signed_values["message_digest"] == hashlib.sha384(value).digest()
    assert "content_type" not in signed_values
    (stamp,) = found["values"][0]["unsigned_attrs"]
    assert stamp["type"].native == "signature_time_stamp_token"
    if detached is None:
        assert verdicts(made) == [True, True, True]  # two signers, and who countersigned the second


def test_two_countersignatures_stand_beside_each_other() -> None:
    once = counter(signed(), 0)
    twice = counter(once, 0, "rsa-pss")
    assert len(take_apart(twice).signers[0].unsigned) == 3
    assert set(take_apart(once).signers[0].unsigned) < set(take_apart(twice).signers[0].unsigned)


def test_a_countersignature_of_nobody_is_refused() -> None:
    with pytest.raises(FailedPreconditionError) as refusal:
        countersigned_content(signed(), bytes(32))
    assert refusal.value.reason == "SIGNATURE_NOT_FOUND"


def test_a_countersignature_of_another_signature_is_refused() -> None:
    first, second = signed(), signed()
    names = [hashlib.sha256(take_apart(each).signers[0].signature_value).digest() for each in (first, second)]
    other = sign_content(countersigned_content(first, names[0]), P384, OPTIONS, counter=True)
    with pytest.raises(AbortedError) as refusal:
        add_countersignature(second, names[1], other, None)
    assert refusal.value.reason == "DOCUMENT_CHANGED"


@pytest.mark.parametrize(
    ("cms", "detached", "reason"),
    [
        (signed(), octets_content(CONTENT + b" "), "CONTENT_MISMATCH"),
        (signed(), None, "CONTENT_MISSING"),
        (signed(enveloping=True), DETACHED, "CONTENT_NOT_DETACHED"),
        (signed(enveloping=True).replace(b"nr. 5", b"nr. 6"), None, "CONTENT_MISMATCH"),
        (b"%PDF-1.7", DETACHED, "DOCUMENT_NOT_CMS"),
        (value_token(sign_content(DETACHED, P256, OPTIONS)), None, "CONTENT_TYPE_NOT_SUPPORTED"),
    ],
)
def test_wrong_or_missing_content_is_refused_before_anybody_signs(
    cms: bytes, detached: ContentDigest | None, reason: str
) -> None:
    with pytest.raises(PeceteError) as refusal:
        joint_content(cms, detached)
    assert refusal.value.reason == reason


def test_a_signature_over_something_else_does_not_join() -> None:
    other: CompletedSignature = sign_content(octets_content(b"other"), P384, OPTIONS)
    with pytest.raises(AbortedError) as refusal:
        add_signature(signed(), DETACHED, other, None)
    assert refusal.value.reason == "DOCUMENT_CHANGED"


def edited(cms: bytes, **changes: object) -> bytes:
    """The signature with fields of its SignerInfo set by asn1crypto."""
    info = asn1_cms.ContentInfo.load(cms)
    signer = info["content"]["signer_infos"][0]
    for name, value in changes.items():
        signer[name] = value
    made: bytes = info.dump(force=True)
    return made


def test_signatures_without_a_message_digest_or_with_an_unknown_one_are_not_joined() -> None:
    for changes, reason in (
        ({"signed_attrs": None}, "SIGNED_ATTRIBUTES_MISSING"),
        ({"digest_algorithm": {"algorithm": "1.2.3.4"}}, "DIGEST_NOT_SUPPORTED"),
    ):
        with pytest.raises(FailedPreconditionError) as refusal:
            joint_content(edited(signed(), **changes), DETACHED)
        assert refusal.value.reason == reason


def test_what_an_old_archive_time_stamp_or_an_evidence_record_is_over_is_not_extended() -> None:
    for kind, reason in ((LEGACY, "ARCHIVE_TIME_STAMP_LEGACY"), (RECORD, "EVIDENCE_RECORD_INSIDE")):
        check_refused(kind, reason)
    with pytest.raises(FailedPreconditionError) as refusal:
        prepare_archive_timestamp(with_attribute(RECORD), 0, DETACHED)
    assert refusal.value.reason == "EVIDENCE_RECORD_INSIDE"
    assert prepare_archive_timestamp(with_attribute(LEGACY), 0, DETACHED).imprint


def with_attribute(kind: str) -> bytes:
    """A signature with an unsigned attribute of this type."""
    token = asn1_cms.ContentInfo.load(value_token(sign_content(DETACHED, P256, OPTIONS)))
    return edited(signed(), unsigned_attrs=[{"type": kind, "values": [token]}])


def check_refused(kind: str, reason: str) -> None:
    cms = with_attribute(kind)
    name = hashlib.sha256(take_apart(cms).signers[0].signature_value).digest()
    attempts: list[Callable[[], object]] = [
        lambda: joint_content(cms, DETACHED),
        lambda: countersigned_content(cms, name),
        lambda: add_material(cms, MATERIAL),
        lambda: add_signature_time_stamp(cms, 0, b""),
    ]
    for attempt in attempts:
        with pytest.raises(FailedPreconditionError) as refusal:
            attempt()
        assert refusal.value.reason == reason
