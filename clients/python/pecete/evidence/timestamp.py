"""Checking an RFC 3161 time-stamp offline, against trust anchors that the checker chose.

`check_timestamp_integrity` asks whether the token is what some time-stamping unit signed over these data;
`verify_timestamp_token` asks in addition whether that unit is to be trusted. Neither looks at revocation.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.errors import InvalidArgumentError
from pecete.evidence.timestamp_path import (
    find_path,
    load_certificate,
    require_timestamping_usage,
    usage_period,
)
from pecete.evidence.timestamp_signature import DIGESTS, verify_token_signature
from pecete.evidence.timestamp_token import (
    TimestampError,
    TimestampFacts,
    read_timestamp_token,
    token_of_response,
)

__all__ = [
    "TimestampError",
    "TimestampFacts",
    "TimestampVerdict",
    "check_timestamp_integrity",
    "read_timestamp_token",
    "token_of_response",
    "verify_timestamp_token",
]


@dataclass(frozen=True)
class TimestampVerdict:
    """A token that was verified: existence of the data at `facts.gen_time` is proven.

    path: DER certificates from the time-stamping unit to the trust anchor. not_after: when the first of them
    expires; a proof that must hold longer needs a renewal before it (RFC 4998 §5).
    """

    facts: TimestampFacts
    path: tuple[bytes, ...] = field(repr=False)
    not_after: datetime

    @property
    def gen_time(self) -> datetime:
        """The proven time (genTime), UTC."""
        return self.facts.gen_time


def check_timestamp_integrity(
    token: bytes,
    *,
    data: bytes | None = None,
    digest: bytes | None = None,
    certificates: Sequence[bytes] = (),
) -> tuple[TimestampFacts, bytes]:
    """Check that a time-stamping unit signed this token over these data; give the facts and its certificate.

    data or digest: exactly one of what was time-stamped and its hash under the token's own algorithm.
    certificates: DER, where to find the unit's when the token does not carry it. Whether the certificate is
    trusted is left open. Raises TimestampError with any reason but TIMESTAMP_PATH_NOT_FOUND,
    and InvalidArgumentError TIMESTAMP_SUBJECT_MISSING.
    """
    facts, certificate = _check_integrity(token, data, digest, certificates)
    return facts, certificate.public_bytes(Encoding.DER)


def verify_timestamp_token(
    token: bytes,
    *,
    data: bytes | None = None,
    digest: bytes | None = None,
    trust: Sequence[bytes],
    certificates: Sequence[bytes] = (),
    at: datetime | None = None,
) -> TimestampVerdict:
    """Verify a TimeStampToken over `data` or its `digest` (RFC 3161 §2.4.2, RFC 5816, RFC 5280 §6).

    trust: trust anchors, DER; a unit's own certificate may be one. certificates: further ones, DER, for the
    path. at: aware time for which the path must be valid, None for the token's genTime; whoever cannot show
    that the token existed before its certificates expired passes the present time. Raises TimestampError with
    any of its reasons, InvalidArgumentError TIMESTAMP_SUBJECT_MISSING or TRUST_ANCHOR_UNREADABLE.
    """
    anchors = [_anchor(der) for der in trust]
    facts, certificate = _check_integrity(token, data, digest, [*certificates, *trust])
    candidates = (load_certificate(der) for der in (*facts.certificates, *certificates))
    usable = [candidate for candidate in candidates if candidate is not None]
    path = find_path(certificate, usable, anchors, at or facts.gen_time)
    return TimestampVerdict(
        facts=facts,
        path=tuple(step.public_bytes(Encoding.DER) for step in path),
        not_after=min(step.not_valid_after_utc for step in path),
    )


def _check_integrity(
    token: bytes, data: bytes | None, digest: bytes | None, certificates: Sequence[bytes]
) -> tuple[TimestampFacts, x509.Certificate]:
    facts = read_timestamp_token(token)
    _check_imprint(facts, data, digest)
    certificate = verify_token_signature(token, facts.tst_info, (*facts.certificates, *certificates))
    require_timestamping_usage(certificate)
    first, last = usage_period(certificate)
    if not first <= facts.gen_time <= last:
        raise TimestampError(
            "TIMESTAMP_OUTSIDE_KEY_USAGE_PERIOD",
            "The time-stamp was made when its key was not, or no longer, to be used.",
            field="timestamp",
        )
    return facts, certificate


def _check_imprint(facts: TimestampFacts, data: bytes | None, digest: bytes | None) -> None:
    if (data is None) == (digest is None):
        raise InvalidArgumentError(
            "TIMESTAMP_SUBJECT_MISSING",
            "Give either the data that were time-stamped or their digest.",
            field="data",
        )
    if facts.digest_algorithm not in DIGESTS:
        raise TimestampError(
            "TIMESTAMP_ALGORITHM_NOT_ALLOWED",
            "The message imprint is of a weak or unknown kind.",
            field="timestamp",
        )
    expected = digest if data is None else hashlib.new(facts.digest_algorithm, data).digest()
    if expected != facts.digest:
        raise TimestampError(
            "TIMESTAMP_IMPRINT_MISMATCH", "The time-stamp is one over other data.", field="timestamp"
        )


def _anchor(der: bytes) -> x509.Certificate:
    certificate = load_certificate(der)
    if certificate is None:
        raise InvalidArgumentError(
            "TRUST_ANCHOR_UNREADABLE", "A trust anchor is not a readable certificate.", field="trust"
        )
    return certificate
