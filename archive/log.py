"""The journal's Merkle tree (RFC 9162 §2.1): growing it leaf by leaf and proving what it holds.

Every leaf completes a number of perfect subtrees: itself, and one level more for each trailing 1 bit of its
index. Their roots are kept beside the leaf, so every perfect subtree of the tree is found at its last leaf,
and a proof in a tree of 10^8 leaves takes some thirty reads by key.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pecete.errors import DataLossError, InvalidArgumentError
from pecete.evidence.log_proof import EMPTY_ROOT, HASH_SIZE, node_hash


class Subtree(NamedTuple):
    """A perfect subtree: the 2**level leaves from position * 2**level on."""

    level: int
    position: int

    @property
    def last_leaf(self) -> int:
        """Index of the leaf that completes it."""
        return ((self.position + 1) << self.level) - 1


ReadSubtrees = Callable[[Sequence[Subtree]], Mapping[Subtree, bytes]]
"""Gives the roots of the subtrees asked for; raises DataLossError when one is missing."""


@dataclass(frozen=True)
class Frontier:
    """A tree from which only the roots of its perfect subtrees are kept, the largest (leftmost) first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> tuple["Frontier", tuple[bytes, ...]]:
        """Add a leaf hash; give the grown tree and the roots that the leaf completes, level 0 first."""
        completed = [leaf]
        peaks = list(self.peaks)
        rest = self.size
        while rest & 1:
            completed.append(node_hash(peaks.pop(), completed[-1]))
            rest >>= 1
        return Frontier(self.size + 1, (*peaks, completed[-1])), tuple(completed)

    def root(self) -> bytes:
        """Give the root hash."""
        return _fold(self.peaks)

    def to_bytes(self) -> bytes:
        """Give the peaks one after the other, 32 octets each."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: object, peaks: object) -> "Frontier":
        """Read what `to_bytes` gave. Raises DataLossError JOURNAL_HEAD_MALFORMED."""
        if not isinstance(size, int) or not isinstance(peaks, bytes):
            raise _malformed_head()
        if size < 0 or len(peaks) != size.bit_count() * HASH_SIZE:
            raise _malformed_head()
        return cls(size, split_hashes(peaks))


def _malformed_head() -> DataLossError:
    return DataLossError("JOURNAL_HEAD_MALFORMED", "The head of the journal cannot be read.")


def split_hashes(joined: bytes) -> tuple[bytes, ...]:
    """Cut a run of hashes into its members, 32 octets each."""
    return tuple(joined[start : start + HASH_SIZE] for start in range(0, len(joined), HASH_SIZE))


def tree_root(size: int, read: ReadSubtrees) -> bytes:
    """Give the root of the tree of the first `size` leaves."""
    subtrees = perfect_subtrees(0, size)
    roots = read(subtrees)
    return _fold([roots[subtree] for subtree in subtrees])


def inclusion_proof(leaf_index: int, tree_size: int, read: ReadSubtrees) -> list[bytes]:
    """Prove that a leaf is in the tree of the first `tree_size` leaves (RFC 9162 §2.1.3.1).

    Raises InvalidArgumentError LEAF_NOT_IN_TREE.
    """
    if not 0 <= leaf_index < tree_size:
        raise InvalidArgumentError("LEAF_NOT_IN_TREE", "The tree has no such leaf.", field="leaf_index")
    ranges: list[tuple[int, int]] = []
    start, end = 0, tree_size
    while end - start > 1:
        split = start + _left_width(end - start)
        if leaf_index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return _range_roots(reversed(ranges), read)


def consistency_proof(old_size: int, new_size: int, read: ReadSubtrees) -> list[bytes]:
    """Prove that the tree of `new_size` leaves only appends to that of `old_size` (RFC 9162 §2.1.4.1).

    Empty for an empty old tree and for two equal sizes. Raises InvalidArgumentError TREE_SIZES_INVALID.
    """
    if not 0 <= old_size <= new_size:
        raise InvalidArgumentError("TREE_SIZES_INVALID", "The old tree is larger than the new one.")
    if old_size == 0:
        return []
    ranges: list[tuple[int, int]] = []
    start, end, whole = 0, new_size, True
    while end != old_size:
        split = start + _left_width(end - start)
        if old_size <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start, whole = split, False
    if not whole:
        ranges.append((start, end))
    return _range_roots(reversed(ranges), read)


def _left_width(leaves: int) -> int:
    """Largest power of two below `leaves`: how many of them stand in the left subtree (RFC 9162 §2.1.1)."""
    return 1 << ((leaves - 1).bit_length() - 1)


def perfect_subtrees(start: int, end: int) -> list[Subtree]:
    """Cut a subtree's leaves into perfect subtrees, the largest first.

    `start` is a multiple of the largest one's width, as in every range of RFC 9162's recursions.
    """
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append(Subtree(level, start >> level))
        start += 1 << level
    return subtrees


def _range_roots(ranges: Iterable[tuple[int, int]], read: ReadSubtrees) -> list[bytes]:
    """Give the root over each range of leaves, with one read for all of them."""
    parts = [perfect_subtrees(start, end) for start, end in ranges]
    roots = read([subtree for part in parts for subtree in part])
    return [_fold([roots[subtree] for subtree in part]) for part in parts]


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Give the root over perfect subtrees that stand side by side, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root
