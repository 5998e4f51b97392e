"""Signed attributes of CAdES beside those that every AdES signature has (EN 319 122-1 §5.2)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pecete.commitment import CommitmentType, commitment_attributes
from pecete.errors import InvalidArgumentError
from signer.cms import attribute
from signer.der import GENERALIZED_TIME, SEQUENCE, UTC_TIME, UTF8_STRING, tlv

_ID_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
_ID_SIGNER_LOCATION = bytes.fromhex("060b2a864886f70d0109100211")
_ID_MIME_TYPE = bytes.fromhex("060604008d450201")


@dataclass(frozen=True)
class SignerLocation:
    """Where somebody signs (EN 319 122-1 §5.2.5); "" and () where nothing is said.

    country: two letters of ISO 3166-1. postal_address: at most six lines.
    """

    country: str = ""
    locality: str = ""
    postal_address: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignatureOptions:
    """What a signature states beside its content.

    signing_time: aware; also the moment at which the certificate must be good. mime_type: of the signed
    content, such as `application/pdf`; a countersignature has none.
    """

    signing_time: datetime
    mime_type: str = ""
    commitment: CommitmentType | None = None
    location: SignerLocation | None = None


def further_attributes(options: SignatureOptions) -> tuple[bytes, ...]:
    """DER Attributes of what the options state. Raises InvalidArgumentError SIGNER_LOCATION_INVALID."""
    made = [attribute(_ID_SIGNING_TIME, _time(options.signing_time))]
    if options.mime_type:
        made.append(attribute(_ID_MIME_TYPE, _text(options.mime_type)))
    made += commitment_attributes(options.commitment)
    if options.location is not None:
        made.append(attribute(_ID_SIGNER_LOCATION, _location(options.location)))
    return tuple(made)


def _time(moment: datetime) -> bytes:
    """Time: UTCTime until 2049, then GeneralizedTime, whole seconds (RFC 5652 §11.3)."""
    utc = moment.astimezone(UTC)
    if utc.year < 2050:
        return tlv(UTC_TIME, f"{utc:%y%m%d%H%M%SZ}".encode())
    return tlv(GENERALIZED_TIME, f"{utc:%Y%m%d%H%M%SZ}".encode())


def _location(location: SignerLocation) -> bytes:
    parts = []
    if location.country:
        parts.append(tlv(0xA0, _text(location.country)))
    if location.locality:
        parts.append(tlv(0xA1, _text(location.locality)))
    if location.postal_address:
        parts.append(tlv(0xA2, tlv(SEQUENCE, *map(_text, location.postal_address))))
    if not parts or len(location.postal_address) > 6:
        raise InvalidArgumentError(
            "SIGNER_LOCATION_INVALID",
            "A signer's location has a country, a locality, or one to six lines of an address.",
            field="location",
        )
    return tlv(SEQUENCE, *parts)


def _text(text: str) -> bytes:
    return tlv(UTF8_STRING, text.encode())
