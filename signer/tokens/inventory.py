"""The signing keys of a token, known by their certificates.

Slots, labels and serials change, repeat or are empty; a certificate's SHA-256 does not. Everything here works
without a login: certificates and public keys are public objects, private keys are not seen.
"""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import PublicKeyAlgorithmOID
from pkcs11 import Mechanism

from pecete.errors import InvalidArgumentError
from signer.algorithms import LEAST_BITS_FOR_PSS, SignatureAlgorithm, default_algorithm, key_bits
from signer.tokens.certificates import (
    SigningKeyPurpose,
    common_name,
    is_authority,
    issuing_chain,
    signing_purpose,
)
from signer.tokens.configuration import RsaScheme
from signer.tokens.mechanisms import is_offered
from signer.tokens.objects import (
    clean_text,
    stored_certificates,
    stored_public_keys,
)

_LOGGER = logging.getLogger(__name__)
_RSA_PSS = SignatureAlgorithm("rsa_pss", "sha256")

KeyType = Literal["rsa", "ec", "ed25519"]


@dataclass(frozen=True)
class SigningKeyInfo:
    """A signing key as others may know it.

    id: SHA-256 of the certificate, hex. certificate: DER. chain: issuing certificates found in the token,
    nearest first, DER, without the self-signed root. label: the certificate's label in the token.
    token_label: the token's. key_bits: as of `algorithms.key_bits`. not_before, not_after: the
    certificate's validity, UTC. purpose: whether the certificate is for signatures or for time-stamps.
    """

    id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    algorithm: SignatureAlgorithm
    common_name: str
    label: str
    token_label: str
    key_type: KeyType
    key_bits: int
    not_before: datetime
    not_after: datetime
    purpose: SigningKeyPurpose


@dataclass(frozen=True)
class InventoryEntry:
    """A signing key, and what finds its private key after a login and checks what that signs."""

    info: SigningKeyInfo
    key_id: bytes
    public_key: PublicKeyTypes


def read_inventory(
    session: pkcs11.Session, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
) -> dict[str, InventoryEntry]:
    """Give a token's signing keys by the SHA-256 (hex) of their certificates.

    A key is listed when its certificate is for signatures or time-stamps, has a CKA_ID, and is of the public
    key stored under that CKA_ID, if the token shows one. Raises PKCS11Error.
    """
    stored = list(stored_certificates(session))
    authorities = [each.certificate for each in stored if is_authority(each.certificate)]
    public_keys = stored_public_keys(session)
    entries = {}
    for each in stored:
        purpose = signing_purpose(each.certificate)
        if purpose is None or not each.key_id:
            continue
        public_key = each.certificate.public_key()
        if public_keys.get(each.key_id, public_key) != public_key:
            _LOGGER.warning("a certificate is not of the key stored with it and is not listed")
            continue
        algorithm = signing_algorithm(each.certificate, offered, rsa_scheme)
        if algorithm is None:
            _LOGGER.warning("a certificate's key is of a kind that is not supported and is not listed")
            continue
        info = SigningKeyInfo(
            id=hashlib.sha256(each.der).hexdigest(),
            certificate=each.der,
            chain=issuing_chain(each.certificate, authorities),
            algorithm=algorithm,
            common_name=common_name(each.certificate),
            label=each.label,
            token_label=clean_text(session.token.label),
            key_type=key_type(algorithm),
            key_bits=key_bits(public_key),
            not_before=each.certificate.not_valid_before_utc,
            not_after=each.certificate.not_valid_after_utc,
            purpose=purpose,
        )
        entries[info.id] = InventoryEntry(info, each.key_id, public_key)
    return entries


def key_type(algorithm: SignatureAlgorithm) -> KeyType:
    """Say of what type the keys are that sign with an algorithm."""
    match algorithm.scheme:
        case "ecdsa":
            return "ec"
        case "ed25519":
            return "ed25519"
        case _:
            return "rsa"


def signing_algorithm(
    certificate: x509.Certificate, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
) -> SignatureAlgorithm | None:
    """Say what a certificate's key signs with in a token of these mechanisms; None: of no known kind."""
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        rsa_scheme = "pss"
    return key_algorithm(certificate.public_key(), offered, rsa_scheme)


def key_algorithm(
    public_key: PublicKeyTypes, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
) -> SignatureAlgorithm | None:
    """Say what a key signs with whose certificate does not bind it to RSASSA-PSS; None as above."""
    try:
        if rsa_scheme is not None:
            prefer_pss = rsa_scheme == "pss"
        else:
            prefer_pss = key_bits(public_key) >= LEAST_BITS_FOR_PSS and is_offered(_RSA_PSS, offered)
        return default_algorithm(public_key, prefer_pss=prefer_pss)
    except InvalidArgumentError:
        return None
