"""A PIV card in software (NIST SP 800-73-4 part 2), as far as card middlewares ask for it to sign.

It answers as a YubiKey 5 does where that differs, since OpenSC offers elliptic curves only for cards that it
knows and ykcs11 knows no others. Made for tests: keys lie in memory.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from softhsm.card_commands import (
    INSTRUCTION_NOT_SUPPORTED,
    NOT_FOUND,
    OK,
    REFERENCE_NOT_FOUND,
    SECURITY_NOT_SATISFIED,
    WRONG_DATA,
    Command,
    CommandChannel,
    data_objects,
    pin_refused,
    tlv,
)

CardKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PIN_TRIES = 3
AUTHENTICATION = 0x9A
"""Slot of the key that logs its holder in somewhere; asks for the PIN once."""
DIGITAL_SIGNATURE = 0x9C
"""Slot of the key that signs; asks for the PIN before each use."""

ANSWER_TO_RESET = bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940")
"""A YubiKey 5's."""

_PIV = bytes.fromhex("a000000308")
_PIV_APPLICATION = bytes.fromhex("a000000308000010000100")
_VERSION = bytes((5, 4, 3))
_CERTIFICATE_OBJECTS = {AUTHENTICATION: "5fc105", DIGITAL_SIGNATURE: "5fc10a"}
_CARDHOLDER_UNIQUE_IDENTIFIER = "5fc102"
_CAPABILITY_CONTAINER = "5fc107"
_DISCOVERY = "7e"
_FASC_N = bytes.fromhex("d4e739da739ced39ce739d836858210842108421c84210c3eb")
_PIN_REFERENCE = 0x80
_PIN_OCTETS = 8


@dataclass(frozen=True)
class CardContent:
    """What a card is personalised with: serial number, PIN (6 to 8 digits), and per slot key and certificate.

    Certificates are DER; the slots are those of this module.
    """

    serial: int
    pin: str = field(repr=False)
    keys: Mapping[int, CardKey] = field(repr=False)
    certificates: Mapping[int, bytes] = field(repr=False)


class PivCard:
    """A card: `reset` and `transmit` are what a reader does with it.

    `tries_left` is the PIN's counter. `pins_seen`, `wrong_pins` and `signatures` count since the card was
    made.
    """

    def __init__(self, content: CardContent) -> None:
        self._content = content
        self._objects = _data_objects(content)
        self._channel = CommandChannel(self._perform)
        self.tries_left = PIN_TRIES
        self.pins_seen = 0
        self.wrong_pins = 0
        self.signatures = 0
        self._is_verified = self._is_fresh = False
        self._instructions: Mapping[int, Callable[[Command], bytes | int]] = {
            0xA4: self._select,
            0xCB: self._get_data,
            0x20: self._verify,
            0x87: self._general_authenticate,
            0xFD: lambda _: _VERSION,
            0xF8: lambda _: content.serial.to_bytes(4, "big"),
        }

    def reset(self) -> None:
        """Power on, off, or reset: the PIN must be verified again."""
        self._channel.reset()
        self._is_verified = self._is_fresh = False

    def transmit(self, octets: bytes) -> bytes:
        """Answer a command APDU."""
        return self._channel.transmit(octets)

    def unlock(self) -> None:
        """Give the PIN its tries back, as its PUK would."""
        self.tries_left = PIN_TRIES

    def _perform(self, command: Command) -> bytes | int:
        instruction = self._instructions.get(command.instruction)
        return INSTRUCTION_NOT_SUPPORTED if instruction is None else instruction(command)

    def _select(self, command: Command) -> bytes | int:
        if not command.data.startswith(_PIV):
            return NOT_FOUND
        self._is_verified = self._is_fresh = False
        return tlv("61", tlv("4f", _PIV_APPLICATION[5:]) + tlv("79", tlv("4f", _PIV)))

    def _get_data(self, command: Command) -> bytes | int:
        for _, tag in data_objects(command.data):
            return self._objects.get(tag.hex(), NOT_FOUND)
        return WRONG_DATA

    def _verify(self, command: Command) -> int:
        """Check the PIN, or without data tell the state of it (SP 800-73-4 part 2 §3.2.1)."""
        if command.second != _PIN_REFERENCE:
            return REFERENCE_NOT_FOUND
        if command.first == 0xFF:
            self._is_verified = self._is_fresh = False
            return OK
        if not command.data:
            return OK if self._is_verified else pin_refused(self.tries_left)
        self.pins_seen += 1
        if not self.tries_left:
            return pin_refused(0)
        self._is_verified = self._is_fresh = command.data == self._content.pin.encode().ljust(
            _PIN_OCTETS, b"\xff"
        )
        if self._is_verified:
            self.tries_left = PIN_TRIES
            return OK
        self.tries_left -= 1
        self.wrong_pins += 1
        return pin_refused(self.tries_left)

    def _general_authenticate(self, command: Command) -> bytes | int:
        """Sign a challenge (SP 800-73-4 part 2 §3.2.4); the signature key only right after its PIN."""
        key = self._content.keys.get(command.second)
        if key is None:
            return REFERENCE_NOT_FOUND
        is_allowed = self._is_fresh if command.second == DIGITAL_SIGNATURE else self._is_verified
        self._is_fresh = False
        if not is_allowed:
            return SECURITY_NOT_SATISFIED
        template = dict(data_objects(command.data)).get(0x7C, b"")
        challenge = dict(data_objects(template)).get(0x81, b"")
        signature = _sign(key, challenge)
        if not signature:
            return WRONG_DATA
        self.signatures += 1
        return tlv("7c", tlv("82", signature))


def _sign(key: CardKey, challenge: bytes) -> bytes:
    """Do the raw operation: RSA of a padded block, DER ECDSA of a digest; b"" for a wrong length."""
    if isinstance(key, rsa.RSAPrivateKey):
        size = key.key_size // 8
        return _raw_rsa(key, challenge) if len(challenge) == size else b""
    digest = {256: hashes.SHA256(), 384: hashes.SHA384()}[key.curve.key_size]
    if len(challenge) > digest.digest_size:
        return b""
    return key.sign(challenge.rjust(digest.digest_size, b"\0"), ec.ECDSA(Prehashed(digest)))


def _raw_rsa(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """Compute RSASP1 with the Chinese remainder theorem (RFC 8017 §5.2.1)."""
    numbers = key.private_numbers()
    message = int.from_bytes(block, "big")
    of_p = pow(message % numbers.p, numbers.dmp1, numbers.p)
    of_q = pow(message % numbers.q, numbers.dmq1, numbers.q)
    signature = of_q + (of_p - of_q) * numbers.iqmp % numbers.p * numbers.q
    return signature.to_bytes(len(block), "big")


def _data_objects(content: CardContent) -> dict[str, bytes]:
    """Give the card's data objects by tag, as GET DATA answers (SP 800-73-4 part 1 §3)."""
    identifier = (
        tlv("30", _FASC_N)
        + tlv("34", secrets.token_bytes(16))
        + tlv("35", b"20490101")
        + tlv("3e", b"")
        + tlv("fe", b"")
    )
    capability = tlv("f0", _PIV + b"\0" + content.serial.to_bytes(15, "big"))
    capability += (
        tlv("f1", b"\x21") + tlv("f2", b"\x21") + tlv("f3", b"") + tlv("f4", b"\0") + tlv("f5", b"\x10")
    )
    capability += b"".join(tlv(tag, b"") for tag in ("f6", "f7", "fa", "fb", "fc", "fd", "fe"))
    objects = {
        _CARDHOLDER_UNIQUE_IDENTIFIER: tlv("53", identifier),
        _CAPABILITY_CONTAINER: tlv("53", capability),
        _DISCOVERY: tlv("7e", tlv("4f", _PIV_APPLICATION) + tlv("5f2f", b"\x40\x00")),
    }
    for slot, certificate in content.certificates.items():
        stored = tlv("70", certificate) + tlv("71", b"\0") + tlv("fe", b"")
        objects[_CERTIFICATE_OBJECTS[slot]] = tlv("53", stored)
    return objects
