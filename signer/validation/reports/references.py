"""Names of the validation objects of a report; one comes into being with the first reference to it."""

import hashlib

from signer.validation.certificates import Certificate
from signer.validation.facts import EvidenceRecordFacts, TimestampFacts


class References:
    """The validation objects that a report refers to, by their names, in the order of the first reference.

    document: the name of the judged file.
    """

    document = "D"

    def __init__(self) -> None:
        self.certificates: dict[str, bytes] = {}
        self.revocations: dict[str, bytes] = {}
        self.stamps: dict[str, TimestampFacts] = {}
        self.records: dict[str, EvidenceRecordFacts] = {}
        self._stamps: dict[int, str] = {}

    def certificate(self, certificate: Certificate) -> str:
        """Name of a certificate."""
        return self._named(self.certificates, "C-", certificate.der)

    def revocation_data(self, der: bytes) -> str:
        """Name of a CRL or an OCSP response."""
        return self._named(self.revocations, "R-", der)

    def timestamp(self, stamp: TimestampFacts) -> str:
        """Name of a time-stamp, which is told from others by being another object of the facts."""
        name = self._stamps.setdefault(id(stamp), f"T-{len(self._stamps) + 1}")
        self.stamps[name] = stamp
        return name

    def evidence_record(self, record: EvidenceRecordFacts) -> str:
        """Name of an evidence record."""
        name = f"E-{len(self.records) + 1}"
        self.records[name] = record
        return name

    @staticmethod
    def _named(known: dict[str, bytes], prefix: str, der: bytes) -> str:
        name = prefix + hashlib.sha256(der).hexdigest()
        known[name] = der
        return name
