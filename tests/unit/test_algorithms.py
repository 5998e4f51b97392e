"""The allow-list: its dates, its DER, and the checking of signatures."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer import algorithms
from signer.algorithms import ED25519, SignatureAlgorithm

RSA_KEY = rsa.generate_private_key(65537, 2048)
P256_KEY = ec.generate_private_key(ec.SECP256R1())
ED25519_KEY = ed25519.Ed25519PrivateKey.generate()
DATA = b"dispozitia nr. 12"
ALL = list(algorithms.ALGORITHMS.values())
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def signed(algorithm: SignatureAlgorithm) -> bytes:
    digest = HASHES[algorithm.digest]
    if algorithm.scheme == "ecdsa":
        return P256_KEY.sign(DATA, ec.ECDSA(digest))
    if algorithm == ED25519:
        return ED25519_KEY.sign(DATA)
    if algorithm.scheme == "rsa_pkcs1":
        return RSA_KEY.sign(DATA, padding.PKCS1v15(), digest)
    return RSA_KEY.sign(DATA, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def public_key(algorithm: SignatureAlgorithm) -> PublicKeyTypes:
    if algorithm == ED25519:
        return ED25519_KEY.public_key()
    return P256_KEY.public_key() if algorithm.scheme == "ecdsa" else RSA_KEY.public_key()


@pytest.mark.parametrize("algorithm", ALL, ids=str)
def test_a_right_signature_passes_and_a_changed_message_or_signature_does_not(
    algorithm: SignatureAlgorithm,
) -> None:
    signature = signed(algorithm)
    algorithms.verify(algorithm, public_key(algorithm), signature, DATA)
    flipped = signature[:-1] + bytes((signature[-1] ^ 1,))
    for wrong_signature, data in ((signature, DATA + b" "), (flipped, DATA), (b"", DATA)):
        with pytest.raises(InvalidArgumentError) as caught:
            algorithms.verify(algorithm, public_key(algorithm), wrong_signature, data)
        assert caught.value.reason == "SIGNATURE_VALUE_WRONG"


def test_a_pss_signature_with_another_salt_length_does_not_pass() -> None:
    digest = hashes.SHA256()
    signature = RSA_KEY.sign(DATA, padding.PSS(padding.MGF1(digest), 20), digest)
    with pytest.raises(InvalidArgumentError, match="SIGNATURE_VALUE_WRONG"):
        algorithms.verify(SignatureAlgorithm("rsa_pss", "sha256"), RSA_KEY.public_key(), signature, DATA)


def test_an_algorithm_for_another_kind_of_key_is_refused() -> None:
    for algorithm, key in (
        (SignatureAlgorithm("ecdsa", "sha256"), RSA_KEY.public_key()),
        (SignatureAlgorithm("rsa_pss", "sha256"), P256_KEY.public_key()),
        (SignatureAlgorithm("ecdsa", "sha512"), ED25519_KEY.public_key()),
        (ED25519, P256_KEY.public_key()),
    ):
        with pytest.raises(InvalidArgumentError, match="ALGORITHM_KEY_MISMATCH"):
            algorithms.verify(algorithm, key, b"", DATA)


@pytest.mark.parametrize("algorithm", ALL, ids=str)
def test_identifiers_read_back_as_the_standards_name_them(algorithm: SignatureAlgorithm) -> None:
    read = algos.SignedDigestAlgorithm.load(algorithms.signature_identifier(algorithm), strict=True)
    if algorithm != ED25519:  # names no digest
        assert read.hash_algo == algorithm.digest
    assert (
        read.signature_algo
        == {
            "rsa_pkcs1": "rsassa_pkcs1v15",
            "rsa_pss": "rsassa_pss",
            "ecdsa": "ecdsa",
            "ed25519": "ed25519",
        }[algorithm.scheme]
    )
    if algorithm.scheme == "rsa_pss":
        parameters = read["parameters"].native
        assert parameters["salt_length"] == HASHES[algorithm.digest].digest_size
        assert parameters["mask_gen_algorithm"]["parameters"]["algorithm"] == algorithm.digest
    digest = algos.DigestAlgorithm.load(algorithms.digest_identifier(algorithm.digest), strict=True)
    assert digest["algorithm"].native == algorithm.digest


def test_parameters_are_null_for_rsa_and_absent_elsewhere() -> None:
    null = b"\x05\x00"
    assert algorithms.signature_identifier(SignatureAlgorithm("rsa_pkcs1", "sha256")).endswith(null)
    assert not algorithms.signature_identifier(SignatureAlgorithm("ecdsa", "sha256")).endswith(null)
    assert algorithms.signature_identifier(ED25519) == bytes.fromhex("300506032b6570")
    assert not algorithms.digest_identifier("sha256").endswith(null)


@pytest.mark.parametrize(
    ("key", "prefer_pss", "expected"),
    [
        (RSA_KEY, False, SignatureAlgorithm("rsa_pkcs1", "sha256")),
        (RSA_KEY, True, SignatureAlgorithm("rsa_pss", "sha256")),
        (P256_KEY, True, SignatureAlgorithm("ecdsa", "sha256")),
        (ec.generate_private_key(ec.SECP384R1()), False, SignatureAlgorithm("ecdsa", "sha384")),
        (ec.generate_private_key(ec.SECP521R1()), False, SignatureAlgorithm("ecdsa", "sha512")),
        (ED25519_KEY, True, ED25519),
    ],
)
def test_each_kind_of_key_has_its_algorithm(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    prefer_pss: bool,
    expected: SignatureAlgorithm,
) -> None:
    assert algorithms.default_algorithm(key.public_key(), prefer_pss=prefer_pss) == expected


def test_other_keys_are_not_supported() -> None:
    for key in (
        ed448.Ed448PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
    ):
        with pytest.raises(InvalidArgumentError, match="KEY_TYPE_NOT_SUPPORTED"):
            algorithms.default_algorithm(key, prefer_pss=False)


def test_dates_are_those_of_ts_119_312_and_ed25519_has_none() -> None:
    end_2028, end_of_none = datetime(2029, 1, 1, tzinfo=UTC), algorithms.BELIEVED_FOR_NOW
    assert algorithms.digest_end("sha1") == datetime(2012, 8, 1, tzinfo=UTC)
    assert algorithms.digest_end("sha256") == algorithms.BELIEVED_FOR_NOW
    assert algorithms.digest_end("crc32") == algorithms.NEVER_BELIEVED
    assert algorithms.key_end("rsa_pkcs1", 2048) == end_2028
    assert algorithms.key_end("rsa_pkcs1", 4096) == end_2028
    assert algorithms.key_end("rsa_pss", 2999) == end_2028
    assert algorithms.key_end("rsa_pss", 3000) == algorithms.BELIEVED_FOR_NOW
    assert algorithms.key_end("ecdsa", 255) == datetime(2021, 10, 1, tzinfo=UTC)
    assert algorithms.key_end("ed25519", algorithms.key_bits(ED25519_KEY.public_key())) == end_of_none
    assert algorithms.key_end("rsa_pss", 512) == algorithms.NEVER_BELIEVED


def test_thresholds_ascend_and_larger_keys_never_end_earlier() -> None:
    for thresholds in algorithms.KEY_ENDS.values():
        for (smaller, earlier), (larger, later) in pairwise(thresholds):
            assert smaller < larger
            assert earlier <= later


def test_a_key_is_refused_from_its_end_on() -> None:
    algorithm = SignatureAlgorithm("rsa_pkcs1", "sha256")
    end = algorithms.signature_end(algorithm, 2048)
    algorithms.check_certificate_key(algorithm, RSA_KEY.public_key(), end - timedelta(microseconds=1))
    with pytest.raises(FailedPreconditionError) as caught:
        algorithms.check_certificate_key(algorithm, RSA_KEY.public_key(), end)
    assert (caught.value.reason, caught.value.field) == ("ALGORITHM_NOT_RELIABLE", "signing_key")
