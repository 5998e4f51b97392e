"""Which certificates may be stored beside a key, and which are refused and why."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Mechanism

from pecete.errors import AlreadyExistsError, FailedPreconditionError, PeceteError
from signer.algorithms import SignatureAlgorithm
from signer.tokens.configuration import RsaScheme
from signer.tokens.contents import KeptKey, TokenContents
from signer.tokens.import_check import check_import, read_import
from softhsm.pki import Holder, HolderKey, TestPki

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
END_2029 = datetime(2029, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
RSA_KEY = rsa.generate_private_key(65537, 2048).public_key()
HOLDER = Holder("Sigiliu")
PKI, STRANGER = TestPki(START), TestPki(START)
YEAR = timedelta(days=365)
OFFERED = {Mechanism.RSA_PKCS, Mechanism.RSA_PKCS_PSS, Mechanism.ECDSA}


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def contents(key: HolderKey, certificate: x509.Certificate | None = None) -> TokenContents:
    algorithm = SignatureAlgorithm("ecdsa", "sha256")
    return TokenContents((KeptKey(b"\x01", "sigiliu", key, algorithm, certificate),), OFFERED, "")


SEAL = PKI.issue_signer(HOLDER, KEY, life=YEAR)


@pytest.mark.parametrize(
    ("others", "chain"),
    [
        ([], ()),
        ([PKI.intermediate], (der(PKI.intermediate),)),
        ([PKI.root, PKI.intermediate], (der(PKI.intermediate),)),
    ],
)
def test_a_certificate_comes_with_its_issuers_below_the_root(
    others: Sequence[x509.Certificate], chain: tuple[bytes, ...]
) -> None:
    wanted = read_import([der(each) for each in (SEAL, *others)], NOON)
    assert (wanted.certificate, wanted.der, wanted.chain) == (SEAL, der(SEAL), chain)


@pytest.mark.parametrize(
    ("ders", "now", "reason", "field"),
    [
        ([b"\x30\x00"], NOON, "CERTIFICATE_UNREADABLE", "certificate"),
        ([der(PKI.root)], NOON, "CERTIFICATE_USAGE_WRONG", "certificate"),
        ([der(PKI.intermediate), der(SEAL)], NOON, "CERTIFICATE_USAGE_WRONG", "certificate"),
        ([der(SEAL)], START + YEAR + timedelta(seconds=1), "CERTIFICATE_EXPIRED", "certificate"),
        ([der(SEAL), der(STRANGER.intermediate)], NOON, "CERTIFICATE_CHAIN_WRONG", "chain"),
        ([der(SEAL), der(PKI.intermediate), der(STRANGER.root)], NOON, "CERTIFICATE_CHAIN_WRONG", "chain"),
        ([der(SEAL), der(PKI.root)], NOON, "CERTIFICATE_CHAIN_WRONG", "chain"),
        ([der(SEAL), der(SEAL)], NOON, "CERTIFICATE_CHAIN_WRONG", "chain"),
    ],
)
def test_what_does_not_fit_is_refused(ders: list[bytes], now: datetime, reason: str, field: str) -> None:
    with pytest.raises(PeceteError) as refused:
        read_import(ders, now)
    assert (refused.value.reason, refused.value.field) == (reason, field)


def test_a_time_stamping_certificate_may_be_imported_too() -> None:
    wanted = read_import([der(PKI.issue_timestamping(HOLDER, KEY, life=YEAR))], NOON)
    assert check_import(wanted, contents(KEY), None, NOON) == b"\x01"


def test_the_key_is_found_by_its_public_key_also_for_a_renewed_certificate() -> None:
    wanted = read_import([der(SEAL)], NOON)
    earlier = PKI.issue_signer(HOLDER, KEY, life=timedelta(days=30))
    assert check_import(wanted, contents(KEY), None, NOON) == b"\x01"
    assert check_import(wanted, contents(KEY, earlier), None, NOON) == b"\x01"
    with pytest.raises(AlreadyExistsError, match="CERTIFICATE_EXISTS"):
        check_import(wanted, contents(KEY, SEAL), None, NOON)
    with pytest.raises(FailedPreconditionError, match="CERTIFICATE_KEY_NOT_IN_TOKEN"):
        check_import(wanted, contents(RSA_KEY), None, NOON)


@pytest.mark.parametrize("scheme", [None, "pkcs1", "pss"])
def test_a_short_key_gets_no_certificate_beyond_the_end_of_its_algorithm(scheme: RsaScheme | None) -> None:
    in_time = read_import([der(PKI.issue_signer(HOLDER, RSA_KEY, life=END_2029 - START))], NOON)
    assert check_import(in_time, contents(RSA_KEY), scheme, NOON) == b"\x01"
    life = END_2029 - START + timedelta(seconds=1)
    late = read_import([der(PKI.issue_signer(HOLDER, RSA_KEY, life=life))], NOON)
    with pytest.raises(FailedPreconditionError, match="CERTIFICATE_OUTLIVES_ALGORITHM"):
        check_import(late, contents(RSA_KEY), scheme, NOON)


def test_an_algorithm_that_ended_is_refused() -> None:
    wanted = read_import([der(PKI.issue_signer(HOLDER, RSA_KEY, life=10 * YEAR))], NOON)
    with pytest.raises(FailedPreconditionError, match="ALGORITHM_NOT_RELIABLE"):
        check_import(wanted, contents(RSA_KEY), None, END_2029)
