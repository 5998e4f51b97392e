"""Digests of what signatures cover: each byte is read once for each algorithm, whatever the ranges."""

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.validation import byte_ranges
from signer.validation.byte_ranges import Coverage, RangeDigests, read_coverage
from signer.validation.engine import document_facts
from signer.validation.pdf import mapped
from signer.validation.pdf.mapped import BLOCK, MAPPED_FROM, blocks, contents_of
from signer.validation.pdf_facts import collect
from tests.unit.test_validation_changes import base, update

numbers = st.lists(st.integers(-1, 70), max_size=6)


@given(st.binary(min_size=40, max_size=60), st.lists(numbers, max_size=8))
def test_digests_are_those_of_the_ranges_put_together(data: bytes, lists: list[list[int]]) -> None:
    coverages = [read_coverage(data, list(given), b"") for given in lists]
    digests = RangeDigests(data, coverages)
    for coverage in coverages:
        found = digests.digest(coverage, "sha256")
        covered = b"".join(data[start : start + length] for start, length in coverage.ranges)
        if not coverage.ranges:
            assert found is None
        elif coverage.beyond_file:
            assert found == b""
        else:
            assert found == hashlib.sha256(covered).digest()
    assert digests.whole("sha256") == hashlib.sha256(data).digest()


@pytest.mark.parametrize("signatures", [1, 10, 200])
def test_a_chain_of_signatures_is_read_once(signatures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signature covers all before it: read apart, 200 of them would be a hundred times the file."""
    size = 10_000
    data = bytes(size * signatures)
    coverages = [
        Coverage(((0, size * n + 2_000), (size * n + 7_000, 3_000)), None) for n in range(signatures)
    ]
    read: list[int] = []

    def counted(source: bytes, start: int, end: int) -> Iterator[bytes]:
        for block in blocks(source, start, end):
            read.append(len(block))
            yield block

    monkeypatch.setattr(byte_ranges, "blocks", counted)
    digests = RangeDigests(data, coverages)
    found = [digests.digest(coverage, "sha256") for coverage in coverages]
    digests.whole("sha256")
    assert sum(read) == len(data)
    assert found[-1] == hashlib.sha256(data[:-8_000] + data[-3_000:]).digest()
    digests.digest(coverages[0], "sha512")
    assert sum(read) == 2 * len(data)


@pytest.mark.parametrize(
    ("given", "overlaps"),
    [([0, 10, 20, 10], False), ([0, 10, 10, 10], False), ([0, 21, 20, 10], True), ([20, 5, 0, 21], True)],
)
def test_overlaps(given: list[int], *, overlaps: bool) -> None:
    assert read_coverage(bytes(40), list(given), b"").overlaps is overlaps


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3 * BLOCK), st.integers(0, 3 * BLOCK))
def test_blocks_are_the_bytes_and_none_is_long(start: int, end: int) -> None:
    data = b"".join(bytes([n]) * BLOCK for n in range(3))
    pieces = list(blocks(data, start, end))
    assert b"".join(pieces) == data[start:end]
    assert all(0 < len(piece) <= BLOCK for piece in pieces)


@pytest.mark.parametrize(("size", "kind"), [(MAPPED_FROM - 1, bytes), (MAPPED_FROM + 5, mmap.mmap)])
def test_large_files_are_mapped(size: int, kind: type, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    with path.open("rb") as file, contents_of(file) as data:
        assert isinstance(data, kind)
        assert len(data) == size
        assert sum(map(len, mapped.blocks(data, 3, size))) == size - 3
        assert data[size - 2 : size] == b"xx"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"/Contents <abab", b"/Contents <ab(b"), "DOCUMENT_DAMAGED"),
        ((b"startxref", b"startxxxx"), "DOCUMENT_DAMAGED"),
        ((b"%PDF-", b"%XXX-"), "DOCUMENT_DAMAGED"),
    ],
)
def test_a_large_document_is_refused_by_the_same_errors(
    change: tuple[bytes, bytes], reason: str, tmp_path: Path
) -> None:
    """Nothing of the file is still held when it is unmapped, whatever was raised."""
    large = update(base(), {11: b"<</Length %d>>stream\n%s\nendstream" % (MAPPED_FROM, bytes(MAPPED_FROM))})
    path = tmp_path / "large.pdf"
    path.write_bytes(large.replace(*change))
    with pytest.raises(InvalidArgumentError) as refused:
        document_facts(path, [])
    assert refused.value.reason == reason
    path.write_bytes(large)
    assert document_facts(path, []) == collect(large)
