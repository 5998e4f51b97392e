"""OCSP responses (RFC 6960 §4.2), signed by the issuer itself or by a responder that it delegated."""

import hashlib
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
from signer.validation.facts import AlgorithmUse
from signer.validation.path import is_issued_by
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_value import Scheme, key_size, read_scheme, verifies
from signer.validation.times import asn1_time

_ARCHIVE_CUTOFF = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.1.6")
_BASIC_RESPONSE = bytes.fromhex("06092b0601050507300101")


@dataclass(frozen=True)
class OcspResponse:
    """A successful response as read. der: the OCSPResponse. responders: certificates that it carries."""

    der: bytes
    parsed: ocsp.OCSPResponse
    scheme: Scheme | None
    responders: tuple[Certificate, ...]


@lru_cache(maxsize=512)
def load_ocsp_response(der: bytes) -> OcspResponse | None:
    """A successful OCSPResponse, or a BasicOCSPResponse alone as some signatures carry it; None otherwise."""
    for candidate in (der, _as_response(der)):
        try:
            parsed = ocsp.load_der_ocsp_response(candidate)
            if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return None
            _ = parsed.extensions, list(parsed.responses)
            basic = read(
                octets(read(candidate).parts(SEQUENCE, 2)[1].parts(0xA0, 1)[0].parts(SEQUENCE, 2)[1])
            )
            scheme = read_scheme(basic.parts(SEQUENCE, 3)[1], "")
            loaded = (load_certificate(c.public_bytes(Encoding.DER)) for c in parsed.certificates)
            return OcspResponse(candidate, parsed, scheme, tuple(c for c in loaded if c is not None))
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


def signed_by(response: OcspResponse, responder: Certificate) -> bool:
    """Whether the response carries this key's signature."""
    if response.scheme is None:
        return False
    parsed = response.parsed
    return bool(verifies(response.scheme, responder.key, parsed.signature, parsed.tbs_response_bytes))


def singles_about(
    response: OcspResponse, certificate: Certificate, issuer: Certificate
) -> list[ocsp.OCSPSingleResponse]:
    """The single responses that know the status of a certificate."""
    return [single for single in response.parsed.responses if _is_about(single, certificate, issuer)]


def _is_about(single: ocsp.OCSPSingleResponse, certificate: Certificate, issuer: Certificate) -> bool:
    if single.serial_number != certificate.parsed.serial_number:
        return False
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return False
    name = single.hash_algorithm.name
    key = _key_bits(issuer)
    return (
        name in hashlib.algorithms_guaranteed
        and key is not None
        and single.issuer_name_hash == hashlib.new(name, certificate.issuer, usedforsecurity=False).digest()
        and single.issuer_key_hash == hashlib.new(name, key, usedforsecurity=False).digest()
    )


def _key_bits(issuer: Certificate) -> bytes | None:
    """The BIT STRING of the issuer's subjectPublicKey without its count of unused bits."""
    try:
        fields = read(issuer.der).parts(SEQUENCE, 3)[0].parts(SEQUENCE, 6)
        first = 1 if fields[0].tag == 0xA0 else 0
        return fields[first + 5].parts(SEQUENCE, 2)[1].content[1:]
    except (DerError, IndexError):
        return None


def ocsp_statement(
    response: OcspResponse, single: ocsp.OCSPSingleResponse, responder: Certificate
) -> RevocationStatement:
    """What a single response says, on the word of `responder`."""
    scheme = response.scheme
    digest, name = (scheme.digest, scheme.name) if scheme else ("", "unknown")
    return RevocationStatement(
        "OCSP",
        response.der,
        single.this_update_utc,
        single.next_update_utc,
        single.revocation_time_utc,
        single.revocation_reason is x509.ReasonFlags.certificate_hold,
        responder,
        AlgorithmUse("OCSP response", digest, name, key_size(responder.key)),
        _archive_cutoff(response.parsed),
    )


def _archive_cutoff(response: ocsp.OCSPResponse) -> datetime | None:
    """archiveCutoff: from when on the status of expired certificates is kept (RFC 6960 §4.4.4)."""
    if len(list(response.responses)) != 1:
        return None
    for extension in response.single_extensions:
        if extension.oid == _ARCHIVE_CUTOFF and isinstance(extension.value, x509.UnrecognizedExtension):
            try:
                return asn1_time(read(extension.value.value))
            except DerError:
                return None
    return None
