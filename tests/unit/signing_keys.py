"""A signing key as a token's inventory tells of it, made without a token."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import SignatureAlgorithm
from signer.tokens.inventory import SigningKeyInfo
from softhsm.pki import Holder, TestPki

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PKI = TestPki(START)
USAGE = x509.KeyUsage(False, True, False, False, False, False, False, False, False)


def info(statements: bytes = b"") -> SigningKeyInfo:
    """Give a key with a certificate of `PKI` that declares these QCStatements."""
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
