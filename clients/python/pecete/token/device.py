"""A token in this machine, driven through its PKCS#11 module by one thread.

The only module of the client that speaks PKCS#11. The library for it is an extra of this package and is
imported when a token is first asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from pecete.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, UnavailableError
from pecete.token.method import SigningMethod, negotiate

if TYPE_CHECKING:
    import pkcs11


@dataclass(frozen=True)
class TokenKey:
    """A key for signatures in a token, known by its certificate (DER).

    chain: the authorities' certificates beside it. offered: the token's mechanisms. key_id: its CKA_ID.
    """

    certificate: bytes
    chain: tuple[bytes, ...]
    token_label: str
    offered: frozenset[str] = field(repr=False)
    key_id: bytes = field(repr=False)
    token: "pkcs11.Token" = field(repr=False)

    @property
    def certificate_sha256(self) -> bytes:
        """SHA-256 of the certificate."""
        return sha256(self.certificate).digest()

    @property
    def common_name(self) -> str:
        """Common name of the certificate's subject."""
        names = self._parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ""

    @property
    def method(self) -> SigningMethod:
        """How the key signs, with what the token offers. Raises as `negotiate`."""
        return negotiate(self._parsed, self.offered)

    @property
    def _parsed(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.certificate)

    @property
    def has_pin_pad(self) -> bool:
        """Whether the PIN is typed on the reader and never comes here."""
        return bool(self.token.flags & _pkcs11().TokenFlag.PROTECTED_AUTHENTICATION_PATH)

    @property
    def tries_left(self) -> str:
        """What the token says of its PIN tries: `low`, `one`, `none`, or "" where it says nothing."""
        flags, flag = self.token.flags, _pkcs11().TokenFlag
        for bit, word in (
            (flag.USER_PIN_LOCKED, "none"),
            (flag.USER_PIN_FINAL_TRY, "one"),
            (flag.USER_PIN_COUNT_LOW, "low"),
        ):
            if flags & bit:
                return word
        return ""

    def sign(self, message: bytes, pin: str) -> bytes:
        """Sign a message as CMS carries it; the PIN is tried once, and is not asked of a reader with a pad.

        Raises FailedPreconditionError PIN_INCORRECT, PIN_LOCKED or PIN_NOT_SET; UnavailableError TOKEN_FAULT,
        TOKEN_KEY_MISSING or TOKEN_SIGNATURE_WRONG.
        """
        with self.logged_in(pin) as sign:
            return sign(message)

    @contextmanager
    def logged_in(self, pin: str) -> Iterator[Callable[[bytes], bytes]]:
        """Log in once, and give what signs one message after the other until the block ends.

        A key that asks for its PIN each time (CKA_ALWAYS_AUTHENTICATE) gets it so. Both raise as `sign`.
        """
        library = _pkcs11()
        secret = library.PROTECTED_AUTH if self.has_pin_pad else pin
        with _typed_faults(), self.token.open(user_pin=secret) as session:

            def sign(message: bytes) -> bytes:
                with _typed_faults():
                    answer = self._sign(library, session, self.method.token_input(message), pin)
                signature = self.method.signature_value(answer)
                self.method.verify(self._parsed, signature, message)
                return signature

            yield sign

    def _sign(self, library: ModuleType, session: "pkcs11.Session", octets: bytes, pin: str) -> bytes:
        attribute = library.Attribute
        template = {attribute.CLASS: library.ObjectClass.PRIVATE_KEY, attribute.ID: self.key_id}
        private_key = next(iter(list(session.get_objects(template))), None)
        if not isinstance(private_key, library.SignMixin):
            raise UnavailableError(
                "TOKEN_KEY_MISSING", "The token holds no private key for the certificate.", field="token"
            )
        try:
            asks_each_time = bool(private_key[attribute.ALWAYS_AUTHENTICATE])
        except library.PKCS11Error:  # some tokens do not know the attribute
            asks_each_time = False
        answer: bytes = private_key.sign(
            octets,
            mechanism=library.Mechanism[self.method.mechanism],
            mechanism_param=self._parameters(library),
            pin=pin if asks_each_time and not self.has_pin_pad else None,
        )
        return answer

    def _parameters(self, library: ModuleType) -> tuple[object, ...] | None:
        digest, salt_length = self.method.digest.upper(), self.method.salt_length
        if salt_length is None:
            return None
        return library.Mechanism[digest], library.MGF[digest], salt_length


def find_key(module: Path, *, token_label: str = "", certificate_sha256: str = "") -> TokenKey:
    """Give the one key for signatures in a module's tokens that fits; nothing is asked of anybody.

    token_label: only of tokens of this label. certificate_sha256: how the certificate's begins, in hex.
    Raises FailedPreconditionError TOKEN_SUPPORT_MISSING; UnavailableError TOKEN_MODULE_NOT_LOADED or
    TOKEN_FAULT; NotFoundError TOKEN_KEY_NOT_FOUND; InvalidArgumentError TOKEN_KEY_AMBIGUOUS.
    """
    wanted = certificate_sha256.lower().replace(":", "")
    found = [key for key in _keys(module, token_label) if key.certificate_sha256.hex().startswith(wanted)]
    if not found:
        raise NotFoundError(
            "TOKEN_KEY_NOT_FOUND", "No such token has a certificate for signatures that fits.", field="token"
        )
    if len(found) > 1:
        names = ", ".join(f"{key.certificate_sha256.hex()[:12]} ({key.common_name})" for key in found)
        raise InvalidArgumentError(
            "TOKEN_KEY_AMBIGUOUS", f"Several certificates fit: {names}; name one.", field="certificate"
        )
    return found[0]


def _keys(module: Path, token_label: str) -> list[TokenKey]:
    library = _pkcs11()
    try:
        loaded = library.lib(str(module))
    except (OSError, RuntimeError, library.PKCS11Error) as error:
        raise UnavailableError(
            "TOKEN_MODULE_NOT_LOADED", f"The PKCS#11 module {module} cannot be loaded.", field="token"
        ) from error
    keys: list[TokenKey] = []
    with _typed_faults():
        for token in _tokens(library, loaded.get_slots(token_present=True)):
            if not token_label or token.label.strip(" \0") == token_label:
                keys += _keys_of(library, token)
    return keys


def _tokens(library: ModuleType, slots: "Iterable[pkcs11.Slot]") -> Iterator["pkcs11.Token"]:
    """Give the initialised tokens; a slot that answers with an error hides no other."""
    for slot in slots:
        try:
            token = slot.get_token()
        except library.PKCS11Error:
            continue
        if token.flags & library.TokenFlag.TOKEN_INITIALIZED:
            yield token


def _keys_of(library: ModuleType, token: "pkcs11.Token") -> Iterator[TokenKey]:
    offered = frozenset(getattr(mechanism, "name", "") for mechanism in token.slot.get_mechanisms())
    attribute = library.Attribute
    with token.open() as session:
        stored = session.get_objects({attribute.CLASS: library.ObjectClass.CERTIFICATE})
        ders = {bytes(each[attribute.VALUE]): bytes(each[attribute.ID] or b"") for each in list(stored)}
    readable = {der: certificate for der in ders if (certificate := _readable(der)) is not None}
    chain = tuple(der for der, certificate in readable.items() if _is_authority(certificate))
    for der, certificate in readable.items():
        if ders[der] and der not in chain and _is_for_signatures(certificate):
            label = token.label.strip(" \0")
            yield TokenKey(der, chain, label, offered, ders[der], token)


def _readable(der: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
        _ = certificate.extensions  # parsed at first use
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    except (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        return None
    return certificate


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_for_signatures(certificate: x509.Certificate) -> bool:
    """Whether key usage has nonRepudiation, also called contentCommitment (RFC 5280 §4.2.1.3)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    except x509.ExtensionNotFound:
        return False


def _pkcs11() -> ModuleType:
    try:
        import pkcs11
    except ImportError as error:
        raise FailedPreconditionError(
            "TOKEN_SUPPORT_MISSING", "Tokens need an extra: pip install 'pecete[token]'.", field="token"
        ) from error
    return pkcs11


@contextmanager
def _typed_faults() -> Iterator[None]:
    """Let what PKCS#11 raises out as errors of our family."""
    library = _pkcs11()
    try:
        yield
    except library.PinLocked as error:
        raise FailedPreconditionError("PIN_LOCKED", "The token has locked its PIN.", field="pin") from error
    except (library.PinIncorrect, library.PinInvalid, library.PinLenRange) as error:
        raise FailedPreconditionError(
            "PIN_INCORRECT", "The token refused the PIN; it is not tried again by itself.", field="pin"
        ) from error
    except (library.PinExpired, library.UserPinNotInitialized) as error:
        raise FailedPreconditionError(
            "PIN_NOT_SET", "The token's PIN was never set or must be changed.", field="pin"
        ) from error
    except library.PKCS11Error as error:
        raise UnavailableError(
            "TOKEN_FAULT", f"The token answered with an error ({type(error).__name__}).", field="token"
        ) from error
