"""What `pecete-server keys` does in the configured tokens, and tells the journal.

A token is no part of a transaction: what was made in it is destroyed again when the journal does not take it.
"""

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from archive.journal import Journal
from pecete.errors import InvalidArgumentError, NotFoundError, PeceteError, UnavailableError
from server.config import Configuration, TokenSettings, load
from server.database import Database
from server.migrations import require_newest
from server.times import utc_now
from server.token import token_configuration
from signer.algorithms import key_bits
from signer.key_notices import KeyNotice, algorithm_notices, key_notices
from signer.tokens.certificates import SigningKeyPurpose
from signer.tokens.contents import KeptKey, TokenContents, read_contents
from signer.tokens.import_check import check_import, read_import
from signer.tokens.provision import KeyKind, TokenWriter, writable_token
from signer.tokens.request import Subject
from signer.validation.pem import read_ders

ACTOR = "pecete/keys"
"""Who stands in the journal for what this command does."""


@dataclass(frozen=True)
class ListedKey:
    """A key of a configured token, with what is to be said of it, at the time it was looked at."""

    token: str
    key: KeptKey
    notices: tuple[KeyNotice, ...]
    time: datetime


@dataclass(frozen=True)
class ListedToken:
    """A configured token: its keys, or why they cannot be read."""

    name: str
    keys: tuple[ListedKey, ...] = ()
    fault: PeceteError | None = None


def list_keys(config: Path) -> list[ListedToken]:
    """Look at every configured token; one that is away does not hide the others."""
    listed = []
    for settings in load(config, os.environ).tokens:
        try:
            contents = read_contents(token_configuration(settings, None))
        except PeceteError as error:
            listed.append(ListedToken(settings.name, fault=error))
        else:
            keys = tuple(_listed(settings.name, key, utc_now()) for key in contents.keys)
            listed.append(ListedToken(settings.name, keys))
    return listed


def generate(config: Path, token: str, kind: KeyKind, label: str, *, allow_rsa2048: bool) -> ListedKey:
    """Make a key in a token and journal it as `key.generate`.

    Raises InvalidArgumentError KEY_TOO_SHORT for rsa2048 that is not allowed, LABEL_MISSING; NotFoundError
    TOKEN_NOT_CONFIGURED; and as `writable_token` and `TokenWriter.generate_key`.
    """
    if kind == "rsa2048" and not allow_rsa2048:
        raise InvalidArgumentError(
            "KEY_TOO_SHORT",
            "RSA keys under 3000 bits are not believed from 2029 on: take another kind, or allow this one.",
            field="kind",
        )
    if not label.strip():
        raise InvalidArgumentError("LABEL_MISSING", "A key needs a label.", field="label")
    with _changes(config, token) as change:
        with change.writable() as writer:
            made = writer.generate_key(kind, label)
            change.journal("key.generate", made.key_id, sha256(made.public_key).digest())
        return change.look(made.key_id, None)


def request(config: Path, token: str, key: str, subject: Subject, purpose: SigningKeyPurpose) -> bytes:
    """Make a certification request (PEM) for a key and journal it as `certificate.request`.

    key: its CKA_ID in hex, or as much of it as makes it unique. Raises InvalidArgumentError SUBJECT_MALFORMED
    or KEY_AMBIGUOUS; NotFoundError TOKEN_NOT_CONFIGURED or TOKEN_KEY_NOT_FOUND; and as `writable_token` and
    `TokenWriter.request_certificate`.
    """
    name = subject.name()
    with _changes(config, token) as change:
        key_id = _choose(change.contents, key)
        with change.writable() as writer:
            der = writer.request_certificate(key_id, name, purpose)
            change.journal("certificate.request", key_id, sha256(der).digest())
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)


def import_certificate(config: Path, token: str, files: Sequence[Path]) -> ListedKey:
    """Store a certificate beside its key, with its issuers, and journal it as `certificate.import`.

    files: PEM or DER; the first certificate in the first file is the key's. Raises NotFoundError
    TOKEN_NOT_CONFIGURED; and as `read_import`, `check_import` and `writable_token`.
    """
    ders = [der for file in files for der in _read(file)]
    wanted = read_import(ders, utc_now())
    with _changes(config, token) as change:
        key_id = check_import(wanted, change.contents, change.settings.rsa_scheme, utc_now())
        with change.writable() as writer:
            writer.import_certificate(wanted.der, wanted.chain)
            change.journal("certificate.import", key_id, sha256(wanted.der).digest())
        return change.look(key_id, wanted.certificate)


class _Change:
    """One change of one configured token, and the database that it is journalled in."""

    def __init__(self, settings: TokenSettings, database: Database) -> None:
        self.settings = settings
        self.contents = read_contents(token_configuration(settings, None))
        self._database = database

    @contextmanager
    def writable(self) -> Iterator[TokenWriter]:
        """Open the token with its PIN: the configured one, or one that is asked for on the terminal."""
        with writable_token(token_configuration(self.settings, self._pin())) as writer:
            yield writer

    def journal(self, act: str, key_id: bytes, digest: bytes) -> None:
        """Write what was done; the token has no row in the database."""
        with self._database.begin() as connection:
            Journal(utc_now).append(
                connection,
                actor=ACTOR,
                act=act,
                resource=f"tokens/{self.settings.name}/keys/{key_id.hex()}",
                request_id="",
                digest=digest,
                row=None,
            )

    def look(self, key_id: bytes, certificate: x509.Certificate | None) -> ListedKey:
        """Give a key as the token shows it now. Raises UnavailableError TOKEN_FAULT when it does not."""
        for key in read_contents(token_configuration(self.settings, None)).keys:
            if key.key_id == key_id and key.certificate == certificate:
                return _listed(self.settings.name, key, utc_now())
        raise UnavailableError("TOKEN_FAULT", "The token does not show what was stored in it.")

    def _pin(self) -> str:
        if self.settings.pin is not None:
            return self.settings.pin.read()
        left = self.contents.tries_left
        return getpass.getpass(f"PIN of {self.settings.name}{f' (tries left: {left})' if left else ''}: ")


@contextmanager
def _changes(config: Path, token: str) -> Iterator[_Change]:
    """Look at the token and the database before anything is asked or made."""
    configuration = load(config, os.environ)
    settings = _settings(configuration, token)
    database = Database(configuration.database_url())
    try:
        require_newest(database)
        yield _Change(settings, database)
    finally:
        database.close()


def _settings(configuration: Configuration, name: str) -> TokenSettings:
    for settings in configuration.tokens:
        if settings.name == name:
            return settings
    raise NotFoundError("TOKEN_NOT_CONFIGURED", f"The configuration has no token {name}.", field="token")


def _choose(contents: TokenContents, start: str) -> bytes:
    found = {key.key_id for key in contents.keys if key.key_id.hex().startswith(start.lower())}
    if len(found) > 1:
        raise InvalidArgumentError("KEY_AMBIGUOUS", f"{len(found)} keys begin so.", field="key")
    if not found:
        raise NotFoundError("TOKEN_KEY_NOT_FOUND", "The token shows no such key.", field="key")
    return found.pop()


def _read(file: Path) -> list[bytes]:
    try:
        return read_ders(file.read_bytes(), "CERTIFICATE", "certificate")
    except OSError as error:
        raise InvalidArgumentError(
            "FILE_UNREADABLE", f"The file {file} cannot be read.", field="certificate"
        ) from error


def _listed(token: str, key: KeptKey, now: datetime) -> ListedKey:
    return ListedKey(token, key, tuple(_notices(key, now)), now)


def _notices(key: KeptKey, now: datetime) -> Iterator[KeyNotice]:
    """Say what keeps a key from signing, and what its certificate and algorithm have to be said of."""
    if key.algorithm is None:
        yield KeyNotice("KEY_TYPE_NOT_SUPPORTED", "Keys of this kind are not supported.", refused=True)
        return
    bits = key_bits(key.public_key)
    if key.certificate is None:
        yield KeyNotice("CERTIFICATE_MISSING", "The key has no certificate yet.", refused=True)
        yield from algorithm_notices(key.algorithm, bits, now)
        return
    if not key.is_pair:
        yield KeyNotice(
            "CERTIFICATE_NOT_OF_KEY", "The certificate is not of the key stored with it.", refused=True
        )
    if key.purpose is None:
        yield KeyNotice(
            "CERTIFICATE_USAGE_WRONG",
            "The certificate is neither for signatures nor for time-stamps.",
            refused=True,
        )
    yield from key_notices(key.certificate, key.algorithm, bits, now)
