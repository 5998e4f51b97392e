"""Our own engine where every signature is one of Ed25519: the signer's, the authority's and its CRL's."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from signer import algorithms
from signer.algorithms import ED25519
from signer.cades.signing import SignatureOptions, finish, octets_content, sign_content
from signer.validation import ValidationPolicy, validate
from signer.validation.der import read
from signer.validation.indication import SubIndication
from signer.validation.policy import AlgorithmPolicy
from signer.validation.report import SignatureVerdict
from signer.validation.signature_value import read_scheme
from tests.unit.validation_documents import BORN, CA, SIGNED, SIGNING, Identity, blank
from tests.unit.validation_documents import NOW as JUDGED
from tests.unit.validation_documents import sign as sign_with_pyhanko

CONTENT = b"dispozitia nr. 12\n" * 20
AUTHORITY_KEY = Ed25519PrivateKey.generate()
Extensions = tuple[tuple[x509.ExtensionType, bool], ...]


def issue(name: str, key: Ed25519PrivateKey, extensions: Extensions) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("Authority"))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(BORN).not_valid_after(BORN + timedelta(days=365))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(AUTHORITY_KEY, None)


def answer() -> bytes:
    """The authority's OCSPResponse that the signer's certificate is good."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=x509.load_der_x509_certificate(KEY.certificate),
        issuer=x509.load_der_x509_certificate(ROOT),
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=SIGNED + timedelta(days=1),
        next_update=JUDGED + timedelta(days=1),
        revocation_time=None,
        revocation_reason=None,
    )
    root = x509.load_der_x509_certificate(ROOT)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, root)
    return builder.sign(AUTHORITY_KEY, None).public_bytes(Encoding.DER)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def der(made: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return made.public_bytes(Encoding.DER)


class SoftwareKey:
    """A `signer.keys.SigningKey` in memory."""

    algorithm = ED25519
    chain: tuple[bytes, ...] = ()

    def __init__(self) -> None:
        self.private_key = Ed25519PrivateKey.generate()
        self.certificate = der(issue("Dan Hașdeu", self.private_key, (SIGNING,)))

    def sign(self, data: bytes) -> bytes:
        return self.private_key.sign(data)


ROOT = der(issue("Authority", AUTHORITY_KEY, CA))
LIST = x509.CertificateRevocationListBuilder().issuer_name(named("Authority")).last_update(SIGNED)
CRL = der(LIST.next_update(JUDGED + timedelta(days=1)).sign(AUTHORITY_KEY, None))
POLICY = ValidationPolicy((ROOT,), JUDGED, crls=(CRL,))
KEY = SoftwareKey()
SIGNATURE = finish(sign_content(octets_content(CONTENT), KEY, SignatureOptions(SIGNED)), None)


def verdict(
    folder: Path,
    cms: bytes = SIGNATURE,
    content: bytes = CONTENT,
    policy: ValidationPolicy = POLICY,
) -> SignatureVerdict:
    (folder / "content").write_bytes(content)
    (found,) = validate(cms, policy, detached=[folder / "content"]).signatures
    return found


def test_a_signature_below_an_authority_of_the_same_kind_passes(tmp_path: Path) -> None:
    found = verdict(tmp_path)
    assert found.conclusion.passed, found.conclusion
    assert found.level == "CAdES-BASELINE-B"


def test_a_document_that_pyhanko_signed_passes() -> None:
    certificate = x509.load_der_x509_certificate(KEY.certificate)
    signer = Identity(certificate, cast("EllipticCurvePrivateKey", KEY.private_key))
    (found,) = validate(sign_with_pyhanko(blank(), signer, digest="sha512"), POLICY).signatures
    assert found.conclusion.passed, found.conclusion


def test_an_ocsp_response_of_such_an_authority_is_believed(tmp_path: Path) -> None:
    right = answer()
    changed = right[:-1] + bytes((right[-1] ^ 1,))
    without = replace(POLICY, crls=())
    assert verdict(tmp_path, policy=replace(without, ocsp_responses=(right,))).conclusion.passed
    unproven = verdict(tmp_path, policy=without).conclusion
    assert not unproven.passed
    assert verdict(tmp_path, policy=replace(without, ocsp_responses=(changed,))).conclusion == unproven


def test_another_content_or_value_does_not_pass(tmp_path: Path) -> None:
    assert verdict(tmp_path, content=CONTENT + b"!").conclusion.sub_indication is SubIndication.HASH_FAILURE
    changed = SIGNATURE[:-1] + bytes((SIGNATURE[-1] ^ 1,))
    assert verdict(tmp_path, changed).conclusion.sub_indication is SubIndication.SIG_CRYPTO_FAILURE


def test_a_policy_of_ts_119_312_alone_does_not_believe_it(tmp_path: Path) -> None:
    listed = {scheme: ends for scheme, ends in AlgorithmPolicy().keys.items() if scheme != "ed25519"}
    found = verdict(tmp_path, policy=replace(POLICY, algorithms=AlgorithmPolicy(keys=listed)))
    assert found.conclusion.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE


@pytest.mark.parametrize("parameters", [b"\x05\x00", b"\x30\x00"])
def test_an_identifier_with_parameters_is_not_one_of_ed25519(parameters: bytes) -> None:
    identifier = algorithms.signature_identifier(ED25519)
    plain = read_scheme(read(identifier), "sha256")
    assert plain is not None and (plain.name, plain.digest) == ("ed25519", "sha512")
    longer = b"\x30" + bytes((identifier[1] + len(parameters),)) + identifier[2:] + parameters
    assert read_scheme(read(longer), "sha256") is None
