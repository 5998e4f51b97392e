"""Shadow attacks (Mainka et al., NDSS 2021): what was prepared before signing, shown afterwards."""

from functools import cache

from signer.validation.pdf.values import Reference, Value
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM, sign, unsigned
from tests.attacks.incremental import FORMAT
from tests.attacks.updates import Signed, Written, form, stream

_FORGED = b"BT /F1 14 Tf 40 200 Td (Se aproba plata sumei de 9000 lei) Tj ET"
_COVER = b"1 1 1 rg 0 0 400 40 re f"
_UNUSED, _COVERING, _HIDDEN_PAGE = 900, 901, 902


@cache
def _prepared(kind: str) -> Signed:
    """The decision with something hidden in it, signed by the mayor who does not see it."""
    d = Signed(unsigned())
    content = d.dictionary(*d.page())["/Contents"]
    if kind == "hide":  # a forged line under a cover that the page draws
        d = Signed(d.update(_covered(d, content)))
    elif kind == "replace":  # a second page tree's page that nothing uses
        hidden: dict[int, Written] = {
            _HIDDEN_PAGE: d.dictionary(*d.page()) | {"/Contents": Reference(_UNUSED, 0)},
            _UNUSED: stream(_FORGED),
        }
        d = Signed(d.update(hidden))
    elif kind == "undefined":  # the page draws an object that is not there yet
        both: list[Value] = [content, Reference(_UNUSED, 0)]
        d = Signed(d.update(d.changed(d.page(), Contents=both)))
    return Signed(sign(d.data, field_name=VICTIM))


def _covered(d: Signed, content: Value) -> dict[int, Written]:
    resources = d.dictionary(*d.page(), "/Resources") | {"/XObject": {"/Cover": Reference(_COVERING, 0)}}
    parts: list[Value] = [content, Reference(_UNUSED, 0)]
    return d.changed(d.page(), Contents=parts, Resources=resources) | {
        _UNUSED: stream(_FORGED + b" /Cover Do"),
        _COVERING: form(b"1 1 1 rg 40 195 300 20 re f", 400, 300),
    }


def _cover_taken_away() -> bytes:
    d = _prepared("hide")
    return d.update({_COVERING: form(b"", 400, 300)})


def _cover_freed() -> bytes:
    return _prepared("hide").update(free=[_COVERING])


def _cover_moved() -> bytes:
    """The form's type is taken away, so that readers no longer draw it (shadow hide by /Subtype)."""
    return _prepared("hide").update({_COVERING: {"/Type": "/XObject"}})


def _cover_said_again() -> bytes:
    d = _prepared("hide")
    return d.update({_COVERING: d.stream(*d.page(), "/Resources", "/XObject", "/Cover")})


def _page_exchanged() -> bytes:
    d = _prepared("replace")
    kids = [Reference(_HIDDEN_PAGE, 0), *d.items("/Root", "/Pages", "/Kids")[1:]]
    return d.update(d.changed(("/Root", "/Pages"), Kids=kids))


def _page_by_reference_alone() -> bytes:
    """Hide and replace: nothing new is written but rows that point at the prepared object."""
    d = _prepared("replace")
    forged = d.document.entries[_UNUSED].place
    number = d.number(*d.page(), "/Contents")
    return d.update({}, rows={number: b"%010d %05d n\r\n" % (forged, 0)})


def _nothing_exchanged() -> bytes:
    return _prepared("replace").update({})


def _undefined_defined() -> bytes:
    return _prepared("undefined").update({_UNUSED: stream(_FORGED)})


def _another_defined() -> bytes:
    return _prepared("undefined").update({_UNUSED + 50: stream(_FORGED)})


ATTACKS = (
    Attack("hide: a cover emptied", _cover_taken_away, FORMAT, _cover_said_again, "the same cover"),
    Attack("hide: a cover freed", _cover_freed, FORMAT, _cover_said_again, "the same cover"),
    Attack("hide: a cover that is none", _cover_moved, FORMAT, _cover_said_again, "the same cover"),
    Attack("replace: a page exchanged", _page_exchanged, FORMAT, _nothing_exchanged, "nothing exchanged"),
    Attack("hide and replace: rows alone", _page_by_reference_alone, FORMAT, _nothing_exchanged, "no rows"),
    Attack(
        "an undefined object defined", _undefined_defined, FORMAT, _another_defined, "one that nothing uses"
    ),
)
"""Attacks on the mayor's approval signature."""
