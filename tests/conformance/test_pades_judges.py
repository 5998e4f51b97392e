"""What others say of our PAdES signatures: pdfsig, qpdf, openssl and pyHanko."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pikepdf
import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import (
    FieldMDPAction,
    FieldMDPSpec,
    MDPPerm,
    SigFieldSpec,
    SigSeedSubFilter,
    append_signature_field,
)
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.algorithms import SignatureAlgorithm
from signer.pades.signing import AppearanceText, SignatureOptions, finish, sign_section, signature_value
from tests.conformance.documents import hybrid, run, sample, saved

pytestmark = pytest.mark.conformance

NOW = datetime(2026, 3, 14, 8, 15, 32, tzinfo=UTC)
MAYOR = AppearanceText("Ștefan-Mihai Țurcanu", "Primar", "12345/14.03.2025", "https://verifica.ro/d/1")
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certify(
    key: PrivateKey, name: str, issuer: PrivateKey, role: Literal["ca", "signer", "tsa"]
) -> x509.Certificate:
    """A certificate of `key`, issued by „Test CA” with `issuer`."""
    is_ca = role == "ca"
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(
            x509.KeyUsage(True, role == "signer", False, False, False, is_ca, is_ca, False, False),
            critical=True,
        )
    )
    if role == "tsa":
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def asn1_certificate(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(der(certificate))


def asn1_key(key: PrivateKey) -> asn1_keys.PrivateKeyInfo:
    return asn1_keys.PrivateKeyInfo.load(
        key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


CA_KEY = ec.generate_private_key(ec.SECP256R1())
CA = certify(CA_KEY, "Test CA", CA_KEY, "ca")
STORE = SimpleCertificateStore()
STORE.register(asn1_certificate(CA))


class SoftwareKey:
    """A key in memory with a certificate of the test CA."""

    def __init__(self, key: PrivateKey, algorithm: SignatureAlgorithm) -> None:
        self.key = key
        self.algorithm = algorithm
        self.issued = certify(key, "Ștefan Țurcanu", CA_KEY, "signer")
        self.certificate = der(self.issued)
        self.chain = (der(CA),)

    def sign(self, data: bytes) -> bytes:
        digest = HASHES[self.algorithm.digest]
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(digest))
        if self.algorithm.scheme == "rsa_pss":
            return self.key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.key.sign(data, padding.PKCS1v15(), digest)


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=3072)
P256 = SoftwareKey(ec.generate_private_key(ec.SECP256R1()), SignatureAlgorithm("ecdsa", "sha256"))
P384 = SoftwareKey(ec.generate_private_key(ec.SECP384R1()), SignatureAlgorithm("ecdsa", "sha384"))
RSA = SoftwareKey(RSA_KEY, SignatureAlgorithm("rsa_pkcs1", "sha256"))
PSS = SoftwareKey(RSA_KEY, SignatureAlgorithm("rsa_pss", "sha512"))
TSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
TSA = DummyTimeStamper(
    asn1_certificate(certify(TSA_KEY, "Test TSA", CA_KEY, "tsa")),
    asn1_key(TSA_KEY),
    certs_to_embed=STORE,
    fixed_dt=NOW,
)


def sign(
    content: bytes, path: Path, key: SoftwareKey = P256, *, stamped: bool = True, **given: object
) -> bytes:
    """Sign as the service does: section, time-stamp, octets appended."""
    path.write_bytes(content)
    options = SignatureOptions(**({"signing_time": NOW} | given))  # type: ignore[arg-type]
    section = sign_section(path, key, options)
    token = None
    if stamped:
        imprint = hashlib.sha256(signature_value(section)).digest()
        token = asyncio.run(TSA.async_timestamp(imprint, "sha256")).dump()
    signed = content + finish(section, token)
    path.write_bytes(signed)
    return signed


def by_pyhanko(
    content: bytes,
    field: SigFieldSpec | None = None,
    permission: MDPPerm | None = None,
    *,
    field_name: str = "First",
) -> bytes:
    """The document signed by pyHanko in a field, certified where a permission is given."""
    signer = signers.SimpleSigner(asn1_certificate(P256.issued), asn1_key(P256.key), STORE)
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    if field is not None:
        append_signature_field(writer, field)
    made = signers.PdfSignatureMetadata(
        field_name=field_name,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=permission is not None,
        docmdp_permissions=permission or MDPPerm.FILL_FORMS,
    )
    asyncio.run(signers.PdfSigner(made, signer=signer).async_sign_pdf(writer, output=out))
    return out.getvalue()


def with_field(content: bytes, field: SigFieldSpec) -> bytes:
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    append_signature_field(writer, field)
    writer.write(out)
    return out.getvalue()


def check_with_pyhanko(content: bytes, *, strict: bool, stamped: bool) -> None:
    """Each signature is trusted, covers its revision, and nothing suspicious came later."""
    found = PdfFileReader(io.BytesIO(content), strict=strict).embedded_regular_signatures
    for signature in found:
        status = asyncio.run(
            async_validate_pdf_signature(
                signature, signer_validation_context=context(), ts_validation_context=context()
            )
        )
        assert status.bottom_line, status.pretty_print_details()
        assert status.modification_level is not None
        assert status.modification_level.name in {"NONE", "LTA_UPDATES", "FORM_FILLING"}
        assert status.coverage is not None
        assert status.coverage.name == ("ENTIRE_FILE" if signature is found[-1] else "ENTIRE_REVISION")
    timestamp = status.timestamp_validity
    assert (timestamp is not None and timestamp.valid and timestamp.trusted) == stamped


def context() -> ValidationContext:
    return ValidationContext(
        trust_roots=[asn1_certificate(CA)], allow_fetching=False, revocation_mode="soft-fail", moment=NOW
    )


def check(path: Path, signatures: int, *, strict: bool = True, stamped: bool = True) -> None:
    """The judges of PDFs agree: so many valid signatures, the last over the whole document."""
    check_with_pyhanko(path.read_bytes(), strict=strict, stamped=stamped)
    structure = run("qpdf", "--check", path)
    assert structure.returncode == 0, structure.stdout + structure.stderr
    answer = run("pdfsig", "-nocert", path).stdout
    assert answer.count("Signature is Valid") == signatures, answer
    assert answer.count("Total document signed") == 1, answer


def check_with_openssl(path: Path, signed: bytes, folder: Path) -> None:
    """The last signature as CAdES over what its ByteRange names."""
    with pikepdf.open(path) as pdf:
        value = pdf.Root.AcroForm.Fields[-1].V
        _, start, end, rest = (int(number) for number in value.ByteRange)
        contents = bytes(value.Contents).rstrip(b"\0")
    # Zeros may belong to the signature: DER says how long it is.
    (folder / "cms").write_bytes(contents + bytes(16))
    (folder / "content").write_bytes(signed[:start] + signed[end : end + rest])
    (folder / "ca.pem").write_bytes(CA.public_bytes(serialization.Encoding.PEM))
    names = ("-in", folder / "cms", "-content", folder / "content", "-CAfile", folder / "ca.pem")
    time = ("-attime", str(int(NOW.timestamp())), "-purpose", "any", "-out", "/dev/null")
    answer = run("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", *names, *time)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("stamped", [False, True], ids=["B-B", "B-T"])
@pytest.mark.parametrize("key", [RSA, PSS, P256, P384], ids=["rsa", "pss", "p256", "p384"])
def test_each_algorithm_at_each_level(tmp_path: Path, key: SoftwareKey, stamped: bool) -> None:
    path = tmp_path / "signed.pdf"
    signed = sign(sample(), path, key, stamped=stamped)
    check(path, 1, stamped=stamped)
    check_with_openssl(path, signed, tmp_path)


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "certificate": sample,
    "disposition": lambda: sample("dispozitia-primarului.pdf"),
    "scan": lambda: sample("petitie-scanata.pdf"),
    "object streams": lambda: saved(sample(), streams=True),
    "linearized": lambda: saved(sample(), linearize=True),
    "linearized object streams": lambda: saved(sample(), linearize=True, streams=True),
    "signed by another": lambda: by_pyhanko(sample()),
    "other fields locked": lambda: by_pyhanko(
        sample(), SigFieldSpec("First", field_mdp_spec=FieldMDPSpec(FieldMDPAction.INCLUDE, ["Suma"]))
    ),
    "nested fields": lambda: with_field(sample(), SigFieldSpec("a.b", box=(50, 500, 200, 550))),
    "trailing white space": lambda: sample() + b"\r\n \n",
    "trailing zeros": lambda: sample() + bytes(7),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_three_signatures_in_a_row(tmp_path: Path, case: str) -> None:
    content = DOCUMENTS[case]()
    path = tmp_path / "signed.pdf"
    before = 1 if b"/ByteRange" in content else 0
    signed = sign(content, path, RSA, appearance=MAYOR, reason="Aprob")
    signed = sign(signed, path, P384)
    signed = sign(signed, path, P256, appearance=MAYOR, page=1)
    assert signed.startswith(content)
    check(path, before + 3)


@pytest.mark.parametrize("permission", [MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE])
def test_certified_documents_take_invisible_signatures(tmp_path: Path, permission: MDPPerm) -> None:
    path = tmp_path / "signed.pdf"
    content = by_pyhanko(sample(), permission=permission)
    sign(sign(content, path), path, RSA)
    check(path, 3)


@pytest.mark.parametrize(
    "field",
    [
        SigFieldSpec("Primar", box=(60, 60, 260, 120)),
        SigFieldSpec("sef.Primar", box=(60, 60, 260, 120)),
        SigFieldSpec(
            "Primar",
            box=(60, 60, 260, 120),
            field_mdp_spec=FieldMDPSpec(FieldMDPAction.INCLUDE, ["Suma"]),
        ),
    ],
    ids=["plain", "nested", "locking"],
)
def test_fields_of_the_document_are_filled_and_another_signature_follows(
    tmp_path: Path, field: SigFieldSpec
) -> None:
    path = tmp_path / "signed.pdf"
    content = with_field(sample(), field)
    signed = sign(content, path, appearance=MAYOR, field_name=field.sig_field_name)
    assert signed.startswith(content)
    sign(signed, path, PSS, appearance=MAYOR)
    check(path, 2)


def test_hybrid_cross_references(tmp_path: Path) -> None:
    path = tmp_path / "signed.pdf"
    content = hybrid(sample())
    signed = sign(sign(content, path, appearance=MAYOR), path, RSA)
    assert signed.startswith(content)
    # pyHanko refuses hybrids in strict mode, whoever signed them.
    check(path, 2, strict=False)
