"""Whether a SignedData is what its signer signed (EN 319 102-1 §5.2.7 and §5.2.3): facts, no judgement."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from signer.der import SET, tlv
from signer.validation.certificates import load_certificate
from signer.validation.der import (
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Element,
    expect,
    octets,
    oid,
    read,
)
from signer.validation.facts import AlgorithmUse, CmsFacts, SignerBinding
from signer.validation.signature_policy import signature_policy
from signer.validation.signature_value import (
    DIGESTS,
    Scheme,
    key_size,
    read_scheme,
    verifies,
    verifies_digest,
)
from signer.validation.signed_data import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
    SignedData,
    SignerInfo,
)
from signer.validation.times import asn1_time

_SINGLE_VALUED = (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2)
"""Signed attributes that have one value, or are none (RFC 5652 §11, RFC 5035 §3)."""

_ONLY_SIGNED = (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME)
"""Attributes that must not be unsigned (RFC 5652 §11.1 to §11.3)."""

ContentDigest = Callable[[str], bytes | None]
"""Digest of the signed content by hashlib's name of the algorithm; None where the content is missing."""


def no_content(_: str) -> None:
    """Gives no digest: the content is missing."""


def octets_digest(octets: bytes) -> ContentDigest:
    """Gives the digests of octets."""
    return lambda name: hashlib.new(name, octets, usedforsecurity=False).digest()


def undecodable(fault: str) -> CmsFacts:
    """Facts of what is no SignedData at all."""
    return CmsFacts(None, None, None, SignerBinding.ABSENT, (), (), (), (), (), None, (fault,))


def cms_facts(
    signed_data: SignedData,
    content_type: str | None,
    digest_of: ContentDigest,
    further_certificates: Iterable[bytes] = (),
) -> CmsFacts:
    """Check the first signer of `signed_data` over content with the given digests.

    content_type: what the content-type attribute must say; None for a counter-signature's, which has no need
    of one. Raises DerError where attributes cannot be read.
    """
    if not signed_data.signers:
        return undecodable("the signature has no signer")
    signer = signed_data.signers[0]
    faults = _signer_faults(signed_data, signer, content_type)
    candidates = [*signed_data.certificates, *further_certificates]
    certificate_der, binding = _signer_certificate(signer, candidates)
    certificate = load_certificate(certificate_der) if certificate_der else None
    key = certificate.key if certificate else _lone_key(certificate_der)
    digest_name = DIGESTS.get(signer.digest_algorithm, "")
    scheme = read_scheme(signer.signature_algorithm, digest_name)
    digest = digest_of(digest_name) if digest_name else None
    digest_matches = _digest_matches(signer, digest, bool(digest_name))
    readable = key is not None or all(load_certificate(der) for der in signed_data.certificates)
    if not readable and digest_matches is not False:  # a wrong digest is verdict enough
        raise DerError("a certificate in the signature is malformed")
    return CmsFacts(
        digest_matches=digest_matches,
        signature_matches=_signature_matches(signer, digest, scheme, key),
        signer_certificate=certificate_der if certificate else None,
        binding=binding,
        algorithms=_algorithms(signer, digest_name, scheme, key),
        attributes=tuple(attribute.kind for attribute in signer.signed_attributes),
        certificates=signed_data.certificates,
        crls=signed_data.crls,
        ocsp_responses=signed_data.ocsp_responses,
        signing_time=_signing_time(signer),
        faults=tuple(faults),
        policy=signature_policy(signer),
        signature_value=signer.signature,
        content_digest=digest or b"",
        signed_digest=_signed_digest(signer),
    )


def _signed_digest(signer: SignerInfo) -> bytes:
    """SHA-256 of the signed attributes, by which reports name a signature; empty where there are none."""
    attributes = signer.signed_attributes_element
    return hashlib.sha256(b"\x31" + attributes.raw[1:]).digest() if attributes else b""


def _signer_faults(signed_data: SignedData, signer: SignerInfo, content_type: str | None) -> list[str]:
    faults = []
    if len(signed_data.signers) != 1:
        faults.append(f"{len(signed_data.signers)} signers in one signature instead of one")
    if any(signer.unsigned(kind) for kind in _ONLY_SIGNED):
        faults.append("an attribute stands among the unsigned ones that only counts when it is signed")
    if signer.signed_attributes_element is None:
        return faults
    kinds = [attribute.kind for attribute in signer.signed_attributes]
    repeated = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if repeated:
        faults.append("a signed attribute is repeated: " + ", ".join(repeated))
    if content_type is None:
        return faults
    stated = [value for attribute in signer.signed(CONTENT_TYPE) for value in attribute.values]
    if len(stated) != 1 or oid(read(stated[0])) != content_type:
        faults.append("the content-type attribute does not state the type of the content")
    return faults


def _digest_matches(signer: SignerInfo, digest: bytes | None, known: bool) -> bool | None:
    """The message-digest attribute against the content; without attributes the value covers the content."""
    if signer.signed_attributes_element is None:
        return True if digest is not None else None
    stated = [value for attribute in signer.signed(MESSAGE_DIGEST) for value in attribute.values]
    if not known or len(stated) != 1:
        return False  # an unknown digest can match nothing; a repeated one is two statements
    return None if digest is None else octets(expect(read(stated[0]), OCTET_STRING)) == digest


def _signature_matches(
    signer: SignerInfo, digest: bytes | None, scheme: Scheme | None, key: CertificatePublicKeyTypes | None
) -> bool | None:
    attributes = signer.signed_attributes
    if any(len(each.values) != 1 for each in attributes if each.kind in _SINGLE_VALUED):
        return False
    if key is None or scheme is None:
        return None
    if signer.signed_attributes_element is None:
        return None if digest is None else verifies_digest(scheme, key, signer.signature, digest)
    # What is signed is the DER encoding of the SET OF, in whatever order BER has it (RFC 5652 §5.4).
    signed = tlv(SET, *sorted(attribute.stored for attribute in attributes))
    return verifies(scheme, key, signer.signature, signed)


def _lone_key(certificate: bytes | None) -> CertificatePublicKeyTypes | None:
    """The key of a certificate that breaks a rule elsewhere: it is no signer's, but values can be checked."""
    try:
        return x509.load_der_x509_certificate(certificate).public_key() if certificate else None
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None


def _signer_certificate(
    signer: SignerInfo, candidates: Sequence[bytes]
) -> tuple[bytes | None, SignerBinding]:
    """The certificate that the signature names, and whether its signed reference names it too."""
    references = _references(signer)
    named = [der for der in dict.fromkeys(candidates) if _is_named(signer, der)]
    if not references:
        return (named[0] if named else None), SignerBinding.ABSENT
    for der in named or dict.fromkeys(candidates):
        if all(_is_hashed(reference, der) for reference in references):
            return der, SignerBinding.BOUND  # an issuerSerial that differs is no reason to doubt the hash
    return (named[0] if named else None), SignerBinding.MISMATCH


def _references(signer: SignerInfo) -> list[tuple[str, bytes]]:
    """(digest name, hash) of the first certificate in each signing-certificate attribute (RFC 5035)."""
    found = []
    for kind, default in ((SIGNING_CERTIFICATE, "sha1"), (SIGNING_CERTIFICATE_V2, "sha256")):
        for attribute in signer.signed(kind):
            for value in attribute.values:
                found.append(_reference(read(value), default))
    return found


def _reference(value: Element, default: str) -> tuple[str, bytes]:
    certificates = value.parts(SEQUENCE, 1)[0].parts(SEQUENCE, 1)
    parts = certificates[0].parts(SEQUENCE, 1)
    if parts[0].tag == SEQUENCE:
        name = DIGESTS.get(oid(parts[0].parts(SEQUENCE, 1)[0]), "")
        if len(parts) < 2:
            raise DerError("a certificate reference without a hash")
        return name, octets(parts[1])
    return default, octets(parts[0])


def _is_hashed(reference: tuple[str, bytes], der: bytes) -> bool:
    name, value = reference
    return bool(name) and hashlib.new(name, der, usedforsecurity=False).digest() == value


def _is_named(signer: SignerInfo, der: bytes) -> bool:
    certificate = load_certificate(der)
    if certificate is None:
        return False
    if signer.subject_key_identifier is not None:
        identifier = certificate.extension(x509.SubjectKeyIdentifier)
        return identifier is not None and identifier.digest == signer.subject_key_identifier
    return certificate.parsed.serial_number == signer.serial_number and certificate.issuer == signer.issuer


def _algorithms(
    signer: SignerInfo, digest_name: str, scheme: Scheme | None, key: CertificatePublicKeyTypes | None
) -> tuple[AlgorithmUse, ...]:
    uses = [AlgorithmUse("message-digest", digest_name or signer.digest_algorithm)]
    bits = key_size(key) if key else 0
    if scheme is None:
        uses.append(AlgorithmUse("signature value", digest_name, "unknown", bits))
    else:
        uses.append(AlgorithmUse("signature value", scheme.digest, scheme.name, bits))
        if scheme.mask_digest and scheme.mask_digest != scheme.digest:
            uses.append(AlgorithmUse("mask of the signature value", scheme.mask_digest))
    return tuple(uses)


def _signing_time(signer: SignerInfo) -> datetime | None:
    """The signing-time attribute; a malformed one is as none (EN 319 102-1 §5.2.8)."""
    for attribute in signer.signed(SIGNING_TIME):
        for value in attribute.values:
            try:
                return asn1_time(read(value))
            except DerError:
                return None
    return None
