"""Formats of signatures: which one a request means, and what only goes with which."""

from dataclasses import dataclass

from pecete.errors import InvalidArgumentError, NotFoundError
from pecete.signing.v1 import signing_pb2 as pb
from server import documents
from server.database import Database
from server.documents import Document
from signer.asic.container import MIMETYPES
from signer.forms import Format

ASIC_E_TYPE = MIMETYPES["ASiC-E"]
_CODES: dict[Format, pb.SignatureFormat.ValueType] = {
    "PAdES": pb.SIGNATURE_FORMAT_PADES,
    "CAdES-detached": pb.SIGNATURE_FORMAT_CADES_DETACHED,
    "CAdES-enveloping": pb.SIGNATURE_FORMAT_CADES_ENVELOPING,
    "ASiC-S": pb.SIGNATURE_FORMAT_ASIC_S_CADES,
    "ASiC-E": pb.SIGNATURE_FORMAT_ASIC_E_CADES,
}
_FORMATS = {code: name for name, code in _CODES.items()}
_MEDIA_TYPES: dict[Format, str] = {
    "PAdES": "application/pdf",
    "CAdES-detached": "application/pkcs7-signature",
    "CAdES-enveloping": "application/pkcs7-mime",
    "ASiC-S": MIMETYPES["ASiC-S"],
    "ASiC-E": MIMETYPES["ASiC-E"],
}
_OF_MEDIA_TYPE = {media: name for name, media in _MEDIA_TYPES.items()}
CADES_TYPES = frozenset(_MEDIA_TYPES.values()) - {"application/pdf"}
"""Media types of files with CAdES signatures."""

SUFFIXES: dict[Format, str] = {
    "PAdES": "",
    "CAdES-detached": ".p7s",
    "CAdES-enveloping": ".p7m",
    "ASiC-S": ".asics",
    "ASiC-E": ".asice",
}
"""What the names of new files end in."""

_PADES_ONLY = ("reason", "location", "field_name", "visible_signature", "certification", "lock")


@dataclass(frozen=True)
class FormatOrder:
    """The format that is wanted, and what belongs to it.

    is_further: the document is of the format already, and gets one more signature. further: the documents
    after the first in a new ASiC-E. detached: the content of a detached signature that gets one more.
    countersigned: SHA-256 of the signature value that is countersigned; empty where the content is signed.
    """

    format: Format
    is_further: bool = False
    further: tuple[Document, ...] = ()
    detached: Document | None = None
    countersigned: bytes = b""

    @property
    def media_type(self) -> str:
        """Media type of the signed document."""
        return _MEDIA_TYPES[self.format]


def format_code(name: Format) -> pb.SignatureFormat.ValueType:
    """Give a format as the wire names it."""
    return _CODES[name]


def format_named(code: int) -> Format:
    """Give a wire format as the domain names it. Raises InvalidArgumentError SIGNATURE_FORMAT_UNKNOWN."""
    for known, name in _FORMATS.items():
        if known == code:
            return name
    raise InvalidArgumentError("SIGNATURE_FORMAT_UNKNOWN", "There is no such format.", field="format")


async def format_order(
    request: pb.SignDocumentRequest, document: Document, database: Database
) -> FormatOrder:
    """Read which format is meant for a document, and find the documents that belong to it.

    Raises InvalidArgumentError SIGNATURE_FORMAT_UNKNOWN, FIELD_NOT_FOR_FORMAT or
    COUNTERSIGNED_SIGNATURE_INVALID; NotFoundError DOCUMENT_NOT_FOUND.
    """
    existing = _OF_MEDIA_TYPE.get(document.media_type)
    wanted = _wanted(request.format, existing)
    is_further = wanted == existing and wanted != "PAdES"
    _require_fitting(request, wanted, is_further)
    order = FormatOrder(wanted, is_further, countersigned=request.countersigned_signature)
    if order.countersigned and len(order.countersigned) != 32:
        raise InvalidArgumentError(
            "COUNTERSIGNED_SIGNATURE_INVALID",
            "A signature is named by the SHA-256 of its value, 32 octets.",
            field="countersigned_signature",
        )
    further = [
        await _find(database, name, f"further_documents[{index}]")
        for index, name in enumerate(request.further_documents)
    ]
    detached = await find_detached(database, request.detached) if request.detached else None
    return FormatOrder(wanted, is_further, tuple(further), detached, order.countersigned)


async def find_detached(database: Database, name: str) -> Document:
    """Give the content of a detached signature. Raises NotFoundError DOCUMENT_NOT_FOUND."""
    return await _find(database, name, "detached")


async def _find(database: Database, name: str, field: str) -> Document:
    try:
        return await database.fetch(documents.get, name)
    except NotFoundError as error:
        raise NotFoundError(error.reason, error.message, field=field) from error


def _wanted(code: int, existing: Format | None) -> Format:
    if code == pb.SIGNATURE_FORMAT_UNSPECIFIED:
        return existing or "PAdES"
    return format_named(code)


def _require_fitting(request: pb.SignDocumentRequest, wanted: Format, is_further: bool) -> None:
    """Refuse what would have no effect. Raises InvalidArgumentError FIELD_NOT_FOR_FORMAT."""
    given = {field.name for field, _ in request.ListFields()}
    fitting = {
        "further_documents": wanted == "ASiC-E" and not is_further,
        "detached": wanted == "CAdES-detached" and is_further and not request.countersigned_signature,
        "countersigned_signature": is_further,
        **dict.fromkeys(_PADES_ONLY, wanted == "PAdES"),
    }
    for field, fits in fitting.items():
        if field in given and not fits:
            raise InvalidArgumentError(
                "FIELD_NOT_FOR_FORMAT",
                f"A signature of this document in the format {wanted} has no such thing.",
                field=field,
                metadata={"format": wanted},
            )
