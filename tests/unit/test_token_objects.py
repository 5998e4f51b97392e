"""Public keys in tokens, in each of the ways that tokens write them."""

from types import SimpleNamespace
from typing import cast

import pkcs11
import pytest
from asn1crypto.core import OctetBitString, OctetString
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag

from pecete.errors import FailedPreconditionError
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.objects import public_key_of
from signer.tokens.provision import TokenWriter

KEY = Ed25519PrivateKey.generate().public_key()
POINT = KEY.public_bytes(Encoding.Raw, PublicFormat.Raw)
BY_IDENTIFIER, BY_NAME = bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519"
BY_OLD_IDENTIFIER = bytes.fromhex("06092b06010401da470f01")
BY_IDENTIFIER_448 = bytes.fromhex("06032b6571")


def stored(parameters: bytes, point: bytes) -> pkcs11.Object:
    """A public key object on an Edwards curve."""
    attributes = {
        Attribute.KEY_TYPE: KeyType.EC_EDWARDS,
        Attribute.EC_PARAMS: parameters,
        Attribute.EC_POINT: point,
    }
    return cast("pkcs11.Object", attributes)


@pytest.mark.parametrize("parameters", [BY_IDENTIFIER, BY_NAME, BY_OLD_IDENTIFIER], ids=bytes.hex)
@pytest.mark.parametrize(
    "point", [POINT, OctetString(POINT).dump(), OctetBitString(POINT).dump()], ids=["bare", "octets", "bits"]
)
def test_an_ed25519_key_is_read_however_a_token_writes_it(parameters: bytes, point: bytes) -> None:
    assert public_key_of(stored(parameters, point)) == KEY


@pytest.mark.parametrize(
    ("parameters", "point"),
    [
        (BY_IDENTIFIER_448, OctetString(bytes(57)).dump()),
        (b"", POINT),
        (BY_IDENTIFIER, b""),
        (BY_IDENTIFIER, POINT + b"\0"),
        (BY_IDENTIFIER, OctetString(POINT + b"\0").dump()),
        (BY_IDENTIFIER, OctetString(POINT).dump() + b"\0"),
    ],
)
def test_other_curves_and_damaged_points_are_passed_over(parameters: bytes, point: bytes) -> None:
    assert public_key_of(stored(parameters, point)) is None


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_octets_bring_the_reading_down(parameters: bytes, point: bytes) -> None:
    assert public_key_of(stored(parameters, point)) is None
    public_key_of(stored(BY_IDENTIFIER, point))


class FakeSession:
    """A session of a module that knows one way only of saying Ed25519."""

    def __init__(self, known: bytes, refusal: pkcs11.PKCS11Error) -> None:
        self._known = known
        self._refusal = refusal
        self._parameters = b""
        self.offered = {Mechanism.EDDSA, Mechanism.EC_EDWARDS_KEY_PAIR_GEN}
        self.token = SimpleNamespace(slot=SimpleNamespace(get_mechanisms=lambda: self.offered))
        self.asked: list[bytes] = []

    def create_domain_parameters(
        self, key_type: KeyType, attributes: dict[Attribute, bytes], *, local: bool
    ) -> "FakeSession":
        assert key_type is KeyType.EC_EDWARDS and local
        self._parameters = attributes[Attribute.EC_PARAMS]
        return self

    def generate_keypair(
        self,
        *,
        store: bool,
        capabilities: MechanismFlag,
        private_template: dict[Attribute, bool],
        **_: object,
    ) -> tuple[object, object]:
        assert store and MechanismFlag.SIGN in capabilities
        self.asked.append(self._parameters)
        if self._parameters != self._known:
            raise self._refusal
        return stored(self._parameters, POINT), private_template


@pytest.mark.parametrize("refusal", [pkcs11.AttributeValueInvalid(), pkcs11.DomainParamsInvalid()])
@pytest.mark.parametrize("known", [BY_IDENTIFIER, BY_NAME], ids=bytes.hex)
def test_a_module_is_told_the_curve_in_the_way_that_it_knows(
    known: bytes, refusal: pkcs11.PKCS11Error
) -> None:
    session = FakeSession(known, refusal)
    writer = TokenWriter(cast("pkcs11.Session", session), TokenConfiguration("t", "/m.so", "t"))
    made = writer.generate_key("ed25519", "sigiliu")
    assert made.public_key == KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert session.asked == [BY_IDENTIFIER, BY_NAME][: 1 + (known == BY_NAME)]


def test_a_token_that_does_not_sign_with_ed25519_makes_no_such_key() -> None:
    session = FakeSession(BY_IDENTIFIER, pkcs11.AttributeValueInvalid())
    session.offered = {Mechanism.ECDSA}
    writer = TokenWriter(cast("pkcs11.Session", session), TokenConfiguration("t", "/m.so", "t"))
    with pytest.raises(FailedPreconditionError, match="TOKEN_MECHANISM_MISSING"):
        writer.generate_key("ed25519", "sigiliu")
    assert session.asked == []
