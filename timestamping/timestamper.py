"""Whoever gives time-stamps: this authority, or a foreign one."""

from typing import Protocol


class TimeStamper(Protocol):
    """Gives TimeStampTokens over digests."""

    async def stamp(self, digest_algorithm: str, digest: bytes, *, client: str, request_id: str) -> bytes:
        """Give a TimeStampToken (DER) with its certificates over `digest`.

        digest_algorithm: `sha256`, `sha384` or `sha512`. client, request_id: for whom and in which call, for
        the record. Raises PeceteError subclasses only.
        """
