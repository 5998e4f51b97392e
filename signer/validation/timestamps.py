"""Time-stamp tokens (RFC 3161 §2.4.2): what they state and whether they are over what they stand for."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from signer.validation.der import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Element,
    expect,
    integer,
    octets,
    oid,
    read,
)
from signer.validation.facts import TimestampFacts, TimestampKind
from signer.validation.integrity import ContentDigest, cms_facts, undecodable
from signer.validation.signature_value import DIGESTS
from signer.validation.signed_data import (
    CONTENT_TIME_STAMP,
    SIGNATURE_TIME_STAMP,
    TST_INFO,
    SignedData,
    SignerInfo,
    read_signed_data,
)
from signer.validation.times import asn1_time

_MILLIS, _MICROS = 0x80, 0x81
_BOOLEAN, _EXTENSIONS = 0x01, 0xA1


@dataclass(frozen=True)
class _TstInfo:
    """The parts of a TSTInfo that a verdict needs; digest is hashlib's name, "" for an unknown one.

    faults: sentences on what stands in it and is not understood.
    """

    digest: str
    imprint: bytes
    gen_time: datetime
    accuracy: timedelta
    faults: tuple[str, ...]


def timestamp_facts(
    token: bytes, kind: TimestampKind, digest_of: Callable[[str], bytes | None]
) -> TimestampFacts:
    """Facts of a token; `digest_of` gives the digest of what it must be over, by hashlib's name."""
    try:
        return _facts(read_signed_data(token), kind, digest_of)
    except DerError as error:
        return unreadable_timestamp(kind, f"the time-stamp token cannot be read: {error}")


def unreadable_timestamp(kind: TimestampKind, fault: str) -> TimestampFacts:
    """Facts of a time-stamp of which nothing can be believed."""
    return TimestampFacts(kind, undecodable(fault), None, timedelta(), "", None, faults=(fault,))


def _facts(
    signed_data: SignedData, kind: TimestampKind, digest_of: Callable[[str], bytes | None]
) -> TimestampFacts:
    content = signed_data.content
    if signed_data.content_type != TST_INFO or content is None:
        return unreadable_timestamp(kind, "the token holds no TSTInfo")
    stated = _tst_info(read(content))
    cms = cms_facts(signed_data, TST_INFO, lambda name: hashlib.new(name, content).digest())
    expected = digest_of(stated.digest) if stated.digest else None
    return TimestampFacts(
        kind=kind,
        cms=cms,
        gen_time=stated.gen_time,
        accuracy=stated.accuracy,
        imprint_digest=stated.digest or "unknown",
        imprint_matches=None if expected is None else expected == stated.imprint,
        faults=(*stated.faults, *cms.faults),
    )


def _tst_info(element: Element) -> _TstInfo:
    fields = element.parts(SEQUENCE, 5)
    algorithm, imprint = fields[2].parts(SEQUENCE, 2)[:2]
    expect(fields[3], INTEGER)
    return _TstInfo(
        DIGESTS.get(oid(algorithm.parts(SEQUENCE, 1)[0]), ""),
        octets(expect(imprint, OCTET_STRING)),
        asn1_time(expect(fields[4], GENERALIZED_TIME)),
        _accuracy(fields[5]) if len(fields) > 5 and fields[5].tag == SEQUENCE else timedelta(),
        tuple(_faults(integer(fields[0]), fields[5:])),
    )


def _faults(version: int, optional: Sequence[Element]) -> Iterator[str]:
    """What a verifier must not pass over: another version, and a critical extension (RFC 3161 §2.4.2)."""
    if version != 1:
        yield f"a time-stamp token of version {version}"
    for extension in (child for part in optional if part.tag == _EXTENSIONS for child in part.children()):
        identifier, *rest = extension.parts(SEQUENCE, 2)
        if rest[0].tag == _BOOLEAN and any(rest[0].content):
            yield f"a time-stamp token with the critical extension {oid(identifier)}"


def _accuracy(element: Element) -> timedelta:
    """Accuracy ::= SEQUENCE { seconds, millis [0], micros [1] }, each optional."""
    total = timedelta()
    for part in element.children():
        amount = int.from_bytes(part.content[:8], "big")
        if part.tag == INTEGER:
            total += timedelta(seconds=min(amount, 10**9))
        elif part.tag in (_MILLIS, _MICROS):
            unit = timedelta(milliseconds=1) if part.tag == _MILLIS else timedelta(microseconds=1)
            total += unit * min(amount, 999)
    return total


def signature_timestamps(signer: SignerInfo) -> tuple[TimestampFacts, ...]:
    """Time-stamps over the octets of a signature value (EN 319 122-1 §5.3)."""

    def digest(name: str) -> bytes:
        return hashlib.new(name, signer.signature, usedforsecurity=False).digest()

    return tuple(
        timestamp_facts(token, TimestampKind.SIGNATURE, digest)
        for attribute in signer.unsigned(SIGNATURE_TIME_STAMP)
        for token in attribute.values
    )


def content_timestamps(signer: SignerInfo, content: ContentDigest) -> tuple[TimestampFacts, ...]:
    """Time-stamps over what is signed, which prove that it was signed later (EN 319 122-1 §5.2.8)."""
    return tuple(
        timestamp_facts(token, TimestampKind.CONTENT, content)
        for attribute in signer.signed(CONTENT_TIME_STAMP)
        for token in attribute.values
    )
