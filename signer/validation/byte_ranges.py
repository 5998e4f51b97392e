"""What signatures of a PDF cover: the reading of /ByteRange (ISO 32000-2 §12.8.1), and the digests of it."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from signer.validation.pdf.aftermath import ByteRange
from signer.validation.pdf.mapped import Buffer, blocks
from signer.validation.pdf.values import Value

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""(start, length) of each."""
_WHOLE: Ranges = ()


@dataclass(frozen=True)
class Coverage:
    """What a /ByteRange says: its ranges as (start, length), and its strict reading if it has one.

    strict: where the ranges are the whole file, up to the end of a revision, around a gap that holds exactly
    the signature's /Contents.
    """

    ranges: Ranges
    strict: ByteRange | None = None
    beyond_file: bool = False

    @property
    def end(self) -> int:
        """Position after the last byte that is covered."""
        return max((start + length for start, length in self.ranges), default=0)

    @property
    def is_common(self) -> bool:
        """Whether it begins with the first byte and breaks off once, all within the file."""
        if len(self.ranges) != 2 or self.beyond_file:
            return False
        (start, length), (after, _) = self.ranges
        return start == 0 and length <= after

    @property
    def overlaps(self) -> bool:
        """Whether a byte is covered twice."""
        return any(start + length > after for (start, length), (after, _) in pairwise(sorted(self.ranges)))


def read_coverage(data: Buffer, numbers: Value, contents: bytes) -> Coverage:
    """The coverage of a signature with this /ByteRange and /Contents.

    Whatever even list of numbers within the file is hashed; only the standard form is strict.
    """
    known = [n for n in numbers if isinstance(n, int) and n >= 0] if isinstance(numbers, list) else []
    if not isinstance(numbers, list) or len(known) != len(numbers) or not known or len(known) % 2:
        return Coverage(())
    ranges = tuple(zip(known[::2], known[1::2], strict=True))
    if any(start + length > len(data) for start, length in ranges):
        return Coverage(ranges, beyond_file=True)
    return Coverage(ranges, _strict(data, ranges, contents))


def _strict(data: Buffer, ranges: Ranges, contents: bytes) -> ByteRange | None:
    if len(ranges) != 2 or ranges[0][0] != 0 or ranges[0][1] >= ranges[1][0]:
        return None
    gap_start, gap_end = ranges[0][1], ranges[1][0]
    if gap_end - gap_start != 2 * len(contents) + 2:
        return None
    if data[gap_start : gap_start + 1] != b"<" or data[gap_end - 1 : gap_end] != b">":
        return None
    try:
        held = bytes.fromhex(data[gap_start + 1 : gap_end - 1].decode("ascii"))
    except ValueError:
        return None
    return ByteRange(gap_start, gap_end, gap_end + ranges[1][1]) if held == contents else None


class RangeDigests:
    """Digests of the byte ranges of many signatures of one file.

    Nearly all begin at the first byte and break off once. For each algorithm asked for, the file is read once
    from end to end: where a gap begins the running state is copied, and each copy goes on after its gap.
    """

    def __init__(self, data: Buffer, coverages: Iterable[Coverage]) -> None:
        self._data = data
        self._common = {coverage.ranges for coverage in coverages if coverage.is_common}
        self._digests: dict[str, dict[Ranges, bytes]] = {}

    def whole(self, name: str) -> bytes:
        """Digest of the whole file, by hashlib's name."""
        return self._of(name)[_WHOLE]

    def digest(self, coverage: Coverage, name: str) -> bytes | None:
        """Digest of what is covered, by hashlib's name; None where nothing is."""
        if not coverage.ranges:
            return None
        if coverage.beyond_file:
            return b""  # what is covered is not all there, so that no digest can match
        if coverage.ranges in self._common:
            return self._of(name)[coverage.ranges]
        hasher = hashlib.new(name, usedforsecurity=False)
        for start, length in coverage.ranges:
            for block in blocks(self._data, start, start + length):
                hasher.update(block)
        return hasher.digest()

    def _of(self, name: str) -> dict[Ranges, bytes]:
        if name not in self._digests:
            self._digests[name] = _one_pass(self._data, self._common, name)
        return self._digests[name]


def _one_pass(data: Buffer, common: set[Ranges], name: str) -> dict[Ranges, bytes]:
    """Digests of ranges of the common form, and of the whole file, in one walk through it."""
    whole, position = hashlib.new(name, usedforsecurity=False), 0
    begun: dict[Ranges, hashlib._Hash] = {}
    running: dict[Ranges, hashlib._Hash] = {}
    digests: dict[Ranges, bytes] = {}
    begins = _by_position(common, lambda ranges: ranges[0][1])
    resumes = _by_position(common, lambda ranges: ranges[1][0])
    ends = _by_position(common, lambda ranges: sum(ranges[1]))
    for turn in sorted(begins.keys() | resumes.keys() | ends.keys() | {len(data)}):
        for block in blocks(data, position, turn):
            whole.update(block)
            for hasher in running.values():
                hasher.update(block)
        position = turn
        begun.update((ranges, whole.copy()) for ranges in begins.get(turn, ()))
        running.update((ranges, begun.pop(ranges)) for ranges in resumes.get(turn, ()))
        digests.update((ranges, running.pop(ranges).digest()) for ranges in ends.get(turn, ()))
    return digests | {_WHOLE: whole.digest()}


def _by_position(common: set[Ranges], key: Callable[[Ranges], int]) -> dict[int, list[Ranges]]:
    found: dict[int, list[Ranges]] = {}
    for ranges in common:
        found.setdefault(key(ranges), []).append(ranges)
    return found
