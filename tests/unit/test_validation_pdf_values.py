"""Reading PDF values and objects: what is written comes back, and nothing but the typed error leaves."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.objects import decoded, read_object
from signer.validation.pdf.values import (
    DuplicateKeys,
    PdfSyntaxError,
    Reference,
    Stream,
    Value,
    parse_value,
    same,
    text,
)

names = st.text("abcXYZ019-_", min_size=1, max_size=8).map(lambda name: "/" + name)
scalars = st.one_of(
    st.none(),
    st.integers(-(10**9), 10**9),
    st.binary(max_size=12),
    names,
    st.sampled_from(["true", "false"]),
    st.builds(Reference, st.integers(0, 10**6), st.integers(0, 65535)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(names, inner, max_size=5)),
    max_leaves=20,
)


def written(value: object) -> bytes:
    if value is None:
        return b"null"
    if isinstance(value, Reference):
        return b"%d %d R" % value
    if isinstance(value, list):
        return b"[" + b" ".join(map(written, value)) + b"]"
    if isinstance(value, dict):
        return b"<<" + b" ".join(written(k) + b" " + written(v) for k, v in value.items()) + b">>"
    if isinstance(value, bytes):
        return b"<" + value.hex().encode() + b">"
    return str(value).encode()


def parsed(data: bytes) -> Value:
    return parse_value(data, 0, [])[0]


@given(values)
def test_what_is_written_comes_back(value: object) -> None:
    assert parsed(written(value) + b" ") == value


@given(st.binary(max_size=80))
def test_only_the_typed_error_leaves_the_parser(data: bytes) -> None:
    try:
        parse_value(data, 0, [])
    except PdfSyntaxError:
        return


@given(st.binary(max_size=200))
def test_only_the_typed_error_leaves_the_analysis(tail: bytes) -> None:
    with pytest.raises(PdfSyntaxError):
        ChangeAnalysis(b"%PDF-1.7\n" + tail)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb"(a\(b\)\n\101(c))", b"a(b)\nA(c)"),
        (b"(one\\\ntwo)", b"onetwo"),
        (b"<4 1 4>", b"A@"),
        (b"/A#20B", "/A B"),
        (b"-.5", -0.5),
        (b"% comment\n7 ", 7),
        (b"[1 0 R 2 0 R]", [Reference(1, 0), Reference(2, 0)]),
    ],
)
def test_forms_of_values(data: bytes, value: object) -> None:
    assert parsed(data) == value


@pytest.mark.parametrize(
    "data", [b"<<", b"[1", b"(open", b"<</A>>", b"<<1 2>>", b"]", b"[>>", b"nul", b"[" * 200]
)
def test_what_is_no_value_is_refused(data: bytes) -> None:
    with pytest.raises(PdfSyntaxError):
        parsed(data)


def test_a_key_with_two_values_equals_nothing_but_itself() -> None:
    duplicates: list[int] = []
    one, _ = parse_value(b"<</A 1 /A 2>>", 0, duplicates)
    other, _ = parse_value(b"<</A 1 /A 2>>", 0, duplicates)
    assert isinstance(one, DuplicateKeys)
    assert one == one
    assert one != other
    assert len(duplicates) == 2


def test_a_number_is_not_the_same_as_a_real_of_its_value() -> None:
    assert same(1, 1) and not same(1, 1.0)


def test_text_strings() -> None:
    assert text("\ufeffȘ".encode("utf-16-be")) == "Ș"
    assert text(b"abc") == "abc"


def test_a_stream_whose_length_is_wrong_is_read_and_told() -> None:
    found = read_object(b"4 0 obj<</Length 99>>stream\nabc\nendstream endobj", 0, lambda _: None, [])
    assert isinstance(found.value, Stream)
    assert (found.value.raw, found.length_holds) == (b"abc", False)


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_png_predictors_are_undone(kind: int) -> None:
    rows = [bytes([1, 2, 3, 4]), bytes([5, 7, 9, 250])]
    coded = b"".join(bytes([kind]) + row for row in encode(rows, kind))
    parameters: dict[str, Value] = {"/Predictor": 15, "/Columns": 4}
    stream = Stream({"/Filter": "/FlateDecode", "/DecodeParms": parameters}, zlib.compress(coded))
    assert decoded(stream) == b"".join(rows)


def encode(rows: list[bytes], kind: int) -> list[bytes]:
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


def test_another_filter_is_refused() -> None:
    with pytest.raises(PdfSyntaxError):
        decoded(Stream({"/Filter": "/LZWDecode"}, b""))


def test_a_bomb_is_refused() -> None:
    bomb = zlib.compress(bytes(80 << 20))
    with pytest.raises(PdfSyntaxError):
        decoded(Stream({"/Filter": "/FlateDecode"}, bomb))
