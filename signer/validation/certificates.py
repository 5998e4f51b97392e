"""Certificates as they are found: read once, with their names byte for byte, and gathered in a pool."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from signer.validation.der import BIT_STRING, INTEGER, SEQUENCE, DerError, Element, expect, integer, oid, read

_EXPLICIT_VERSION = 0xA0
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, eq=False)
class Certificate:
    """An X.509 certificate. subject, issuer: names as DER, byte for byte as stored."""

    der: bytes
    parsed: x509.Certificate
    key: CertificatePublicKeyTypes
    subject: bytes
    issuer: bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    @cached_property
    def common_name(self) -> str:
        """The common name for people, or the whole subject where there is none."""
        names = self.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[-1].value) if names else self.parsed.subject.rfc4514_string()

    @cached_property
    def sha256(self) -> str:
        """Fingerprint, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def key_bits(self) -> bytes:
        """The BIT STRING of subjectPublicKey without its count of unused bits; how OCSP knows a key."""
        fields = read(self.der).parts(SEQUENCE, 3)[0].parts(SEQUENCE, 6)
        first = 1 if fields[0].tag == _EXPLICIT_VERSION else 0
        return fields[first + 5].parts(SEQUENCE, 2)[1].content[1:]

    @cached_property
    def not_before(self) -> datetime:
        """Beginning of the validity period."""
        return self.parsed.not_valid_before_utc

    @cached_property
    def not_after(self) -> datetime:
        """Last moment of the validity period."""
        return self.parsed.not_valid_after_utc

    def is_valid_at(self, time: datetime) -> bool:
        """Whether a time lies in the validity period."""
        return self.not_before <= time <= self.not_after

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer

    def extension(self, kind: type[_Extension]) -> _Extension | None:
        """The value of an extension, None where the certificate has none."""
        try:
            return self.parsed.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


@lru_cache(maxsize=2048)
def load_certificate(der: bytes) -> Certificate | None:
    """A certificate all of whose parts can be read; None for anything else."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        # Each of these is read only when it is asked for, and each may be malformed by itself.
        _ = parsed.extensions, parsed.subject, parsed.issuer, parsed.signature
        _ = parsed.not_valid_after_utc, parsed.not_valid_before_utc, parsed.serial_number
        fields = read(der).parts(SEQUENCE, 3)[0].parts(SEQUENCE, 6)
        first = 1 if fields[0].tag == _EXPLICIT_VERSION else 0
        key = _public_key(parsed, fields[first + 5])
        return Certificate(der, parsed, key, fields[first + 4].raw, fields[first + 2].raw)
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion, DerError):
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, OverflowError):
        return None


def _public_key(parsed: x509.Certificate, key_info: Element) -> CertificatePublicKeyTypes:
    """The public key; an RSA modulus without its leading zero, as in some national ID cards, is read."""
    try:
        return parsed.public_key()
    except ValueError:
        algorithm, wrapped = key_info.parts(SEQUENCE, 2)[:2]
        if oid(algorithm.parts(SEQUENCE, 1)[0]) != _RSA_ENCRYPTION or wrapped.tag != BIT_STRING:
            raise
        modulus, exponent = read(wrapped.content, 1).parts(SEQUENCE, 2)[:2]
        unsigned = int.from_bytes(expect(modulus, INTEGER).content, "big")
        return rsa.RSAPublicNumbers(integer(exponent), unsigned).public_key()


class CertificatePool:
    """Certificates by subject, in which issuers are looked for."""

    def __init__(self, ders: Iterable[bytes]) -> None:
        self._by_subject: dict[bytes, list[Certificate]] = {}
        for der in dict.fromkeys(ders):
            certificate = load_certificate(der)
            if certificate is not None:
                self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def named(self, subject: bytes) -> list[Certificate]:
        """Certificates of that subject."""
        return self._by_subject.get(subject, [])
