"""What the service tells of a key: its declarations, its token's state, and what to heed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
from pecete.signing.v1 import signing_pb2 as pb
from server.config import TokenSettings
from server.signing_key_message import key_message
from server.token_registry import RegisteredKey
from tests.unit.signing_keys import info

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SETTINGS = TokenSettings("hsm", Path("/nonexistent.so"), "hsm", allowed=("principals/ana",))
AWAY = UnavailableError("TOKEN_NOT_PRESENT", "Away.", field="signing_key")
LOCKED = FailedPreconditionError("PIN_LOCKED", "Locked.", field="pin")
INFO = info()
NAME = f"signingKeys/{INFO.id}"


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (None, pb.TOKEN_STATE_READY, ""),
        (AWAY, pb.TOKEN_STATE_UNAVAILABLE, "TOKEN_NOT_PRESENT"),
        (LOCKED, pb.TOKEN_STATE_PIN_REFUSED, "PIN_LOCKED"),
    ],
)
def test_the_token_is_told_of(fault: PeceteError | None, state: int, reason: str) -> None:
    message = key_message(RegisteredKey(INFO, SETTINGS, fault), NOON)
    assert (message.token_state, message.token_fault) == (state, reason)
    assert (message.days_left, list(message.notices)) == (304, [])


@pytest.mark.parametrize(
    ("tries_left", "code"),
    [
        ("", pb.PIN_TRIES_UNSPECIFIED),
        ("low", pb.PIN_TRIES_LOW),
        ("one", pb.PIN_TRIES_ONE),
        ("none", pb.PIN_TRIES_NONE),
    ],
)
def test_the_tries_of_its_pin_and_its_replicas_are_told(tries_left: str, code: int) -> None:
    key = RegisteredKey(INFO, SETTINGS, tries_left=tries_left, replicas=("hsm-2",))
    message = key_message(key, NOON)
    assert (message.pin_tries, list(message.replicas)) == (code, ["hsm-2"])


def test_statements_that_cannot_be_read_declare_nothing_and_are_noticed() -> None:
    message = key_message(RegisteredKey(info(b"\x30\x00"), SETTINGS), NOON)
    assert message.qc_statements == pb.QcStatements()
    assert [each.reason for each in message.notices] == ["QC_STATEMENTS_MALFORMED"]


def test_an_expired_certificate_is_refused_and_counted_from() -> None:
    message = key_message(RegisteredKey(INFO, SETTINGS), NOON + timedelta(days=400))
    (notice,) = message.notices
    assert notice.reason == "CERTIFICATE_EXPIRED"
    assert notice.severity == pb.SigningKeyNotice.SEVERITY_REFUSAL
    assert notice.effective_time.ToDatetime(UTC) == INFO.not_after
    assert message.days_left == -96
