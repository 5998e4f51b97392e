"""Attacks through the form: certification (EAA, SSA), locks, names and appearances of fields."""

from signer.pades.options import Certification, Lock
from signer.validation.pdf.values import Reference
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM, countersigned, opened, signed
from tests.attacks.incremental import FORMAT
from tests.attacks.overlays import (
    BLOT,
    INVISIBLE,
    MARK,
    ON_PAPER,
    OVER_TEXT,
    font_of,
    free_text,
    second_signature,
    with_annotation,
)
from tests.attacks.updates import Signed, Written, form

_P1 = Certification.NO_CHANGES
_P2 = Certification.FORM_FILLING
_P3 = Certification.ANNOTATIONS


def _filled(
    value: bytes = b"Ion", drawing: bytes = b"BT /F1 10 Tf 2 4 Td (Ion) Tj ET", **options: object
) -> bytes:
    d = opened(**options)
    look: Written = {"/N": Reference(d.free, 0)}
    return d.update(
        d.changed(d.field_path("functia"), V=value, AP=look)
        | {d.free: form(drawing, 120, 16, Font=font_of(d))}
    )


def _validation_data(**options: object) -> bytes:
    d = opened(**options)
    return d.update(d.changed(("/Root",), DSS={"/Certs": []}))


def _field(name: str, **entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed(d.field_path(name), **entries))


def _text_field_added() -> bytes:
    d = opened()
    field: Written = {"/FT": "/Tx", "/T": b"suma", "/V": b"9000"}
    fields = [*d.items("/Root", "/AcroForm", "/Fields"), Reference(d.free, 0)]
    return d.update(d.changed(("/Root", "/AcroForm"), Fields=fields) | {d.free: field})


def _new_signature_field(**entries: Written) -> bytes:
    d = opened()
    field: dict[str, Written] = {"/FT": "/Sig", "/T": b"Martor", "/Rect": [0, 0, 0, 0], "/Subtype": "/Widget"}
    fields = [*d.items("/Root", "/AcroForm", "/Fields"), Reference(d.free, 0)]
    return d.update(
        d.changed(("/Root", "/AcroForm"), Fields=fields)
        | {d.free: field | {f"/{k}": v for k, v in entries.items()}}
    )


def _shown_elsewhere(field: str) -> bytes:
    """A signature that was made, in a second place on the second page."""
    d = Signed(countersigned(signed()))
    return d.update(d.changed(d.page(1), Annots=[Reference(d.number(*d.field_path(field)), 0)]))


def _widget() -> int:
    d = opened()
    return d.number(*d.field_path("nume"))


def _same_value_other_look() -> bytes:
    d = opened()
    look = d.number(*d.field_path("nume"), "/AP", "/N")
    return d.update({look: form(b"BT /F1 10 Tf 2 4 Td (Eva) Tj ET", 120, 16, Font=font_of(d))})


def _other_value_other_look() -> bytes:
    d = opened()
    path = d.field_path("nume")
    look = form(b"BT /F1 10 Tf 2 4 Td (Eva) Tj ET", 120, 16, Font=font_of(d))
    return d.update(d.changed(path, V=b"Eva") | {d.number(*path, "/AP", "/N"): look})


def _signature_look() -> bytes:
    d = opened()
    look: Written = {"/N": Reference(d.free, 0)}
    return d.update(d.changed(d.field_path(VICTIM), AP=look) | {d.free: form(MARK, 140, 40)})


def _signature_value(**entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed((*d.field_path(VICTIM), "/V"), **entries))


def _signature_said_again() -> bytes:
    d = opened()
    path = (*d.field_path(VICTIM), "/V")
    return d.update({d.number(*path): d.value(*path)})


def _stray_widget() -> bytes:
    d = opened()
    widget: dict[str, Written] = {"/Subtype": "/Widget", "/Rect": ON_PAPER}
    return with_annotation(d, widget, MARK)


def _xfa() -> bytes:
    d = opened()
    return d.update(
        d.changed(("/Root", "/AcroForm"), XFA=[b"a", Reference(d.free, 0)]) | {d.free: form(b"", 1, 1)}
    )


def _default_look() -> bytes:
    d = opened()
    return d.update(d.changed(("/Root", "/AcroForm"), NeedAppearances="true"))


def _after_a_lock(lock: Lock | None, what: str) -> bytes:
    """What is done after the secretary's signature, which may lock the form."""
    d = Signed(countersigned(signed(), lock=lock))
    if what == "field":
        look: Written = {"/N": Reference(d.free, 0)}
        drawn = form(b"BT /F1 10 Tf 2 4 Td (Ion) Tj ET", 120, 16, Font=font_of(d))
        return d.update(d.changed(d.field_path("functia"), V=b"Ion", AP=look) | {d.free: drawn})
    if what == "store":
        return d.update(d.changed(("/Root",), DSS={"/Certs": []}))
    return d.update({d.number("/Root", "/AcroForm"): d.value("/Root", "/AcroForm")})


def _by_another(certification: Certification) -> bytes:
    """Signed by hand, as the project's own signer refuses it where nothing may follow."""
    d = opened(certification=certification)
    signature: dict[str, Written] = {
        "/Type": "/Sig",
        "/SubFilter": "/ETSI.CAdES.detached",
        "/ByteRange": [0, 1, 2, 1],
    }
    value: dict[int, Written] = {d.free: {**signature, "/Contents": b"\xcd"}}
    return d.update(d.changed(d.field_path("Secretar"), V=Reference(d.free, 0)) | value)


_ATTACK_ON_P = (
    Attack(
        "P1: a field filled",
        lambda: _filled(certification=_P1),
        FORMAT,
        lambda: _validation_data(certification=_P1),
        "validation data",
    ),
    Attack(
        "P1: signed by another", lambda: _by_another(_P1), FORMAT, lambda: _by_another(_P2), "P2 permits it"
    ),
    Attack(
        "P1: a comment",
        lambda: free_text(ON_PAPER, MARK, certification=_P1),
        FORMAT,
        lambda: free_text(ON_PAPER, MARK, certification=_P3),
        "P3 permits it",
    ),
    Attack(
        "P2: a comment (EAA)",
        lambda: free_text(OVER_TEXT, BLOT, certification=_P2),
        FORMAT,
        lambda: _filled(certification=_P2),
        "a field filled",
    ),
    Attack(
        "P2: a new visible signature (SSA)",
        lambda: second_signature(OVER_TEXT, BLOT, certification=_P2),
        FORMAT,
        lambda: second_signature(INVISIBLE, b"", certification=_P2),
        "an invisible one",
    ),
    Attack(
        "P3: a comment over the text (EAA)",
        lambda: free_text(OVER_TEXT, BLOT, certification=_P3),
        FORMAT,
        lambda: free_text(ON_PAPER, MARK, certification=_P3),
        "a comment beside it",
    ),
    Attack(
        "P3: a signature over the text (SSA)",
        lambda: second_signature(OVER_TEXT, BLOT, certification=_P3),
        FORMAT,
        lambda: second_signature(ON_PAPER, MARK, certification=_P3),
        "a signature beside it",
    ),
)
_ATTACKS_ON_FIELDS = (
    Attack(
        "another look of the same value",
        _same_value_other_look,
        FORMAT,
        _other_value_other_look,
        "value and look",
    ),
    Attack(
        "the signature's look", _signature_look, FORMAT, lambda: countersigned(signed()), "another's look"
    ),
    Attack(
        "the signature's reason",
        lambda: _signature_value(Reason=b"alt motiv"),
        FORMAT,
        _signature_said_again,
        "the same again",
    ),
    Attack(
        "a signature shown on another page",
        lambda: _shown_elsewhere("Secretar"),
        FORMAT,
        lambda: countersigned(signed()),
        "in its field",
    ),
    Attack(
        "a signature field of an older widget",
        lambda: _new_signature_field(Kids=[Reference(_widget(), 0)]),
        FORMAT,
        _new_signature_field,
        "of its own",
    ),
    Attack(
        "the signature's transform is no name",
        lambda: _signature_value(Reference=[{"/TransformMethod": {}}]),
        FORMAT,
        _signature_said_again,
        "the same again",
    ),
    Attack(
        "the signature moved",
        lambda: _field(VICTIM, Rect=[0, 0, 400, 300]),
        FORMAT,
        _signature_said_again,
        "the same again",
    ),
    Attack(
        "the signature unhooked",
        lambda: _field(VICTIM, V=None),
        FORMAT,
        _signature_said_again,
        "the same again",
    ),
    Attack("a field renamed", lambda: _field("nume", T=b"suma"), FORMAT, _filled, "filled"),
    Attack("a field moved", lambda: _field("nume", Rect=[0, 0, 400, 300]), FORMAT, _filled, "filled"),
    Attack(
        "a field's action",
        lambda: _field("nume", AA={"/K": {"/S": "/JavaScript", "/JS": b"x"}}),
        FORMAT,
        _filled,
        "filled",
    ),
    Attack("a text field added", _text_field_added, FORMAT, _new_signature_field, "an empty signature field"),
    Attack(
        "a signature field with an action",
        lambda: _new_signature_field(AA={"/E": {"/S": "/JavaScript"}}),
        FORMAT,
        _new_signature_field,
        "without one",
    ),
    Attack(
        "a signature field by a taken name",
        lambda: _new_signature_field(T=VICTIM.encode()),
        FORMAT,
        _new_signature_field,
        "a new name",
    ),
    Attack("a widget of no field", _stray_widget, FORMAT, lambda: free_text(ON_PAPER, MARK), "a comment"),
    Attack("XFA", _xfa, FORMAT, _default_look, "asks readers to draw"),
)
ATTACKS = (*_ATTACK_ON_P, *_ATTACKS_ON_FIELDS)
"""Attacks on the mayor's signature, which approves or certifies."""
ATTACKS_ON_LOCKS = (
    Attack(
        "a locked field filled",
        lambda: _after_a_lock(Lock.FIELDS, "field"),
        FORMAT,
        lambda: _after_a_lock(None, "field"),
        "not locked",
    ),
    Attack(
        "a locked document filled",
        lambda: _after_a_lock(Lock.DOCUMENT, "field"),
        FORMAT,
        lambda: _after_a_lock(Lock.DOCUMENT, "store"),
        "validation data",
    ),
    Attack(
        "a locked field's look",
        lambda: _after_a_lock(Lock.FIELDS, "field"),
        FORMAT,
        lambda: _after_a_lock(Lock.FIELDS, "form"),
        "the form again",
    ),
)
"""Attacks on the secretary's signature, which locks, in the field `LOCKING`."""
LOCKING = "Secretar"
