"""A private key in a token, and the proof of each signature before it is given out."""

from collections.abc import Callable
from dataclasses import dataclass

import pkcs11
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from pkcs11 import Attribute, ObjectClass

from pecete.errors import InternalError, InvalidArgumentError, UnavailableError
from signer.algorithms import SignatureAlgorithm, verify
from signer.tokens.faults import login_error, pin_flags
from signer.tokens.inventory import InventoryEntry, SigningKeyInfo
from signer.tokens.mechanisms import TokenOperation


class TokenKey:
    """A token's key, ready to sign until its block ends: a `signer.keys.SigningKey`."""

    def __init__(self, info: SigningKeyInfo, sign: Callable[[bytes], bytes]) -> None:
        self._info = info
        self._sign: Callable[[bytes], bytes] | None = sign

    @property
    def certificate(self) -> bytes:
        """The signer's certificate, DER."""
        return self._info.certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Issuing certificates found in the token, DER, nearest first, without the root."""
        return self._info.chain

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What `sign` makes."""
        return self._info.algorithm

    def sign(self, data: bytes) -> bytes:
        """Sign `data` (the message) in the token; the signature has been verified when it is returned.

        Raises UnavailableError TOKEN_NOT_PRESENT, TOKEN_FAULT or TOKEN_SIGNATURE_WRONG,
        FailedPreconditionError TOKEN_MECHANISM_MISSING or of the PIN, InternalError SIGNING_KEY_RELEASED.
        """
        if self._sign is None:
            raise InternalError("SIGNING_KEY_RELEASED", "The key was given back and does not sign any more.")
        return self._sign(data)

    def release(self) -> None:
        """Forget the token and its PIN."""
        self._sign = None


@dataclass(frozen=True)
class LoadedKey:
    """A private key found after a login; `asks_each_time` is CKA_ALWAYS_AUTHENTICATE."""

    private_key: pkcs11.SignMixin
    operation: TokenOperation
    algorithm: SignatureAlgorithm
    public_key: PublicKeyTypes
    asks_each_time: bool

    def sign(self, data: bytes, pin: str | None) -> bytes:
        """Sign and verify; the PIN goes along when the key asks for it each time.

        Raises PKCS11Error, UnavailableError TOKEN_SIGNATURE_WRONG, FailedPreconditionError of the PIN.
        """
        try:
            raw = self.private_key.sign(
                self.operation.prepare(data),
                mechanism=self.operation.mechanism,
                mechanism_param=self.operation.parameters,
                pin=pin if self.asks_each_time else None,
            )
        except pkcs11.PKCS11Error as error:
            refusal = login_error(error, pin_flags(self.private_key.session.token))
            if refusal is None:
                raise
            raise refusal from error
        signature = self.operation.finish(raw)
        try:
            verify(self.algorithm, self.public_key, signature, data)
        except InvalidArgumentError as error:
            raise UnavailableError(
                "TOKEN_SIGNATURE_WRONG",
                "The token gave a signature that is not of the certificate's key.",
                field="signing_key",
            ) from error
        return signature


def load_key(session: pkcs11.Session, entry: InventoryEntry, operation: TokenOperation) -> LoadedKey:
    """Find an entry's private key in a logged-in session. Raises as `find_private_key`."""
    return load_bare_key(session, entry.key_id, entry.public_key, entry.info.algorithm, operation)


def load_bare_key(
    session: pkcs11.Session,
    key_id: bytes,
    public_key: PublicKeyTypes,
    algorithm: SignatureAlgorithm,
    operation: TokenOperation,
) -> LoadedKey:
    """Find a private key that may have no certificate yet. Raises as `find_private_key`."""
    private_key = find_private_key(session, key_id)
    return LoadedKey(private_key, operation, algorithm, public_key, _asks_each_time(private_key))


def find_private_key(session: pkcs11.Session, key_id: bytes) -> pkcs11.SignMixin:
    """Find a private key by its CKA_ID in a logged-in session.

    Raises PKCS11Error, of it NoSuchKey when no key of that id can sign.
    """
    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
    for private_key in list(session.get_objects(template)):
        if isinstance(private_key, pkcs11.SignMixin):
            return private_key
    raise pkcs11.NoSuchKey


def holds_private_key(session: pkcs11.Session, key_id: bytes) -> bool:
    """Say whether a logged-in session sees a private key of this CKA_ID. Raises PKCS11Error."""
    try:
        find_private_key(session, key_id)
    except pkcs11.NoSuchKey:
        return False
    return True


def _asks_each_time(private_key: pkcs11.SignMixin) -> bool:
    """Some tokens do not know the attribute, some answer its reading with an error of their own."""
    try:
        return bool(private_key[Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.PKCS11Error:
        return False
