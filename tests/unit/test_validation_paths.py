"""Certification paths (RFC 5280 §6.1): what an issuer may certify, and that one good path is enough."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from signer.validation import SignatureVerdict, validate
from signer.validation.indication import SubIndication
from tests.unit.validation_documents import (
    BORN,
    CA,
    NOW,
    OFF,
    ROOT,
    SIGNING,
    SUB,
    YEAR,
    Identity,
    blank,
    crl,
    issue,
    key_usage,
    policy,
    sign,
    stamped,
)

FAULT = SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE
DEPTH = (x509.BasicConstraints(True, 0), True)
POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.1"), None)])
OTHER_POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.2"), None)])
Extension = tuple[x509.ExtensionType, bool]


def judged(leaf: Identity, *between: Identity, anchors: Sequence[bytes] = (ROOT.der,)) -> SignatureVerdict:
    known = tuple(identity.der for identity in between)
    return validate(sign(blank(), leaf), replace(OFF, certificates=known, anchors=tuple(anchors))).signatures[
        0
    ]


def concluded(leaf: Identity, *between: Identity) -> SubIndication | None:
    return judged(leaf, *between).conclusion.sub_indication


def authority(name: str, above: Identity, *extensions: Extension) -> Identity:
    return issue(name, above, *(extensions or CA))


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        (CA, None),
        ((CA[1],), FAULT),
        (((x509.BasicConstraints(False, None), True), CA[1]), FAULT),
        ((CA[0], (key_usage("digital_signature"), True)), FAULT),
        ((CA[0],), None),
        ((*CA, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)), FAULT),
        ((*CA, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False)), None),
    ],
    ids=[
        "authority",
        "no constraints",
        "no authority",
        "no certSign",
        "no usage",
        "critical",
        "not critical",
    ],
)
def test_only_an_authority_issues(extensions: Sequence[Extension], expected: SubIndication | None) -> None:
    middle = authority("Middle", ROOT, *extensions)
    assert concluded(issue("Leaf", middle, SIGNING), middle) is expected


def test_the_path_length_counts_authorities_that_are_not_self_issued() -> None:
    """A certificate by which an authority certifies a new key of its own is not counted (§6.1.4 (l))."""
    top = authority("Top", ROOT, DEPTH, CA[1])
    assert concluded(issue("Leaf", top, SIGNING), top) is None
    renewed = authority("Top", top)
    assert concluded(issue("Leaf", renewed, SIGNING), renewed, top) is None
    below = authority("Below", top)
    assert concluded(issue("Leaf", below, SIGNING), below, top) is FAULT


def names(*common: str) -> list[x509.GeneralName]:
    return [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)])) for each in common]


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        (x509.NameConstraints(names("Leaf"), None), None),
        (x509.NameConstraints(names("Other"), None), FAULT),
        (x509.NameConstraints(None, names("Leaf")), FAULT),
        (x509.NameConstraints(None, names("Other")), None),
    ],
    ids=["permitted", "not permitted", "excluded", "not excluded"],
)
def test_names_are_constrained_further_down_too(
    constraints: x509.NameConstraints, expected: SubIndication | None
) -> None:
    middle = authority("Leaf", ROOT, *CA, (constraints, True))
    assert concluded(issue("Leaf", middle, SIGNING), middle) is expected


def test_a_constraint_binds_through_an_authority_in_between() -> None:
    top = authority("Top", ROOT, *CA, (x509.NameConstraints(None, names("Leaf")), True))
    below = authority("Below", top)
    assert concluded(issue("Leaf", below, SIGNING), below, top) is FAULT
    assert concluded(issue("Another", below, SIGNING), below, top) is None


@pytest.mark.parametrize(
    ("leaf_policy", "expected"),
    [(POLICY, None), (OTHER_POLICY, FAULT), (None, FAULT)],
    ids=["same", "other", "none"],
)
def test_an_explicit_policy_must_be_valid_along_the_path(
    leaf_policy: x509.CertificatePolicies | None, expected: SubIndication | None
) -> None:
    explicit = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    middle = authority("Middle", ROOT, *CA, (POLICY, False), (explicit, True))
    extensions = ((leaf_policy, False),) if leaf_policy else ()
    assert concluded(issue("Leaf", middle, SIGNING, *extensions), middle) is expected


def test_any_policy_can_be_inhibited() -> None:
    explicit = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    wild = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)])
    middle = authority("Middle", ROOT, *CA, (POLICY, False), (explicit, True))
    strict = authority(
        "Strict", ROOT, *CA, (POLICY, False), (explicit, True), (x509.InhibitAnyPolicy(0), True)
    )
    assert concluded(issue("Leaf", middle, SIGNING, (wild, False)), middle) is None
    assert concluded(issue("Leaf", strict, SIGNING, (wild, False)), strict) is FAULT


def test_one_good_path_is_enough() -> None:
    """The same authority, certified by two roots, of which one binds it to other names."""
    strict_root = issue("Strict root", None, *CA)
    key = SUB.key
    crossed = issue("Issuing", strict_root, *CA, (x509.NameConstraints(names("Nobody"), None), True), key=key)
    leaf = issue("Leaf", SUB, SIGNING)
    both = (strict_root.der, ROOT.der)
    assert judged(leaf, crossed, anchors=both).conclusion.passed
    assert judged(leaf, crossed, anchors=both).path[-1] == "Root"
    only = judged(leaf, crossed, anchors=(strict_root.der,))
    assert only.conclusion.sub_indication is FAULT


def test_a_revoked_path_does_not_stand_in_the_way_of_another() -> None:
    other_root = issue("Other root", None, *CA)
    crossed = issue("Issuing", other_root, *CA, key=SUB.key)
    revoked = crl(other_root, (crossed, BORN, x509.ReasonFlags.key_compromise))
    by = policy(revoked, crl(SUB), anchors=(other_root.der, ROOT.der))
    by = replace(by, certificates=(crossed.der,), crls=(*by.crls, crl(ROOT)))
    found = validate(stamped(), by).signatures[0]
    assert found.conclusion.passed
    assert found.path[-1] == "Root"


def test_an_anchor_need_not_be_valid_or_self_signed() -> None:
    assert judged(issue("Leaf", SUB, SIGNING), anchors=(SUB.der,)).conclusion.passed
    old = issue("Old root", None, *CA, end=NOW - timedelta(days=1))
    middle = authority("Middle", old)
    leaf = issue("Leaf", middle, SIGNING)
    assert judged(leaf, middle, anchors=(old.der,)).conclusion.passed


def test_a_signer_who_is_an_anchor_needs_no_issuer() -> None:
    alone = issue("Alone", None, SIGNING, end=NOW + YEAR)
    found = judged(alone, anchors=(alone.der,))
    assert found.conclusion.passed
    assert found.path == ("Alone",)


def test_a_loop_of_authorities_ends() -> None:
    first = issue("First", None, *CA)
    second = issue("Second", first, *CA)
    back = issue("First", second, *CA, key=first.key)
    leaf = issue("Leaf", first, SIGNING)
    found = judged(leaf, back, second)
    assert found.conclusion.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_what_is_understood_may_be_critical() -> None:
    statement = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), b"\x30\x00")
    leaf = issue("Leaf", SUB, SIGNING, (statement, True), (POLICY, True))
    assert concluded(leaf) is None
