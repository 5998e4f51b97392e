"""Whether a certificate may be stored beside a key: judged before the token's PIN is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.errors import AlreadyExistsError, FailedPreconditionError, InvalidArgumentError
from signer.algorithms import SignatureAlgorithm, check_certificate_key, key_bits, signature_end
from signer.certificate_check import read_certificate
from signer.tokens.certificates import common_name, has_issued, is_authority, issuing_chain, signing_purpose
from signer.tokens.configuration import RsaScheme
from signer.tokens.contents import TokenContents
from signer.tokens.inventory import signing_algorithm


@dataclass(frozen=True)
class CertificateImport:
    """A certificate to store and its issuers below the root, nearest first; parsed, and DER."""

    certificate: x509.Certificate
    der: bytes
    chain: tuple[bytes, ...]


def read_import(ders: Sequence[bytes], now: datetime) -> CertificateImport:
    """Read certificates, the key's first, then its issuers in any order; a root among them is left out.

    Raises InvalidArgumentError CERTIFICATE_UNREADABLE, CERTIFICATE_USAGE_WRONG for one that is neither for
    signatures nor for time-stamps, CERTIFICATE_CHAIN_WRONG for one that is not an issuer of the first;
    FailedPreconditionError CERTIFICATE_EXPIRED.
    """
    certificate, *others = [_read(der) for der in ders]
    if signing_purpose(certificate) is None:
        raise InvalidArgumentError(
            "CERTIFICATE_USAGE_WRONG",
            "The certificate is neither for signatures or seals (nonRepudiation) nor for time-stamps "
            "(a critical extended key usage of time-stamping alone).",
            field="certificate",
        )
    if now > certificate.not_valid_after_utc:
        raise FailedPreconditionError(
            "CERTIFICATE_EXPIRED", "The certificate has expired.", field="certificate"
        )
    return CertificateImport(certificate, ders[0], _chain(certificate, others))


def check_import(
    wanted: CertificateImport, contents: TokenContents, rsa_scheme: RsaScheme | None, now: datetime
) -> bytes:
    """Match a certificate with what is in the token, and give the CKA_ID of its key.

    Raises FailedPreconditionError CERTIFICATE_KEY_NOT_IN_TOKEN, ALGORITHM_NOT_RELIABLE,
    CERTIFICATE_OUTLIVES_ALGORITHM; AlreadyExistsError CERTIFICATE_EXISTS; InvalidArgumentError
    KEY_TYPE_NOT_SUPPORTED.
    """
    public_key = wanted.certificate.public_key()
    fitting = [key for key in contents.keys if key.public_key == public_key]
    if not fitting:
        raise certificate_key_not_in_token()
    if any(key.certificate == wanted.certificate for key in fitting):
        raise AlreadyExistsError(
            "CERTIFICATE_EXISTS", "The token has this certificate already.", field="certificate"
        )
    algorithm = signing_algorithm(wanted.certificate, contents.offered, rsa_scheme)
    if algorithm is None:
        raise InvalidArgumentError(
            "KEY_TYPE_NOT_SUPPORTED",
            "Keys are RSA, on P-256, P-384 and P-521, or Ed25519.",
            field="certificate",
        )
    _check_algorithm(algorithm, public_key, wanted.certificate.not_valid_after_utc, now)
    return fitting[0].key_id


def certificate_key_not_in_token() -> FailedPreconditionError:
    """Give the error of a certificate whose key is elsewhere."""
    return FailedPreconditionError(
        "CERTIFICATE_KEY_NOT_IN_TOKEN", "The token holds no key of this certificate.", field="certificate"
    )


def _check_algorithm(
    algorithm: SignatureAlgorithm, public_key: PublicKeyTypes, not_after: datetime, now: datetime
) -> None:
    check_certificate_key(algorithm, public_key, now)
    bits = key_bits(public_key)
    end = signature_end(algorithm, bits)
    if not_after > end:
        raise FailedPreconditionError(
            "CERTIFICATE_OUTLIVES_ALGORITHM",
            f"The certificate is valid beyond {end:%Y-%m-%d}, from when on {algorithm.scheme} with {bits} "
            "bits is not believed; ask for one that ends before, or use another key.",
            field="certificate",
        )


def _read(der: bytes) -> x509.Certificate:
    certificate = read_certificate(der)
    if certificate is None:
        raise InvalidArgumentError(
            "CERTIFICATE_UNREADABLE", "This must be a certificate.", field="certificate"
        )
    return certificate


def _chain(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
    authorities = [each for each in others if is_authority(each)]
    chain = issuing_chain(certificate, authorities)
    top = x509.load_der_x509_certificate(chain[-1]) if chain else certificate
    for each in others:
        is_root = each.subject == each.issuer and has_issued(each, top)
        if each.public_bytes(Encoding.DER) not in chain and not is_root:
            raise InvalidArgumentError(
                "CERTIFICATE_CHAIN_WRONG",
                f"{common_name(each) or 'A certificate'} is not among the issuers of the first one.",
                field="chain",
            )
    return chain
