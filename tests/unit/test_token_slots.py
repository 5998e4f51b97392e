"""Looking for tokens slot by slot, on slots of our own making."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pkcs11
import pytest
from pkcs11 import TokenFlag

from pecete.token import device
from signer.tokens.module import Module

INITIALISED = SimpleNamespace(label="primar", flags=TokenFlag.TOKEN_INITIALIZED)
BLANK = SimpleNamespace(label="", flags=TokenFlag(0))


def broken() -> SimpleNamespace:
    raise pkcs11.PKCS11Error("Unmapped error code 0x208")


def slots(*tokens: Callable[[], SimpleNamespace]) -> list[pkcs11.Slot]:
    return [cast("pkcs11.Slot", SimpleNamespace(get_token=token)) for token in tokens]


def test_the_service_sees_the_tokens_beside_a_broken_slot() -> None:
    module = SimpleNamespace(
        get_slots=lambda token_present: slots(broken, lambda: INITIALISED, lambda: BLANK)
    )
    assert list(Module.tokens(cast("Module", module))) == [INITIALISED, BLANK]


def test_the_client_sees_the_tokens_beside_broken_and_blank_slots() -> None:
    found = device._tokens(pkcs11, slots(broken, lambda: BLANK, lambda: INITIALISED))
    assert list(found) == [INITIALISED]


def test_slots_that_come_to_be_while_they_are_listed_are_listed_again() -> None:
    answers: list[pkcs11.PKCS11Error | list[pkcs11.Slot]] = [
        pkcs11.PKCS11Error("Buffer was too small."),
        slots(lambda: INITIALISED),
    ]

    def get_slots(token_present: bool) -> list[pkcs11.Slot]:
        answer = answers.pop(0)
        if isinstance(answer, pkcs11.PKCS11Error):
            raise answer
        return answer

    assert list(Module.tokens(cast("Module", SimpleNamespace(get_slots=get_slots)))) == [INITIALISED]


@pytest.mark.parametrize("error", [pkcs11.DeviceRemoved(), pkcs11.PKCS11Error("Unmapped error code 0x208")])
def test_a_module_that_cannot_list_its_slots_says_so(error: pkcs11.PKCS11Error) -> None:
    def get_slots(token_present: bool) -> list[pkcs11.Slot]:
        raise error

    with pytest.raises(type(error)):
        list(Module.tokens(cast("Module", SimpleNamespace(get_slots=get_slots))))
