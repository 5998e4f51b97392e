"""Judging signatures after EN 319 102-1: facts first, then a verdict under a policy.

`validate` judges in this process; `signer.validation.sandbox` does the same in one that can be lost.
"""

from signer.validation.engine import judge_facts, read_facts, validate
from signer.validation.policy import AlgorithmPolicy, ValidationPolicy
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport
from signer.validation.stored import facts_from_json, facts_to_json, policy_from_json, policy_to_json

__all__ = [
    "AlgorithmPolicy",
    "SignatureVerdict",
    "TimestampVerdict",
    "ValidationPolicy",
    "ValidationReport",
    "facts_from_json",
    "facts_to_json",
    "judge_facts",
    "policy_from_json",
    "policy_to_json",
    "read_facts",
    "validate",
]
