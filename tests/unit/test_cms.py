"""DER of SignedData, read back with asn1crypto."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer import cms
from signer.algorithms import ED25519, DigestName, Scheme, SignatureAlgorithm

NOW = datetime(2026, 3, 14, 8, tzinfo=UTC)


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def private_key(scheme: Scheme, digest: DigestName) -> PrivateKey:
    """A key that fits the algorithm."""
    if scheme == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if scheme == "ecdsa":
        return ec.generate_private_key(ec.SECP384R1() if digest == "sha384" else ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(scheme: Scheme, digest: DigestName) -> bytes:
    """Self-signed certificate of that key, DER."""
    key = private_key(scheme, digest)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ștefan Țurcanu")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW)
    hashed = None if scheme == "ed25519" else hashes.SHA256()
    made = builder.not_valid_after(NOW + timedelta(days=365)).sign(key, hashed)
    return made.public_bytes(serialization.Encoding.DER)


ALGORITHMS = [
    SignatureAlgorithm("rsa_pkcs1", "sha256"),
    SignatureAlgorithm("rsa_pss", "sha512"),
    SignatureAlgorithm("ecdsa", "sha256"),
    SignatureAlgorithm("ecdsa", "sha384"),
    ED25519,
]


def constants_for(algorithm: SignatureAlgorithm) -> cms.CmsConstants:
    return cms.cms_constants(certificate(algorithm.scheme, algorithm.digest), (), algorithm)


def timestamp_token(imprint: bytes, digest: str = "sha256") -> bytes:
    """A TimeStampToken that is complete but for its signature."""
    tst_info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.3.6.1.4.1.99999.1",
            "message_imprint": {"hash_algorithm": {"algorithm": digest}, "hashed_message": imprint},
            "serial_number": 1,
            "gen_time": NOW,
        }
    )
    signed_data = {
        "version": "v3",
        "digest_algorithms": [],
        "encap_content_info": {"content_type": "tst_info", "content": tst_info},
        "signer_infos": [],
    }
    token: bytes = asn1_cms.ContentInfo({"content_type": "signed_data", "content": signed_data}).dump()
    return token


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: f"{a.scheme}-{a.digest}")
def test_signed_data_is_what_the_standards_ask_for(algorithm: SignatureAlgorithm) -> None:
    constants = constants_for(algorithm)
    digest = hashlib.new(algorithm.digest, b"content").digest()
    attributes = cms.signed_attributes(constants, digest)
    made = cms.assemble(constants, attributes, b"signature")

    signed_data = asn1_cms.ContentInfo.load(made, strict=True)["content"]
    (signer_info,) = signed_data["signer_infos"]
    own = certificate(algorithm.scheme, algorithm.digest)

    assert signed_data["version"].native == "v1"
    assert signed_data["encap_content_info"]["content_type"].native == "data"
    assert signed_data["encap_content_info"]["content"].native is None
    assert [chosen.chosen.dump() for chosen in signed_data["certificates"]] == [own]
    assert signer_info["signature"].native == b"signature"
    assert signer_info["digest_algorithm"]["algorithm"].native == algorithm.digest
    if algorithm == ED25519:  # parameters are absent (RFC 8419 §2.2)
        assert signer_info["signature_algorithm"].dump() == bytes.fromhex("300506032b6570")
    else:
        assert signer_info["signature_algorithm"].hash_algo == algorithm.digest
    assert b"\x31" + signer_info["signed_attrs"].dump()[1:] == attributes

    values = {item["type"].native: item["values"] for item in signer_info["signed_attrs"]}
    # PAdES forbids signing-time; EN 319 142-1 §6.3.
    assert set(values) == {
        "content_type",
        "message_digest",
        "signing_certificate_v2",
        "cms_algorithm_protection",
    }
    assert values["content_type"].native == ["data"]
    assert values["message_digest"].native == [digest]
    (named,) = values["signing_certificate_v2"][0]["certs"]
    assert named["cert_hash"].native == hashlib.new(algorithm.digest, own).digest()
    assert named["hash_algorithm"]["algorithm"].native == algorithm.digest
    protection = values["cms_algorithm_protection"][0]
    assert protection["signature_algorithm"].native == signer_info["signature_algorithm"].native


def test_signed_attributes_are_in_der_order() -> None:
    made = cms.signed_attributes(constants_for(ALGORITHMS[0]), bytes(32))
    encodings = [item.dump() for item in asn1_cms.CMSAttributes.load(made)]
    assert encodings == sorted(encodings)


def test_certificates_are_a_set_without_repetition() -> None:
    first, second = (certificate(a.scheme, a.digest) for a in (ALGORITHMS[0], ALGORITHMS[2]))
    made = cms.cms_constants(first, (second, first), ALGORITHMS[0])
    assert made.certificates.count(first) == 1
    assert made.certificates.count(second) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: f"{a.scheme}-{a.digest}")
def test_size_is_an_upper_bound(algorithm: SignatureAlgorithm) -> None:
    constants = constants_for(algorithm)
    key = private_key(algorithm.scheme, algorithm.digest)
    attributes = cms.signed_attributes(constants, bytes(hashlib.new(algorithm.digest).digest_size))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signatures = [key.sign(bytes([number]), ec.ECDSA(hashes.SHA256())) for number in range(64)]
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        signatures = [key.sign(b"")]
    else:
        signatures = [bytes(key.key_size // 8)]
    longest = max(len(cms.assemble(constants, attributes, signature)) for signature in signatures)
    assert longest <= cms.size_without_timestamp(constants) <= longest + 8


def test_time_stamp_becomes_an_unsigned_attribute() -> None:
    constants = constants_for(ALGORITHMS[2])
    token = timestamp_token(hashlib.sha512(b"signature").digest(), "sha512")
    made = cms.assemble(
        constants,
        cms.signed_attributes(constants, bytes(32)),
        b"signature",
        (cms.signature_time_stamp(token, b"signature"),),
    )
    (signer_info,) = asn1_cms.ContentInfo.load(made, strict=True)["content"]["signer_infos"]
    (attribute,) = signer_info["unsigned_attrs"]
    assert attribute["type"].native == "signature_time_stamp_token"
    assert attribute["values"][0].dump() == token


def test_token_over_another_signature_is_refused() -> None:
    token = timestamp_token(hashlib.sha256(b"another signature").digest())
    with pytest.raises(InvalidArgumentError) as refusal:
        cms.signature_time_stamp(token, b"signature")
    assert refusal.value.reason == "TIMESTAMP_TOKEN_MISMATCH"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_other_octets_are_no_token(octets: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        cms.signature_time_stamp(octets, b"signature")
    assert refusal.value.reason == "TIMESTAMP_TOKEN_MALFORMED"


@settings(deadline=None)
@given(st.data())
def test_a_damaged_token_is_refused_with_a_typed_error(data: st.DataObject) -> None:
    token = timestamp_token(hashlib.sha256(b"another signature").digest())
    cut = data.draw(st.integers(0, len(token) - 1))
    flipped = bytearray(token)
    flipped[cut] ^= data.draw(st.integers(1, 255))
    for damaged in (token[:cut], bytes(flipped), token + b"\x00"):
        with pytest.raises(InvalidArgumentError):
            cms.signature_time_stamp(damaged, b"signature")


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"no certificate"])
def test_a_certificate_that_cannot_be_read_is_refused(octets: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        cms.cms_constants(octets, (), ALGORITHMS[0])
    assert refusal.value.reason == "CERTIFICATE_MALFORMED"
