"""The readable report as PDF/A-2, to be filed beside the document."""

from dataclasses import replace

from signer.validation.report import ValidationReport
from signer.validation.reports.content import Content, Listing, Row, Section, Tone, content_of
from signer.validation.reports.sheet import (
    HEIGHT,
    MARGIN,
    WIDTH,
    Picture,
    Sheet,
    Style,
    read_png,
    text_string,
)
from signer.validation.reports.texts import Language

_INK, _SOFT, _WHITE, _LINE = "0.1 0.14 0.19", "0.34 0.38 0.45", "1 1 1", "0.82 0.85 0.89"
_COLOURS = {Tone.GOOD: "0.09 0.41 0.23", Tone.OPEN: "0.54 0.35 0", Tone.BAD: "0.64 0.13 0.11"}
_GROUNDS = {Tone.GOOD: "0.93 0.97 0.945", Tone.OPEN: "0.99 0.965 0.905", Tone.BAD: "0.99 0.937 0.933"}

_TITLE = Style("B", 7.6, 10, _SOFT, 0.75)
_HEADLINE = Style("B", 16, 21, _INK)
_HEADING = Style("B", 12, 15, _INK)
_SMALL_HEADING = Style("B", 9.4, 13, _INK)
_BODY = Style("R", 9.4, 13.2, _INK)
_LABEL = Style("B", 9.4, 13.2, _INK)
_DETAIL = Style("R", 8, 11.2, _SOFT)
_MARK = Style("B", 8.4, 11, _WHITE)
_FOOTER = Style("R", 7.4, 10, _SOFT)

_INNER = WIDTH - 2 * MARGIN
_NAMES = 128.0
"""Width of the column of names in a table."""
_ROW_PADDING = 3.2
_TALLEST_PICTURE = 320.0


def render_pdf(report: ValidationReport, language: Language = "ro") -> bytes:
    """The report as a PDF/A-2 file on A4."""
    return _Layout(content_of(report, language)).file()


class _Layout:
    """Places the content on sheets from top to bottom."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._sheet = Sheet(f"{content.title}: {content.facts[0].value}", content.language)

    def file(self) -> bytes:
        content = self._content
        self._paragraph("P", content.title.upper(), _TITLE)
        self._verdict()
        for listing in (content.why, content.advice):
            if listing.items:
                self._small_heading(listing.heading, "H2")
                for item in listing.items:
                    self._paragraph("P", item, _BODY, after=2)
        self._sheet.y -= 8
        self._table(content.facts, _DETAIL, _DETAIL)
        for section in content.sections:
            self._section(section)
        self._sheet.y -= 12
        self._paragraph("P", content.closing, _FOOTER)
        return self._sheet.finish(content.page, _FOOTER)

    def _verdict(self) -> None:
        """The verdict in one sentence, on a ground of its colour."""
        content, sheet = self._content, self._sheet
        style = replace(_HEADLINE, colour=_COLOURS[content.tone])
        lines = style.wrap(content.headline, _INNER - 36)
        height = len(lines) * style.lead + 20
        bottom = sheet.y - 6 - height
        sheet.decoration(
            f"{_GROUNDS[content.tone]} sc {MARGIN} {bottom:.2f} {_INNER:.2f} {height:.2f} re f"
            f" {style.colour} sc {MARGIN} {bottom:.2f} 5 {height:.2f} re f"
        )
        sheet.y -= 16
        with sheet.element("H1"):
            self._lines(lines, style, MARGIN + 18)
        sheet.y -= 14

    def _section(self, section: Section) -> None:
        sheet = self._sheet
        sheet.y -= 14
        sheet.room(130)
        if sheet.y < HEIGHT - MARGIN:
            self._rule()
        sheet.y -= 14
        if section.tone is not None:
            self._mark(section.mark, _COLOURS[section.tone])
        self._paragraph("H2", section.heading, _HEADING, width=_INNER - 110, after=4)
        for sentence in section.sentences:
            self._paragraph("P", sentence, _BODY, after=2)
        sheet.y -= 3
        self._table(section.statements, _LABEL, _BODY)
        for listing in section.lists:
            self._list(listing)
        self._pictures(section)
        if section.details_heading:
            self._small_heading(section.details_heading, "H3")
            sheet.y -= 3
        self._table(section.details, _DETAIL, _DETAIL)

    def _mark(self, word: str, colour: str) -> None:
        """The verdict in one word at the right edge, beside the heading that follows."""
        sheet, width = self._sheet, _MARK.width(word) + 16
        x, y = WIDTH - MARGIN - width, sheet.y - 14.5
        sheet.decoration(f"{colour} sc {x:.2f} {y:.2f} {width:.2f} 16 re f")
        with sheet.element("P"):
            sheet.line(_MARK, x + 8, y + 5, _MARK.font.known(word))

    # ---- pieces

    def _paragraph(
        self, tag: str, text: str, style: Style, *, width: float = _INNER, after: float = 0.0
    ) -> None:
        with self._sheet.element(tag):
            self._lines(style.wrap(text, width), style, MARGIN)
        self._sheet.y -= after

    def _lines(self, lines: list[str], style: Style, x: float) -> None:
        for text in lines:
            self._sheet.room(style.lead)
            self._sheet.y -= style.lead
            self._sheet.line(style, x, self._sheet.y + 0.27 * style.lead, text)

    def _small_heading(self, text: str, tag: str, below: float = 0.0) -> None:
        """A heading that stays with what stands below it, which needs a height of `below` or so."""
        self._sheet.y -= 9
        self._sheet.room(48 + below)
        self._paragraph(tag, text, _SMALL_HEADING, after=1)

    def _list(self, listing: Listing) -> None:
        self._small_heading(listing.heading, "H3")
        with self._sheet.element("L"):
            for item in listing.items:
                self._item(item)

    def _item(self, item: str) -> None:
        sheet = self._sheet
        sheet.room(_BODY.lead)
        with sheet.element("LI"):
            with sheet.element("Lbl"):
                sheet.line(_BODY, MARGIN + 3, sheet.y - 0.73 * _BODY.lead, "•")
            with sheet.element("LBody"):
                self._lines(_BODY.wrap(item, _INNER - 16), _BODY, MARGIN + 16)

    def _rule(self) -> None:
        y = self._sheet.y
        self._sheet.decoration(f"{_LINE} SC 0.6 w {MARGIN} {y:.2f} m {WIDTH - MARGIN:.2f} {y:.2f} l S")

    def _table(self, rows: tuple[Row, ...], names: Style, values: Style) -> None:
        if not rows:
            return
        with self._sheet.element("Table"):
            for row in rows:
                self._row(row, names, values)

    def _row(self, row: Row, names: Style, values: Style) -> None:
        """A row with a rule above it, whole on one page."""
        sheet = self._sheet
        name = names.wrap(row.name, _NAMES - 10)
        value = values.wrap(row.value, _INNER - _NAMES)
        height = max(len(name) * names.lead, len(value) * values.lead) + 2 * _ROW_PADDING
        sheet.room(height)
        self._rule()
        top = sheet.y - _ROW_PADDING
        with sheet.element("TR"):
            sheet.y = top
            with sheet.element("TH", "/A << /O /Table /Scope /Row >>"):
                self._lines(name, names, MARGIN)
            sheet.y = top
            with sheet.element("TD"):
                self._lines(value, values, MARGIN + _NAMES)
        sheet.y = top - height + _ROW_PADDING

    # ---- pictures

    def _pictures(self, section: Section) -> None:
        drawn = [(each.caption, picture) for each in section.pictures if (picture := read_png(each.png))]
        if drawn:
            self._small_heading(section.pictures_heading, "H3", below=_height(drawn[0][1]))
        for caption, picture in drawn:
            self._picture(caption, picture)

    def _picture(self, caption: str, picture: Picture) -> None:
        """A picture as wide as the text, or as high as a picture may be, in a thin frame."""
        sheet, height = self._sheet, _height(picture)
        width = height * picture.width / picture.height
        sheet.room(height + _DETAIL.lead + 10)
        sheet.y -= height + 4
        box = f"{MARGIN} {sheet.y:.2f} {MARGIN + width:.2f} {sheet.y + height:.2f}"
        attributes = f"/Alt {text_string(caption)} /A << /O /Layout /Placement /Block /BBox [{box}] >>"
        with sheet.element("Figure", attributes):
            sheet.picture(picture, MARGIN, sheet.y, width, height)
        sheet.decoration(f"{_LINE} SC 0.6 w {MARGIN} {sheet.y:.2f} {width:.2f} {height:.2f} re S")
        self._paragraph("P", caption, _DETAIL, after=4)


def _height(picture: Picture) -> float:
    """Height in points at which a picture is drawn."""
    return min(_INNER * picture.height / picture.width, _TALLEST_PICTURE)
