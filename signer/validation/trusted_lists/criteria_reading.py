"""Qualifications of a service: qualifiers and their criteria (ETSI TS 119 612 §5.5.9.2)."""

from collections.abc import Iterator

from signer.validation.trusted_lists.elements import (
    ADDITIONAL,
    QUALIFICATIONS,
    XADES,
    Element,
    child,
    children,
    malformed,
    text,
)
from signer.validation.trusted_lists.model import Assertion, Criteria, KeyUsageBit, QualificationElement

_DEEPEST = 16
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_URN = "urn:oid:"


def read_qualifications(element: Element) -> list[QualificationElement]:
    """The qualification elements of a service. Raises TRUSTED_LIST_MALFORMED."""
    return [
        QualificationElement(
            qualifiers=tuple(
                qualifier.get("uri", "").strip()
                for qualifier in children(each, QUALIFICATIONS + "Qualifiers", QUALIFICATIONS + "Qualifier")
            ),
            criteria=_criteria(child(each, QUALIFICATIONS + "CriteriaList"), _DEEPEST),
        )
        for each in children(element, QUALIFICATIONS + "QualificationElement")
    ]


def _criteria(element: Element, depth: int) -> Criteria:
    if depth == 0:
        raise malformed("its criteria are nested too deeply")
    key_usages, policy_sets, lists = [], [], []
    extended: list[tuple[str, ...]] = []
    attributes: list[tuple[str, ...]] = []
    unknown: list[str] = []
    for item in element:
        if item.tag == QUALIFICATIONS + "KeyUsage":
            key_usages.append(tuple(_bits(item)))
        elif item.tag == QUALIFICATIONS + "PolicySet":
            policy_sets.append(_identifiers(item, QUALIFICATIONS + "PolicyIdentifier"))
        elif item.tag == QUALIFICATIONS + "CriteriaList":
            lists.append(_criteria(item, depth - 1))
        elif item.tag == QUALIFICATIONS + "otherCriteriaList":
            _read_others(item, extended, attributes, unknown)
        elif item.tag != QUALIFICATIONS + "Description":
            unknown.append(str(item.tag))
    return Criteria(
        assertion=_assertion(element),
        key_usages=tuple(key_usages),
        policy_sets=tuple(policy_sets),
        extended_key_usages=tuple(extended),
        subject_attributes=tuple(attributes),
        lists=tuple(lists),
        unknown=tuple(unknown),
    )


def _assertion(element: Element) -> Assertion:
    try:
        return Assertion(element.get("assert", ""))
    except ValueError as error:
        raise malformed("a list of criteria does not say how many it wants") from error


def _read_others(
    element: Element, extended: list[tuple[str, ...]], attributes: list[tuple[str, ...]], unknown: list[str]
) -> None:
    """Further criteria (§5.5.9.2.2.3)."""
    for item in element:
        if item.tag == ADDITIONAL + "ExtendedKeyUsage":
            extended.append(_identifiers(item, ADDITIONAL + "KeyPurposeId"))
        elif item.tag == ADDITIONAL + "CertSubjectDNAttribute":
            attributes.append(_identifiers(item, ADDITIONAL + "AttributeOID"))
        else:
            unknown.append(str(item.tag))


def _bits(element: Element) -> Iterator[KeyUsageBit]:
    for bit in children(element, QUALIFICATIONS + "KeyUsageBit"):
        value = _TRUTH.get(text(bit))
        if value is None:
            raise malformed("a bit of a key usage is neither true nor false")
        yield KeyUsageBit(bit.get("name", ""), value)


def _identifiers(element: Element, name: str) -> tuple[str, ...]:
    """Object identifiers, dotted, however they are written (EN 319 132-1 §5.1.2)."""
    return tuple(
        text(child(each, XADES + "Identifier")).lower().removeprefix(_URN) for each in children(element, name)
    )
