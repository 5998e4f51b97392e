"""What every provider of the test matrix is: a PKCS#11 module with tokens, and what keeps it going."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pecete.errors import FailedPreconditionError, UnavailableError
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.provision import KeyKind
from softhsm.pki import Holder
from softhsm.provision import ProvisionedToken, TokenPlan

HOLDERS: Mapping[KeyKind, Holder] = {
    "rsa2048": Holder("Ana Țepeș", "Arhitect-șef", "Ana", "Țepeș"),
    "rsa3072": Holder("Barbu Știrbei", "Viceprimar", "Barbu", "Știrbei"),
    "p256": Holder("Corina Mureșan", "Consilier", "Corina", "Mureșan"),
    "p384": Holder("Dan Hașdeu", "Administrator public", "Dan", "Hașdeu"),
    "ed25519": Holder("Felicia Țintea", "Secretar general", "Felicia", "Țintea"),
}
"""Who holds the token with a key of each kind."""

SPARE = TokenPlan("rezerva", "rsa2048", Holder("Emil Încercatu", "Referent", "Emil", "Încercatu"))
"""The token whose PIN may be spent."""

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Provider:
    """A PKCS#11 module, variables under which a process sees its tokens, and a token for each kind of key.

    Several of these may be one token with several keys. spare: the token whose PIN may be tried until it is
    locked. unlock: gives that PIN its tries back, where somebody other than the token can. version: "" where
    the module tells it.
    """

    name: str
    module: Path
    environment: Mapping[str, str]
    tokens: tuple[ProvisionedToken, ...]
    spare: ProvisionedToken
    unlock: Callable[[], object] = lambda: None
    version: str = ""

    def token(self, kind: KeyKind) -> ProvisionedToken:
        """Give the token that holds a key of this kind. Raises KeyError."""
        return {each.plan.kind: each for each in self.tokens}[kind]

    def configuration(self, token: ProvisionedToken, *, with_pin: bool) -> TokenConfiguration:
        """Give what opens a token; without PIN it comes with each call."""
        pin = token.pin if with_pin else None
        return TokenConfiguration(f"{self.name}-{token.label}", str(self.module), token.label, pin=pin)


def plans(kinds: Sequence[KeyKind]) -> tuple[TokenPlan, ...]:
    """Give the plans of tokens with a key of each kind."""
    return tuple(TokenPlan(kind, kind, HOLDERS[kind]) for kind in kinds)


def not_available(reason: str) -> FailedPreconditionError:
    """Give the error of a provider that this machine cannot run."""
    return FailedPreconditionError("PROVIDER_NOT_AVAILABLE", reason)


def require_files(package: str, *paths: Path) -> None:
    """Raise FailedPreconditionError PROVIDER_NOT_AVAILABLE unless a Debian package's files are there."""
    if not all(path.exists() for path in paths):
        raise not_available(f"install the package {package}")


@contextmanager
def daemon(
    command: Sequence[str | Path], log: Path, is_ready: Callable[[], bool], environment: Mapping[str, str]
) -> Iterator[None]:
    """Run a daemon in the foreground until the block ends; its output goes to a file.

    Raises UnavailableError PROVIDER_FAILED when it ends, or is not ready in time.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=out)
    try:
        wait_until(lambda: is_ready() or process.poll() is not None, f"{command[0]} did not start: {log}")
        if process.poll() is not None:
            raise UnavailableError("PROVIDER_FAILED", f"{command[0]} has ended; {log} says why.")
        yield
    finally:
        process.terminate()
        process.wait()


def wait_until(is_done: Callable[[], bool], complaint: str) -> None:
    """Wait for another process. Raises UnavailableError PROVIDER_FAILED when that takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise UnavailableError("PROVIDER_FAILED", complaint)
        time.sleep(_POLL_SECONDS)
