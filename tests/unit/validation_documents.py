"""Signed documents of a small authority: what the tests of judging signatures judge."""

import io
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from unittest import mock

import pikepdf
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.generic import NameObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.ades.api import CAdESSignedAttrSpec
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import pdf_signer
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.material import ValidationMaterial
from signer.pades.augmentation import append_material
from signer.validation import ValidationPolicy

BORN = datetime(2024, 1, 1, tzinfo=UTC)
SIGNED = datetime(2024, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2024, 6, 10, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def asn1(self) -> asn1_x509.Certificate:
        return asn1_x509.Certificate.load(self.der)

    @property
    def asn1_key(self) -> asn1_keys.PrivateKeyInfo:
        encoded = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return asn1_keys.PrivateKeyInfo.load(encoded)


def key_usage(*granted: str) -> x509.KeyUsage:
    names = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{name: name in granted for name in names})


def issue(
    name: str,
    issuer: Identity | None,
    *extensions: tuple[x509.ExtensionType, bool],
    start: datetime = BORN,
    end: datetime = BORN + 10 * YEAR,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> Identity:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    above = issuer.key if issuer else key
    identifiers: tuple[x509.ExtensionType, ...] = (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()),
    )
    for extension, critical in (*extensions, *((identifier, False) for identifier in identifiers)):
        builder = builder.add_extension(extension, critical)
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


CA = ((x509.BasicConstraints(True, None), True), (key_usage("key_cert_sign", "crl_sign"), True))
SIGNING = (key_usage("digital_signature", "content_commitment"), True)
STAMPING = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
ROOT = issue("Root", None, *CA)
SUB = issue("Issuing", ROOT, *CA)
SIGNER = issue("Ana Popescu", SUB, SIGNING, end=BORN + YEAR)
STAMPER_KEY = rsa.generate_private_key(65537, 2048)  # what pyHanko's authority signs with is always RSA
STAMPER = issue("Time-stamping unit", ROOT, SIGNING, STAMPING, key=STAMPER_KEY)
CRL_START = SIGNED + timedelta(days=1)


def crl(
    issuer: Identity,
    *revoked: tuple[Identity, datetime, x509.ReasonFlags],
    this_update: datetime = CRL_START,
    next_update: datetime = CRL_START + timedelta(days=30),
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
    )
    for identity, when, reason in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(identity.certificate.serial_number)
            .revocation_date(when)
            .add_extension(x509.CRLReason(reason), False)
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def policy(
    *crls: bytes, time: datetime = NOW, revocation: str = "required", anchors: Sequence[bytes] = (ROOT.der,)
) -> ValidationPolicy:
    mode = "off" if revocation == "off" else "required"
    return ValidationPolicy(tuple(anchors), time, mode, crls=crls)  # type: ignore[arg-type]


GOOD = policy(crl(ROOT), crl(SUB))
OFF = policy(revocation="off")


@cache
def blank() -> bytes:
    document = pikepdf.new()
    document.add_blank_page(page_size=(300, 300))
    document.pages[0].Contents = document.make_stream(b"BT /F1 12 Tf (signed words) Tj ET")
    out = io.BytesIO()
    document.save(out, compress_streams=False)
    return out.getvalue()


class Clock(datetime):
    """The time that signers state."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls(2024, 6, 1, 11, 59, tzinfo=UTC)


def stamper(time: datetime) -> DummyTimeStamper:
    return DummyTimeStamper(
        STAMPER.asn1, STAMPER.asn1_key, certs_to_embed=SimpleCertificateStore(), fixed_dt=time
    )


def signer_of(identity: Identity, above: Identity = SUB) -> signers.SimpleSigner:
    store = SimpleCertificateStore()
    store.register_multiple([above.asn1])
    return signers.SimpleSigner(identity.asn1, identity.asn1_key, store)


def sign(
    document: bytes,
    identity: Identity = SIGNER,
    *,
    field: str = "Sig1",
    stamped: datetime | None = None,
    digest: str = "sha256",
    encrypted: bool = False,
    above: Identity = SUB,
    attributes: CAdESSignedAttrSpec | None = None,
) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    if encrypted:
        writer.encrypt(b"")
    metadata = signers.PdfSignatureMetadata(
        field_name=field,
        subfilter=SigSeedSubFilter.PADES,
        md_algorithm=digest,
        cades_signed_attr_spec=attributes,
    )
    with warnings.catch_warnings(), mock.patch.object(pdf_signer, "datetime", Clock):
        warnings.simplefilter("ignore")
        out = signers.sign_pdf(
            writer,
            metadata,
            signer_of(identity, above),
            timestamper=stamper(stamped) if stamped else None,
        )
    return bytes(out.getbuffer())


def timestamped(document: bytes, time: datetime) -> bytes:
    """The document with a document time-stamp more."""
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    out = signers.PdfTimeStamper(stamper(time)).timestamp_pdf(writer, md_algorithm="sha256")
    return bytes(out.getbuffer())


def kept(document: bytes, material: ValidationMaterial) -> bytes:
    """The document with validation data in its security store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.pdf"
        path.write_bytes(document)
        return document + append_material(path, material)


@cache
def plain() -> bytes:
    return sign(blank())


@cache
def stamped() -> bytes:
    return sign(blank(), stamped=SIGNED)


def changed_page(document: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    page = writer.root["/Pages"]["/Kids"][0]
    page[NameObject("/Rotate")] = writer.root["/Pages"]["/Count"]
    writer.update_container(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
