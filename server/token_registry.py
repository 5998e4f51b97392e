"""The keys of the configured tokens: who may use them, and which token signs.

A key is known by its certificate. Tokens that hold the same certificate with its key, such as two HSMs of
which one is a copy of the other, are replicas: they serve as one key, and the first that works signs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pecete.errors import InvalidArgumentError, NotFoundError, PeceteError
from server.config import TokenSettings
from server.metrics import Metrics
from server.token import REFRESH_SECONDS, Token, is_fault
from server.token_work import (
    SectionOrder,
    sign_digest_with_token,
    sign_section_with_token,
    sign_sections_with_token,
)
from signer.cades.signing import CompletedSignature
from signer.cades.signing import SignatureOptions as CadesOptions
from signer.pades.options import SignatureOptions
from signer.pades.signing import SignedSection
from signer.tokens import worker as token_worker
from signer.tokens.certificates import SigningKeyPurpose
from signer.tokens.inventory import SigningKeyInfo

LEAST_AGE_SECONDS = 1.0
"""How old the list must be for an unknown key to have the token read again: asking must not tire it."""

_NOT_ABLE = frozenset(("SIGNING_KEY_NOT_FOUND", "TOKEN_MECHANISM_MISSING"))
"""What a token is not able to do, and a replica perhaps is."""

Result = TypeVar("Result")


class RevocationCheck(Protocol):
    """Whoever knows of revoked certificates."""

    async def require_unrevoked(self, certificate: bytes, chain: Sequence[bytes]) -> None:
        """Refuse a certificate (DER) when it, or an issuer in `chain`, is known to be revoked."""


@dataclass(frozen=True)
class RegisteredKey:
    """A key, and the configured token that will sign with it.

    fault: why the token cannot be used, where known. tries_left: what it says of its PIN's tries. replicas:
    names of further tokens that hold the key, in the order in which they would be asked.
    """

    info: SigningKeyInfo
    token: TokenSettings
    fault: PeceteError | None = None
    tries_left: str = ""
    replicas: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Resource name."""
        return f"signingKeys/{self.info.id}"


class TokenRegistry:
    """All configured tokens of this server."""

    def __init__(
        self, settings: Sequence[TokenSettings], metrics: Metrics, revocation: RevocationCheck
    ) -> None:
        self.tokens = {token.name: Token(token, metrics) for token in settings}
        self._metrics = metrics
        self._revocation = revocation

    async def list_keys(self, principal: str) -> list[RegisteredKey]:
        """Give the keys that this caller may use, ordered by name, also those of a token that went away."""
        tokens = self._allowed(principal)
        await asyncio.gather(*map(_look, tokens))
        known = {info.id for token in tokens for info in token.keys_seen if info.purpose == "signature"}
        return [_registered(_holders(tokens, key, "signature"), key) for key in sorted(known)]

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
        tokens = self._allowed(principal)
        key_id = name.removeprefix("signingKeys/")
        not_found = NotFoundError(
            "SIGNING_KEY_NOT_FOUND", "There is no such key, or it is not yours to use.", field="signing_key"
        )
        if name == key_id:
            raise not_found
        holder = await _first_holder(tokens, key_id, "signature", not_found)
        others = [each for each in _holders(tokens, key_id, "signature") if each is not holder]
        return _registered([holder, *others], key_id)

    async def sign_section(
        self, key: RegisteredKey, path: Path, options: SignatureOptions, pin: str | None
    ) -> SignedSection:
        """Append a signature to the PDF at `path`, in a worker process of the key's token or of a replica.

        Raises FailedPreconditionError CERTIFICATE_REVOKED before a token is touched; what signing raises; the
        token's fault when no replica can do it either.
        """
        asked = self._pin(key, pin)

        def sign(token: Token) -> Awaitable[SignedSection]:
            run = token.run if asked is None else token.run_with_pin
            return run(sign_section_with_token, path, key.info.id, asked, options)

        return await self._sign(key, sign, has_pin=asked is not None)

    async def sign_digest(
        self, key: RegisteredKey, digest: bytes, options: CadesOptions, pin: str | None, *, counter: bool
    ) -> CompletedSignature:
        """Make a CAdES signature of content with this digest, by the key's digest algorithm.

        counter: for a countersignature. Raises as `sign_section`.
        """
        asked = self._pin(key, pin)
        algorithm = key.info.algorithm.digest

        def sign(token: Token) -> Awaitable[CompletedSignature]:
            run = token.run if asked is None else token.run_with_pin
            return run(
                sign_digest_with_token, algorithm, digest, key.info.id, asked, options, counter=counter
            )

        return await self._sign(key, sign, has_pin=asked is not None)

    async def _sign(
        self, key: RegisteredKey, sign: Callable[[Token], Awaitable[Result]], *, has_pin: bool
    ) -> Result:
        await self._revocation.require_unrevoked(key.info.certificate, key.info.chain)
        return await self._by_first_able((key.token.name, *key.replicas), sign, has_pin=has_pin)

    async def sign_sections(
        self, key: RegisteredKey, orders: Sequence[SectionOrder], pin: str | None, series: str
    ) -> list[SignedSection | PeceteError]:
        """Append a signature to each PDF in one job of a worker process; give each one's section or error.

        series: an unguessable name of the jobs that share one login, which `end_series` ends. The list ends
        early with the first error of the token or its PIN. Raises as `sign_section` what concerns every PDF.
        """
        asked = self._pin(key, pin)
        await self._revocation.require_unrevoked(key.info.certificate, key.info.chain)
        made: list[SignedSection | PeceteError] = []

        def sign(token: Token) -> Awaitable[list[SignedSection | PeceteError]]:
            run = token.run if asked is None else token.run_with_pin
            return run(sign_sections_with_token, key.info.id, asked, series, orders[len(made) :])

        names = (key.token.name, *key.replicas)
        while len(made) < len(orders) and not _stops(made):
            try:
                made += await self._by_first_able(names, sign, has_pin=asked is not None)
            except PeceteError as error:
                if not made:
                    raise
                made.append(error)
                break
        return made

    async def end_series(self, key: RegisteredKey, series: str) -> None:
        """Log out of a token that was given a caller's PIN for a series of jobs."""
        if key.token.pin is None:
            for name in (key.token.name, *key.replicas):
                with suppress(PeceteError):  # whoever comes next logs out first
                    await self.tokens[name].run(token_worker.end_series, series)

    async def sign(self, token: str, certificate_sha256: str, data: bytes) -> bytes:
        """Sign bytes with a time-stamping key, in a worker process of this token or of a replica."""
        holders = _holders(self._stamping(token), certificate_sha256, "timestamp")
        names = [each.settings.name for each in holders] or [token]
        return await self._by_first_able(
            names, lambda each: each.run(token_worker.sign, certificate_sha256, data, None), has_pin=False
        )

    async def timestamping_key(self, token: str, certificate_sha256: str) -> SigningKeyInfo:
        """Give the time-stamping key of this certificate in a configured token or a replica of it.

        Raises NotFoundError TIMESTAMPING_KEY_NOT_FOUND and the tokens' faults.
        """
        not_found = NotFoundError(
            "TIMESTAMPING_KEY_NOT_FOUND",
            f"The token {token} holds no key for the time-stamping certificate.",
            field="timestamping.certificate",
        )
        tokens = self._stamping(token)
        holder = await _first_holder(tokens, certificate_sha256, "timestamp", not_found)
        return _registered([holder], certificate_sha256).info

    async def close(self) -> None:
        """Log out and end the worker processes."""
        await asyncio.gather(*(token.close() for token in self.tokens.values()))

    def _allowed(self, principal: str) -> list[Token]:
        return [token for token in self.tokens.values() if principal in token.settings.users]

    def _stamping(self, name: str) -> list[Token]:
        """The token that is configured for time-stamps, then those that may be its replicas."""
        others = [each for each in self.tokens.values() if each.settings.pin is not None]
        return [self.tokens[name], *(each for each in others if each.settings.name != name)]

    def _pin(self, key: RegisteredKey, pin: str | None) -> str | None:
        if key.token.pin is not None:
            return None
        if not pin:
            raise InvalidArgumentError(
                "PIN_REQUIRED", "This key asks for its token's PIN with each call.", field="pin"
            )
        return pin

    async def _by_first_able(
        self, names: Sequence[str], use: Callable[[Token], Awaitable[Result]], *, has_pin: bool
    ) -> Result:
        """Ask one token after the other until one can; a caller's PIN that one has refused ends it.

        What a token made that was lost on the way is never seen: one result comes of one call.
        """
        first: PeceteError | None = None
        for name in names:
            try:
                result = await use(self.tokens[name])
            except PeceteError as error:
                if not _may_fail_over(error, has_pin=has_pin):
                    raise
                first = first or error
                continue
            if first is not None:
                self._metrics.token_failovers.labels(names[0]).inc()
            return result
        raise first or NotFoundError("SIGNING_KEY_NOT_FOUND", "No token holds this key.", field="signing_key")


def _stops(made: Sequence[SignedSection | PeceteError]) -> bool:
    """Say whether the last of a job's results is an error of the PIN."""
    return bool(made) and isinstance(made[-1], PeceteError) and made[-1].field == "pin"


def _may_fail_over(error: PeceteError, *, has_pin: bool) -> bool:
    if error.field == "pin":
        return not has_pin
    return is_fault(error) or error.reason in _NOT_ABLE


async def _look(token: Token) -> None:
    with suppress(PeceteError):
        await token.keys()


async def _first_holder(
    tokens: Sequence[Token], key_id: str, purpose: SigningKeyPurpose, not_found: NotFoundError
) -> Token:
    """Give the first token that holds a key, those at fault last.

    An unknown key has the tokens read again. Raises the fault of a token that may hold it, or `not_found`.
    """
    fault: PeceteError | None = None
    for maximum_age in (REFRESH_SECONDS, LEAST_AGE_SECONDS):
        for token in _able_first(tokens):
            try:
                await token.keys(maximum_age)
            except PeceteError as error:
                fault = error if fault is None or _held(token, key_id, purpose) else fault
                continue
            if _held(token, key_id, purpose):
                return token
    raise fault or not_found


def _able_first(tokens: Iterable[Token]) -> list[Token]:
    return sorted(tokens, key=lambda token: token.fault is not None)


def _holders(tokens: Iterable[Token], key_id: str, purpose: SigningKeyPurpose) -> list[Token]:
    """The tokens in which a key was seen: in the configured order, those at fault last."""
    return [token for token in _able_first(tokens) if _held(token, key_id, purpose)]


def _held(token: Token, key_id: str, purpose: SigningKeyPurpose) -> SigningKeyInfo | None:
    found = (info for info in token.keys_seen if info.id == key_id and info.purpose == purpose)
    return next(found, None)


def _registered(holders: Sequence[Token], key_id: str) -> RegisteredKey:
    """A replica is one only if it takes its PIN from where the first token takes it."""
    first, *others = holders
    alike = (each for each in others if (each.settings.pin is None) == (first.settings.pin is None))
    return RegisteredKey(
        info=next(info for info in first.keys_seen if info.id == key_id),
        token=first.settings,
        fault=first.fault,
        tries_left=first.tries_left,
        replicas=tuple(each.settings.name for each in alike),
    )
