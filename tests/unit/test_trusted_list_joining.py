"""Trusted lists in the engine: their anchors, qualifications in the report, stored facts judged again."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

from signer.validation import ValidationPolicy, judge_facts, read_facts, validate
from signer.validation.facts import DocumentFacts
from signer.validation.plain import from_plain, to_plain
from signer.validation.sandbox import ValidationWorker
from signer.validation.trusted_lists.joining import trusting
from signer.validation.trusted_lists.model import QTST, Service
from signer.validation.trusted_lists.reading import read_list
from signer.validation.trusted_lists.snapshot import TrustedServices, snapshot
from tests.unit.trusted_list_maker import (
    MadeList,
    operator,
    period,
    service,
    signed,
    statements,
)
from tests.unit.validation_documents import (
    BORN,
    NOW,
    ROOT,
    SIGNED,
    SIGNING,
    STAMPER,
    SUB,
    YEAR,
    blank,
    issue,
    sign,
)

OPERATOR = operator("Operator")
MAYOR = issue("Ana Popescu", SUB, SIGNING, statements(sscd=True, types=[1]), end=BORN + YEAR)
DOCUMENT = sign(blank(), MAYOR, stamped=SIGNED)
WITHDRAWN = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn"


def listed(*services: Service, sequence_number: int = 1) -> TrustedServices:
    made = MadeList(services=services, sequence_number=sequence_number, issue_time=SIGNED - timedelta(days=1))
    return snapshot([read_list(signed(made, OPERATOR))])


GRANTED = listed(service(SUB), service(STAMPER, period(type_=QTST, information=())))


def policy(services: TrustedServices | None, *anchors: bytes, time: datetime = NOW) -> ValidationPolicy:
    return ValidationPolicy(anchors, time, "off", trusted_services=services)


def test_a_listed_authority_is_trusted_and_its_certificates_are_qualified() -> None:
    (signature,) = validate(DOCUMENT, policy(GRANTED)).signatures
    assert signature.conclusion.passed, signature.conclusion
    assert signature.path == ("Ana Popescu", "Issuing")
    assert signature.qualification == "QESig"
    assert [stamp.qualification for stamp in signature.timestamps] == ["QTSA"]
    assert signature.to_json()["qualification"] == "QESig"


def test_a_private_anchor_is_trusted_beside_the_lists_and_makes_nothing_qualified() -> None:
    (signature,) = validate(DOCUMENT, policy(listed(), ROOT.der)).signatures
    assert signature.conclusion.passed
    assert signature.qualification == "N/A"
    (unasked,) = validate(DOCUMENT, policy(None, ROOT.der)).signatures
    assert (unasked.qualification, unasked.timestamps[0].qualification) == ("", "")


def test_without_any_anchor_nothing_is_trusted() -> None:
    (signature,) = validate(DOCUMENT, policy(listed())).signatures
    assert not signature.conclusion.passed
    assert signature.qualification == "N/A"


def test_a_failed_signature_is_not_advanced() -> None:
    broken = DOCUMENT.replace(b"signed words", b"sIgned words")
    (signature,) = validate(broken, policy(GRANTED)).signatures
    assert signature.qualification == "Not AdES but QC with QSCD"


def test_stored_facts_are_judged_again_with_the_lists_of_then() -> None:
    facts = from_plain(DocumentFacts, json.loads(json.dumps(to_plain(read_facts(DOCUMENT)))))
    kept = from_plain(TrustedServices, json.loads(json.dumps(to_plain(GRANTED))))
    assert kept == GRANTED and kept.lists == GRANTED.lists
    first = judge_facts(facts, policy(GRANTED))
    assert judge_facts(facts, policy(kept)) == first
    later = listed(service(SUB, period(WITHDRAWN, SIGNED - timedelta(hours=1)), period()), sequence_number=2)
    (again,) = judge_facts(facts, policy(later)).signatures
    assert "QES" not in again.qualification


def test_a_sunset_is_told_and_a_private_anchor_has_none() -> None:
    ended = listed(service(SUB, period(WITHDRAWN, SIGNED), period()))
    facts = read_facts(DOCUMENT)
    assert trusting(policy(ended), facts).sunsets == ((SUB.der, SIGNED),)
    own = trusting(policy(ended, SUB.der), facts)
    assert (own.anchors, own.sunsets) == ((SUB.der,), ())


def test_only_the_anchors_of_the_document_are_added() -> None:
    other = service(issue("Another", None))
    assert trusting(policy(listed(service(SUB), other)), read_facts(DOCUMENT)).anchors == (SUB.der,)


def test_a_worker_keeps_the_lists_and_takes_new_ones() -> None:
    refused = listed(service(SUB, period(WITHDRAWN)), sequence_number=3)
    with ValidationWorker() as worker:

        def qualification(services: TrustedServices | None) -> str:
            (signature,) = worker.validate(DOCUMENT, policy(services, ROOT.der)).signatures
            return signature.qualification

        assert qualification(GRANTED) == "QESig"
        assert qualification(GRANTED) == "QESig"
        assert qualification(None) == ""
        assert qualification(refused) == "AdESig"
        assert qualification(GRANTED) == "QESig"
        worker.close()
        assert qualification(GRANTED) == "QESig"


def test_lists_that_differ_are_not_taken_for_each_other() -> None:
    assert listed(service(SUB)) != listed(service(SUB), sequence_number=2)
    assert hash(GRANTED) == hash(replace(GRANTED))
