"""The file store: whole or absent, written once, safe to share."""

import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import objects
from archive.objects import FileObjectStore, StoredObject
from pecete.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)

CONTENT = b"Dispozitia primarului nr. 12"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(store: FileObjectStore, data: bytes) -> StoredObject:
    with store.writer(len(data)) as writer:
        writer.write(data)
        return writer.commit()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> FileObjectStore:
    return FileObjectStore(tmp_path / "new" / "store")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "store"


def test_put_and_read(store: FileObjectStore, root: Path) -> None:
    stored = put(store, CONTENT)
    assert stored == StoredObject(sha256(CONTENT), len(CONTENT))
    assert b"".join(store.chunks(stored.sha256)) == CONTENT
    assert store.size(stored.sha256) == len(CONTENT)
    assert store.verify(stored.sha256) == stored
    assert files(root) == [f"objects/{stored.sha256[:2]}/{stored.sha256}"]
    assert stat.S_IMODE(store.path(stored.sha256).stat().st_mode) == 0o440


def test_empty_object(store: FileObjectStore) -> None:
    assert put(store, b"") == StoredObject(sha256(b""), 0)
    assert list(store.chunks(sha256(b""))) == []


def test_chunks_are_bounded(store: FileObjectStore) -> None:
    data = os.urandom(objects.CHUNK_SIZE * 2 + 5)
    stored = put(store, data)
    chunks = list(store.chunks(stored.sha256))
    assert [len(chunk) for chunk in chunks] == [objects.CHUNK_SIZE, objects.CHUNK_SIZE, 5]
    assert b"".join(chunks) == data


def test_put_twice_keeps_the_first_and_marks_it(store: FileObjectStore, root: Path) -> None:
    stored = put(store, CONTENT)
    path = store.path(stored.sha256)
    long_ago = datetime(2001, 2, 3, tzinfo=UTC)
    os.utime(path, (long_ago.timestamp(), long_ago.timestamp()))
    assert store.last_put(stored.sha256) == long_ago
    inode = path.stat().st_ino
    assert put(store, CONTENT) == stored
    assert path.stat().st_ino == inode
    assert store.last_put(stored.sha256) - long_ago > timedelta(days=365)
    assert len(files(root)) == 1


def test_left_without_commit_leaves_nothing(store: FileObjectStore, root: Path) -> None:
    with store.writer(100) as writer:
        writer.write(CONTENT)
    with pytest.raises(RuntimeError), store.writer(100) as writer:
        writer.write(CONTENT)
        raise RuntimeError
    assert files(root) == []


def test_limit(store: FileObjectStore, root: Path) -> None:
    with (
        pytest.raises(ResourceExhaustedError, match="DOCUMENT_TOO_LARGE") as caught,
        store.writer(3) as writer,
    ):
        writer.write(b"abc")
        writer.write(b"d")
    assert caught.value.field == "document"
    assert files(root) == []


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, ResourceExhaustedError, "STORAGE_FULL"),
        (errno.EDQUOT, ResourceExhaustedError, "STORAGE_FULL"),
        (errno.EIO, UnavailableError, "STORAGE_FAILED"),
        (errno.ENOENT, UnavailableError, "STORAGE_FAILED"),
    ],
)
def test_disk_faults_leave_nothing(
    store: FileObjectStore,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[Exception],
    reason: str,
) -> None:
    def fail(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, pytest.raises(kind, match=reason):
        patch.setattr(os, call, fail)
        put(store, CONTENT)
    assert files(root) == []
    assert put(store, CONTENT).size == len(CONTENT)


def test_short_writes_are_completed(store: FileObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:3]))
    stored = put(store, CONTENT)
    assert store.verify(stored.sha256).size == len(CONTENT)


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_append(tmp_path_factory: pytest.TempPathFactory, base: bytes, tail: bytes) -> None:
    store = FileObjectStore(tmp_path_factory.mktemp("store"))
    appended = store.append_object(put(store, base).sha256, tail)
    assert appended == StoredObject(sha256(base + tail), len(base + tail))
    assert b"".join(store.chunks(appended.sha256)) == base + tail
    assert store.verify(sha256(base)).size == len(base)


def test_bytes_that_were_altered_on_disk_are_not_taken_for_those_stored_again(
    store: FileObjectStore,
) -> None:
    stored = put(store, CONTENT)
    path = store.path(stored.sha256)
    path.chmod(0o600)
    path.write_bytes(bytes(reversed(CONTENT)))
    with pytest.raises(DataLossError, match="OBJECT_ALTERED"):
        put(store, CONTENT)


def test_append_to_an_altered_base_is_refused(store: FileObjectStore, root: Path) -> None:
    stored = put(store, CONTENT)
    flip(store.path(stored.sha256))
    with pytest.raises(DataLossError, match="OBJECT_ALTERED"):
        store.append_object(stored.sha256, b"signature")
    assert len(files(root)) == 1


def test_many_are_appended_together_and_each_has_its_own_outcome(store: FileObjectStore, root: Path) -> None:
    good, altered = put(store, CONTENT), put(store, CONTENT + b"!")
    flip(store.path(altered.sha256))
    outcomes = store.append_objects(
        [(good.sha256, b"1"), (altered.sha256, b"2"), (sha256(b"absent"), b"3"), (good.sha256, b"1")]
    )
    assert outcomes[0] == outcomes[3] == StoredObject(sha256(CONTENT + b"1"), len(CONTENT) + 1)
    assert [type(error) for error in outcomes[1:3]] == [DataLossError, NotFoundError]
    assert store.verify(sha256(CONTENT + b"1"))
    assert len(files(root)) == 3


def test_many_are_flushed_before_they_are_named_and_again_after(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = put(store, CONTENT)
    named: list[int] = []
    flush = objects._flush_file_system

    def record(folder: Path) -> None:
        named.append(len([name for name in files(root) if name.startswith("objects/")]))
        flush(folder)

    monkeypatch.setattr(objects, "_flush_file_system", record)
    store.append_objects([(base.sha256, b"1"), (base.sha256, b"2")])
    assert named == [1, 3]


@pytest.mark.parametrize("lost", [1, 2], ids=["before naming", "after naming"])
def test_none_of_many_is_answered_for_when_they_cannot_be_flushed(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    base = put(store, CONTENT)
    answers = iter([0] * (lost - 1) + [-1])
    monkeypatch.setattr(objects, "_LIBC", SimpleNamespace(syncfs=lambda _: next(answers)))
    with pytest.raises(UnavailableError, match="STORAGE_FAILED"):
        store.append_objects([(base.sha256, b"1")])
    assert len(files(root)) == lost


def flip(path: Path) -> None:
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)


def test_verify_finds_altered_and_absent(store: FileObjectStore) -> None:
    stored = put(store, CONTENT)
    flip(store.path(stored.sha256))
    with pytest.raises(DataLossError, match="OBJECT_ALTERED"):
        store.verify(stored.sha256)
    store.delete(stored.sha256)
    with pytest.raises(NotFoundError, match="OBJECT_NOT_FOUND"):
        store.verify(stored.sha256)


def test_put_over_a_truncated_object_is_refused(store: FileObjectStore) -> None:
    path = store.path(put(store, CONTENT).sha256)
    path.chmod(0o640)
    path.write_bytes(CONTENT[:4])
    with pytest.raises(DataLossError, match="OBJECT_ALTERED"):
        put(store, CONTENT)


def test_absent_object(store: FileObjectStore) -> None:
    absent = sha256(b"absent")
    assert not store.exists(absent)
    store.delete(absent)
    for read in (store.path, store.size, store.open, store.last_put, lambda name: list(store.chunks(name))):
        with pytest.raises(NotFoundError, match="OBJECT_NOT_FOUND"):
            read(absent)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "é" * 64])
def test_names_that_are_no_digest_are_refused(store: FileObjectStore, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="OBJECT_NAME_INVALID"):
        store.path(name)


def test_iterate_in_order_and_past_strange_files(store: FileObjectStore, root: Path) -> None:
    stored = [put(store, b"%d" % number) for number in range(20)]
    strange = root / "objects" / "ab" / "cd"
    strange.mkdir(parents=True, exist_ok=True)
    (strange / "notes.txt").write_text("x")
    (strange / ("0" * 64)).write_text("an object in the wrong folder")
    assert list(store.iterate()) == sorted(stored, key=lambda one: one.sha256)


def test_deleted_object_can_be_put_again(store: FileObjectStore) -> None:
    stored = put(store, CONTENT)
    store.delete(stored.sha256)
    assert not store.exists(stored.sha256)
    assert put(store, CONTENT) == stored
    assert store.exists(stored.sha256)


def test_put_while_the_object_is_deleted(store: FileObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion between link(2), which found the object, and its marking: the object is linked again."""
    stored = put(store, CONTENT)
    touch = os.utime

    def delete_first(path: Path) -> None:
        monkeypatch.setattr(os, "utime", touch)
        store.delete(stored.sha256)
        touch(path)

    monkeypatch.setattr(os, "utime", delete_first)
    put(store, CONTENT)
    assert store.verify(stored.sha256) == stored


def test_start_sweeps_dead_writers_only(store: FileObjectStore, root: Path) -> None:
    dead = root / "incoming" / "dead"
    dead.write_bytes(b"half")
    with store.writer(100) as writer:
        writer.write(CONTENT)
        FileObjectStore(root)
        assert not dead.exists()
        stored = writer.commit()
    assert store.verify(stored.sha256) == stored


def test_killed_writer_leaves_no_object_and_is_swept(root: Path, store: FileObjectStore) -> None:
    script = (
        "import os, sys; from pathlib import Path; from archive.objects import FileObjectStore\n"
        "writer = FileObjectStore(Path(sys.argv[1])).writer(100).__enter__()\n"
        "writer.write(b'half a document'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(root)], check=False)
    assert killed.returncode == -9
    assert [name.split("/")[0] for name in files(root)] == ["incoming"]
    FileObjectStore(root)
    assert files(root) == []


def test_sweep_between_making_and_locking(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second server starts between the two calls and takes the file for a dead writer's."""
    lock = fcntl.flock

    def sweep_first(file: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        FileObjectStore(root)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    stored = put(store, CONTENT)
    assert store.verify(stored.sha256) == stored


def test_many_writers_of_the_same_bytes(store: FileObjectStore, root: Path) -> None:
    results: list[StoredObject] = []
    barrier = threading.Barrier(8)

    def write() -> None:
        barrier.wait()
        results.append(put(store, CONTENT))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [StoredObject(sha256(CONTENT), len(CONTENT))] * 8
    assert len(files(root)) == 1


def test_folders_and_object_are_flushed_before_commit_returns(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = os.fsync

    def record(file: int) -> None:
        flushed.append(os.path.relpath(Path(f"/proc/self/fd/{file}").readlink(), root))
        flush(file)

    monkeypatch.setattr(os, "fsync", record)
    digest = put(store, CONTENT).sha256
    assert flushed[0].startswith("incoming/")
    assert flushed[1:] == ["objects", f"objects/{digest[:2]}"]


def test_limit_of_the_system_is_met_for_real(root: Path, store: FileObjectStore) -> None:
    """The kernel itself refuses a longer file, in the middle of a write."""
    script = (
        "import resource, sys; from pathlib import Path; from archive.objects import FileObjectStore\n"
        "from pecete.errors import ResourceExhaustedError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with FileObjectStore(Path(sys.argv[1])).writer(9000) as writer: writer.write(bytes(9000))\n"
        "except ResourceExhaustedError as error: print(error.reason)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(root)], check=True, capture_output=True, text=True
    )
    assert run.stdout == "STORAGE_FULL\n"
    assert files(root) == []
