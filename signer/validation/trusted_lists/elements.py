"""Reading XML of strangers: nothing is fetched, expanded or guessed, and what is not there is an error."""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from lxml import etree

from pecete.errors import InvalidArgumentError

Element: TypeAlias = etree._Element

MAXIMUM_OCTETS = 32 * 1024 * 1024
"""Longest list that is read; the longest national ones have some ten million octets."""

LIST = "{http://uri.etsi.org/02231/v2#}"
ADDITIONAL = "{http://uri.etsi.org/02231/v2/additionaltypes#}"
QUALIFICATIONS = "{http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_DIGITS = re.compile(r"[0-9]{1,9}")


def read_root(document: bytes) -> Element:
    """The root of a trusted list. Raises InvalidArgumentError TRUSTED_LIST_MALFORMED or _TOO_LARGE."""
    if len(document) > MAXIMUM_OCTETS:
        raise InvalidArgumentError(
            "TRUSTED_LIST_TOO_LARGE",
            "The trusted list is longer than any that is read.",
            field="trusted_list",
        )
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise malformed("it is not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise malformed("it has a document type declaration")
    if root.tag != LIST + "TrustServiceStatusList":
        raise malformed("its root is another element")
    return root


def child(parent: Element, *names: str) -> Element:
    """The element that each name, one below the other, leads to. Raises TRUSTED_LIST_MALFORMED."""
    for name in names:
        found = parent.findall(name)
        if len(found) != 1:
            raise malformed(f"{_local(name)} is there {len(found)} times")
        parent = found[0]
    return parent


def children(parent: Element, *names: str) -> Iterator[Element]:
    """All elements that the names lead to."""
    yield from parent.iterfind("/".join(names))


def text(element: Element) -> str:
    """An element's text without blanks around it; text with elements among it is malformed."""
    if len(element):
        raise malformed(f"{_local(element.tag)} has elements where its text should be")
    return (element.text or "").strip()


def number(element: Element) -> int:
    """A whole number. Raises TRUSTED_LIST_MALFORMED."""
    digits = text(element)
    if not _DIGITS.fullmatch(digits):
        raise malformed(f"{_local(element.tag)} is no number")
    return int(digits)


def moment(element: Element) -> datetime:
    """A time with its zone (xs:dateTime), as UTC. Raises TRUSTED_LIST_MALFORMED."""
    written = text(element)
    if not _TIME.fullmatch(written):
        raise malformed(f"{_local(element.tag)} is no time with a zone")
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise malformed(f"{_local(element.tag)} is no time") from error


def octets(element: Element) -> bytes:
    """Octets in base64. Raises TRUSTED_LIST_MALFORMED."""
    try:
        return base64.b64decode("".join(text(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed(f"{_local(element.tag)} is not base64") from error


def english(parent: Element, name: str) -> str:
    """The English one of several texts, or the first; "" where there is none."""
    texts = list(children(parent, name))
    chosen = [each for each in texts if each.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"]
    return next((text(each) for each in [*chosen, *texts]), "")


def malformed(why: str) -> InvalidArgumentError:
    """The error of a list that does not have the form of one."""
    return InvalidArgumentError(
        "TRUSTED_LIST_MALFORMED", f"This cannot be read as a trusted list: {why}.", field="trusted_list"
    )


def _local(name: str) -> str:
    return name.rpartition("}")[2]
