"""What runs in processes of their own that see a provider's tokens."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from signer.tokens import worker
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.inventory import read_inventory
from signer.tokens.key import load_key
from signer.tokens.mechanisms import negotiate
from signer.tokens.module import load
from signer.tokens.pin_guard import PinGuard
from signer.tokens.provision import KeyKind, writable_token
from signer.tokens.session import find_token


@dataclass(frozen=True)
class TokenFacts:
    """What a module says: its version, the mechanism we settle on, CKA_ALWAYS_AUTHENTICATE of the key."""

    version: str
    mechanism: str
    asks_each_time: bool


def look_inside(configuration: TokenConfiguration, certificate_sha256: str) -> TokenFacts:
    """Look at a signing key of a token, with the configured PIN."""
    module = load(configuration.module)
    token = find_token(module, configuration)
    offered = token.slot.get_mechanisms()
    with token.open(user_pin=configuration.pin) as session:
        entry = read_inventory(session, offered, configuration.rsa_scheme)[certificate_sha256]
        operation = negotiate(entry.info.algorithm, offered)
        key = load_key(session, entry, operation)
    version = ".".join(str(part) for part in module.library_version)
    return TokenFacts(version, operation.mechanism.name, key.asks_each_time)


def make_key(configuration: TokenConfiguration, kind: KeyKind) -> None:
    """Make a key in a token. Raises as `TokenWriter.generate_key`."""
    with writable_token(configuration) as writer:
        writer.generate_key(kind, "proba")


def sign_all(certificate_sha256: str, messages: Sequence[bytes], pin: str | None) -> list[bytes]:
    """Sign several messages with one hold of the key, as a batch does."""
    with worker.token_key(certificate_sha256, pin) as key:
        return [key.sign(message) for message in messages]


@contextmanager
def workers(configuration: TokenConfiguration, count: int = 1) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes of a token that share a guard, as the server does."""
    with ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=worker.open_token,
        initargs=(configuration, PinGuard()),
    ) as pool:
        yield pool
