"""Certification requests, read back by another implementation than the one that wrote them."""

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID
from pkcs11 import Mechanism

from pecete.errors import InvalidArgumentError
from signer.algorithms import ED25519, SignatureAlgorithm
from signer.tokens.certificates import SigningKeyPurpose
from signer.tokens.objects import SigningPublicKey
from signer.tokens.request import Subject, certification_request, request_algorithm

EC_KEY = ec.generate_private_key(ec.SECP384R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
ED25519_KEY = ed25519.Ed25519PrivateKey.generate()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
MAYOR = Subject(
    "Ioana Mureșan",
    county="Cluj",
    locality="Lunca Teilor",
    organisation="Comuna Lunca Teilor",
    organisation_identifier="VATRO-00000000",
    organisational_unit="Cabinet",
    title="Primar",
    surname="Mureșan",
    given_name="Ioana",
    serial_number="LT-7",
)
SEAL = Subject("Sigiliu", organisation="Comuna Lunca Teilor")


def sign_pss(data: bytes) -> bytes:
    return RSA_KEY.sign(data, PSS, hashes.SHA256())


def sign_pkcs1(data: bytes) -> bytes:
    return RSA_KEY.sign(data, padding.PKCS1v15(), hashes.SHA256())


def sign_ecdsa(data: bytes) -> bytes:
    return EC_KEY.sign(data, ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize("purpose", ["signature", "timestamp"])
@pytest.mark.parametrize(
    ("public_key", "algorithm", "sign", "oid"),
    [
        (
            EC_KEY.public_key(),
            SignatureAlgorithm("ecdsa", "sha384"),
            sign_ecdsa,
            SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        ),
        (
            RSA_KEY.public_key(),
            SignatureAlgorithm("rsa_pkcs1", "sha256"),
            sign_pkcs1,
            SignatureAlgorithmOID.RSA_WITH_SHA256,
        ),
        (
            RSA_KEY.public_key(),
            SignatureAlgorithm("rsa_pss", "sha256"),
            sign_pss,
            SignatureAlgorithmOID.RSASSA_PSS,
        ),
        (ED25519_KEY.public_key(), ED25519, ED25519_KEY.sign, SignatureAlgorithmOID.ED25519),
    ],
)
def test_a_request_is_signed_by_its_key_and_asks_for_its_purpose(
    public_key: SigningPublicKey,
    algorithm: SignatureAlgorithm,
    sign: Callable[[bytes], bytes],
    oid: x509.ObjectIdentifier,
    purpose: SigningKeyPurpose,
) -> None:
    request = x509.load_der_x509_csr(
        certification_request(MAYOR.name(), public_key, purpose, algorithm, sign)
    )
    assert request.is_signature_valid
    assert (request.signature_algorithm_oid, request.public_key()) == (oid, public_key)
    assert request.subject == MAYOR.name()
    usage = request.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.content_commitment, usage.value.digital_signature) == (
        purpose == "signature",
        purpose == "timestamp",
    )
    extended = [each for each in request.extensions if isinstance(each.value, x509.ExtendedKeyUsage)]
    assert [(each.critical, list(each.value)) for each in extended] == (
        [(True, [ExtendedKeyUsageOID.TIME_STAMPING])] if purpose == "timestamp" else []
    )


def test_a_signature_of_another_key_shows() -> None:
    ecdsa = SignatureAlgorithm("ecdsa", "sha384")
    public_key = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = certification_request(SEAL.name(), public_key, "signature", ecdsa, sign_ecdsa)
    assert not x509.load_der_x509_csr(der).is_signature_valid


def test_the_subject_has_what_is_given_in_the_order_of_names() -> None:
    assert MAYOR.name().rfc4514_string().split(",")[::-1][:3] == ["C=RO", "ST=Cluj", "L=Lunca Teilor"]
    assert [attribute.oid for attribute in SEAL.name()] == [
        NameOID.COUNTRY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.COMMON_NAME,
    ]
    assert [attribute.value for attribute in SEAL.name()] == ["RO", "Comuna Lunca Teilor", "Sigiliu"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("common_name", ""),
        ("common_name", "a" * 65),
        ("common_name", "Ioana\n"),
        ("common_name", " Ioana"),
        ("country", "ro"),
        ("country", "ROU"),
        ("country", ""),
        ("locality", "a" * 129),
        ("organisation", "a\x00b"),
        ("serial_number", "ș1"),
        ("serial_number", "a_b"),
    ],
)
def test_a_subject_that_no_certificate_can_have_is_refused(field: str, value: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        Subject(**{"common_name": "Sigiliu", field: value}).name()
    assert (refused.value.reason, refused.value.field) == ("SUBJECT_MALFORMED", field)


def test_a_locality_may_be_longer_than_a_name() -> None:
    Subject("Sigiliu", locality="a" * 128).name()


def test_requests_are_signed_with_what_authorities_read_where_the_token_can() -> None:
    both = {Mechanism.RSA_PKCS, Mechanism.RSA_PKCS_PSS}
    public_key = RSA_KEY.public_key()
    assert request_algorithm(public_key, both, None).scheme == "rsa_pkcs1"
    assert request_algorithm(public_key, both, "pss").scheme == "rsa_pss"
    assert request_algorithm(public_key, {Mechanism.RSA_PKCS_PSS}, None).scheme == "rsa_pss"
    assert request_algorithm(ED25519_KEY.public_key(), both, "pss") == ED25519
    assert request_algorithm(EC_KEY.public_key(), both, "pss") == SignatureAlgorithm("ecdsa", "sha384")
