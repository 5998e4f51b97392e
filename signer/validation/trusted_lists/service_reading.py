"""The services of a trusted list, their identities and their history (ETSI TS 119 612 §5.4 to §5.6)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from signer.validation.trusted_lists.criteria_reading import read_qualifications
from signer.validation.trusted_lists.elements import (
    ADDITIONAL,
    LIST,
    QUALIFICATIONS,
    Element,
    child,
    children,
    english,
    moment,
    octets,
    text,
)
from signer.validation.trusted_lists.model import (
    DigitalIdentity,
    QualificationElement,
    Service,
    ServicePeriod,
)

_HARMLESS = frozenset({LIST + "ExpiredCertsRevocationInfo", LIST + "AdditionalInformation"})
"""Extensions that change nothing in what is judged here."""


def read_services(root: Element) -> Iterator[Service]:
    """The services of all providers, in the list's order. Raises TRUSTED_LIST_MALFORMED."""
    for provider in children(root, LIST + "TrustServiceProviderList", LIST + "TrustServiceProvider"):
        name = english(child(provider, LIST + "TSPInformation", LIST + "TSPName"), LIST + "Name")
        for service in children(provider, LIST + "TSPServices", LIST + "TSPService"):
            yield _service(name, service)


def _service(provider: str, element: Element) -> Service:
    current = child(element, LIST + "ServiceInformation")
    earlier = children(element, LIST + "ServiceHistory", LIST + "ServiceHistoryInstance")
    # Of two periods that start at one time the list's first, which is the newer one, stays the first.
    periods = sorted(
        (_period(each) for each in (current, *earlier)), key=lambda period: period.start, reverse=True
    )
    return Service(
        provider=provider,
        name=english(child(current, LIST + "ServiceName"), LIST + "Name"),
        identity=_identity(child(current, LIST + "ServiceDigitalIdentity")),
        periods=tuple(periods),
    )


def _identity(element: Element) -> DigitalIdentity:
    found: dict[str, list[Element]] = {}
    for item in children(element, LIST + "DigitalId", "*"):
        found.setdefault(item.tag, []).append(item)
    return DigitalIdentity(
        certificates=tuple(octets(each) for each in found.get(LIST + "X509Certificate", ())),
        subject_names=tuple(text(each) for each in found.get(LIST + "X509SubjectName", ())),
        key_identifiers=tuple(octets(each) for each in found.get(LIST + "X509SKI", ())),
    )


@dataclass
class _Extensions:
    qualifications: list[QualificationElement] = field(default_factory=list)
    information: list[str] = field(default_factory=list)
    taken_over_by: str = ""
    not_understood: list[str] = field(default_factory=list)


def _period(element: Element) -> ServicePeriod:
    extensions = _Extensions()
    for extension in children(element, LIST + "ServiceInformationExtensions", LIST + "Extension"):
        _read_extension(extension, extensions)
    return ServicePeriod(
        type=text(child(element, LIST + "ServiceTypeIdentifier")),
        status=text(child(element, LIST + "ServiceStatus")),
        start=moment(child(element, LIST + "StatusStartingTime")),
        qualifications=tuple(extensions.qualifications),
        information=tuple(extensions.information),
        taken_over_by=extensions.taken_over_by,
        not_understood=tuple(extensions.not_understood),
    )


def _read_extension(extension: Element, found: _Extensions) -> None:
    critical = extension.get("Critical", "").strip() not in ("false", "0")
    for content in extension:
        if content.tag == QUALIFICATIONS + "Qualifications":
            found.qualifications += read_qualifications(content)
        elif content.tag == LIST + "AdditionalServiceInformation":
            found.information.append(text(child(content, LIST + "URI")))
        elif content.tag == ADDITIONAL + "TakenOverBy":
            found.taken_over_by = english(child(content, ADDITIONAL + "TSPName"), LIST + "Name")
        elif critical and content.tag not in _HARMLESS:
            found.not_understood.append(str(content.tag))
