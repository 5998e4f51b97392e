"""Judging signatures after EN 319 102-1: facts first, then a verdict under a policy.

`validate` judges in this process; `signer.validation.sandbox` does the same in one that can be lost.
"""

from signer.validation.engine import judge_facts, read_facts, validate
from signer.validation.policy import AlgorithmPolicy, ValidationPolicy
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport

__all__ = [
    "AlgorithmPolicy",
    "SignatureVerdict",
    "TimestampVerdict",
    "ValidationPolicy",
    "ValidationReport",
    "judge_facts",
    "read_facts",
    "validate",
]
