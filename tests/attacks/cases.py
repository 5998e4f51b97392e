"""What an attack is here: a signed document that was tampered with, beside an innocent look-alike."""

from collections.abc import Callable
from dataclasses import dataclass

Make = Callable[[], bytes]


@dataclass(frozen=True)
class Attack:
    """An attack with its look-alike.

    name: what is done. attack: makes the document, or file, that must not pass. word: sub-indication of the
    verdict on the attacked signature, or the reason of the error that refuses the document. innocent: makes
    what looks like it and must pass; `permits` says in words why. late: judged when the signer's certificate
    has expired, so that a time-stamp must prove the signature.
    """

    name: str
    attack: Make
    word: str
    innocent: Make
    permits: str
    late: bool = False
