"""What may change in the trailer, the catalog, pages, metadata and the structure tree after a signature."""

from xml.parsers import expat

from signer.validation.pdf.comparer import Comparer, Level, Rule
from signer.validation.pdf.objects import decoded
from signer.validation.pdf.roles import GRAMMAR
from signer.validation.pdf.store_rules import REMOVED
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Stream, Value

_OF_THE_SECTION = frozenset(
    {
        "/Size",
        "/Prev",
        "/Length",
        "/Filter",
        "/DecodeParms",
        "/W",
        "/Index",
        "/Type",
        "/XRefStm",
        "/DocChecksum",
    }
)
_AUTHENTICATION_CODE = frozenset({"/MACLocation", "/SigObjRef", "/MAC", "/ByteRange"})
_XMP_ROOTS = ("xmpmeta", "xapmeta", "RDF")
_MAY_GO = frozenset({"/DSS", "/PieceInfo"})
_MAY_COME = frozenset({"/Metadata", "/Extensions", "/MarkInfo"})
_MAY_CHANGE = frozenset({"/Pages", "/StructTreeRoot"})
_STRUCTURE_LISTS = frozenset({"/K", "/Nums", "/Names", "/Kids", "/ParentTree", "/IDTree"})


def trailer(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """The trailer: it may name another catalog or information dictionary, which are compared."""
    for key, old, new in c.changed_keys(former, present, where):
        if key in _OF_THE_SECTION:
            continue
        if key == "/ID":
            identifiers = c.now(new)
            if c.before(old) and not (isinstance(identifiers, list) and len(identifiers) == 2):
                c.log.forbid("file identifier removed")
        elif key == "/AdditionalStreams" and not _holds_streams(c, old, new):
            continue
        elif key == "/AuthCode" and _is_authentication_code(new):
            c.log.note(Level.EXTENSION, "authentication code of the encrypted document renewed")
        elif key in ("/Root", "/Info"):
            c.compare(GRAMMAR["TRAILER"][key], old, new, None, "catalog" if key == "/Root" else "information")
        else:
            c.log.forbid(f"trailer {key} changed")


def _is_authentication_code(value: Value) -> bool:
    """Whether it is the trailer's code (ISO/TS 32004 §6), which each revision has anew; it is not checked."""
    return (
        isinstance(value, dict)
        and value.keys() <= _AUTHENTICATION_CODE
        and not any(isinstance(item, dict) for item in value.values())
    )


def _holds_streams(c: Comparer, former: Value, present: Value) -> bool:
    """Whether an item of either list is a stream (LibreOffice keeps its source document there)."""
    old = former if isinstance(former, list) else [former]
    new = present if isinstance(present, list) else [present]
    return any(isinstance(c.before(x), Stream) for x in old) or any(isinstance(c.now(x), Stream) for x in new)


def catalog(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """The document catalog."""
    for key, old, new in c.changed_keys(former, present, where):
        _catalog_entry(c, key, old, new, number)


def _catalog_entry(c: Comparer, key: str, old: Value, new: Value, number: int | None) -> None:
    where = f"catalog {key}"
    if key in _CATALOG_RULES and (new is not None or key in _MAY_GO):
        _CATALOG_RULES[key](c, old, new, number, where)
    else:
        may_come = key in _MAY_COME or (key in _MAY_CHANGE and old is not None)
        role = GRAMMAR["CATALOG"][key] if may_come and new is not None else "OTHER"
        c.compare(role, old, new, number, where)


def _form(c: Comparer, old: Value, new: Value, number: int | None, where: str) -> None:
    c.rules["FORM"](c, c.before(old) or {}, c.now(new), number, where)


def _store(c: Comparer, old: Value, new: Value, number: int | None, where: str) -> None:
    if new is None:
        c.log.find(Level.EXTENSION, REMOVED)
    else:
        c.log.note(Level.EXTENSION, "validation data changed")
        c.rules["STORE"](c, c.before(old) or {}, c.now(new), number, where)


def _version(c: Comparer, old: Value, new: Value, number: int | None, where: str) -> None:
    newer = isinstance(new, str) and (old is None or (isinstance(old, str) and old < new))
    if newer:
        c.log.note(Level.EXTENSION, f"PDF version raised to {str(new)[1:]}")
    else:
        c.compare("OTHER", old, new, number, where)


def _permissions(c: Comparer, old: Value, new: Value, number: int | None, where: str) -> None:
    granted = c.now(new)
    plain = isinstance(granted, dict) and all(
        key in ("/DocMDP", "/UR3") and isinstance(c.now(item), dict) for key, item in granted.items()
    )
    if old is None and plain:
        c.log.note(Level.FORM, "document certified")
    else:
        c.compare("OTHER", old, new, number, where)


def _piece(c: Comparer, _old: Value, _new: Value, _number: int | None, _where: str) -> None:
    c.log.note(Level.FORM, "private data of an application changed")


def _names(c: Comparer, old: Value, new: Value, number: int | None, where: str) -> None:
    c.rules["NAMES"](c, c.before(old) or {}, c.now(new), number, where)


_CATALOG_RULES: dict[str, Rule] = {
    "/AcroForm": _form,
    "/DSS": _store,
    "/Version": _version,
    "/Perms": _permissions,
    "/PieceInfo": _piece,
    "/Names": _names,
}


def names(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """Name trees: only the icons of annotations may change."""
    for key, _, _ in c.changed_keys(former or {}, present, where):
        c.log.note(Level.ANNOTATION if key == "/AP" else Level.UNDEFINED, f"{where} {key} changed")


def page(c: Comparer, former: Value, present: Value, number: int | None, _where: str) -> None:
    """A page or a node of the page tree."""
    for key, old, new in c.changed_keys(former, present, "page"):
        if key == "/Annots":
            old, new = ([] if x is None else x for x in (old, new))
            c.compare("ANNOTATION_LIST", old, new, number, "page annotations")
        elif key == "/Kids":
            c.compare("PAGE_LIST", old, new, number, "page list")
        elif (key == "/Tabs" and old is None) or (key == "/ITXT" and isinstance(new, bytes)):
            c.log.note(Level.EXTENSION, f"page {key} changed")
        else:
            c.compare("OTHER", old, new, number, f"page (object {number}) {key}")


def metadata(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """Metadata must stay an XMP packet (ISO 16684-1) and declare no entities."""
    well_typed = (
        isinstance(present, Stream)
        and present.dictionary.get("/Subtype") == "/XML"
        and present.dictionary.get("/Type") == "/Metadata"
        and (former is None or isinstance(former, Stream))
    )
    if isinstance(present, Stream) and well_typed and _is_xmp(present):
        c.log.note(Level.EXTENSION, "metadata changed")
    else:
        c.log.forbid(f"{where}: the metadata is not XMP")


def _is_xmp(stream: Stream) -> bool:
    roots: list[str] = []

    def refuse(*_: object) -> None:
        raise ValueError("a document type or an entity")

    def element(name: str, _attributes: object) -> None:
        if not roots:
            roots.append(name)

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = element
    try:
        parser.Parse(decoded(stream), True)
    except (PdfSyntaxError, expat.ExpatError, ValueError):
        return False
    return bool(roots) and roots[0].split(":")[-1] in _XMP_ROOTS


def information(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """The information dictionary holds plain values only."""
    for key, _, new in c.changed_keys(former or {}, present, where):
        if isinstance(c.now(new), (dict, list, Stream)):
            c.log.forbid(f"{where} {key} is no plain value")
    c.log.note(Level.EXTENSION, "document information changed")


def extensions(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """Developer extensions may be added to."""
    old: Dictionary = former if isinstance(former, dict) else {}
    grows = isinstance(present, dict) and (former is None or isinstance(former, dict))
    if grows and isinstance(present, dict) and old.keys() <= present.keys():
        c.log.note(Level.EXTENSION, "developer extensions changed")
    else:
        c.log.forbid(f"{where}: a developer extension was removed")


def additional(c: Comparer, former: Value, present: Value, _number: int | None, where: str) -> None:
    """An embedded source document may not come, go or change."""
    if isinstance(former, Stream) or isinstance(present, Stream):
        c.log.forbid(f"{where}: an embedded source document changed")


def mark(c: Comparer, _former: Value, present: Value, _number: int | None, where: str) -> None:
    """Mark information."""
    if isinstance(present, dict):
        c.log.note(Level.EXTENSION, "mark information changed")
    else:
        c.log.forbid(f"{where}: not a dictionary")


def structure(c: Comparer, former: Value, present: Value, number: int | None, where: str) -> None:
    """The structure tree may only grow, and only by elements for new fields and annotations."""
    c.log.note(Level.EXTENSION, "structure tree changed")
    if isinstance(former, dict) and isinstance(present, dict):
        for key, old, new in c.changed_keys(former, present, where):
            if key in _STRUCTURE_LISTS:
                if old is not None:
                    c.compare("STRUCTURE", old, new, number, f"structure tree {key}")
            elif key not in ("/ParentTreeNextKey", "/Limits"):
                c.log.forbid(f"structure tree: {key} changed")
    elif isinstance(present, list):
        old_items = _items(former)
        if where.endswith(("/Nums", "/Names")):
            _structure_pairs(c, old_items, present, number, where)
        else:
            _structure_kids(c, old_items, present, where)
    else:
        c.log.forbid("structure tree: a part was removed or changed its kind")


def _items(value: Value) -> list[Value]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _structure_pairs(
    c: Comparer, former: list[Value], present: list[Value], number: int | None, where: str
) -> None:
    """key, value, …: old keys keep what they mean."""
    new = {str(key): item for key, item in zip(present[::2], present[1::2], strict=False)}
    for key, item in zip(former[::2], former[1::2], strict=False):
        if str(key) in new:
            c.compare("STRUCTURE", item, new[str(key)], number, f"{where}/{key!s}")
        else:
            c.log.forbid("structure tree: an entry was removed")


def _structure_kids(c: Comparer, former: list[Value], present: list[Value], where: str) -> None:
    for item in c.added_items(former, present, where):
        element = c.now(item)
        content = c.now(element.get("/K")) if isinstance(element, dict) else None
        if isinstance(content, list) and len(content) == 1:
            content = c.now(content[0])
        for_object = isinstance(content, dict) and content.get("/Type") == "/OBJR"
        if not c.is_new(item) or not for_object:
            c.log.forbid("structure tree: an element for something else than a field or annotation was added")


RULES: dict[str, Rule] = {
    "TRAILER": trailer,
    "CATALOG": catalog,
    "NAMES": names,
    "PAGE": page,
    "METADATA": metadata,
    "INFORMATION": information,
    "EXTENSIONS": extensions,
    "ADDITIONAL": additional,
    "MARK": mark,
    "STRUCTURE": structure,
}
"""Rule of each role of this room."""
