"""The writer of signatures for documents that are not plain: existing fields, hybrids, odd structures."""

from typing import IO

import pikepdf
from pikepdf import Name
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.form_tools import get_single_field_annot
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import (
    DocumentTimestamp,
    PdfSignedData,
    PreparedByteRangeDigest,
    SignatureObject,
)

from pecete.errors import InvalidArgumentError
from signer.pades.admission import Admitted, page_of, widget_rectangle
from signer.pades.appearance import Appearance, EmptyAppearance
from signer.pades.growing import written_anew
from signer.pades.options import SignatureOptions
from signer.pades.placement import Rectangle
from signer.pades.section import AppendedSection, HashState, appearance_for, new_rectangle, seal


def prepare(
    document: Admitted, options: SignatureOptions | None, reserve: int, base: HashState
) -> AppendedSection:
    """Write the section of a signature, or without `options` of a document time-stamp.

    `reserve` octets are kept for the CMS, `base` is fed with the document. Raises InvalidArgumentError
    DOCUMENT_DAMAGED or FIELD_WITHOUT_EXTENT, and what placing and drawing raise.
    """
    with written_anew(document) as (writer, stream):
        gap = _write(document, options, writer, reserve)
    position = gap.reserved_region_start - document.length
    length = gap.reserved_region_end - gap.reserved_region_start
    return seal(document, bytes(stream.tail), position, length, base)


class _RawObject(generic.PdfObject):
    """An object whose octets are written already."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def write_to_stream(
        self, stream: IO[bytes], handler: object = None, container_ref: object = None
    ) -> None:
        stream.write(self._body)


def _write(
    document: Admitted, options: SignatureOptions | None, writer: IncrementalPdfFileWriter, reserve: int
) -> PreparedByteRangeDigest:
    page, rectangle, spec = _place(document, options)
    session = PdfCMSEmbedder(new_field_spec=spec).write_cms(
        document.field_name, writer, existing_fields_only=spec is None
    )
    field = next(session).get_object()
    if options is not None and (options.appearance is not None or document.existing is None):
        _apply(appearance_for(page, rectangle, options), writer, field)
    session.send(
        SigObjSetup(
            sig_placeholder=_placeholder(options, 2 * reserve),
            mdp_setup=_lock(field),
        )
    )
    gap: PreparedByteRangeDigest
    gap, _ = session.send(SigIOSetup(md_algorithm="sha256", in_place=True))
    return gap


def _placeholder(options: SignatureOptions | None, digits: int) -> PdfSignedData:
    """The dictionary whose /Contents has room for so many hexadecimal digits."""
    if options is None:
        return DocumentTimestamp(bytes_reserved=digits)
    return SignatureObject(
        timestamp=options.signing_time,
        subfilter=SigSeedSubFilter.PADES,
        reason=options.reason or None,
        location=options.location or None,
        bytes_reserved=digits,
    )


def _place(
    document: Admitted, options: SignatureOptions | None
) -> tuple[pikepdf.Object, Rectangle, SigFieldSpec | None]:
    """Page and rectangle of the signature, and the field to make where the document has none."""
    wanted_page = options.page if options else 0
    if document.existing is not None:
        widget = next(iter(document.existing.get(Name.Kids, [])), document.existing)
        page = widget.get(Name.P)
        rectangle = widget_rectangle(document.existing)
        if options is not None and options.appearance is not None and rectangle is None:
            raise InvalidArgumentError(
                "FIELD_WITHOUT_EXTENT",
                "The field is invisible, so its signature cannot be shown.",
                field="visible_signature",
            )
        page = page if page is not None else page_of(document, wanted_page)
        return page, rectangle or (0.0, 0.0, 0.0, 0.0), None
    page = page_of(document, wanted_page)
    rectangle = new_rectangle(page, options)
    number = (wanted_page or len(document.pdf.pages)) - 1
    left, bottom, right, top = (round(edge) for edge in rectangle)
    spec = SigFieldSpec(document.field_name, on_page=number, box=(left, bottom, right, top))
    return page, rectangle, spec


def _apply(
    appearance: Appearance | EmptyAppearance,
    writer: IncrementalPdfFileWriter,
    field: generic.DictionaryObject,
) -> None:
    """Give the field's widget its appearance."""
    first = writer.allocate_placeholder().idnum
    for at, body in enumerate(appearance.objects(first)):
        number = first if at == 0 else writer.allocate_placeholder().idnum
        writer.add_object(_RawObject(body), idnum=number)
    widget = get_single_field_annot(field)
    widget["/AP"] = generic.DictionaryObject({"/N": generic.IndirectObject(first, 0, writer)})
    writer.update_container(widget)


def _lock(field: generic.DictionaryObject) -> SigMDPSetup | None:
    """What the field's signature locks, as the field says (ISO 32000-2 §12.7.5.5)."""
    if "/Lock" not in field:
        return None
    lock = field["/Lock"]
    permission = lock.get("/P")
    return SigMDPSetup(
        md_algorithm="sha256",
        field_lock=FieldMDPSpec.from_pdf_object(lock),
        docmdp_perms=MDPPerm(permission) if permission is not None else None,
    )
