"""The report as ETSI TS 119 102-2 XML, version 1.4.1, for machines."""

import base64

from lxml import etree

from signer.validation.facts import (
    DocumentFacts,
    Integrity,
    Malformed,
    SignatureFacts,
    SignerBinding,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.indication import Conclusion, SubIndication
from signer.validation.path import Path
from signer.validation.pdf.aftermath import Modification
from signer.validation.policy import ValidationPolicy
from signer.validation.report import SignatureVerdict, ValidationReport
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
    new_report,
)
from signer.validation.reports.evidence import Evidence
from signer.validation.reports.objects import write_objects
from signer.validation.reports.references import References

_INTEGRITY = {
    Integrity.INTACT: "passed",
    Integrity.BROKEN: "failed",
    Integrity.UNVERIFIABLE: "indeterminate",
}
_MODIFICATION = {
    Modification.NONE: "passed",
    Modification.ALLOWED: "passed",
    Modification.FORBIDDEN: "failed",
    Modification.UNKNOWN: "indeterminate",
}


def render_xml(report: ValidationReport, facts: DocumentFacts | None, policy: ValidationPolicy) -> bytes:
    """The report as an XML document, UTF-8. facts: None where the document could not be read."""
    root = new_report()
    if not report.signatures:
        _nothing(add(root, "SignatureValidationReport"), report)
    if facts is not None and (report.signatures or not report.error):
        evidence = Evidence(facts, policy, report)
        objects = References()
        for index, (signature, verdict) in enumerate(evidence.signatures(), 1):
            element = add(root, "SignatureValidationReport")
            _SignatureReport(element, evidence, objects, signature, verdict, index).fill()
        write_objects(root, evidence, objects)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _nothing(element: Element, report: ValidationReport) -> None:
    """A document without signatures, or one that could not be judged."""
    status = add(element, "SignatureValidationStatus")
    if report.error is None:
        add(status, "MainIndication", words.NO_SIGNATURE)
    elif report.error.reason in set(Malformed):
        add_status(status, Conclusion(SubIndication.FORMAT_FAILURE), words.main_indication)
    else:
        add(status, "MainIndication", words.MAIN + "indeterminate")
    if report.error:
        data = add(add(status, "AssociatedValidationReportData"), "AdditionalValidationReportData")
        _add_data(data, "error", f"{report.error.reason}: {report.error.message}")


class _SignatureReport:
    """Fills one SignatureValidationReport (§4.2), part by part in the order of the schema."""

    def __init__(
        self,
        element: Element,
        evidence: Evidence,
        objects: References,
        facts: SignatureFacts,
        verdict: SignatureVerdict,
        index: int,
    ) -> None:
        self._element, self._evidence, self._objects = element, evidence, objects
        self._facts, self._verdict = facts, verdict
        self._id = f"S-{index}"
        self._path: Path = evidence.path(facts.cms, verdict.path)

    def fill(self) -> None:
        """Write all parts."""
        self._identifier()
        self._constraints()
        self._times()
        self._document()
        self._attributes()
        self._signer()
        if self._verdict.qualification:
            quality = add(self._element, "SignatureQuality")
            add(quality, "SignatureQualityInformation", words.quality(self._verdict.qualification))
        process = add(self._element, "SignatureValidationProcess")
        add(process, "SignatureValidationProcessID", words.PROCESS + self._process())
        self._status()

    def _identifier(self) -> None:
        cms = self._facts.cms
        element = add(self._element, "SignatureIdentifier", id=self._id)
        if cms.signed_digest:
            add_digest(element, "sha256", cms.signed_digest)
        if cms.signature_value:
            add(element, "SignatureValue", _base64(cms.signature_value), words.DSIG)
        add(element, "HashOnly", "false")
        add(element, "DocHashOnly", "false")
        if self._facts.field:
            add(element, "DAIdentifier", printable(self._facts.field))

    # ---- what was demanded

    def _constraints(self) -> None:
        report = add(self._element, "ValidationConstraintsEvaluationReport")
        policy = add(report, "SignatureValidationPolicy")
        add(add(policy, "SignaturePolicyIdentifier"), "SignaturePolicyImplied", None, words.XADES)
        verdict = self._verdict
        self._constraint(report, "integrity", _INTEGRITY[verdict.integrity])
        self._constraint(report, "modification", _MODIFICATION[verdict.modification])
        required = self._evidence.policy.revocation == "required"
        self._constraint(report, "revocation", status=words.APPLIED if required else words.DISABLED)
        for block, conclusion in verdict.trace:
            self._block(report, block, conclusion)

    def _constraint(
        self, report: Element, name: str, result: str = "", status: str = words.APPLIED
    ) -> Element:
        element = add(report, "ValidationConstraint")
        add(element, "ValidationConstraintIdentifier", f"{words.OWN}constraint:{name}")
        add(add(element, "ConstraintStatus"), "Status", status)
        if result:
            add(add(element, "ValidationStatus"), "MainIndication", words.MAIN + result)
        return element

    def _block(self, report: Element, block: str, conclusion: str) -> None:
        """A building block that ran: `PASSED`, or its result and sub-indication as `RESULT/SUB`."""
        result, _, kind = conclusion.partition("/")
        name = "".join(character if character.isalnum() else "-" for character in block.lower())
        element = self._constraint(report, f"block:{name}", result.lower())
        if kind:
            status = element[-1]
            add(status, "SubIndication", words.SUB + kind)

    # ---- what was found

    def _times(self) -> None:
        element = add(self._element, "ValidationTimeInfo")
        add_moment(element, "ValidationTime", self._evidence.report.validation_time)
        best = self._verdict.best_signature_time
        proof = add(element, "BestSignatureTime")
        add_moment(proof, "POETime", best)
        add(proof, "TypeOfProof", words.PROVEN)
        stamps = (*self._facts.timestamps, *self._evidence.facts.document_timestamps)
        prover = next((stamp for stamp in stamps if stamp.gen_time == best and self._is_valid(stamp)), None)
        if prover is not None:
            add_reference(proof, "POEObject", self._objects.timestamp(prover))

    def _is_valid(self, stamp: TimestampFacts) -> bool:
        verdict = self._evidence.verdict_on(stamp)
        return verdict is not None and verdict.conclusion.passed

    def _document(self) -> None:
        """What was signed: by the digest that the signature is over, else by the file that was judged."""
        cms = self._facts.cms
        element = add(self._element, "SignersDocument")
        name = cms.algorithms[0].digest if cms.algorithms else ""
        if cms.content_digest and name in words.DIGESTS:
            add_digest(element, name, cms.content_digest)
        add_reference(element, "SignersDocumentRepresentation", self._objects.document)

    def _attributes(self) -> None:
        facts = self._facts
        element = add(self._element, "SignatureAttributes")
        if facts.claimed_time is not None:
            add_moment(add(element, "SigningTime", Signed="true"), "Time", facts.claimed_time)
        if facts.cms.binding is SignerBinding.BOUND and self._path:
            bound = add(element, "SigningCertificate", Signed="true")
            add_reference(bound, "AttributeObject", self._objects.certificate(self._path[0]))
        for stamp in (*facts.timestamps, *self._around()):
            self._timestamp_attribute(element, stamp)
        if facts.format not in ("CAdES", "XAdES") and facts.form:
            add(add(element, "SubFilter", Signed="true"), "SubFilterElement", printable(facts.form))
        if not len(element):
            self._element.remove(element)

    def _around(self) -> list[TimestampFacts]:
        stamps = self._evidence.facts.document_timestamps
        return [stamp for stamp in stamps if stamp.covers(self._facts.end, self._facts.field)]

    def _timestamp_attribute(self, element: Element, stamp: TimestampFacts) -> None:
        if stamp.gen_time is None:
            return
        signed = "true" if stamp.kind is TimestampKind.CONTENT else "false"
        attribute = add(element, words.TIMESTAMP_ATTRIBUTES[stamp.kind], Signed=signed)
        add_reference(attribute, "AttributeObject", self._objects.timestamp(stamp))
        add_moment(attribute, "TimeStampValue", stamp.gen_time)

    def _signer(self) -> None:
        if not self._path:
            return
        element = add(self._element, "SignerInformation")
        add_reference(element, "SignerCertificate", self._objects.certificate(self._path[0]))
        add(element, "Signer", printable(self._path[0].common_name))

    def _process(self) -> str:
        """The process of EN 319 102-1 that a signature with such material goes through."""
        field = self._facts.field
        if self._around() or any(field in r.covers for r in self._evidence.facts.evidence_records):
            return "LTA"
        return "LTVM" if self._facts.timestamps else "Basic"

    # ---- what follows

    def _status(self) -> None:
        conclusion = self._verdict.conclusion
        status = add(self._element, "SignatureValidationStatus")
        add_status(status, conclusion, words.main_indication)
        data = add(status, "AssociatedValidationReportData")
        associated = Associated(data, self._evidence, self._objects, self._path)
        associated.chain()
        for stamp in (*self._facts.timestamps, *self._around()):
            add_reference(data, "RelatedValidationObject", self._objects.timestamp(stamp))
        associated.revocation()
        associated.crypto(self._facts.cms, self._id, conclusion)
        self._additional(data)

    def _additional(self, data: Element) -> None:
        """Sentences on why, what changed and what should be known; words for identity and time."""
        verdict = self._verdict
        told = [("explanation", verdict.conclusion.explanation)]
        told += [("identity", verdict.identity), ("time", verdict.time_status)]
        told += [("fault", sentence) for sentence in verdict.faults]
        told += [("change", sentence) for sentence in verdict.changes]
        told += [("finding", sentence) for sentence in verdict.findings]
        told = [(name, sentence) for name, sentence in told if sentence]
        if told:
            element = add(data, "AdditionalValidationReportData")
            for name, sentence in told:
                _add_data(element, name, sentence)


def _add_data(parent: Element, name: str, sentence: str) -> None:
    element = add(parent, "ReportData")
    add(element, "Type", f"{words.OWN}data:{name}")
    add(element, "Value", printable(sentence))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
