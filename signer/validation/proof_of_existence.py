"""Proofs of existence (EN 319 102-1 §5.6.2.3): since when each object of a document is known to exist.

They come from validated time-stamps and evidence records. What nothing proves is proven for the time of
judging. A document time-stamp proves all that ends before it in the file, so that beyond each position only
the earliest of them matters, and a look-up is a search in a sorted list.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

from signer.validation.facts import (
    CmsFacts,
    DocumentFacts,
    EvidenceRecordFacts,
    SignatureFacts,
    SignerBinding,
    TimestampFacts,
    TimestampKind,
)


class ProofsOfExistence:
    """Earliest proven times of the signatures, time-stamps and validation data of one document."""

    def __init__(self, facts: DocumentFacts, now: datetime) -> None:
        self._now = now
        self._facts = facts
        self._positions: list[int] = []
        self._earliest: list[datetime] = []
        self._proven: dict[object, datetime] = {}
        self._archived: dict[str, list[TimestampFacts]] = {}
        for stamp in facts.document_timestamps:
            if stamp.kind is TimestampKind.ARCHIVE:
                self._archived.setdefault(stamp.field, []).append(stamp)
        self._signatures: dict[str, list[SignatureFacts]] = {}
        for signature in facts.signatures:
            self._signatures.setdefault(signature.field, []).append(signature)

    # ---- what is proven

    def signature(self, signature: SignatureFacts) -> datetime:
        """Since when the signature value is proven to exist."""
        return min(self.content(signature), self._of(id(signature)))

    def content(self, signature: SignatureFacts) -> datetime:
        """Since when the signature is proven with all that is in it, such as its time-stamps."""
        return min(self._around(signature.end), self._of(("all of", id(signature))))

    def timestamp(self, stamp: TimestampFacts) -> datetime:
        """Since when a document or archive time-stamp is proven to exist."""
        around = self._now if stamp.kind is TimestampKind.ARCHIVE else self._around(stamp.end)
        return min(around, self._of(id(stamp)))

    def material(self, der: bytes) -> datetime:
        """Since when a certificate, CRL or OCSP response, DER, is proven to exist."""
        key = _digest(der)
        return min(self._around(self._first_positions.get(key, 0)), self._of(key))

    # ---- what proves

    def add_timestamp(self, stamp: TimestampFacts) -> None:
        """A valid document or archive time-stamp proves what it covers."""
        if stamp.gen_time is None:
            return
        if stamp.kind is TimestampKind.ARCHIVE:
            self._add_archive_timestamp(stamp, stamp.gen_time)
        elif stamp.covered > 0:
            self._add_position(stamp.covered, stamp.gen_time)

    def add_signature_timestamp(self, signature: SignatureFacts, time: datetime) -> None:
        """A valid time-stamp over the value proves it, and the certificate that what is signed names."""
        self._prove(id(signature), time)
        certificate = signature.cms.signer_certificate
        if certificate is not None and signature.cms.binding is SignerBinding.BOUND:
            self._prove(_digest(certificate), time)

    def add_evidence_record(self, record: EvidenceRecordFacts, time: datetime) -> None:
        """A valid evidence record proves what it protects since its first archive time-stamp."""
        covered = set(record.covers)
        for field in covered:
            for signature in self._signatures.get(field, ()):
                self._prove(id(signature), time)
                self._prove_within(signature, time)
                self._prove_material(signature.cms, time)
        for stamp in self._facts.document_timestamps:
            if stamp.field in covered:
                self._prove(id(stamp), time)
                self._prove_material(stamp.cms, time)

    def _add_archive_timestamp(self, stamp: TimestampFacts, time: datetime) -> None:
        """It proves its signature, the time-stamps before it, and of other material what its index lists."""
        for signature in self._signatures.get(stamp.field, ()):
            if stamp.covers(signature.end, signature.field):
                self._prove(id(signature), time)
                self._prove_within(signature, time)
        for earlier in self._archived.get(stamp.field, ()):
            if stamp.covers(earlier.end, earlier.field):
                self._prove(id(earlier), time)
                self._prove_material(earlier.cms, time)
        for digest in stamp.protected:
            self._prove(digest, time)

    def _prove_within(self, signature: SignatureFacts, time: datetime) -> None:
        self._prove(("all of", id(signature)), time)
        for inner in signature.timestamps:
            self._prove_material(inner.cms, time)

    def _prove_material(self, cms: CmsFacts, time: datetime) -> None:
        for der in _material(cms):
            self._prove(_digest(der), time)

    def _prove(self, key: object, time: datetime) -> None:
        self._proven[key] = min(time, self._of(key))

    @cached_property
    def _first_positions(self) -> dict[bytes, int]:
        return _first_positions(self._facts)

    def _of(self, key: object) -> datetime:
        return self._proven.get(key, self._now)

    def _add_position(self, covered: int, time: datetime) -> None:
        index = bisect_left(self._positions, covered)
        self._positions.insert(index, covered)
        self._earliest.insert(index, min(time, self._after(index)))
        for below in range(index - 1, -1, -1):
            if self._earliest[below] <= time:
                break
            self._earliest[below] = time

    def _after(self, index: int) -> datetime:
        return self._earliest[index] if index < len(self._earliest) else self._now

    def _around(self, end: int) -> datetime:
        """Earliest time of a document time-stamp over all that ends there; 0: nothing can be over it."""
        return self._after(bisect_left(self._positions, end)) if end > 0 else self._now


def _first_positions(facts: DocumentFacts) -> dict[bytes, int]:
    """By SHA-256 of each certificate, CRL and OCSP response, the first position where a copy of it ends."""
    positions: dict[bytes, int] = {}

    def note(ders: Iterable[bytes], end: int) -> None:
        for der in ders if end > 0 else ():
            key = _digest(der)
            positions[key] = min(end, positions.get(key, end))

    for signature in facts.signatures:
        note(_material(signature.cms), signature.end)
        for stamp in signature.timestamps:
            note(_material(stamp.cms), signature.end)
    for stamp in facts.document_timestamps:
        if stamp.kind is TimestampKind.DOCUMENT:
            note(_material(stamp.cms), stamp.end)
    store = facts.store
    for kept in (store.certificates, store.crls, store.ocsp_responses):
        for der, position in kept:
            note((der,), position + 1)
    return positions


def _material(cms: CmsFacts) -> Iterable[bytes]:
    yield from cms.certificates
    yield from cms.crls
    yield from cms.ocsp_responses


def _digest(der: bytes) -> bytes:
    return hashlib.sha256(der).digest()
