"""How a token on a desk is asked for a signature: mechanisms, what goes in, what comes out."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from pecete.errors import PeceteError
from pecete.signing.v1.signing_pb2 import SignatureAlgorithm
from pecete.token.device import find_key
from pecete.token.method import SigningMethod, negotiate
from softhsm.pki import Holder, TestPki

PKI = TestPki()
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=2048)
LONG = rsa.generate_private_key(public_exponent=65537, key_size=3072)
CURVES = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
EDWARDS = ed25519.Ed25519PrivateKey.generate()
MESSAGE = b"signed attributes"


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> x509.Certificate:
    return PKI.issue_signer(Holder("Ana"), key.public_key())


@pytest.mark.parametrize(
    ("key", "offered", "algorithm", "mechanism"),
    [
        (SHORT, {"RSA_PKCS", "RSA_PKCS_PSS", "SHA256_RSA_PKCS"}, "RSA_PKCS1_SHA256", "RSA_PKCS"),
        (SHORT, {"SHA256_RSA_PKCS"}, "RSA_PKCS1_SHA256", "SHA256_RSA_PKCS"),
        (LONG, {"RSA_PKCS", "RSA_PKCS_PSS"}, "RSA_PSS_SHA256", "RSA_PKCS_PSS"),
        (LONG, {"SHA256_RSA_PKCS_PSS", "RSA_PKCS"}, "RSA_PSS_SHA256", "SHA256_RSA_PKCS_PSS"),
        (LONG, {"RSA_PKCS"}, "RSA_PKCS1_SHA256", "RSA_PKCS"),
        (ec.generate_private_key(CURVES[256]), {"ECDSA"}, "ECDSA_SHA256", "ECDSA"),
        (ec.generate_private_key(CURVES[384]), {"ECDSA_SHA384"}, "ECDSA_SHA384", "ECDSA_SHA384"),
        (ec.generate_private_key(CURVES[521]), {"ECDSA"}, "ECDSA_SHA512", "ECDSA"),
    ],
)
def test_the_mechanism_is_one_that_the_token_has(
    key: rsa.RSAPrivateKey, offered: set[str], algorithm: str, mechanism: str
) -> None:
    method = negotiate(certificate(key), offered)
    assert SignatureAlgorithm.Name(method.algorithm) == f"SIGNATURE_ALGORITHM_{algorithm}"
    assert (method.mechanism, method.token_hashes) == (mechanism, mechanism.count("SHA") == 1)


@pytest.mark.parametrize("key", [SHORT, EDWARDS])
def test_a_token_without_a_mechanism_for_the_key_is_said_so(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    with pytest.raises(PeceteError, match="TOKEN_MECHANISM_MISSING"):
        negotiate(certificate(key), {"ECDSA", "RSA_X_509"})


def test_ed25519_gets_the_message_itself() -> None:
    method = negotiate(certificate(EDWARDS), {"EDDSA", "ECDSA"})
    assert SignatureAlgorithm.Name(method.algorithm) == "SIGNATURE_ALGORITHM_ED25519"
    assert (method.mechanism, method.digest, method.salt_length) == ("EDDSA", "sha512", None)
    assert method.token_input(MESSAGE) == MESSAGE
    signature = method.signature_value(EDWARDS.sign(MESSAGE))
    method.verify(certificate(EDWARDS), signature, MESSAGE)
    with pytest.raises(PeceteError, match="TOKEN_SIGNATURE_WRONG"):
        method.verify(certificate(EDWARDS), signature, MESSAGE + b"!")


def raw_pkcs1(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    """Sign DigestInfo as CKM_RSA_PKCS does: pad and use the private exponent (RFC 8017 §8.2.1)."""
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    size = (modulus.bit_length() + 7) // 8

    def sign(octets: bytes) -> bytes:
        padded = b"\0\1" + b"\xff" * (size - len(octets) - 3) + b"\0" + octets
        return pow(int.from_bytes(padded, "big"), numbers.d, modulus).to_bytes(size, "big")

    return sign


def raw_pss(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return lambda digest: key.sign(digest, scheme, utils.Prehashed(hashes.SHA256()))


def raw_ecdsa(key: ec.EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    """Sign a digest as CKM_ECDSA does: r and s, each as long as the curve's order."""
    size = (key.key_size + 7) // 8

    def sign(digest: bytes) -> bytes:
        algorithm = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}[len(digest)]
        r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(algorithm))))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


@pytest.mark.parametrize("kind", ["pkcs1", "pss", 256, 384, 521])
def test_raw_answers_become_signatures_that_verify(kind: str | int) -> None:
    if isinstance(kind, int):
        elliptic = ec.generate_private_key(CURVES[kind])
        key, raw = certificate(elliptic), raw_ecdsa(elliptic)
    else:
        rsa_key = SHORT if kind == "pkcs1" else LONG
        key, raw = certificate(rsa_key), raw_pkcs1(rsa_key) if kind == "pkcs1" else raw_pss(rsa_key)
    method = negotiate(key, {"RSA_PKCS", "RSA_PKCS_PSS", "ECDSA"})
    signature = method.signature_value(raw(method.token_input(MESSAGE)))
    method.verify(key, signature, MESSAGE)
    with pytest.raises(PeceteError, match="TOKEN_SIGNATURE_WRONG"):
        method.verify(key, signature, MESSAGE + b"!")


def test_the_digest_info_of_sha256_has_its_null() -> None:
    method = SigningMethod("RSA_PKCS1", "sha256", "RSA_PKCS", token_hashes=False)
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 §9.2, note 1
    assert method.token_input(MESSAGE) == prefix + hashlib.sha256(MESSAGE).digest()


def test_without_the_extra_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(PeceteError, match=r"TOKEN_SUPPORT_MISSING.*pecete\[token\]"):
        find_key(Path("/usr/lib/any.so"))
