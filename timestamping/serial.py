"""Serial numbers of tokens, unique for ever (RFC 3161 §2.4.2, serialNumber).

A process draws a random prefix for its life and counts behind it, so that restarts, replicas and restored
backups do not meet. The unique index of the `timestamps` table is the arbiter.
"""

import itertools
import os
import secrets

_PREFIX_OCTETS = 8
_COUNTER_OCTETS = 8


class Serials:
    """Gives serial numbers of 16 octets; safe to share between threads, and across a fork."""

    def __init__(self) -> None:
        self.renew()

    def next(self) -> bytes:
        """Give the next one as the contents of a positive DER INTEGER."""
        if os.getpid() != self._process:
            self.renew()
        return self._prefix + next(self._counter).to_bytes(_COUNTER_OCTETS, "big")

    def renew(self) -> None:
        """Draw another prefix: after a fork, or when a serial number turned out to be taken."""
        drawn = secrets.token_bytes(_PREFIX_OCTETS)
        # A first octet of 0x40 to 0x7f keeps every serial number positive and equally long.
        self._prefix = bytes((0x40 | drawn[0] & 0x3F,)) + drawn[1:]
        self._counter = itertools.count()
        self._process = os.getpid()
