"""What is or will be wrong with a signing key: its certificate, algorithm or statements.

The refusals here are those that signing makes at the same moment; the warnings say when they begin.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from pecete.errors import InvalidArgumentError
from signer.algorithms import BELIEVED_FOR_NOW, ED25519, SignatureAlgorithm, signature_end
from signer.qc_statements import qc_statements

EXPIRY_WARNING = timedelta(days=60)
"""How long before its end a certificate is warned about: a qualified one takes weeks to renew."""


@dataclass(frozen=True)
class KeyNotice:
    """One thing that a key's owner should know.

    reason: UPPER_SNAKE and stable. message: one sentence. refused: the key does not sign now. time: the day
    that the notice is about, such as the algorithm's end.
    """

    reason: str
    message: str
    refused: bool = False
    time: datetime | None = None


def key_notices(
    certificate: x509.Certificate, algorithm: SignatureAlgorithm, bits: int, now: datetime
) -> tuple[KeyNotice, ...]:
    """Give what is to be said of a key with its certificate, the refusals first."""
    found = [
        *_validity_notices(certificate, now),
        *algorithm_notices(algorithm, bits, now, certificate.not_valid_after_utc),
        *_statement_notices(certificate),
    ]
    return tuple(sorted(found, key=lambda notice: not notice.refused))


def algorithm_notices(
    algorithm: SignatureAlgorithm, bits: int, now: datetime, not_after: datetime | None = None
) -> Iterator[KeyNotice]:
    """Give the end of an algorithm with keys of this size, or that it is in no list (ETSI TS 119 312).

    not_after: the end of the certificate, where there is one.
    """
    end = signature_end(algorithm, bits)
    name = f"{algorithm.scheme} with {algorithm.digest} and {bits} bits"
    if algorithm == ED25519:
        yield KeyNotice(
            "ALGORITHM_NOT_IN_TS_119_312",
            "Ed25519 is not among the algorithms of ETSI TS 119 312; judges that keep to those alone, as the "
            "EU's DSS does by default, do not pass its signatures.",
        )
    if now >= end:
        yield KeyNotice("ALGORITHM_NOT_RELIABLE", f"{name} is no longer believed.", refused=True, time=end)
    elif not_after is not None and end < not_after:
        yield KeyNotice(
            "CERTIFICATE_OUTLIVES_ALGORITHM",
            f"{name} is believed until {end:%Y-%m-%d} only; the certificate is valid for longer, and signing "
            "is refused from then on.",
            time=end,
        )
    elif end != BELIEVED_FOR_NOW:
        yield KeyNotice(
            "ALGORITHM_ENDS",
            f"{name} is believed until {end:%Y-%m-%d} only; signing is refused from then on.",
            time=end,
        )


def days_left(not_after: datetime, now: datetime) -> int:
    """Give the whole days until a certificate expires; negative when it has."""
    return (not_after - now).days


def _validity_notices(certificate: x509.Certificate, now: datetime) -> Iterator[KeyNotice]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        yield KeyNotice(
            "CERTIFICATE_NOT_YET_VALID", "The key's certificate is not valid yet.", refused=True, time=start
        )
    elif now > end:
        yield KeyNotice("CERTIFICATE_EXPIRED", "The key's certificate has expired.", refused=True, time=end)
    elif end - now < EXPIRY_WARNING:
        yield KeyNotice(
            "CERTIFICATE_EXPIRES_SOON",
            f"The certificate expires in {days_left(end, now)} days; its successor should be asked for now.",
            time=end,
        )


def _statement_notices(certificate: x509.Certificate) -> Iterator[KeyNotice]:
    try:
        qc_statements(certificate)
    except InvalidArgumentError as error:
        yield KeyNotice(error.reason, f"{error.message} It counts as not qualified.")
