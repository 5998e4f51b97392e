"""What checking the whole archive can find."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Progress = Callable[[str, int], None]
"""Told after each item: `journal`, `rows` or `objects`, and how many are done."""


class FindingKind(StrEnum):
    """What is wrong with the subject. OBJECT_ORPHANED is no fault: its row may be on the way."""

    OBJECT_ALTERED = "OBJECT_ALTERED"
    OBJECT_UNREADABLE = "OBJECT_UNREADABLE"
    OBJECT_REMOVED = "OBJECT_REMOVED"
    OBJECT_ORPHANED = "OBJECT_ORPHANED"
    ROW_ALTERED = "ROW_ALTERED"
    ROW_REMOVED = "ROW_REMOVED"
    ROW_ADDED = "ROW_ADDED"
    ROW_UNPROVEN = "ROW_UNPROVEN"
    JOURNAL_ENTRY_ALTERED = "JOURNAL_ENTRY_ALTERED"
    JOURNAL_ENTRY_REMOVED = "JOURNAL_ENTRY_REMOVED"
    JOURNAL_ENTRY_ADDED = "JOURNAL_ENTRY_ADDED"
    JOURNAL_TREE_ALTERED = "JOURNAL_TREE_ALTERED"
    JOURNAL_HEAD_ALTERED = "JOURNAL_HEAD_ALTERED"
    CHECKPOINT_ALTERED = "CHECKPOINT_ALTERED"


@dataclass(frozen=True)
class Finding:
    """One thing found.

    subject: a resource name, the SHA-256 of an object in hex, `journal/7`, `journal/7-9` (both ends
    included), `journal_head` or `checkpoints/12` (by tree size). detail: a sentence.
    """

    kind: FindingKind
    subject: str
    detail: str

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong, rather than worth knowing."""
        return self.kind is not FindingKind.OBJECT_ORPHANED


def readable(name: object) -> str:
    """Give a name from the database as it can be noted and printed: octets that are no UTF-8 in hexadecimal.

    They come as surrogates (PEP 383) from a connection that gives them at all.
    """
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def entries(first: int, end: int) -> str:
    """Name the journal entries from `first` to before `end` as a subject."""
    return f"journal/{first}" if end == first + 1 else f"journal/{first}-{end - 1}"
