"""The readable report as one self-contained HTML page: the verdict, then why, then details."""

import base64
from collections.abc import Iterable
from html import escape

from signer.validation.report import ValidationReport
from signer.validation.reports.content import Content, Listing, Row, Section, content_of
from signer.validation.reports.texts import Language

_STYLE = """
:root { --good: #17693a; --open: #8a5a00; --bad: #a3201c; --good-soft: #eef7f1; --open-soft: #fdf6e7;
  --bad-soft: #fcefee; --line: #d9dee5; --ink: #1a2430; --soft: #566272; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: var(--ink);
  font: 16px/1.5 "DejaVu Sans", "Segoe UI", system-ui, sans-serif; }
main { max-width: 52rem; margin: 2rem auto; background: #fff; border: 1px solid var(--line);
  padding: 2.4rem 2.8rem; }
.title { font-size: .82rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft);
  margin: 0 0 .9rem;
  font-weight: 600; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; padding-top: 1.3rem; border-top: 1px solid var(--line); }
h3, h2.small { font-size: .95rem; margin: 1.1rem 0 .2rem; padding: 0; border: 0; }
p { margin: .35rem 0; }
.verdict { border-left: 7px solid var(--soft); padding: 1rem 1.3rem; margin-bottom: 1rem; }
.verdict h1 { font-size: 1.5rem; line-height: 1.3; font-weight: 700; margin: 0; }
.verdict.good { border-color: var(--good); background: var(--good-soft); color: var(--good); }
.verdict.open { border-color: var(--open); background: var(--open-soft); color: var(--open); }
.verdict.bad { border-color: var(--bad); background: var(--bad-soft); color: var(--bad); }
.mark { float: right; padding: .08rem .7rem; border-radius: 3px; color: #fff; font-size: .85rem;
  font-weight: 600;
  line-height: 1.6; }
.mark.good { background: var(--good); } .mark.open { background: var(--open);
  } .mark.bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; margin-top: .7rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0;
  border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { width: 12rem; font-weight: 600; }
table.details { font-size: .86rem; color: var(--soft); } table.details th { font-weight: 500; }
ul { margin: .2rem 0; padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
figure { margin: .6rem 0; } figure img { max-width: 100%; border: 1px solid var(--line); }
figcaption, footer { color: var(--soft); font-size: .86rem; }
footer { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .8rem; }
@media (max-width: 40rem) { main { margin: 0; padding: 1.2rem; border: 0; } th { width: 8.5rem; } }
@media print { body { background: #fff; } main { margin: 0; border: 0; padding: 0; max-width: none; } }
"""


def render_html(report: ValidationReport, language: Language = "ro") -> str:
    """The report as an HTML page without scripts or outside resources."""
    content = content_of(report, language)
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}: {escape(content.facts[0].value)}</title>"
        f"<style>{_STYLE}</style></head><body><main>{''.join(_parts(content))}</main></body></html>\n"
    )


def _parts(content: Content) -> Iterable[str]:
    yield f'<p class="title">{escape(content.title)}</p>'
    yield f'<div class="verdict {content.tone}"><h1>{escape(content.headline)}</h1></div>'
    for listing in (content.why, content.advice):
        if listing.items:
            yield f'<h2 class="small">{escape(listing.heading)}</h2>'
            yield from (f"<p>{escape(item)}</p>" for item in listing.items)
    yield _table(content.facts, "details")
    yield from map(_section, content.sections)
    yield f"<footer>{escape(content.closing)}</footer>"


def _section(section: Section) -> str:
    mark = f'<span class="mark {section.tone}">{escape(section.mark)}</span>' if section.mark else ""
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in section.sentences)
    details = f"<h3>{escape(section.details_heading)}</h3>" if section.details_heading else ""
    return (
        f"<section><h2>{mark}{escape(section.heading)}</h2>{sentences}{_table(section.statements)}"
        f"{''.join(map(_list, section.lists))}{_pictures(section)}{details}"
        f"{_table(section.details, 'details')}</section>"
    )


def _table(rows: tuple[Row, ...], kind: str = "statements") -> str:
    if not rows:
        return ""
    told = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th><td>{escape(row.value)}</td></tr>' for row in rows
    )
    return f'<table class="{kind}">{told}</table>'


def _list(listing: Listing) -> str:
    items = "".join(f"<li>{escape(item)}</li>" for item in listing.items)
    return f"<h3>{escape(listing.heading)}</h3><ul>{items}</ul>"


def _pictures(section: Section) -> str:
    if not section.pictures:
        return ""
    figures = "".join(
        f'<figure><img alt="{escape(picture.caption)}" src="data:image/png;base64,{_base64(picture.png)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in section.pictures
    )
    return f"<h3>{escape(section.pictures_heading)}</h3>{figures}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
