"""What a caller may say about a PAdES signature."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from pecete.commitment import CommitmentType


class Certification(IntEnum):
    """What may follow a certification signature: P of the DocMDP transform (ISO 32000-2 §12.8.2.2).

    NO_CHANGES: validation data and time-stamps alone. FORM_FILLING: filling in fields and signing, too.
    ANNOTATIONS: comments, too.
    """

    NO_CHANGES = 1
    FORM_FILLING = 2
    ANNOTATIONS = 3


class Lock(StrEnum):
    """What a signature locks (ISO 32000-2 §12.7.5.5 and §12.8.2.4).

    FIELDS: its own field and all that the document has, without the signature fields that are still empty.
    DOCUMENT: the same, and nothing may follow but validation data and time-stamps (P of PDF 2.0).
    """

    FIELDS = "FIELDS"
    DOCUMENT = "DOCUMENT"


@dataclass(frozen=True)
class AppearanceText:
    """What a visible signature shows beside the time and the reason; empty parts are left out.

    name: the signer, as on the certificate. capacity: such as „Primar”. register_number: such as
    `12345/14.03.2025`. verification_uri: drawn as a QR code.
    """

    name: str
    capacity: str = ""
    register_number: str = ""
    verification_uri: str = ""


@dataclass(frozen=True)
class PlannedField:
    """An empty signature field for a later signature, with what that one will lock."""

    name: str
    lock: Lock | None = None


@dataclass(frozen=True)
class SignatureOptions:
    """How one signature is made.

    signing_time: the claimed time, aware; the signature dictionary's M.
    field_name: an empty signature field of the document, or the name of a new one; None: the next free
    `Signature1`, `Signature2`…
    reason, location: the dictionary's entries of that name; empty ones are left out.
    commitment: stated as a signed attribute; never together with a reason (EN 319 142-1 §6.3).
    appearance: None for an invisible signature.
    page: of a new field, counted from 1; 0: the last page.
    timestamp_reserve: octets kept free for a time-stamp token; 0 where none will come.
    certification: None for an approval signature. certify_first_only: a document that has signatures already
    takes this one as an approval signature instead of refusing it.
    lock: what the signature locks; an existing field that has a lock of its own keeps that.
    planned_fields: for the signatures that follow in this order, made with this one where the document does
    not have them. They are as visible as this one and stand on its page.
    """

    signing_time: datetime
    field_name: str | None = None
    reason: str = ""
    location: str = ""
    commitment: CommitmentType | None = None
    appearance: AppearanceText | None = None
    page: int = 0
    timestamp_reserve: int = 8192
    certification: Certification | None = None
    certify_first_only: bool = False
    lock: Lock | None = None
    planned_fields: tuple[PlannedField, ...] = ()
