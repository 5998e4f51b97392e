"""Filling a token: initialising it, making keys that never leave it, storing certificates beside them."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pkcs11
from asn1crypto.core import Integer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, CertificateType, KeyType, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.util.ec import encode_named_curve_parameters

from pecete.errors import InvalidArgumentError, NotFoundError, UnavailableError
from signer.algorithms import ED25519
from signer.tokens.certificates import SigningKeyPurpose, common_name
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.faults import login_error, pin_flags, pin_locked, typed_faults
from signer.tokens.import_check import certificate_key_not_in_token
from signer.tokens.key import holds_private_key, load_bare_key
from signer.tokens.mechanisms import negotiate
from signer.tokens.module import load
from signer.tokens.objects import (
    ED25519_PARAMETERS,
    clean_text,
    public_key_of,
    stored_certificates,
    stored_public_keys,
)
from signer.tokens.request import certification_request, request_algorithm
from signer.tokens.session import find_token

KeyKind = Literal["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "ed25519"]

KeyPair = tuple[pkcs11.PublicKey, pkcs11.PrivateKey]

LABEL_OCTETS = 32
"""Longest label of a token, in UTF-8 (PKCS#11 v2.40 §3.2)."""

_CURVES = {"p256": "secp256r1", "p384": "secp384r1", "p521": "secp521r1"}
_CURVE_REFUSED = (pkcs11.AttributeValueInvalid, pkcs11.DomainParamsInvalid, pkcs11.TemplateInconsistent)
_SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY
_PUBLIC = {Attribute.PRIVATE: False}
_PRIVATE = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}


@dataclass(frozen=True)
class GeneratedKey:
    """A key made in a token: its CKA_ID, and its SubjectPublicKeyInfo in DER."""

    key_id: bytes
    public_key: bytes


def initialise_token(
    module_path: str, label: str, so_pin: str, pin: str, *, factory_so_pin: str = ""
) -> None:
    """Make a token of the module's first blank slot, with these PINs of security officer and user.

    factory_so_pin: what blank tokens of this module want of their security officer; "": nothing.
    Raises InvalidArgumentError TOKEN_LABEL_TOO_LONG, UnavailableError TOKEN_SLOT_MISSING when no slot is
    blank, TOKEN_MODULE_NOT_LOADED or TOKEN_FAULT.
    """
    if len(label.encode()) > LABEL_OCTETS:
        raise InvalidArgumentError("TOKEN_LABEL_TOO_LONG", "A token's label has at most 32 octets in UTF-8.")
    with typed_faults():
        module = load(module_path)
        blank = next((each for each in module.tokens() if _is_blank(each)), None)
        if blank is None:
            raise UnavailableError("TOKEN_SLOT_MISSING", "The module has no blank slot for a new token.")
        before = {(each.serial, each.label) for each in module.tokens()}
        module.initialise_token(blank.slot.slot_id, factory_so_pin or so_pin, label)
        # Initialising may move the token to another slot, and serials repeat.
        made = [each for each in module.tokens() if (each.serial, each.label) not in before]
        token = next((each for each in made if clean_text(each.label) == label), None)
        if token is None:
            raise UnavailableError("TOKEN_FAULT", "The module does not show the token that it made.")
        with token.open(rw=True, so_pin=factory_so_pin or so_pin) as session:
            if factory_so_pin:
                session.set_pin(factory_so_pin, so_pin)
            session.init_pin(pin)


class TokenWriter:
    """A token that is open for writing. Remembers what it makes, so that it can be undone."""

    def __init__(self, session: pkcs11.Session, configuration: TokenConfiguration) -> None:
        self._session = session
        self._configuration = configuration
        self._made: list[pkcs11.Object] = []

    def generate_key(self, kind: KeyKind, label: str) -> GeneratedKey:
        """Make a key in the token that signs and can never be read out.

        Raises FailedPreconditionError TOKEN_MECHANISM_MISSING, UnavailableError TOKEN_FAULT.
        """
        key_id = secrets.token_bytes(16)
        with typed_faults():
            public, private = _generate_pair(self._session, kind, key_id, label)
            self._made += [public, private]
            public_key = public_key_of(public)
            # Some tokens take the template and do as they like.
            if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
                raise UnavailableError("TOKEN_FAULT", "The token made a key that could be read out.")
        if public_key is None:
            raise UnavailableError("TOKEN_FAULT", "The token does not show the public key that it made.")
        return GeneratedKey(key_id, public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def request_certificate(self, key_id: bytes, subject: x509.Name, purpose: SigningKeyPurpose) -> bytes:
        """Make a certification request (DER) for a key of the token, signed by it.

        Raises NotFoundError TOKEN_KEY_NOT_FOUND, FailedPreconditionError TOKEN_MECHANISM_MISSING or of the
        PIN, UnavailableError TOKEN_NOT_PRESENT, TOKEN_SIGNATURE_WRONG or TOKEN_FAULT.
        """
        with typed_faults():
            public_key = stored_public_keys(self._session).get(key_id)
            if public_key is None:
                raise NotFoundError("TOKEN_KEY_NOT_FOUND", "The token shows no such key.", field="key")
            offered = self._session.token.slot.get_mechanisms()
            algorithm = request_algorithm(public_key, offered, self._configuration.rsa_scheme)
            operation = negotiate(algorithm, offered)
            key = load_bare_key(self._session, key_id, public_key, algorithm, operation)
            sign = partial(key.sign, pin=self._configuration.pin)
            return certification_request(subject, public_key, purpose, algorithm, sign)

    def import_certificate(self, certificate: bytes, chain: Iterable[bytes] = ()) -> None:
        """Store a certificate (DER) beside its key, and its issuers' where they are not there yet.

        Raises FailedPreconditionError CERTIFICATE_KEY_NOT_IN_TOKEN, UnavailableError TOKEN_FAULT.
        """
        with typed_faults():
            public_key = x509.load_der_x509_certificate(certificate).public_key()
            keys = stored_public_keys(self._session)
            key_id = next((each for each, stored in keys.items() if stored == public_key), None)
            if key_id is None or not holds_private_key(self._session, key_id):
                raise certificate_key_not_in_token()
            present = {each.der for each in stored_certificates(self._session)}
            self._store(certificate, key_id)
            for issuer in chain:
                if issuer not in present:
                    self._store(issuer, b"")

    def undo(self) -> None:
        """Destroy what was made, as far as the token lets."""
        while self._made:
            with suppress(pkcs11.PKCS11Error):
                self._made.pop().destroy()

    def _store(self, der: bytes, key_id: bytes) -> None:
        certificate = x509.load_der_x509_certificate(der)
        made = self._session.create_object(
            {
                Attribute.CLASS: ObjectClass.CERTIFICATE,
                Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: False,
                Attribute.SUBJECT: certificate.subject.public_bytes(),
                Attribute.ISSUER: certificate.issuer.public_bytes(),
                Attribute.SERIAL_NUMBER: Integer(certificate.serial_number).dump(),
                Attribute.VALUE: der,
                Attribute.ID: key_id,
                Attribute.LABEL: common_name(certificate),
            }
        )
        self._made.append(made)


@contextmanager
def writable_token(configuration: TokenConfiguration) -> Iterator[TokenWriter]:
    """Open a token with its configured PIN for writing, and log out at the end of the block.

    What was made in a block that raises is destroyed again. Raises UnavailableError TOKEN_NOT_PRESENT,
    TOKEN_FAULT or TOKEN_MODULE_NOT_LOADED, FailedPreconditionError TOKEN_AMBIGUOUS or of the PIN,
    InvalidArgumentError PIN_REQUIRED.
    """
    if not configuration.pin:
        raise InvalidArgumentError("PIN_REQUIRED", "A token is written to with its PIN.", field="pin")
    with typed_faults():
        module = load(configuration.module)
        token = find_token(module, configuration)
        if pin_flags(token) & TokenFlag.USER_PIN_LOCKED:
            raise pin_locked()
        try:
            session = token.open(rw=True, user_pin=configuration.pin)
        except pkcs11.PKCS11Error as error:
            refusal = login_error(error, pin_flags(token))
            module.reinitialize()
            if refusal is None:
                raise
            raise refusal from error
    writer = TokenWriter(session, configuration)
    try:
        yield writer
    except BaseException:
        writer.undo()
        raise
    finally:
        with typed_faults():
            session.close()


def _generate_pair(session: pkcs11.Session, kind: KeyKind, key_id: bytes, label: str) -> KeyPair:
    """Make a key pair; a module that does not know Ed25519 by its identifier is told its name.

    Raises FailedPreconditionError TOKEN_MECHANISM_MISSING where the token does not sign with Ed25519.
    """
    if kind.startswith("rsa"):
        bits = int(kind.removeprefix("rsa"))
        return _generate(partial(session.generate_keypair, KeyType.RSA, bits), key_id, label)
    if kind in _CURVES:
        curve = encode_named_curve_parameters(_CURVES[kind])
        return _generate(_curve_maker(session, KeyType.EC, curve), key_id, label)
    negotiate(ED25519, session.token.slot.get_mechanisms())
    by_identifier, by_name = ED25519_PARAMETERS
    try:
        return _generate(_curve_maker(session, KeyType.EC_EDWARDS, by_identifier), key_id, label)
    except _CURVE_REFUSED:
        return _generate(_curve_maker(session, KeyType.EC_EDWARDS, by_name), key_id, label)


def _curve_maker(session: pkcs11.Session, key_type: KeyType, curve: bytes) -> Callable[..., KeyPair]:
    parameters = session.create_domain_parameters(key_type, {Attribute.EC_PARAMS: curve}, local=True)
    return parameters.generate_keypair


def _generate(maker: Callable[..., KeyPair], key_id: bytes, label: str) -> KeyPair:
    return maker(
        id=key_id,
        label=label,
        store=True,
        capabilities=_SIGNING,
        public_template=_PUBLIC,
        private_template=_PRIVATE,
    )


def _is_blank(token: pkcs11.Token) -> bool:
    return not token.flags & TokenFlag.TOKEN_INITIALIZED
