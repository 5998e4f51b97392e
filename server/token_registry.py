"""The configured tokens: which keys they hold, who may use them, and the worker processes that drive them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pecete.errors import InvalidArgumentError, NotFoundError, PeceteError
from server.config import TokenSettings
from server.token_work import sign_section_with_token
from server.workers import WorkerPool
from signer.pades.options import SignatureOptions
from signer.pades.signing import SignedSection
from signer.tokens import worker as token_worker
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.inventory import SigningKeyInfo
from signer.tokens.pin_guard import PinGuard

REFRESH_SECONDS = 60.0
"""How long a token's list of keys is believed before it is read again."""

LEAST_AGE_SECONDS = 1.0
"""How old the list must be for an unknown key to have the token read again: asking must not tire it."""


@dataclass(frozen=True)
class RegisteredKey:
    """A key, and the configured token that holds it; fault: why the token cannot be used, where known."""

    info: SigningKeyInfo
    token: TokenSettings
    fault: PeceteError | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"signingKeys/{self.info.id}"


def token_configuration(settings: TokenSettings, pin: str | None) -> TokenConfiguration:
    """Give what opens a configured token with this PIN."""
    return TokenConfiguration(
        name=settings.name,
        module=str(settings.module),
        token_label=settings.token_label,
        pin=pin,
        rsa_scheme=settings.rsa_scheme,
    )


class Token:
    """One configured token with its worker processes."""

    def __init__(self, settings: TokenSettings) -> None:
        self.settings = settings
        configuration = token_configuration(settings, settings.pin.read() if settings.pin else None)
        # Each call's login rewrites the state of some tokens (SoftHSM's files), which other processes read.
        workers = settings.workers if settings.pin else 1
        self.pool = WorkerPool(workers, token_worker.open_token, (configuration, PinGuard()))
        self._fault: PeceteError | None = None
        self._keys: list[SigningKeyInfo] = []
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def check(self) -> None:
        """Look whether the token answers and takes its configured PIN. Raises its fault."""
        try:
            await self.pool.run(token_worker.probe)
        except PeceteError as error:
            self._fault = error
            raise
        self._fault = None

    async def last_seen_keys(self) -> tuple[list[SigningKeyInfo], PeceteError | None]:
        """Give the keys as they were last seen, and what was found wrong with the token at the last look."""
        try:
            return await self.keys(), self._fault
        except PeceteError as error:
            return self._keys, error

    async def keys(self, maximum_age: float = REFRESH_SECONDS) -> list[SigningKeyInfo]:
        """Give the token's keys, read again when the list is older than so many seconds.

        Raises what reading the token raises; the next call tries anew.
        """
        async with self._reading:
            if time.monotonic() - self._read_at > maximum_age:
                self._read_at = float("-inf")
                self._keys = await self.pool.run(token_worker.list_signing_keys)
                self._read_at = time.monotonic()
            return self._keys


class TokenRegistry:
    """All configured tokens of this server."""

    def __init__(self, settings: Sequence[TokenSettings]) -> None:
        self.tokens = {token.name: Token(token) for token in settings}

    async def list_keys(self, principal: str) -> list[RegisteredKey]:
        """Give the keys that this caller may use, ordered by name, also those of a token that went away."""
        found: list[RegisteredKey] = []
        for token in self.tokens.values():
            if principal in token.settings.allowed:
                keys, fault = await token.last_seen_keys()
                found += [
                    RegisteredKey(info, token.settings, fault) for info in keys if info.purpose == "signature"
                ]
        return sorted(found, key=lambda key: key.name)

    async def describe(self, name: str, principal: str) -> RegisteredKey:
        """Give a key that this caller may use, also one whose token went away. Raises as `find`."""
        for key in await self.list_keys(principal):
            if key.name == name:
                return key
        return await self.find(name, principal)

    async def find(self, name: str, principal: str) -> RegisteredKey:
        """Give a key that this caller may use.

        Raises NotFoundError SIGNING_KEY_NOT_FOUND for a key that is not there and for one that the caller may
        not use; the fault of a token that is away, when the key may be in it.
        """
        fault: PeceteError | None = None
        for maximum_age in (REFRESH_SECONDS, LEAST_AGE_SECONDS):
            for token in self.tokens.values():
                if principal not in token.settings.allowed:
                    continue
                try:
                    keys = await token.keys(maximum_age)
                except PeceteError as error:
                    fault = error
                    continue
                for info in keys:
                    if name == f"signingKeys/{info.id}" and info.purpose == "signature":
                        return RegisteredKey(info, token.settings)
        raise fault or NotFoundError(
            "SIGNING_KEY_NOT_FOUND", "There is no such key, or it is not yours to use.", field="signing_key"
        )

    async def sign_section(
        self, key: RegisteredKey, path: Path, options: SignatureOptions, pin: str | None
    ) -> SignedSection:
        """Append a signature to the PDF at `path`, in a worker process of the key's token."""
        pool = self.tokens[key.token.name].pool
        return await pool.run(sign_section_with_token, path, key.info.id, self._pin(key, pin), options)

    async def sign(self, token: str, certificate_sha256: str, data: bytes) -> bytes:
        """Sign bytes with a key whose token's PIN is configured, in a worker process of the token."""
        return await self.tokens[token].pool.run(token_worker.sign, certificate_sha256, data, None)

    async def timestamping_key(self, token: str, certificate_sha256: str) -> SigningKeyInfo:
        """Give the time-stamping key of this certificate in a configured token.

        Raises NotFoundError TIMESTAMPING_KEY_NOT_FOUND and the token's faults.
        """
        for info in await self.tokens[token].keys():
            if info.id == certificate_sha256 and info.purpose == "timestamp":
                return info
        raise NotFoundError(
            "TIMESTAMPING_KEY_NOT_FOUND",
            "The token holds no key for the time-stamping certificate.",
            field="timestamping.certificate",
        )

    def _pin(self, key: RegisteredKey, pin: str | None) -> str | None:
        if key.token.pin is not None:
            return None
        if not pin:
            raise InvalidArgumentError(
                "PIN_REQUIRED", "This key asks for its token's PIN with each call.", field="pin"
            )
        return pin

    async def close(self) -> None:
        """Log out and end the worker processes."""
        await asyncio.gather(*(token.pool.close() for token in self.tokens.values()))
