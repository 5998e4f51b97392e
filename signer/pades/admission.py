"""Which documents may be signed at all. Everything here is settled before a key is touched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Name

from pecete.errors import AlreadyExistsError, FailedPreconditionError, InvalidArgumentError
from signer.pades.form import FormFields
from signer.pades.objects import inherited
from signer.pades.options import Certification, Lock, PlannedField, SignatureOptions
from signer.pades.permissions import FieldLock, check_earlier, field_lock

_HEADER_WITHIN = 1024
_TAIL = 2048
_LONGEST_TEXT = 1000
_LARGEST_SIZE = 8_388_607
"""Most indirect objects that readers know (ISO 32000-1 Table C.1)."""
_SMALLEST_OBJECT = 3
"""Octets of a file to an object number: qpdf takes what has a higher number for null."""


@dataclass(frozen=True)
class NewField:
    """An empty signature field that is to be made, with what its signature will lock."""

    name: str
    lock: FieldLock | None


@dataclass(frozen=True)
class _Findings:
    """What the document's form and its earlier signatures mean for a signature.

    field_name: the signature field to fill. existing: that field where there is one. certification: what the
    signature certifies. lock: what it locks. planned_fields: those that are to be made for later signatures.
    """

    field_name: str
    existing: pikepdf.Object | None
    certification: Certification | None
    lock: FieldLock | None
    planned_fields: tuple[NewField, ...]


@dataclass(frozen=True)
class Admitted(_Findings):
    """A document that may be signed, open in qpdf; valid inside `admitted` only.

    length: of the file in octets. startxref: offset of its last cross-reference section, -1 where the end of
    the file is unusual.
    """

    path: Path
    pdf: pikepdf.Pdf
    length: int
    startxref: int


@contextmanager
def admitted(path: Path, options: SignatureOptions) -> Iterator[Admitted]:
    """Open the document at `path` if one more signature may be added to it.

    Raises InvalidArgumentError with field "document": DOCUMENT_EMPTY, NOT_A_PDF, DOCUMENT_ENCRYPTED,
    DOCUMENT_DAMAGED, DOCUMENT_XFA_FORM, OBJECT_NUMBERS_TOO_LARGE; FailedPreconditionError with field
    "document": DOCUMENT_CERTIFIED_NO_CHANGES, DOCUMENT_CERTIFIED_NO_NEW_FIELD, DOCUMENT_LOCKED; with field
    "field_name" AlreadyExistsError FIELD_EXISTS and InvalidArgumentError FIELD_NAME_INVALID;
    FailedPreconditionError DOCUMENT_HAS_SIGNATURES and FIELD_LOCK_DIFFERS; InvalidArgumentError
    SIGNING_TIME_NAIVE, TEXT_INVALID, COMMITMENT_WITH_REASON and LOCK_WITH_CERTIFICATION.
    """
    _check_options(options)
    with _opened(path) as (pdf, length, startxref):
        findings = _examine(pdf, length, options)
        yield Admitted(**vars(findings), path=path, pdf=pdf, length=length, startxref=startxref)


@contextmanager
def augmentable(path: Path) -> Iterator[Admitted]:
    """Open the document at `path` if validation data or a document time-stamp may be added to it.

    Neither is a change that a certification or a lock forbids (ISO 32000-2 §12.8.2.2.2). The field is a new
    one, the next free `DocTimeStamp1`, `DocTimeStamp2`… Raises InvalidArgumentError as `admitted` does.
    """
    with _opened(path) as (pdf, length, startxref):
        with _malformed_is_damaged():
            name = _free_name("DocTimeStamp", _form_fields(pdf, length))
        yield Admitted(name, None, None, None, (), path=path, pdf=pdf, length=length, startxref=startxref)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[pikepdf.Pdf, int, int]]:
    """The document in qpdf, its length, and where its last cross-reference section is."""
    length, tail = _look(path)
    try:
        # Pages keep inheriting: qpdf would give them references to objects that the file does not have.
        pdf = pikepdf.open(
            path, suppress_warnings=True, attempt_recovery=False, inherit_page_attributes=False
        )
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


def _check_options(options: SignatureOptions) -> None:
    """Refuse what cannot be written into a signature dictionary, or would take long to draw."""
    if options.signing_time.tzinfo is None:
        raise InvalidArgumentError(
            "SIGNING_TIME_NAIVE", "The signing time has no zone.", field="signing_time"
        )
    if options.commitment is not None and options.reason:
        raise InvalidArgumentError(
            "COMMITMENT_WITH_REASON",
            "A PAdES baseline signature states either a reason or a commitment (EN 319 142-1 §6.3).",
            field="commitment",
        )
    if options.certification is not None and options.lock is Lock.DOCUMENT:
        raise InvalidArgumentError(
            "LOCK_WITH_CERTIFICATION",
            "A certification says itself what may follow; to lock the document certify it with no changes.",
            field="lock",
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


def _examine(pdf: pikepdf.Pdf, length: int, options: SignatureOptions) -> _Findings:
    """What the document's form and signatures mean for this signature. Raises as `admitted` says."""
    with _malformed_is_damaged():
        fields = _form_fields(pdf, length)
        name = _field_name(options.field_name, fields)
        planned = [field for field in options.planned_fields if field.name not in fields]
        earlier = _certification(pdf)
        check_earlier(
            fields,
            earlier,
            (name, *(field.name for field in planned)),
            shows_new_field=options.appearance is not None and (name not in fields or bool(planned)),
        )
        certification = _own_certification(options, bool(fields.signed) or earlier is not None)
        return _findings(fields, name, planned, options, certification)


def _findings(
    fields: FormFields,
    name: str,
    planned: list[PlannedField],
    options: SignatureOptions,
    certification: Certification | None,
) -> _Findings:
    existing = fields.get(name)
    locks = options.lock is not None or any(field.lock is not None for field in planned)
    settled = fields.settled() if locks else []
    lock = field_lock(existing, options.lock, settled, name)
    settled.append(name)
    made = []
    for field in options.planned_fields:
        settled.append(field.name)
        if field in planned:
            made.append(NewField(field.name, FieldLock.made(field.lock, settled)))
    return _Findings(name, existing, certification, lock, tuple(made))


def _form_fields(pdf: pikepdf.Pdf, length: int) -> FormFields:
    """The form's fields, of a document that has pages and no XFA form."""
    if not len(pdf.pages):
        raise damaged()
    if int(pdf.trailer.Size) > min(_LARGEST_SIZE, length // _SMALLEST_OBJECT):
        raise _refused(
            "OBJECT_NUMBERS_TOO_LARGE",
            "The document's object numbers leave no room for more; save it anew before signing.",
        )
    form = pdf.Root.get(Name.AcroForm)
    if form is not None and Name.XFA in form:
        raise _refused("DOCUMENT_XFA_FORM", "The document is an XFA form, which is not signed as a PDF.")
    return FormFields(form)


def _certification(pdf: pikepdf.Pdf) -> pikepdf.Object | None:
    """The dictionary of the certification signature that there is (ISO 32000-2 §12.8.6)."""
    permissions = pdf.Root.get(Name.Perms)
    return permissions.get(Name.DocMDP) if permissions is not None else None


def _own_certification(options: SignatureOptions, has_signatures: bool) -> Certification | None:
    """What this signature certifies: only the first of a document may (ISO 32000-2 §12.8.2.2.1)."""
    if options.certification is None or not has_signatures:
        return options.certification
    if options.certify_first_only:
        return None
    raise FailedPreconditionError(
        "DOCUMENT_HAS_SIGNATURES",
        "Only the first signature of a document can certify it, and this one has signatures.",
        field="certification",
    )


def _field_name(wanted: str | None, fields: FormFields) -> str:
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
    if inherited(field, Name.FT) != Name.Sig or inherited(field, Name.V) is not None:
        raise AlreadyExistsError(
            "FIELD_EXISTS",
            "The document has a field of that name that is signed or is no signature field.",
            field="field_name",
        )
    return wanted


def _free_name(stem: str, fields: FormFields) -> str:
    number = 1
    while f"{stem}{number}" in fields:
        number += 1
    return f"{stem}{number}"


def _refused(reason: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(reason, message, field="document")
