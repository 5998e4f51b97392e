"""What a session does with its PIN when the token misbehaves, on a token of our own making."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Protocol, cast

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from pkcs11 import Attribute, Mechanism, TokenFlag

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
from signer.algorithms import SignatureAlgorithm
from signer.tokens import session as session_module
from signer.tokens.configuration import RsaScheme, TokenConfiguration
from signer.tokens.inventory import InventoryEntry, SigningKeyInfo
from signer.tokens.pin_guard import PinGuard
from signer.tokens.session import TokenSession

PIN = "4711"
NO_FLAGS = TokenFlag(0)
DATA = b"dispozitia nr. 12"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SOFTWARE_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
INFO = SigningKeyInfo(
    id="ab" * 32,
    certificate=b"",
    chain=(),
    algorithm=SignatureAlgorithm("ecdsa", "sha256"),
    common_name="Ioana Mureșan",
    label="",
    token_label="",
    key_type="ec",
    key_bits=256,
    not_before=datetime(2024, 1, 1, tzinfo=UTC),
    not_after=datetime(2034, 1, 1, tzinfo=UTC),
    purpose="signature",
)


@dataclass
class FakeToken:
    """A module, its one slot, the token in it and its sessions, all in one."""

    flags: TokenFlag = NO_FLAGS
    asks_each_time: bool = False
    open_faults: list[pkcs11.PKCS11Error] = field(default_factory=list)
    login_faults: list[pkcs11.PKCS11Error] = field(default_factory=list)
    sign_faults: list[pkcs11.PKCS11Error] = field(default_factory=list)
    initialise_fault: pkcs11.PKCS11Error | None = None
    private_key: ec.EllipticCurvePrivateKey = SOFTWARE_KEY
    pins: list[str] = field(default_factory=list)
    context_pins: list[str | None] = field(default_factory=list)
    logouts: int = 0
    label: str = "primar"
    serial: bytes = b"1"

    @property
    def slot(self) -> SimpleNamespace:
        return SimpleNamespace(get_token=lambda: self, get_mechanisms=lambda: {Mechanism.ECDSA})

    def tokens(self) -> list["FakeToken"]:
        return [self]

    def reinitialize(self) -> None:
        if self.initialise_fault:
            raise self.initialise_fault

    def open(self, user_pin: str | None = None) -> "FakeSession":
        if self.open_faults:
            raise self.open_faults.pop(0)
        if user_pin is not None:
            self.pins.append(user_pin)
            if self.login_faults:
                raise self.login_faults.pop(0)
        return FakeSession(self, logged_in=user_pin is not None)


@dataclass
class FakeSession:
    """A session, which logs out when it ends."""

    token: FakeToken
    logged_in: bool

    def close(self) -> None:
        self.token.logouts += self.logged_in

    def get_objects(self, template: object) -> list["FakeKey"]:
        return [FakeKey(self.token)]


class FakeKey(pkcs11.SignMixin):
    """The token's private key."""

    def __init__(self, token: FakeToken) -> None:
        self.token = token

    @property
    def session(self) -> pkcs11.Session:
        return cast("pkcs11.Session", SimpleNamespace(token=self.token))

    def __getitem__(self, key: Attribute) -> object:
        return self.token.asks_each_time

    def sign(self, data: str | bytes | Iterator[bytes], **arguments: object) -> bytes:
        assert isinstance(data, bytes)
        pin = arguments["pin"]
        self.token.context_pins.append(pin if isinstance(pin, str) else None)
        if self.token.sign_faults:
            raise self.token.sign_faults.pop(0)
        der = self.token.private_key.sign(data, ec.ECDSA(Prehashed(hashes.SHA256())))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.fixture
def open_session(monkeypatch: pytest.MonkeyPatch) -> "Opener":
    entry = InventoryEntry(INFO, b"\x01", SOFTWARE_KEY.public_key())
    monkeypatch.setattr(session_module, "read_inventory", lambda *_: {INFO.id: entry})

    def opened(token: FakeToken, pin: str | None, guard: PinGuard | None = None) -> TokenSession:
        monkeypatch.setattr(session_module, "load", lambda _: token)
        configuration = TokenConfiguration("primar", "", "primar", pin=pin)
        return TokenSession(configuration, guard or PinGuard(), lambda: NOON)

    return opened


class Opener(Protocol):
    """Opens a session on a fake token with a configured PIN or without one."""

    def __call__(self, token: FakeToken, pin: str | None, guard: PinGuard | None = None) -> TokenSession: ...


def sign(session: TokenSession, pin: str | None = None) -> bytes:
    with session.key(INFO.id, pin) as key:
        return key.sign(DATA)


def refused(session: TokenSession, kind: type[PeceteError], reason: str, pin: str | None = None) -> None:
    with pytest.raises(kind) as caught:
        sign(session, pin)
    assert caught.value.reason == reason


@pytest.mark.parametrize("initialise_fault", [None, pkcs11.GeneralError("C_Initialize")])
def test_a_refused_pin_is_tried_once_even_if_nothing_works_after_it(
    open_session: Opener, initialise_fault: pkcs11.PKCS11Error | None
) -> None:
    token = FakeToken(login_faults=[pkcs11.PinIncorrect()], initialise_fault=initialise_fault)
    session = open_session(token, PIN)
    for _ in range(3):
        refused(session, FailedPreconditionError, "PIN_INCORRECT")
    assert token.pins == [PIN]


def test_a_locked_pin_is_not_tried(open_session: Opener) -> None:
    token = FakeToken(flags=TokenFlag.USER_PIN_LOCKED)
    for configured, given in ((PIN, None), (None, PIN)):
        refused(open_session(token, configured), FailedPreconditionError, "PIN_LOCKED", given)
    assert token.pins == []


def test_a_loss_during_signing_is_mended_once(open_session: Opener) -> None:
    token = FakeToken(sign_faults=[pkcs11.DeviceRemoved()])
    assert sign(open_session(token, PIN))
    assert token.pins == [PIN, PIN]
    token = FakeToken(sign_faults=[pkcs11.SessionHandleInvalid(), pkcs11.UserNotLoggedIn()])
    refused(open_session(token, PIN), UnavailableError, "TOKEN_NOT_PRESENT")


def test_each_call_logs_out_whatever_happens(open_session: Opener) -> None:
    token = FakeToken()
    session = open_session(token, None)
    sign(session, PIN)
    assert (token.pins, token.logouts) == ([PIN], 1)
    token.sign_faults = [pkcs11.MechanismInvalid()]
    refused(session, FailedPreconditionError, "TOKEN_MECHANISM_MISSING", PIN)
    assert (token.pins, token.logouts) == ([PIN, PIN], 2)


def sign_in_series(session: TokenSession, series: str, pin: str = PIN) -> None:
    with session.key(INFO.id, pin, series) as key:
        key.sign(DATA)


def test_a_series_logs_in_once_and_out_at_its_end(open_session: Opener) -> None:
    token = FakeToken(asks_each_time=True)
    session = open_session(token, None)
    for _ in range(3):
        sign_in_series(session, "evening")
    assert (token.pins, token.logouts) == ([PIN], 0)
    assert token.context_pins == [PIN] * 3
    session.end_series("another")
    assert token.logouts == 0
    session.end_series("evening")
    assert token.logouts == 1


def test_nobody_elses_call_rides_on_the_login_of_a_series(open_session: Opener) -> None:
    token = FakeToken()
    session = open_session(token, None)
    sign_in_series(session, "evening")
    token.login_faults = [pkcs11.PinIncorrect()]
    refused(session, FailedPreconditionError, "PIN_INCORRECT", "0000")
    assert (token.pins, token.logouts) == ([PIN, "0000"], 1)
    sign_in_series(session, "evening")
    token.login_faults = [pkcs11.PinIncorrect()]
    with pytest.raises(FailedPreconditionError):
        sign_in_series(session, "night", "1111")
    assert token.pins == [PIN, "0000", PIN, "1111"]


def test_a_key_is_of_no_use_after_its_block(open_session: Opener) -> None:
    token = FakeToken()
    with open_session(token, None).key(INFO.id, PIN) as key:
        key.sign(DATA)
    with pytest.raises(PeceteError, match="SIGNING_KEY_RELEASED"):
        key.sign(DATA)
    assert token.pins == [PIN]


def test_a_wrong_signature_never_leaves(open_session: Opener) -> None:
    refused(open_session(FakeToken(private_key=OTHER_KEY), PIN), UnavailableError, "TOKEN_SIGNATURE_WRONG")


def test_a_key_that_asks_each_time_gets_the_pin_each_time_and_a_refusal_is_final(
    open_session: Opener,
) -> None:
    token = FakeToken(asks_each_time=True)
    session = open_session(token, PIN)
    sign(session)
    sign(session)
    token.sign_faults = [pkcs11.PinIncorrect()]
    for _ in range(3):
        refused(session, FailedPreconditionError, "PIN_INCORRECT")
    assert token.context_pins == [PIN, PIN, PIN]


@pytest.mark.parametrize("fault", [pkcs11.DeviceRemoved(), pkcs11.GeneralError(), pkcs11.DeviceError()])
def test_a_callers_pin_that_got_no_answer_is_not_given_again(
    open_session: Opener, fault: pkcs11.PKCS11Error
) -> None:
    """The token may have counted a wrong try before it was lost."""
    token = FakeToken(login_faults=[fault])
    session = open_session(token, None)
    refused(session, FailedPreconditionError, "PIN_OUTCOME_UNKNOWN", PIN)
    assert token.pins == [PIN]
    assert sign(session, PIN)


def test_a_token_that_is_gone_before_the_login_costs_no_try(open_session: Opener) -> None:
    for configured, given in ((PIN, None), (None, PIN)):
        token = FakeToken()
        session = open_session(token, configured)
        session.look()
        token.open_faults = [pkcs11.TokenNotPresent()]
        assert sign(session, given)
        assert token.pins == [PIN]


def test_a_callers_pin_that_was_taken_is_given_again_after_a_loss(open_session: Opener) -> None:
    token = FakeToken(sign_faults=[pkcs11.DeviceRemoved()])
    assert sign(open_session(token, None), PIN)
    assert token.pins == [PIN, PIN]


def test_a_login_left_over_is_no_try(open_session: Opener) -> None:
    token = FakeToken(login_faults=[pkcs11.UserAlreadyLoggedIn()])
    assert sign(open_session(token, None), PIN)


def test_a_configured_pin_that_was_never_taken_is_given_twice_at_most(open_session: Opener) -> None:
    guard = PinGuard()
    token = FakeToken(login_faults=[pkcs11.GeneralError() for _ in range(9)])
    for _started_anew in range(2):
        refused(open_session(token, PIN, guard), UnavailableError, "TOKEN_LOGIN_UNANSWERED")
    for _started_anew in range(2):
        refused(open_session(token, PIN, guard), FailedPreconditionError, "PIN_UNPROVEN")
    assert token.pins == [PIN, PIN]


def test_a_configured_pin_that_was_taken_once_is_given_until_the_token_is_back(open_session: Opener) -> None:
    guard = PinGuard()
    token = FakeToken()
    sign(open_session(token, PIN, guard))
    for _ in range(5):
        token.login_faults = [pkcs11.DeviceError(), pkcs11.DeviceError()]
        refused(open_session(token, PIN, guard), UnavailableError, "TOKEN_NOT_PRESENT")
    assert sign(open_session(token, PIN, guard))


def test_the_last_try_is_left_to_people(open_session: Opener) -> None:
    token = FakeToken(flags=TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY)
    session = open_session(token, PIN)
    refused(session, FailedPreconditionError, "PIN_FINAL_TRY")
    assert token.pins == []
    token.flags = NO_FLAGS
    assert sign(session)
    token.flags = TokenFlag.USER_PIN_FINAL_TRY
    assert sign(open_session(token, None), PIN)


@pytest.mark.parametrize("configured", [PIN, None])
def test_a_look_says_what_is_left_of_the_tries(open_session: Opener, configured: str | None) -> None:
    token = FakeToken(flags=TokenFlag.USER_PIN_COUNT_LOW)
    session = open_session(token, configured)
    assert (session.look().keys, session.look().tries_left) == ((INFO,), "low")
    assert token.pins == []


def test_a_probe_sees_that_a_token_was_lost_and_logs_in_again(
    open_session: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was open before says nothing: the token itself is asked."""
    token = FakeToken()
    session = open_session(token, PIN)
    session.probe()
    lost: list[pkcs11.PKCS11Error] = [pkcs11.SessionHandleInvalid()]

    def read_unless_lost(
        session: pkcs11.Session, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
    ) -> dict[str, InventoryEntry]:
        if lost:
            raise lost.pop()
        return {INFO.id: InventoryEntry(INFO, b"\x01", SOFTWARE_KEY.public_key())}

    monkeypatch.setattr(session_module, "read_inventory", read_unless_lost)
    session.probe()
    assert token.pins == [PIN, PIN]
    lost += [pkcs11.DeviceRemoved(), pkcs11.TokenNotPresent()]
    with pytest.raises(UnavailableError, match="TOKEN_NOT_PRESENT"):
        session.probe()
