"""OCSP responses (RFC 6960 §4.2), signed by the issuer itself or by a responder that it delegated."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.validation.certificates import Certificate, load_certificate
from signer.validation.der import SEQUENCE, DerError, octets, read
from signer.validation.path import is_issued_by
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_algorithms import algorithm_use
from signer.validation.signature_value import Scheme, read_scheme, verifies
from signer.validation.times import asn1_time

_ARCHIVE_CUTOFF = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.1.6")
_BASIC_RESPONSE = bytes.fromhex("06092b0601050507300101")


@dataclass(frozen=True)
class SingleResponse:
    """What a response says of one certificate (RFC 6960 §4.2.1), whose issuer is known by two hashes."""

    serial_number: int
    digest: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    on_hold: bool

    def is_about(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether it is about a certificate of that issuer."""
        return (
            self.serial_number == certificate.parsed.serial_number
            and self.issuer_name_hash == _hash(self.digest, certificate.issuer)
            and self.issuer_key_hash == _hash(self.digest, issuer.key_bits)
        )


@dataclass(frozen=True, eq=False)
class OcspResponse:
    """A successful response as read. der: the OCSPResponse. responders: certificates that it carries.

    singles: those that know a status. archive_cutoff: from when on the status of expired certificates is
    kept (RFC 6960 §4.4.4), None where it is not.
    """

    der: bytes
    parsed: ocsp.OCSPResponse
    scheme: Scheme | None
    responders: tuple[Certificate, ...]
    singles: tuple[SingleResponse, ...]
    archive_cutoff: datetime | None


@lru_cache(maxsize=512)
def load_ocsp_response(der: bytes) -> OcspResponse | None:
    """A successful OCSPResponse, or a BasicOCSPResponse alone as some signatures carry it; None otherwise."""
    for candidate in (der, _as_response(der)):
        try:
            parsed = ocsp.load_der_ocsp_response(candidate)
            if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            _ = parsed.extensions
            singles = tuple(_singles(parsed))
            basic = read(
                octets(read(candidate).parts(SEQUENCE, 2)[1].parts(0xA0, 1)[0].parts(SEQUENCE, 2)[1])
            )
            scheme = read_scheme(basic.parts(SEQUENCE, 3)[1], "")
            loaded = (load_certificate(c.public_bytes(Encoding.DER)) for c in parsed.certificates)
            responders = tuple(c for c in loaded if c is not None)
            return OcspResponse(candidate, parsed, scheme, responders, singles, _archive_cutoff(parsed))
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, DerError):
            continue
    return None


def _as_response(basic: bytes) -> bytes:
    content = _tlv(0x30, _BASIC_RESPONSE + _tlv(0x04, basic))
    return _tlv(0x30, b"\x0a\x01\x00" + _tlv(0xA0, content))


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def is_delegate(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer let this key answer for it (RFC 6960 §4.2.2.2)."""
    usage = certificate.extension(x509.ExtendedKeyUsage)
    return (
        usage is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usage and is_issued_by(certificate, issuer)
    )


@lru_cache(maxsize=1024)
def signed_by(response: OcspResponse, responder: Certificate) -> bool:
    """Whether the response carries this key's signature."""
    if response.scheme is None:
        return False
    parsed = response.parsed
    return bool(verifies(response.scheme, responder.key, parsed.signature, parsed.tbs_response_bytes))


def _singles(parsed: ocsp.OCSPResponse) -> Iterator[SingleResponse]:
    for single in parsed.responses:
        name = single.hash_algorithm.name
        known = single.certificate_status is not ocsp.OCSPCertStatus.UNKNOWN
        if known and name in hashlib.algorithms_guaranteed:
            yield SingleResponse(
                single.serial_number,
                name,
                single.issuer_name_hash,
                single.issuer_key_hash,
                single.this_update_utc,
                single.next_update_utc,
                single.revocation_time_utc,
                single.revocation_reason is x509.ReasonFlags.certificate_hold,
            )


@lru_cache(maxsize=1024)
def _hash(digest: str, octets: bytes) -> bytes:
    return hashlib.new(digest, octets, usedforsecurity=False).digest()


def ocsp_statement(
    response: OcspResponse, single: SingleResponse, responder: Certificate
) -> RevocationStatement:
    """What a single response says, on the word of `responder`."""
    return RevocationStatement(
        "OCSP",
        response.der,
        single.this_update,
        single.next_update,
        single.revoked_at,
        single.on_hold,
        responder,
        algorithm_use("OCSP response", response.scheme, responder),
        response.archive_cutoff,
    )


def _archive_cutoff(response: ocsp.OCSPResponse) -> datetime | None:
    if len(list(response.responses)) != 1:
        return None
    for extension in response.single_extensions:
        if extension.oid == _ARCHIVE_CUTOFF and isinstance(extension.value, x509.UnrecognizedExtension):
            try:
                return asn1_time(read(extension.value.value))
            except DerError:
                return None
    return None
