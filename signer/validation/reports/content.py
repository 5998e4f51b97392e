"""What the readable report says, before it has a form: the verdict in a sentence, why, then details."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from signer.validation.facts import Malformed
from signer.validation.indication import Conclusion, Indication, SubIndication
from signer.validation.pdf.aftermath import Modification
from signer.validation.report import CertificateNames, SignatureVerdict, TimestampVerdict, ValidationReport
from signer.validation.reports.english import ENGLISH
from signer.validation.reports.romanian import ROMANIAN
from signer.validation.reports.texts import Language, Texts

_TEXTS: dict[Language, Texts] = {"ro": ROMANIAN, "en": ENGLISH}
_ROMANIAN_TIME = ZoneInfo("Europe/Bucharest")
_INSTANT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d[+]00:00")
_REASONS_ABOVE = 8
_SIGNERS_ABOVE = 12
_LONGEST_LIST = 40
_LONGEST_TEXT = 1000


class Tone(StrEnum):
    """Whether a verdict is good news, still open, or bad."""

    GOOD = "good"
    OPEN = "open"
    BAD = "bad"


TONES = {
    Indication.TOTAL_PASSED: Tone.GOOD,
    Indication.INDETERMINATE: Tone.OPEN,
    Indication.TOTAL_FAILED: Tone.BAD,
}


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    name: str
    value: str


@dataclass(frozen=True)
class Listing:
    """Sentences under a heading of their own."""

    heading: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A PNG with what it shows."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """A part of the report. mark: its verdict in one word, in the colour of `tone`; "" where it has none."""

    heading: str
    tone: Tone | None = None
    mark: str = ""
    sentences: tuple[str, ...] = ()
    statements: tuple[Row, ...] = ()
    lists: tuple[Listing, ...] = ()
    pictures_heading: str = ""
    pictures: tuple[Picture, ...] = ()
    details_heading: str = ""
    details: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Content:
    """The whole report. advice: what to do now. closing: its last sentence. page: what a page's foot says."""

    language: Language
    title: str
    headline: str
    tone: Tone
    why: Listing
    advice: Listing
    facts: tuple[Row, ...]
    sections: tuple[Section, ...]
    closing: str
    page: str


def content_of(report: ValidationReport, language: Language) -> Content:
    """Say in one language what a report holds; every text is one line of printable characters."""
    return _Writer(report, language).content()


def printable(text: str) -> str:
    """`text` on one line in composed letters (NFC), without control characters that could turn its sense."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    clean = "".join(character for character in composed if character.isprintable())
    return clean if len(clean) <= _LONGEST_TEXT else clean[:_LONGEST_TEXT] + "…"


class _Writer:
    """Puts the verdicts of one report into words."""

    def __init__(self, report: ValidationReport, language: Language) -> None:
        self._report = report
        self._language: Language = language
        self._texts = _TEXTS[language]

    def content(self) -> Content:
        texts, report = self._texts, self._report
        tone = self._tone()
        sections = [self._signature(verdict, index) for index, verdict in enumerate(report.signatures, 1)]
        return Content(
            language=self._language,
            title=texts.title,
            headline=self._headline(),
            tone=tone,
            why=Listing(texts.why, self._why()),
            advice=Listing(texts.what_to_do, (texts.advice[tone],) if report.signatures else ()),
            facts=tuple(self._facts()),
            sections=(*sections, *self._rest()),
            closing=texts.standard,
            page=texts.page,
        )

    # ---- the document as a whole

    def _tone(self) -> Tone:
        found = {signature.conclusion.indication for signature in self._report.signatures}
        if self._report.error and self._report.error.reason not in set(Malformed):
            return Tone.OPEN
        if self._report.error or Indication.TOTAL_FAILED in found:
            return Tone.BAD
        return Tone.GOOD if found == {Indication.TOTAL_PASSED} else Tone.OPEN

    def _headline(self) -> str:
        texts = self._texts
        indications = [signature.conclusion.indication for signature in self._report.signatures]
        count = len(indications)
        if self._report.error:
            return texts.unreadable
        if not count:
            return texts.unsigned
        failed = indications.count(Indication.TOTAL_FAILED)
        passed = indications.count(Indication.TOTAL_PASSED)
        if failed:
            return texts.failed_one if count == 1 else texts.failed.format(failed=failed, count=count)
        if passed == count:
            return texts.passed_one if count == 1 else texts.passed.format(count=count)
        return texts.open_one if count == 1 else texts.open.format(open=count - passed, count=count)

    def _why(self) -> tuple[str, ...]:
        """Reasons of what is not good; of a document that is all good, the one sentence that says so."""
        verdicts = self._report.signatures
        error = self._report.error
        if error:
            return (self._texts.errors.get(error.reason, printable(error.message)),)
        if len(verdicts) == 1:
            return (self._cause(verdicts[0]),)
        open_ones = [(i, v) for i, v in enumerate(verdicts, 1) if not v.conclusion.passed]
        if verdicts and not open_ones:
            return (self._texts.trusted,)
        told = [f"{i}. {self._signer(v)}: {self._cause(v)}" for i, v in open_ones]
        return _shortened(told, _REASONS_ABOVE, self._texts)

    def _cause(self, verdict: SignatureVerdict) -> str:
        """Why a signature's verdict is what it is; a document that was changed is told from an odd form."""
        conclusion = verdict.conclusion
        changed = verdict.modification is Modification.FORBIDDEN and not verdict.faults
        if changed and conclusion.sub_indication is SubIndication.FORMAT_FAILURE:
            return self._texts.changed
        return self._reason(conclusion)

    def _reason(self, conclusion: Conclusion) -> str:
        if conclusion.sub_indication is None:
            return self._texts.trusted
        return self._texts.reasons.get(conclusion.sub_indication, printable(conclusion.explanation))

    def _facts(self) -> Iterator[Row]:
        texts, report = self._texts, self._report
        yield Row(texts.file, printable(report.file.rpartition("/")[2]) or texts.none)
        if report.sha256:
            yield Row("SHA-256", report.sha256.hex())
        yield Row(texts.judged_at, self._moment(report.validation_time))
        if len(report.signatures) > 1:
            told = [
                f"{index}. {self._signer(verdict)}: {texts.indication[verdict.conclusion.indication].lower()}"
                for index, verdict in enumerate(report.signatures, 1)
            ]
            yield Row(texts.signatures, "; ".join(_shortened(told, _SIGNERS_ABOVE, texts)))

    def _rest(self) -> Iterator[Section]:
        texts, report = self._texts, self._report
        stamps = tuple(self._timestamp(stamp) for stamp in report.document_timestamps)
        if stamps:
            yield Section(texts.document_timestamps, details=stamps)
        records = tuple(
            Row(printable(record.name), self._proof(record.conclusion, record.proven_time))
            for record in report.evidence_records
        )
        if records:
            yield Section(texts.evidence_records, details=records)

    # ---- one signature

    def _signature(self, verdict: SignatureVerdict, index: int) -> Section:
        texts = self._texts
        lists = [
            Listing(texts.changes, self._sentences((*verdict.faults, *self._changes(verdict)))),
            Listing(texts.findings, self._sentences(verdict.findings)),
        ]
        return Section(
            heading=f"{index}. {self._signer(verdict)}",
            tone=TONES[verdict.conclusion.indication],
            mark=texts.indication[verdict.conclusion.indication],
            sentences=tuple(self._why_at_length(verdict)),
            statements=tuple(self._statements(verdict)),
            lists=tuple(listing for listing in lists if listing.items),
            pictures_heading=texts.pictures,
            pictures=tuple(
                Picture(texts.picture.format(page=change.page), change.picture)
                for change in verdict.visual_changes
                if change.picture
            ),
            details_heading=texts.details,
            details=tuple(self._details(verdict)),
        )

    def _signer(self, verdict: SignatureVerdict) -> str:
        return printable(verdict.signer or "") or self._texts.unknown_signer

    def _why_at_length(self, verdict: SignatureVerdict) -> Iterator[str]:
        reason = self._cause(verdict)
        yield reason
        told = self._sentence(verdict.conclusion.explanation)
        if told and told != reason:
            yield _as_sentence(told)

    def _statements(self, verdict: SignatureVerdict) -> Iterator[Row]:
        """Each question that a signature answers, apart from the others."""
        texts = self._texts
        yield Row(texts.label_integrity, texts.integrity[verdict.integrity])
        yield Row(texts.label_modification, texts.modification[verdict.modification])
        yield Row(texts.label_identity, self._identity(verdict))
        yield Row(texts.label_qualification, self._qualification(verdict.qualification))
        yield Row(texts.label_time, self._time_statement(verdict))

    def _identity(self, verdict: SignatureVerdict) -> str:
        word = verdict.identity or _identity(verdict)
        told = self._texts.identity.get(word, word).format(signer=self._signer(verdict))
        if verdict.identity_reason == verdict.conclusion.explanation:
            return told  # said above already
        reason = self._sentence(verdict.identity_reason)
        return f"{told} {_as_sentence(reason)}" if reason else told

    def _qualification(self, word: str) -> str:
        """A result of TS 119 615; of one that is indeterminate, what it would be."""
        texts = self._texts
        if word in texts.qualification:
            return texts.qualification[word]
        bare = word.removeprefix("Indeterminate ")
        told = texts.qualification.get(bare, printable(bare))
        return texts.qualification_open.format(told=told) if bare != word else told

    def _time_statement(self, verdict: SignatureVerdict) -> str:
        texts, best = self._texts, verdict.best_signature_time
        if best < self._report.validation_time:
            authority = next(
                (
                    s.authority
                    for s in verdict.timestamps
                    if s.conclusion.passed and s.generation_time == best
                ),
                None,
            )
            sentence = texts.time_proven_by if authority else texts.time_proven
            return sentence.format(time=self._moment(best), authority=printable(authority or ""))
        if verdict.signing_time is None:
            return texts.time_unknown
        return texts.time_claimed.format(time=self._moment(verdict.signing_time))

    def _changes(self, verdict: SignatureVerdict) -> tuple[str, ...]:
        """What came after the signature; not worth a word where nothing did."""
        return verdict.changes if verdict.modification is not Modification.NONE else ()

    def _details(self, verdict: SignatureVerdict) -> Iterator[Row]:
        texts = self._texts
        yield Row(texts.level, printable(verdict.level))
        if verdict.field:
            yield Row(texts.field, printable(verdict.field))
        yield Row(texts.claimed_time, self._moment(verdict.signing_time))
        if verdict.best_signature_time < self._report.validation_time:
            yield Row(texts.proven_time, self._moment(verdict.best_signature_time))
        for stamp in verdict.timestamps:
            yield self._timestamp(stamp)
        if verdict.path:
            yield Row(texts.path, " › ".join(map(printable, verdict.path)))
        yield from self._certificate(verdict.certificate)
        yield Row(texts.code, _code(verdict.conclusion))
        if verdict.trace:
            yield Row(texts.trace, printable("; ".join(f"{block}: {told}" for block, told in verdict.trace)))

    def _certificate(self, names: CertificateNames | None) -> Iterator[Row]:
        if names is None:
            return
        texts = self._texts
        yield Row(texts.serial_number, names.serial_number)
        yield Row(texts.issuer, printable(names.issuer))
        start, end = self._moment(names.not_before), self._moment(names.not_after)
        yield Row(texts.validity, texts.validity_span.format(start=start, end=end))

    def _timestamp(self, stamp: TimestampVerdict) -> Row:
        name = self._texts.timestamp.get(stamp.kind, str(stamp.kind))
        told = self._proof(stamp.conclusion, stamp.generation_time)
        if stamp.qualification:
            told = f"{told}; {stamp.qualification}"
        return Row(name, f"{printable(stamp.authority or '') or self._texts.none}: {told}")

    def _proof(self, conclusion: Conclusion, time: datetime | None) -> str:
        told = f"{self._moment(time)}; {self._texts.indication[conclusion.indication]}"
        return told if conclusion.passed else f"{told}: {self._reason(conclusion)}"

    # ---- words

    def _sentences(self, sentences: Iterable[str]) -> tuple[str, ...]:
        return _shortened([self._sentence(sentence) for sentence in sentences], _LONGEST_LIST, self._texts)

    def _sentence(self, sentence: str) -> str:
        """A sentence of the verdict in this language, as far as it is known there."""
        clean = _INSTANT.sub(
            lambda found: self._moment(datetime.fromisoformat(found[0])), printable(sentence)
        )
        for pattern, told in self._texts.sentences:
            found = re.fullmatch(pattern, clean)
            if found:
                return told.format(*(self._sentence(part) for part in found.groups()))
        return clean

    def _moment(self, time: datetime | None) -> str:
        """A time as people in Romania read it from their clocks."""
        if time is None:
            return self._texts.none
        local = time.astimezone(_ROMANIAN_TIME)
        offset = f"{local:%z}"
        date, clock, zone = f"{local:%d.%m.%Y}", f"{local:%H:%M:%S}", f"{offset[:3]}:{offset[3:]}"
        return self._texts.moment.format(date=date, time=clock, offset=zone)


def _identity(verdict: SignatureVerdict) -> str:
    """What the path says of the signer's identity, where the verdict has no word of its own for it."""
    if verdict.conclusion.passed:
        return "trusted"
    return "untrusted" if verdict.path else "unknown"


def _as_sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


def _code(conclusion: Conclusion) -> str:
    return " / ".join(filter(None, (conclusion.indication, conclusion.sub_indication)))


def _shortened(sentences: list[str], most: int, texts: Texts) -> tuple[str, ...]:
    """The first sentences; what is left out is at least counted."""
    if len(sentences) <= most:
        return tuple(sentences)
    return (*sentences[:most], texts.more.format(count=len(sentences) - most))
