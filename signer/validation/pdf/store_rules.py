"""What may change in the document security store after a signature (EN 319 142-1 §5.4.2).

Validation data only adds to what can be proven, so it may come and go; but it must be validation data.
"""

import re

from signer.validation.pdf.comparer import Comparer, Level, Rule
from signer.validation.pdf.roles import GRAMMAR
from signer.validation.pdf.values import Reference, Stream, Value

_INDEX_KEY = re.compile("/(?:[0-9A-F]{40}|[0-9A-F]{64})")
REMOVED = "validation data removed"


def store(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """The /DSS dictionary."""
    for key, old, new in c.changed_keys(former, present, where):
        role = GRAMMAR["STORE"].get(key, "STORE_DATA")
        if key == "/Type":
            c.log.note(Level.EXTENSION, "validation data typed")
        elif new is None:
            c.log.find(Level.EXTENSION, REMOVED)
        elif role in ("STORE_LIST", "STORE_INDEX"):
            nothing: Value = [] if role == "STORE_LIST" else {}
            c.compare(role, old if old is not None else nothing, new, number, f"validation data {key}")
        else:
            c.log.forbid(f"validation data: unknown entry {key}")


def index(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """The /VRI dictionary: validation data by signature."""
    for key, old, new in c.changed_keys(former or {}, present, where):
        if key == "/Type":
            c.log.note(Level.EXTENSION, "validation data typed")
        elif not _INDEX_KEY.fullmatch(key):
            c.log.forbid(f"validation data: unknown entry {key}")
        elif new is None:
            c.log.find(Level.EXTENSION, REMOVED)
        else:
            entry(c, c.before(old) or {}, c.now(new), number, "VRI")


def entry(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """One entry of the /VRI dictionary."""
    for key, old, new in c.changed_keys(former, present, where):
        if new is not None and key in ("/Cert", "/OCSP", "/CRL"):
            c.compare("STORE_LIST", old if old is not None else [], new, number, f"validation data {key}")
        elif new is None:
            c.log.find(Level.EXTENSION, REMOVED)
        elif key in ("/TU", "/TS") or (key == "/Type" and isinstance(c.now(new), (str, bytes))):
            c.log.note(Level.EXTENSION, f"validation data {key} changed")
        else:
            c.log.forbid(f"validation data: unknown entry {key}")


def data_list(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """A list of certificates, OCSP responses or CRLs, each a stream."""
    former = [] if former is None else former
    if not isinstance(former, list) or not isinstance(present, list):
        c.log.forbid(f"{where}: not an array")
        return
    if not _references(former) <= _references(present):
        c.log.find(Level.EXTENSION, REMOVED)
    if not all(isinstance(c.now(item), Stream) for item in present):
        c.log.forbid(f"{where}: an item that is no stream")
    c.log.note(Level.EXTENSION, f"{where} added")


def _references(items: list[Value]) -> set[Reference]:
    return {item for item in items if isinstance(item, Reference)}


RULES: dict[str, Rule] = {"STORE": store, "STORE_INDEX": index, "STORE_ENTRY": entry, "STORE_LIST": data_list}
"""Rule of each role of this room."""
