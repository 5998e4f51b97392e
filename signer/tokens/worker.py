"""What runs in a worker process that drives one token: started by spawning, one thread, functions only.

A process pool gets `open_token` as its initialiser; all else is called through the pool. Arguments and
results are pickled, errors too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pecete.errors import InternalError
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.key import TokenKey
from signer.tokens.module import unload_all
from signer.tokens.pin_guard import PinGuard
from signer.tokens.session import TokenLook, TokenSession

__all__ = [
    "PinGuard",
    "TokenConfiguration",
    "TokenLook",
    "close_token",
    "end_series",
    "look",
    "open_token",
    "probe",
    "sign",
    "token_key",
]

_session: TokenSession | None = None
_guard: PinGuard | None = None


def utc_now() -> datetime:
    """Give the time by which certificates are judged."""
    return datetime.now(UTC)


def open_token(
    configuration: TokenConfiguration,
    guard: PinGuard | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Say which token this process drives; `guard` is the one that all workers of that token share.

    Touches nothing and so cannot fail: a pool takes a failing initialiser for a crash.
    """
    global _session, _guard
    _guard = guard or PinGuard()
    _session = TokenSession(configuration, _guard, clock)


def close_token() -> None:
    """Log out and let go of the token's module for good, when nobody else is left to tidy up."""
    if _guard is not None:
        _guard.remove()
    unload_all()


def look() -> TokenLook:
    """Give the token's keys, for signatures and for time-stamps. Raises as `TokenSession.look`."""
    return _current().look()


def probe() -> TokenLook:
    """Look at the token and log in where its PIN is configured. Raises what `TokenSession.probe` raises."""
    return _current().probe()


def sign(certificate_sha256: str, data: bytes, pin: str | None) -> bytes:
    """Sign `data` with the key of a certificate. Raises what `token_key` and `TokenKey.sign` raise."""
    with token_key(certificate_sha256, pin) as key:
        return key.sign(data)


@contextmanager
def token_key(certificate_sha256: str, pin: str | None, series: str = "") -> Iterator[TokenKey]:
    """Give a key for the length of a block; `pin` where none is configured. As `TokenSession.key`."""
    with _current().key(certificate_sha256, pin, series) as key:
        yield key


def end_series(series: str) -> None:
    """Log out after the last block of a series."""
    _current().end_series(series)


def _current() -> TokenSession:
    if _session is None:
        raise InternalError("TOKEN_NOT_OPENED", "This process was started without a token.")
    return _session
