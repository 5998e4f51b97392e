"""Reading containers: what could be read in two ways, or costs too much, is refused with its reason."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import PeceteError
from signer.asic.container import MIMETYPES, Container
from signer.asic.directory import is_safe_name
from signer.asic.layout import Layout

MIMETYPE = MIMETYPES["ASiC-E"].encode()
Entry = tuple[str | zipfile.ZipInfo, bytes, int]


def zipped(*entries: Entry, mimetype: bytes = MIMETYPE, method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP file by Python's writer, with `mimetype` first unless it is empty."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as container:
        if mimetype:
            container.writestr("mimetype", mimetype, method)
        for name, content, compression in entries:
            container.writestr(name, content, compression)
    return made.getvalue()


def stored(name: str | zipfile.ZipInfo = "a.txt", content: bytes = b"content") -> Entry:
    return name, content, zipfile.ZIP_STORED


def deflated(name: str = "a.txt", content: bytes = b"content " * 40) -> Entry:
    return name, content, zipfile.ZIP_DEFLATED


def opened(octets: bytes) -> Container:
    return Container(io.BytesIO(octets))


def contents(octets: bytes) -> dict[str, bytes]:
    container = opened(octets)
    return {member.name: b"".join(container.chunks(member)) for member in container.members}


def patched(octets: bytes, position: int, replacement: bytes) -> bytes:
    return octets[:position] + replacement + octets[position + len(replacement) :]


def central(octets: bytes, name: bytes) -> int:
    """Where the directory's entry of a name begins."""
    return octets.index(name, octets.index(b"PK\x01\x02")) - 46


def end(octets: bytes) -> int:
    return octets.rindex(b"PK\x05\x06")


def in_pieces(*entries: Entry) -> bytes:
    """A ZIP file as a stream makes it: sizes follow the data. Its `mimetype` is as it must be."""

    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.octets = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.octets += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w") as container:
        for name, content, compression in entries:
            container.writestr(name, content, compression)
    head = zipped()
    length = head.index(b"PK\x01\x02")
    directory = bytearray(stream.octets[stream.octets.index(b"PK\x01\x02") : end(stream.octets)])
    at = 0
    for _ in entries:
        (offset,) = struct.unpack_from("<L", directory, at + 42)
        struct.pack_into("<L", directory, at + 42, offset + length)
        at += 46 + sum(struct.unpack_from("<3H", directory, at + 28))
    body = head[:length] + stream.octets[: stream.octets.index(b"PK\x01\x02")]
    whole = head[length : end(head)] + bytes(directory)
    count = len(entries) + 1
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(whole), len(body), 0)
    return body + whole + record


def test_what_is_there_is_read() -> None:
    octets = zipped(stored("ă/b.txt"), deflated("c"), stored("META-INF/", b""), stored("META-INF/x", b"y"))
    found = opened(octets)
    assert found.kind == "ASiC-E"
    assert [member.name for member in found.signed_files] == ["ă/b.txt", "c"]
    assert found.meta_names == ("META-INF/x",)
    assert contents(octets)["c"] == b"content " * 40
    assert opened(zipped(mimetype=MIMETYPES["ASiC-S"].encode())).kind == "ASiC-S"


def test_sizes_may_follow_the_data() -> None:
    octets = in_pieces(deflated("a"), stored("b"))
    with zipfile.ZipFile(io.BytesIO(octets)) as same:
        assert same.testzip() is None
    assert contents(octets) == {"mimetype": MIMETYPE, "a": b"content " * 40, "b": b"content"}
    wrong = octets.replace(b"PK\x07\x08", b"PK\x07\x09", 1)
    assert reason(wrong) == "CONTAINER_AMBIGUOUS"


def reason(octets: bytes) -> str:
    with pytest.raises(PeceteError) as refused:
        contents(octets)
    assert refused.value.field == "document"
    return refused.value.reason


WHOLE = zipped(stored(), deflated("b.txt"))


def gap(octets: bytes) -> bytes:
    """Octets between two members that no reader of the directory sees."""
    start = octets.index(b"PK\x03\x04", 10)
    made = bytearray(octets[:start] + b"hidden" + octets[start:])
    for name in (b"a.txt", b"b.txt"):
        at = central(bytes(made), name) + 42
        struct.pack_into("<L", made, at, struct.unpack_from("<L", made, at)[0] + 6)
    at = end(bytes(made)) + 16
    struct.pack_into("<L", made, at, struct.unpack_from("<L", made, at)[0] + 6)
    return bytes(made)


def both(octets: bytes, name: bytes, offset: int, replacement: bytes) -> bytes:
    """A field patched in a member's own header and in the directory; `offset` counts from the flags."""
    local = octets.index(name) - 30 + 6 + offset
    return patched(patched(octets, local, replacement), central(octets, name) + 8 + offset, replacement)


def with_second_name() -> bytes:
    """A member whose extra field has another name."""
    info = zipfile.ZipInfo("a.txt")
    info.extra = struct.pack("<2HBL", 0x7075, 10, 1, 0) + b"b.txt"
    return zipped(stored(info))


def with_octets_behind_the_content() -> bytes:
    """A compressed member with more data than its content needs, which no reader shows."""
    content = os.urandom(1000)
    squeezer = zlib.compressobj(wbits=-15)
    squeezed = squeezer.compress(content) + squeezer.flush()
    made = zipped(stored("a.txt", squeezed + os.urandom(600_000)))
    for offset, value in ((2, b"\x08\0"), (8, struct.pack("<L", zlib.crc32(content)))):
        made = both(made, b"a.txt", offset, value)
    return both(made, b"a.txt", 16, struct.pack("<L", len(content)))


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "DOCUMENT_NOT_ASIC"),
    "a text": (
        lambda: b"these are words and no container at all, but enough of them to look at" * 2,
        "DOCUMENT_NOT_ASIC",
    ),
    "no media type": (lambda: zipped(stored(), mimetype=b""), "DOCUMENT_NOT_ASIC"),
    "media type not first": (
        lambda: zipped(stored(), stored("mimetype", MIMETYPE), mimetype=b""),
        "DOCUMENT_NOT_ASIC",
    ),
    "media type compressed": (lambda: zipped(method=zipfile.ZIP_DEFLATED), "DOCUMENT_NOT_ASIC"),
    "another media type": (lambda: zipped(mimetype=b"application/epub+zip"), "DOCUMENT_NOT_ASIC"),
    "a longer media type": (lambda: zipped(mimetype=MIMETYPE + b"x"), "CONTAINER_AMBIGUOUS"),
    "a name twice": (
        lambda: zipped(stored(), stored("A.txt")).replace(b"A.txt", b"a.txt"),
        "CONTAINER_AMBIGUOUS",
    ),
    "a name up": (lambda: zipped(stored("../a.txt")), "CONTAINER_NAME_INVALID"),
    "an absolute name": (lambda: zipped(stored("/etc/a")), "CONTAINER_NAME_INVALID"),
    "a drive": (lambda: zipped(stored("c:a")), "CONTAINER_NAME_INVALID"),
    "a backslash": (lambda: zipped(stored("a/b")).replace(b"a/b", b"a\\b"), "CONTAINER_NAME_INVALID"),
    "text turned round": (lambda: zipped(stored("a\u202efdp.exe")), "CONTAINER_NAME_INVALID"),
    "a name that is no UTF-8": (
        lambda: zipped(stored("abc")).replace(b"abc", b"a\xffc"),
        "CONTAINER_NAME_INVALID",
    ),
    "encrypted": (lambda: both(WHOLE, b"a.txt", 0, b"\x01\0"), "CONTAINER_ENCRYPTED"),
    "another method": (lambda: zipped(("a", b"x" * 99, zipfile.ZIP_BZIP2)), "CONTAINER_NOT_SUPPORTED"),
    "a second name": (with_second_name, "CONTAINER_AMBIGUOUS"),
    "no entry": (lambda: patched(WHOLE, WHOLE.index(b"PK\x01\x02"), b"XX"), "CONTAINER_DAMAGED"),
    "a bomb": (lambda: zipped(deflated("a", bytes(3 << 20))), "CONTAINER_TOO_LARGE"),
    "too many members": (
        lambda: zipped(*(stored(str(number), b"") for number in range(1000))),
        "CONTAINER_TOO_LARGE",
    ),
    "octets behind the content": (with_octets_behind_the_content, "CONTAINER_DAMAGED"),
    "a folder with content": (lambda: zipped(stored("a/", b"x")), "CONTAINER_AMBIGUOUS"),
    "octets before": (lambda: b"MZ" + WHOLE, "DOCUMENT_NOT_ASIC"),
    "octets between": (lambda: gap(WHOLE), "CONTAINER_AMBIGUOUS"),
    "octets behind": (lambda: WHOLE + b"x", "CONTAINER_AMBIGUOUS"),
    "octets before the end record": (
        lambda: WHOLE[: end(WHOLE)] + b"x" + WHOLE[end(WHOLE) :],
        "CONTAINER_AMBIGUOUS",
    ),
    "another name of its own": (
        lambda: patched(WHOLE, WHOLE.index(b"a.txt"), b"z.txt"),
        "CONTAINER_AMBIGUOUS",
    ),
    "another size of its own": (
        lambda: patched(WHOLE, WHOLE.index(b"a.txt") - 8, b"\x06"),
        "CONTAINER_AMBIGUOUS",
    ),
    "changed content": (lambda: patched(WHOLE, WHOLE.index(b"content"), b"C"), "CONTAINER_DAMAGED"),
    "cut": (lambda: WHOLE[: end(WHOLE) - 3], "CONTAINER_DAMAGED"),
    "ZIP64": (lambda: patched(WHOLE, end(WHOLE) + 16, b"\xff" * 4), "CONTAINER_NOT_SUPPORTED"),
    "a disk of two": (lambda: patched(WHOLE, end(WHOLE) + 4, b"\x01"), "CONTAINER_NOT_SUPPORTED"),
    "more than it counts": (lambda: patched(WHOLE, end(WHOLE) + 8, b"\x02\0\x02"), "CONTAINER_AMBIGUOUS"),
    "fewer than it counts": (lambda: patched(WHOLE, end(WHOLE) + 8, b"\x04\0\x04"), "CONTAINER_DAMAGED"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_containers_are_refused_with_their_reason(name: str) -> None:
    make, expected = BAD[name]
    assert reason(make()) == expected


def test_a_bomb_that_understates_its_size_is_noticed_on_the_way() -> None:
    bomb = zipped(deflated("a.txt", bytes(60 << 20)))
    small = both(bomb, b"a.txt", 16, struct.pack("<L", 1000))
    container = opened(small)
    (member,) = container.signed_files
    seen = 0
    with pytest.raises(PeceteError):
        for chunk in container.chunks(member):
            seen += len(chunk)
    assert seen <= 1000


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_is_changed_is_refused_or_read_as_others_read_it(data: st.DataObject) -> None:
    octets = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = contents(bytes(octets))
    except PeceteError:
        return
    with zipfile.ZipFile(io.BytesIO(bytes(octets))) as same:
        assert {name: same.read(name) for name in same.namelist()} == found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_behind_a_media_type_are_refused(tail: bytes) -> None:
    with pytest.raises(PeceteError):
        Layout(opened(zipped()[:69] + tail + b"PK")).manifests  # noqa: B018


@pytest.mark.parametrize("name", ["a", "a/b.txt", "ș ț.pdf", "a (2).txt", "folder/"])
def test_safe_names(name: str) -> None:
    assert is_safe_name(name)


@pytest.mark.parametrize("name", ["", "/", ".", "a/../b", "a//b", "a\\b", "a\0", "a\n", "c:/x", "\ud800"])
def test_unsafe_names(name: str) -> None:
    assert not is_safe_name(name)
