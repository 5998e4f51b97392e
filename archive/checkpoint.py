"""Checkpoints of the journal: its tree head, signed (C2SP tlog-checkpoint), later time-stamped (RFC 3161).

Signing is one short transaction. A time-stamp comes from an authority, so it is fetched between two
transactions: `sizes_to_timestamp` says for which checkpoints, `timestamp_imprint` over what, and
`attach_timestamp` keeps it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update

from archive.journal import head, locked_head, microseconds, read_subtrees
from archive.log import consistency_proof
from archive.tables import checkpoints
from pecete.errors import DataLossError, NotFoundError
from pecete.evidence.log_proof import (
    Checkpoint,
    check_origin,
    signature_line,
    verify_checkpoint,
    verify_consistency,
)


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint as kept: tree size, root hash, signed note, and its time-stamp token once there is one."""

    size: int
    root: bytes
    note: str
    timestamp_token: bytes | None


class CheckpointSigner:
    """The journal's key (Ed25519) and the origin that it signs for, such as `primaria.example.ro/journal`.

    Raises InvalidArgumentError ORIGIN_INVALID.
    """

    def __init__(self, key: Ed25519PrivateKey, origin: str) -> None:
        check_origin(origin)
        self._key = key
        self.origin = origin
        self.public_key = key.public_key()

    def sign(self, size: int, root: bytes) -> str:
        """Give the signed note of a tree head (C2SP signed-note)."""
        text = Checkpoint(self.origin, size, root).to_text()
        return f"{text}\n{signature_line(self.origin, self.public_key, self._key.sign(text.encode()))}"


def size_to_sign(connection: Connection) -> int | None:
    """Give the journal's size when the last checkpoint does not cover it, None when nothing is due."""
    size = head(connection).size
    last = latest_checkpoint(connection)
    return size if size > (last.size if last else 0) else None


def sign_checkpoint(
    connection: Connection, signer: CheckpointSigner, now: datetime
) -> StoredCheckpoint | None:
    """Sign the journal's present head; give the last checkpoint unchanged when it covers all (None: empty).

    Never signs a journal that is not the last checkpoint's journal grown: raises DataLossError
    CHECKPOINT_BEYOND_JOURNAL, CONSISTENCY_PROOF_INVALID, JOURNAL_NODE_MISSING, or what `verify_checkpoint`
    and `locked_head` raise.
    """
    frontier = locked_head(connection)
    root = frontier.root()
    last = latest_checkpoint(connection)
    if last is not None:
        _check_growth(connection, signer, last, frontier.size, root)
    if frontier.size == (last.size if last else 0):
        return last
    note = signer.sign(frontier.size, root)
    connection.execute(
        insert(checkpoints).values(
            size=frontier.size, root=root, note=note, timestamp_token=None, create_time=microseconds(now)
        )
    )
    return StoredCheckpoint(frontier.size, root, note, None)


def _check_growth(
    connection: Connection, signer: CheckpointSigner, last: StoredCheckpoint, size: int, root: bytes
) -> None:
    signed = verify_checkpoint(last.note, signer.public_key, signer.origin)
    if signed.size > size:
        raise DataLossError("CHECKPOINT_BEYOND_JOURNAL", "The journal is shorter than its last checkpoint.")
    proof = consistency_proof(signed.size, size, partial(read_subtrees, connection))
    verify_consistency(signed.size, size, proof, signed.root, root)


def latest_checkpoint(connection: Connection) -> StoredCheckpoint | None:
    """Give the checkpoint of the largest tree, None when there is none."""
    row = connection.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).first()
    return None if row is None else StoredCheckpoint(row.size, row.root, row.note, row.timestamp_token)


def covering_checkpoint(connection: Connection, leaf_index: int) -> StoredCheckpoint | None:
    """Give the checkpoint that proves most about a leaf, None when none covers it.

    That is the first one with a time-stamp, as the leaf existed by then; else the last one.
    """
    covering = select(checkpoints).where(checkpoints.c.size > leaf_index).limit(1)
    stamped = covering.where(checkpoints.c.timestamp_token.is_not(None)).order_by(checkpoints.c.size)
    row = connection.execute(stamped).first()
    if row is None:
        row = connection.execute(covering.order_by(checkpoints.c.size.desc())).first()
    return None if row is None else StoredCheckpoint(row.size, row.root, row.note, row.timestamp_token)


def sizes_to_timestamp(connection: Connection, limit: int = 100) -> list[int]:
    """Give the sizes of checkpoints that have no time-stamp yet, the oldest first."""
    query = select(checkpoints.c.size).where(checkpoints.c.timestamp_token.is_(None))
    return list(connection.execute(query.order_by(checkpoints.c.size).limit(limit)).scalars())


def timestamp_imprint(connection: Connection, size: int) -> bytes | None:
    """Give the messageImprint (SHA-256 of the signed note) to be time-stamped, None when that is done.

    Raises NotFoundError CHECKPOINT_NOT_FOUND.
    """
    row = connection.execute(select(checkpoints).where(checkpoints.c.size == size)).first()
    if row is None:
        raise NotFoundError("CHECKPOINT_NOT_FOUND", "There is no checkpoint of this size.")
    return hashlib.sha256(row.note.encode()).digest() if row.timestamp_token is None else None


def attach_timestamp(connection: Connection, size: int, token: bytes) -> None:
    """Keep the TimeStampToken (DER) of a checkpoint; the first one stays.

    The caller has verified it against `timestamp_imprint`.
    """
    connection.execute(
        update(checkpoints)
        .where(checkpoints.c.size == size, checkpoints.c.timestamp_token.is_(None))
        .values(timestamp_token=token)
    )
