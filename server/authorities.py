"""The time-stamping authority of this server, and whom signatures are stamped by."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from archive.journal import Journal
from pecete.errors import InvalidArgumentError
from server.config import TimestampingSettings
from server.database import Database
from server.token_registry import TokenRegistry
from signer.algorithms import signature_identifier
from signer.tokens.inventory import SigningKeyInfo
from timestamping import journal as timestamp_journal
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.clock import TrustedClock
from timestamping.external import ExternalTimeStamper, ForeignAuthority
from timestamping.keys import TimestampingKey
from timestamping.software_key import load_software_key
from timestamping.timestamper import TimeStamper


class TokenTimestampingKey:
    """A time-stamping key in a configured token; it signs in a worker process of that token."""

    def __init__(
        self, registry: TokenRegistry, token: str, info: SigningKeyInfo, chain: tuple[bytes, ...]
    ) -> None:
        self.certificate = info.certificate
        self.chain = chain or info.chain
        self.digest = info.algorithm.digest
        self.signature_algorithm_identifier = signature_identifier(info.algorithm)
        self._registry = registry
        self._token = token
        self._id = info.id

    async def sign(self, data: bytes) -> bytes:
        """Sign `data`. Raises the token's faults."""
        return await self._registry.sign(self._token, self._id, data)


async def open_authority(
    settings: TimestampingSettings,
    registry: TokenRegistry,
    database: Database,
    journal: Journal,
    now: Callable[[], datetime],
) -> Authority | None:
    """Give this server's authority with its key proven, or None when none is configured.

    Raises what is wrong with certificate, key, policy or clock; the server does not start then.
    """
    if settings.certificate is None:
        return None
    key = await _key(settings, settings.certificate, registry)

    def record(connection: Connection, issued: IssuedTimestamp) -> None:
        timestamp_journal.record(connection, journal, issued)

    async def make_durable(issued: IssuedTimestamp) -> None:
        await database.run(record, issued)

    accuracy = timedelta(seconds=settings.accuracy_seconds)
    newest = await database.fetch(timestamp_journal.latest_gen_time)
    authority = Authority(
        key,
        clock=TrustedClock(settings.clock, accuracy=accuracy, not_before=newest),
        record=make_durable,
        policies=(settings.policy,),
        accuracy=accuracy,
        time=now(),
    )
    await authority.prove_key()
    return authority


async def _key(settings: TimestampingSettings, certificate: Path, registry: TokenRegistry) -> TimestampingKey:
    if settings.software_key is not None:
        return load_software_key(settings.software_key, certificate)
    leaf, *chain = read_certificates(certificate, "timestamping.certificate")
    info = await registry.timestamping_key(settings.token, hashlib.sha256(leaf).hexdigest())
    return TokenTimestampingKey(registry, settings.token, info, tuple(chain))


@asynccontextmanager
async def open_time_stamper(
    own: Authority | None, settings: TimestampingSettings
) -> AsyncIterator[TimeStamper | None]:
    """Give who stamps signatures: the own authority, else the foreign one, else nobody."""
    if own is not None or settings.external is None:
        yield own
        return
    foreign = settings.external
    trust = tuple(
        der for path in foreign.trust for der in read_certificates(path, "timestamping.external.trust")
    )
    async with ExternalTimeStamper(ForeignAuthority(foreign.url, trust)) as stamper:
        yield stamper


def read_certificates(path: Path, field: str) -> list[bytes]:
    """Give the certificates of a PEM or DER file, DER; `field` is the setting that names it.

    Raises InvalidArgumentError CONFIGURATION_CERTIFICATE_UNREADABLE.
    """
    try:
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(
            "CONFIGURATION_CERTIFICATE_UNREADABLE", "No certificate can be read from this file.", field=field
        ) from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]
