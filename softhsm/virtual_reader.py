"""The card's end of vsmartcard's virtual reader (vpcd): puts a card of software into a PC/SC reader."""

import contextlib
import socket
import struct
import threading
from typing import Protocol

from pecete.errors import UnavailableError

_OFF, _ON, _RESET, _ANSWER_TO_RESET = 0, 1, 2, 4
_PATIENCE_SECONDS = 20.0


class Card(Protocol):
    """What a reader does with a card."""

    def reset(self) -> None:
        """Power the card on, off, or reset it."""

    def transmit(self, octets: bytes) -> bytes:
        """Answer a command APDU."""


class ReaderSlot:
    """A slot of vpcd at a loopback port, and the card that `insert` puts into it and `remove` pulls out.

    The card is driven by a thread of this process.
    """

    def __init__(self, port: int, answer_to_reset: bytes, card: Card) -> None:
        self._port = port
        self._answer_to_reset = answer_to_reset
        self._card = card
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._is_powered = threading.Event()

    def insert(self) -> None:
        """Put the card in and wait until the reader has powered it.

        Raises UnavailableError READER_NOT_READY.
        """
        self._is_powered.clear()
        self._connection = _connect(self._port)
        self._thread = threading.Thread(target=self._serve, args=(self._connection,), daemon=True)
        self._thread.start()
        if not self._is_powered.wait(_PATIENCE_SECONDS):
            raise UnavailableError("READER_NOT_READY", "The virtual reader did not power its card.")

    def remove(self) -> None:
        """Pull the card out, whatever it is doing."""
        if self._connection is None or self._thread is None:
            return
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection = self._thread = None

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, OSError):
            while True:
                message = _receive(connection)
                if len(message) > 1:
                    _send(connection, self._card.transmit(message))
                elif message[0] == _ANSWER_TO_RESET:
                    _send(connection, self._answer_to_reset)
                elif message[0] in (_OFF, _ON, _RESET):
                    self._card.reset()
                    self._is_powered.set()


def _connect(port: int) -> socket.socket:
    try:
        connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
    except OSError as error:
        raise UnavailableError("READER_NOT_READY", "The virtual reader is not there.") from error
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send(connection: socket.socket, octets: bytes) -> None:
    connection.sendall(struct.pack("!H", len(octets)) + octets)


def _receive(connection: socket.socket) -> bytes:
    (length,) = struct.unpack("!H", _receive_exactly(connection, 2))
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    octets = b""
    while len(octets) < length:
        # vpcd sends a length and its message apart; a delayed acknowledgement of the first costs 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        more = connection.recv(length - len(octets))
        if not more:
            raise EOFError
        octets += more
    return octets
