"""Attacks that lay something over a signed page: annotations, widgets of signatures, prepared fields."""

from signer.validation.pdf.values import Reference, Value
from tests.attacks.cases import Attack
from tests.attacks.documents import VICTIM, countersigned, opened, sign, signed, unsigned
from tests.attacks.incremental import FORMAT
from tests.attacks.updates import Signed, Written, form

BLOT = b"1 1 1 rg 0 0 360 160 re f 0 g BT /F1 14 Tf 4 80 Td (Se aproba plata sumei de 9000 lei) Tj ET"
MARK = b"1 0 0 RG 2 w 1 1 38 38 re S"
OVER_TEXT: list[Value] = [30, 170, 390, 280]
ON_PAPER: list[Value] = [350, 230, 390, 270]
_ONE_DIGIT: tuple[Value, ...] = (205, 217, 214, 234)
INVISIBLE: list[Value] = [0, 0, 0, 0]


def font_of(d: Signed) -> dict[str, Written]:
    return {"/F1": d.dictionary(*d.page(), "/Resources", "/Font")["/F1"]}


def with_annotation(d: Signed, annotation: dict[str, Written], drawing: bytes, **more: Written) -> bytes:
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
        d.free + 1: form(drawing, width, height, Font=font_of(d)),
    }
    return d.update(objects | {int(number): value for number, value in more.items()})


def free_text(rectangle: list[Written], drawing: bytes, flags: int = 4, **options: object) -> bytes:
    """The signed decision with a text laid upon its first page."""
    annotation: dict[str, Written] = {"/Subtype": "/FreeText", "/Rect": rectangle, "/F": flags}
    return with_annotation(opened(**options), annotation, drawing)


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
    prepared = with_annotation(d, widget, drawing, **{str(n): value for n, value in in_form.items()})
    return sign(prepared, field_name="Martor")


def _large_field_filled(drawing: bytes) -> bytes:
    """A field over half the page, empty when the mayor signed (SSA through a prepared field)."""
    d = Signed(unsigned())
    prepared = d.update(d.changed(d.field_path("functia"), Rect=[20, 55, 390, 290]))
    d = Signed(sign(prepared, field_name=VICTIM))
    look: Written = {"/N": Reference(d.free, 0)}
    objects = d.changed(d.field_path("functia"), V=b"9000", AP=look)
    return d.update(objects | {d.free: form(drawing, 370, 235, Font=font_of(d))})


ATTACKS = (
    Attack(
        "a comment over the text",
        lambda: free_text(OVER_TEXT, BLOT),
        FORMAT,
        lambda: free_text(OVER_TEXT, MARK),
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
        lambda: free_text(OVER_TEXT, BLOT, 36),
        FORMAT,
        lambda: free_text(ON_PAPER, MARK, 36),
        "beside the text",
    ),
    Attack(
        "a signature over the text",
        lambda: second_signature(OVER_TEXT, BLOT),
        FORMAT,
        lambda: countersigned(signed()),
        "in its field",
    ),
    Attack(
        "a black box",
        lambda: free_text(OVER_TEXT, b"0 0 360 110 re f"),
        FORMAT,
        lambda: free_text(OVER_TEXT, b""),
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
"""Attacks on the mayor's approval signature."""
