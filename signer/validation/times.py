"""Times as ASN.1 and PDF write them, read to aware UTC datetimes."""

import re
from datetime import UTC, datetime, timedelta, timezone

from signer.validation.der import GENERALIZED_TIME, UTC_TIME, DerError, Element

_UTC_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z")
_GENERALIZED_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,9}))?Z")
_PDF_DATE = re.compile(
    r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)(?:'?(\d\d)?'?)?)?.*", re.DOTALL
)


def asn1_time(element: Element) -> datetime:
    """UTCTime or GeneralizedTime ending in Z (RFC 5280 §4.1.2.5, RFC 3161 §2.4.2). Raises DerError."""
    written = element.content.decode("ascii", "replace")
    try:
        if element.tag == GENERALIZED_TIME and (match := _GENERALIZED_TIME.fullmatch(written)):
            micro = int(((match[7] or "") + "000000")[:6])
            year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
            return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
        if element.tag == UTC_TIME and (match := _UTC_TIME.fullmatch(written)):
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            return datetime(1900 + year + 100 * (year < 50), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise DerError("no such time") from error
    raise DerError(f"no time at {element.start}")


def pdf_date(string: bytes) -> datetime | None:
    """A PDF date (ISO 32000-2 §7.9.4); None where it is none. Without a zone it is taken as UTC."""
    match = _PDF_DATE.fullmatch(string.decode("latin-1"))
    if match is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        local = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=timezone(offset),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
