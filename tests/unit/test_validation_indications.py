"""Every indication that the engine can give, each produced by a document or by a policy that calls for it."""

import asyncio
import io
import warnings
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.algorithms import DIGEST_ENDS
from signer.validation import (
    AlgorithmPolicy,
    SignatureVerdict,
    ValidationPolicy,
    judge_facts,
    read_facts,
    validate,
)
from signer.validation.facts import Integrity, SignerBinding
from signer.validation.indication import Indication, SubIndication
from signer.validation.pdf.aftermath import Modification
from tests.unit.validation_documents import (
    BORN,
    CA,
    CRL_START,
    GOOD,
    NOW,
    OFF,
    ROOT,
    SIGNED,
    SIGNER,
    SIGNING,
    STAMPER_KEY,
    SUB,
    YEAR,
    blank,
    changed_page,
    crl,
    issue,
    key_usage,
    plain,
    policy,
    sign,
    signer_of,
    stamped,
    stamper,
)


def verdict(document: bytes, by: ValidationPolicy) -> SignatureVerdict:
    return validate(document, by).signatures[0]


def sub_indication(document: bytes, by: ValidationPolicy) -> SubIndication | None:
    return verdict(document, by).conclusion.sub_indication


# ---- TOTAL_PASSED


def test_a_time_stamped_signature_with_fresh_revocation_data_passes() -> None:
    found = verdict(stamped(), GOOD)
    assert found.conclusion.indication is Indication.TOTAL_PASSED
    assert found.conclusion.sub_indication is None
    assert found.level == "PAdES-BASELINE-T"
    assert found.best_signature_time == SIGNED
    assert found.signer == "Ana Popescu"
    assert found.path == ("Ana Popescu", "Issuing", "Root")
    assert [stamp.conclusion.passed for stamp in found.timestamps] == [True]


def test_without_a_time_stamp_nothing_proves_a_time() -> None:
    found = verdict(plain(), GOOD)
    assert found.conclusion.passed
    assert found.level == "PAdES-BASELINE-B"
    assert found.best_signature_time == NOW


def test_two_signatures_both_pass_and_the_first_tells_what_came_after() -> None:
    first, second = validate(sign(stamped(), field="Sig2", stamped=SIGNED), GOOD).signatures
    assert (first.field, first.modification) == ("Sig1", Modification.ALLOWED)
    assert (second.field, second.modification) == ("Sig2", Modification.NONE)
    assert first.conclusion.passed and second.conclusion.passed
    assert any("Sig2" in change for change in first.changes)


# ---- TOTAL_FAILED


def test_format_failure_for_a_page_changed_after_signing() -> None:
    found = verdict(changed_page(stamped()), GOOD)
    assert found.conclusion.sub_indication is SubIndication.FORMAT_FAILURE
    assert found.conclusion.indication is Indication.TOTAL_FAILED
    assert found.modification is Modification.FORBIDDEN
    assert found.integrity is Integrity.INTACT


def test_format_failure_for_bytes_after_the_end() -> None:
    assert sub_indication(stamped() + b"more", GOOD) is SubIndication.FORMAT_FAILURE


def test_hash_failure_for_a_changed_byte() -> None:
    broken = stamped().replace(b"signed words", b"forged words")
    found = verdict(broken, GOOD)
    assert found.conclusion.sub_indication is SubIndication.HASH_FAILURE
    assert found.integrity is Integrity.BROKEN


def test_sig_crypto_failure_for_a_changed_signature_value() -> None:
    document = plain()
    end = document.index(b">", document.index(b"/Contents <")) - 1
    while document[end : end + 1] == b"0":
        end -= 1
    other = b"1" if document[end : end + 1] != b"1" else b"2"
    broken = document[:end] + other + document[end + 1 :]
    assert sub_indication(broken, GOOD) is SubIndication.SIG_CRYPTO_FAILURE


def test_not_yet_valid_when_judged_before_the_certificate_begins() -> None:
    late = issue("Late", SUB, SIGNING, start=NOW + YEAR, end=NOW + 2 * YEAR)
    assert sub_indication(sign(blank(), late), OFF) is SubIndication.NOT_YET_VALID


def test_not_yet_valid_when_proven_before_the_certificate_begins() -> None:
    late = issue("Late", SUB, SIGNING, start=SIGNED + timedelta(days=2), end=NOW + YEAR)
    assert sub_indication(sign(blank(), late, stamped=SIGNED), OFF) is SubIndication.NOT_YET_VALID


# ---- INDETERMINATE


def test_sig_constraints_failure_for_a_proof_long_after_the_claim() -> None:
    by = replace(GOOD, delay=timedelta(hours=1))
    facts = read_facts(stamped())
    claimed = replace(facts.signatures[0], claimed_time=SIGNED - timedelta(days=1))
    found = judge_facts(replace(facts, signatures=(claimed,)), by).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE


def test_sig_constraints_failure_without_a_signed_certificate_reference() -> None:
    facts = read_facts(stamped())
    signature = facts.signatures[0]
    bare = replace(signature, cms=replace(signature.cms, binding=SignerBinding.ABSENT))
    found = judge_facts(replace(facts, signatures=(bare,)), GOOD).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE


def test_no_signing_certificate_found_when_the_reference_names_another() -> None:
    facts = read_facts(stamped())
    signature = facts.signatures[0]
    bare = replace(signature, cms=replace(signature.cms, binding=SignerBinding.MISMATCH))
    found = judge_facts(replace(facts, signatures=(bare,)), GOOD).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.NO_SIGNING_CERTIFICATE_FOUND


def test_chain_constraints_failure_for_a_key_that_is_not_for_signing() -> None:
    other = issue("Cipher", SUB, (key_usage("key_encipherment"), True))
    assert sub_indication(sign(blank(), other), OFF) is SubIndication.CHAIN_CONSTRAINTS_FAILURE


def test_sig_constraints_failure_for_a_claim_outside_the_certificates_validity() -> None:
    early = issue("Early", SUB, SIGNING, start=BORN, end=SIGNED - timedelta(days=1))
    by = policy(
        crl(ROOT, **LONG), crl(SUB, this_update=SIGNED - timedelta(days=2)), time=SIGNED - timedelta(days=1)
    )
    found = verdict(sign(blank(), early), by)
    assert found.conclusion.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE


@pytest.mark.parametrize("crls", [(), (crl(ROOT),), (crl(SUB),)])
def test_chain_general_failure_without_revocation_data(crls: tuple[bytes, ...]) -> None:
    assert sub_indication(stamped(), policy(*crls)) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_chain_general_failure_for_an_issuer_that_is_no_authority() -> None:
    person = issue("Person", ROOT, (x509.BasicConstraints(False, None), True), SIGNING)
    forged = issue("Forged", person, SIGNING)
    by = replace(OFF, certificates=(person.der,))
    assert sub_indication(sign(blank(), forged), by) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_chain_general_failure_for_a_path_longer_than_allowed() -> None:
    top = issue("Top", ROOT, (x509.BasicConstraints(True, 0), True), CA[1])
    below = issue("Below", top, *CA)
    leaf = issue("Leaf", below, SIGNING)
    by = replace(OFF, certificates=(top.der, below.der))
    assert sub_indication(sign(blank(), leaf), by) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_chain_general_failure_for_an_unknown_critical_extension() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    leaf = issue("Odd", SUB, SIGNING, (odd, True))
    assert sub_indication(sign(blank(), leaf), OFF) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


@pytest.mark.parametrize(
    ("permitted", "expected"),
    [
        ("Kept", None),
        ("Other", SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE),
    ],
)
def test_name_constraints_of_an_issuer_bind(permitted: str, expected: SubIndication | None) -> None:
    allowed = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, permitted)]))
    bound = issue("Bound", ROOT, *CA, (x509.NameConstraints([allowed], None), True))
    leaf = issue("Kept", bound, SIGNING)
    by = replace(OFF, certificates=(bound.der,))
    assert sub_indication(sign(blank(), leaf), by) is expected


def test_crypto_constraints_failure_for_an_algorithm_that_is_not_listed() -> None:
    only = AlgorithmPolicy(digests={"sha256": DIGEST_ENDS["sha256"]})
    document = sign(blank(), digest="sha512")
    by = replace(GOOD, algorithms=only)
    assert sub_indication(document, by) is SubIndication.CRYPTO_CONSTRAINTS_FAILURE


def test_crypto_constraints_failure_no_poe_for_an_algorithm_that_ended() -> None:
    ended = AlgorithmPolicy(digests={**DIGEST_ENDS, "sha512": SIGNED - timedelta(days=1)})
    by = replace(GOOD, algorithms=ended)
    document = sign(blank(), digest="sha512")
    assert sub_indication(document, by) is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def test_an_algorithm_that_ended_after_the_proven_time_is_believed() -> None:
    ended = AlgorithmPolicy(digests={**DIGEST_ENDS, "sha512": SIGNED + timedelta(days=1)})
    by = replace(GOOD, algorithms=ended)
    facts = read_facts(stamped())
    signature = facts.signatures[0]
    uses = tuple(replace(use, digest="sha512") for use in signature.cms.algorithms)
    old = replace(signature, cms=replace(signature.cms, algorithms=uses))
    assert judge_facts(replace(facts, signatures=(old,)), by).signatures[0].conclusion.passed
    without = replace(old, timestamps=())
    found = judge_facts(replace(facts, signatures=(without,)), by).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def test_crypto_constraints_failure_no_poe_for_the_path() -> None:
    ended = AlgorithmPolicy(digests={"sha256": SIGNED + timedelta(days=1)})
    by = replace(GOOD, algorithms=ended)
    assert sub_indication(stamped(), by) is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def test_timestamp_order_failure_for_a_time_stamp_around_an_earlier_one() -> None:
    signed = sign(blank(), stamped=SIGNED + timedelta(days=1))
    out = signers.PdfTimeStamper(stamper(SIGNED)).timestamp_pdf(
        IncrementalPdfFileWriter(io.BytesIO(signed)), md_algorithm="sha256"
    )
    assert sub_indication(bytes(out.getbuffer()), OFF) is SubIndication.TIMESTAMP_ORDER_FAILURE


def test_no_certificate_chain_found_without_its_anchor() -> None:
    other = issue("Other root", None, *CA)
    by = policy(anchors=(other.der,))
    assert sub_indication(stamped(), by) is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


COMPROMISED = x509.ReasonFlags.key_compromise


def test_revoked_no_poe_when_revoked_before_the_proven_time() -> None:
    by = policy(crl(ROOT), crl(SUB, (SIGNER, SIGNED - timedelta(hours=1), COMPROMISED)))
    found = verdict(stamped(), by)
    assert found.conclusion.sub_indication is SubIndication.REVOKED_NO_POE


def test_revoked_after_the_proven_time_passes_and_without_a_proof_does_not() -> None:
    by = policy(crl(ROOT), crl(SUB, (SIGNER, SIGNED + timedelta(hours=1), COMPROMISED)))
    assert verdict(stamped(), by).conclusion.passed
    assert sub_indication(plain(), by) is SubIndication.REVOKED_NO_POE


def test_a_known_revocation_counts_also_when_revocation_is_off_and_newer_data_forget_it() -> None:
    revoked = crl(SUB, (SIGNER, SIGNED, COMPROMISED))
    newer = crl(SUB, this_update=CRL_START + timedelta(days=1))
    assert sub_indication(plain(), policy(revoked, newer, revocation="off")) is SubIndication.REVOKED_NO_POE


def test_revoked_ca_no_poe() -> None:
    by = policy(crl(ROOT, (SUB, SIGNED - timedelta(days=1), COMPROMISED)), crl(SUB))
    assert sub_indication(stamped(), by) is SubIndication.REVOKED_CA_NO_POE


def test_a_crl_of_a_stranger_by_the_same_name_says_nothing() -> None:
    stranger = issue("Issuing", None, *CA)
    by = policy(crl(ROOT), crl(stranger))
    assert sub_indication(stamped(), by) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


AFTER_END = BORN + YEAR + timedelta(days=5)
LONG = {"next_update": AFTER_END + YEAR}


def test_out_of_bounds_not_revoked_for_an_expired_certificate_without_a_proof() -> None:
    by = policy(crl(ROOT, **LONG), crl(SUB, **LONG), time=AFTER_END)
    assert sub_indication(plain(), by) is SubIndication.OUT_OF_BOUNDS_NOT_REVOKED
    assert verdict(stamped(), by).conclusion.passed


def test_out_of_bounds_no_poe_when_nothing_is_known_of_an_expired_certificate() -> None:
    by = policy(time=AFTER_END, revocation="off")
    assert sub_indication(stamped(), by) is SubIndication.OUT_OF_BOUNDS_NO_POE


def test_a_crl_from_after_the_end_does_not_speak_for_an_expired_certificate() -> None:
    late = crl(SUB, this_update=AFTER_END - timedelta(days=1), **LONG)
    by = policy(crl(ROOT, **LONG), late, time=AFTER_END)
    assert sub_indication(stamped(), by) is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_revocation_out_of_bounds_no_poe_for_an_expired_responder() -> None:
    def answer(end: datetime) -> bytes:
        extensions = (
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.OCSPNoCheck(), False),
        )
        responder = issue("Responder", SUB, *extensions, end=end)
        builder = ocsp.OCSPResponseBuilder().add_response(
            SIGNER.certificate,
            SUB.certificate,
            hashes.SHA1(),  # noqa: S303 - the digest that names certificates in OCSP
            ocsp.OCSPCertStatus.GOOD,
            CRL_START,
            CRL_START + timedelta(days=30),
            None,
            None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        builder = builder.certificates([responder.certificate])
        return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def by(end: datetime) -> ValidationPolicy:
        return replace(policy(crl(ROOT)), ocsp_responses=(answer(end),))

    assert verdict(stamped(), by(NOW + YEAR)).conclusion.passed
    expired = by(NOW - timedelta(days=1))
    assert sub_indication(stamped(), expired) is SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE


def test_try_later_for_stale_revocation_data() -> None:
    old = {"this_update": BORN + timedelta(days=1), "next_update": BORN + timedelta(days=8)}
    by = policy(crl(ROOT), crl(SUB, **old))
    assert sub_indication(stamped(), by) is SubIndication.TRY_LATER


def test_stale_revocation_data_from_after_the_proven_time_suffice() -> None:
    by = policy(crl(ROOT), crl(SUB, next_update=CRL_START + timedelta(days=2)))
    assert verdict(stamped(), by).conclusion.passed
    assert sub_indication(plain(), by) is SubIndication.TRY_LATER


def test_try_later_on_hold() -> None:
    hold = x509.ReasonFlags.certificate_hold
    assert (
        sub_indication(stamped(), policy(crl(ROOT), crl(SUB, (SIGNER, BORN, hold))))
        is SubIndication.TRY_LATER
    )


def test_signed_data_not_found_for_a_detached_signature_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        making = signer_of(SIGNER).async_sign_general_data(b"words", "sha256", detached=True)
        signed = asyncio.run(making).dump()
    found = verdict(signed, OFF)
    assert found.conclusion.sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
    assert found.integrity is Integrity.UNVERIFIABLE
    assert found.format == "CAdES"


def test_custom_when_it_is_not_known_what_later_revisions_changed() -> None:
    facts = read_facts(stamped())
    unknown = [replace(signature, modification=Modification.UNKNOWN) for signature in facts.signatures]
    found = judge_facts(replace(facts, signatures=tuple(unknown)), GOOD).signatures[0]
    assert found.conclusion.sub_indication is SubIndication.CUSTOM


# ---- time-stamps


def test_a_time_stamp_of_a_certificate_for_other_uses_proves_nothing() -> None:
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION])
    unit = issue("Unit", ROOT, SIGNING, (both, True), key=STAMPER_KEY)
    bad = DummyTimeStamper(unit.asn1, unit.asn1_key, certs_to_embed=SimpleCertificateStore(), fixed_dt=SIGNED)
    writer = IncrementalPdfFileWriter(io.BytesIO(blank()))
    metadata = signers.PdfSignatureMetadata(field_name="Sig1", subfilter=SigSeedSubFilter.PADES)
    out = signers.sign_pdf(writer, metadata, signer_of(SIGNER), timestamper=bad)
    found = verdict(bytes(out.getbuffer()), OFF)
    assert found.timestamps[0].conclusion.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE
    assert found.best_signature_time == NOW


def test_a_time_stamp_from_the_future_proves_nothing() -> None:
    found = verdict(sign(blank(), stamped=NOW + timedelta(days=1)), OFF)
    assert found.timestamps[0].conclusion.sub_indication is SubIndication.TIMESTAMP_ORDER_FAILURE
    assert found.best_signature_time == NOW


def test_a_document_time_stamp_proves_the_time_of_the_signature_below_it() -> None:
    out = signers.PdfTimeStamper(stamper(SIGNED)).timestamp_pdf(
        IncrementalPdfFileWriter(io.BytesIO(plain())), md_algorithm="sha256"
    )
    report = validate(bytes(out.getbuffer()), GOOD)
    assert len(report.signatures) == len(report.document_timestamps) == 1
    assert report.signatures[0].level == "PAdES-BASELINE-T"
    assert report.signatures[0].best_signature_time == SIGNED
    assert report.signatures[0].modification is Modification.ALLOWED
