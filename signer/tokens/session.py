"""One process's hold of one token: the login, the inventory, and getting both back after a loss."""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

import pkcs11
from pkcs11 import Mechanism

from pecete.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, PeceteError
from signer.algorithms import check_certificate_key
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.faults import LOST, pin_flags, tries_left, typed_faults
from signer.tokens.inventory import InventoryEntry, SigningKeyInfo, read_inventory
from signer.tokens.key import LoadedKey, TokenKey, load_key
from signer.tokens.login import CallerPin, log_in_as_configured, log_in_for_caller
from signer.tokens.mechanisms import negotiate
from signer.tokens.module import Module, load
from signer.tokens.objects import clean_text
from signer.tokens.pin_guard import PinGuard

Result = TypeVar("Result")


@dataclass
class _OpenToken:
    """A token that was found: a session without login, what it offers, and a login with its keys."""

    token: pkcs11.Token
    session: pkcs11.Session
    offered: Set[Mechanism]
    entries: dict[str, InventoryEntry]
    login: pkcs11.Session | None = None
    keys: dict[str, LoadedKey] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenLook:
    """What a token shows without a login: its keys, and what it says of its PIN's tries (`tries_left`)."""

    keys: tuple[SigningKeyInfo, ...]
    tries_left: str


class TokenSession:
    """The token of a worker process. Nothing is touched before the first use; one thread only.

    A token whose PIN is configured stays logged in; otherwise each `key` block, or each series of them, logs
    in and out. When the token or its session is lost, everything is opened anew once and the same key is
    looked for.
    """

    def __init__(
        self, configuration: TokenConfiguration, guard: PinGuard, clock: Callable[[], datetime]
    ) -> None:
        self._configuration = configuration
        self._guard = guard
        self._clock = clock
        self._open: _OpenToken | None = None
        self._held_for = ""
        """The series of `key` blocks whose login is open between them; "": none is."""
        self._seen: set[str] = set()
        """Every key that this token has had: one that is missing is lost, not unknown."""

    def look(self) -> TokenLook:
        """Give what the token shows, read now, without a login.

        Raises UnavailableError TOKEN_NOT_PRESENT, TOKEN_MODULE_NOT_LOADED or TOKEN_FAULT,
        FailedPreconditionError TOKEN_AMBIGUOUS.
        """
        return self._reopening(self._look)

    def _look(self) -> TokenLook:
        entries = self._read_again()
        left = tries_left(pin_flags(self._opened().token))
        return TokenLook(tuple(entry.info for entry in entries.values()), left.get("tries_left", ""))

    def probe(self) -> TokenLook:
        """Look at the token, and log in where its PIN is configured. Raises as `key` of both."""
        return self._reopening(self._look_inside)

    def _look_inside(self) -> TokenLook:
        """What was open before may be lost without a sign of it, so the token itself is asked."""
        found = self._look()
        if self._configuration.pin is not None:
            self._logged_in(None)
        return found

    @contextmanager
    def key(self, certificate_sha256: str, pin: str | None, series: str = "") -> Iterator[TokenKey]:
        """Give a key that signs inside the block. The certificate is judged before the PIN is used.

        series: an unguessable name under which further blocks share this one's login until `end_series`; a
        block of any other name ends the login first, so that no PIN ever counts for another's.

        Raises NotFoundError SIGNING_KEY_NOT_FOUND; FailedPreconditionError CERTIFICATE_EXPIRED,
        CERTIFICATE_NOT_YET_VALID, ALGORITHM_NOT_RELIABLE or TOKEN_MECHANISM_MISSING; InvalidArgumentError
        PIN_REQUIRED; what `look` raises, and of the PIN what `signer.tokens.login` raises.
        """
        self._keep_login_for(series)
        entry = self._reopening(partial(self._entry, certificate_sha256))
        self._check_certificate(entry)
        if self._configuration.pin is None and not pin:
            raise InvalidArgumentError("PIN_REQUIRED", "This token asks for its PIN each time.", field="pin")
        given = CallerPin(pin) if pin and self._configuration.pin is None else None
        key = TokenKey(entry.info, partial(self._sign, certificate_sha256, given))
        try:
            self._reopening(partial(self._loaded_key, certificate_sha256, given))
            yield key
        finally:
            key.release()
            if self._configuration.pin is None and not series:
                self._log_out()

    def end_series(self, series: str) -> None:
        """Log out if the login is this series'."""
        if self._held_for == series:
            self._keep_login_for("")

    def _keep_login_for(self, series: str) -> None:
        if self._held_for and self._held_for != series:
            self._log_out()
        self._held_for = series

    def _sign(self, certificate_sha256: str, pin: CallerPin | None, data: bytes) -> bytes:
        return self._reopening(partial(self._sign_once, certificate_sha256, pin, data))

    def _sign_once(self, certificate_sha256: str, pin: CallerPin | None, data: bytes) -> bytes:
        key = self._loaded_key(certificate_sha256, pin)
        if pin is not None or not key.asks_each_time:
            return key.sign(data, pin.value if pin else None)
        # Each use of such a key is a PIN try, and the PIN may have been changed since the login.
        with self._guard.turn():
            return key.sign(data, self._configuration.pin)

    def _reopening(self, operation: Callable[[], Result]) -> Result:
        """Do an operation on the token; after a loss open everything anew and do it once more."""
        with typed_faults():
            try:
                return operation()
            except LOST:
                self._let_go()
                return operation()

    def _opened(self) -> _OpenToken:
        if self._open is None:
            token = find_token(load(self._configuration.module), self._configuration)
            session = token.open()
            offered = token.slot.get_mechanisms()
            self._open = _OpenToken(token, session, offered, {})
            self._read(self._open)
        return self._open

    def _read(self, opened: _OpenToken) -> dict[str, InventoryEntry]:
        opened.entries = read_inventory(opened.session, opened.offered, self._configuration.rsa_scheme)
        self._seen.update(opened.entries)
        return opened.entries

    def _read_again(self) -> dict[str, InventoryEntry]:
        """Read the inventory now; an empty one is believed only of a token that was just opened."""
        if self._open is None:
            return self._opened().entries
        entries = self._read(self._open)
        if not entries:
            raise pkcs11.NoSuchKey
        return entries

    def _entry(self, certificate_sha256: str) -> InventoryEntry:
        entries = self._opened().entries
        if certificate_sha256 not in entries:
            entries = self._read_again()
        if certificate_sha256 in entries:
            return entries[certificate_sha256]
        if certificate_sha256 in self._seen:
            raise pkcs11.NoSuchKey
        raise NotFoundError("SIGNING_KEY_NOT_FOUND", "The token holds no such key.", field="signing_key")

    def _check_certificate(self, entry: InventoryEntry) -> None:
        now = self._clock()
        if now < entry.info.not_before:
            raise FailedPreconditionError(
                "CERTIFICATE_NOT_YET_VALID", "The key's certificate is not valid yet.", field="signing_key"
            )
        if now > entry.info.not_after:
            raise FailedPreconditionError(
                "CERTIFICATE_EXPIRED", "The key's certificate has expired.", field="signing_key"
            )
        check_certificate_key(entry.info.algorithm, entry.public_key, now)

    def _loaded_key(self, certificate_sha256: str, pin: CallerPin | None) -> LoadedKey:
        if self._open is None or certificate_sha256 not in self._open.keys:
            entry = self._entry(certificate_sha256)
            opened = self._opened()
            operation = negotiate(entry.info.algorithm, opened.offered)
            opened.keys[certificate_sha256] = load_key(self._logged_in(pin), entry, operation)
            return opened.keys[certificate_sha256]
        return self._open.keys[certificate_sha256]

    def _logged_in(self, pin: CallerPin | None) -> pkcs11.Session:
        opened = self._opened()
        if opened.login is None:
            opened.login = self._log_in(opened.token, pin)
        return opened.login

    def _log_in(self, token: pkcs11.Token, pin: CallerPin | None) -> pkcs11.Session:
        try:
            if pin is not None:
                return log_in_for_caller(token, pin)
            return log_in_as_configured(token, self._configuration.pin or "", self._guard)
        except PeceteError:
            # The session that python-pkcs11 opened for the failed login cannot be closed otherwise. A failure
            # of that must not look like a loss, after which this PIN would be tried again.
            with suppress(PeceteError, pkcs11.PKCS11Error):
                self._let_go()
            raise

    def _log_out(self) -> None:
        """End the login whatever it takes; closing a session of a lost token may fail."""
        opened = self._open
        if opened is None or opened.login is None:
            return
        try:
            opened.login.close()
            opened.login = None
            opened.keys.clear()
        except pkcs11.PKCS11Error:
            with suppress(PeceteError, pkcs11.PKCS11Error):
                self._let_go()

    def _let_go(self) -> None:
        """Forget everything and initialise the module anew: some see no other token before that."""
        self._open = None
        load(self._configuration.module).reinitialize()


def find_token(module: Module, configuration: TokenConfiguration) -> pkcs11.Token:
    """Give the token that is meant. Raises NoSuchToken, FailedPreconditionError TOKEN_AMBIGUOUS."""
    found = [token for token in module.tokens() if _is_meant(token, configuration)]
    if len(found) > 1:
        raise FailedPreconditionError(
            "TOKEN_AMBIGUOUS", "Several tokens have this label; their serials tell them apart."
        )
    if not found:
        raise pkcs11.NoSuchToken
    return found[0]


def _is_meant(token: pkcs11.Token, configuration: TokenConfiguration) -> bool:
    serial = clean_text(token.serial.decode("utf-8", "replace"))
    return clean_text(token.label) == configuration.token_label and (
        not configuration.token_serial or serial == configuration.token_serial
    )
