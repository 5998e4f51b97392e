"""Whom signatures are time-stamped by: the authority of this house, a foreign one, or nobody."""

from typing import Protocol

from pecete.errors import FailedPreconditionError

TIMESTAMP_RESERVE = 8192
"""Octets that are kept free for a time-stamp token with the authority's certificates."""


class TimeStamper(Protocol):
    """Whoever gives time-stamp tokens."""

    async def stamp(self, digest_algorithm: str, digest: bytes, *, client: str, request_id: str) -> bytes:
        """Give a TimeStampToken (DER) over a digest."""


class Stamping:
    """Gives tokens over SHA-256 digests."""

    def __init__(self, time_stamper: TimeStamper | None) -> None:
        self._time_stamper = time_stamper

    def require(self) -> TimeStamper:
        """Give who stamps. Raises FailedPreconditionError TIMESTAMP_AUTHORITY_NOT_CONFIGURED."""
        if self._time_stamper is None:
            raise FailedPreconditionError(
                "TIMESTAMP_AUTHORITY_NOT_CONFIGURED",
                "This level needs a time-stamping authority, and none is configured.",
                field="level",
            )
        return self._time_stamper

    async def stamp(self, sha256: bytes, *, principal: str, request_id: str) -> bytes:
        """Give a TimeStampToken (DER). Raises what `require` and the authority raise."""
        return await self.require().stamp("sha256", sha256, client=principal, request_id=request_id)
