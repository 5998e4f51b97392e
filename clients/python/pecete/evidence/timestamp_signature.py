"""The signature of a TimeStampToken: its one SignerInfo, signed attributes and certificate (RFC 5652 §5)."""

import hashlib
from collections.abc import Sequence

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pecete.evidence.timestamp_path import key_is_strong, load_certificate
from pecete.evidence.timestamp_token import TimestampError, load_signed_data, malformed_when_unreadable

DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256,
    "sha3_384": hashes.SHA3_384,
    "sha3_512": hashes.SHA3_512,
}
"""Digest algorithms that are believed, by asn1crypto's and hashlib's name."""

_SIGNING_CERTIFICATE = ("signing_certificate", "signing_certificate_v2")


def verify_token_signature(token: bytes, tst_info: bytes, certificates: Sequence[bytes]) -> x509.Certificate:
    """Check that one signer signed `tst_info` and give the certificate that it names (RFC 3161 §2.4.2).

    certificates: DER, to find the signer among. Raises TimestampError TIMESTAMP_MALFORMED,
    TIMESTAMP_ALGORITHM_NOT_ALLOWED, TIMESTAMP_CERTIFICATE_MISSING, TIMESTAMP_CERTIFICATE_MISMATCH or
    TIMESTAMP_SIGNATURE_INVALID.
    """
    signed_data = load_signed_data(token)
    with malformed_when_unreadable("SignerInfo of a time-stamp"):
        signer_infos = signed_data["signer_infos"]
        if len(signer_infos) != 1:
            raise ValueError("signerInfos")
        signer_info = signer_infos[0]
        digest_algorithm = signer_info["digest_algorithm"]["algorithm"].native
        attributes = _signed_attributes(signer_info)
        _require_allowed(digest_algorithm)
        _check_content(attributes, tst_info, digest_algorithm)
        certificate = _signer_certificate(signer_info["sid"], attributes, certificates)
        verify_signature(
            certificate,
            signer_info["signature_algorithm"],
            digest_algorithm,
            signer_info["signed_attrs"].untag().dump(),
            signer_info["signature"].native,
        )
    return certificate


def verify_signature(
    certificate: x509.Certificate,
    algorithm: cms.SignedDigestAlgorithm,
    digest_algorithm: str,
    message: bytes,
    signature: bytes,
) -> None:
    """Check that `signature` over `message` was made with the key of `certificate`.

    digest_algorithm: the signer's, for signature algorithms that name none of their own (`rsaEncryption`).
    Raises TimestampError TIMESTAMP_ALGORITHM_NOT_ALLOWED or TIMESTAMP_SIGNATURE_INVALID.
    """
    if not key_is_strong(certificate):
        raise _not_allowed("The key of the time-stamping unit is too weak.")
    digest = _require_allowed(_digest_of(algorithm, digest_algorithm))
    if not _verifies(certificate, algorithm, digest, message, signature):
        raise TimestampError(
            "TIMESTAMP_SIGNATURE_INVALID",
            "The signature of the time-stamp does not verify.",
            field="timestamp",
        )


def _verifies(
    certificate: x509.Certificate,
    algorithm: cms.SignedDigestAlgorithm,
    digest: hashes.HashAlgorithm,
    message: bytes,
    signature: bytes,
) -> bool:
    key, scheme = certificate.public_key(), algorithm.signature_algo
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
            key.verify(signature, message, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pkcs1v15":
            key.verify(signature, message, padding.PKCS1v15(), digest)
        elif isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pss":
            key.verify(signature, message, _pss(algorithm), digest)
        else:
            raise _not_allowed("The signature algorithm of the time-stamp is not accepted.")
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _digest_of(algorithm: cms.SignedDigestAlgorithm, digest_algorithm: str) -> str:
    if algorithm["algorithm"].native == "rsassa_pkcs1v15":
        return digest_algorithm
    try:
        return str(algorithm.hash_algo)
    except ValueError as error:
        raise _not_allowed("The signature algorithm of the time-stamp is not accepted.") from error


def _pss(algorithm: cms.SignedDigestAlgorithm) -> padding.PSS:
    parameters = algorithm["parameters"]
    mask = parameters["mask_gen_algorithm"]
    if mask["algorithm"].native != "mgf1" or parameters["trailer_field"].native != "trailer_field_bc":
        raise _not_allowed("The RSASSA-PSS parameters of the time-stamp are not accepted.")
    digest = _require_allowed(mask["parameters"]["algorithm"].native)
    return padding.PSS(padding.MGF1(digest), parameters["salt_length"].native)


def _signed_attributes(signer_info: cms.SignerInfo) -> dict[str, cms.CMSAttribute]:
    attributes: dict[str, cms.CMSAttribute] = {}
    for attribute in signer_info["signed_attrs"] or ():
        kind = attribute["type"].native
        if kind in attributes or len(attribute["values"]) != 1:
            raise ValueError("repeated attribute")
        attributes[kind] = attribute["values"][0]
    if not {"content_type", "message_digest"} <= attributes.keys():
        raise ValueError("missing attribute")
    return attributes


def _check_content(attributes: dict[str, cms.CMSAttribute], tst_info: bytes, digest_algorithm: str) -> None:
    if attributes["content_type"].native != "tst_info":
        raise ValueError("contentType")
    if attributes["message_digest"].native != hashlib.new(digest_algorithm, tst_info).digest():
        raise TimestampError(
            "TIMESTAMP_SIGNATURE_INVALID",
            "What was signed is not the TSTInfo that the time-stamp carries.",
            field="timestamp",
        )


def _signer_certificate(
    identifier: cms.SignerIdentifier, attributes: dict[str, cms.CMSAttribute], certificates: Sequence[bytes]
) -> x509.Certificate:
    """Find the certificate that both the SignerIdentifier and the signing-certificate attribute name."""
    named = [der for der in certificates if _is_named(identifier, der)]
    if not named:
        raise TimestampError(
            "TIMESTAMP_CERTIFICATE_MISSING",
            "The certificate of the time-stamping unit is neither in the time-stamp nor given.",
            field="timestamp",
        )
    references = [attributes[kind]["certs"][0] for kind in _SIGNING_CERTIFICATE if kind in attributes]
    bound = [der for der in named if references and all(_is_hashed(ref, der) for ref in references)]
    certificate = load_certificate(bound[0]) if bound else None
    if certificate is None:
        raise TimestampError(
            "TIMESTAMP_CERTIFICATE_MISMATCH",
            "The signed reference to the certificate of the time-stamping unit names another one.",
            field="timestamp",
        )
    return certificate


def _is_named(identifier: cms.SignerIdentifier, der: bytes) -> bool:
    try:
        certificate = asn1_x509.Certificate.load(der, strict=True)
        if identifier.name == "subject_key_identifier":
            return bool(certificate.key_identifier == identifier.chosen.native)
        issuer, serial_number = identifier.chosen["issuer"], identifier.chosen["serial_number"].native
        return bool(certificate.serial_number == serial_number and certificate.issuer == issuer)
    except (ValueError, TypeError, KeyError):
        return False


def _is_hashed(reference: tsp.ESSCertID | tsp.ESSCertIDv2, der: bytes) -> bool:
    """Compare an ESSCertID (SHA-1, RFC 2634) or ESSCertIDv2 (RFC 5035) with a certificate."""
    algorithm = "sha1"
    if isinstance(reference, tsp.ESSCertIDv2):
        algorithm = reference["hash_algorithm"]["algorithm"].native
        _require_allowed(algorithm)
    return bool(hashlib.new(algorithm, der, usedforsecurity=False).digest() == reference["cert_hash"].native)


def _require_allowed(name: str) -> hashes.HashAlgorithm:
    digest = DIGESTS.get(name)
    if digest is None:
        raise _not_allowed("A digest algorithm of the time-stamp is weak or unknown.")
    return digest()


def _not_allowed(message: str) -> TimestampError:
    return TimestampError("TIMESTAMP_ALGORITHM_NOT_ALLOWED", message, field="timestamp")
