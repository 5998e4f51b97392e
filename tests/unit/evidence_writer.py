"""Evidence records made for tests: RFC 4998 written by hand, with a time-stamping unit in memory."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

from pecete.evidence.evidence_verification import DataObject
from signer.der import OCTET_STRING, SEQUENCE, tlv
from tests.unit.validation_documents import STAMPER, stamper

OIDS = {
    "sha1": bytes.fromhex("06052b0e03021a"),
    "sha224": bytes.fromhex("0609608648016503040204"),
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sha384": bytes.fromhex("0609608648016503040202"),
    "sha512": bytes.fromhex("0609608648016503040203"),
}
Lists = Sequence[Sequence[bytes]]


def digest(algorithm: str, *octets: bytes) -> bytes:
    return hashlib.new(algorithm, b"".join(octets), usedforsecurity=False).digest()


def token(imprint: bytes, algorithm: str, time: datetime) -> bytes:
    made: bytes = asyncio.run(stamper(time).async_timestamp(imprint, algorithm)).dump()
    return made


def root(algorithm: str, lists: Lists) -> bytes:
    """The root of hash lists, a lone hash in the first passed on as it is."""
    first, *later = lists
    node = first[0] if len(first) == 1 else digest(algorithm, *sorted(first))
    for members in later:
        node = digest(algorithm, *sorted([*members, node]))
    return node


def archive_timestamp(
    lists: Lists, time: datetime, algorithm: str = "sha256", *, imprint: bytes = b"", stated: bool = True
) -> bytes:
    """An ArchiveTimeStamp over hash lists, or with none over an imprint."""
    over = imprint or root(algorithm, lists)
    parts = [tlv(0xA0, OIDS[algorithm])] if stated else []
    if lists:
        members = (tlv(SEQUENCE, *(tlv(OCTET_STRING, each) for each in part)) for part in lists)
        parts.append(tlv(0xA2, *members))
    return tlv(SEQUENCE, *parts, token(over, algorithm, time))


def stored_token(stamp: bytes) -> bytes:
    """The timeStamp field of an ArchiveTimeStamp that has one at its end."""
    return stamp[stamp.index(bytes.fromhex("06092a864886f70d010702")) - 4 :]


def sequence(chains: Sequence[Sequence[bytes]]) -> bytes:
    """An ArchiveTimeStampSequence."""
    return tlv(SEQUENCE, *(tlv(SEQUENCE, *chain) for chain in chains))


def record(*chains: Sequence[bytes], algorithms: Sequence[str] = ("sha256",)) -> bytes:
    """An EvidenceRecord."""
    names = tlv(SEQUENCE, *(tlv(SEQUENCE, OIDS[name]) for name in algorithms))
    return tlv(SEQUENCE, b"\x02\x01\x01", names, sequence(chains))


def thing(name: str, octets: bytes, *algorithms: str) -> DataObject:
    """An object with its digests."""
    return DataObject(name, {each: digest(each, octets) for each in algorithms or OIDS})


def renewed_hash(algorithm: str, octets: bytes, earlier: Sequence[Sequence[bytes]]) -> bytes:
    """H(h ‖ ha), what a renewed hash tree has of an object."""
    return digest(algorithm, digest(algorithm, octets), digest(algorithm, sequence(earlier)))


def anchor() -> bytes:
    """The time-stamping unit's own certificate, to be trusted."""
    return STAMPER.der
