"""Attacks through the form: certification (EAA, SSA), locks, names and appearances of fields."""

from signer.pades.options import Certification, Lock
from signer.validation.pdf.values import Reference, Value
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM, countersigned, opened, sign, signed
from tests.attacks.incremental import FORMAT
from tests.attacks.updates import Signed, Written, form

_P1 = Certification.NO_CHANGES
_P2 = Certification.FORM_FILLING
_P3 = Certification.ANNOTATIONS
_BLOT = b"1 1 1 rg 0 0 360 160 re f 0 g BT /F1 14 Tf 4 80 Td (Se aproba plata sumei de 9000 lei) Tj ET"
_MARK = b"1 0 0 RG 2 w 1 1 38 38 re S"
_OVER_TEXT: list[Value] = [30, 170, 390, 280]
_ON_PAPER: list[Value] = [350, 230, 390, 270]


def _font(d: Signed) -> dict[str, Written]:
    return {"/F1": d.dictionary(*d.page(), "/Resources", "/Font")["/F1"]}


def _with_annotation(d: Signed, annotation: dict[str, Written], drawing: bytes, **more: Written) -> bytes:
    """The document with an annotation on its first page that is drawn so."""
    rectangle = annotation["/Rect"]
    assert isinstance(rectangle, list)
    width, height = (float(str(rectangle[i + 2])) - float(str(rectangle[i])) for i in (0, 1))
    whole: dict[str, Written] = {
        "/Type": "/Annot",
        "/F": 4,
        "/P": Reference(d.number(*d.page()), 0),
        "/AP": {"/N": Reference(d.free + 1, 0)},
        **annotation,
    }
    objects: dict[int, Written] = {
        d.number(*d.page(), "/Annots"): [*d.items(*d.page(), "/Annots"), Reference(d.free, 0)],
        d.free: whole,
        d.free + 1: form(drawing, width, height, Font=_font(d)),
    }
    return d.update(objects | {int(number): value for number, value in more.items()})


def free_text(rectangle: list[Written], drawing: bytes, flags: int = 4, **options: object) -> bytes:
    """The signed decision with a text laid upon its first page."""
    annotation: dict[str, Written] = {"/Subtype": "/FreeText", "/Rect": rectangle, "/F": flags}
    return _with_annotation(opened(**options), annotation, drawing)


def highlight(**options: object) -> bytes:
    """The signed decision with a line marked in yellow, as a felt pen does."""
    d = opened(**options)
    whole: dict[str, Written] = {"/Subtype": "/Highlight", "/Rect": [40, 215, 260, 235], "/C": [1, 1, 0]}
    whole["/QuadPoints"] = [40, 235, 260, 235, 40, 215, 260, 215]
    state: Written = {"/G": {"/BM": "/Multiply"}}
    drawn = form(b"/G gs 1 1 0 rg 0 0 220 20 re f", 220, 20, ExtGState=state)
    drawn.dictionary["/Group"] = {"/S": "/Transparency"}
    whole |= {"/Type": "/Annot", "/F": 4, "/AP": {"/N": Reference(d.free + 1, 0)}}
    return d.update(
        {
            d.number(*d.page(), "/Annots"): [*d.items(*d.page(), "/Annots"), Reference(d.free, 0)],
            d.free: whole,
            d.free + 1: drawn,
        }
    )


def second_signature(rectangle: list[Written], drawing: bytes, **options: object) -> bytes:
    """The signed decision with a signature in a new field, whose widget is drawn so."""
    d = opened(**options)
    widget: dict[str, Written] = {"/Subtype": "/Widget", "/FT": "/Sig", "/T": b"Martor", "/Rect": rectangle}
    fields = [*d.items("/Root", "/AcroForm", "/Fields"), Reference(d.free, 0)]
    in_form = d.changed(("/Root", "/AcroForm"), Fields=fields)
    prepared = _with_annotation(d, widget, drawing, **{str(n): value for n, value in in_form.items()})
    return sign(prepared, field_name="Martor")


def _filled(
    value: bytes = b"Ion", drawing: bytes = b"BT /F1 10 Tf 2 4 Td (Ion) Tj ET", **options: object
) -> bytes:
    d = opened(**options)
    look: Written = {"/N": Reference(d.free, 0)}
    return d.update(
        d.changed(d.field_path("functia"), V=value, AP=look) | {d.free: form(drawing, 120, 16, Font=_font(d))}
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
    return d.update(d.changed(("/Root", "/AcroForm"), Fields=fields) | {d.free: field | entries})


def _same_value_other_look() -> bytes:
    d = opened()
    look = d.number(*d.field_path("nume"), "/AP", "/N")
    return d.update({look: form(b"BT /F1 10 Tf 2 4 Td (Eva) Tj ET", 120, 16, Font=_font(d))})


def _other_value_other_look() -> bytes:
    d = opened()
    path = d.field_path("nume")
    look = form(b"BT /F1 10 Tf 2 4 Td (Eva) Tj ET", 120, 16, Font=_font(d))
    return d.update(d.changed(path, V=b"Eva") | {d.number(*path, "/AP", "/N"): look})


def _signature_look() -> bytes:
    d = opened()
    look: Written = {"/N": Reference(d.free, 0)}
    return d.update(d.changed(d.field_path(VICTIM), AP=look) | {d.free: form(_MARK, 140, 40)})


def _signature_value(**entries: Written) -> bytes:
    d = opened()
    return d.update(d.changed((*d.field_path(VICTIM), "/V"), **entries))


def _signature_said_again() -> bytes:
    d = opened()
    path = (*d.field_path(VICTIM), "/V")
    return d.update({d.number(*path): d.value(*path)})


def _stray_widget() -> bytes:
    d = opened()
    widget: dict[str, Written] = {"/Subtype": "/Widget", "/Rect": _ON_PAPER}
    return _with_annotation(d, widget, _MARK)


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
        drawn = form(b"BT /F1 10 Tf 2 4 Td (Ion) Tj ET", 120, 16, Font=_font(d))
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


def _large_field_filled(drawing: bytes) -> bytes:
    """A field over half the page, empty when the mayor signed (SSA through a prepared field)."""
    from tests.attacks.documents import unsigned

    d = Signed(unsigned())
    prepared = d.update(d.changed(d.field_path("functia"), Rect=[20, 55, 390, 290]))
    d = Signed(sign(prepared, field_name=VICTIM))
    look: Written = {"/N": Reference(d.free, 0)}
    objects = d.changed(d.field_path("functia"), V=b"9000", AP=look)
    return d.update(objects | {d.free: form(drawing, 370, 235, Font=_font(d))})


_ONE_DIGIT: tuple[Value, ...] = (205, 217, 214, 234)
_INVISIBLE: list[Value] = [0, 0, 0, 0]
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
        lambda: free_text(_ON_PAPER, _MARK, certification=_P1),
        FORMAT,
        lambda: free_text(_ON_PAPER, _MARK, certification=_P3),
        "P3 permits it",
    ),
    Attack(
        "P2: a comment (EAA)",
        lambda: free_text(_OVER_TEXT, _BLOT, certification=_P2),
        FORMAT,
        lambda: _filled(certification=_P2),
        "a field filled",
    ),
    Attack(
        "P2: a new visible signature (SSA)",
        lambda: second_signature(_OVER_TEXT, _BLOT, certification=_P2),
        FORMAT,
        lambda: second_signature(_INVISIBLE, b"", certification=_P2),
        "an invisible one",
    ),
    Attack(
        "P3: a comment over the text (EAA)",
        lambda: free_text(_OVER_TEXT, _BLOT, certification=_P3),
        FORMAT,
        lambda: free_text(_ON_PAPER, _MARK, certification=_P3),
        "a comment beside it",
    ),
    Attack(
        "P3: a signature over the text (SSA)",
        lambda: second_signature(_OVER_TEXT, _BLOT, certification=_P3),
        FORMAT,
        lambda: second_signature(_ON_PAPER, _MARK, certification=_P3),
        "a signature beside it",
    ),
)
_ATTACKS_ON_LOOKS = (
    Attack(
        "a comment over the text",
        lambda: free_text(_OVER_TEXT, _BLOT),
        FORMAT,
        lambda: free_text(_OVER_TEXT, _MARK),
        "transparent",
    ),
    Attack(
        "one digit covered",
        lambda: free_text(list(_ONE_DIGIT), b"1 1 1 rg 0 0 9 17 re f 0 g BT /F1 14 Tf 0 5 Td (9) Tj ET"),
        FORMAT,
        highlight,
        "a line marked",
    ),
    Attack(
        "a comment that is printed alone",
        lambda: free_text(_OVER_TEXT, _BLOT, 36),
        FORMAT,
        lambda: free_text(_ON_PAPER, _MARK, 36),
        "beside the text",
    ),
    Attack(
        "a signature over the text",
        lambda: second_signature(_OVER_TEXT, _BLOT),
        FORMAT,
        lambda: countersigned(signed()),
        "in its field",
    ),
    Attack(
        "a black box",
        lambda: free_text(_OVER_TEXT, b"0 0 360 110 re f"),
        FORMAT,
        lambda: free_text(_OVER_TEXT, b""),
        "an empty one",
    ),
    Attack(
        "a large field filled in",
        lambda: _large_field_filled(b"1 1 1 rg 0 0 370 235 re f"),
        FORMAT,
        lambda: _large_field_filled(b"BT /F1 9 Tf 330 20 Td (9000) Tj ET"),
        "nothing hidden",
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
        lambda: _new_signature_field(**{"/T": VICTIM.encode()}),
        FORMAT,
        _new_signature_field,
        "a new name",
    ),
    Attack("a widget of no field", _stray_widget, FORMAT, lambda: free_text(_ON_PAPER, _MARK), "a comment"),
    Attack("XFA", _xfa, FORMAT, _default_look, "asks readers to draw"),
)
ATTACKS = (*_ATTACK_ON_P, *_ATTACKS_ON_LOOKS, *_ATTACKS_ON_FIELDS)
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
