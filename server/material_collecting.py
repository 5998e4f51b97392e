"""Collecting the validation material of a document's signatures: the document's own, then from sources."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pecete.errors import FailedPreconditionError
from signer.material import ValidationMaterial
from signer.validation.certificates import load_certificate
from signer.validation.crl import load_crl
from signer.validation.survey import Gap, Survey

_LONGEST_TRIED = 2000


@dataclass(frozen=True)
class Finding:
    """What a source gave for a gap, and for people what it asked and what became of it."""

    material: ValidationMaterial
    tried: tuple[str, ...] = ()


class RevocationSource(Protocol):
    """Where revocation data and issuers' certificates come from; nothing that it gives is believed yet."""

    async def find(self, gap: Gap) -> Finding:
        """Look for what is missing. It never fails: what cannot be had is not in the finding."""


class ConfiguredLists:
    """The revocation lists that the configuration names; `read` gives them, read anew each time, DER."""

    def __init__(self, read: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        self._read = read

    async def find(self, gap: Gap) -> Finding:
        """Give the lists of the certificate's issuer."""
        certificate = load_certificate(gap.certificate)
        if certificate is None or gap.issuer is None:
            return Finding(ValidationMaterial())
        lists = [(der, load_crl(der)) for der in await self._read()]
        fitting = tuple(der for der, crl in lists if crl and crl.issuer == certificate.issuer)
        return Finding(ValidationMaterial(crls=fitting), (f"validation.crl: {len(fitting)} of the issuer",))


class WithGaps(Protocol):
    """What was found when a document was looked at."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing."""


Look = TypeVar("Look", bound=WithGaps)


async def collect(
    survey: Callable[[ValidationMaterial], Awaitable[Survey]], sources: Sequence[RevocationSource]
) -> tuple[Survey, ValidationMaterial]:
    """Ask the sources for what is missing, one after the other for each gap, until nothing is.

    survey: looks at a document with further material at hand. Gives the last survey, and what the sources
    gave. Raises FailedPreconditionError VALIDATION_MATERIAL_MISSING.
    """
    found, given, tried = await gather(survey, sources)
    if found.gaps:
        raise _missing(found.gaps[0], tried)
    return found, given


async def gather(
    look: Callable[[ValidationMaterial], Awaitable[Look]], sources: Sequence[RevocationSource]
) -> tuple[Look, ValidationMaterial, tuple[str, ...]]:
    """Ask the sources for what `look` misses, and look again, until nothing is missing or nobody is left.

    Gives the last look, what the sources gave, and what was tried.
    """
    given = ValidationMaterial()
    found = await look(given)
    asked: dict[Gap, int] = {}
    tried: dict[str, None] = {}
    while due := [gap for gap in found.gaps if asked.get(gap, 0) < len(sources)]:
        for gap in due:
            finding = await sources[asked.get(gap, 0)].find(gap)
            asked[gap] = asked.get(gap, 0) + 1
            given += finding.material
            tried.update(dict.fromkeys(finding.tried))
        found = await look(given)
    return found, given, tuple(tried)


def _missing(gap: Gap, tried: Sequence[str]) -> FailedPreconditionError:
    what = "revocation data" if gap.issuer else "the issuer's certificate"
    return FailedPreconditionError(
        "VALIDATION_MATERIAL_MISSING",
        f"The level is not reached: {what} for the certificate of {gap.common_name} cannot be had now.",
        field="level",
        metadata={
            "certificate": gap.common_name,
            "missing": "revocation" if gap.issuer else "issuer",
            "tried": "; ".join(tried)[:_LONGEST_TRIED],
        },
    )
