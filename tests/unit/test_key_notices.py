"""What is said of a key: dates of its certificate and algorithm, the same that signing goes by."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pecete.errors import FailedPreconditionError
from signer.algorithms import ED25519, SignatureAlgorithm, check_certificate_key
from signer.key_notices import algorithm_notices, days_left, key_notices
from softhsm.pki import Holder, TestPki

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
END_2029 = datetime(2029, 1, 1, tzinfo=UTC)
EC_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
RSA_KEY = rsa.generate_private_key(65537, 2048).public_key()
PKI = TestPki(START)
ECDSA = SignatureAlgorithm("ecdsa", "sha256")
PKCS1, PSS = SignatureAlgorithm("rsa_pkcs1", "sha256"), SignatureAlgorithm("rsa_pss", "sha256")


def certificate(days: int = 700) -> x509.Certificate:
    return PKI.issue_signer(Holder("Sigiliu"), EC_KEY, life=timedelta(days=days))


def reasons(days: int, now: datetime, algorithm: SignatureAlgorithm = ECDSA, bits: int = 256) -> list[str]:
    return [notice.reason for notice in key_notices(certificate(days), algorithm, bits, now)]


def test_a_key_in_order_has_no_notices() -> None:
    assert reasons(700, NOON) == []


def test_a_key_of_ed25519_says_that_not_every_judge_passes_its_signatures() -> None:
    assert reasons(700, NOON, ED25519) == ["ALGORITHM_NOT_IN_TS_119_312"]


@pytest.mark.parametrize(
    ("now", "reason", "refused"),
    [
        (START - timedelta(seconds=1), "CERTIFICATE_NOT_YET_VALID", True),
        (START + timedelta(days=641), "CERTIFICATE_EXPIRES_SOON", False),
        (START + timedelta(days=700), "CERTIFICATE_EXPIRES_SOON", False),
        (START + timedelta(days=700, seconds=1), "CERTIFICATE_EXPIRED", True),
    ],
)
def test_validity(now: datetime, reason: str, refused: bool) -> None:
    (notice,) = key_notices(certificate(), ECDSA, 256, now)
    assert (notice.reason, notice.refused) == (reason, refused)


@pytest.mark.parametrize(
    ("algorithm", "bits", "has_end"),
    [
        (PKCS1, 2048, True),
        (PKCS1, 4096, True),
        (PSS, 2048, True),
        (PSS, 2999, True),
        (PSS, 3000, False),
        (ECDSA, 256, False),
    ],
)
def test_pkcs1_and_short_rsa_keys_are_warned_about_and_refused_from_2029_on(
    algorithm: SignatureAlgorithm, bits: int, has_end: bool
) -> None:
    before = list(algorithm_notices(algorithm, bits, END_2029 - timedelta(seconds=1)))
    after = list(algorithm_notices(algorithm, bits, END_2029))
    assert [(each.reason, each.refused, each.time) for each in before] == (
        [("ALGORITHM_ENDS", False, END_2029)] if has_end else []
    )
    assert [(each.reason, each.refused, each.time) for each in after] == (
        [("ALGORITHM_NOT_RELIABLE", True, END_2029)] if has_end else []
    )


def test_a_certificate_that_outlives_its_algorithm_is_named() -> None:
    assert reasons(1000, NOON, PKCS1, 2048) == ["ALGORITHM_ENDS"]
    assert reasons(1100, NOON, PKCS1, 2048) == ["CERTIFICATE_OUTLIVES_ALGORITHM"]
    assert reasons(1500, END_2029, PKCS1, 2048) == ["ALGORITHM_NOT_RELIABLE"]


def test_refusals_come_first() -> None:
    found = key_notices(certificate(1100), PKCS1, 2048, START - timedelta(days=1))
    assert [notice.refused for notice in found] == [True, False]


def test_the_refusal_is_that_of_signing() -> None:
    before = END_2029 - timedelta(microseconds=1)
    assert [notice.refused for notice in algorithm_notices(PKCS1, 2048, before)] == [False]
    check_certificate_key(PKCS1, RSA_KEY, before)
    assert [notice.refused for notice in algorithm_notices(PKCS1, 2048, END_2029)] == [True]
    with pytest.raises(FailedPreconditionError, match="ALGORITHM_NOT_RELIABLE"):
        check_certificate_key(PKCS1, RSA_KEY, END_2029)


def test_days_left() -> None:
    assert days_left(NOON + timedelta(hours=47), NOON) == 1
    assert days_left(NOON, NOON) == 0
    assert days_left(NOON - timedelta(seconds=1), NOON) == -1
