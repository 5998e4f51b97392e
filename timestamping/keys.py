"""What the authority needs of its key, wherever that key lives."""

from typing import Protocol


class TimestampingKey(Protocol):
    """The private key of a time-stamping unit, with its certificate."""

    @property
    def certificate(self) -> bytes:
        """The unit's certificate, DER."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuing certificates that go into tokens beside it, DER."""

    @property
    def digest(self) -> str:
        """Digest algorithm of the signature: `sha256`, `sha384` or `sha512`."""

    @property
    def signature_algorithm_identifier(self) -> bytes:
        """AlgorithmIdentifier of the signature, DER."""

    async def sign(self, data: bytes) -> bytes:
        """Sign `data` (the message, not its digest) and give the signature as CMS carries it.

        Raises PeceteError subclasses only.
        """
