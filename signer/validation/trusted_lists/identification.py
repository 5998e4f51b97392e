"""Which services of the trusted lists stand behind a certificate (ETSI TS 119 612 §5.5.3, TS 119 615 §4.3).

A service is whoever has its key and its name; another certificate of the same key and name is the same one.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import SubjectKeyIdentifier

from signer.validation.certificates import Certificate, CertificatePool, load_certificate
from signer.validation.path import Path, find_paths, path_fault
from signer.validation.trusted_lists.model import Service
from signer.validation.trusted_lists.snapshot import NEVER, ListedServices, TrustedServices, sunset


@dataclass(frozen=True)
class Listed:
    """A service with the list that it is in."""

    service: Service
    source: ListedServices


@dataclass(frozen=True)
class Anchor:
    """A trust anchor from a list. sunset: first moment from which it is one no longer; None: not ended."""

    certificate: bytes
    sunset: datetime | None


class ServiceIndex:
    """The services of a snapshot by who they are."""

    def __init__(self, services: TrustedServices) -> None:
        self._by_key: dict[tuple[bytes, bytes], list[Listed]] = {}
        self._by_identifier: dict[bytes, list[Listed]] = {}
        self._certificates: dict[bytes, dict[bytes, list[Listed]]] = {}
        for source in services.lists:
            for service in source.services:
                self._add(Listed(service, source))

    def _add(self, listed: Listed) -> None:
        identity = listed.service.identity
        for der in identity.certificates:
            certificate = load_certificate(der)
            if certificate is not None:
                _append_once(self._by_key.setdefault(_key(certificate), []), listed)
                named = self._certificates.setdefault(certificate.subject, {})
                _append_once(named.setdefault(der, []), listed)
        if not identity.certificates:
            for identifier in identity.key_identifiers:
                _append_once(self._by_identifier.setdefault(identifier, []), listed)

    def services_of(self, certificate: Certificate, time: datetime) -> list[Listed]:
        """Services that the certificate's holder is, in lists that may be believed at that time."""
        named = self._by_key.get(_key(certificate), [])
        keyed = self._by_identifier.get(_identifier(certificate), [])
        return [listed for listed in (*named, *keyed) if listed.source.in_force(time)]

    def anchors(self, certificates: Iterable[Certificate], time: datetime) -> Iterator[Anchor]:
        """Trust anchors that could stand right above these certificates, or are among them."""
        known = list(certificates)
        names = {each.issuer for each in known} | {each.subject for each in known}
        for name in sorted(names):
            for der, services in sorted(self._certificates.get(name, {}).items()):
                ends = [sunset(each.service) for each in services if each.source.in_force(time)]
                if None in ends:
                    yield Anchor(der, None)
                elif ends:
                    latest = max(end for end in ends if end is not None)
                    if latest != NEVER:
                        yield Anchor(der, latest)

    def identities(self, certificates: Iterable[Certificate]) -> list[Certificate]:
        """Certificates of services that a path could end with: the lists' own, and those among the given."""
        known = list(certificates)
        names = {each.issuer for each in known} | {each.subject for each in known}
        listed = [der for name in sorted(names) for der in sorted(self._certificates.get(name, {}))]
        same = [each.der for each in known if self._is_listed(each)]
        return _loaded([*listed, *same])

    def _is_listed(self, certificate: Certificate) -> bool:
        return _key(certificate) in self._by_key or _identifier(certificate) in self._by_identifier


@lru_cache(maxsize=4)
def service_index(services: TrustedServices) -> ServiceIndex:
    """The index of a snapshot, made once."""
    return ServiceIndex(services)


class ServiceFinder:
    """Finds the services behind the certificates of one document.

    certificates: those of the document and others, DER, through which a path may lead. time: as of when is
    judged; lists that are no longer in force then do not count.
    """

    def __init__(self, services: TrustedServices, certificates: Iterable[bytes], time: datetime) -> None:
        known = _loaded(certificates)
        self._index, self._time = service_index(services), time
        self._pool = CertificatePool(each.der for each in known)
        self._identities = self._index.identities(known)
        self._found: dict[bytes, tuple[Path, list[Listed]]] = {}

    def issuers(self, certificate: Certificate) -> list[Listed]:
        """The services that the nearest listed authority above a certificate is."""
        path, services = self._nearest(certificate)
        return services if len(path) > 1 else []

    def holders(self, certificate: Certificate) -> list[Listed]:
        """The services that a certificate's holder is or, where it is none, the nearest authority above."""
        return self._nearest(certificate)[1]

    def _nearest(self, certificate: Certificate) -> tuple[Path, list[Listed]]:
        if certificate.der not in self._found:
            self._found[certificate.der] = self._look(certificate)
        return self._found[certificate.der]

    def _look(self, certificate: Certificate) -> tuple[Path, list[Listed]]:
        for path in find_paths(certificate, self._pool, self._identities):
            services = self._index.services_of(path[-1], self._time)
            if services and path_fault(path) is None:
                return path, services
        return (), []


def _loaded(ders: Iterable[bytes]) -> list[Certificate]:
    return [each for each in map(load_certificate, dict.fromkeys(ders)) if each is not None]


def _append_once(services: list[Listed], listed: Listed) -> None:
    if not any(each.service is listed.service for each in services):
        services.append(listed)


def _key(certificate: Certificate) -> tuple[bytes, bytes]:
    """Name and public key, as DER."""
    public = certificate.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.subject, public


def _identifier(certificate: Certificate) -> bytes:
    """The key's identifier, computed: what a certificate says of it anybody can write."""
    try:
        return SubjectKeyIdentifier.from_public_key(certificate.parsed.public_key()).digest
    except ValueError:
        return hashlib.sha1(certificate.der, usedforsecurity=False).digest()
