"""The hash tree of an archive time-stamp, whose root its token must state (RFC 4998 §4.3)."""

from pecete.evidence.evidence_check_words import Check, Fault
from pecete.evidence.evidence_record import ArchiveTimestamp, Renewal, hashed


def leaves(stamp: ArchiveTimestamp) -> frozenset[bytes]:
    """The hashes that stand for what is protected: the first list, or without lists what was time-stamped."""
    return frozenset(stamp.hash_lists[0] if stamp.hash_lists else (stamp.facts.digest,))


def hash_tree_fault(stamp: ArchiveTimestamp, where: str) -> Fault | None:
    """What is wrong between an archive time-stamp's hash lists and its token, if anything is."""
    if not stamp.digest_algorithm:
        return Fault(Check.DIGEST_ALGORITHM, f"the digest algorithm of {where} is not known")
    if stamp.facts.digest_algorithm != stamp.digest_algorithm:
        return Fault(Check.DIGEST_ALGORITHM, f"{where} has another digest algorithm than its hash tree")
    length = len(hashed(stamp.digest_algorithm))
    if any(len(each) != length for part in stamp.hash_lists or () for each in part):
        return Fault(Check.HASH_LENGTH, f"a hash in the lists of {where} has a length that no digest has")
    if stamp.hash_lists and stamp.facts.digest not in _roots(stamp.digest_algorithm, stamp.hash_lists):
        return Fault(Check.MESSAGE_IMPRINT, f"the imprint of {where} is not the root of its hash tree")
    if stamp.renewal is Renewal.TIMESTAMP and stamp.previous not in leaves(stamp):
        return Fault(Check.TIMESTAMP_RENEWAL, f"{where} is not over the time-stamp before it")
    return None


def _roots(algorithm: str, hash_lists: tuple[tuple[bytes, ...], ...]) -> set[bytes]:
    """What the lists can give.

    Each list is sorted, joined and hashed, and the result is a member of the next. RFC 4998 does not say
    whether a hash that is alone in the first list is hashed again: both are found, and both are read.
    """
    first, *later = hash_lists
    roots = {hashed(algorithm, *sorted(first)), *(first if len(first) == 1 else ())}
    for members in later:
        roots = {hashed(algorithm, *sorted((*members, root))) for root in roots}
    return roots
