"""Whether a field shows what its value says, as far as that is to be read without its fonts.

Only plain letters are compared: an appearance whose strings are codes of an embedded font is left alone.
"""

import re

from signer.validation.pdf.fields import full_name, inherited
from signer.validation.pdf.objects import decoded
from signer.validation.pdf.values import Look, PdfSyntaxError, Stream, Value, parse_value, text

_SHOWN = re.compile(rb"\((?:[^()\\]|\\.)*\)\s*(?:Tj|'|\")|\[(?:[^\[\]()]|\((?:[^()\\]|\\.)*\))*\]\s*TJ")
_STRING = re.compile(rb"\((?:[^()\\]|\\.)*\)")
_MOST_OCTETS = 64 * 1024


def contradiction(widget: Value, look: Look) -> str:
    """A sentence where a text or choice field shows other words than its value, else "" (§12.7.5.3, .4)."""
    widget = look(widget)
    value = inherited(widget, "/V", look)
    if inherited(widget, "/FT", look) not in ("/Tx", "/Ch") or not isinstance(value, bytes):
        return ""
    meant, shown = _letters(text(value)), _letters(_shown(widget, look))
    if not meant.isascii() or not shown or not shown.isascii() or meant in shown or shown in meant:
        return ""
    return f"field {full_name(widget, look)!r} shows other words than its value"


def _letters(words: str) -> str:
    return "".join(letter for letter in words.casefold() if letter.isalnum())


def _shown(widget: Value, look: Look) -> str:
    """What the strings of the normal appearance say when they are read as letters."""
    states = look(widget.get("/AP")) if isinstance(widget, dict) else None
    drawn = look(states.get("/N")) if isinstance(states, dict) else None
    if not isinstance(drawn, Stream):
        return ""
    try:
        content = decoded(drawn)[:_MOST_OCTETS]
        strings = [s for shown in _SHOWN.finditer(content) for s in _STRING.findall(shown[0])]
        values = [parse_value(string, 0, [])[0] for string in strings]
    except PdfSyntaxError:
        return ""
    octets = b"".join(value for value in values if isinstance(value, bytes))
    return octets.decode("latin-1") if all(31 < octet < 127 for octet in octets) else ""
