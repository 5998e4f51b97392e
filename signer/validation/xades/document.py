"""Parsing XML that a stranger wrote: no document type, no entity, nothing fetched, bounds on its shape."""

from functools import cached_property
from xml.parsers import expat

from lxml import etree

XmlElement = etree._Element

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
MAX_SIZE = 64 << 20
"""Octets of the largest document that is read."""

_MAX_ELEMENTS = 1_000_000
_MAX_DEPTH = 200
_MAX_ATTRIBUTES = 256
_MAX_PREFIXES = 256
_MAX_WORK = 1 << 30
_ID_ATTRIBUTES = ("Id", "ID", "id", f"{{{XML_NAMESPACE}}}id")


class XmlError(ValueError):
    """XML that cannot be read, or shall not be."""


class TooMuchError(XmlError):
    """XML whose signatures make too much work; no part of it is told of any more."""


class XmlDocument:
    """A document and its elements by Id. Raises XmlError."""

    def __init__(self, octets: bytes) -> None:
        _check_shape(octets)
        self.root = parse(octets)
        self._work = 0

    def element(self, identifier: str) -> XmlElement | None:
        """The one element with that Id; None where there is none, or where several claim it."""
        found = self._identified.get(identifier, [])
        return found[0] if len(found) == 1 else None

    def is_ambiguous(self, identifier: str) -> bool:
        """Whether several elements claim that Id."""
        return len(self._identified.get(identifier, [])) > 1

    def spend(self, octets: int) -> None:
        """Count octets that were copied or canonicalised. Raises TooMuchError where they become too many."""
        self._work += octets
        if self._work > _MAX_WORK:
            raise TooMuchError("its signatures cover too much too often")

    @cached_property
    def _identified(self) -> dict[str, list[XmlElement]]:
        """Elements by Id; without a schema every attribute that could be one counts."""
        found: dict[str, list[XmlElement]] = {}
        for element in self.root.iter(etree.Element):
            for identifier in {element.get(name) for name in _ID_ATTRIBUTES}:
                if identifier is not None:
                    found.setdefault(identifier, []).append(element)
        return found


def parse(octets: bytes) -> XmlElement:
    """The root of XML whose shape is known to be harmless. Raises XmlError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError("it is no well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("it declares a document type")
    return root


def text_of(element: XmlElement) -> str:
    """The text of an element that has nothing else in it. Raises XmlError."""
    if len(element):
        raise XmlError("there is more than text where text must be")
    return element.text or ""


def local_name(element: XmlElement, namespace: str) -> str:
    """The name of an element of a namespace; "" for any other node."""
    name = element.tag if isinstance(element.tag, str) else ""
    prefix = f"{{{namespace}}}"
    return name.removeprefix(prefix) if name.startswith(prefix) else ""


def _check_shape(octets: bytes) -> None:
    """Refuse what would cost too much to hold or to canonicalise, before anything is built of it."""
    if len(octets) > MAX_SIZE:
        raise XmlError("it is too long")
    guard = _Guard()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = guard.refuse_document_type
    parser.StartElementHandler = guard.start
    parser.EndElementHandler = guard.end
    parser.StartNamespaceDeclHandler = guard.declare
    parser.EndNamespaceDeclHandler = guard.forget
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise error if isinstance(error, XmlError) else XmlError("it is no well-formed XML") from error


class _Guard:
    """Counts what the parser finds."""

    def __init__(self) -> None:
        self._elements = self._depth = self._prefixes = 0

    def refuse_document_type(self, *declaration: object) -> None:
        """A document type could bring entities and default attributes."""
        raise XmlError("it declares a document type")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        self._depth += 1
        if self._elements > _MAX_ELEMENTS or self._depth > _MAX_DEPTH or len(attributes) > _MAX_ATTRIBUTES:
            raise XmlError("it has too many elements, too many attributes or is nested too deeply")

    def end(self, name: str) -> None:
        """An element ends."""
        self._depth -= 1

    def declare(self, prefix: str | None, uri: str | None) -> None:
        """A namespace comes into scope."""
        self._prefixes += 1
        if self._prefixes > _MAX_PREFIXES:
            raise XmlError("too many namespaces are in scope")

    def forget(self, prefix: str | None) -> None:
        """A namespace goes out of scope."""
        self._prefixes -= 1
