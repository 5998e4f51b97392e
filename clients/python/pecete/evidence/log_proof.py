"""Proofs from the journal: its entries, its Merkle tree (RFC 9162 §2.1) and its signed checkpoints.

Everything here is pure and works offline; the service uses the same functions for what it makes.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pecete.errors import DataLossError, InternalError, InvalidArgumentError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of a tree without leaves (RFC 9162 §2.1.1)."""

_ED25519_NOTE_KEY = b"\x01"
_SIGNATURE_MARK = "\u2014 "
_CANONICAL = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry as a leaf (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees' roots into their parent's (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(
    leaf: bytes, leaf_index: int, tree_size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` stands at `leaf_index` in the tree with this size and root.

    RFC 9162 §2.1.3.2. Raises DataLossError INCLUSION_PROOF_INVALID.
    """
    fault = DataLossError("INCLUSION_PROOF_INVALID", "The entry is not proven to be in the journal.")
    if not 0 <= leaf_index < tree_size or not _are_hashes(proof):
        raise fault
    index, last, computed = leaf_index, tree_size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise fault
        if index & 1 or index == last:
            computed = node_hash(sibling, computed)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        index, last = index >> 1, last >> 1
    if last or computed != root:
        raise fault


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the new tree only appends to the old one (RFC 9162 §2.1.4.2).

    An empty old tree is consistent with every tree, a tree with itself; both proofs are empty.
    Raises DataLossError CONSISTENCY_PROOF_INVALID.
    """
    fault = DataLossError("CONSISTENCY_PROOF_INVALID", "The journal is not proven to have only grown.")
    if not 0 <= old_size <= new_size or not _are_hashes(proof):
        raise fault
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise fault
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path or (old_root, new_root) != _roots_on_consistency_path(old_size, new_size, path):
        raise fault


def _are_hashes(proof: Sequence[bytes]) -> bool:
    """Say whether each node has a hash's length: others could move the border between two of them."""
    return all(len(node) == HASH_SIZE for node in proof)


def _roots_on_consistency_path(
    old_size: int, new_size: int, path: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Give the roots of the old and the new tree that `path` leads to, None when its length is wrong."""
    old, new = old_size - 1, new_size - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    old_root = new_root = path[0]
    for node in path[1:]:
        if new == 0:
            return None
        if old & 1 or old == new:
            old_root, new_root = node_hash(node, old_root), node_hash(node, new_root)
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            new_root = node_hash(new_root, node)
        old, new = old >> 1, new >> 1
    return None if new else (old_root, new_root)


def canonical_json(value: object) -> bytes:
    """Write JSON in one way only: keys sorted, no spaces, UTF-8.

    For text, integers, null and containers of them (all that rows and entries hold, with ASCII keys) this
    is RFC 8785. Raises InvalidArgumentError TEXT_NOT_UNICODE for a lone surrogate.
    """
    try:
        return _CANONICAL.encode(value).encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("TEXT_NOT_UNICODE", "The text has a lone surrogate.") from error


def plain_row(row: Mapping[str, object]) -> dict[str, str | int | None]:
    """Give a table row as JSON can hold it: bytes as lower-case hex, the rest as it is.

    Raises InternalError ROW_VALUE_UNSUPPORTED for a value that is not str, int, bytes or None.
    """
    return {column: _plain_value(column, value) for column, value in row.items()}


def _plain_value(column: str, value: object) -> str | int | None:
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, str) or type(value) is int:
        return value
    raise InternalError("ROW_VALUE_UNSUPPORTED", f"Column {column} holds a {type(value).__name__}.")


def row_sha256(row: Mapping[str, object]) -> bytes:
    """Digest a table row: SHA-256 of the canonical JSON of `plain_row`. Raises as these two do."""
    return hashlib.sha256(canonical_json(plain_row(row))).digest()


@dataclass(frozen=True)
class JournalEntry:
    """One act as the journal holds it; `to_bytes` is what its leaf hash covers.

    index: its leaf index. time: microseconds since the epoch, UTC. actor, act, resource, request_id: who
    did what to which resource name under which request. digest: hex of the hash of the bytes concerned.
    row_sha256: hex of `row_sha256` of the row that the act left, None where it left none.
    """

    index: int
    time: int
    actor: str
    act: str
    resource: str
    request_id: str
    digest: str | None
    row_sha256: str | None

    def to_bytes(self) -> bytes:
        """Give the entry as canonical JSON."""
        return canonical_json(vars(self))


_ENTRY_TYPES: dict[str, tuple[type, ...]] = {
    "index": (int,),
    "time": (int,),
    "actor": (str,),
    "act": (str,),
    "resource": (str,),
    "request_id": (str,),
    "digest": (str, type(None)),
    "row_sha256": (str, type(None)),
}


def parse_entry(entry: bytes) -> JournalEntry:
    """Read the bytes of an entry. Raises InvalidArgumentError JOURNAL_ENTRY_MALFORMED unless canonical."""
    fault = InvalidArgumentError("JOURNAL_ENTRY_MALFORMED", "The journal entry cannot be read.")
    try:
        fields = json.loads(entry)
    except (ValueError, RecursionError) as error:
        raise fault from error
    if not isinstance(fields, dict) or fields.keys() != _ENTRY_TYPES.keys():
        raise fault
    if any(type(value) not in _ENTRY_TYPES[name] for name, value in fields.items()):
        raise fault
    parsed = JournalEntry(**fields)
    if parsed.to_bytes() != entry:
        raise fault
    return parsed


@dataclass(frozen=True)
class Checkpoint:
    """The journal's tree at one size (C2SP tlog-checkpoint): origin, number of leaves, root hash."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """Give the note text that is signed, with its final newline."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def check_origin(origin: str) -> None:
    """Check a journal's origin, which is also its key name (C2SP signed-note).

    Raises InvalidArgumentError ORIGIN_INVALID.
    """
    if not origin or "+" in origin or not origin.isprintable() or any(letter.isspace() for letter in origin):
        raise InvalidArgumentError(
            "ORIGIN_INVALID",
            "An origin has neither spaces nor '+', such as example.ro/journal.",
            field="origin",
        )


def key_id(origin: str, public_key: Ed25519PublicKey) -> bytes:
    """Give the 4 octets that tell which key signed a note (C2SP signed-note, Ed25519)."""
    key = public_key.public_bytes_raw()
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519_NOTE_KEY + key).digest()[:4]


def signature_line(origin: str, public_key: Ed25519PublicKey, signature: bytes) -> str:
    """Give the line that carries an Ed25519 signature of 64 octets under a note text (C2SP signed-note)."""
    return f"{_SIGNATURE_MARK}{origin} {b64encode(key_id(origin, public_key) + signature).decode()}\n"


def verify_checkpoint(note: str, public_key: Ed25519PublicKey, origin: str) -> Checkpoint:
    """Check a signed checkpoint and give what it says; signatures of other keys are passed over.

    C2SP tlog-checkpoint and signed-note. Raises InvalidArgumentError CHECKPOINT_MALFORMED,
    DataLossError CHECKPOINT_ORIGIN_DIFFERS, CHECKPOINT_SIGNATURE_INVALID or, when no line is by this key,
    CHECKPOINT_UNSIGNED.
    """
    text, separator, signatures = note.rpartition("\n\n")
    text += "\n"
    if not separator or not signatures.endswith("\n") or not _is_note(note):
        raise _malformed_checkpoint()
    checkpoint = _parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise DataLossError("CHECKPOINT_ORIGIN_DIFFERS", "The checkpoint is of another journal.")
    ours = [
        signature
        for name, key, signature in _signatures(signatures)
        if name == origin and key == key_id(origin, public_key)
    ]
    if not ours:
        raise DataLossError("CHECKPOINT_UNSIGNED", "The checkpoint is not signed by the journal's key.")
    for signature in ours:
        try:
            public_key.verify(signature, text.encode())
        except InvalidSignature as error:
            raise DataLossError(
                "CHECKPOINT_SIGNATURE_INVALID", "The checkpoint's signature does not fit its text."
            ) from error
    return checkpoint


def _is_note(note: str) -> bool:
    """Say whether the text is UTF-8 without control characters other than newline (C2SP signed-note)."""
    try:
        octets = note.encode()
    except UnicodeEncodeError:
        return False
    return all(octet >= 0x20 or octet == 0x0A for octet in octets)


def _parse_checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines) or not _DECIMAL.fullmatch(lines[1]):
        raise _malformed_checkpoint()
    root = _base64(lines[2])
    if len(root) != HASH_SIZE:
        raise _malformed_checkpoint()
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def _signatures(lines: str) -> Iterable[tuple[str, bytes, bytes]]:
    for line in lines.split("\n")[:-1]:
        name, _, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
        decoded = _base64(encoded)
        if not line.startswith(_SIGNATURE_MARK) or not name or len(decoded) < 5:
            raise _malformed_checkpoint()
        yield name, decoded[:4], decoded[4:]


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise _malformed_checkpoint() from error


def _malformed_checkpoint() -> InvalidArgumentError:
    return InvalidArgumentError("CHECKPOINT_MALFORMED", "The checkpoint cannot be read.", field="checkpoint")
