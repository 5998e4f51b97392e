"""Signatures with archival data: what proofs of existence save, and what they do not."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from signer.algorithms import DIGEST_ENDS
from signer.cades.augmentation import add_material
from signer.material import ValidationMaterial
from signer.validation import (
    AlgorithmPolicy,
    SignatureVerdict,
    ValidationPolicy,
    ValidationReport,
    judge_facts,
    read_facts,
    validate,
)
from signer.validation.facts import DocumentFacts, EvidenceRecordFacts, Integrity, TimestampKind
from signer.validation.indication import SubIndication
from signer.validation.timestamps import timestamp_facts
from tests.unit.cades_signatures import CONTENT, LISTS, long_term, signed, stamp
from tests.unit.validation_documents import (
    BORN,
    CA,
    CRL_START,
    NOW,
    ROOT,
    SIGNED,
    SIGNER,
    SIGNING,
    STAMPER,
    SUB,
    YEAR,
    Identity,
    blank,
    crl,
    issue,
    kept,
    sign,
    stamped,
    timestamped,
)

DAY = timedelta(days=1)
ARCHIVED = SIGNED + 2 * DAY
LATER = datetime(2028, 1, 1, tzinfo=UTC)
SHORT = issue("Short-lived", ROOT, *CA, end=BORN + 2 * YEAR)
HOLDER = issue("Ion Ionescu", SHORT, SIGNING, end=BORN + YEAR)
ROOT_LIST, SHORT_LIST = crl(ROOT), crl(SHORT)
NEWEST = crl(ROOT, this_update=LATER - DAY, next_update=LATER + DAY)
HOLD = x509.ReasonFlags.certificate_hold
COMPROMISED = x509.ReasonFlags.key_compromise


def archived(*lists: bytes, holder: Identity = HOLDER, above: Identity = SHORT) -> bytes:
    """Signed and time-stamped, with material, and all of it under a document time-stamp two days later."""
    signed = sign(blank(), holder, stamped=SIGNED, above=above)
    return timestamped(kept(signed, ValidationMaterial((above.der,), lists)), ARCHIVED)


DOCUMENT = archived(ROOT_LIST, SHORT_LIST)


def policy(*crls: bytes, time: datetime = LATER) -> ValidationPolicy:
    return ValidationPolicy((ROOT.der,), time, crls=crls)


AFTERWARDS = policy(NEWEST)


def verdict(document: bytes, by: ValidationPolicy) -> SignatureVerdict:
    return validate(document, by).signatures[0]


def steps(found: SignatureVerdict) -> dict[str, str]:
    return dict(found.trace)


def test_an_archived_signature_outlives_its_authority() -> None:
    found = verdict(DOCUMENT, AFTERWARDS)
    assert found.conclusion.passed
    assert found.level == "PAdES-BASELINE-LTA"
    assert found.best_signature_time == SIGNED
    assert (found.identity, found.time_status) == ("trusted", "proven")
    assert steps(found)["Signatures with Time"] == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
    assert steps(found)["PCV"] == steps(found)["PSV"] == "PASSED"


def test_out_of_bounds_no_poe_for_an_expired_authority_without_an_archive() -> None:
    bare = kept(
        sign(blank(), HOLDER, stamped=SIGNED, above=SHORT), ValidationMaterial((), (ROOT_LIST, SHORT_LIST))
    )
    found = verdict(bare, AFTERWARDS)
    assert found.conclusion.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE
    assert found.identity == "untrusted"


def test_no_poe_when_the_revocation_data_are_proven_by_nothing() -> None:
    """The lists come from outside, so nothing says that they are as old as they claim."""
    document = archived()
    found = verdict(document, policy(NEWEST, ROOT_LIST, SHORT_LIST))
    assert steps(found)["PCV"] == f"INDETERMINATE/{SubIndication.NO_POE}"
    assert found.conclusion.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE


def test_no_poe_when_the_archive_was_made_after_the_revocation_data_were_stale() -> None:
    signed = sign(blank(), HOLDER, stamped=SIGNED, above=SHORT)
    material = ValidationMaterial((SHORT.der,), (ROOT_LIST, SHORT_LIST))
    found = verdict(timestamped(kept(signed, material), CRL_START + 31 * DAY), AFTERWARDS)
    assert steps(found)["PCV"] == f"INDETERMINATE/{SubIndication.NO_POE}"
    assert not found.conclusion.passed


def test_an_archive_that_nothing_vouches_for_saves_nothing() -> None:
    found = verdict(DOCUMENT, policy())
    assert not any(each.conclusion.passed for each in found.timestamps)
    assert not found.conclusion.passed


def test_a_chain_of_archive_time_stamps_is_judged_from_the_newest() -> None:
    """The first one's authority expires; the second one proves it while it was good."""
    renewed = timestamped(kept(DOCUMENT, ValidationMaterial((STAMPER.der,), (ROOT_LIST,))), ARCHIVED + DAY)
    report = validate(renewed, AFTERWARDS)
    assert [each.conclusion.passed for each in report.document_timestamps] == [True, True]
    assert report.signatures[0].conclusion.passed


def test_revoked_ca_no_poe_unless_all_was_archived_before() -> None:
    when = ARCHIVED + 10 * DAY
    revoked = crl(ROOT, (SUB, when, COMPROMISED), this_update=when + DAY, next_update=LATER + YEAR)
    material = ValidationMaterial((SUB.der,), (ROOT_LIST, crl(SUB)))
    found = verdict(timestamped(kept(stamped(), material), ARCHIVED), policy(revoked, time=when + 2 * DAY))
    assert found.conclusion.passed
    late = crl(ROOT, (SUB, SIGNED - DAY, COMPROMISED), this_update=when + DAY, next_update=LATER + YEAR)
    found = verdict(timestamped(kept(stamped(), material), ARCHIVED), policy(late, time=when + 2 * DAY))
    assert found.conclusion.sub_indication is SubIndication.REVOKED_CA_NO_POE
    assert found.identity == "untrusted"


def test_an_algorithm_that_ended_after_the_archive_was_made_is_believed() -> None:
    """Certificates and lists are judged as of now unless something proves them older."""
    ended = AlgorithmPolicy({**DIGEST_ENDS, "sha256": ARCHIVED + DAY})
    by = ValidationPolicy((ROOT.der, STAMPER.der), ARCHIVED + 2 * DAY, algorithms=ended)
    facts = _in_sha512(read_facts(DOCUMENT))
    assert judge_facts(facts, by).signatures[0].conclusion.passed
    bare = judge_facts(replace(facts, document_timestamps=()), by).signatures[0]
    assert bare.conclusion.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def _in_sha512(facts: DocumentFacts) -> DocumentFacts:
    """The same with a last document time-stamp that rests on what is still believed."""
    (last,) = facts.document_timestamps
    uses = tuple(replace(use, digest="sha512") for use in last.cms.algorithms)
    last = replace(last, imprint_digest="sha512", cms=replace(last.cms, algorithms=uses))
    return replace(facts, document_timestamps=(last,))


def test_an_anchor_past_its_sunset_is_trusted_for_what_is_proven_older() -> None:
    anchors = (ROOT.der, STAMPER.der)
    by = ValidationPolicy(anchors, NOW, crls=(ROOT_LIST, crl(SUB)))
    open_ended = verdict(stamped(), replace(by, sunsets=((ROOT.der, NOW + DAY),)))
    assert open_ended.conclusion.passed
    ended = replace(by, sunsets=((ROOT.der, ARCHIVED + DAY),))
    found = verdict(stamped(), ended)
    assert found.conclusion.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE
    material = ValidationMaterial((SUB.der,), (ROOT_LIST, crl(SUB)))
    assert verdict(timestamped(kept(stamped(), material), ARCHIVED), ended).conclusion.passed
    early = replace(by, sunsets=((ROOT.der, SIGNED - DAY),))
    found = verdict(timestamped(kept(stamped(), material), ARCHIVED), early)
    assert found.conclusion.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE


def test_try_later_on_hold_unless_the_signature_is_older() -> None:
    def by(since: datetime) -> ValidationPolicy:
        return policy(ROOT_LIST, crl(SUB, (SIGNER, since, HOLD)), time=NOW)

    assert verdict(stamped(), by(SIGNED + DAY)).conclusion.passed
    assert verdict(stamped(), by(SIGNED)).conclusion.sub_indication is SubIndication.TRY_LATER


def test_a_suspension_that_ended_is_forgotten() -> None:
    lifted = crl(SUB, this_update=CRL_START + DAY)
    by = policy(ROOT_LIST, crl(SUB, (SIGNER, BORN, HOLD)), lifted, time=NOW)
    assert verdict(stamped(), by).conclusion.passed


# ---- evidence records


def record(facts: DocumentFacts, time: datetime, **changed: object) -> EvidenceRecordFacts:
    """An evidence record over a document with one signature, with one archive time-stamp."""
    digest = hashlib.sha256(b"root of the hash tree").digest()
    token = timestamp_facts(stamp(digest, time), TimestampKind.EVIDENCE_RECORD, lambda _: digest)
    covers = tuple(signature.field for signature in facts.signatures)
    whole = EvidenceRecordFacts("record.ers", Integrity.INTACT, "", (token,), covers)
    return replace(whole, **changed)  # type: ignore[arg-type]


def judged(
    facts: DocumentFacts, *records: EvidenceRecordFacts, by: ValidationPolicy = AFTERWARDS
) -> ValidationReport:
    return judge_facts(replace(facts, evidence_records=records), by)


@pytest.fixture(scope="module")
def bare() -> DocumentFacts:
    """A signature without any time-stamp, whose material is all in its own SignedData."""
    facts = read_facts(sign(blank(), HOLDER, above=SHORT))
    (signature,) = facts.signatures
    cms = replace(signature.cms, crls=(ROOT_LIST, SHORT_LIST))
    return replace(facts, signatures=(replace(signature, cms=cms),))


def test_an_evidence_record_proves_what_it_protects_since_its_first_time_stamp(bare: DocumentFacts) -> None:
    assert not judged(bare).signatures[0].conclusion.passed
    report = judged(bare, record(bare, ARCHIVED))
    assert report.signatures[0].conclusion.passed
    assert report.signatures[0].best_signature_time == ARCHIVED
    (found,) = report.evidence_records
    assert (found.conclusion.passed, found.proven_time) == (True, ARCHIVED)


def test_a_renewed_evidence_record_is_judged_from_its_last_time_stamp(bare: DocumentFacts) -> None:
    first, second = record(bare, ARCHIVED), record(bare, ARCHIVED + DAY)
    renewed = replace(first, timestamps=(*first.timestamps, *second.timestamps))
    assert judged(bare, renewed).signatures[0].best_signature_time == ARCHIVED
    unreadable = replace(second.timestamps[0], faults=("no token",))
    broken = replace(first, timestamps=(*first.timestamps, unreadable))
    report = judged(bare, broken)
    assert report.evidence_records[0].proven_time is None
    assert not report.signatures[0].conclusion.passed


@pytest.mark.parametrize(
    "changed",
    [
        {"integrity": Integrity.BROKEN, "failing_check": "hash tree"},
        {"integrity": Integrity.UNVERIFIABLE},
        {"timestamps": ()},
        {"covers": ()},
    ],
)
def test_an_evidence_record_that_does_not_hold_proves_nothing(
    bare: DocumentFacts, changed: dict[str, object]
) -> None:
    report = judged(bare, record(bare, ARCHIVED, **changed))
    assert not report.signatures[0].conclusion.passed
    assert report.signatures[0].best_signature_time == LATER


def test_an_evidence_record_protects_document_time_stamps_too() -> None:
    """Nothing fresh is known of the time-stamp's authority, but the record proves it while it was."""
    facts = read_facts(DOCUMENT)
    field = facts.document_timestamps[0].field
    assert not judged(facts, by=policy(ROOT_LIST)).signatures[0].conclusion.passed
    whole = record(facts, ARCHIVED + DAY)
    with_stamp = replace(whole, covers=(*whole.covers, field))
    anchored = replace(policy(), anchors=(ROOT.der, STAMPER.der))
    report = judged(facts, with_stamp, by=anchored)
    assert report.document_timestamps[0].conclusion.passed


# ---- CAdES


def test_an_archive_time_stamp_proves_only_material_that_its_index_lists() -> None:
    cms = long_term(signed())
    (stamp_facts,) = read_facts(cms, [CONTENT]).document_timestamps
    assert {hashlib.sha256(der).digest() for der in (*LISTS, SUB.der)} <= set(stamp_facts.protected)
    more = crl(SUB, this_update=CRL_START + DAY)
    (stamp_facts,) = read_facts(
        add_material(cms, ValidationMaterial((), (more,))), [CONTENT]
    ).document_timestamps
    assert stamp_facts.imprint_matches
    assert hashlib.sha256(more).digest() not in stamp_facts.protected
