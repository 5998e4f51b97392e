"""Trusted lists from their octets (ETSI TS 119 612 §5). Whether one may be believed is not asked here."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from signer.validation.trusted_lists.elements import (
    ADDITIONAL,
    LIST,
    Element,
    child,
    children,
    english,
    malformed,
    moment,
    number,
    octets,
    read_root,
    text,
)
from signer.validation.trusted_lists.model import Pointer, TrustedList
from signer.validation.trusted_lists.service_reading import read_services


def read_list(document: bytes) -> TrustedList:
    """Read a trusted list. Raises InvalidArgumentError TRUSTED_LIST_MALFORMED or TRUSTED_LIST_TOO_LARGE."""
    root = read_root(document)
    scheme = child(root, LIST + "SchemeInformation")
    return TrustedList(
        sha256=hashlib.sha256(document).digest(),
        version=number(child(scheme, LIST + "TSLVersionIdentifier")),
        sequence_number=number(child(scheme, LIST + "TSLSequenceNumber")),
        type=text(child(scheme, LIST + "TSLType")),
        operator=english(child(scheme, LIST + "SchemeOperatorName"), LIST + "Name"),
        territory=text(child(scheme, LIST + "SchemeTerritory")),
        information_uris=tuple(
            text(uri) for uri in children(scheme, LIST + "SchemeInformationURI", LIST + "URI")
        ),
        issue_time=moment(child(scheme, LIST + "ListIssueDateTime")),
        next_update=_next_update(child(scheme, LIST + "NextUpdate")),
        pointers=tuple(
            _pointer(each) for each in children(scheme, LIST + "PointersToOtherTSL", LIST + "OtherTSLPointer")
        ),
        services=tuple(read_services(root)),
    )


def _next_update(element: Element) -> datetime | None:
    """None of a list that was closed (§5.3.15)."""
    times = list(element)
    if not times and not text(element):
        return None
    return moment(child(element, LIST + "dateTime"))


def _pointer(element: Element) -> Pointer:
    facts = dict(_facts(element))
    return Pointer(
        location=text(child(element, LIST + "TSLLocation")),
        type=facts.get(LIST + "TSLType", ""),
        territory=facts.get(LIST + "SchemeTerritory", ""),
        media_type=facts.get(ADDITIONAL + "MimeType", ""),
        signers=tuple(
            octets(certificate)
            for certificate in children(
                element,
                LIST + "ServiceDigitalIdentities",
                LIST + "ServiceDigitalIdentity",
                LIST + "DigitalId",
                LIST + "X509Certificate",
            )
        ),
    )


def _facts(pointer: Element) -> Iterator[tuple[str, str]]:
    """What a pointer says of the other list; one thing said twice is malformed."""
    seen: set[str] = set()
    for fact in children(pointer, LIST + "AdditionalInformation", LIST + "OtherInformation", "*"):
        if fact.tag in seen:
            raise malformed("a pointer says one thing twice")
        seen.add(fact.tag)
        if not len(fact):
            yield fact.tag, text(fact)
