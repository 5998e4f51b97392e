"""The report as one self-contained page that a clerk can read: the verdict, then why, then details."""

from datetime import datetime
from html import escape
from typing import Literal

from signer.validation.indication import Indication
from signer.validation.pdf.aftermath import Modification
from signer.validation.report import SignatureVerdict, TimestampVerdict, ValidationReport
from signer.validation.report_texts import TEXTS, Texts

Language = Literal["ro", "en"]
_COLOUR = {
    Indication.TOTAL_PASSED: "good",
    Indication.INDETERMINATE: "open",
    Indication.TOTAL_FAILED: "bad",
}
_STYLE = """
:root { --good: #1b6b3a; --open: #8a5a00; --bad: #a3201c; --line: #d8dde3; --ink: #1c2530; --soft: #5a6675; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f5f7; color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
header, section { background: #fff; border: 1px solid var(--line); border-radius: 10px;
  padding: 1.4rem 1.6rem; margin-bottom: 1.1rem; }
header { border-top: 6px solid var(--soft); }
header.good { border-top-color: var(--good); } header.open { border-top-color: var(--open); }
header.bad { border-top-color: var(--bad); }
h1 { font-size: 1.45rem; line-height: 1.3; margin: .1rem 0 .6rem; }
h2 { font-size: 1.12rem; margin: 0 0 .3rem; }
p { margin: .35rem 0; } .soft { color: var(--soft); font-size: .92rem; }
.mark { display: inline-block; padding: .1rem .65rem; border-radius: 999px; color: #fff; font-size: .85rem;
  background: var(--soft); } .mark.good { background: var(--good); } .mark.open { background: var(--open); }
.mark.bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; margin-top: .7rem; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .38rem .5rem .38rem 0;
  border-top: 1px solid var(--line); }
th { width: 13rem; color: var(--soft); font-weight: 500; }
code { font: .82rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
ul { margin: .2rem 0; padding-left: 1.1rem; }
@media print { body { background: #fff; } main { margin: 0; max-width: none; } }
"""


def render_html(report: ValidationReport, language: Language = "ro") -> str:
    """The report as an HTML page without scripts or outside resources."""
    texts = TEXTS[language]
    colour, when = _colour(report), f"{texts.judged_at} {_time(report.validation_time, texts)}"
    parts = [
        f'<header class="{colour}"><p class="soft">{texts.title}</p>',
        f"<h1>{escape(_sentence(report, texts))}</h1>",
        f'<p class="soft">{escape(report.file)} · {when}</p>',
        "</header>",
        *(_signature(signature, index, texts) for index, signature in enumerate(report.signatures, 1)),
        _document(report, texts),
    ]
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{texts.title}: {escape(report.file)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _colour(report: ValidationReport) -> str:
    indications = {signature.conclusion.indication for signature in report.signatures}
    if report.error or Indication.TOTAL_FAILED in indications:
        return "bad"
    return "good" if indications == {Indication.TOTAL_PASSED} else "open"


def _sentence(report: ValidationReport, texts: Texts) -> str:
    count = len(report.signatures)
    if report.error:
        return texts.unreadable
    if not count:
        return texts.unsigned
    indications = [signature.conclusion.indication for signature in report.signatures]
    failed = indications.count(Indication.TOTAL_FAILED)
    passed = indications.count(Indication.TOTAL_PASSED)
    if failed:
        return texts.failed_one if count == 1 else texts.failed.format(failed=failed, count=count)
    if passed == count:
        return texts.passed_one if count == 1 else texts.passed.format(count=count)
    return texts.open_one if count == 1 else texts.open.format(open=count - passed, count=count)


def _signature(signature: SignatureVerdict, index: int, texts: Texts) -> str:
    conclusion = signature.conclusion
    kind = str(conclusion.sub_indication or "")
    reason = texts.reasons.get(kind, conclusion.explanation) if kind else texts.trusted
    stamped = any(stamp.conclusion.passed for stamp in signature.timestamps)
    proven = signature.best_signature_time if stamped else None
    rows = [
        (texts.signed_bytes, texts.integrity[signature.integrity]),
        (texts.afterwards, texts.modification[signature.modification]),
        (texts.claimed_time, _time(signature.signing_time, texts)),
        (texts.proven_time, _time(proven, texts)),
        (texts.level, signature.level),
        (texts.field, signature.field or texts.none),
        (texts.path, " → ".join(signature.path) or texts.none),
        (texts.code, f"{conclusion.indication} {kind}".strip()),
    ]
    table = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    table += "".join(_timestamp(stamp, texts) for stamp in signature.timestamps)
    colour = _COLOUR[conclusion.indication]
    return (
        f"<section><h2>{index}. {escape(signature.signer or texts.unknown_signer)}</h2>"
        f'<p><span class="mark {colour}">{texts.indication[conclusion.indication]}</span></p>'
        f"<p>{escape(reason)}</p>{_changes(signature, texts)}<table>{table}</table></section>"
    )


def _timestamp(stamp: TimestampVerdict, texts: Texts) -> str:
    verdict = texts.indication[stamp.conclusion.indication]
    told = f"{_time(stamp.generation_time, texts)}, {stamp.authority or texts.none}: {verdict}"
    return f"<tr><th>{texts.timestamp[stamp.kind]}</th><td>{escape(told)}</td></tr>"


def _changes(signature: SignatureVerdict, texts: Texts) -> str:
    told = [*signature.faults, *signature.changes] if signature.modification is not Modification.NONE else []
    if not told:
        return ""
    items = "".join(f"<li>{escape(item)}</li>" for item in told)
    return f"<details><summary>{texts.changes}</summary><ul>{items}</ul></details>"


def _document(report: ValidationReport, texts: Texts) -> str:
    error = f"<p>{escape(report.error.message)}</p>" if report.error else ""
    return (
        f"<section><h2>{texts.document}</h2>{error}"
        f'<p class="soft">SHA-256 <code>{report.sha256.hex()}</code></p>'
        f'<p class="soft">{texts.standard}</p></section>'
    )


def _time(time: datetime | None, texts: Texts) -> str:
    return time.strftime("%d.%m.%Y %H:%M:%S UTC") if time else texts.none
