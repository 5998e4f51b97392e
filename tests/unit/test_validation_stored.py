"""Facts and policies that were kept: judged again they give the same verdict, and damage is noticed."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.material import ValidationMaterial
from signer.validation import (
    AlgorithmPolicy,
    ValidationPolicy,
    facts_from_json,
    facts_to_json,
    judge_facts,
    policy_from_json,
    policy_to_json,
    read_facts,
)
from signer.validation.facts import DocumentFacts
from tests.unit.cades_signatures import CONTENT, LISTS, long_term, signed
from tests.unit.test_validation_context import stamped_before, under_policy
from tests.unit.test_validation_past import DOCUMENT, record
from tests.unit.validation_documents import (
    BORN,
    GOOD,
    NOW,
    ROOT,
    SIGNED,
    STAMPER,
    YEAR,
    changed_page,
    kept,
    plain,
    stamped,
)

_ARCHIVED = read_facts(DOCUMENT)
FACTS = [
    read_facts(plain()),
    read_facts(stamped()),
    read_facts(changed_page(stamped())),
    read_facts(kept(stamped(), ValidationMaterial((), LISTS))),
    read_facts(stamped_before()),
    read_facts(under_policy()),
    read_facts(long_term(signed()), [CONTENT]),
    replace(_ARCHIVED, evidence_records=(record(_ARCHIVED, SIGNED + timedelta(days=3)),)),
]
POLICIES = st.builds(
    ValidationPolicy,
    anchors=st.sampled_from([(), (ROOT.der,), (ROOT.der, STAMPER.der)]),
    time=st.datetimes(
        min_value=BORN.replace(tzinfo=None), max_value=(NOW + 5 * YEAR).replace(tzinfo=None)
    ).map(lambda naive: naive.replace(tzinfo=NOW.tzinfo)),
    revocation=st.sampled_from(["required", "off"]),
    crls=st.sampled_from([(), LISTS]),
    algorithms=st.sampled_from([AlgorithmPolicy(), AlgorithmPolicy(digests={"sha256": NOW})]),
    freshness=st.sampled_from([None, timedelta(days=1), timedelta(days=400, microseconds=1)]),
    delay=st.sampled_from([None, timedelta(hours=1)]),
    sunsets=st.sampled_from([(), ((ROOT.der, NOW),)]),
    signature_policies=st.sampled_from([(), (("1.3.6.1.4.1.99999.7", b"words"),)]),
    timestamp=st.booleans(),
)


@given(facts=st.sampled_from(FACTS), policy=POLICIES)
@settings(max_examples=60, deadline=None)
def test_what_was_kept_is_judged_as_what_was_read(facts: DocumentFacts, policy: ValidationPolicy) -> None:
    kept_facts, kept_policy = facts_from_json(facts_to_json(facts)), policy_from_json(policy_to_json(policy))
    assert (kept_facts, kept_policy) == (facts, policy)
    assert judge_facts(kept_facts, kept_policy) == judge_facts(facts, policy)


def test_facts_are_judged_again_under_another_policy() -> None:
    stored = facts_to_json(read_facts(stamped()))
    assert judge_facts(facts_from_json(stored), GOOD).signatures[0].conclusion.passed
    found = judge_facts(facts_from_json(stored), replace(GOOD, anchors=())).signatures[0]
    assert not found.conclusion.passed


def test_facts_from_before_a_field_was_added_are_read_with_its_default() -> None:
    facts = read_facts(stamped())
    stored = json.loads(facts_to_json(facts))
    del stored["value"]["evidence_records"]
    del stored["value"]["signatures"][0]["cms"]["policy"]
    assert facts_from_json(json.dumps(stored)) == facts


@pytest.mark.parametrize(
    "wrong", ["", "[]", "{}", "null", '{"kind": "pecete.facts", "version": 2, "value": {}}']
)
def test_what_is_no_stored_document_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        facts_from_json(wrong)
    assert refused.value.reason == "FACTS_UNREADABLE"
    with pytest.raises(InvalidArgumentError) as refused:
        policy_from_json(wrong)
    assert refused.value.reason == "VALIDATION_POLICY_UNREADABLE"


def test_facts_are_no_policy() -> None:
    with pytest.raises(InvalidArgumentError):
        policy_from_json(facts_to_json(read_facts(plain())))


def test_a_time_without_its_offset_is_refused() -> None:
    stored = json.loads(policy_to_json(GOOD))
    stored["value"]["time"] = "2024-06-10T00:00:00"
    with pytest.raises(InvalidArgumentError):
        policy_from_json(json.dumps(stored))


def test_numbers_beyond_measure_are_refused() -> None:
    stored = json.loads(facts_to_json(FACTS[1]))
    stored["value"]["signatures"][0]["timestamps"][0]["accuracy"] = 1e300
    with pytest.raises(InvalidArgumentError):
        facts_from_json(json.dumps(stored))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    stored = json.loads(facts_to_json(FACTS[1]))
    path, node = [], stored["value"]
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        path.append((node, key))
        node = node[key]
    parent, key = path[data.draw(st.integers(0, len(path) - 1))]
    parent[key] = data.draw(st.sampled_from([None, True, 7, -1.5, "words", [], {}, ["x"], {"a": 1}]))
    try:
        facts = facts_from_json(json.dumps(stored))
    except InvalidArgumentError as refused:
        assert refused.reason == "FACTS_UNREADABLE"
    else:
        judge_facts(facts, GOOD)
