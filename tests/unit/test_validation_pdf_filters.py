"""Filters and predictors: what they packed comes back, and nothing but the typed error leaves."""

import base64
import zlib
from collections.abc import Callable

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.validation.pdf.filters import MAX_DECODED, decode
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Value

NAMES = ["/FlateDecode", "/LZWDecode", "/ASCIIHexDecode", "/ASCII85Decode", "/RunLengthDecode", "/Crypt"]
plain_bytes = st.one_of(
    st.binary(max_size=300), st.lists(st.sampled_from([b"a", b"ab", b"\0" * 40])).map(b"".join)
)


def lzw(data: bytes, *, early: int = 1) -> bytes:
    """LZW of ISO 32000-2 §7.4.4.2, forwards."""
    table = {bytes([code]): code for code in range(256)}
    size, codes, run = 258, [(256, 9)], b""
    for octet in data:
        longer = run + bytes([octet])
        if longer in table:
            run = longer
            continue
        codes.append((table[run], width(size - 1, early)))
        table[longer], size, run = size, size + 1, bytes([octet])
        if size == 4094:
            codes.append((256, width(size - 1, early)))
            table, size = {bytes([code]): code for code in range(256)}, 258
    if run:
        codes.append((table[run], width(size - 1, early)))
        size += 1
    codes.append((257, width(size - 1, early)))
    bits = "".join(f"{code:0{wide}b}" for code, wide in codes)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def width(entries: int, early: int) -> int:
    """Width of a code when the reader has this many entries."""
    return min(12, max(9, (max(entries, 258) + early).bit_length()))


def run_length(data: bytes) -> bytes:
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    out = b"".join(
        bytes([257 - len(piece), piece[0]])
        if len(piece) > 1 and len(set(piece)) == 1
        else bytes([len(piece) - 1]) + piece
        for piece in pieces
    )
    return out + b"\x80"


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "/FlateDecode": zlib.compress,
    "/LZWDecode": lzw,
    "/ASCIIHexDecode": lambda data: data.hex().encode() + b">",
    "/ASCII85Decode": lambda data: base64.a85encode(data, wrapcol=60) + b"~>",
    "/RunLengthDecode": run_length,
    "/Crypt": lambda data: data,
}


@given(plain_bytes, st.lists(st.sampled_from(NAMES), max_size=4))
def test_what_a_chain_of_filters_packed_comes_back(data: bytes, names: list[str]) -> None:
    packed = data
    for name in reversed(names):
        packed = PACKED[name](packed)
    assert decode(packed, list(names), None) == data


@pytest.mark.parametrize("early", [0, 1])
def test_lzw_of_every_width_and_with_a_full_table(early: int) -> None:
    data = bytes((at * at >> 3) & 255 for at in range(30_000))
    assert decode(lzw(data, early=early), "/LZWDecode", {"/EarlyChange": early}) == data


def test_qpdf_reads_what_these_tests_pack() -> None:
    pdf = pikepdf.new()
    data = bytes(range(256)) * 40
    for name in ("/ASCIIHexDecode", "/ASCII85Decode", "/RunLengthDecode", "/LZWDecode"):
        stream = pikepdf.Stream(pdf, PACKED[name](data))
        stream.Filter = pikepdf.Name(name)
        assert stream.read_bytes(pikepdf.StreamDecodeLevel.specialized) == data


@given(st.binary(max_size=120), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.data())
def test_only_the_typed_error_leaves(data: bytes, names: list[str], draw: st.DataObject) -> None:
    numbers: st.SearchStrategy[Value] = st.one_of(
        st.integers(-2, 40), st.none(), st.just("/Name"), st.just(2.0)
    )
    keys = st.sampled_from(["/Predictor", "/Columns", "/Colors", "/BitsPerComponent", "/EarlyChange"])
    parameters: Value = draw.draw(st.one_of(st.none(), st.dictionaries(keys, numbers)))
    if names[0] == "/FlateDecode":
        data = zlib.compress(data)
    try:
        decode(data, list(names), parameters)
    except PdfSyntaxError:
        return


@pytest.mark.parametrize(
    ("data", "filters"),
    [
        (b"", "/DCTDecode"),
        (b"", ["/FlateDecode", "/JBIG2Decode"]),
        (b"", ["/Crypt"] * 9),
        (b"", 7),
        (b"4g>", "/ASCIIHexDecode"),
        (b"\x05abc", "/RunLengthDecode"),
        (b"\x81", "/RunLengthDecode"),
        (b"vvvvv~>", "/ASCII85Decode"),
        (b"\xff\xff\xff", "/LZWDecode"),
        (b"no zlib", "/FlateDecode"),
    ],
)
def test_what_is_damaged_or_not_known_is_refused(data: bytes, filters: Value) -> None:
    with pytest.raises(PdfSyntaxError):
        decode(data, filters, None)


BOMBS = {
    "/FlateDecode": zlib.compress(bytes(MAX_DECODED + (16 << 20))),
    "/RunLengthDecode": b"\x81\0" * (MAX_DECODED // 128 + 1),
    "/ASCII85Decode": b"z" * (MAX_DECODED // 4 + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str) -> None:
    with pytest.raises(PdfSyntaxError):
        decode(BOMBS[name], name, None)


@pytest.mark.parametrize("filters", ["/FlateDecode", "/LZWDecode"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_png_predictors_are_undone(kind: int, filters: str) -> None:
    rows = [bytes([1, 2, 3, 4]), bytes([5, 7, 9, 250])]
    coded = b"".join(bytes([kind]) + row for row in png(rows, kind))
    parameters: Dictionary = {"/Predictor": 15, "/Columns": 4}
    assert decode(PACKED[filters](coded), filters, parameters) == b"".join(rows)


def png(rows: list[bytes], kind: int) -> list[bytes]:
    """The PNG filters of RFC 2083 §6, forwards."""
    above, coded = bytes(4), []
    for row in rows:
        line = []
        for index, value in enumerate(row):
            left = row[index - 1] if index else 0
            corner = above[index - 1] if index else 0
            up = above[index]
            target = left + up - corner
            paeth = min((left, up, corner), key=lambda near: abs(target - near))
            line.append((value - [0, left, up, (left + up) // 2, paeth][kind]) & 255)
        coded.append(bytes(line))
        above = row
    return coded


@pytest.mark.parametrize(("bits", "colors"), [(1, 1), (2, 1), (4, 3), (8, 1), (8, 3), (16, 2)])
def test_the_tiff_predictor_is_undone(bits: int, colors: int) -> None:
    columns = 16
    samples = [(at * 7 + at // 3) % (1 << bits) for at in range(columns * colors)]
    before = [0] * colors + samples[:-colors]
    differences = [(now - then) % (1 << bits) for now, then in zip(samples, before, strict=True)]
    parameters: Dictionary = {
        "/Predictor": 2,
        "/Columns": columns,
        "/Colors": colors,
        "/BitsPerComponent": bits,
    }
    coded = packed_bits(differences, bits) * 2
    assert decode(zlib.compress(coded), "/FlateDecode", parameters) == packed_bits(samples, bits) * 2


def packed_bits(samples: list[int], bits: int) -> bytes:
    text = "".join(f"{sample:0{bits}b}" for sample in samples)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
