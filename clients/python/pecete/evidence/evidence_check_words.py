"""The words in which the check of an evidence record answers."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a record proves of the objects given with it.

    PARTIAL: some of them are not covered. DATA_MISSING: none is, or none was given, though the record itself
    holds. MALFORMED: it is no evidence record.
    """

    INTACT = "intact"
    BROKEN = "broken"
    PARTIAL = "partial"
    DATA_MISSING = "data-missing"
    MALFORMED = "malformed"


class Check(StrEnum):
    """The check that did not hold."""

    STRUCTURE = "structure"
    VERSION = "version"
    DIGEST_ALGORITHM = "digest-algorithm"
    HASH_LENGTH = "hash-length"
    MESSAGE_IMPRINT = "message-imprint"
    TIMESTAMP_RENEWAL = "timestamp-renewal"
    HASH_TREE_RENEWAL = "hash-tree-renewal"
    TIME_ORDER = "time-order"
    TIMESTAMP_SIGNATURE = "timestamp-signature"
    TIMESTAMP_TRUST = "timestamp-trust"
    OBJECT_DIGEST = "object-digest"
    OBJECT_COVERED = "object-covered"
    OBJECT_GIVEN = "object-given"


@dataclass(frozen=True)
class Fault:
    """A check that did not hold, and a sentence (no capital, no full stop) on where and why."""

    check: Check
    explanation: str
