"""Giving a token its PIN, so that no PIN is given twice of which it is not known that it is right."""

from dataclasses import dataclass, field

import pkcs11
from pkcs11 import Attribute, ObjectClass, TokenFlag

from pecete.errors import FailedPreconditionError, UnavailableError
from signer.tokens.faults import login_error, pin_flags, pin_locked
from signer.tokens.pin_guard import PinGuard


@dataclass
class CallerPin:
    """A PIN that came with a call, and whether the token has taken it in this call."""

    value: str = field(repr=False)
    accepted: bool = False


def log_in_for_caller(token: pkcs11.Token, pin: CallerPin) -> pkcs11.Session:
    """Open a session with a caller's PIN.

    Raises FailedPreconditionError PIN_INCORRECT, PIN_LOCKED, PIN_NOT_SET, or PIN_OUTCOME_UNKNOWN when the
    token was lost over a PIN that may have been wrong; PKCS11Error when no try was spent.
    """
    _require_unlocked(token)
    _require_present(token)
    try:
        session = token.open(user_pin=pin.value)
    except pkcs11.PKCS11Error as error:
        refusal = login_error(error, pin_flags(token))
        if refusal is not None:
            raise refusal from error
        if pin.accepted or isinstance(error, pkcs11.UserAlreadyLoggedIn):
            raise
        raise pin_outcome_unknown() from error
    pin.accepted = True
    return session


def log_in_as_configured(token: pkcs11.Token, pin: str, guard: PinGuard) -> pkcs11.Session:
    """Open a session with the configured PIN, in this process's turn.

    The token's last try is left to people. Raises FailedPreconditionError PIN_FINAL_TRY, PIN_INCORRECT,
    PIN_LOCKED, PIN_NOT_SET or PIN_UNPROVEN; UnavailableError TOKEN_LOGIN_UNANSWERED or TOKEN_BUSY;
    PKCS11Error when no try was spent.
    """
    if _require_unlocked(token) & TokenFlag.USER_PIN_FINAL_TRY:
        raise FailedPreconditionError(
            "PIN_FINAL_TRY",
            "The token has one try left for its PIN, which the configured one does not get; a right login by "
            "hand gives it new tries.",
            field="pin",
            metadata={"tries_left": "one"},
        )
    _require_present(token)
    with guard.turn():
        try:
            return token.open(user_pin=pin)
        except pkcs11.PKCS11Error as error:
            refusal = login_error(error, pin_flags(token))
            if refusal is not None:
                raise refusal from error
            if guard.accepted or isinstance(error, pkcs11.UserAlreadyLoggedIn):
                raise
            raise UnavailableError(
                "TOKEN_LOGIN_UNANSWERED",
                "The token did not say whether its PIN is right.",
                field="signing_key",
            ) from error


def pin_outcome_unknown() -> FailedPreconditionError:
    """Give the error of a PIN over which a token was lost: giving it again may spend a second try."""
    return FailedPreconditionError(
        "PIN_OUTCOME_UNKNOWN",
        "The token was lost while it had the PIN, which may have been wrong; look at its tries that are left "
        "before it is given again.",
        field="pin",
    )


def _require_unlocked(token: pkcs11.Token) -> TokenFlag:
    flags = pin_flags(token)
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise pin_locked()
    return flags


def _require_present(token: pkcs11.Token) -> None:
    """Raise what a token that is gone answers, before a PIN goes to it; some only show nothing then."""
    session = token.open()
    try:
        if not list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
            raise pkcs11.NoSuchKey
    finally:
        session.close()
