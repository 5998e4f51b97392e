"""Proving a record: the proof that goes out, and the checks that the archive makes itself.

Both rest on `pecete.evidence`, so the archive judges by the same code as who checks its proofs offline.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from archive.checkpoint import covering_checkpoint
from archive.journal import first_entry, head, latest_entry, read_subtrees
from archive.log import inclusion_proof
from archive.objects import FileObjectStore
from archive.record import read_row
from pecete.errors import (
    DataLossError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)
from pecete.evidence.log_proof import leaf_hash, parse_entry, plain_row, verify_inclusion
from pecete.evidence.record_proof import RecordProof, verify_covered, verify_row


class Outcome(StrEnum):
    """Outcome of a check; PENDING: nothing to check against yet."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    PENDING = "PENDING"


@dataclass(frozen=True)
class RecordCheck:
    """One check, `fixity`, `row`, `journal` or `checkpoint`, and what it found, in a sentence."""

    check: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class RecordVerdict:
    """All checks of a record, by its resource name; it is proven intact when every one has passed."""

    record: str
    checks: tuple[RecordCheck, ...]


def record_proof(connection: Connection, name: str) -> RecordProof:
    """Give what proves a record offline.

    Raises NotFoundError RECORD_NOT_FOUND or JOURNAL_ENTRY_NOT_FOUND, FailedPreconditionError
    CHECKPOINT_PENDING until a checkpoint covers it, and DataLossError JOURNAL_NODE_MISSING.
    """
    row = read_row(connection, name)
    stored = first_entry(connection, name)
    checkpoint = covering_checkpoint(connection, stored.leaf_index)
    if checkpoint is None:
        raise FailedPreconditionError(
            "CHECKPOINT_PENDING", "No checkpoint covers the record yet; ask again in a while.", field="name"
        )
    read = partial(read_subtrees, connection)
    return RecordProof(
        record=plain_row(row),
        journal_entry=stored.entry,
        leaf_index=stored.leaf_index,
        tree_size=checkpoint.size,
        inclusion_proof=tuple(inclusion_proof(stored.leaf_index, checkpoint.size, read)),
        checkpoint=checkpoint.note,
        timestamp_token=checkpoint.timestamp_token,
    )


def verify_record(
    begin: Callable[[], AbstractContextManager[Connection]],
    store: FileObjectStore,
    name: str,
    *,
    public_key: Ed25519PublicKey,
    origin: str,
) -> RecordVerdict:
    """Check a record: its bytes, its row, its place in the journal and in a signed checkpoint.

    begin: opens a transaction, over before the bytes are read, which may take long. public_key and origin:
    the journal's. Raises NotFoundError RECORD_NOT_FOUND, and UnavailableError when the disk does not answer.
    """
    with begin() as connection:
        row = read_row(connection, name)
        proofs = (
            _check("row", "The record is as it was journalled.", lambda: _verify_row(connection, name, row)),
            _check("journal", "The journal's tree holds the entry.", lambda: _verify_entry(connection, name)),
            _check_checkpoint(connection, name, public_key, origin),
        )
    fixity = _check("fixity", "The kept bytes have the archived SHA-256.", lambda: _verify_bytes(store, row))
    return RecordVerdict(name, (fixity, *proofs))


def _check(check: str, holds: str, verify: Callable[[], object]) -> RecordCheck:
    try:
        verify()
    except (DataLossError, InternalError, InvalidArgumentError, NotFoundError) as error:
        return RecordCheck(check, Outcome.FAILED, f"{error.reason}: {error.message}")
    return RecordCheck(check, Outcome.PASSED, holds)


def _verify_bytes(store: FileObjectStore, row: Mapping[str, object]) -> None:
    sha256, size = row["sha256"], row["size_bytes"]
    if not isinstance(sha256, bytes) or store.verify(sha256.hex()).size != size:
        raise DataLossError("OBJECT_ALTERED", "The kept bytes are not as many as were archived.")


def _verify_row(connection: Connection, name: str, row: Mapping[str, object]) -> None:
    made = verify_row(row, first_entry(connection, name).entry)
    if parse_entry(latest_entry(connection, name).entry).row_sha256 != made.row_sha256:
        raise DataLossError("RECORD_ALTERED", "A later act has another record of this name.")


def _verify_entry(connection: Connection, name: str) -> None:
    stored = first_entry(connection, name)
    frontier = head(connection)
    proof = inclusion_proof(stored.leaf_index, frontier.size, partial(read_subtrees, connection))
    verify_inclusion(leaf_hash(stored.entry), stored.leaf_index, frontier.size, proof, frontier.root())


def _check_checkpoint(
    connection: Connection, name: str, public_key: Ed25519PublicKey, origin: str
) -> RecordCheck:
    try:
        return _check(
            "checkpoint",
            "A signed checkpoint covers the record.",
            lambda: verify_covered(record_proof(connection, name), public_key, origin),
        )
    except FailedPreconditionError as error:
        return RecordCheck("checkpoint", Outcome.PENDING, error.message)
