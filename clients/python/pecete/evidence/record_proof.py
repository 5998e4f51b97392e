"""The proof of an archive record, checked offline: bytes, record, journal entry, checkpoint, time-stamp.

What it shows: these bytes and this descriptive record stood in the journal that the city hall signed, and,
with a trusted time-stamp, since when at the latest. The city hall's journal key must be known from elsewhere.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pecete.errors import DataLossError, InvalidArgumentError
from pecete.evidence.log_proof import (
    Checkpoint,
    JournalEntry,
    leaf_hash,
    parse_entry,
    row_sha256,
    verify_checkpoint,
    verify_inclusion,
)
from pecete.evidence.timestamp import verify_timestamp_token

VERSION = 1
_ARCHIVE_ACT = "record.archive"
_FIELDS = {
    "version": int,
    "record": dict,
    "journal_entry": str,
    "leaf_index": int,
    "tree_size": int,
    "inclusion_proof": list,
    "checkpoint": str,
}


@dataclass(frozen=True)
class RecordProof:
    """What proves a record.

    record: the archive's row, with `id`, `sha256` (hex), `size_bytes` and `descriptive_record` (JSON) among
    its columns. journal_entry: bytes that the leaf hash covers. inclusion_proof: RFC 9162 §2.1.3, in the tree
    of `tree_size` leaves. checkpoint: C2SP signed note. timestamp_token: RFC 3161 token (DER) over the
    SHA-256 of the note, None while there is none.
    """

    record: Mapping[str, str | int | None]
    journal_entry: bytes
    leaf_index: int
    tree_size: int
    inclusion_proof: tuple[bytes, ...]
    checkpoint: str
    timestamp_token: bytes | None

    def to_json(self) -> str:
        """Give the proof as JSON for people to keep; `parse_record_proof` reads it."""
        token = self.timestamp_token
        fields = {
            "version": VERSION,
            "record": dict(self.record),
            "journal_entry": self.journal_entry.decode(),
            "leaf_index": self.leaf_index,
            "tree_size": self.tree_size,
            "inclusion_proof": [b64encode(node).decode() for node in self.inclusion_proof],
            "checkpoint": self.checkpoint,
            "timestamp_token": None if token is None else b64encode(token).decode(),
        }
        return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"


@dataclass(frozen=True)
class RecordProofVerdict:
    """What a proof that holds says.

    record: resource name. sha256: of the document, hex. descriptive_record: the thirteen fields.
    archive_time: when the journal says it was archived; archivist: by whom. checkpoint: the signed tree head.
    existed_by: genTime of the trusted time-stamp over the checkpoint, None when no trust anchor was given.
    """

    record: str
    sha256: str
    descriptive_record: Mapping[str, object]
    archive_time: datetime
    archivist: str
    checkpoint: Checkpoint
    existed_by: datetime | None


def verify_record_proof(
    proof_json: str | bytes,
    data: Path | bytes,
    *,
    journal_key: bytes,
    origin: str,
    trust: Sequence[bytes] = (),
    at: datetime | None = None,
) -> RecordProofVerdict:
    """Check a proof against the document it is about; whatever does not hold is raised.

    data: the document, as a file or its bytes. journal_key: the journal's Ed25519 public key, PEM. origin:
    the journal's name, such as `primaria.example.ro/journal`. trust: certificates (DER) that time-stamping
    authorities are trusted by; when given, the checkpoint must have a time-stamp that they vouch for at the
    aware time `at` (None: now).

    Raises InvalidArgumentError RECORD_PROOF_MALFORMED, JOURNAL_KEY_INVALID or DOCUMENT_UNREADABLE,
    DataLossError DOCUMENT_ALTERED, RECORD_ALTERED, JOURNAL_ENTRY_DIFFERS, TREE_SIZE_DIFFERS,
    INCLUSION_PROOF_INVALID or TIMESTAMP_MISSING, and what `parse_entry`, `verify_checkpoint` and
    `verify_timestamp_token` raise.
    """
    proof = parse_record_proof(proof_json)
    entry = verify_row(proof.record, proof.journal_entry)
    if entry.index != proof.leaf_index:
        raise DataLossError("JOURNAL_ENTRY_DIFFERS", "The journal entry has another leaf index.")
    checkpoint = verify_covered(proof, load_journal_key(journal_key), origin)
    _verify_document(proof.record, data)
    return RecordProofVerdict(
        record=entry.resource,
        sha256=str(proof.record["sha256"]),
        descriptive_record=_descriptive_record(proof.record),
        archive_time=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=entry.time),
        archivist=entry.actor,
        checkpoint=checkpoint,
        existed_by=_verify_timestamp(proof, trust, at or datetime.now(UTC)) if trust else None,
    )


def parse_record_proof(proof_json: str | bytes) -> RecordProof:
    """Read a proof. Raises InvalidArgumentError RECORD_PROOF_MALFORMED."""
    try:
        fields = json.loads(proof_json)
        _check_shape(fields)
        token = fields["timestamp_token"]
        proof = tuple(b64decode(node, validate=True) for node in fields["inclusion_proof"])
        return RecordProof(
            record=fields["record"],
            journal_entry=fields["journal_entry"].encode(),
            leaf_index=fields["leaf_index"],
            tree_size=fields["tree_size"],
            inclusion_proof=proof,
            checkpoint=fields["checkpoint"],
            timestamp_token=None if token is None else b64decode(token, validate=True),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidArgumentError(
            "RECORD_PROOF_MALFORMED", "The record's proof cannot be read.", field="proof"
        ) from error


def _check_shape(fields: object) -> None:
    if not isinstance(fields, dict) or fields.keys() != _FIELDS.keys() | {"timestamp_token"}:
        raise ValueError("fields")
    if any(type(fields[name]) is not kind for name, kind in _FIELDS.items()):
        raise TypeError("types")
    if fields["version"] != VERSION:
        raise ValueError("version")
    if any(type(value) not in (str, int, type(None)) for value in fields["record"].values()):
        raise TypeError("record")


def verify_row(row: Mapping[str, object], journal_entry: bytes) -> JournalEntry:
    """Check that a record's row is the one that its journal entry was written for; give the entry.

    Raises DataLossError RECORD_ALTERED or JOURNAL_ENTRY_DIFFERS, and as `parse_entry` and `row_sha256` do.
    """
    entry = parse_entry(journal_entry)
    if entry.act != _ARCHIVE_ACT or entry.resource != f"records/{row.get('id')}":
        raise DataLossError("JOURNAL_ENTRY_DIFFERS", "The journal entry is not of this record's archiving.")
    if entry.row_sha256 != row_sha256(row).hex():
        raise DataLossError("RECORD_ALTERED", "The record is not the one that was journalled.")
    return entry


def verify_covered(proof: RecordProof, journal_key: Ed25519PublicKey, origin: str) -> Checkpoint:
    """Check that a signed checkpoint covers the journal entry; give the checkpoint.

    Raises DataLossError TREE_SIZE_DIFFERS, and what `verify_checkpoint` and `verify_inclusion` raise.
    """
    checkpoint = verify_checkpoint(proof.checkpoint, journal_key, origin)
    if checkpoint.size != proof.tree_size:
        raise DataLossError(
            "TREE_SIZE_DIFFERS", "The inclusion proof is for another tree than the checkpoint."
        )
    verify_inclusion(
        leaf_hash(proof.journal_entry),
        proof.leaf_index,
        proof.tree_size,
        proof.inclusion_proof,
        checkpoint.root,
    )
    return checkpoint


def load_journal_key(pem: bytes) -> Ed25519PublicKey:
    """Read a journal's public key. Raises InvalidArgumentError JOURNAL_KEY_INVALID."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidArgumentError(
            "JOURNAL_KEY_INVALID", "The journal's key is not an Ed25519 public key.", field="journal_key"
        )
    return key


def _verify_document(record: Mapping[str, object], data: Path | bytes) -> None:
    if _sha256(data) != record.get("sha256"):
        raise DataLossError("DOCUMENT_ALTERED", "The document's bytes are not those that were archived.")


def _sha256(data: Path | bytes) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    try:
        with data.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidArgumentError(
            "DOCUMENT_UNREADABLE", "The document's file cannot be read.", field="data"
        ) from error


def _verify_timestamp(proof: RecordProof, trust: Sequence[bytes], at: datetime) -> datetime:
    """Check the time-stamp of the checkpoint and give its genTime."""
    if proof.timestamp_token is None:
        raise DataLossError("TIMESTAMP_MISSING", "The checkpoint has no time-stamp yet.")
    note = proof.checkpoint.encode()
    return verify_timestamp_token(proof.timestamp_token, data=note, trust=trust, at=at).gen_time


def _descriptive_record(record: Mapping[str, object]) -> Mapping[str, object]:
    try:
        fields = json.loads(str(record.get("descriptive_record")))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise InvalidArgumentError(
            "RECORD_PROOF_MALFORMED", "The descriptive record cannot be read.", field="proof"
        )
    return fields
