"""Command and response APDUs of smart cards (ISO/IEC 7816-4 §5), as a card sees them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

OK = 0x9000
WRONG_DATA = 0x6A80
NOT_FOUND = 0x6A82
REFERENCE_NOT_FOUND = 0x6A88
SECURITY_NOT_SATISFIED = 0x6982
PIN_BLOCKED = 0x6983
INSTRUCTION_NOT_SUPPORTED = 0x6D00

_GET_RESPONSE = 0xC0
_CHAINING = 0x10
_MORE = 0x6100


def pin_refused(tries_left: int) -> int:
    """Give the status of a wrong PIN, or of a question how many tries are left (ISO/IEC 7816-4 §7.5.6)."""
    return 0x63C0 | tries_left if tries_left else PIN_BLOCKED


def tlv(tag: str, value: bytes) -> bytes:
    """Encode a BER-TLV data object; `tag` is hex."""
    size = len(value)
    if size < 0x80:
        length = bytes((size,))
    elif size < 0x100:
        length = bytes((0x81, size))
    else:
        length = b"\x82" + size.to_bytes(2, "big")
    return bytes.fromhex(tag) + length + value


def data_objects(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the BER-TLV objects in `octets`, tags of one octet. Raises IndexError for a cut one."""
    position = 0
    while position < len(octets):
        tag, length = octets[position], octets[position + 1]
        position += 2
        if length & 0x80:
            more = length & 0x7F
            length = int.from_bytes(octets[position : position + more], "big")
            position += more
        yield tag, octets[position : position + length]
        position += length


@dataclass(frozen=True)
class Command:
    """A command APDU: instruction, parameters, data, and how many octets the answer may have."""

    instruction: int
    first: int
    second: int
    data: bytes
    expected: int
    is_continued: bool

    @classmethod
    def parse(cls, octets: bytes) -> "Command":
        """Read a short or an extended command APDU. Raises IndexError for a cut one."""
        body = octets[4:]
        is_extended = len(body) > 1 and body[0] == 0
        width, largest = (2, 65536) if is_extended else (1, 256)
        rest = body[1:] if is_extended else body
        data = b""
        if len(rest) > width:
            length = int.from_bytes(rest[:width], "big")
            data, rest = rest[width : width + length], rest[width + length :]
        expected = int.from_bytes(rest, "big") or largest
        return cls(octets[1], octets[2], octets[3], data, expected, bool(octets[0] & _CHAINING))


class CommandChannel:
    """Command chaining and GET RESPONSE around an applet's function: data or a status word for a command."""

    def __init__(self, perform: Callable[[Command], bytes | int]) -> None:
        self._perform = perform
        self._collected = b""
        self._waiting = b""

    def reset(self) -> None:
        """Forget what was begun."""
        self._collected = self._waiting = b""

    def transmit(self, octets: bytes) -> bytes:
        """Answer a command APDU with a response APDU."""
        command = Command.parse(octets)
        if command.instruction == _GET_RESPONSE:
            return self._answer(self._waiting, command.expected)
        self._collected += command.data
        if command.is_continued:
            return OK.to_bytes(2, "big")
        data, self._collected = self._collected, b""
        done = self._perform(
            Command(command.instruction, command.first, command.second, data, command.expected, False)
        )
        return done.to_bytes(2, "big") if isinstance(done, int) else self._answer(done, command.expected)

    def _answer(self, octets: bytes, expected: int) -> bytes:
        self._waiting = octets[expected:]
        status = _MORE | min(len(self._waiting), 0xFF) if self._waiting else OK
        return octets[:expected] + status.to_bytes(2, "big")
