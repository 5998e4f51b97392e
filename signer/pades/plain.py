"""The writer of signatures for plain documents: it writes the section itself, with qpdf as the reader.

The new objects are widgets with their fields, the signature dictionary, appearances and perhaps a form; page,
form or catalog are written anew where they must name them, and so is a field of the document that is signed.
"""

from datetime import UTC

import pikepdf
from pikepdf import Dictionary, Name

from signer.pades.admission import Admitted
from signer.pades.appearance import EmptyAppearance
from signer.pades.increment import NotPlainError, Update, structural_doubt
from signer.pades.options import SignatureOptions
from signer.pades.pages import Places, places
from signer.pades.permissions import FieldLock, references
from signer.pades.placement import Rectangle
from signer.pades.section import (
    AppendedSection,
    HashState,
    appearance_for,
    byte_range_text,
    seal,
    size_of,
)

_BYTE_RANGE_WIDTH = 56
_SIGNATURES_EXIST_AND_APPEND_ONLY = 3
_PRINT_AND_LOCKED = 132
_DOCUMENT_TIMESTAMP = b"<< /Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161"


def prepare(
    document: Admitted, options: SignatureOptions | None, reserve: int, base: HashState
) -> AppendedSection:
    """Write the section of a signature, or without `options` of a document time-stamp.

    `reserve` octets are kept for the CMS, `base` is fed with the document. Raises NotPlainError where the
    general writer is needed, and what placing and drawing raise.
    """
    head = (_signature_entries(document, options) if options else _DOCUMENT_TIMESTAMP) + b"\n/ByteRange "
    middle = b"\n/Contents "
    with structural_doubt():
        update = Update(document)
        gap = b"<" + b"0" * (2 * reserve) + b">"
        signature = update.add(head + b" " * _BYTE_RANGE_WIDTH + middle + gap + b"\n>>")
        _fill(update, document, options, signature)
        tail, bodies = update.octets()
    byte_range_position = bodies[signature.objgen[0]] + len(head)
    gap_position = byte_range_position + _BYTE_RANGE_WIDTH + len(middle)
    text = byte_range_text(document.length, len(tail), gap_position, len(gap))
    tail[byte_range_position : byte_range_position + _BYTE_RANGE_WIDTH] = text.ljust(_BYTE_RANGE_WIDTH)
    return seal(document, bytes(tail), gap_position, len(gap), base)


def _fill(
    update: Update, document: Admitted, options: SignatureOptions | None, signature: pikepdf.Object
) -> None:
    """Write everything but the signature dictionary itself."""
    found = places(document, options)
    if not found.page.is_indirect:
        raise NotPlainError
    made = [] if document.existing is not None else [_own_field(update, document, options, found, signature)]
    made += [
        _planned_field(update, found.page, rectangle, wanted.name, wanted.lock)
        for wanted, rectangle in zip(document.planned_fields, found.planned, strict=True)
    ]
    if document.existing is not None:
        _sign_existing(update, document, options, found, signature)
    _enlist(update, document.pdf, found.page, made)
    if document.certification is not None:
        _name_certification(update, document.pdf, signature)


def _own_field(
    update: Update,
    document: Admitted,
    options: SignatureOptions | None,
    found: Places,
    signature: pikepdf.Object,
) -> pikepdf.Object:
    filled = b" /V " + signature.unparse()
    if options is not None:  # a document time-stamp's appearance would count as filling in the form
        filled += b" /AP << /N %s >>" % _appearance(update, options, found).unparse()
    return update.add(_field(found.page, found.own, document.field_name, document.lock, filled))


def _planned_field(
    update: Update, page: pikepdf.Object, rectangle: Rectangle, name: str, lock: FieldLock | None
) -> pikepdf.Object:
    (shown,) = EmptyAppearance(size_of(rectangle)).objects(0)
    filled = b" /AP << /N %s >>" % update.add(shown).unparse()
    return update.add(_field(page, rectangle, name, lock, filled))


def _sign_existing(
    update: Update,
    document: Admitted,
    options: SignatureOptions | None,
    found: Places,
    signature: pikepdf.Object,
) -> None:
    """Fill a field of the document whose widget it is itself."""
    field = document.existing
    if field is None or Name.Kids in field or Name.Rect not in field:
        raise NotPlainError
    field.V = signature
    if options is not None and options.appearance is not None:
        field.AP = Dictionary(N=_appearance(update, options, found))
    update.change(field)


def _field(
    page: pikepdf.Object, rectangle: Rectangle, name: str, lock: FieldLock | None, filled: bytes
) -> bytes:
    """A signature field that is its own widget (ISO 32000-2 §12.7.5.5), with its value and appearance."""
    title = pikepdf.String(name).unparse()
    entries = b"/F %d /Rect [%.2f %.2f %.2f %.2f] /P %d %d R" % (_PRINT_AND_LOCKED, *rectangle, *page.objgen)
    locked = b" /Lock " + lock.dictionary() if lock is not None else b""
    return b"<< /Type /Annot /Subtype /Widget /FT /Sig /T %s %s%s%s >>" % (title, entries, filled, locked)


def _appearance(update: Update, options: SignatureOptions, found: Places) -> pikepdf.Object:
    """Draw the signature; gives the first object of its appearance, which draws the others."""
    shown = update.add()
    first, *others = appearance_for(found.page, found.own, options).objects(shown.objgen[0])
    update.fill(shown, first)
    for body in others:
        update.add(body)
    return shown


def _enlist(update: Update, pdf: pikepdf.Pdf, page: pikepdf.Object, fields: list[pikepdf.Object]) -> None:
    """Name new fields on the page and in the form (ISO 32000-2 §12.7.3) and set SigFlags."""
    root = pdf.Root
    for field in fields:
        update.append(page, Name.Annots, field, page)
    form = root.get(Name.AcroForm)
    if form is None:
        listed = b" ".join(field.unparse() for field in fields)
        made = b"<< /Fields [%s] /SigFlags %d >>" % (listed, _SIGNATURES_EXIST_AND_APPEND_ONLY)
        root.AcroForm = update.add(made)
        update.change(root)
        return
    written = form if form.is_indirect else root
    for field in fields:
        update.append(form, Name.Fields, field, written)
    flags = int(form.get(Name.SigFlags, 0))
    if flags | _SIGNATURES_EXIST_AND_APPEND_ONLY != flags:
        form.SigFlags = flags | _SIGNATURES_EXIST_AND_APPEND_ONLY
        update.change(written)


def _name_certification(update: Update, pdf: pikepdf.Pdf, signature: pikepdf.Object) -> None:
    """Name the certification in the catalog (ISO 32000-2 §12.8.6)."""
    root = pdf.Root
    permissions = root.get(Name.Perms)
    if permissions is None:
        root.Perms = Dictionary(DocMDP=signature)
        update.change(root)
        return
    permissions.DocMDP = signature
    update.change(permissions if permissions.is_indirect else root)


def _signature_entries(document: Admitted, options: SignatureOptions) -> bytes:
    """The signature dictionary up to ByteRange (ISO 32000-2 §12.8.1, EN 319 142-1 §6.3)."""
    catalog = b"%d %d R" % document.pdf.Root.objgen
    time = options.signing_time.astimezone(UTC)
    entries = [
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached",
        b"/M (D:%s+00'00')" % f"{time:%Y%m%d%H%M%S}".encode(),
    ]
    if options.reason:
        entries.append(b"/Reason " + pikepdf.String(options.reason).unparse())
    if options.location:
        entries.append(b"/Location " + pikepdf.String(options.location).unparse())
    entries.append(references(document.certification, document.lock, catalog))
    return b"\n".join(filter(None, entries))
