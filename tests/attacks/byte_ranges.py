"""Universal signature forgery (USF) and signature wrapping (SWA): what is signed, and where it stands."""

import re

from signer.validation.pdf.values import Value
from tests.attacks.cases import Attack
from tests.attacks.documents import countersigned, opened, signed
from tests.attacks.incremental import FORMAT

_RANGE = re.compile(rb"/ByteRange ?\[[^\]]*\]")
_CONTENTS = re.compile(rb"/Contents ?<[0-9a-fA-F]+>")
_DAMAGED = "DOCUMENT_DAMAGED"
_UNDECODABLE = "SIGNATURE_UNDECODABLE"


def _range(numbers: bytes) -> bytes:
    """The signed document with other octets in place of /ByteRange, which is as long as before."""
    match = _RANGE.search(signed())
    assert match is not None
    written = (b"/ByteRange[" + numbers + b"]") if numbers else b"/Byterange[]"
    assert len(written) <= len(match[0])
    return signed()[: match.start()] + written.ljust(len(match[0])) + signed()[match.end() :]


def _numbers() -> list[int]:
    match = _RANGE.search(signed())
    assert match is not None
    return [int(number) for number in re.findall(rb"\d+", match[0])]


def _changed_range(*changes: tuple[int, int]) -> bytes:
    numbers = _numbers()
    for place, by in changes:
        numbers[place] += by
    return _range(b" ".join(b"%d" % number for number in numbers))


def _contents(written: bytes) -> bytes:
    """The signed document with other octets in place of /Contents."""
    match = _CONTENTS.search(signed())
    assert match is not None
    padded = written.ljust(len(match[0])) if len(written) <= len(match[0]) else written
    return signed()[: match.start()] + padded + signed()[match.end() :]


def _emptied(digits: bytes) -> bytes:
    match = _CONTENTS.search(signed())
    assert match is not None
    head = match[0].index(b"<") + 1
    room = len(match[0]) - head - 1
    return _contents(match[0][:head] + digits.ljust(room, b"0") + b">")


def _upper_case() -> bytes:
    """The same signature in other digits: the gap is not signed, and its value is the same."""
    match = _CONTENTS.search(signed())
    assert match is not None
    head = match[0].index(b"<")
    return _contents(match[0][:head] + match[0][head:].upper())


def _gap_with_an_object() -> bytes:
    """Wrapped: the digits end early, and what follows them in the gap is unsigned."""
    match = _CONTENTS.search(signed())
    assert match is not None
    end = match[0].rstrip(b"0>")
    filler = b"/Reason(9000 lei)/Pad("
    room = len(match[0]) - len(end) - len(filler) - 3
    return _contents(end + b"0>" + filler + b"x" * room + b")")


def _moved_second_range() -> bytes:
    """Wrapped (Mladenov et al. 2019): the signed end is moved, and /ByteRange follows it."""
    start, first, second, length = _numbers()
    tail = signed()[second:]
    forged = b"/Reason(9000 lei)" + b" " * 40
    moved = signed()[:second] + forged + tail
    whole = _RANGE.search(moved)
    assert whole is not None
    numbers = b"/ByteRange[%d %d %d %d]" % (start, first, second + len(forged), length)
    return moved[: whole.start()] + numbers.ljust(len(whole[0])) + moved[whole.end() :]


def _second_range_elsewhere() -> bytes:
    """/ByteRange in an update's copy of the dictionary, which leaves the signed bytes alone."""
    d = opened()
    path = (*d.field_path("Primar"), "/V")
    numbers: list[Value] = [*_numbers()[:3], _numbers()[3] - 100]
    return d.update(d.changed(path, ByteRange=numbers))


def _signed_as_it_is() -> bytes:
    return signed()


ATTACKS = (
    Attack("no /ByteRange", lambda: _range(b""), FORMAT, _signed_as_it_is, "as signed"),
    Attack("an empty /ByteRange", lambda: _range(b" "), FORMAT, _upper_case, "other digits of one value"),
    Attack(
        "/ByteRange of one range",
        lambda: _range(b"%d %d" % tuple(_numbers()[:2])),
        FORMAT,
        _signed_as_it_is,
        "as signed",
    ),
    Attack(
        "/ByteRange of negative numbers", lambda: _range(b"0 -1 0 -1"), FORMAT, _signed_as_it_is, "as signed"
    ),
    Attack(
        "/ByteRange from the second byte",
        lambda: _changed_range((0, 1), (1, -1)),
        FORMAT,
        _signed_as_it_is,
        "as signed",
    ),
    Attack(
        "/ByteRange that ends early",
        lambda: _changed_range((3, -20)),
        FORMAT,
        lambda: signed() + b"\n",
        "a blank more",
    ),
    Attack(
        "/ByteRange beyond the file", lambda: _changed_range((3, 20)), FORMAT, _signed_as_it_is, "as signed"
    ),
    Attack("a gap that is too wide", lambda: _changed_range((1, -9)), FORMAT, _signed_as_it_is, "as signed"),
    Attack(
        "ranges that overlap",
        lambda: _changed_range((2, -99), (3, 99)),
        FORMAT,
        _signed_as_it_is,
        "as signed",
    ),
    Attack(
        "/Contents of zeros", lambda: _emptied(b""), _UNDECODABLE, _upper_case, "other digits of one value"
    ),
    Attack(
        "/Contents of one byte",
        lambda: _emptied(b"30"),
        _UNDECODABLE,
        _upper_case,
        "other digits of one value",
    ),
    Attack(
        "/Contents null", lambda: _contents(b"/Contents null"), _UNDECODABLE, _signed_as_it_is, "as signed"
    ),
    Attack(
        "an object in the gap",
        _gap_with_an_object,
        _DAMAGED,
        lambda: countersigned(signed()),
        "signed by another",
    ),
    Attack(
        "the second range moved",
        _moved_second_range,
        _DAMAGED,
        lambda: countersigned(signed()),
        "signed by another",
    ),
    Attack(
        "/ByteRange in an update", _second_range_elsewhere, FORMAT, lambda: opened().update({}), "no change"
    ),
)
"""Attacks on the mayor's approval signature."""
