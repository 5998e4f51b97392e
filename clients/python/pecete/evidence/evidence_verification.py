"""Checking an evidence record (RFC 4998) offline, against trust anchors that the checker chose.

Its hash trees and renewals come first, then the signature of each time-stamp, and where trust anchors are
given each authority: its certificates must be valid when the next time-stamp was made, those of the last one
at the time of checking (§5.3). Revocation is not looked at.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pecete.evidence.evidence_chains import DataObject, check_chains
from pecete.evidence.evidence_check_words import Check, Fault, Verdict
from pecete.evidence.evidence_record import (
    ArchiveTimestamp,
    EvidenceRecord,
    EvidenceRecordError,
    Renewal,
    read_evidence_record,
)
from pecete.evidence.timestamp import verify_timestamp_token
from pecete.evidence.timestamp_signature import verify_token_signature
from pecete.evidence.timestamp_token import TimestampError

__all__ = [
    "Check",
    "DataObject",
    "EvidenceVerdict",
    "Renewal",
    "RenewalVerdict",
    "SignatureState",
    "Verdict",
    "digests_of_file",
    "verify_evidence_record",
]

_CHUNK = 1 << 20
_DIGEST_ENDS = {
    "md5": datetime(2004, 8, 1, tzinfo=UTC),
    "sha1": datetime(2012, 8, 1, tzinfo=UTC),
    "sha224": datetime(2029, 1, 1, tzinfo=UTC),
}
"""Until when digest algorithms without a future are believed (TS 119 312)."""

_UNVERIFIABLE = ("TIMESTAMP_CERTIFICATE_MISSING", "TIMESTAMP_ALGORITHM_NOT_ALLOWED")


class SignatureState(StrEnum):
    """Whether the signature of a time-stamp holds.

    UNVERIFIABLE: its certificate is nowhere, or its algorithm is not believed.
    """

    VALID = "valid"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True)
class RenewalVerdict:
    """An archive time-stamp of a record. trusted: None where no trust anchor was given."""

    renewal: Renewal
    time: datetime
    digest_algorithm: str
    signature: SignatureState
    trusted: bool | None


@dataclass(frozen=True)
class EvidenceVerdict:
    """What a record proves.

    fault: the first check that does not hold; None with the verdict INTACT alone. covered: names of the
    objects that the record protects. unknown: hashes beside theirs in the first list of the record.
    A time-stamp whose signature is UNVERIFIABLE breaks nothing as long as no trust is asked for: a stranger's
    time-stamp with a certificate would say no more than one without.
    """

    verdict: Verdict
    fault: Fault | None = None
    timestamps: tuple[RenewalVerdict, ...] = ()
    covered: tuple[str, ...] = ()
    unknown: int = 0

    @property
    def existed_by(self) -> datetime | None:
        """The first time-stamp's time, by which the covered objects existed; None of what is broken."""
        proven = self.verdict in (Verdict.INTACT, Verdict.PARTIAL)
        return self.timestamps[0].time if proven and self.timestamps else None


def verify_evidence_record(
    record: bytes,
    objects: Sequence[DataObject],
    *,
    trust: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    at: datetime | None = None,
) -> EvidenceVerdict:
    """Check an EvidenceRecord, DER, and which of `objects` it protects.

    trust: trust anchors, DER; with none, whether the authorities are trusted stays open. certificates:
    further ones, DER. at: aware time for which the last time-stamp must be believed; None for now.
    Raises InvalidArgumentError TRUST_ANCHOR_UNREADABLE.
    """
    try:
        parsed = read_evidence_record(record)
    except EvidenceRecordError as error:
        check = Check.VERSION if error.reason == "EVIDENCE_RECORD_VERSION" else Check.STRUCTURE
        return EvidenceVerdict(Verdict.MALFORMED, Fault(check, error.message))
    chains = check_chains(parsed, objects)
    at = at or datetime.now(UTC)
    found = tuple(_renewals(parsed, trust, certificates, at))
    verdict, fault = chains.verdict, chains.fault
    if verdict is not Verdict.BROKEN:
        unproven = _unproven(found) or _outlived(parsed, at)
        verdict, fault = (Verdict.BROKEN, unproven) if unproven else (verdict, fault)
    return EvidenceVerdict(verdict, fault, found, chains.covered, chains.unknown)


def digests_of_file(file: Path, algorithms: Iterable[str]) -> DataObject:
    """A file as an object, read once in pieces. algorithms: hashlib's names. Raises OSError."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    return DataObject(str(file), {name: digest.digest() for name, digest in digests.items()})


def _renewals(
    record: EvidenceRecord, trust: Sequence[bytes], certificates: Sequence[bytes], at: datetime
) -> Iterable[RenewalVerdict]:
    stamps = record.timestamps
    for stamp, needed in zip(stamps, [*(stamp.time for stamp in stamps[1:]), at], strict=True):
        signature = _signature(stamp, (*certificates, *trust))
        trusted = _is_trusted(stamp, trust, certificates, needed) if trust else None
        yield RenewalVerdict(stamp.renewal, stamp.time, stamp.digest_algorithm, signature, trusted)


def _signature(stamp: ArchiveTimestamp, certificates: Sequence[bytes]) -> SignatureState:
    facts = stamp.facts
    try:
        verify_token_signature(stamp.token, facts.tst_info, (*facts.certificates, *certificates))
    except TimestampError as error:
        return SignatureState.UNVERIFIABLE if error.reason in _UNVERIFIABLE else SignatureState.INVALID
    return SignatureState.VALID


def _is_trusted(
    stamp: ArchiveTimestamp, trust: Sequence[bytes], certificates: Sequence[bytes], at: datetime
) -> bool:
    try:
        verify_timestamp_token(
            stamp.token, digest=stamp.facts.digest, trust=trust, certificates=certificates, at=at
        )
    except TimestampError:
        return False
    return True


def _unproven(found: Sequence[RenewalVerdict]) -> Fault | None:
    for number, each in enumerate(found, 1):
        if each.signature is SignatureState.INVALID:
            return Fault(Check.TIMESTAMP_SIGNATURE, f"the signature of time-stamp {number} does not verify")
    for number, each in enumerate(found, 1):
        if each.trusted is False:
            return Fault(Check.TIMESTAMP_TRUST, f"time-stamp {number} is not by a trusted authority")
    return None


def _outlived(record: EvidenceRecord, at: datetime) -> Fault | None:
    """A chain's digest algorithm must be believed when the next chain begins, or now (§5.3)."""
    ends = [*(chain.timestamps[0].time for chain in record.chains[1:]), at]
    for number, (chain, needed) in enumerate(zip(record.chains, ends, strict=True), 1):
        end = _DIGEST_ENDS.get(chain.digest_algorithm)
        if end is not None and end <= needed:
            sentence = f"chain {number} was not renewed before {chain.digest_algorithm} ceased to be believed"
            return Fault(Check.DIGEST_ALGORITHM, sentence)
    return None
