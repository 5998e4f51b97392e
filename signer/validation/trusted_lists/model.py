"""What a trusted list says, as plain values that can be kept (ETSI TS 119 612).

URIs are as in the list. Certificates are DER, digests and key identifiers octets, times aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_TRUST_SERVICES = "http://uri.etsi.org/TrstSvc/"

CA_QC = _TRUST_SERVICES + "Svctype/CA/QC"
"""Service type: a certification authority that issues qualified certificates (§5.5.1.1)."""

QTST = _TRUST_SERVICES + "Svctype/TSA/QTST"
"""Service type: an authority that issues qualified time-stamps."""

LIST_OF_LISTS = _TRUST_SERVICES + "TrustedList/TSLType/EUlistofthelists"
"""TSLType of the European Commission's list of trusted lists (§5.3.3)."""

NATIONAL_LIST = _TRUST_SERVICES + "TrustedList/TSLType/EUgeneric"
"""TSLType of a member state's trusted list."""

_STATUS = _TRUST_SERVICES + "TrustedList/Svcstatus/"
GRANTED = _STATUS + "granted"
BEFORE_GRANTED = frozenset(
    _STATUS + name for name in ("undersupervision", "supervisionincessation", "accredited")
)
"""Statuses of trusted services under Directive 1999/93/EC (§5.5.4 of version 1)."""

INFORMATION = _TRUST_SERVICES + "TrustedList/SvcInfoExt/"
"""How the URIs of qualifiers and of additional service information begin (§5.5.9.2.3, §5.5.9.4)."""


class Assertion(StrEnum):
    """How many of its criteria a list of criteria wants (§5.5.9.2.2.1)."""

    ALL = "all"
    AT_LEAST_ONE = "atLeastOne"
    NONE = "none"


@dataclass(frozen=True)
class KeyUsageBit:
    """A bit of the key usage extension, in RFC 5280's name, and what it must be."""

    name: str
    value: bool


@dataclass(frozen=True)
class Criteria:
    """Which certificates are meant (§5.5.9.2.2): each item of each tuple is one criterion.

    key_usages: bits that must be so. policy_sets, extended_key_usages, subject_attributes: object
    identifiers, dotted, all of which the certificate must have. unknown: criteria that nobody here knows.
    """

    assertion: Assertion
    key_usages: tuple[tuple[KeyUsageBit, ...], ...] = ()
    policy_sets: tuple[tuple[str, ...], ...] = ()
    extended_key_usages: tuple[tuple[str, ...], ...] = ()
    subject_attributes: tuple[tuple[str, ...], ...] = ()
    lists: tuple["Criteria", ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualificationElement:
    """Qualifiers, as URIs, of the certificates that the criteria mean (§5.5.9.2)."""

    qualifiers: tuple[str, ...]
    criteria: Criteria


@dataclass(frozen=True)
class ServicePeriod:
    """What was so of a service from `start` on (§5.5 for the newest period, §5.6 for earlier ones).

    information: URIs of the additional service information. taken_over_by: name of the provider that took
    the service over, or "". not_understood: critical extensions that nobody here knows.
    """

    type: str
    status: str
    start: datetime
    qualifications: tuple[QualificationElement, ...] = ()
    information: tuple[str, ...] = ()
    taken_over_by: str = ""
    not_understood: tuple[str, ...] = ()


@dataclass(frozen=True)
class DigitalIdentity:
    """Who a service is (§5.5.3). key_identifiers: SHA-1 of public keys (RFC 5280 §4.2.1.2, method 1)."""

    certificates: tuple[bytes, ...] = ()
    subject_names: tuple[str, ...] = ()
    key_identifiers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Service:
    """A trust service of a provider; periods: the newest first."""

    provider: str
    name: str
    identity: DigitalIdentity
    periods: tuple[ServicePeriod, ...]

    def at(self, time: datetime) -> ServicePeriod | None:
        """The period in force at a time; None before the first."""
        return next((period for period in self.periods if period.start <= time), None)


@dataclass(frozen=True)
class Pointer:
    """Where another list is, and the certificates, one of which must sign it (§5.3.13)."""

    location: str
    type: str
    territory: str
    media_type: str
    signers: tuple[bytes, ...]


@dataclass(frozen=True)
class TrustedList:
    """A trusted list (§5.3). next_update: None of a closed one. sha256: of the octets that were read."""

    sha256: bytes
    version: int
    sequence_number: int
    type: str
    operator: str
    territory: str
    information_uris: tuple[str, ...]
    issue_time: datetime
    next_update: datetime | None
    pointers: tuple[Pointer, ...]
    services: tuple[Service, ...]
