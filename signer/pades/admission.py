"""Which documents may be signed at all. Everything here is settled before a key is touched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Name

from pecete.errors import AlreadyExistsError, FailedPreconditionError, InvalidArgumentError
from signer.pades.options import SignatureOptions
from signer.pades.placement import Page, Rectangle

_HEADER_WITHIN = 1024
_TAIL = 2048
_DEEPEST_TREE = 64
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Admitted:
    """A document that may be signed, open in qpdf; valid inside `admitted` only.

    length: of the file in octets. startxref: offset of its last cross-reference section, -1 where the end of
    the file is unusual. field_name: the signature field to fill. existing: that field where there is one.
    """

    path: Path
    pdf: pikepdf.Pdf
    length: int
    startxref: int
    field_name: str
    existing: pikepdf.Object | None


@contextmanager
def admitted(path: Path, options: SignatureOptions) -> Iterator[Admitted]:
    """Open the document at `path` if one more signature may be added to it.

    Raises InvalidArgumentError with field "document": DOCUMENT_EMPTY, NOT_A_PDF, DOCUMENT_ENCRYPTED,
    DOCUMENT_DAMAGED, DOCUMENT_XFA_FORM; FailedPreconditionError with field "document":
    DOCUMENT_CERTIFIED_NO_CHANGES, DOCUMENT_CERTIFIED_NO_NEW_FIELD, DOCUMENT_LOCKED; with field "field_name"
    AlreadyExistsError FIELD_EXISTS and InvalidArgumentError FIELD_NAME_INVALID; InvalidArgumentError
    SIGNING_TIME_NAIVE and TEXT_INVALID.
    """
    _check_options(options)
    with _opened(path) as (pdf, length, startxref):
        field_name, existing = _examine(pdf, options)
        yield Admitted(path, pdf, length, startxref, field_name, existing)


@contextmanager
def augmentable(path: Path) -> Iterator[Admitted]:
    """Open the document at `path` if validation data or a document time-stamp may be added to it.

    Neither is a change that a certification or a lock forbids (ISO 32000-2 §12.8.2.2.2). The field is a new
    one, the next free `DocTimeStamp1`, `DocTimeStamp2`… Raises InvalidArgumentError as `admitted` does.
    """
    with _opened(path) as (pdf, length, startxref):
        with _malformed_is_damaged():
            fields = _form_fields(pdf)
        yield Admitted(path, pdf, length, startxref, _free_name("DocTimeStamp", fields), None)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[pikepdf.Pdf, int, int]]:
    """The document in qpdf, its length, and where its last cross-reference section is."""
    length, tail = _look(path)
    try:
        pdf = pikepdf.open(path, suppress_warnings=True, attempt_recovery=False)
    except pikepdf.PasswordError:
        raise _refused("DOCUMENT_ENCRYPTED", "The document is encrypted.") from None
    except pikepdf.PdfError:
        raise damaged() from None
    with pdf:
        if pdf.is_encrypted:
            raise _refused("DOCUMENT_ENCRYPTED", "The document is encrypted.")
        yield pdf, length, _startxref(tail)


@contextmanager
def _malformed_is_damaged() -> Iterator[None]:
    """What qpdf raises for objects of another kind than the standard says becomes DOCUMENT_DAMAGED."""
    try:
        yield
    except (pikepdf.PdfError, AttributeError, TypeError, ValueError, KeyError):
        raise damaged() from None


def damaged() -> InvalidArgumentError:
    """The refusal of a document whose structure is broken."""
    return _refused(
        "DOCUMENT_DAMAGED", "The document is truncated or its structure is broken; repair it before signing."
    )


def page_of(document: Admitted, number: int) -> pikepdf.Object:
    """The page dictionary of page `number`, counted from 1; 0: the last. Raises PAGE_NOT_FOUND."""
    pages = document.pdf.pages
    if not 0 <= number <= len(pages):
        raise InvalidArgumentError(
            "PAGE_NOT_FOUND",
            f"The document has {len(pages)} pages.",
            field="visible_signature.page",
        )
    return pages[number - 1].obj


def geometry(page: pikepdf.Object) -> Page:
    """Visible area and turn of a page, inherited where the page tree says so (ISO 32000-2 §7.7.3.4)."""
    media = _rectangle(_inherited(page, Name.MediaBox)) or (0.0, 0.0, 595.0, 842.0)
    crop = _rectangle(_inherited(page, Name.CropBox)) or media
    left, bottom = max(media[0], crop[0]), max(media[1], crop[1])
    right, top = min(media[2], crop[2]), min(media[3], crop[3])
    box = (left, bottom, right, top) if left < right and bottom < top else media
    turn = _inherited(page, Name.Rotate)
    return Page(box, int(turn) % 360 // 90 * 90 if isinstance(turn, int) else 0)


def occupied(page: pikepdf.Object) -> list[Rectangle]:
    """Rectangles of the page's annotations that have an extent."""
    rectangles = (
        _rectangle(annotation.get(Name.Rect)) for annotation in _dictionaries(page.get(Name.Annots))
    )
    return [found for found in rectangles if found and found[0] < found[2] and found[1] < found[3]]


def widget_rectangle(field: pikepdf.Object) -> Rectangle | None:
    """Where the widget of an existing field stands; None where it has no extent."""
    widget = next(iter(_dictionaries(field.get(Name.Kids))), field)
    found = _rectangle(widget.get(Name.Rect))
    return found if found and found[0] < found[2] and found[1] < found[3] else None


def _check_options(options: SignatureOptions) -> None:
    """Refuse what cannot be written into a signature dictionary, or would take long to draw."""
    if options.signing_time.tzinfo is None:
        raise InvalidArgumentError(
            "SIGNING_TIME_NAIVE", "The signing time has no zone.", field="signing_time"
        )
    texts = {"reason": options.reason, "location": options.location}
    if options.appearance is not None:
        texts["visible_signature.capacity"] = options.appearance.capacity
        texts["visible_signature.register_number"] = options.appearance.register_number
    for field, text in texts.items():
        if len(text) > _LONGEST_TEXT or not text.isprintable():
            raise InvalidArgumentError(
                "TEXT_INVALID", f"This has at most {_LONGEST_TEXT} printable characters.", field=field
            )


def _look(path: Path) -> tuple[int, bytes]:
    """Length and last octets of the file, if it begins as a PDF does."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        head = file.read(_HEADER_WITHIN)
        file.seek(max(0, length - _TAIL))
        tail = file.read(_TAIL)
    if not length:
        raise _refused("DOCUMENT_EMPTY", "The document is empty.")
    if b"%PDF-" not in head:
        raise _refused("NOT_A_PDF", "The document is not a PDF.")
    if not head.startswith(b"%PDF-"):
        # Offsets would count from the header, not from the first octet that ByteRange covers.
        raise damaged()
    return length, tail


def _startxref(tail: bytes) -> int:
    """The number after the last startxref where nothing but the end marker follows it, else -1."""
    _, found, end = tail.rpartition(b"startxref")
    words = end.split()
    plain = found and len(words) == 2 and words[0].isdigit() and words[1] == b"%%EOF"
    return int(words[0]) if plain else -1


def _examine(pdf: pikepdf.Pdf, options: SignatureOptions) -> tuple[str, pikepdf.Object | None]:
    """The name of the field to fill, and the field if the document has it. Raises as `admitted` says."""
    with _malformed_is_damaged():
        fields = _form_fields(pdf)
        name = _field_name(options.field_name, fields)
        certification = _certification(pdf)
        _check_locks(fields, certification, name)
    if certification is not None and name not in fields and options.appearance is not None:
        raise FailedPreconditionError(
            "DOCUMENT_CERTIFIED_NO_NEW_FIELD",
            "The document is certified: it takes an invisible signature, or one in a field that it has.",
            field="document",
        )
    return name, fields.get(name)


def _form_fields(pdf: pikepdf.Pdf) -> dict[str, pikepdf.Object]:
    """The form fields by name, of a document that has pages and no XFA form."""
    if not len(pdf.pages):
        raise damaged()
    form = pdf.Root.get(Name.AcroForm)
    if form is not None and Name.XFA in form:
        raise _refused("DOCUMENT_XFA_FORM", "The document is an XFA form, which is not signed as a PDF.")
    return dict(_fields(form.get(Name.Fields) if form is not None else None))


def _certification(pdf: pikepdf.Pdf) -> pikepdf.Object | None:
    """The certification signature's dictionary (ISO 32000-2 §12.8.6)."""
    permissions = pdf.Root.get(Name.Perms)
    return permissions.get(Name.DocMDP) if permissions is not None else None


def _fields(fields: pikepdf.Object | None) -> Iterator[tuple[str, pikepdf.Object]]:
    """Fully qualified names and dictionaries of all form fields (ISO 32000-2 §12.7.4.2)."""
    seen: set[tuple[int, int]] = set()
    waiting = [("", field, 0) for field in _dictionaries(fields)]
    while waiting:
        prefix, field, depth = waiting.pop()
        if depth > _DEEPEST_TREE or (field.is_indirect and field.objgen in seen):
            raise damaged()
        seen.add(field.objgen)
        partial = str(field.get(Name.T, ""))
        name = f"{prefix}.{partial}" if prefix and partial else prefix or partial
        if Name.T in field:
            yield name, field
        waiting += [(name, kid, depth + 1) for kid in _dictionaries(field.get(Name.Kids))]


def _field_name(wanted: str | None, fields: dict[str, pikepdf.Object]) -> str:
    if wanted is None:
        return _free_name("Signature", fields)
    field = fields.get(wanted)
    if field is None:
        if not wanted.strip() or "." in wanted or len(wanted) > 127 or not wanted.isprintable():
            raise InvalidArgumentError(
                "FIELD_NAME_INVALID",
                "A new field's name has 1 to 127 printable characters and no full stop.",
                field="field_name",
            )
        return wanted
    if _inherited(field, Name.FT) != Name.Sig or _inherited(field, Name.V) is not None:
        raise AlreadyExistsError(
            "FIELD_EXISTS",
            "The document has a field of that name that is signed or is no signature field.",
            field="field_name",
        )
    return wanted


def _free_name(stem: str, fields: dict[str, pikepdf.Object]) -> str:
    number = 1
    while f"{stem}{number}" in fields:
        number += 1
    return f"{stem}{number}"


def _check_locks(fields: dict[str, pikepdf.Object], certification: pikepdf.Object | None, name: str) -> None:
    """Refuse what a certification or an earlier signature forbids (ISO 32000-2 §12.8.2.2 and §12.8.2.4)."""
    signatures = [field[Name.V] for field in fields.values() if _is_signed(field)]
    if certification is not None:
        signatures.append(certification)
    for signature in signatures:
        for reference in _dictionaries(signature.get(Name.Reference)):
            _check_transform(reference, name)
    for field in fields.values():
        lock = field.get(Name.Lock)
        if _is_signed(field) and lock is not None and _locks(lock, name):
            raise _locked()


def _is_signed(field: pikepdf.Object) -> bool:
    return field.get(Name.FT) == Name.Sig and isinstance(field.get(Name.V), pikepdf.Dictionary)


def _check_transform(reference: pikepdf.Object, name: str) -> None:
    method = reference.get(Name.TransformMethod)
    parameters = reference.get(Name.TransformParams, pikepdf.Dictionary())
    if method == Name.DocMDP and parameters.get(Name.P, 2) == 1:
        raise FailedPreconditionError(
            "DOCUMENT_CERTIFIED_NO_CHANGES",
            "The document is certified and allows no changes, so no further signature.",
            field="document",
        )
    if method == Name.FieldMDP and _locks(parameters, name):
        raise _locked()


def _locks(lock: pikepdf.Object, name: str) -> bool:
    """Whether a signature field lock, or FieldMDP parameters, cover the field `name`."""
    if lock.get(Name.P) == 1:
        return True
    action = lock.get(Name.Action)
    named = [str(field) for field in lock.get(Name.Fields, pikepdf.Array())]
    listed = any(name == field or name.startswith(field + ".") for field in named)
    if action == Name.Exclude:
        return not listed
    return listed or action == Name.All


def _locked() -> FailedPreconditionError:
    return FailedPreconditionError(
        "DOCUMENT_LOCKED", "An earlier signature locked the document against this one.", field="document"
    )


def _refused(reason: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(reason, message, field="document")


def _inherited(node: pikepdf.Object, key: Name) -> object:
    """An attribute of a page or field, from its ancestors where it has none."""
    for _ in range(_DEEPEST_TREE):
        value: object = node.get(key)
        if value is not None:
            return value
        parent = node.get(Name.Parent)
        if not isinstance(parent, pikepdf.Dictionary):
            return None
        node = parent
    return None


def _dictionaries(array: object) -> list[pikepdf.Object]:
    """The dictionaries in an array; none where it is no array."""
    if not isinstance(array, pikepdf.Array):
        return []
    return [item for item in array if isinstance(item, pikepdf.Dictionary)]


def _rectangle(array: object) -> Rectangle | None:
    """Left, bottom, right, top of a rectangle given by any two opposite corners."""
    if not isinstance(array, pikepdf.Array) or len(array) != 4:
        return None
    x1, y1, x2, y2 = (float(number) for number in array)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
