"""Elements of a TS 119 102-2 report."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from lxml import etree

from signer.validation.indication import Conclusion
from signer.validation.reports import vocabulary as words

Element: TypeAlias = etree._Element


def new_report() -> Element:
    """The root of a report."""
    return etree.Element(f"{{{words.REPORT}}}ValidationReport", nsmap=words.PREFIXES)  # type: ignore[arg-type] # None is the default namespace


def add(
    parent: Element, name: str, text: str | None = None, namespace: str = words.REPORT, **attributes: str
) -> Element:
    """Append an element, with text or without."""
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    element.text = text
    return element


def add_moment(parent: Element, name: str, time: datetime) -> None:
    """Append a time as xs:dateTime in UTC."""
    add(parent, name, time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z")


def add_reference(parent: Element, name: str, *identifiers: str) -> None:
    """Append a reference to validation objects."""
    add(parent, name, VOReference=" ".join(identifiers))


def add_digest(parent: Element, digest: str, value: bytes) -> None:
    """Append DigestAlgAndValue; digest: hashlib's name."""
    element = add(parent, "DigestAlgAndValue")
    add(element, "DigestMethod", None, words.DSIG, Algorithm=words.DIGESTS[digest])
    add(element, "DigestValue", base64.b64encode(value).decode("ascii"), words.DSIG)


def add_status(status: Element, conclusion: Conclusion, main: Callable[[Conclusion], str]) -> None:
    """Fill a status with the main indication, in the words of `main`, and the sub-indication."""
    add(status, "MainIndication", main(conclusion))
    kind = words.sub_indication(conclusion)
    if kind:
        add(status, "SubIndication", kind)
