"""The writer of signatures for documents that are not plain: existing fields, hybrids, odd structures."""

from typing import IO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.form_tools import get_single_field_annot
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import (
    FieldMDPAction,
    FieldMDPSpec,
    MDPPerm,
    SigFieldSpec,
    SigSeedSubFilter,
    append_signature_field,
)
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import (
    DocumentTimestamp,
    PdfSignedData,
    PreparedByteRangeDigest,
    SignatureObject,
)

from signer.pades.admission import Admitted
from signer.pades.appearance import Appearance, EmptyAppearance
from signer.pades.growing import written_anew
from signer.pades.options import SignatureOptions
from signer.pades.pages import places
from signer.pades.permissions import FieldLock
from signer.pades.placement import Rectangle
from signer.pades.section import AppendedSection, HashState, appearance_for, seal, size_of


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
    found = places(document, options)
    # Counted and not looked up, as pyHanko numbers pages.
    number = next(at for at, page in enumerate(document.pdf.pages) if page.obj.objgen == found.page.objgen)
    spec = None
    if document.existing is None:
        spec = _field(document.field_name, document.lock, number, found.own)
    session = PdfCMSEmbedder(new_field_spec=spec).write_cms(
        document.field_name, writer, existing_fields_only=spec is None
    )
    field = next(session).get_object()
    if options is not None and (options.appearance is not None or spec is not None):
        _apply(appearance_for(found.page, found.own, options), writer, field)
    for wanted, rectangle in zip(document.planned_fields, found.planned, strict=True):
        append_signature_field(writer, _field(wanted.name, wanted.lock, number, rectangle))
        empty = writer.root["/AcroForm"]["/Fields"][-1]
        _apply(EmptyAppearance(size_of(rectangle)), writer, empty)
    session.send(
        SigObjSetup(
            sig_placeholder=_placeholder(options, 2 * reserve),
            mdp_setup=_transforms(document),
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


def _field(name: str, lock: FieldLock | None, page: int, rectangle: Rectangle) -> SigFieldSpec:
    """A field to be made; `page` is counted from 0."""
    left, bottom, right, top = (round(edge) for edge in rectangle)
    return SigFieldSpec(
        name,
        on_page=page,
        box=(left, bottom, right, top),
        field_mdp_spec=_field_mdp(lock),
        doc_mdp_update_value=_permission(lock),
    )


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


def _transforms(document: Admitted) -> SigMDPSetup | None:
    """What the signature certifies and locks (ISO 32000-2 §12.8.2)."""
    certification, lock = document.certification, document.lock
    if certification is None and lock is None:
        return None
    return SigMDPSetup(
        md_algorithm="sha256",
        certify=certification is not None,
        field_lock=_field_mdp(lock),
        docmdp_perms=MDPPerm(certification) if certification is not None else _permission(lock),
    )


def _field_mdp(lock: FieldLock | None) -> FieldMDPSpec | None:
    if lock is None:
        return None
    return FieldMDPSpec(FieldMDPAction(lock.action), list(lock.fields) or None)


def _permission(lock: FieldLock | None) -> MDPPerm | None:
    return MDPPerm(lock.permission) if lock is not None and lock.permission is not None else None
