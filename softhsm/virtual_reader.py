"""The card's end of vsmartcard's virtual reader (vpcd): puts a card of software into a PC/SC reader."""

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import Protocol

from softhsm.provider import wait_until

_INSERTED = "Card inserted into"
_REMOVED = "Card Removed From"
_OFF, _ON, _RESET, _ANSWER_TO_RESET = 0, 1, 2, 4


class Card(Protocol):
    """What a reader does with a card."""

    def reset(self) -> None:
        """Power the card on, off, or reset it."""

    def transmit(self, octets: bytes) -> bytes:
        """Answer a command APDU."""


class ReaderSlot:
    """A slot of vpcd at a loopback port, and the card that `insert` puts into it and `remove` pulls out.

    pcscd says in its log (its option --info) when it has noticed either; a card that is back before that was
    never away. The card is driven by a thread of this process.
    """

    def __init__(self, name: str, port: int, log: Path, card: Card, answer_to_reset: bytes) -> None:
        self._name = name
        self._port = port
        self._log = log
        self._card = card
        self._answer_to_reset = answer_to_reset
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._removals = 0

    def insert(self) -> None:
        """Put the card in. Raises UnavailableError PROVIDER_FAILED."""
        self._wait_for(_REMOVED, self._removals)
        insertions = self._count(_INSERTED)
        self._connection = _connect(self._port)
        self._thread = threading.Thread(target=self._serve, args=(self._connection,), daemon=True)
        self._thread.start()
        self._wait_for(_INSERTED, insertions + 1)

    def pull(self) -> None:
        """Pull the card out, whatever it is doing; nobody may have noticed when this returns."""
        if self._connection is None or self._thread is None:
            return
        self._removals = self._count(_REMOVED) + 1
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection = self._thread = None

    def remove(self) -> None:
        """Pull the card out and wait until that was noticed. Raises UnavailableError PROVIDER_FAILED."""
        self.pull()
        self._wait_for(_REMOVED, self._removals)

    def _wait_for(self, event: str, count: int) -> None:
        wait_until(lambda: self._count(event) >= count, f"pcscd did not say: {event} {self._name}")

    def _count(self, event: str) -> int:
        return self._log.read_bytes().count(f"{event} {self._name} ".encode())

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


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
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
