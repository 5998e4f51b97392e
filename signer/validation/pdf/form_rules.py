"""What may change in forms, fields, appearances and annotations after a signature (EN 319 142-1 §5.4, §6)."""

from signer.validation.pdf.comparer import Comparer, Level, Rule
from signer.validation.pdf.fields import full_name, inherited, is_document_timestamp, is_visible
from signer.validation.pdf.objects import decoded
from signer.validation.pdf.roles import BITS, GRAMMAR, IS_FIELD
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Reference, Stream, Value

_NOT_ON_SIGNATURE_FIELDS = {"/AA", "/A"}
_FILLED = frozenset({"/AP", "/V", "/AS", "/F", "/DA", "/Q", "/Ff", "/M", "/I", "/RV"})
_SIGNED = frozenset({"/AP", "/AS", "/F", "/MK", "/Q", "/DA", "/M"})
_SIGNED_FIRST_TIME = frozenset({"/Lock", "/Rect"})
_MAX_NEW_KIDS = 20


def form(c: Comparer, former: Value, present: Value, number: int | None, _where: str) -> None:
    """The interactive form dictionary."""
    for key, old, new in c.changed_keys(former, present, "form"):
        if key == "/Fields" and new is not None:
            c.compare("FIELD_LIST", old if old is not None else [], new, None, "list of fields")
        elif key == "/SigFlags" and _only_adds_flags(old, new):
            c.log.note(Level.FORM if former else Level.EXTENSION, "signature flags of the form set")
        elif key == "/DR" and new is not None:
            c.compare("RESOURCES", old if old is not None else {}, new, number, "form resources")
        elif key in ("/DA", "/Q") and new is not None:
            c.log.note(Level.FORM, f"default appearance of the form changed ({key})")
        elif key == "/NeedAppearances" and new in (None, "false", "true"):
            c.log.note(Level.FORM, "form asks readers to draw its fields")
        else:
            c.compare("OTHER", old, new, number, f"form {key}")


def _only_adds_flags(old: Value, new: Value) -> bool:
    had = old if isinstance(old, int) else 0
    return (
        isinstance(new, int) and 0 <= new <= 3 and new & had == had and (old is None or isinstance(old, int))
    )


def resources(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """Default resources of the form."""
    for key, old, new in c.changed_keys(former or {}, present, where):
        role = GRAMMAR["RESOURCES"].get(key, "FORM_RESOURCE")
        c.compare(role, old if old is not None else {}, new, number, f"{where} {key}")


def fonts(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """Fonts of the form: fields are drawn with them, so that only new ones may come."""
    for key, old, new in c.changed_keys(former or {}, present, where):
        if old is None:
            c.log.note(Level.FORM, f"{where} {key} added")
        else:
            c.compare("OTHER", old, new, number, f"{where} {key}")


def field_list(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """The root fields: new signature fields may be added at any place."""
    extra = c.added_items(former, present, where)
    if not extra:
        return
    if c.root_field_names is None:
        known = former if isinstance(former, list) else []
        c.root_field_names = {full_name(c.before(x), c.before) for x in known if isinstance(x, Reference)}
    for item in extra:
        field = c.now(item)
        if not isinstance(item, Reference) or not isinstance(field, dict):
            c.log.forbid(f"{where}: an item that is no field")
            continue
        name = full_name(field, c.now)
        if name in c.root_field_names or "/T" not in field:
            c.log.forbid(f"{where}: the name {name!r} is taken or missing")
        c.root_field_names.add(name)
        _new_field(c, item, field, name)


def _new_field(c: Comparer, reference: Reference, field: Dictionary, name: str, depth: int = 0) -> None:
    if not c.is_new(reference) or reference in c.fields_made:
        c.log.forbid(f"new field {name!r} is made of an older object, or stands twice")
        return
    c.fields_made.add(reference)
    if inherited(field, "/FT", c.now) == "/Sig":
        _new_signature_field(c, field, name)
        return
    kids = c.now(field.get("/Kids"))
    if not (isinstance(kids, list) and kids and "/FT" not in field and depth < _MAX_NEW_KIDS):
        c.log.forbid(f"new field {name!r} that is no signature field")
        return
    for kid in kids:
        below = c.now(kid)
        if isinstance(kid, Reference) and isinstance(below, dict):
            _new_field(c, kid, below, full_name(below, c.now), depth + 1)


def _new_signature_field(c: Comparer, field: Dictionary, name: str) -> None:
    kids = c.now(field.get("/Kids"))
    parts = [field.get("/V"), field.get("/Lock"), *(kids if isinstance(kids, list) else ())]
    if not all(c.is_new(part) for part in parts) or _NOT_ON_SIGNATURE_FIELDS & field.keys():
        c.log.forbid(f"new signature field {name!r} with an older part, or with an action")
        return
    _signing(c, name, c.now(field.get("/V")))
    below = [c.now(kid) for kid in kids] if isinstance(kids, list) else []
    widgets = [field, *(kid for kid in below if isinstance(kid, dict))]
    c.log.places_field |= any(is_visible(widget, c.now) for widget in widgets)
    c.log.note(max(_placing(c, widget) for widget in widgets), f"signature field {name!r} added")


def _placing(c: Comparer, widget: Dictionary) -> Level:
    """Only a document time-stamp that is not seen on the page is no form filling."""
    drawn = is_visible(widget, c.now) and "/AP" in widget
    stamp = is_document_timestamp(inherited(widget, "/V", c.now))
    return Level.EXTENSION if stamp and not drawn else Level.FORM


def _signing(c: Comparer, name: str, signature: Value) -> None:
    """A new signature; a document time-stamp is no form filling, so that no lock stops it."""
    if signature is None:
        return
    if not isinstance(signature, dict) or "/Contents" not in signature or "/ByteRange" not in signature:
        c.log.forbid(f"odd signature in field {name!r}")
    elif is_document_timestamp(signature):
        c.log.note(Level.EXTENSION, f"document time-stamp in field {name!r}")
    else:
        c.log.note(Level.FORM, f"signature in field {name!r}", name)


def field(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """A field that was there: it may be filled in or signed."""
    changed = c.changed_keys(former, present, where)
    if not changed:
        return
    name, kind = full_name(former, c.before), inherited(former, "/FT", c.before)
    old_value, new_value = (
        c.value_of(number, former, present=False),
        c.value_of(number, present, present=True),
    )
    is_signature = None if kind is None else kind == "/Sig"
    signing = is_signature is True and old_value is None and new_value is not None
    for key, old, new in changed:
        if old is None and (key in ("/P", "/StructParent", "/M") or (key == "/Type" and new == "/Annot")):
            continue
        if signing and key == "/V":
            if not c.is_new(new):
                c.log.forbid(f"field {name!r} signed with an older object")
            _signing(c, name, new_value)
        elif not _may_change(key, old, is_signature, signing):
            c.compare("OTHER", old, new, number, f"field {name!r} {key}")
        else:
            c.log.note(Level.FORM, f"field {name!r}: {key} changed", name)
            if key == "/AP":
                unchanged = old_value is not None and old_value == new_value and _same_state(former, present)
                _appearance(c, name, old, new, unchanged)


def _same_state(former: Value, present: Value) -> bool:
    return isinstance(former, dict) and isinstance(present, dict) and former.get("/AS") == present.get("/AS")


def _may_change(key: str, old: Value, is_signature: bool | None, signing: bool) -> bool:
    if is_signature is None:
        return False
    if not is_signature:
        return key in _FILLED
    return key == "/Ff" or (signing and (key in _SIGNED or (key in _SIGNED_FIRST_TIME and old is None)))


def _appearance(c: Comparer, name: str, former: Value, present: Value, value_unchanged: bool) -> None:
    """A new appearance dictionary; with an unchanged value it must draw the same."""
    if isinstance(former, Reference) and c.roles.of(former.number) & BITS["OTHER"]:
        c.log.forbid(f"the appearance of field {name!r} was used elsewhere too")
    new = c.now(present)
    if not isinstance(new, dict):
        c.log.forbid(f"field {name!r}: the appearance is not a dictionary")
        return
    for key, state in new.items():
        drawn = c.now(state)
        states = list(drawn.values()) if isinstance(drawn, dict) else [drawn]
        if not all(isinstance(c.now(item), Stream) for item in states):
            c.log.forbid(f"field {name!r}: {key} is no appearance")
    if value_unchanged and not _draws_the_same(c, former, present):
        c.log.forbid(f"field {name!r} looks different with the same value")


def _draws_the_same(c: Comparer, former: Value, present: Value) -> bool:
    """Whether the normal appearance is the same drawing, perhaps encoded anew."""
    old_look, new_look = c.before(former), c.now(present)
    old = c.before(old_look.get("/N")) if isinstance(old_look, dict) else None
    new = c.now(new_look.get("/N")) if isinstance(new_look, dict) else None
    if old is None:
        return True
    if not isinstance(old, Stream) or not isinstance(new, Stream):
        return False
    try:
        drawing_same = decoded(old) == decoded(new)
    except PdfSyntaxError:
        return False
    return drawing_same and old.dictionary.get("/BBox") == new.dictionary.get("/BBox")


def value(c: Comparer, _former: Value, _present: Value, number: int | None, where: str) -> None:
    """A value that is an object of its own: a signature never changes."""
    for owner in _owners(c, number):
        old, _ = _field_states(c, owner)
        if inherited(old, "/FT", c.before) == "/Sig":
            c.log.forbid(f"{where}: the signature dictionary changed")
        else:
            c.log.note(Level.FORM, f"{where} changed", full_name(old, c.before) or "*")


def look(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """An appearance that is an object of its own changes only with the value of its field."""
    for owner in _owners(c, number):
        old, new = _field_states(c, owner)
        old_value, new_value = c.value_of(owner, old, present=False), c.value_of(owner, new, present=True)
        unchanged = old_value is not None and old_value == new_value and _same_state(old, new)
        if type(former) is not type(present) or unchanged:
            c.log.forbid(f"{where}: looks different with the same value")
        else:
            c.log.note(Level.FORM, f"{where} changed", full_name(old, c.before) or "*")


def signature_look(c: Comparer, _former: Value, _present: Value, number: int | None, where: str) -> None:
    """The appearance of a signature field may change only by signing."""
    for owner in _owners(c, number):
        old, new = _field_states(c, owner)
        signed_before = c.value_of(owner, old, present=False) is not None
        if signed_before or c.value_of(owner, new, present=True) is None:
            c.log.forbid(f"{where}: the appearance of a signature changed")
        else:
            c.log.note(Level.FORM, f"{where} changed", full_name(old, c.before) or "*")


def _owners(c: Comparer, number: int | None) -> list[int | None]:
    owners = c.roles.owners.get(number) if number is not None else None
    return list(owners) if owners else [number]


def _field_states(c: Comparer, owner: int | None) -> tuple[Value, Value]:
    if owner is None:
        return None, None
    reference = Reference(owner, 0)
    return c.before(reference), c.now(reference)


def annotation_list(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """The annotations of a page; a mark-up may be removed as an annotation change, a widget may not."""
    former, present = former or [], present or []
    if not isinstance(former, list) or not isinstance(present, list):
        c.log.forbid(f"{where}: not an array")
        return
    for item in c.added_items(_kept(c, former, present, where), present, where):
        _new_annotation(c, item, where)


def _kept(c: Comparer, former: list[Value], present: list[Value], where: str) -> list[Value]:
    """The former annotations without those that may go and went."""
    if present[: len(former)] == former:
        return former
    still_there = {item for item in present if isinstance(item, Reference)}
    kept = []
    for item in former:
        if isinstance(item, Reference) and item not in still_there and _is_markup(c, item):
            c.log.note(Level.ANNOTATION, f"{where}: an annotation was removed")
        else:
            kept.append(item)
    return kept


def _is_markup(c: Comparer, item: Reference) -> bool:
    old = c.before(item)
    return (
        isinstance(old, dict) and old.get("/Subtype") != "/Widget" and not c.roles.of(item.number) & IS_FIELD
    )


def _new_annotation(c: Comparer, item: Value, where: str) -> None:
    annotation = c.now(item)
    if not isinstance(annotation, dict):
        c.log.forbid(f"{where}: an item that is no annotation")
        return
    roles, subtype = c.roles.of(item.number) if isinstance(item, Reference) else 0, annotation.get("/Subtype")
    if roles & BITS["SIGNATURE_FIELD"] and _was_signed(c, item):
        c.log.forbid(f"{where}: a signature that was there is shown in another place")
    elif roles & BITS["SIGNATURE_FIELD"]:
        c.log.note(_placing(c, annotation), f"{where}: signature placed")
    elif roles & BITS["FIELD"] or subtype == "/Widget":
        c.log.forbid(f"{where}: a form field was placed")
    elif not c.is_new(item) or not isinstance(subtype, str):
        c.log.forbid(f"{where}: an odd annotation, or one made of an older object")
    else:
        c.log.note(Level.ANNOTATION, f"{where}: annotation {subtype[1:]} added")


def _was_signed(c: Comparer, item: Value) -> bool:
    number = item.number if isinstance(item, Reference) else None
    return c.value_of(number, c.before(item), present=False) is not None


def annotation(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """An annotation that was there; a widget is judged as a field."""
    if number is not None and c.roles.of(number) & IS_FIELD:
        return
    widget = isinstance(former, dict) and former.get("/Subtype") == "/Widget"
    for key, _, _ in c.changed_keys(former, present, where):
        forbidden = widget or key == "/Subtype"
        c.log.note(Level.UNDEFINED if forbidden else Level.ANNOTATION, f"{where}: {key} changed")


RULES: dict[str, Rule] = {
    "FORM": form,
    "RESOURCES": resources,
    "FONTS": fonts,
    "FIELD_LIST": field_list,
    "FIELD": field,
    "SIGNATURE_FIELD": field,
    "VALUE": value,
    "LOOK": look,
    "LOOK_STATES": look,
    "LOOK_STREAM": look,
    "SIGNATURE_LOOK": signature_look,
    "SIGNATURE_LOOK_STATES": signature_look,
    "SIGNATURE_LOOK_STREAM": signature_look,
    "ANNOTATION_LIST": annotation_list,
    "ANNOTATION": annotation,
}
"""Rule of each role of this room."""
