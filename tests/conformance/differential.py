"""What this engine and DSS say of the same signed files, in the same words, item by item."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from pecete.errors import PeceteError
from signer.validation.certificates import load_certificate
from signer.validation.engine import document_facts, judge_facts
from signer.validation.facts import CmsFacts, DocumentFacts, TimestampFacts
from signer.validation.pem import read_ders
from signer.validation.policy import ValidationPolicy
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport

Items = Mapping[str, str]
"""Of one file what is said of it, by aspect; of several signatures in the order of `_signature_key`."""


@dataclass(frozen=True)
class Case:
    """A signed file under its name in the tables, with what its signatures are over where that is apart."""

    name: str
    path: Path
    detached: tuple[Path, ...] = ()


@dataclass
class Said:
    """What one side says of signatures and time-stamps before it is put in order: (key, aspects)."""

    signatures: list[tuple[tuple[str, ...], Items]] = field(default_factory=list)
    timestamps: list[tuple[tuple[str, ...], Items]] = field(default_factory=list)

    def items(self) -> Items:
        """By aspect, in words."""
        made = {"signatures": str(len(self.signatures)), "time-stamps": str(len(self.timestamps))}
        for kind, said in (("signature", self.signatures), ("time-stamp", self.timestamps)):
            ordered = [
                items for _, items in sorted(said, key=lambda each: (each[0], sorted(each[1].items())))
            ]
            for aspect in ordered[0] if ordered else ():
                made[f"{kind} {aspect}"] = _in_words(items[aspect] for items in ordered)
        return made


def read(case: Case) -> DocumentFacts | None:
    """The facts of a file; None where it is refused."""
    try:
        return document_facts(case.path, case.detached)
    except PeceteError:
        return None


def ours(facts: DocumentFacts | None, policy: ValidationPolicy, *, is_pdf: bool) -> Items:
    """What this engine says; of a PDF also what came after each signature."""
    if facts is None:
        return {"signatures": "refused"}
    report = judge_facts(facts, policy)
    said = Said([(_our_key(each, is_pdf), _our_signature(each, is_pdf)) for each in report.signatures])
    said.timestamps = [(_stamp_key(each.generation_time), _our_stamp(each)) for each in _our_stamps(report)]
    records = {"evidence records": _in_words(str(each.conclusion) for each in report.evidence_records)}
    return {**said.items(), **(records if report.evidence_records else {})}


def _our_stamps(report: ValidationReport) -> Iterator[TimestampVerdict]:
    for signature in report.signatures:
        yield from (stamp for stamp in signature.timestamps if stamp.kind in ("signature", "content"))
    yield from report.document_timestamps


def _our_key(verdict: SignatureVerdict, is_pdf: bool) -> tuple[str, ...]:
    return _signature_key(verdict.field if is_pdf else "", verdict.signing_time, verdict.signer)


def _our_signature(verdict: SignatureVerdict, is_pdf: bool) -> Items:
    # What cannot be verified is not intact; DSS has no third word.
    integrity = "intact" if verdict.integrity == "intact" else "not intact"
    items = {"integrity": integrity, "verdict": _verdict(verdict), "level": verdict.level}
    return {**items, "changes": str(verdict.modification)} if is_pdf else items


def _verdict(verdict: SignatureVerdict) -> str:
    conclusion = verdict.conclusion
    return f"{conclusion.indication}/{conclusion.sub_indication}" if conclusion.sub_indication else "PASSED"


def _our_stamp(verdict: TimestampVerdict) -> Items:
    integrity = "intact" if verdict.integrity == "intact" else "not intact"
    return {"integrity": integrity, "verdict": str(verdict.conclusion)}


def theirs(answer: Mapping[str, Any], *, is_pdf: bool) -> Items:
    """What DSS says, from a line of its answer."""
    if "error" in answer:
        return {"signatures": "refused"}
    said = Said([(_their_key(each), _their_signature(each, is_pdf)) for each in answer["signatures"]])
    said.timestamps = [
        (_stamp_key(_time(each["productionTime"])), _their_stamp(each))
        for each in answer["timestamps"]
        if each["type"] != "EVIDENCE_RECORD_TIMESTAMP"
    ]
    records = answer["evidenceRecords"]
    found = {"evidence records": _in_words(_their_verdict(each) for each in records)}
    return {**said.items(), **(found if records else {})}


def _their_key(signature: Mapping[str, Any]) -> tuple[str, ...]:
    names = (signature.get("pdf") or {}).get("fieldNames") or [""]
    return _signature_key(names[0], _time(signature["signingTime"]), signature["signer"])


def _their_signature(signature: Mapping[str, Any], is_pdf: bool) -> Items:
    items = {
        "integrity": "intact" if signature["signatureIntact"] else "not intact",
        "verdict": _their_verdict(signature),
        "level": signature["format"],
    }
    return {**items, "changes": _their_changes(signature["pdf"] or {})} if is_pdf else items


def _their_changes(pdf: Mapping[str, Any]) -> str:
    if pdf.get("undefinedChanges") or pdf.get("pageDifference"):
        return "forbidden"
    return "allowed" if pdf.get("modified") else "none"


def _their_stamp(stamp: Mapping[str, Any]) -> Items:
    is_intact = stamp["signatureIntact"] and stamp["imprintFound"] and stamp["imprintIntact"]
    return {"integrity": "intact" if is_intact else "not intact", "verdict": _their_verdict(stamp)}


def _their_verdict(said: Mapping[str, Any]) -> str:
    indication, because = said["indication"], said["subIndication"]
    if because is None and indication in ("PASSED", "TOTAL_PASSED"):
        return "PASSED"
    return f"{indication}/{because}"


def _signature_key(field_name: str, time: datetime | None, signer: str | None) -> tuple[str, ...]:
    return (field_name, f"{time:%FT%T}" if time else "", "" if field_name else signer or "")


def _stamp_key(time: datetime | None) -> tuple[str, ...]:
    return (f"{time:%FT%T}" if time else "",)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _in_words(words: Iterable[str]) -> str:
    """Words in a row; of one that follows itself how often."""
    runs = [(word, len(list(run))) for word, run in groupby(words)]
    return ", ".join(word if times == 1 else f"{times} x {word}" for word, times in runs)


def topmost(facts: Iterable[DocumentFacts]) -> tuple[bytes, ...]:
    """The certificates in documents that nothing else there has issued, DER, but no signer's own."""
    messages = [message for each in facts for message in _messages(each)]
    signers = {message.signer_certificate for message in messages}
    stored = (der for each in facts for der, _ in each.store.certificates)
    held = {der for message in messages for der in message.certificates} | set(stored)
    known = [certificate for certificate in map(load_certificate, held) if certificate is not None]
    names = {certificate.subject for certificate in known}
    return tuple(
        sorted(
            certificate.der
            for certificate in known
            if certificate.is_self_issued
            or (certificate.issuer not in names and certificate.der not in signers)
        )
    )


def _messages(facts: DocumentFacts) -> Iterator[CmsFacts]:
    stamps: list[TimestampFacts] = list(facts.document_timestamps)
    for signature in facts.signatures:
        yield signature.cms
        stamps += signature.timestamps
    for record in facts.evidence_records:
        stamps += record.timestamps
    yield from (stamp.cms for stamp in stamps)


def certificates_in(folder: Path) -> tuple[bytes, ...]:
    """The certificates in the files of a folder, DER or PEM, as DER."""
    files = (path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".der", ".pem"))
    return tuple(dict.fromkeys(der for file in files for der in read_ders(file, "CERTIFICATE", "anchors")))
