"""Checkpoints as C2SP signed notes: against Go's published note, round trips and forgeries."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from archive.checkpoint import CheckpointSigner
from pecete.errors import DataLossError, InvalidArgumentError, PeceteError
from pecete.evidence.log_proof import Checkpoint, check_origin, key_id, signature_line, verify_checkpoint

ORIGIN = "primaria.example.ro/journal"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = CheckpointSigner(KEY, ORIGIN)
ROOT = bytes(range(32))
NOTE = SIGNER.sign(12, ROOT)


def test_round_trip() -> None:
    assert verify_checkpoint(NOTE, KEY.public_key(), ORIGIN) == Checkpoint(ORIGIN, 12, ROOT)
    lines = NOTE.split("\n")
    assert lines[:4] == [ORIGIN, "12", b64encode(ROOT).decode(), ""]
    assert lines[4].startswith(f"— {ORIGIN} ")
    assert lines[5:] == [""]


def test_the_published_note_of_go() -> None:
    """Verifier key, text and signature of the example in the documentation of golang.org/x/mod/sumdb/note."""
    name, key_hash, encoded = ["PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
    raw = b64decode(encoded)
    key = Ed25519PublicKey.from_public_bytes(raw[1:])
    assert raw[0] == 1
    assert key_id(name, key).hex() == key_hash
    line = (
        "— PeterNeumann "
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    answer = "If you think cryptography is the answer to your problem,"
    text = f"{answer}\nthen you don't know what your problem is.\n"
    signature = b64decode(line.split(" ")[2])[4:]
    key.verify(signature, text.encode())
    assert signature_line(name, key, signature) == line


def test_signatures_of_witnesses_are_passed_over() -> None:
    witness = Ed25519PrivateKey.from_private_bytes(bytes(32))
    line = signature_line("witness.example", witness.public_key(), witness.sign(b"whatever"))
    same_name = signature_line(ORIGIN, witness.public_key(), witness.sign(b"whatever"))
    assert verify_checkpoint(NOTE + line + same_name, KEY.public_key(), ORIGIN).size == 12


def test_extension_lines_are_signed_and_passed_over() -> None:
    text = Checkpoint(ORIGIN, 3, ROOT).to_text() + "extension\n"
    note = f"{text}\n{signature_line(ORIGIN, KEY.public_key(), KEY.sign(text.encode()))}"
    assert verify_checkpoint(note, KEY.public_key(), ORIGIN).size == 3


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (NOTE.replace("\n12\n", "\n13\n"), "CHECKPOINT_SIGNATURE_INVALID"),
        (NOTE.replace("\n12\n", "\n012\n"), "CHECKPOINT_MALFORMED"),
        (NOTE.replace("\n12\n", "\n-1\n"), "CHECKPOINT_MALFORMED"),
        (NOTE.replace("\n12\n", "\n١٢\n"), "CHECKPOINT_MALFORMED"),
        (NOTE.replace(b64encode(ROOT).decode(), b64encode(ROOT[1:]).decode()), "CHECKPOINT_MALFORMED"),
        (NOTE.replace(ORIGIN, "other.example/journal"), "CHECKPOINT_ORIGIN_DIFFERS"),
        (NOTE.split("\n\n")[0] + "\n\n", "CHECKPOINT_MALFORMED"),
        (NOTE.split("\n\n")[0] + "\n\n— x AAAAAAAA\n", "CHECKPOINT_UNSIGNED"),
        (NOTE[:-1], "CHECKPOINT_MALFORMED"),
        (NOTE.replace("—", "-"), "CHECKPOINT_MALFORMED"),
        (NOTE.replace("\n", "\r\n"), "CHECKPOINT_MALFORMED"),
        (NOTE + "— a\n", "CHECKPOINT_MALFORMED"),
        ("\ud800" + NOTE, "CHECKPOINT_MALFORMED"),
        ("", "CHECKPOINT_MALFORMED"),
    ],
)
def test_forgeries_are_refused(note: str, reason: str) -> None:
    with pytest.raises(PeceteError) as caught:
        verify_checkpoint(note, KEY.public_key(), ORIGIN)
    assert caught.value.reason == reason


def test_another_key_did_not_sign() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    with pytest.raises(DataLossError, match="CHECKPOINT_UNSIGNED"):
        verify_checkpoint(NOTE, other, ORIGIN)


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_any_changed_character_is_noticed(position: int, letter: str) -> None:
    changed = NOTE[:position] + letter + NOTE[position + 1 :]
    if changed == NOTE:
        return
    try:
        checkpoint = verify_checkpoint(changed, KEY.public_key(), ORIGIN)
    except PeceteError:
        return
    # Base64 ends in bits that mean nothing: another spelling of the same signature.
    assert checkpoint == Checkpoint(ORIGIN, 12, ROOT)
    assert changed[: NOTE.index("—")] == NOTE[: NOTE.index("—")]


@given(st.text())
def test_any_text_gives_a_typed_error(note: str) -> None:
    with pytest.raises(PeceteError):
        verify_checkpoint(note, KEY.public_key(), ORIGIN)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_origins_that_no_note_can_carry(origin: str) -> None:
    with pytest.raises(InvalidArgumentError, match="ORIGIN_INVALID"):
        check_origin(origin)
    with pytest.raises(InvalidArgumentError, match="ORIGIN_INVALID"):
        CheckpointSigner(KEY, origin)
