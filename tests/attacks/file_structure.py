"""Attacks on the file itself: cross-reference sections that lie, hidden objects, lengths and /Prev."""

import io
import zlib
from functools import cache

import pikepdf

from signer.validation.pdf.values import Reference, Stream
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM, opened, sign, signed, unsigned
from tests.attacks.incremental import FORMAT
from tests.attacks.updates import Raw, Signed, shown, stream

_FORGED = b"BT /F1 14 Tf 40 200 Td (Se aproba plata sumei de 9000 lei) Tj ET"
_DAMAGED = "DOCUMENT_DAMAGED"


def _object(number: int, value: bytes) -> bytes:
    return b"%d 0 obj\n%s\nendobj\n" % (number, value)


def _content() -> tuple[Signed, int]:
    d = opened()
    return d, d.number(*d.page(), "/Contents")


def _row(place: int, kind: bytes = b"n", generation: int = 0) -> bytes:
    return b"%010d %05d %s\r\n" % (place, generation, kind)


def _wrong_offset() -> bytes:
    d, number = _content()
    return d.update({number: stream(_FORGED)}, lie=3)


def _right_offset() -> bytes:
    d, number = _content()
    return d.update({number: d.stream(*d.page(), "/Contents")})


def _offset_into_signed_bytes() -> bytes:
    d, number = _content()
    return d.update({}, rows={number: _row(d.data.index(b"%d 0 obj" % d.number(*d.page())))})


def _offset_of_the_object_itself() -> bytes:
    d, number = _content()
    entry = d.document.entries[number]
    return d.update({}, rows={number: _row(entry.place)})


def _unlisted_object() -> bytes:
    d, number = _content()
    return d.update({}, stray=_object(number, shown(stream(_FORGED))))


def _comment() -> bytes:
    return opened().update({}, stray=b"% written by an editor\n")


def _object_between_revisions() -> bytes:
    d, number = _content()
    return Signed(d.update({})).update({}, stray=_object(number, shown(stream(_FORGED))))


def _two_empty_updates() -> bytes:
    return Signed(opened().update({})).update({})


def _duplicate_object() -> bytes:
    d, number = _content()
    honest = d.stream(*d.page(), "/Contents")
    return d.update({number: honest}, stray=_object(number, shown(stream(_FORGED))))


def _one_object() -> bytes:
    return _right_offset()


def _junk() -> bytes:
    return opened().update({}, stray=b"9000 lei\n")


def _after_the_end() -> bytes:
    _, number = _content()
    return signed() + _object(number, shown(stream(_FORGED)))


def _blanks_after_the_end() -> bytes:
    return signed() + b"\r\n\r\n"


def _length_too_short() -> bytes:
    d, _ = _content()
    forged = b"<</Length 4>> stream\nq Q \nendstream\n%s\nendstream" % _FORGED
    return d.update({d.free: Raw(forged)})


def _length_right() -> bytes:
    d, _ = _content()
    return d.update({d.free: stream(_FORGED)})


def _length_by_an_object() -> bytes:
    d, _ = _content()
    forged = b"<</Length %d 0 R>> stream\nq Q \nendstream %s\nendstream" % (d.free + 1, _FORGED)
    return d.update({d.free: Raw(forged), d.free + 1: 4})


def _honest_length_by_an_object() -> bytes:
    d, _ = _content()
    honest = b"<</Length %d 0 R>> stream\n%s\nendstream" % (d.free + 1, _FORGED)
    return d.update({d.free: Raw(honest), d.free + 1: len(_FORGED)})


def _previous_to_itself() -> bytes:
    d = opened()
    return d.update({}, previous=len(d.data))


def _previous_over_the_signature() -> bytes:
    d, number = _content()
    first = d.document.revisions[0].sections[-1].offset
    return d.update({number: stream(_FORGED)}, previous=first)


def _without_previous() -> bytes:
    d, number = _content()
    whole = {n: d.document.get(Reference(n, 0)) for n in sorted(d.document.entries)}
    objects = {n: value for n, value in whole.items() if value is not None}
    return d.update({**objects, number: stream(_FORGED)}, previous=-1)


def _previous_beyond() -> bytes:
    return opened().update({}, previous=10**7)


def _hidden_section() -> bytes:
    """A hybrid section that shows older readers another document (ISO 32000-2 §7.5.8.4)."""
    d, number = _content()
    forged_at = len(d.data)
    forged = _object(number, shown(stream(_FORGED)))
    section_at = forged_at + len(forged)
    rows = bytes([1]) + forged_at.to_bytes(4, "big") + b"\0"
    section = b"<</Type/XRef/W[1 4 1]/Index[%d 1]/Size %d/Length 6>> stream\n%s\nendstream"
    section %= number, d.free + 1, rows
    return d.update({}, stray=forged + _object(d.free, section), trailer={"/XRefStm": section_at})


def _startxref_elsewhere() -> bytes:
    d, number = _content()
    data = d.update({number: stream(_FORGED)})
    place = data.rindex(b"startxref")
    other = d.document.revisions[-1].sections[-1].offset
    return data[:place] + b"startxref\n%d\n%%%%EOF\n" % other


def _startxref_right() -> bytes:
    return opened().update({})


def _encrypted_later() -> bytes:
    return opened().update({}, trailer={"/Encrypt": {"/Filter": "/Standard", "/V": 1, "/R": 2}})


def _identifier_kept() -> bytes:
    return opened().update({})


def _header_changed() -> bytes:
    return b"%PDF-1.4\n%" + signed()[10:]


def _signed_alone() -> bytes:
    return signed()


def _twice_in_an_object_stream() -> bytes:
    """Readers that look by number and by place see different pages."""
    d = opened()
    turned = d.dictionary(*d.page()) | {"/Rotate": 180}
    return d.compressed((d.number(*d.page()), turned), (d.number(*d.page()), d.value(*d.page())))


def _once_in_an_object_stream() -> bytes:
    d = opened()
    return d.compressed((d.number(*d.page()), d.value(*d.page())))


def _changed_in_an_object_stream() -> bytes:
    d = opened()
    return d.compressed((d.number(*d.page()), d.dictionary(*d.page()) | {"/Rotate": 180}))


@cache
def _measured() -> Signed:
    """The decision signed with a content stream whose length is an object of its own."""
    d = Signed(unsigned())
    content = d.stream(*d.page(), "/Contents").raw
    raw = Raw(b"<</Length %d 0 R>> stream\n%s\nendstream" % (d.free, content))
    prepared = d.update({d.number(*d.page(), "/Contents"): raw, d.free: len(content)})
    return Signed(sign(prepared, field_name=VICTIM))


def _length_changed() -> bytes:
    d = _measured()
    return d.update({d.number(*d.page(), "/Contents", "/Length"): 60})


def _length_said_again() -> bytes:
    d = _measured()
    path = (*d.page(), "/Contents", "/Length")
    return d.update({d.number(*path): d.value(*path)})


@cache
def _packed() -> Signed:
    """The decision signed with its objects in object streams."""
    with pikepdf.open(io.BytesIO(unsigned())) as pdf:
        out = io.BytesIO()
        pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate, static_id=True)
    return Signed(sign(out.getvalue(), field_name=VICTIM))


def _object_stream_overwritten() -> bytes:
    d = _packed()
    number = min(e.place for e in d.document.entries.values() if e.kind == "compressed")
    container = d.document.get(Reference(number, 0))
    assert isinstance(container, Stream)
    plain = zlib.decompress(container.raw).replace(b"400", b"200")
    kept = {key: value for key, value in container.dictionary.items() if key != "/Filter"}
    return d.update({number: Stream(kept, plain)})


def _packed_page_said_again() -> bytes:
    d = _packed()
    return d.update({d.number(*d.page()): d.value(*d.page())})


def _beyond_the_size() -> bytes:
    d, number = _content()
    return d.update({number: d.stream(*d.page(), "/Contents")}, trailer={"/Size": number})


ATTACKS = (
    Attack("offsets that are wrong", _wrong_offset, FORMAT, _right_offset, "offsets that are right"),
    Attack("offset of another object", _offset_into_signed_bytes, FORMAT, _two_empty_updates, "no rows"),
    Attack("object that no table lists", _unlisted_object, FORMAT, _comment, "a comment"),
    Attack(
        "object between revisions", _object_between_revisions, FORMAT, _two_empty_updates, "nothing between"
    ),
    Attack("object twice in an update", _duplicate_object, FORMAT, _one_object, "once"),
    Attack("junk in an update", _junk, FORMAT, _comment, "a comment"),
    Attack("object after the end", _after_the_end, FORMAT, _blanks_after_the_end, "blanks"),
    Attack("stream longer than it says", _length_too_short, FORMAT, _length_right, "the right length"),
    Attack(
        "length in an object that lies", _length_by_an_object, FORMAT, _honest_length_by_an_object, "no lie"
    ),
    Attack("/Prev to itself", _previous_to_itself, _DAMAGED, _startxref_right, "the right /Prev"),
    Attack(
        "/Prev over the signature", _previous_over_the_signature, FORMAT, _startxref_right, "the right /Prev"
    ),
    Attack("no /Prev", _without_previous, FORMAT, _startxref_right, "the right /Prev"),
    Attack("/Prev beyond the file", _previous_beyond, _DAMAGED, _startxref_right, "the right /Prev"),
    Attack("hidden cross-reference section", _hidden_section, FORMAT, _startxref_right, "one section"),
    Attack("startxref of the revision before", _startxref_elsewhere, FORMAT, _startxref_right, "its own"),
    Attack("encrypted by an update", _encrypted_later, _DAMAGED, _identifier_kept, "not encrypted"),
    Attack(
        "object twice in an object stream",
        _twice_in_an_object_stream,
        FORMAT,
        _once_in_an_object_stream,
        "once",
    ),
    Attack(
        "object in an object stream", _changed_in_an_object_stream, FORMAT, _once_in_an_object_stream, "again"
    ),
    Attack("object stream overwritten", _object_stream_overwritten, FORMAT, _packed_page_said_again, "again"),
    Attack("length of the content changed", _length_changed, FORMAT, _length_said_again, "again"),
    Attack("object beyond the size", _beyond_the_size, FORMAT, _right_offset, "within it"),
    Attack("header changed", _header_changed, "HASH_FAILURE", _signed_alone, "as signed"),
)
"""Attacks on the mayor's approval signature."""
