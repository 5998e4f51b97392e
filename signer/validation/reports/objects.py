"""SignatureValidationObjects (TS 119 102-2 §4.4): what was used, and since when it is proven to exist."""

import base64
import hashlib
from datetime import datetime

from signer.validation.certificates import load_certificate
from signer.validation.crl import load_crl
from signer.validation.facts import EvidenceRecordFacts, TimestampFacts, TimestampKind
from signer.validation.report import EvidenceRecordVerdict, TimestampVerdict
from signer.validation.reports import vocabulary as words
from signer.validation.reports.associated import Associated
from signer.validation.reports.content import printable
from signer.validation.reports.elements import (
    Element,
    add,
    add_digest,
    add_moment,
    add_reference,
    add_status,
)
from signer.validation.reports.evidence import Evidence
from signer.validation.reports.references import References


def write_objects(root: Element, evidence: Evidence, objects: References) -> None:
    """Append the objects that the report refers to, and what else was found in the document."""
    _Writer(add(root, "SignatureValidationObjects"), evidence, objects).write()


class _Writer:
    """Writes the list of one report."""

    def __init__(self, element: Element, evidence: Evidence, objects: References) -> None:
        self._list, self._evidence, self._objects = element, evidence, objects
        self._ends = _ends(evidence)

    def write(self) -> None:
        """Time-stamps come first, as their chains refer to further certificates."""
        add_digest(self._object(self._objects.document, "signedData"), "sha256", self._evidence.facts.sha256)
        for stamp in self._evidence.timestamps():
            self._objects.timestamp(stamp)
        for name, stamp in self._objects.stamps.items():
            self._timestamp(name, stamp)
        for record, verdict in self._evidence.records():
            self._record(self._objects.evidence_record(record), record, verdict)
        self._refer_to_the_rest()
        for name, der in self._objects.certificates.items():
            add(self._object(name, "certificate"), "base64", base64.b64encode(der).decode("ascii"))
            self._poe(self._ends.get(der, 0))
        for name, der in self._objects.revocations.items():
            kind = "CRL" if load_crl(der) else "OCSPResponse"
            add_digest(self._object(name, kind), "sha256", hashlib.sha256(der).digest())
            self._poe(self._ends.get(der, 0))

    def _refer_to_the_rest(self) -> None:
        for der in self._evidence.certificates:
            certificate = load_certificate(der)
            if certificate is not None:
                self._objects.certificate(certificate)
        for der in (*self._evidence.crls, *self._evidence.ocsp_responses):
            self._objects.revocation_data(der)

    def _object(self, name: str, kind: str) -> Element:
        """Append an object; what is given back is its representation, still empty."""
        element = add(self._list, "ValidationObject", id=name)
        add(element, "ObjectType", words.OBJECT + kind)
        return add(element, "ValidationObjectRepresentation")

    def _poe(self, end: int) -> None:
        """Since when the last object, whose end in the file is given, is proven to exist: at latest now."""
        proof = self._evidence.proof(end)
        element = add(self._list[-1], "POE")
        time = proof.gen_time if proof and proof.gen_time else self._evidence.report.validation_time
        add_moment(element, "POETime", time)
        add(element, "TypeOfProof", words.PROVEN)
        if proof is not None:
            add_reference(element, "POEObject", self._objects.timestamp(proof))

    # ---- time-stamps and evidence records

    def _timestamp(self, name: str, stamp: TimestampFacts) -> None:
        representation = self._object(name, "timestamp")
        value = base64.b64encode(stamp.cms.signature_value).decode("ascii")
        add(add(representation, "direct"), "SignatureValue", value, words.DSIG)
        self._poe(stamp.end)
        verdict = self._evidence.verdict_on(stamp)
        if stamp.gen_time is not None and verdict is not None and verdict.conclusion.passed:
            self._provision(stamp.gen_time, self._proven_fields(stamp))
        if verdict is not None:
            self._timestamp_report(name, stamp, verdict)

    def _proven_fields(self, stamp: TimestampFacts) -> list[str]:
        """Fields of the signatures that a time-stamp proves."""
        signatures = self._evidence.facts.signatures
        if stamp.kind in (TimestampKind.SIGNATURE, TimestampKind.CONTENT):
            return [each.field for each in signatures if any(own is stamp for own in each.timestamps)]
        return [each.field for each in signatures if stamp.covers(each.end, each.field)]

    def _provision(self, time: datetime, fields: list[str]) -> None:
        element = add(self._list[-1], "POEProvisioning")
        add_moment(element, "POETime", time)
        add_reference(element, "ValidationObject", self._objects.document)
        for field in filter(None, fields):
            add(add(element, "SignatureReference"), "PAdESFieldName", printable(field))

    def _timestamp_report(self, name: str, stamp: TimestampFacts, verdict: TimestampVerdict) -> None:
        report = add(self._list[-1], "ValidationReport")
        path = self._evidence.path(stamp.cms)
        if path:
            signer = add(report, "SignerInformation")
            add_reference(signer, "SignerCertificate", self._objects.certificate(path[0]))
            add(signer, "Signer", printable(path[0].common_name))
        status = add(report, "SignatureValidationStatus")
        add_status(status, verdict.conclusion, words.block_indication)
        associated = Associated(
            add(status, "AssociatedValidationReportData"), self._evidence, self._objects, path
        )
        associated.chain()
        associated.revocation()
        associated.crypto(stamp.cms, name, verdict.conclusion)

    def _record(self, name: str, record: EvidenceRecordFacts, verdict: EvidenceRecordVerdict) -> None:
        representation = self._object(name, "evidencerecord")
        add(representation, "direct", printable(record.name))
        self._poe(0)
        if verdict.proven_time is not None and verdict.conclusion.passed:
            self._provision(verdict.proven_time, list(record.covers))
        status = add(add(self._list[-1], "ValidationReport"), "SignatureValidationStatus")
        add_status(status, verdict.conclusion, words.block_indication)


def _ends(evidence: Evidence) -> dict[bytes, int]:
    """Where each certificate, CRL and OCSP response first ends in the file."""
    facts = evidence.facts
    store = facts.store
    found = [*store.certificates, *store.crls, *store.ocsp_responses]
    for signature in facts.signatures:
        cms = signature.cms
        found += [(der, signature.end) for der in (*cms.certificates, *cms.crls, *cms.ocsp_responses)]
    ends: dict[bytes, int] = {}
    for der, end in found:
        ends[der] = min(end, ends.get(der, end))
    return ends
