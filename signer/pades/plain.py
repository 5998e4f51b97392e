"""The writer for plain documents: qpdf reads the structure, this module writes the section.

qpdf reads through a memory map and only where it must, so a large scan is never in memory. The new objects
are a widget with its field, the signature dictionary, an appearance and perhaps a form; page, form or catalog
are written anew where they must name them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC

import pikepdf
from pikepdf import Array, Dictionary, Name

from signer.pades import crossreference
from signer.pades.admission import Admitted, page_of
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


class NotPlainError(Exception):
    """The document needs the general writer; this error never leaves the package."""


@dataclass(frozen=True)
class _Revision:
    """What a section says.

    objects: bodies of all its objects but the signature dictionary, by number and generation.
    trailer: entries of the trailer but Size. streamed: whether the cross-reference section is a stream.
    """

    objects: dict[tuple[int, int], bytes]
    signature_number: int
    trailer: bytes
    streamed: bool


def prepare(document: Admitted, options: SignatureOptions, reserve: int, base: HashState) -> AppendedSection:
    """Write the section; `reserve` octets are kept for the CMS, `base` is fed with the document.

    Raises NotPlainError where the general writer is needed, and what placing and drawing raise.
    """
    if document.existing is not None:
        raise NotPlainError
    with _structural_doubt():
        revision = _revision(document, options)
    tail, gap_position = _write(document, options, revision, reserve)
    return seal(document, tail, gap_position, 2 * reserve + 2, base)


@contextmanager
def _structural_doubt() -> Iterator[None]:
    """What qpdf raises for objects that are not what the standard says sends the document on."""
    try:
        yield
    except (pikepdf.PdfError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        raise NotPlainError from None


def _revision(document: Admitted, options: SignatureOptions) -> _Revision:
    pdf = document.pdf
    streamed = _is_streamed(document)
    page = page_of(document, options.page)
    rectangle = new_rectangle(page, options)
    signature = pdf.make_indirect(Dictionary())
    number = signature.objgen[0]
    if number < int(pdf.trailer.Size) or not page.is_indirect or page.objgen[0] >= number:
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
    changed = [widget, _append(page, Name.Annots, widget, page), *_enlist(pdf, widget)]
    # Allocated last, so that the numbers behind it are free for the appearance's further objects.
    shown = pdf.make_indirect(Dictionary())
    widget.AP = Dictionary(N=shown)
    first = shown.objgen[0]
    bodies = appearance_for(page, rectangle, options).objects(first)
    objects = {(at, 0): body for at, body in enumerate(bodies, first)}
    if pdf.get_warnings():
        raise NotPlainError
    objects |= {item.objgen: item.unparse(resolved=True) for item in changed}
    return _Revision(objects, number, _trailer(document), streamed)


def _is_streamed(document: Admitted) -> bool:
    """Whether the last cross-reference section is a stream. Hybrids of both are not plain."""
    if document.startxref < 0 or Name.XRefStm in document.pdf.trailer:
        raise NotPlainError
    with document.path.open("rb") as file:
        file.seek(document.startxref)
        head = file.read(32)
    if head.startswith(b"xref"):
        if document.length > crossreference.LONGEST_FOR_TABLE:
            raise NotPlainError
        return False
    words = head.split()
    if len(words) < 3 or not words[0].isdigit() or not words[2].startswith(b"obj"):
        raise NotPlainError
    return True


def _append(
    owner: pikepdf.Object, key: Name, item: pikepdf.Object, written: pikepdf.Object
) -> pikepdf.Object:
    """Append to an array entry of `owner`; the answer is the indirect object that must be written anew.

    written: the indirect object that holds `owner`, or is it.
    """
    array = owner.get(key)
    if array is None:
        owner[key] = Array([item])
        return written
    if not isinstance(array, Array):
        raise NotPlainError
    array.append(item)
    return array if array.is_indirect else written


def _enlist(pdf: pikepdf.Pdf, field: pikepdf.Object) -> list[pikepdf.Object]:
    """Name the field in the interactive form (ISO 32000-2 §12.7.3); the answer is what must be written."""
    root = pdf.Root
    form = root.get(Name.AcroForm)
    if form is None:
        form = pdf.make_indirect(Dictionary(Fields=[field], SigFlags=_SIGNATURES_EXIST_AND_APPEND_ONLY))
        root.AcroForm = form
        return [form, root]
    written = form if form.is_indirect else root
    changed = [_append(form, Name.Fields, field, written)]
    flags = int(form.get(Name.SigFlags, 0))
    if flags | _SIGNATURES_EXIST_AND_APPEND_ONLY != flags:
        form.SigFlags = flags | _SIGNATURES_EXIST_AND_APPEND_ONLY
        changed.append(written)
    return changed


def _trailer(document: Admitted) -> bytes:
    trailer = document.pdf.trailer
    parts = [b"/Root %d %d R" % document.pdf.Root.objgen]
    information = trailer.get(Name.Info)
    if information is not None and information.is_indirect:
        parts.append(b"/Info %d %d R" % information.objgen)
    identifiers = trailer.get(Name.ID)
    first = bytes(identifiers[0]) if identifiers is not None else os.urandom(16)
    parts.append(b"/ID [<%s> <%s>]" % (first.hex().encode(), os.urandom(16).hex().encode()))
    parts.append(b"/Prev %d" % document.startxref)
    return b" ".join(parts)


def _write(
    document: Admitted, options: SignatureOptions, revision: _Revision, reserve: int
) -> tuple[bytes, int]:
    """The tail and the position of its gap."""
    out = bytearray(b"\n")
    offsets: dict[int, tuple[int, int]] = {}

    def begin(number: int, generation: int) -> None:
        offsets[number] = (document.length + len(out), generation)
        out.extend(b"%d %d obj\n" % (number, generation))

    for (number, generation), body in sorted(revision.objects.items()):
        begin(number, generation)
        out += body + b"\nendobj\n"
    begin(revision.signature_number, 0)
    out += _signature_entries(options) + b"\n/ByteRange "
    byte_range_position = len(out)
    out += b" " * _BYTE_RANGE_WIDTH + b"\n/Contents "
    gap_position = len(out)
    out += b"<" + b"0" * (2 * reserve) + b">\n>>\nendobj\n"
    startxref = document.length + len(out)
    if revision.streamed:
        number = max(offsets) + 1
        offsets[number] = (startxref, 0)
        out += crossreference.stream(offsets, revision.trailer, number)
    else:
        out += crossreference.table(offsets, revision.trailer)
    out += b"startxref\n%d\n%%%%EOF\n" % startxref
    text = byte_range_text(document.length, len(out), gap_position, 2 * reserve + 2)
    out[byte_range_position : byte_range_position + _BYTE_RANGE_WIDTH] = text.ljust(_BYTE_RANGE_WIDTH)
    return bytes(out), gap_position


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
