"""Reading PDF values and objects: what is written comes back, and nothing but the typed error leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.objects import read_object
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
