"""Documents are measured, cut into chunks, and received whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pecete.documents.v1.documents_pb2 import Document
from pecete.errors import DataLossError, InvalidArgumentError
from pecete.transfer import CHUNK, Reception, Upload

CONTENT = bytes(range(256)) * 2500


def described(content: bytes) -> Document:
    return Document(size_bytes=len(content), sha256=hashlib.sha256(content).digest())


@given(st.integers(0, 3 * CHUNK + 1))
def test_the_chunks_are_the_document(length: int) -> None:
    content = b"x" * length
    start, *chunks = Upload(content, "act", "id").messages()
    assert b"".join(message.chunk for message in chunks) == content
    assert all(0 < len(message.chunk) <= CHUNK for message in chunks)
    assert start.start.request_id == "id"
    assert start.start.metadata.size_bytes == length
    assert start.start.metadata.sha256 == hashlib.sha256(content).digest()


def test_a_file_travels_as_its_bytes_do(tmp_path: Path) -> None:
    file = tmp_path / "dispoziție.pdf"
    file.write_bytes(CONTENT)
    progress: list[tuple[int, int]] = []
    sent = list(Upload(file, "", "id").messages(lambda done, total: progress.append((done, total))))
    assert sent == list(Upload(CONTENT, "dispoziție.pdf", "id").messages())
    assert progress == [
        (CHUNK, len(CONTENT)),
        (2 * CHUNK, len(CONTENT)),
        (len(CONTENT), len(CONTENT)),
    ]


def test_every_try_begins_at_the_first_byte(tmp_path: Path) -> None:
    (tmp_path / "act").write_bytes(CONTENT)
    upload = Upload(tmp_path / "act", "", "id")
    first = upload.messages()
    next(first), next(first)
    assert b"".join(message.chunk for message in upload.messages()) == CONTENT


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"none\.pdf") as error:
        Upload(tmp_path / "none.pdf", "", "id")
    assert (error.value.reason, error.value.field) == ("FILE_UNREADABLE", "content")


def test_a_download_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "act.pdf"
    with Reception[Document](target) as reception:
        reception.take(described(CONTENT), b"")
        reception.take(None, CONTENT)
        assert not target.exists()
        assert reception.finish() == described(CONTENT)
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("received", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", b""])
def test_a_damaged_download_leaves_nothing(tmp_path: Path, received: bytes) -> None:
    target = tmp_path / "act.pdf"
    target.write_bytes(b"before")
    with pytest.raises(DataLossError, match="DOWNLOAD_DAMAGED"), Reception[Document](target) as reception:
        reception.take(described(CONTENT), b"")
        reception.take(None, received)
        reception.finish()
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "act.pdf"
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append((os.fstat(file).st_size, target.exists())))
    with Reception[Document](target) as reception:
        reception.take(described(CONTENT), b"")
        reception.take(None, CONTENT)
        reception.finish()
    assert seen == [(len(CONTENT), False)]


def test_bytes_before_their_description_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(DataLossError, match="DOWNLOAD_MALFORMED"),
        Reception[Document](tmp_path / "a") as reception,
    ):
        reception.take(None, b"x")
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidArgumentError, match=r"none/act\.pdf") as error,
        Reception[Document](tmp_path / "none" / "act.pdf"),
    ):
        pass
    assert (error.value.reason, error.value.field) == ("FILE_UNWRITABLE", "target")
