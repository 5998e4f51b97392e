"""Which certificates a CRL is about: its issuing distribution point (RFC 5280 §5.2.5, §6.3.3 (b))."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from signer.validation.certificates import Certificate


@dataclass(frozen=True)
class CrlScope:
    """An issuing distribution point as read; the whole of an issuer's certificates where there is none.

    names: of the distribution point; None where it is not named. indirect: whether entries may be of
    certificates of other issuers.
    """

    names: frozenset[object] | None = None
    only_user_certificates: bool = False
    only_authority_certificates: bool = False
    only_attribute_certificates: bool = False
    only_some_reasons: bool = False
    indirect: bool = False

    def includes(self, certificate: Certificate, crl_issuer: bytes) -> bool:
        """Whether a certificate must be on the list if it is revoked. crl_issuer: the list's, DER."""
        constraints = certificate.extension(x509.BasicConstraints)
        authority = constraints is not None and constraints.ca
        if self.only_attribute_certificates:
            return False
        if (self.only_user_certificates and authority) or (
            self.only_authority_certificates and not authority
        ):
            return False
        if crl_issuer == certificate.issuer:
            return self.names is None or bool(self.names & _point_names(certificate))
        return self.indirect and self._is_named(certificate, crl_issuer)

    def _is_named(self, certificate: Certificate, crl_issuer: bytes) -> bool:
        """Whether the certificate itself says that this issuer's lists are about it."""
        return any(
            crl_issuer in _issuers(point) and (self.names is None or bool(self.names & _names(point)))
            for point in _points(certificate)
        )


def read_scope(crl: x509.CertificateRevocationList) -> CrlScope:
    """The scope of a list."""
    try:
        stated = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return CrlScope()
    names: frozenset[object] | None = None
    if stated.full_name is not None:
        names = frozenset(stated.full_name)
    elif stated.relative_name is not None:
        names = frozenset({stated.relative_name})
    return CrlScope(
        names,
        stated.only_contains_user_certs,
        stated.only_contains_ca_certs,
        stated.only_contains_attribute_certs,
        stated.only_some_reasons is not None,
        stated.indirect_crl,
    )


def crl_issuers(certificate: Certificate) -> frozenset[bytes]:
    """Names, DER, of those whose lists a certificate says are about it, beside its issuer."""
    return frozenset(name for point in _points(certificate) for name in _issuers(point))


def _points(certificate: Certificate) -> Iterator[x509.DistributionPoint]:
    yield from certificate.extension(x509.CRLDistributionPoints) or ()


def _point_names(certificate: Certificate) -> frozenset[object]:
    return frozenset(name for point in _points(certificate) for name in _names(point))


def _names(point: x509.DistributionPoint) -> frozenset[object]:
    """Names of a distribution point; where it has none, those of the issuer of its lists."""
    if point.relative_name is not None:
        return frozenset({point.relative_name})
    return frozenset(point.full_name or point.crl_issuer or ())


def _issuers(point: x509.DistributionPoint) -> frozenset[bytes]:
    names = point.crl_issuer or ()
    return frozenset(name.value.public_bytes() for name in names if isinstance(name, x509.DirectoryName))
