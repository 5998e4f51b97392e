"""A SignedData taken apart and put together: nothing in it changes, whoever made it."""

import pytest
from asn1crypto import cms as asn1_cms
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError, PeceteError, ResourceExhaustedError
from signer.cades import structure
from signer.cades.structure import take_apart, with_member
from tests.unit.cades_signatures import CONTENT, in_ber, long_term, signed

LONG_TERM = long_term(signed())
ENVELOPING = long_term(signed(enveloping=True), None)


@pytest.mark.parametrize("made", [signed(), signed(stamped=False), LONG_TERM, ENVELOPING])
def test_der_is_put_together_as_it_was(made: bytes) -> None:
    assert take_apart(made).encode() == made


@pytest.mark.parametrize("made", [signed(), LONG_TERM, ENVELOPING])
def test_ber_keeps_all_that_signatures_and_time_stamps_are_over(made: bytes) -> None:
    open_lengths = in_ber(made)
    assert open_lengths != made
    before, after = take_apart(made), take_apart(open_lengths)
    assert after.content == before.content
    assert (after.signers, after.certificates, after.revocation) == (
        before.signers,
        before.certificates,
        before.revocation,
    )
    again = take_apart(after.encode())
    assert again == after
    (signer,) = asn1_cms.ContentInfo.load(after.encode(), strict=True)["content"]["signer_infos"]
    assert signer.dump() == before.signers[0].stored


def test_content_in_pieces_is_one() -> None:
    assert take_apart(in_ber(ENVELOPING)).content == CONTENT


@pytest.mark.parametrize("made", [b"", b"%PDF-1.7", b"\x30\x03\x02\x01\x05", b"MIIB", b"\x30"])
def test_what_is_no_cms_signature_is_called_that(made: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        take_apart(made)
    assert refusal.value.reason == "DOCUMENT_NOT_CMS"


@pytest.mark.parametrize("made", [signed()[:-1], signed() + b"\n", signed()[:40], b"\x30\x80" + signed()[4:]])
def test_what_is_cut_or_goes_on_is_damaged(made: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        take_apart(made)
    assert refusal.value.reason == "DOCUMENT_DAMAGED"


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "MAX_SIZE", 1000)
    with pytest.raises(ResourceExhaustedError) as refusal:
        take_apart(signed())
    assert refusal.value.reason == "SIGNATURE_TOO_LARGE"


def test_strings_of_strings_of_strings_end() -> None:
    deep = b"".join(b"\x24\x80" for _ in range(5000))
    with pytest.raises(InvalidArgumentError):
        take_apart(ENVELOPING[:4] + signed()[4:19] + deep)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_signature_is_refused_or_kept(data: st.DataObject) -> None:
    made = data.draw(st.sampled_from([LONG_TERM, in_ber(ENVELOPING)]))
    damaged = bytearray(made)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(made) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(made)))
    for octets in (bytes(damaged), made[:cut], made[cut:]):
        try:
            parts = take_apart(octets)
        except PeceteError:
            continue
        assert take_apart(parts.encode()) == parts or parts.encode() == take_apart(parts.encode()).encode()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_end_in_a_typed_error(octets: bytes) -> None:
    for made in (octets, LONG_TERM[:25] + octets):
        with pytest.raises(PeceteError):
            take_apart(made)


def test_a_member_goes_where_the_order_puts_it() -> None:
    assert with_member((b"a", b"c"), b"b") == (b"a", b"b", b"c")
    assert with_member((b"c", b"a"), b"b") == (b"c", b"a", b"b")
    assert with_member((b"a",), b"a") == (b"a",)
    assert with_member((b"a",), b"a", once=False) == (b"a", b"a")
