"""What the service tells of a key: its declarations, its token's state, and keys whose token went away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.errors import FailedPreconditionError, NotFoundError, PeceteError, UnavailableError
from pecete.signing.v1 import signing_pb2 as pb
from server import token_registry
from server.config import TokenSettings
from server.signing_key_message import key_message
from server.token_registry import RegisteredKey, TokenRegistry
from signer.algorithms import SignatureAlgorithm
from signer.tokens import worker
from signer.tokens.inventory import SigningKeyInfo
from softhsm.pki import Holder, TestPki

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PKI = TestPki(START)
SETTINGS = TokenSettings("hsm", Path("/nonexistent.so"), "hsm", allowed=("principals/ana",))
ANA, STRANGER = "principals/ana", "principals/ion"
AWAY = UnavailableError("TOKEN_NOT_PRESENT", "Away.", field="signing_key")
LOCKED = FailedPreconditionError("PIN_LOCKED", "Locked.", field="pin")
USAGE = x509.KeyUsage(False, True, False, False, False, False, False, False, False)


def info(statements: bytes = b"") -> SigningKeyInfo:
    request = x509.CertificateSigningRequestBuilder().subject_name(Holder("Sigiliu").subject())
    request = request.add_extension(USAGE, critical=True)
    certificate = PKI.issue_requested(
        request.sign(KEY, hashes.SHA256()), life=timedelta(days=365), statements=statements
    )
    der = certificate.public_bytes(Encoding.DER)
    return SigningKeyInfo(
        id=sha256(der).hexdigest(),
        certificate=der,
        chain=(),
        algorithm=SignatureAlgorithm("ecdsa", "sha256"),
        common_name="Sigiliu",
        label="sigiliu",
        token_label="hsm",  # noqa: S106 - the name of a token
        key_type="ec",
        key_bits=256,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        purpose="signature",
    )


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


class FakePool:
    """The worker processes of one token, which answer as they are told."""

    def __init__(self) -> None:
        self.list_fault: PeceteError | None = None
        self.probe_fault: PeceteError | None = None

    async def run(self, function: Callable[..., object], *arguments: object) -> object:
        fault = self.probe_fault if function is worker.probe else self.list_fault
        if fault is not None:
            raise fault
        return [INFO] if function is worker.list_signing_keys else None


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> FakePool:
    fake = FakePool()
    monkeypatch.setattr(token_registry, "WorkerPool", lambda *arguments: fake)
    return fake


async def read_again(registry: TokenRegistry) -> None:
    """Have the token read once more, as after a minute; a fault leaves that to the next call."""
    try:
        await registry.tokens["hsm"].keys(maximum_age=-1)
    except PeceteError:
        return


async def test_a_key_whose_token_went_away_is_still_described_and_not_found_for_signing(
    pool: FakePool,
) -> None:
    registry = TokenRegistry([SETTINGS])
    assert (await registry.describe(NAME, ANA)).fault is None
    pool.list_fault = AWAY
    await read_again(registry)
    (listed,) = await registry.list_keys(ANA)
    assert (listed.name, listed.fault) == (NAME, AWAY)
    assert await registry.describe(NAME, ANA) == listed
    with pytest.raises(UnavailableError, match="TOKEN_NOT_PRESENT"):
        await registry.find(NAME, ANA)
    pool.list_fault = None
    assert (await registry.describe(NAME, ANA)).fault is None


async def test_a_refused_pin_leaves_the_keys_listed_until_it_is_taken_again(pool: FakePool) -> None:
    registry = TokenRegistry([SETTINGS])
    pool.probe_fault = LOCKED
    with pytest.raises(FailedPreconditionError):
        await registry.tokens["hsm"].check()
    assert (await registry.describe(NAME, ANA)).fault == LOCKED
    pool.probe_fault = None
    await registry.tokens["hsm"].check()
    assert (await registry.describe(NAME, ANA)).fault is None


async def test_a_token_that_was_never_seen_has_no_keys(pool: FakePool) -> None:
    registry = TokenRegistry([SETTINGS])
    pool.list_fault = AWAY
    assert await registry.list_keys(ANA) == []
    with pytest.raises(UnavailableError):
        await registry.describe("signingKeys/00", ANA)


async def test_others_learn_nothing_of_a_key(pool: FakePool) -> None:
    registry = TokenRegistry([SETTINGS])
    await registry.list_keys(ANA)
    assert await registry.list_keys(STRANGER) == []
    with pytest.raises(NotFoundError):
        await registry.describe(NAME, STRANGER)
