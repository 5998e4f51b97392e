"""Canonical XML 1.0 and 1.1, inclusive and exclusive, of a whole document or of one element in it.

libxml2 canonicalises; what it is given is always a document of its own, so that nothing depends on how a part
of a greater tree is handled: the element with the namespaces in scope, and with the attributes that inclusive
canonicalisation takes from its ancestors.
"""

from dataclasses import dataclass

from lxml import etree

from signer.validation.xades.document import XML_NAMESPACE, XmlDocument, XmlElement, XmlError, parse

_BASE, _ID = f"{{{XML_NAMESPACE}}}base", f"{{{XML_NAMESPACE}}}id"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


@dataclass(frozen=True)
class Method:
    """A canonicalisation method. version: 1.0 or 1.1, which differ in what comes from the ancestors."""

    exclusive: bool
    comments: bool
    version: str = "1.0"


METHODS: dict[str, Method] = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": Method(False, False),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": Method(False, True),
    "http://www.w3.org/2006/12/xml-c14n11": Method(False, False, "1.1"),
    "http://www.w3.org/2006/12/xml-c14n11#WithComments": Method(False, True, "1.1"),
    _EXCLUSIVE: Method(True, False),
    f"{_EXCLUSIVE}WithComments": Method(True, True),
}
DEFAULT = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
"""What is used where a signature names none (XML Signature 1.1 §4.4.3.2)."""


def prefixes(element: XmlElement) -> tuple[str, ...]:
    """The PrefixList of a method's or transform's InclusiveNamespaces."""
    found = element.findall(f"{{{_EXCLUSIVE}}}InclusiveNamespaces")
    if len(found) > 1:
        raise XmlError("two lists of prefixes")
    return tuple((found[0].get("PrefixList") or "").split()) if found else ()


def copy_of(document: XmlDocument, element: XmlElement, *, whole: bool = False) -> XmlElement:
    """The element as root of its own document, with every namespace that is in scope.

    whole: the element is the root, and comments and instructions around it are copied too. Raises XmlError.
    """
    octets = etree.tostring(element.getroottree() if whole else element, encoding="utf-8", with_tail=False)
    document.spend(len(octets))
    return parse(octets)


def canonical(
    document: XmlDocument, element: XmlElement, algorithm: str, inclusive: tuple[str, ...] = ()
) -> bytes:
    """The octets of an element of a document. Raises XmlError, also for an unknown algorithm."""
    method = METHODS.get(algorithm)
    if method is None:
        raise XmlError(f"the canonicalisation {algorithm} is not known")
    copy = copy_of(document, element)
    inherit(copy, element, method)
    return write(copy, method, inclusive)


def inherit(copy: XmlElement, original: XmlElement, method: Method) -> None:
    """Give a copy the attributes of the namespace xml that an inclusive method takes from the ancestors.

    Raises XmlError for xml:base under version 1.1, whose joining of paths (§2.4) is not done here.
    """
    if method.exclusive:
        return
    for ancestor in original.iterancestors():
        for name, value in ancestor.attrib.items():
            if not str(name).startswith(f"{{{XML_NAMESPACE}}}"):
                continue
            if method.version == "1.1" and name == _BASE:
                raise XmlError("xml:base around what was signed is not handled")
            if (method.version == "1.0" or name != _ID) and name not in copy.attrib:
                copy.set(name, value)


def write(root: XmlElement, method: Method, inclusive: tuple[str, ...] = ()) -> bytes:
    """The canonical octets of the document of `root`. Raises XmlError."""
    try:
        return etree.tostring(
            root.getroottree(),
            method="c14n",
            exclusive=method.exclusive,
            with_comments=method.comments,
            inclusive_ns_prefixes=list(inclusive) if method.exclusive else None,
        )
    except (etree.C14NError, etree.SerialisationError, ValueError) as error:
        raise XmlError("it cannot be canonicalised") from error
