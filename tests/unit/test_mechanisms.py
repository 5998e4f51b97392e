"""Choosing a mechanism from what a token offers, and bringing its answer into the form of CMS."""

import hashlib

import pytest
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import MGF, Mechanism

from pecete.errors import FailedPreconditionError
from signer.algorithms import ED25519, DigestName, SignatureAlgorithm
from signer.tokens.mechanisms import digest_info, ecdsa_signature_value, is_offered, negotiate

DATA = b"message"
PKCS1 = SignatureAlgorithm("rsa_pkcs1", "sha256")
PSS = SignatureAlgorithm("rsa_pss", "sha384")
ECDSA = SignatureAlgorithm("ecdsa", "sha256")


@pytest.mark.parametrize(
    ("algorithm", "raw", "hashing"),
    [
        (PKCS1, Mechanism.RSA_PKCS, Mechanism.SHA256_RSA_PKCS),
        (PSS, Mechanism.RSA_PKCS_PSS, Mechanism.SHA384_RSA_PKCS_PSS),
        (ECDSA, Mechanism.ECDSA, Mechanism.ECDSA_SHA256),
    ],
)
def test_the_raw_mechanism_comes_first_and_the_hashing_one_is_taken_where_it_is_alone(
    algorithm: SignatureAlgorithm, raw: Mechanism, hashing: Mechanism
) -> None:
    both, alone = negotiate(algorithm, {raw, hashing}), negotiate(algorithm, {hashing})
    assert (both.mechanism, alone.mechanism) == (raw, hashing)
    assert both.prepare(DATA) != DATA
    assert alone.prepare(DATA) == DATA
    assert both.parameters == alone.parameters


def test_ed25519_takes_the_message_itself_and_gives_what_cms_carries() -> None:
    operation = negotiate(ED25519, {Mechanism.ECDSA, Mechanism.EDDSA})
    assert (operation.mechanism, operation.parameters) == (Mechanism.EDDSA, None)
    assert operation.prepare(DATA) == DATA
    assert operation.finish(b"signature") == b"signature"


@pytest.mark.parametrize("algorithm", [PKCS1, PSS, ECDSA, ED25519], ids=str)
def test_a_token_without_the_mechanism_is_refused(algorithm: SignatureAlgorithm) -> None:
    offered = {Mechanism.SHA_1, Mechanism.SHA512_RSA_PKCS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN}
    assert not is_offered(algorithm, offered)
    with pytest.raises(FailedPreconditionError, match="TOKEN_MECHANISM_MISSING"):
        negotiate(algorithm, offered)


def test_pss_goes_to_the_token_with_its_digest_as_mask_and_salt() -> None:
    operation = negotiate(PSS, {Mechanism.RSA_PKCS_PSS})
    assert operation.parameters == (Mechanism.SHA384, MGF.SHA384, 48)
    assert operation.prepare(DATA) == hashlib.sha384(DATA).digest()
    assert operation.finish(b"signature") == b"signature"


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_digest_info_names_the_digest_with_null_parameters(digest: DigestName) -> None:
    read = algos.DigestInfo.load(digest_info(digest, DATA), strict=True)
    assert read["digest_algorithm"]["algorithm"].native == digest
    assert read["digest_algorithm"]["parameters"].dump() == b"\x05\x00"
    assert read["digest"].native == hashlib.new(digest, DATA).digest()


@given(st.sampled_from([32, 48, 66]), st.data())
def test_r_and_s_survive_the_way_into_der(size: int, draw: st.DataObject) -> None:
    r, s = (draw.draw(st.integers(min_value=1, max_value=256**size - 1)) for _ in range(2))
    value = ecdsa_signature_value(r.to_bytes(size, "big") + s.to_bytes(size, "big"))
    assert decode_dss_signature(value) == (r, s)


def test_ecdsa_is_asked_with_the_digest_and_answered_in_der() -> None:
    operation = negotiate(ECDSA, {Mechanism.ECDSA})
    key = ec.generate_private_key(ec.SECP256R1())
    assert operation.prepare(DATA) == hashlib.sha256(DATA).digest()
    r, s = decode_dss_signature(key.sign(DATA, ec.ECDSA(hashes.SHA256())))
    der = operation.finish(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    key.public_key().verify(der, DATA, ec.ECDSA(hashes.SHA256()))
