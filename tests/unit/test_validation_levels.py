"""Level names outside the baseline, and what a document time-stamp's own revision holds."""

from dataclasses import replace

import pytest

from signer.cms import attribute
from signer.der import SEQUENCE, SET, tlv
from signer.material import ValidationMaterial
from signer.validation import ValidationPolicy
from signer.validation.engine import judge_facts, read_facts
from signer.validation.facts import StoredData
from signer.validation.indication import SubIndication
from signer.validation.signed_data import SIGNING_TIME, read_signed_data
from tests.unit.cades_signatures import CONTENT, LATER, LISTS, long_term, signed, stamp
from tests.unit.test_validation_old_attributes import resigned, sha256, with_unsigned
from tests.unit.validation_documents import CRL_START, NOW, ROOT, SUB, crl, kept, policy, stamped, timestamped

POLICY = ValidationPolicy((ROOT.der,), LATER, crls=LISTS)
EVIDENCE_RECORD = bytes.fromhex("060b2a864886f70d0109100232")
CERTIFICATE_REFERENCES = bytes.fromhex("060b2a864886f70d0109100215")
REVOCATION_REFERENCES = bytes.fromhex("060b2a864886f70d0109100216")


def level(cms: bytes) -> str:
    (verdict,) = judge_facts(read_facts(cms, [CONTENT]), POLICY).signatures
    return verdict.level


def test_references_without_the_values_are_level_c() -> None:
    half = with_unsigned(signed(), attribute(CERTIFICATE_REFERENCES, tlv(SEQUENCE)))
    assert level(half) == "CAdES-BASELINE-T"
    assert level(with_unsigned(half, attribute(REVOCATION_REFERENCES, tlv(SEQUENCE)))) == "CAdES-C"
    without = with_unsigned(signed(stamped=False), attribute(CERTIFICATE_REFERENCES, tlv(SEQUENCE)))
    assert (
        level(with_unsigned(without, attribute(REVOCATION_REFERENCES, tlv(SEQUENCE)))) == "CAdES-BASELINE-B"
    )


def test_an_evidence_record_in_a_signature_names_its_level() -> None:
    assert level(with_unsigned(long_term(signed()), attribute(EVIDENCE_RECORD, tlv(SEQUENCE)))) == "CAdES-ERS"


@pytest.mark.parametrize(("is_stamped", "expected"), [(False, "CAdES-BES"), (True, "CAdES-T")])
def test_a_signature_of_several_signing_times_is_not_of_the_baseline(is_stamped: bool, expected: str) -> None:
    cms = signed(stamped=is_stamped)
    (signer,) = read_signed_data(cms).signers
    (time,) = signer.signed(SIGNING_TIME)
    others = tuple(each.stored for each in signer.signed_attributes if each.kind != SIGNING_TIME)
    facts = resigned(cms, (*others, tlv(SEQUENCE, time.kind_element, tlv(SET, *time.values, *time.values))))
    # Only the name is looked at: the time-stamp is over the value before.
    stamps = read_facts(cms, [CONTENT]).signatures[0].timestamps
    facts = replace(facts, signatures=(replace(facts.signatures[0], timestamps=stamps),))
    assert [each.level for each in judge_facts(facts, POLICY).signatures] == [expected]


def test_validation_data_in_the_revision_of_a_document_time_stamp_is_under_it() -> None:
    """What stands behind the token in its own revision is in the byte range too."""
    lists = (crl(ROOT), crl(SUB))
    facts = read_facts(timestamped(kept(stamped(), ValidationMaterial((SUB.der,), lists)), CRL_START))
    (around,) = facts.document_timestamps

    def name(position: int) -> str:
        store = StoredData(crls=tuple((each, position) for each in lists))
        (verdict,) = judge_facts(replace(facts, store=store), policy(time=NOW)).signatures
        return verdict.level

    assert 0 < around.covered < around.end
    assert name(around.covered - 1) == name(around.covered + 1) == "PAdES-BASELINE-LTA"
    assert name(around.end + 1) == "PAdES-BASELINE-LT"


def test_a_time_stamp_over_what_is_missing_is_not_blamed_on_its_algorithm() -> None:
    (verdict,) = judge_facts(read_facts(stamp(sha256(CONTENT), LATER)), POLICY).document_timestamps
    assert verdict.conclusion.sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
