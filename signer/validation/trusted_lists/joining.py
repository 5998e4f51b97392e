"""Trusted lists in a judgement: their trust anchors before it, qualifications after it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps

from signer.validation.certificates import load_certificate
from signer.validation.facts import CmsFacts, DocumentFacts, TimestampFacts, TimestampKind
from signer.validation.policy import ValidationPolicy
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport
from signer.validation.trusted_lists.identification import ServiceFinder, service_index
from signer.validation.trusted_lists.qualification import TimestampQualification, qualify, qualify_timestamp
from signer.validation.trusted_lists.snapshot import TrustedServices

Judge = Callable[[DocumentFacts, ValidationPolicy], ValidationReport]
"""Judges facts under a policy."""


def with_trusted_lists(judge: Judge) -> Judge:
    """The judge, who trusts the listed authorities too and says how qualified what they vouch for is."""

    @wraps(judge)
    def judge_with_lists(facts: DocumentFacts, policy: ValidationPolicy) -> ValidationReport:
        return qualified(judge(facts, trusting(policy, facts)), facts, policy)

    return judge_with_lists


def trusting(policy: ValidationPolicy, facts: DocumentFacts) -> ValidationPolicy:
    """The policy with the trust anchors that its trusted services have for a document.

    Only those are added that a path of this document could lead to. An anchor that the policy has by itself
    stays as it is, without the list's sunset.
    """
    if policy.trusted_services is None:
        return policy
    known = [load_certificate(der) for der in (*policy.certificates, *_certificates(facts))]
    index = service_index(policy.trusted_services)
    own = frozenset(policy.anchors)
    added = [
        anchor
        for anchor in index.anchors((each for each in known if each), policy.time)
        if anchor.certificate not in own
    ]
    return replace(
        policy,
        anchors=(*policy.anchors, *(anchor.certificate for anchor in added)),
        sunsets=(*policy.sunsets, *((each.certificate, each.sunset) for each in added if each.sunset)),
    )


def qualified(report: ValidationReport, facts: DocumentFacts, policy: ValidationPolicy) -> ValidationReport:
    """The report with the qualification of each signature and time-stamp (ETSI TS 119 615).

    Without trusted services it stays as it is.
    """
    services = policy.trusted_services
    if services is None:
        return report
    return _Qualifier(report, facts, policy, services).report()


_Signs = tuple[TimestampKind, str, datetime | None, str | None]
"""By what a verdict is known to be of a time-stamp: kind, field, stated time, and name of the authority."""


@dataclass(frozen=True)
class _Placed:
    """A time-stamp, and what ends where a time-stamp around it must cover it."""

    facts: TimestampFacts
    end: int
    field: str


class _Qualifier:
    """Qualifies what one report says."""

    def __init__(
        self,
        report: ValidationReport,
        facts: DocumentFacts,
        policy: ValidationPolicy,
        services: TrustedServices,
    ) -> None:
        self._report, self._time = report, policy.time
        self._finder = ServiceFinder(services, (*policy.certificates, *_certificates(facts)), policy.time)
        self._named: dict[_Signs, str] = {}
        self._stamps: dict[_Signs, list[_Placed]] = {}
        for placed in _placed(facts):
            self._stamps.setdefault(_signs(placed.facts), []).append(placed)
        stated = {_signs(verdict) for verdict in report.document_timestamps if verdict.conclusion.passed}
        stated -= {_signs(verdict) for verdict in report.document_timestamps if not verdict.conclusion.passed}
        self._valid = [stamp for stamp in facts.document_timestamps if _signs(stamp) in stated]

    def report(self) -> ValidationReport:
        return replace(
            self._report,
            signatures=tuple(map(self._signature, self._report.signatures)),
            document_timestamps=self._timestamps(self._report.document_timestamps),
        )

    def _signature(self, verdict: SignatureVerdict) -> SignatureVerdict:
        qualification = qualify(
            verdict.conclusion.indication,
            verdict.signer_certificate,
            verdict.best_signature_time,
            self._finder,
        )
        return replace(
            verdict,
            qualification=str(qualification.name),
            timestamps=self._timestamps(verdict.timestamps),
        )

    def _timestamps(self, verdicts: Sequence[TimestampVerdict]) -> tuple[TimestampVerdict, ...]:
        return tuple(replace(verdict, qualification=self._timestamp(_signs(verdict))) for verdict in verdicts)

    def _timestamp(self, signs: _Signs) -> str:
        """Of time-stamps that a verdict could be of alike, all must be the same."""
        if signs not in self._named:
            found = {
                qualify_timestamp(
                    stamp.facts.cms.signer_certificate,
                    stamp.facts.gen_time,
                    self._proven(stamp),
                    self._finder,
                )
                for stamp in self._stamps.get(signs, ())
            }
            one = found.pop() if len(found) == 1 else TimestampQualification.NOT_APPLICABLE
            self._named[signs] = str(one)
        return self._named[signs]

    def _proven(self, stamp: _Placed) -> datetime:
        """Earliest time at which later valid time-stamps prove it, at latest that of judging."""
        times = [
            later.gen_time
            for later in self._valid
            if later is not stamp.facts and later.gen_time and later.covers(stamp.end, stamp.field)
        ]
        return min([self._time, *times])


def _signs(stamp: TimestampVerdict | TimestampFacts) -> _Signs:
    if isinstance(stamp, TimestampVerdict):
        return stamp.kind, stamp.field, stamp.generation_time, stamp.authority
    signer = load_certificate(stamp.cms.signer_certificate) if stamp.cms.signer_certificate else None
    return stamp.kind, stamp.field, stamp.gen_time, signer.common_name if signer else None


def _placed(facts: DocumentFacts) -> Iterator[_Placed]:
    for signature in facts.signatures:
        for stamp in signature.timestamps:
            yield _Placed(stamp, signature.end, signature.field)
    for stamp in facts.document_timestamps:
        yield _Placed(stamp, stamp.end, stamp.field)
    for record in facts.evidence_records:
        for stamp in record.timestamps:
            yield _Placed(stamp, 0, "")


def _certificates(facts: DocumentFacts) -> tuple[bytes, ...]:
    """Every certificate of the document, signers first."""
    found: dict[bytes, None] = {}
    for cms in _all_cms(facts):
        if cms.signer_certificate:
            found.setdefault(cms.signer_certificate)
        found.update(dict.fromkeys(cms.certificates))
    found.update(dict.fromkeys(der for der, _ in facts.store.certificates))
    return tuple(found)


def _all_cms(facts: DocumentFacts) -> Iterator[CmsFacts]:
    yield from (signature.cms for signature in facts.signatures)
    yield from (stamp.facts.cms for stamp in _placed(facts))
