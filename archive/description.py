"""The descriptive record that Law 135/2007 wants of every archived document: thirteen fields.

Nine are said by the archivist (`Description`), four are filled in by the service (`DescriptiveRecord`).
"""

import json
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from pecete.errors import DataLossError, InvalidArgumentError
from pecete.evidence.log_proof import canonical_json

PERMANENT = "P"
"""Retention of what is never disposed of."""

_FIELD = "descriptive_record"
_RETENTION = re.compile(r"P|[1-9][0-9]{0,2}", re.ASCII)
_MAXIMUM_LENGTHS = {
    "owner": 500,
    "issuer": 500,
    "rights_holder": 500,
    "history": 10_000,
    "document_type": 200,
    "classification": 64,
}
_MAXIMUM_KEYWORDS = 50
_MAXIMUM_KEYWORD_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the archivist says of a document.

    classification: file code of the town's nomenclator. issue_date: `YYYY-MM-DD`. retention: whole years,
    such as `10`, or `P` for permanent.
    """

    owner: str
    issuer: str
    rights_holder: str
    history: str
    document_type: str
    classification: str
    keywords: tuple[str, ...]
    issue_date: str
    retention: str

    def check(self, now: datetime) -> None:
        """Check every field; `now` is the time of archiving.

        Raises InvalidArgumentError DESCRIPTION_MISSING, DESCRIPTION_TOO_LONG, DESCRIPTION_INVALID or
        ISSUE_DATE_IN_FUTURE with the field named, such as `descriptive_record.owner`.
        """
        for name, maximum in _MAXIMUM_LENGTHS.items():
            _check_text(name, getattr(self, name), maximum)
        if not self.keywords:
            raise _fault("MISSING", "keywords", "At least one keyword is needed.")
        if len(self.keywords) > _MAXIMUM_KEYWORDS:
            raise _fault("TOO_LONG", "keywords", f"At most {_MAXIMUM_KEYWORDS} keywords are taken.")
        for keyword in self.keywords:
            _check_text("keywords", keyword, _MAXIMUM_KEYWORD_LENGTH)
        if not _RETENTION.fullmatch(self.retention):
            raise _fault("INVALID", "retention", "Retention is whole years or P for permanent.")
        _check_issue_date(self.issue_date, now)


@dataclass(frozen=True, kw_only=True)
class DescriptiveRecord(Description):
    """The thirteen fields; reading one back checks nothing, so that old records outlive today's rules.

    format: media type of the bytes. carrier_location: where the carrier is. unique_identifier: resource name
    of the record. archive_date: `YYYY-MM-DD`, UTC.
    """

    format: str
    carrier_location: str
    unique_identifier: str
    archive_date: str

    def to_json(self) -> str:
        """Give the fields as canonical JSON."""
        return canonical_json(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> "DescriptiveRecord":
        """Read what `to_json` gave. Raises DataLossError DESCRIPTIVE_RECORD_UNREADABLE."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "keywords": tuple(fields["keywords"])})
        except (ValueError, TypeError, KeyError) as error:
            raise DataLossError(
                "DESCRIPTIVE_RECORD_UNREADABLE", "The kept descriptive record cannot be read."
            ) from error


def _check_text(name: str, text: str, maximum: int) -> None:
    if not text.strip():
        raise _fault("MISSING", name, "The field must not be empty.")
    if len(text) > maximum:
        raise _fault("TOO_LONG", name, f"At most {maximum} characters are taken.")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\t" for letter in text):
        raise _fault("INVALID", name, "The field holds control characters.")


def _check_issue_date(issue_date: str, now: datetime) -> None:
    try:
        issued = date.fromisoformat(issue_date)
    except ValueError as error:
        raise _fault("INVALID", "issue_date", "The date is not YYYY-MM-DD.") from error
    if issued.isoformat() != issue_date:
        raise _fault("INVALID", "issue_date", "The date is not YYYY-MM-DD.")
    # In Romania the next day begins up to three hours before it does in UTC.
    if issued > (now + timedelta(hours=3)).date():
        raise InvalidArgumentError(
            "ISSUE_DATE_IN_FUTURE", "The document cannot be issued after today.", field=f"{_FIELD}.issue_date"
        )


def _fault(kind: str, name: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"DESCRIPTION_{kind}", message, field=f"{_FIELD}.{name}")
