"""References of an XML signature (§4.4.3 there): what each is over, exactly, and whether its digest is that.

Of the transforms only those are done that cannot make a signature be over something else than it seems: the
canonicalisations, enveloped-signature, base64, and the XPath expressions that only take signatures away. XSLT
and every other XPath are refused. Nothing is fetched: what is outside of the document the caller gives.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from signer.validation.xades.algorithms import DIGESTS, DSIG, base64_octets
from signer.validation.xades.canonical import (
    DEFAULT,
    METHODS,
    copy_of,
    inherit,
    prefixes,
    write,
)
from signer.validation.xades.document import (
    MAX_SIZE,
    TooMuchError,
    XmlDocument,
    XmlElement,
    XmlError,
    text_of,
)

Resolve = Callable[[str | None], Iterable[bytes] | None]
"""Gives the content, in pieces, that a URI outside of the document means; None where it is missing."""

ENVELOPED = f"{DSIG}enveloped-signature"
_BASE64 = f"{DSIG}base64"
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
_WITHOUT_SIGNATURES = re.compile(r"not\(ancestor-or-self::([\w.-]+):Signature\)")
_SUBTRACTED_SIGNATURES = re.compile(r"/descendant::([\w.-]+):Signature|//([\w.-]+):Signature")
_XPOINTER_ID = re.compile(r"#xpointer\(id\(['\"]([^'\"]+)['\"]\)\)")


@dataclass(frozen=True, eq=False)
class Reference:
    """A Reference of a SignedInfo or of a Manifest.

    digest: hashlib's name of the algorithm, "" for one that is not known. matches: None where the content is
    missing or cannot be processed; `fault` then says why. target: the element, of a reference into the same
    document. octets: exactly what was digested, of such a reference. content: what gives it again in pieces.
    is_node_set: no transform made octets of it, so that its canonicalisation was implied.
    """

    uri: str | None
    type: str
    identifier: str
    digest: str
    matches: bool | None
    transforms: tuple[str, ...] = ()
    target: XmlElement | None = None
    octets: bytes | None = None
    content: Callable[[], Iterable[bytes]] | None = None
    is_node_set: bool = False
    fault: str = ""
    is_ambiguous: bool = False

    @property
    def is_external(self) -> bool:
        """Whether it is over something outside of the document."""
        return is_external(self.uri)


def is_external(uri: str | None) -> bool:
    """Whether a URI leads out of the document; so does one that is not there."""
    return uri is None or (uri != "" and not uri.startswith("#"))


@dataclass(eq=False)
class _Nodes:
    """A node-set: an element in a document of its own (`copy`), or that whole document.

    original: the element where it was found. signature: the signature's place in the copy, if it is there.
    """

    original: XmlElement
    copy: XmlElement
    signature: XmlElement | None
    whole: bool
    comments: bool


_Data = _Nodes | bytes


class ReferenceReader:
    """Reads the references of one signature, `signature`, in `document`."""

    def __init__(self, document: XmlDocument, signature: XmlElement, resolve: Resolve) -> None:
        self._document, self._signature, self._resolve = document, signature, resolve

    def read(self, element: XmlElement) -> Reference:
        """Read a Reference and process it. Raises XmlError for one that is malformed."""
        method, value = _only(element, "DigestMethod"), _only(element, "DigestValue")
        expected = base64_octets(text_of(value))
        uri, identifier = element.get("URI"), element.get("Id") or ""
        digest = DIGESTS.get(method.get("Algorithm") or "", "")
        transforms = _transforms(element)
        names = tuple(each.get("Algorithm") or "" for each in transforms)
        stated = Reference(uri, element.get("Type") or "", identifier, digest, None, names)
        if not digest:
            return replace(stated, fault="its digest algorithm is not known")
        if uri and uri.startswith("#") and self._document.is_ambiguous(_identifier(uri)[0]):
            return replace(stated, fault=f"several elements are {uri}", is_ambiguous=True)
        try:
            if is_external(uri) and not transforms:
                return self._external(stated, expected)
            return self._processed(stated, expected, transforms)
        except TooMuchError:
            raise
        except XmlError as error:
            return replace(stated, fault=str(error))

    def _external(self, stated: Reference, expected: bytes) -> Reference:
        """What is outside and digested as it is, however long."""
        content = self._resolve(stated.uri)
        if content is None:
            return replace(stated, fault="what it is over is missing")
        digest = hashlib.new(stated.digest, usedforsecurity=False)
        for chunk in content:
            digest.update(chunk)
        return replace(
            stated,
            matches=digest.digest() == expected,
            content=lambda: self._resolve(stated.uri) or (),
        )

    def _processed(self, stated: Reference, expected: bytes, transforms: list[XmlElement]) -> Reference:
        data = self._dereferenced(stated.uri)
        target = data.original if isinstance(data, _Nodes) else None
        for transform in transforms:
            data = self._transformed(data, transform)
        is_node_set = isinstance(data, _Nodes)
        octets = _canonical(data, DEFAULT, ()) if isinstance(data, _Nodes) else data
        self._document.spend(len(octets))
        return replace(
            stated,
            matches=hashlib.new(stated.digest, octets, usedforsecurity=False).digest() == expected,
            target=target,
            octets=octets if target is not None else None,
            content=lambda: (octets,),
            is_node_set=is_node_set,
        )

    def _dereferenced(self, uri: str | None) -> _Data:
        if uri is None or is_external(uri):
            return _joined(self._resolve(uri))
        if uri in ("", "#xpointer(/)"):
            root = self._document.root
            return self._nodes(root, whole=True, comments=uri != "")
        identifier, comments = _identifier(uri)
        element = self._document.element(identifier)
        if element is None:
            raise XmlError(f"there is no {uri}")
        return self._nodes(element, whole=False, comments=comments)

    def _nodes(self, original: XmlElement, *, whole: bool, comments: bool) -> _Nodes:
        copy = copy_of(self._document, original, whole=whole)
        return _Nodes(original, copy, _same_place(original, self._signature, copy), whole, comments)

    def _transformed(self, data: _Data, transform: XmlElement) -> _Data:
        algorithm = transform.get("Algorithm") or ""
        if algorithm in METHODS:
            return _canonical(_as_nodes(data), algorithm, prefixes(transform))
        if algorithm == _BASE64:
            return base64_octets(data.decode("latin-1") if isinstance(data, bytes) else _string(data.copy))
        if algorithm == ENVELOPED or _takes_signatures_away(transform):
            if not isinstance(data, _Nodes):
                raise XmlError("the signature is not in what it is taken away from")
            return _without_signatures(data, own=algorithm == ENVELOPED)
        raise XmlError(f"the transform {algorithm} is refused")


def _only(element: XmlElement, name: str) -> XmlElement:
    found = element.findall(f"{{{DSIG}}}{name}")
    if len(found) != 1:
        raise XmlError(f"a reference has {len(found)} {name}")
    return found[0]


def _transforms(element: XmlElement) -> list[XmlElement]:
    groups = element.findall(f"{{{DSIG}}}Transforms")
    if len(groups) > 1:
        raise XmlError("a reference has several lists of transforms")
    return groups[0].findall(f"{{{DSIG}}}Transform") if groups else []


def _identifier(uri: str) -> tuple[str, bool]:
    """The Id that a fragment means, and whether comments belong to what it means (§4.4.3.3)."""
    if match := _XPOINTER_ID.fullmatch(uri):
        return match[1], True
    return unquote(uri[1:]), False


def _joined(content: Iterable[bytes] | None) -> bytes:
    """External content that transforms must have in memory."""
    if content is None:
        raise XmlError("what it is over is missing")
    joined = bytearray()
    for chunk in content:
        joined += chunk
        if len(joined) > MAX_SIZE:
            raise XmlError("what it is over is too long to be transformed")
    return bytes(joined)


def _as_nodes(data: _Data) -> _Nodes:
    """Octets are parsed where a transform asks for nodes (§4.4.3.2)."""
    if isinstance(data, _Nodes):
        return data
    root = XmlDocument(data).root
    return _Nodes(root, root, None, whole=True, comments=True)


def _canonical(nodes: _Nodes, algorithm: str, inclusive: tuple[str, ...]) -> bytes:
    method = METHODS[algorithm]
    if not nodes.whole:
        inherit(nodes.copy, nodes.original, method)
    return write(nodes.copy, replace(method, comments=method.comments and nodes.comments), inclusive)


def _string(element: XmlElement) -> str:
    return str(element.xpath("string()"))


def _same_place(above: XmlElement, element: XmlElement, copy: XmlElement) -> XmlElement | None:
    """Where an element below `above` is in a copy of `above`; None where it is not below it."""
    steps: list[int] = []
    node: XmlElement | None = element
    while node is not None and node is not above:
        parent = node.getparent()
        if parent is not None:
            steps.append(parent.index(node))
        node = parent
    if node is None:
        return None
    for step in reversed(steps):
        copy = copy[step]
    return copy


def _takes_signatures_away(transform: XmlElement) -> bool:
    """Whether it is one of the XPath transforms that only leave out every signature of the document."""
    algorithm, children = transform.get("Algorithm"), list(transform)
    if len(children) != 1:
        return False
    (child,) = children
    if algorithm == _XPATH and child.tag == f"{{{DSIG}}}XPath":
        match = _WITHOUT_SIGNATURES.fullmatch(text_of(child).strip())
    elif algorithm == _FILTER and child.tag == f"{{{_FILTER}}}XPath" and child.get("Filter") == "subtract":
        match = _SUBTRACTED_SIGNATURES.fullmatch(text_of(child).strip())
    else:
        return False
    prefix = next((each for each in match.groups() if each), None) if match else None
    return prefix is not None and child.nsmap.get(prefix) == DSIG


def _without_signatures(nodes: _Nodes, *, own: bool) -> _Nodes:
    """The nodes without the signature that is read, or without any."""
    leaving = [nodes.signature] if own else nodes.copy.findall(f".//{{{DSIG}}}Signature")
    for each in leaving:
        if each is None or each is nodes.copy:
            raise XmlError("the signature is not in what it is taken away from")
        _remove(each)
    return nodes


def _remove(element: XmlElement) -> None:
    """Take an element out and leave the text that follows it."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)
