"""The chains of an evidence record, without its time-stamps' signatures (RFC 4998 §4.3, §5.2 and §5.3).

This is what needs nothing but the record and digests of the objects: no certificate, no trust, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pecete.evidence.evidence_check_words import Check, Fault, Verdict
from pecete.evidence.evidence_hash_tree import hash_tree_fault, leaves
from pecete.evidence.evidence_record import EvidenceRecord, hashed


@dataclass(frozen=True)
class DataObject:
    """An object that a record is to protect: its digests by hashlib's names of the algorithms."""

    name: str
    digests: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class ChainsVerdict:
    """What the chains prove. fault: the first check that does not hold; None where all do.

    covered: names of the objects that every chain protects, as given. unknown: hashes in the first list of
    the record that no given object has: others of its group, or neighbours in the tree.
    """

    verdict: Verdict
    fault: Fault | None
    covered: tuple[str, ...]
    unknown: int


def check_chains(record: EvidenceRecord, objects: Sequence[DataObject]) -> ChainsVerdict:
    """Check a record's hash trees and renewals, and which objects all of its chains are over.

    Time and memory are linear in the record and in the objects.
    """
    protection = [_Protection(record, number) for number in range(len(record.chains))]
    answers = [(item.name, _fault(item, protection)) for item in objects]
    faults = [fault for _, fault in answers if fault]
    covered = tuple(name for name, fault in answers if not fault)
    known = {item.digests.get(record.chains[0].digest_algorithm) for item in objects}
    unknown = len(protection[0].leaves - known)
    broken = _record_fault(record) or next(
        (fault for fault in faults if fault.check is Check.HASH_TREE_RENEWAL), None
    )
    if broken:
        return ChainsVerdict(Verdict.BROKEN, broken, covered, unknown)
    if not objects:
        missing = Fault(Check.OBJECT_GIVEN, "no object was given")
        return ChainsVerdict(Verdict.DATA_MISSING, missing, (), unknown)
    if faults:
        verdict = Verdict.PARTIAL if covered else Verdict.DATA_MISSING
        return ChainsVerdict(verdict, faults[0], covered, unknown)
    return ChainsVerdict(Verdict.INTACT, None, covered, unknown)


class _Protection:
    """What the first time-stamp of a chain must have of an object, and what it has."""

    def __init__(self, record: EvidenceRecord, number: int) -> None:
        chain = record.chains[number]
        self.algorithm = chain.digest_algorithm
        self.leaves = leaves(chain.timestamps[0])
        self._joined = chain.previous if record.joined else None

    def leaf(self, digest: bytes) -> bytes:
        """The hash h of an object, in a renewed tree H(h ‖ ha): in this order, whatever figure 4 shows."""
        return digest if self._joined is None else hashed(self.algorithm, digest, self._joined)


def _fault(item: DataObject, protection: Sequence[_Protection]) -> Fault | None:
    """Why an object is not covered by all chains, if it is not."""
    for number, part in enumerate(protection):
        digest = item.digests.get(part.algorithm)
        if digest is None:
            algorithm = part.algorithm or "an unknown algorithm"
            return Fault(Check.OBJECT_DIGEST, f"the digest of {item.name} by {algorithm} was not given")
        if part.leaf(digest) not in part.leaves:
            if number == 0:
                return Fault(Check.OBJECT_COVERED, f"{item.name} is not covered")
            sentence = f"{item.name} is missing from the renewed hash tree of chain {number + 1}"
            return Fault(Check.HASH_TREE_RENEWAL, sentence)
    return None


def _record_fault(record: EvidenceRecord) -> Fault | None:
    """The first thing that is wrong with the record whatever objects it is about."""
    for number, chain in enumerate(record.chains, 1):
        for place, stamp in enumerate(chain.timestamps, 1):
            where = f"time-stamp {place} of chain {number}"
            if stamp.digest_algorithm != chain.digest_algorithm:
                return Fault(Check.DIGEST_ALGORITHM, f"chain {number} has more than one digest algorithm")
            fault = hash_tree_fault(stamp, where)
            if fault:
                return fault
        if not record.joined and chain.previous not in (None, *leaves(chain.timestamps[0])):
            return Fault(Check.HASH_TREE_RENEWAL, f"chain {number} is not over the chains before it")
    for earlier, later in pairwise(record.timestamps):
        if later.time < earlier.time:
            return Fault(Check.TIME_ORDER, "a time-stamp is earlier than the one that it renews")
    return None
