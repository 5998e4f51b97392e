"""The services of the lists that are believed: one plain value that a policy carries and that can be kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from signer.validation.trusted_lists.model import BEFORE_GRANTED, CA_QC, GRANTED, QTST, Service, TrustedList

EIDAS = datetime.fromisoformat("2016-06-30T22:00:00+00:00")
"""When Regulation (EU) 910/2014 began to apply, and statuses took their present names."""

_AUTHORITIES = ("http://uri.etsi.org/TrstSvc/Svctype/CA/", "http://uri.etsi.org/TrstSvc/Svctype/TSA")


@dataclass(frozen=True)
class ListedServices:
    """The authorities of one believed list: those that issue certificates or time-stamps.

    sha256: of the list. next_update: until when the list may be believed; None: for good, as it was closed.
    """

    territory: str
    sequence_number: int
    issue_time: datetime
    next_update: datetime | None
    sha256: bytes
    services: tuple[Service, ...]

    def in_force(self, time: datetime) -> bool:
        """Whether the list may be believed by who judges at that time."""
        return self.next_update is None or time <= self.next_update


@dataclass(frozen=True, eq=False)
class TrustedServices:
    """What trusted lists say of who is trusted. Two that were made of the same lists are equal."""

    lists: tuple[ListedServices, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TrustedServices) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[bytes, ...]:
        """The lists' digests."""
        return tuple(each.sha256 for each in self.lists)


def snapshot(lists: Iterable[TrustedList]) -> TrustedServices:
    """What is needed of lists that `accept_national` believed, in the order of their territories."""
    kept = (
        ListedServices(
            territory=each.territory,
            sequence_number=each.sequence_number,
            issue_time=each.issue_time,
            next_update=each.next_update,
            sha256=each.sha256,
            services=tuple(filter(_is_authority, each.services)),
        )
        for each in lists
    )
    return TrustedServices(tuple(sorted(kept, key=lambda each: (each.territory, each.sha256))))


def _is_authority(service: Service) -> bool:
    return any(period.type.startswith(_AUTHORITIES) for period in service.periods)


def is_active(type_: str, status: str, time: datetime) -> bool:
    """Whether a qualified service of that type works under supervision at a time (ETSI TS 119 615 §4.3.4)."""
    if type_ not in (CA_QC, QTST):
        return False
    return status == GRANTED if time >= EIDAS else status in BEFORE_GRANTED


NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
"""Sunset of a service that never was active."""


def sunset(service: Service) -> datetime | None:
    """First moment at which the service was no longer active after it last was; None while it is.

    Of a service that never was active it is NEVER.
    """
    end: datetime | None = None
    for period in service.periods:
        if period.type in (CA_QC, QTST) and not period.not_understood:
            if period.status == GRANTED:
                return end
            if period.status in BEFORE_GRANTED:
                return EIDAS if end is None else min(end, EIDAS)
        end = period.start
    return NEVER
