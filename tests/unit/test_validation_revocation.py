"""Revocation data: who may say what of which certificate (RFC 5280 §6.3, RFC 6960)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signer.validation import ValidationPolicy, validate
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.indication import SubIndication
from signer.validation.revocation import RevocationData
from signer.validation.revocation_statement import RevocationStatement
from tests.unit.validation_documents import (
    BORN,
    CA,
    CRL_START,
    NOW,
    ROOT,
    SIGNED,
    SIGNER,
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

DAY = timedelta(days=1)
LISTING = (key_usage("crl_sign"), True)
POINT = x509.UniformResourceIdentifier("http://crl.example/users.crl")
OTHER_POINT = x509.UniformResourceIdentifier("http://crl.example/others.crl")


def loaded(identity: Identity) -> Certificate:
    certificate = load_certificate(identity.der)
    assert certificate is not None
    return certificate


def scoped(
    issuer: Identity,
    *extensions: tuple[x509.ExtensionType, bool],
    revoked: Sequence[x509.RevokedCertificate] = (),
    name: x509.Name | None = None,
) -> bytes:
    """A CRL with extensions, entries and, where asked for, another issuer's name than its signer's."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or issuer.certificate.subject)
        .last_update(CRL_START)
        .next_update(CRL_START + 30 * DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for each in revoked:
        builder = builder.add_revoked_certificate(each)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def distribution(**stated: object) -> tuple[x509.ExtensionType, bool]:
    """An issuing distribution point that says only what is given."""
    fields: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**fields, **stated}), True  # type: ignore[arg-type]


def entry(
    identity: Identity, *extensions: x509.ExtensionType, critical: bool = True
) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(identity.certificate.serial_number)
        .revocation_date(SIGNED - DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def pointing(name: str, *points: x509.DistributionPoint) -> Identity:
    return issue(name, SUB, SIGNING, (x509.CRLDistributionPoints(points), False))


def said(
    about: Identity, *lists: bytes, ocsp_responses: Sequence[bytes] = (), issuer: Identity = SUB
) -> list[RevocationStatement]:
    return RevocationData(lists, ocsp_responses).about(loaded(about), loaded(issuer))


# ---- the scope of lists


USER = pointing("User", x509.DistributionPoint([POINT], None, None, None))


@pytest.mark.parametrize(
    ("scope", "about", "speaks"),
    [
        (distribution(only_contains_user_certs=True), SIGNER, True),
        (distribution(only_contains_ca_certs=True), SIGNER, False),
        (distribution(only_contains_attribute_certs=True), SIGNER, False),
        (distribution(full_name=[POINT]), USER, True),
        (distribution(full_name=[OTHER_POINT]), USER, False),
        (distribution(full_name=[POINT]), SIGNER, False),
        ((x509.DeltaCRLIndicator(1), True), SIGNER, False),
        ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True), SIGNER, False),
        ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False), SIGNER, True),
    ],
)
def test_a_list_speaks_only_of_what_is_in_its_scope(
    scope: tuple[x509.ExtensionType, bool], about: Identity, speaks: bool
) -> None:
    assert bool(said(about, scoped(SUB, scope))) is speaks


def test_a_list_of_authorities_speaks_of_authorities() -> None:
    users, authorities = (
        distribution(only_contains_user_certs=True),
        distribution(only_contains_ca_certs=True),
    )
    assert not said(SUB, scoped(ROOT, users), issuer=ROOT)
    assert said(SUB, scoped(ROOT, authorities), issuer=ROOT)


def test_a_list_for_some_reasons_can_say_revoked_but_not_good() -> None:
    some = distribution(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))
    assert not said(SIGNER, scoped(SUB, some))
    (statement,) = said(SIGNER, scoped(SUB, some, revoked=[entry(SIGNER)]))
    assert statement.revoked_at == SIGNED - DAY


def test_a_list_by_a_key_that_may_not_sign_lists_says_nothing() -> None:
    silent = issue("Silent", ROOT, CA[0], (key_usage("key_cert_sign"), True))
    below = issue("Below", silent, SIGNING)
    assert not said(below, crl(silent), issuer=silent)


# ---- lists signed by others than the issuer


def judged(
    leaf: Identity, *lists: bytes, known: Sequence[Identity] = (), time_stamped: bool = True
) -> object:
    by = replace(policy(crl(ROOT), *lists), certificates=tuple(identity.der for identity in (SUB, *known)))
    document = sign(blank(), leaf, stamped=SIGNED if time_stamped else None)
    return validate(document, by).signatures[0].conclusion.sub_indication


NOTHING_KNOWN = SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_a_list_may_be_signed_by_another_key_of_the_issuer() -> None:
    """A key for lists alone, certified under the authority's own name."""
    lister = issue("Issuing", SUB, LISTING)
    assert judged(SIGNER, crl(lister)) is NOTHING_KNOWN  # its certificate is not at hand
    assert judged(SIGNER, crl(lister), known=[lister]) is None
    revoked = crl(lister, (SIGNER, SIGNED - DAY, x509.ReasonFlags.key_compromise))
    assert judged(SIGNER, revoked, known=[lister]) is SubIndication.REVOKED_NO_POE


def test_a_key_by_the_issuers_name_elsewhere_below_the_anchor_signs_no_lists_for_it() -> None:
    elsewhere = issue("Elsewhere", ROOT, *CA)
    impostor = issue("Issuing", elsewhere, LISTING)
    assert judged(SIGNER, crl(impostor), known=[elsewhere, impostor]) is NOTHING_KNOWN


LISTER = issue("Central lists", ROOT, LISTING)
INDIRECT = pointing(
    "Indirect", x509.DistributionPoint(None, None, None, [x509.DirectoryName(LISTER.certificate.subject)])
)


def certificate_issuer(identity: Identity) -> x509.CertificateIssuer:
    return x509.CertificateIssuer([x509.DirectoryName(identity.certificate.issuer)])


def test_an_indirect_list_speaks_for_issuers_whose_certificates_name_it() -> None:
    good = scoped(LISTER, distribution(indirect_crl=True))
    assert judged(INDIRECT, good, known=[LISTER]) is None
    assert judged(SIGNER, good, known=[LISTER]) is NOTHING_KNOWN  # does not name it
    assert (
        judged(INDIRECT, scoped(LISTER), known=[LISTER]) is NOTHING_KNOWN
    )  # does not say that it is indirect
    stranger = issue("Central lists", None, *CA)
    assert (
        judged(INDIRECT, scoped(stranger, distribution(indirect_crl=True)), known=[stranger]) is NOTHING_KNOWN
    )


def test_an_entry_of_an_indirect_list_is_of_the_issuer_that_it_names() -> None:
    own = scoped(
        LISTER, distribution(indirect_crl=True), revoked=[entry(INDIRECT, certificate_issuer(INDIRECT))]
    )
    assert judged(INDIRECT, own, known=[LISTER]) is SubIndication.REVOKED_NO_POE
    another = scoped(LISTER, distribution(indirect_crl=True), revoked=[entry(INDIRECT)])
    assert judged(INDIRECT, another, known=[LISTER]) is None  # of the list's own issuer, by the same number
    first = entry(issue("Somebody", SUB), certificate_issuer(INDIRECT))
    carried = scoped(LISTER, distribution(indirect_crl=True), revoked=[first, entry(INDIRECT)])
    assert judged(INDIRECT, carried, known=[LISTER]) is SubIndication.REVOKED_NO_POE


def test_a_delegate_that_was_revoked_signs_no_lists() -> None:
    good = scoped(LISTER, distribution(indirect_crl=True))
    by = replace(
        policy(crl(ROOT, (LISTER, SIGNED, x509.ReasonFlags.key_compromise)), good),
        certificates=(SUB.der, LISTER.der),
    )
    found = validate(sign(blank(), INDIRECT, stamped=SIGNED), by).signatures[0]
    assert found.conclusion.sub_indication is NOTHING_KNOWN


# ---- OCSP

ANSWERING = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
NO_CHECK = (x509.OCSPNoCheck(), False)


def answer(
    responder: Identity,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    encoding: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
    about: Identity = SIGNER,
) -> bytes:
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate,
        SUB.certificate,
        hashes.SHA256(),
        status,
        CRL_START,
        CRL_START + 30 * DAY,
        SIGNED - DAY if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(encoding, responder.certificate)
    if responder is not SUB:
        builder = builder.certificates([responder.certificate])
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def by_ocsp(*responses: bytes, lists: Sequence[bytes] = ()) -> ValidationPolicy:
    return replace(policy(crl(ROOT), *lists), ocsp_responses=responses)


def concluded(by: ValidationPolicy) -> SubIndication | None:
    return validate(stamped(), by).signatures[0].conclusion.sub_indication


RESPONDER = issue("Responder", SUB, (key_usage("digital_signature"), True), ANSWERING, NO_CHECK)


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
@pytest.mark.parametrize("responder", [SUB, RESPONDER], ids=["issuer", "delegate"])
def test_an_answer_by_the_issuer_or_its_delegate_counts(
    responder: Identity, encoding: ocsp.OCSPResponderEncoding
) -> None:
    assert concluded(by_ocsp(answer(responder, encoding=encoding))) is None
    revoked = answer(responder, encoding=encoding, status=ocsp.OCSPCertStatus.REVOKED)
    assert concluded(by_ocsp(revoked)) is SubIndication.REVOKED_NO_POE


@pytest.mark.parametrize(
    "responder",
    [
        issue("No purpose", SUB, (key_usage("digital_signature"), True), NO_CHECK),
        issue("Of another", ROOT, ANSWERING, NO_CHECK),
        issue("Stranger", None, ANSWERING, NO_CHECK),
    ],
    ids=["not for OCSP", "of another issuer", "of nobody"],
)
def test_an_answer_by_anybody_else_is_none(responder: Identity) -> None:
    assert concluded(by_ocsp(answer(responder))) is NOTHING_KNOWN


def test_an_unknown_status_is_none() -> None:
    assert concluded(by_ocsp(answer(SUB, status=ocsp.OCSPCertStatus.UNKNOWN))) is NOTHING_KNOWN


def test_a_delegate_without_nocheck_must_be_known_not_to_be_revoked() -> None:
    checked = issue("Checked", SUB, ANSWERING)
    response = answer(checked)
    assert concluded(by_ocsp(response)) is NOTHING_KNOWN
    assert concluded(by_ocsp(response, answer(SUB, about=checked))) is None
    revoked = answer(SUB, about=checked, status=ocsp.OCSPCertStatus.REVOKED)
    assert concluded(by_ocsp(response, revoked)) is NOTHING_KNOWN


# ---- freshness


@pytest.mark.parametrize(
    ("age", "expected"), [(None, None), (9 * DAY, None), (timedelta(hours=1), SubIndication.TRY_LATER)]
)
def test_the_policy_says_how_old_revocation_data_may_be(
    age: timedelta | None, expected: SubIndication | None
) -> None:
    by = replace(policy(crl(ROOT), crl(SUB), time=NOW), freshness=age)
    found = validate(sign(blank()), by).signatures[0]
    assert found.conclusion.sub_indication is expected


def test_without_next_update_only_a_greatest_age_makes_data_fresh() -> None:
    bare = answer_without_next_update()
    assert concluded(replace(by_ocsp(bare), freshness=9 * DAY)) is None
    assert concluded(by_ocsp(bare)) is SubIndication.TRY_LATER


def answer_without_next_update() -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        SIGNER.certificate,
        SUB.certificate,
        hashes.SHA256(),
        ocsp.OCSPCertStatus.GOOD,
        CRL_START,
        None,
        None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, SUB.certificate)
    return builder.sign(SUB.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_data_from_before_the_certificate_say_nothing_of_it() -> None:
    assert not said(SIGNER, crl(SUB, this_update=BORN - DAY, next_update=NOW + YEAR))


def test_names_are_compared_as_stored() -> None:
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody else")])
    assert not said(SIGNER, scoped(SUB, name=other))
