"""What in an XML document a signature is not over: whoever trusts the document would trust that too."""

from collections.abc import Iterator

from lxml import etree

from signer.validation.xades.algorithms import DSIG
from signer.validation.xades.document import XmlElement, local_name
from signer.validation.xades.properties import XADES
from signer.validation.xades.references import BASE64, Reference
from signer.validation.xades.signatures import SIGNATURE, XmlSignature

_MOST = 20


def uncovered(root: XmlElement, signature: XmlSignature) -> tuple[str, ...]:
    """Sentences on the parts of the document of `root` that the signature is not over; none for a whole one.

    Other signatures are not counted: each is judged by itself. What is around parts may only hold them.
    """
    coverage = _Coverage(signature)
    found = [*coverage.uncovered(root), *coverage.in_signature()]
    rest = len(found) - _MOST
    return (*found[:_MOST], *((f"and {rest} more parts",) if rest > 0 else ()))


class _Coverage:
    def __init__(self, signature: XmlSignature) -> None:
        own = self._own = signature.element
        references = signature.references
        self._targets = {each.target for each in references if each.target is not None and _is_whole(each)}
        self._within = {each for each in self._targets if any(x is own for x in each.iterancestors())}
        self._around: set[XmlElement] = set()
        for each in (*self._targets, *own.getroottree().iter(SIGNATURE)):
            self._around.update(each.iterancestors())

    def uncovered(self, element: XmlElement) -> Iterator[str]:
        """Sentences on what is outside of all signatures and not under this one."""
        if element.tag == SIGNATURE or element in self._targets:
            return
        if element not in self._around:
            yield f"the element {_name(element)}"
            return
        if any(name not in ("Id", "ID", "id") for name in element.attrib):
            yield f"attributes of the element {_name(element)}"
        if _text_beside(element):
            yield f"text in the element {_name(element)}"
        for child in element.iterchildren(etree.Element):
            yield from self.uncovered(child)

    def in_signature(self) -> Iterator[str]:
        """Sentences on what is in Objects of the signature itself and not under it."""
        for each in self._own.iterfind(f"{{{DSIG}}}Object"):
            if each in self._within:
                continue
            if _text_beside(each):
                yield "text in the signature"
            for child in each.iterchildren(etree.Element):
                if local_name(child, XADES) != "QualifyingProperties" and child not in self._within:
                    yield f"the element {_name(child)} in the signature"


def _is_whole(reference: Reference) -> bool:
    """Whether it is over all that is in its element; base64 passes over tags (XML Signature §6.6.2)."""
    return BASE64 not in reference.transforms or reference.target is None or len(reference.target) == 0


def _name(element: XmlElement) -> str:
    return etree.QName(element).localname


def _text_beside(element: XmlElement) -> bool:
    """Whether an element has text of its own, not that of its children."""
    return any(text and text.strip() for text in (element.text, *(child.tail for child in element)))
