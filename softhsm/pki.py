"""A public key infrastructure for tests and the demo: its keys lie in files and nobody should believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

VALID_FROM = datetime(2024, 1, 1, tzinfo=UTC)
"""When the authorities begin; fixed, so that acts of some years ago can be judged too."""

AUTHORITY_LIFE = timedelta(days=365 * 30)
HOLDER_LIFE = timedelta(days=365 * 25)

ORGANISATION = "Primăria Comunei Lunca Teilor (TEST)"

_QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")

HolderKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class Holder:
    """Whom a certificate is for: a person with a capacity, or an organisation (without `given_name`)."""

    common_name: str
    title: str = ""
    given_name: str = ""
    surname: str = ""

    def subject(self) -> x509.Name:
        """Give the distinguished name (ETSI EN 319 412-2 §4.2.4 and 412-3 §4.2.1)."""
        pairs = (
            (NameOID.COUNTRY_NAME, "RO"),
            (NameOID.ORGANIZATION_NAME, ORGANISATION),
            (NameOID.ORGANIZATION_IDENTIFIER, "" if self.given_name else "VATRO-00000000"),
            (NameOID.TITLE, self.title),
            (NameOID.SURNAME, self.surname),
            (NameOID.GIVEN_NAME, self.given_name),
            (NameOID.COMMON_NAME, self.common_name),
        )
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs if value])


class TestPki:
    """A root, an intermediate authority below it, and what the intermediate issues.

    address: such as `http://127.0.0.1:8080`, where certificates then say that CRLs (`/root.crl`,
    `/intermediate.crl`), OCSP (`/ocsp`) and the issuer (`/root.cer`, `/intermediate.cer`) are; "": nowhere.
    """

    __test__: ClassVar[bool] = False
    """pytest takes classes of this name for tests."""

    def __init__(self, valid_from: datetime = VALID_FROM, *, address: str = "") -> None:
        self.valid_from = valid_from
        self._address = address
        self._root_key = ec.generate_private_key(ec.SECP384R1())
        self._intermediate_key = ec.generate_private_key(ec.SECP384R1())
        root = Holder("TEST Rădăcină Pecete").subject()
        intermediate = Holder("TEST Autoritate Pecete").subject()
        self.root = self._issue_authority(root, root, self._root_key.public_key(), path_length=1)
        self.intermediate = self._issue_authority(
            intermediate, root, self._intermediate_key.public_key(), path_length=0
        )

    @property
    def chain(self) -> tuple[bytes, ...]:
        """What stands above every issued certificate, DER, nearest first, with the root."""
        return tuple(each.public_bytes(Encoding.DER) for each in (self.intermediate, self.root))

    def issue_signer(
        self,
        holder: Holder,
        public_key: HolderKey,
        *,
        life: timedelta = HOLDER_LIFE,
    ) -> x509.Certificate:
        """Issue a certificate for signatures or seals: critical key usage nonRepudiation alone."""
        builder = self._holder_builder(holder.subject(), public_key, life)
        builder = builder.add_extension(_key_usage(content_commitment=True), critical=True)
        return builder.sign(self._intermediate_key, hashes.SHA384())

    def issue_requested(
        self,
        request: x509.CertificateSigningRequest,
        *,
        life: timedelta = HOLDER_LIFE,
        statements: bytes = b"",
    ) -> x509.Certificate:
        """Issue what a request asks for: its subject, its key, and its extensions.

        statements: QCStatements (DER) to declare.
        """
        public_key = cast("HolderKey", request.public_key())
        builder = self._holder_builder(request.subject, public_key, life)
        for extension in request.extensions:
            builder = builder.add_extension(extension.value, critical=extension.critical)
        if statements:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(_QC_STATEMENTS, statements), critical=False
            )
        return builder.sign(self._intermediate_key, hashes.SHA384())

    def issue_authentication(self, holder: Holder, public_key: HolderKey) -> x509.Certificate:
        """Issue a certificate for logging in somewhere: critical key usage digitalSignature alone."""
        builder = self._holder_builder(holder.subject(), public_key, HOLDER_LIFE)
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        return builder.sign(self._intermediate_key, hashes.SHA384())

    def issue_timestamping(
        self,
        holder: Holder,
        public_key: HolderKey,
        *,
        life: timedelta = HOLDER_LIFE,
    ) -> x509.Certificate:
        """Issue a time-stamping authority's certificate: critical and only time-stamping (RFC 3161 §2.3)."""
        builder = self._holder_builder(holder.subject(), public_key, life)
        builder = builder.add_extension(_key_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
        return builder.sign(self._intermediate_key, hashes.SHA384())

    def revocation_lists(
        self,
        time: datetime,
        *,
        revoked: Sequence[tuple[x509.Certificate, datetime]] = (),
        life: timedelta = timedelta(days=365),
    ) -> tuple[bytes, bytes]:
        """Give the root's list and the intermediate's (DER), issued at `time`, each with what it revokes."""
        of_root = _revocation_list(self.root, time, life)
        of_intermediate = _revocation_list(self.intermediate, time, life)
        for certificate, since in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            made = entry.revocation_date(since).build()
            if certificate.issuer == self.root.subject:
                of_root = of_root.add_revoked_certificate(made)
            else:
                of_intermediate = of_intermediate.add_revoked_certificate(made)
        root = of_root.sign(self._root_key, hashes.SHA384())
        intermediate = of_intermediate.sign(self._intermediate_key, hashes.SHA384())
        return root.public_bytes(Encoding.DER), intermediate.public_bytes(Encoding.DER)

    def ocsp_response(
        self, certificate: x509.Certificate, time: datetime, *, life: timedelta = timedelta(days=7)
    ) -> bytes:
        """Give the intermediate's OCSPResponse (DER) that a certificate it issued is good, made at `time`."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=self.intermediate,
            algorithm=hashes.SHA1(),  # noqa: S303 - names the issuer, as requests do (RFC 5019 §2.1.1)
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=time,
            next_update=time + life,
            revocation_time=None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.intermediate)
        return builder.sign(self._intermediate_key, hashes.SHA384()).public_bytes(Encoding.DER)

    def _issue_authority(
        self, subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, path_length: int
    ) -> x509.Certificate:
        builder = _builder(subject, issuer, public_key, self.valid_from, AUTHORITY_LIFE)
        builder = builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=path_length), critical=True
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key()), critical=False
        )
        if subject != issuer:
            builder = self._say_where(builder, "root")
        return builder.sign(self._root_key, hashes.SHA384())

    def _holder_builder(
        self, subject: x509.Name, public_key: HolderKey, life: timedelta
    ) -> x509.CertificateBuilder:
        builder = _builder(subject, self.intermediate.subject, public_key, self.valid_from, life)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = self._say_where(builder, "intermediate")
        return builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._intermediate_key.public_key()),
            critical=False,
        )

    def _say_where(self, builder: x509.CertificateBuilder, issuer: str) -> x509.CertificateBuilder:
        """CRL distribution point and authority information access (RFC 5280 §4.2.1.13 and §4.2.2.1)."""
        if not self._address:
            return builder
        crl = x509.UniformResourceIdentifier(f"{self._address}/{issuer}.crl")
        places = {
            AuthorityInformationAccessOID.OCSP: f"{self._address}/ocsp",
            AuthorityInformationAccessOID.CA_ISSUERS: f"{self._address}/{issuer}.cer",
        }
        access = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
            for method, url in places.items()
        ]
        point = x509.DistributionPoint([crl], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: HolderKey, valid_from: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _revocation_list(
    issuer: x509.Certificate, time: datetime, life: timedelta
) -> x509.CertificateRevocationListBuilder:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(time)
        .next_update(time + life)
        .add_extension(x509.CRLNumber(int(time.timestamp())), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )


def _key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
