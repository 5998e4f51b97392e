"""All keys of a token for those who look after it: also keys that have no certificate yet, or a wrong one.

Everything here works without a login, as the inventory does.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Mechanism

from signer.algorithms import SignatureAlgorithm
from signer.tokens.certificates import SigningKeyPurpose, is_authority, signing_purpose
from signer.tokens.configuration import RsaScheme, TokenConfiguration
from signer.tokens.faults import pin_flags, tries_left, typed_faults
from signer.tokens.inventory import key_algorithm, signing_algorithm
from signer.tokens.module import load
from signer.tokens.objects import StoredCertificate, stored_certificates, stored_keys
from signer.tokens.session import find_token


@dataclass(frozen=True)
class KeptKey:
    """A key in a token, and a certificate under the same CKA_ID, if there is one.

    label: the public key's, or where the token shows none the certificate's. algorithm: what the key signs
    with; None: it is of a kind that is not supported. purpose: what the certificate is for, None: neither
    signatures nor time-stamps. is_pair: whether the certificate is of this key.
    """

    key_id: bytes
    label: str
    public_key: PublicKeyTypes
    algorithm: SignatureAlgorithm | None
    certificate: x509.Certificate | None = None
    purpose: SigningKeyPurpose | None = None
    is_pair: bool = True


@dataclass(frozen=True)
class TokenContents:
    """What a token shows without a login.

    keys: one for each certificate, and those without. offered: its mechanisms. tries_left: what it says of
    its PIN's tries (`faults.tries_left`), "" when it says nothing.
    """

    keys: tuple[KeptKey, ...]
    offered: Collection[Mechanism]
    tries_left: str


def read_contents(configuration: TokenConfiguration) -> TokenContents:
    """Read a token now.

    Raises UnavailableError TOKEN_NOT_PRESENT, TOKEN_FAULT or TOKEN_MODULE_NOT_LOADED, FailedPreconditionError
    TOKEN_AMBIGUOUS.
    """
    with typed_faults():
        token = find_token(load(configuration.module), configuration)
        offered = token.slot.get_mechanisms()
        session = token.open()
        try:
            # Tokens give their objects in an order that may differ each time.
            keys = sorted(_kept_keys(session, offered, configuration.rsa_scheme), key=_order)
        finally:
            session.close()
        return TokenContents(tuple(keys), offered, tries_left(pin_flags(token)).get("tries_left", ""))


def _kept_keys(
    session: pkcs11.Session, offered: Collection[Mechanism], rsa_scheme: RsaScheme | None
) -> Iterator[KeptKey]:
    keys = {each.key_id: each for each in stored_keys(session)}
    certified = set()
    for stored in stored_certificates(session):
        # An authority's certificate has a CKA_ID in some tokens, but never its key.
        if stored.key_id and not is_authority(stored.certificate):
            certified.add(stored.key_id)
            key = keys.get(stored.key_id)
            yield _certified(
                stored,
                key.label if key else stored.label,
                key.public_key if key else stored.certificate.public_key(),
                signing_algorithm(stored.certificate, offered, rsa_scheme),
            )
    for key_id, key in keys.items():
        if key_id not in certified:
            algorithm = key_algorithm(key.public_key, offered, rsa_scheme)
            yield KeptKey(key_id, key.label, key.public_key, algorithm)


def _order(key: KeptKey) -> tuple[str, bytes, bytes]:
    certificate = key.certificate.public_bytes(Encoding.DER) if key.certificate else b""
    return key.label, key.key_id, certificate


def _certified(
    stored: StoredCertificate, label: str, public_key: PublicKeyTypes, algorithm: SignatureAlgorithm | None
) -> KeptKey:
    return KeptKey(
        key_id=stored.key_id,
        label=label,
        public_key=public_key,
        algorithm=algorithm,
        certificate=stored.certificate,
        purpose=signing_purpose(stored.certificate),
        is_pair=stored.certificate.public_key() == public_key,
    )
