"""Reading an evidence record (RFC 4998) as it is stored: its chains, hash lists and time-stamps, unjudged.

What later time-stamps are over is hashed here, from the stored octets: encoding them again would change them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pecete.errors import InvalidArgumentError
from pecete.evidence.der import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Element,
    dotted,
    expect,
    read_element,
    read_stored_element,
    sequence_header,
)
from pecete.evidence.timestamp_token import TimestampError, TimestampFacts, read_timestamp_token

MAXIMUM_SIZE = 64 << 20
"""Octets of the longest evidence record that is read."""

MAXIMUM_CHAINS = 200
"""Hash-tree renewals that a record can have: each is over all chains before it, so their work adds up."""

DIGEST_ALGORITHMS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
}
"""hashlib's name of each digest algorithm by its object identifier."""

_DIGEST_ALGORITHM, _ATTRIBUTES, _REDUCED_HASHTREE = 0xA0, 0xA1, 0xA2
_CRYPTO_INFOS, _ENCRYPTION_INFO = 0xA0, 0xA1


class EvidenceRecordError(InvalidArgumentError):
    """What was given is no evidence record.

    `reason` is EVIDENCE_RECORD_MALFORMED or EVIDENCE_RECORD_VERSION.
    """


class Renewal(StrEnum):
    """Why an archive time-stamp was made (RFC 4998 §4.2 and §5.2)."""

    INITIAL = "initial"
    TIMESTAMP = "timestamp-renewal"
    HASH_TREE = "hash-tree-renewal"


@dataclass(frozen=True)
class ArchiveTimestamp:
    """An ArchiveTimeStamp (RFC 4998 §4.1).

    digest_algorithm: hashlib's name, "" of one that is not known. hash_lists: its reducedHashtree, None where
    there is none. token: the timeStamp field as stored. facts: what the token says. previous: digest of the
    timeStamp field before it in its chain; None in the first.
    """

    renewal: Renewal
    digest_algorithm: str
    hash_lists: tuple[tuple[bytes, ...], ...] | None = field(repr=False)
    token: bytes = field(repr=False)
    facts: TimestampFacts = field(repr=False)
    previous: bytes | None = field(repr=False, default=None)

    @property
    def time(self) -> datetime:
        """The time that it states (genTime), UTC."""
        return self.facts.gen_time


@dataclass(frozen=True)
class ArchiveTimestampChain:
    """An ArchiveTimeStampChain (RFC 4998 §5.1), made under one digest algorithm.

    previous: digest of the ArchiveTimeStampSequence of all chains before it; None in the first.
    """

    timestamps: tuple[ArchiveTimestamp, ...]
    previous: bytes | None = field(repr=False, default=None)

    @property
    def digest_algorithm(self) -> str:
        """That of its first time-stamp."""
        return self.timestamps[0].digest_algorithm


@dataclass(frozen=True)
class EvidenceRecord:
    """An EvidenceRecord, its chains the oldest first.

    joined: whether a renewed hash tree has H(h ‖ ha) of an object (RFC 4998 §5.2) instead of h and, beside
    it, ha (RFC 6283 §4.2.2).
    """

    chains: tuple[ArchiveTimestampChain, ...]
    joined: bool = True

    @property
    def timestamps(self) -> tuple[ArchiveTimestamp, ...]:
        """All archive time-stamps, the oldest first."""
        return tuple(stamp for chain in self.chains for stamp in chain.timestamps)

    @property
    def digest_algorithms(self) -> tuple[str, ...]:
        """The known digest algorithms under which objects must be hashed, each once."""
        names = (chain.digest_algorithm for chain in self.chains)
        return tuple(dict.fromkeys(name for name in names if name))


def read_evidence_record(record: bytes) -> EvidenceRecord:
    """Read an evidence record, DER. Raises EvidenceRecordError."""
    if len(record) > MAXIMUM_SIZE:
        raise malformed("it is too long")
    try:
        return _read(record)
    except TimestampError as error:
        raise malformed("a time-stamp in it cannot be read") from error
    except DerError as error:
        raise malformed(str(error)) from error


def malformed(why: str) -> EvidenceRecordError:
    """The error of what is no evidence record."""
    return EvidenceRecordError(
        "EVIDENCE_RECORD_MALFORMED", f"The evidence record cannot be read: {why}.", field="record"
    )


def hashed(algorithm: str, *octets: bytes) -> bytes:
    """Digest of octets one after the other, by hashlib's name; b"" for an algorithm that is not known."""
    if not algorithm:
        return b""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for part in octets:
        digest.update(part)
    return digest.digest()


def _read(record: bytes) -> EvidenceRecord:
    """EvidenceRecord ::= SEQUENCE { version, digestAlgorithms, [0]?, [1]?, archiveTimeStampSequence }."""
    outer = read_element(record)
    if outer.end != len(record):
        raise DerError("octets follow the record")
    fields = list(outer.children(SEQUENCE))
    if len(fields) < 3:
        raise DerError("too few fields")
    if expect(fields[0], INTEGER).content != b"\x01":
        raise EvidenceRecordError(
            "EVIDENCE_RECORD_VERSION",
            "The evidence record is of a version that RFC 4998 does not define.",
            field="record",
        )
    for algorithm in fields[1].children(SEQUENCE):
        _algorithm(algorithm, SEQUENCE)
    if [each.tag for each in fields[2:-1]] not in (
        [],
        [_CRYPTO_INFOS],
        [_ENCRYPTION_INFO],
        [_CRYPTO_INFOS, _ENCRYPTION_INFO],
    ):
        raise DerError("an unknown field")
    chains = list(fields[-1].children(SEQUENCE))
    if not 0 < len(chains) <= MAXIMUM_CHAINS:
        raise DerError("no chain, or too many")
    return EvidenceRecord(tuple(_chain(chains, number) for number in range(len(chains))))


def _chain(chains: Sequence[Element], number: int) -> ArchiveTimestampChain:
    stamps: list[ArchiveTimestamp] = []
    for element in chains[number].children(SEQUENCE):
        stamps.append(_archive_timestamp(element, stamps, is_first_chain=number == 0))
    if not stamps:
        raise DerError("a chain without a time-stamp")
    previous = _sequence_digest(stamps[0].digest_algorithm, chains[:number]) if number else None
    return ArchiveTimestampChain(tuple(stamps), previous)


def _sequence_digest(algorithm: str, chains: Sequence[Element]) -> bytes:
    """Digest of the ArchiveTimeStampSequence of `chains`, which stand one after the other (§5.2 step 3)."""
    first, last = chains[0].start, chains[-1].end
    stored = memoryview(chains[0].data)[first:last]
    return hashed(algorithm, sequence_header(last - first), stored)  # type: ignore[arg-type] # any buffer


def _archive_timestamp(
    element: Element, earlier: Sequence[ArchiveTimestamp], *, is_first_chain: bool
) -> ArchiveTimestamp:
    """ArchiveTimeStamp ::= SEQUENCE { [0] digestAlgorithm?, [1]?, [2] reducedHashtree?, timeStamp }."""
    stated, hash_lists, position, last_tag = None, None, element.content_start, 0
    while position < element.end and element.data[position] != SEQUENCE:
        part = read_element(element.data, position, element.end)
        if part.tag <= last_tag or part.tag not in (_DIGEST_ALGORITHM, _ATTRIBUTES, _REDUCED_HASHTREE):
            raise DerError(f"an unknown field of a time-stamp at {position}")
        if part.tag == _DIGEST_ALGORITHM:
            stated = _algorithm(part, _DIGEST_ALGORITHM)
        elif part.tag == _REDUCED_HASHTREE:
            hash_lists = _hash_lists(part)
        position, last_tag = part.end, part.tag
    token = read_stored_element(element.data, position, element.end)
    if token.end != element.end:
        raise DerError(f"octets follow a time-stamp at {token.end}")
    facts = read_timestamp_token(token.raw)
    algorithm = facts.digest_algorithm if stated is None else stated
    renewal = Renewal.TIMESTAMP if earlier else Renewal.INITIAL if is_first_chain else Renewal.HASH_TREE
    previous = hashed(algorithm, earlier[-1].token) if earlier else None
    return ArchiveTimestamp(renewal, algorithm, hash_lists, facts.token, facts, previous)


def _algorithm(element: Element, tag: int) -> str:
    """The algorithm of an AlgorithmIdentifier by hashlib's name, "" where it is not known."""
    fields = list(element.children(tag))
    if not 1 <= len(fields) <= 2:
        raise DerError("an AlgorithmIdentifier that is none")
    return DIGEST_ALGORITHMS.get(dotted(fields[0]), "")


def _hash_lists(element: Element) -> tuple[tuple[bytes, ...], ...]:
    """Read reducedHashtree [2] SEQUENCE OF PartialHashtree ::= SEQUENCE OF OCTET STRING."""
    lists = tuple(
        tuple(expect(each, OCTET_STRING).content for each in part.children(SEQUENCE))
        for part in element.children(_REDUCED_HASHTREE)
    )
    if not lists or not all(lists):
        raise DerError("an empty hash list")
    return lists
