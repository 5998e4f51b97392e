"""What a caller may say about a PAdES signature."""

from dataclasses import dataclass
from datetime import datetime


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
class SignatureOptions:
    """How one signature is made.

    signing_time: the claimed time, aware; the signature dictionary's M.
    field_name: an empty signature field of the document, or the name of a new one; None: the next free
    `Signature1`, `Signature2`…
    reason, location: the dictionary's entries of that name; empty ones are left out.
    appearance: None for an invisible signature.
    page: of a new field, counted from 1; 0: the last page.
    timestamp_reserve: octets kept free for a time-stamp token; 0 where none will come.
    """

    signing_time: datetime
    field_name: str | None = None
    reason: str = ""
    location: str = ""
    appearance: AppearanceText | None = None
    page: int = 0
    timestamp_reserve: int = 8192
