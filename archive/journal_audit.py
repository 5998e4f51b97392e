"""Checking the whole journal: every entry, every kept node of its tree, its head and its checkpoints."""

from collections.abc import Iterator, Sequence
from itertools import islice, product, starmap

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, select

from archive.finding import Finding, FindingKind, Progress, entries, readable
from archive.journal import head
from archive.log import Frontier, perfect_subtrees, split_hashes
from archive.scratch import Scratch
from archive.tables import checkpoints, journal
from pecete.errors import DataLossError, InvalidArgumentError
from pecete.evidence.log_proof import (
    EMPTY_ROOT,
    Checkpoint,
    JournalEntry,
    leaf_hash,
    node_hash,
    parse_entry,
    verify_checkpoint,
)
from pecete.evidence.timestamp import check_timestamp_integrity

_ROWS_AT_ONCE = 1000
_MAXIMUM_CANDIDATES = 16


class TreeAudit:
    """The tree recomputed from what is kept, where some of it may be gone or wrong.

    Of each perfect subtree all roots that come into question are carried on: none where leaves are missing,
    several where a kept node does not follow from its children. The next node up that follows from one of
    them, or a signed checkpoint, shows which was right.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[set[bytes]] = []

    def append(self, leaf: bytes, kept: Sequence[bytes]) -> list[int]:
        """Add a leaf hash with the hashes kept beside it; give the levels of those that do not follow."""
        levels = (~self.size & (self.size + 1)).bit_length() - 1
        wrong = [] if len(kept) == levels + 1 else [levels]
        node = {leaf, *kept[:1]}
        for level in range(1, levels + 1):
            node = _parents(self._peaks.pop(), node)
            for stored in kept[level : level + 1]:
                if node and stored not in node:
                    wrong.append(level)
                    node = {*node, stored}
                else:
                    node = {stored}
        self._peaks.append(node)
        self.size += 1
        return wrong

    def skip_to(self, size: int) -> None:
        """Go on as if there were leaves up to `size`, of which nothing is known."""
        known = dict(zip(perfect_subtrees(0, self.size), self._peaks, strict=True))
        self._peaks = [known.get(subtree, set()) for subtree in perfect_subtrees(0, size)]
        self.size = size

    def roots(self) -> set[bytes]:
        """Give the tree's roots that come into question; none while leaves are missing."""
        if not self._peaks:
            return {EMPTY_ROOT}
        roots = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            roots = _parents(peak, roots)
        return roots

    def may_be(self, frontier: Frontier) -> bool:
        """Say whether a frontier of the same size is the tree's, as far as this is known."""
        pairs = zip(frontier.peaks, self._peaks, strict=True)
        return all(peak in known or not known for peak, known in pairs)


def _parents(left: set[bytes], right: set[bytes]) -> set[bytes]:
    return set(islice(starmap(node_hash, product(left, right)), _MAXIMUM_CANDIDATES))


class JournalAudit:
    """One pass over the journal. `scratch` learns what each resource's row should be."""

    def __init__(
        self, connection: Connection, scratch: Scratch, public_key: Ed25519PublicKey, origin: str
    ) -> None:
        self._connection = connection
        self._scratch = scratch
        self._public_key = public_key
        self._origin = origin
        self._tree = TreeAudit()
        self._proven = 0
        self._rewritten = False
        self._signed = 0
        self._checkpoints = self._read_checkpoints()
        self._next = next(self._checkpoints, None)

    def run(self, progress: Progress) -> Iterator[Finding]:
        """Give what is wrong, and nothing when all is well."""
        query = select(journal).order_by(journal.c.leaf_index)
        for row in self._connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            yield from self._check_gap(row.leaf_index)
            yield from self._check_entry(row)
            yield from self._check_checkpoints()
            progress("journal", self._tree.size)
        yield from self._check_head()
        yield from self._check_remaining_checkpoints()

    def _check_gap(self, leaf_index: int) -> Iterator[Finding]:
        if leaf_index > self._tree.size:
            yield Finding(
                FindingKind.JOURNAL_ENTRY_REMOVED,
                entries(self._tree.size, leaf_index),
                "The journal goes on after a gap.",
            )
            self._tree.skip_to(leaf_index)
            yield from self._check_checkpoints()

    def _check_entry(self, row: Row[tuple[int, str, bytes, bytes]]) -> Iterator[Finding]:
        subject = entries(row.leaf_index, row.leaf_index + 1)
        if row.leaf_index < 0:
            yield Finding(FindingKind.JOURNAL_ENTRY_ADDED, subject, "No entry stands before the first.")
            return
        octets, kept = _octets(row.entry), split_hashes(_octets(row.node_hashes))
        try:
            entry = _read_entry(row.leaf_index, octets, kept)
        except (DataLossError, InvalidArgumentError) as error:
            self._scratch.expect_anything(readable(row.resource))
            yield Finding(FindingKind.JOURNAL_ENTRY_ALTERED, subject, error.message)
        else:
            self._scratch.expect_row(entry.resource, entry.row_sha256)
            if entry.resource != row.resource:
                yield Finding(
                    FindingKind.JOURNAL_ENTRY_ALTERED, subject, "The entry is filed under another resource."
                )
        for level in self._tree.append(leaf_hash(octets), kept):
            yield Finding(
                FindingKind.JOURNAL_TREE_ALTERED,
                entries(row.leaf_index >> level << level, row.leaf_index + 1),
                "The node kept over these entries does not follow from them.",
            )

    def _read_checkpoints(self) -> Iterator[tuple[int, Checkpoint | None, str]]:
        """Give size, verified content (None: altered) and what is wrong, by size."""
        query = select(checkpoints).order_by(checkpoints.c.size)
        for row in self._connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            try:
                yield row.size, self._read_checkpoint(row), ""
            except (DataLossError, InvalidArgumentError) as error:
                yield row.size, None, error.message

    def _read_checkpoint(self, row: Row[tuple[int, bytes, str, bytes | None, int]]) -> Checkpoint:
        checkpoint = verify_checkpoint(str(row.note), self._public_key, self._origin)
        if (checkpoint.size, checkpoint.root) != (row.size, row.root):
            raise DataLossError("CHECKPOINT_DIFFERS", "The signed note has another size or root.")
        if row.timestamp_token is not None:
            check_timestamp_integrity(_octets(row.timestamp_token), data=row.note.encode())
        return checkpoint

    def _check_checkpoints(self) -> Iterator[Finding]:
        """Check the checkpoints up to the tree's present size."""
        while self._next is not None and self._next[0] <= self._tree.size:
            yield from self._check_checkpoint(*self._next)
            self._next = next(self._checkpoints, None)

    def _check_checkpoint(self, size: int, checkpoint: Checkpoint | None, fault: str) -> Iterator[Finding]:
        if checkpoint is None:
            yield Finding(FindingKind.CHECKPOINT_ALTERED, f"checkpoints/{size}", fault)
            return
        self._signed = size
        roots = self._tree.roots()
        if size != self._tree.size or not roots:  # there is a gap, which was reported
            return
        if checkpoint.root in roots:
            self._proven = size
        elif not self._rewritten:
            self._rewritten = True
            yield Finding(
                FindingKind.JOURNAL_TREE_ALTERED,
                entries(self._proven, size),
                f"The signed root of checkpoints/{size} does not follow: the tree was rewritten here.",
            )

    def _check_head(self) -> Iterator[Finding]:
        try:
            frontier = head(self._connection)
        except DataLossError as error:
            yield Finding(FindingKind.JOURNAL_HEAD_ALTERED, "journal_head", error.message)
            return
        if frontier.size > self._tree.size:
            yield Finding(
                FindingKind.JOURNAL_ENTRY_REMOVED,
                entries(self._tree.size, frontier.size),
                "The head counts entries that are not there.",
            )
        elif frontier.size < self._signed:
            yield Finding(
                FindingKind.JOURNAL_HEAD_ALTERED, "journal_head", "The head is behind a checkpoint."
            )
        elif frontier.size < self._tree.size:
            yield Finding(
                FindingKind.JOURNAL_ENTRY_ADDED,
                entries(frontier.size, self._tree.size),
                "The head does not count these entries.",
            )
        elif not self._tree.may_be(frontier):
            yield Finding(
                FindingKind.JOURNAL_HEAD_ALTERED,
                "journal_head",
                "The head does not hold the tree's frontier.",
            )

    def _check_remaining_checkpoints(self) -> Iterator[Finding]:
        """Check the checkpoints of trees larger than the one that is left."""
        end = self._tree.size
        while self._next is not None:
            size, checkpoint, fault = self._next
            if checkpoint is None:
                yield Finding(FindingKind.CHECKPOINT_ALTERED, f"checkpoints/{size}", fault)
            else:
                end = size
            self._next = next(self._checkpoints, None)
        if end > self._tree.size:
            yield Finding(
                FindingKind.JOURNAL_ENTRY_REMOVED,
                entries(self._tree.size, end),
                f"The journal was cut off: checkpoints/{end} covers entries that are not there.",
            )


def _read_entry(leaf_index: int, octets: bytes, kept: Sequence[bytes]) -> JournalEntry:
    """Read an entry. Raises DataLossError JOURNAL_ENTRY_DIFFERS and what `parse_entry` raises."""
    entry = parse_entry(octets)
    if kept[:1] != (leaf_hash(octets),):
        raise DataLossError("JOURNAL_ENTRY_DIFFERS", "The entry does not have the leaf hash kept beside it.")
    if entry.index != leaf_index:
        raise DataLossError("JOURNAL_ENTRY_DIFFERS", "The entry was written for another place.")
    return entry


def _octets(value: object) -> bytes:
    """Give what a binary column holds; SQLite lets who edits it put anything there."""
    return value if isinstance(value, bytes) else b""
