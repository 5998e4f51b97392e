"""The writer of signatures for plain documents: it writes the section itself, with qpdf as the reader.

The new objects are a widget with its field, the signature dictionary, an appearance and perhaps a form; page,
form or catalog are written anew where they must name them.
"""

from datetime import UTC

import pikepdf
from pikepdf import Array, Dictionary, Name

from signer.pades.admission import Admitted, page_of
from signer.pades.increment import NotPlainError, allocate, append, is_streamed, structural_doubt, write
from signer.pades.options import SignatureOptions
from signer.pades.section import (
    AppendedSection,
    HashState,
    appearance_for,
    byte_range_text,
    new_rectangle,
    seal,
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
    if document.existing is not None:
        raise NotPlainError
    head = _signature_entries(options) if options else _DOCUMENT_TIMESTAMP
    head += b"\n/ByteRange "
    middle = b"\n/Contents "
    with structural_doubt():
        streamed = is_streamed(document)
        objects, number = _objects(document, options)
        gap = b"<" + b"0" * (2 * reserve) + b">"
        objects[number, 0] = head + b" " * _BYTE_RANGE_WIDTH + middle + gap + b"\n>>"
        tail, bodies = write(document, objects, streamed=streamed)
    byte_range_position = bodies[number] + len(head)
    gap_position = byte_range_position + _BYTE_RANGE_WIDTH + len(middle)
    text = byte_range_text(document.length, len(tail), gap_position, len(gap))
    tail[byte_range_position : byte_range_position + _BYTE_RANGE_WIDTH] = text.ljust(_BYTE_RANGE_WIDTH)
    return seal(document, bytes(tail), gap_position, len(gap), base)


def _objects(
    document: Admitted, options: SignatureOptions | None
) -> tuple[dict[tuple[int, int], bytes], int]:
    """Bodies of all objects but the signature dictionary, and the number that is kept for that one."""
    pdf = document.pdf
    page = page_of(document, options.page if options else 0)
    rectangle = new_rectangle(page, options)
    signature = allocate(document)
    number = signature.objgen[0]
    if not page.is_indirect or page.objgen[0] >= number:
        raise NotPlainError
    widget = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Sig,
            T=pikepdf.String(document.field_name),
            F=_PRINT_AND_LOCKED,
            Rect=Array([round(edge, 2) for edge in rectangle]),
            P=page,
            V=signature,
        )
    )
    changed = [widget, append(page, Name.Annots, widget, page), *_enlist(pdf, widget)]
    objects: dict[tuple[int, int], bytes] = {}
    if options is not None:  # a document time-stamp's appearance would count as filling in the form
        # Allocated last, so that the numbers behind it are free for the appearance's further objects.
        shown = pdf.make_indirect(Dictionary())
        widget.AP = Dictionary(N=shown)
        first = shown.objgen[0]
        bodies = appearance_for(page, rectangle, options).objects(first)
        objects = {(at, 0): body for at, body in enumerate(bodies, first)}
    objects |= {item.objgen: item.unparse(resolved=True) for item in changed}
    return objects, number


def _enlist(pdf: pikepdf.Pdf, field: pikepdf.Object) -> list[pikepdf.Object]:
    """Name the field in the interactive form (ISO 32000-2 §12.7.3); the answer is what must be written."""
    root = pdf.Root
    form = root.get(Name.AcroForm)
    if form is None:
        form = pdf.make_indirect(Dictionary(Fields=[field], SigFlags=_SIGNATURES_EXIST_AND_APPEND_ONLY))
        root.AcroForm = form
        return [form, root]
    written = form if form.is_indirect else root
    changed = [append(form, Name.Fields, field, written)]
    flags = int(form.get(Name.SigFlags, 0))
    if flags | _SIGNATURES_EXIST_AND_APPEND_ONLY != flags:
        form.SigFlags = flags | _SIGNATURES_EXIST_AND_APPEND_ONLY
        changed.append(written)
    return changed


def _signature_entries(options: SignatureOptions) -> bytes:
    """The signature dictionary up to ByteRange (ISO 32000-2 §12.8.1, EN 319 142-1 §6.3)."""
    time = options.signing_time.astimezone(UTC)
    entries = [
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached",
        b"/M (D:%s+00'00')" % f"{time:%Y%m%d%H%M%S}".encode(),
    ]
    if options.reason:
        entries.append(b"/Reason " + pikepdf.String(options.reason).unparse())
    if options.location:
        entries.append(b"/Location " + pikepdf.String(options.location).unparse())
    return b"\n".join(entries)
