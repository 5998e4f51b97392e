"""What a token's return codes mean to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import pkcs11
from pkcs11 import TokenFlag

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError

LOST = (
    pkcs11.DeviceRemoved,
    pkcs11.DeviceError,
    pkcs11.DeviceMemory,
    pkcs11.FunctionFailed,
    pkcs11.GeneralError,
    pkcs11.KeyHandleInvalid,
    pkcs11.NoSuchKey,
    pkcs11.NoSuchToken,
    pkcs11.ObjectHandleInvalid,
    pkcs11.OperationNotInitialized,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SlotIDInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.TokenNotRecognised,
    pkcs11.UserAlreadyLoggedIn,
    pkcs11.UserNotLoggedIn,
)
"""What modules answer once a token was pulled, replaced or reset, or its session was lost.

NoSuchKey stands for an empty search: some modules answer a search on a token that is gone with nothing.
UserAlreadyLoggedIn stands for a login left over, under which a PIN would not be checked.
"""

_PIN_REFUSED = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
_NOT_OFFERED = (
    pkcs11.FunctionNotSupported,
    pkcs11.KeySizeRange,
    pkcs11.KeyTypeInconsistent,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
)


def tries_left(flags: TokenFlag) -> dict[str, str]:
    """Give what a token says of its PIN tries (PKCS#11 v2.40 §3.2): `tries_left` is low, one or none.

    Empty when the token says nothing; not every token counts, and some lock without ever saying.
    """
    if flags & TokenFlag.USER_PIN_LOCKED:
        return {"tries_left": "none"}
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return {"tries_left": "one"}
    if flags & TokenFlag.USER_PIN_COUNT_LOW:
        return {"tries_left": "low"}
    return {}


def pin_flags(token: pkcs11.Token) -> TokenFlag:
    """Read a token's flags now; none when it does not answer."""
    try:
        return token.slot.get_token().flags
    except pkcs11.PKCS11Error:
        return TokenFlag(0)


def pin_locked() -> FailedPreconditionError:
    """Give the error of a PIN that its token has locked."""
    return FailedPreconditionError(
        "PIN_LOCKED",
        "The token has locked its PIN after wrong tries; its holder must unlock it.",
        field="pin",
        metadata={"tries_left": "none"},
    )


def pin_incorrect(metadata: dict[str, str]) -> FailedPreconditionError:
    """Give the error of a PIN that its token has refused; `metadata` is `tries_left`'s."""
    return FailedPreconditionError(
        "PIN_INCORRECT",
        "The token refused the PIN; it is not tried again by itself.",
        field="pin",
        metadata=metadata,
    )


def token_not_present() -> UnavailableError:
    """Give the error of a token that is not there, or of a key that was in it and is not any more."""
    return UnavailableError(
        "TOKEN_NOT_PRESENT",
        "The token is not there, or does not hold this key.",
        field="signing_key",
    )


def login_error(error: pkcs11.PKCS11Error, flags: TokenFlag) -> PeceteError | None:
    """Give what a failed login means; None for an error that does not refuse the PIN."""
    if isinstance(error, pkcs11.PinLocked):
        return pin_locked()
    if isinstance(error, _PIN_REFUSED):
        return pin_incorrect(tries_left(flags))
    if isinstance(error, pkcs11.PinExpired | pkcs11.UserPinNotInitialized):
        return FailedPreconditionError(
            "PIN_NOT_SET", "The token's PIN was never set or must be changed by its holder.", field="pin"
        )
    return None


@contextmanager
def typed_faults() -> Iterator[None]:
    """Let only typed errors out: what PKCS#11 raises inside becomes one."""
    try:
        yield
    except LOST as error:
        raise token_not_present() from error
    except _NOT_OFFERED as error:
        raise FailedPreconditionError(
            "TOKEN_MECHANISM_MISSING", "The token cannot sign with this key's algorithm.", field="signing_key"
        ) from error
    except pkcs11.PKCS11Error as error:
        raise UnavailableError(
            "TOKEN_FAULT", "The token answered with an error.", field="signing_key"
        ) from error
