"""What certificates are for, and their chains, on the test authority's."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.tokens.certificates import common_name, issuing_chain, signing_purpose
from softhsm.pki import Holder, TestPki

KEY = ec.generate_private_key(ec.SECP256R1())
HOLDER = Holder("Ioana Mureșan", "Primar", "Ioana", "Mureșan")


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def with_extension(extension: x509.ExtensionType | None, *, critical: bool = True) -> x509.Certificate:
    pki = TestPki()
    builder = (
        x509.CertificateBuilder()
        .subject_name(HOLDER.subject())
        .issuer_name(HOLDER.subject())
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(pki.root.not_valid_before_utc)
        .not_valid_after(pki.root.not_valid_after_utc)
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(KEY, hashes.SHA256())


def test_purposes(pki: TestPki) -> None:
    assert signing_purpose(pki.root) is None
    assert signing_purpose(pki.issue_signer(HOLDER, KEY.public_key())) == "signature"
    assert signing_purpose(pki.issue_timestamping(HOLDER, KEY.public_key())) == "timestamp"
    assert signing_purpose(with_extension(None)) is None


def test_time_stamping_beside_other_uses_or_not_critical_is_no_time_stamping() -> None:
    only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH])
    assert signing_purpose(with_extension(only)) == "timestamp"
    assert signing_purpose(with_extension(only, critical=False)) is None
    assert signing_purpose(with_extension(both)) is None


def test_chain_goes_up_to_below_the_root(pki: TestPki) -> None:
    certificate = pki.issue_signer(HOLDER, KEY.public_key())
    stranger = TestPki()
    known = [stranger.intermediate, pki.root, pki.intermediate]
    assert issuing_chain(certificate, known) == (pki.intermediate.public_bytes(Encoding.DER),)
    assert issuing_chain(certificate, [stranger.intermediate, stranger.root]) == ()
    assert common_name(certificate) == "Ioana Mureșan"
