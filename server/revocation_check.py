"""Refusing to sign with certificates that are known to be revoked, before their key is touched.

Whether it is known not to be revoked is no question here: that is for whoever judges the signature.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from pecete.errors import FailedPreconditionError
from server.material_collecting import RevocationSource
from signer.material import ValidationMaterial
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.path import is_issued_by
from signer.validation.revocation import RevocationData
from signer.validation.survey import Gap

FETCHED_SECONDS = 600.0
"""How long it is before a certificate's status is fetched again, whatever came of it."""

PATIENCE_SECONDS = 5.0
"""How long a signature may wait for a status that is fetched; without one it is made."""

_MOST_REMEMBERED = 1024


@dataclass(frozen=True)
class _Answer:
    """What was found when, with which lists: the common name of who was revoked, or ""."""

    lists: tuple[bytes, ...]
    time: float
    revoked: str


class KnownRevocations:
    """What configured lists and, where there is one, the fetcher say of the certificates that sign here.

    lists: gives the configured revocation lists (DER), the same objects as long as nothing has changed.
    anchors: trusted certificates (DER), which issued the last one of a chain. fetcher: None: nothing is
    fetched.
    """

    def __init__(
        self,
        lists: Callable[[], Awaitable[tuple[bytes, ...]]],
        anchors: Sequence[bytes],
        fetcher: RevocationSource | None,
    ) -> None:
        self._lists = lists
        self._anchors = tuple(filter(None, map(load_certificate, anchors)))
        self._fetcher = fetcher
        self._answers: dict[bytes, _Answer] = {}
        self._asking = asyncio.Lock()

    async def require_unrevoked(
        self, certificate: bytes, chain: Sequence[bytes], *, field: str = "signing_key"
    ) -> None:
        """Refuse a certificate (DER) when it, or an issuer in `chain`, is known to be revoked.

        Raises FailedPreconditionError CERTIFICATE_REVOKED; InvalidArgumentError CONFIGURATION_PATH_UNREADABLE
        when a configured list cannot be read.
        """
        lists = await self._lists()
        answer = self._answers.get(certificate)
        if answer is None or not self._is_current(answer, lists):
            async with self._asking:
                answer = self._answers.get(certificate)
                if answer is None or not self._is_current(answer, lists):
                    answer = await self._ask(certificate, chain, lists)
        if answer.revoked:
            raise FailedPreconditionError(
                "CERTIFICATE_REVOKED", f"The certificate of {answer.revoked} has been revoked.", field=field
            )

    def _is_current(self, answer: _Answer, lists: tuple[bytes, ...]) -> bool:
        if answer.lists is not lists:
            return False
        return self._fetcher is None or time.monotonic() - answer.time < FETCHED_SECONDS

    async def _ask(self, certificate: bytes, chain: Sequence[bytes], lists: tuple[bytes, ...]) -> _Answer:
        links = list(self._links(certificate, chain))
        material = ValidationMaterial(crls=lists) + await self._fetched(links)
        revoked = await asyncio.to_thread(_first_revoked, links, material)
        answer = _Answer(lists, time.monotonic(), revoked)
        while len(self._answers) >= _MOST_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[certificate] = answer
        return answer

    async def _fetched(self, links: Sequence[tuple[Certificate, Certificate]]) -> ValidationMaterial:
        found = ValidationMaterial()
        if self._fetcher is None:
            return found
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for certificate, issuer in links:
                    gap = Gap(certificate.der, certificate.common_name, issuer.der)
                    found += (await self._fetcher.find(gap)).material
        except TimeoutError:
            pass  # what was found until then is used
        return found

    def _links(self, certificate: bytes, chain: Sequence[bytes]) -> Iterator[tuple[Certificate, Certificate]]:
        """Each certificate on the way up with its issuer, as far as they are known."""
        known = [*filter(None, map(load_certificate, chain)), *self._anchors]
        current = load_certificate(certificate)
        while current is not None and current not in self._anchors:
            below = current
            current = next((each for each in known if is_issued_by(below, each)), None)
            if current is not None:
                known.remove(current)
                yield below, current


def _first_revoked(links: Sequence[tuple[Certificate, Certificate]], material: ValidationMaterial) -> str:
    data = RevocationData(material.crls, material.ocsp_responses)
    for certificate, issuer in links:
        newest = next(iter(data.about(certificate, issuer)), None)
        if newest is not None and newest.revoked_at is not None:
            return certificate.common_name
    return ""
