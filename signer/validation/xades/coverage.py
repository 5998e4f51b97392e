"""What in an XML document a signature is not over: whoever trusts the document would trust that too."""

from collections.abc import Iterator

from lxml import etree

from signer.validation.xades.algorithms import DSIG
from signer.validation.xades.document import XmlElement, local_name
from signer.validation.xades.properties import XADES
from signer.validation.xades.signatures import SIGNATURE, XmlSignature

_MOST = 20


def uncovered(root: XmlElement, signature: XmlSignature) -> tuple[str, ...]:
    """Sentences on the parts of the document of `root` that the signature is not over; none for a whole one.

    Other signatures are not counted: each is judged by itself. What is around parts may only hold them.
    """
    found = list(_Coverage(signature).uncovered(root))
    rest = len(found) - _MOST
    return (*found[:_MOST], *((f"and {rest} more parts",) if rest > 0 else ()))


class _Coverage:
    def __init__(self, signature: XmlSignature) -> None:
        self._own = signature.element
        self._targets = [each.target for each in signature.references if each.target is not None]
        self._around: set[XmlElement] = set()
        for each in (*self._targets, *signature.element.getroottree().iter(SIGNATURE)):
            self._around.update(each.iterancestors())

    def uncovered(self, element: XmlElement) -> Iterator[str]:
        if any(element is target for target in self._targets):
            return
        if element.tag == SIGNATURE:
            if element is self._own:
                yield from self._objects(element)
            return
        if element not in self._around:
            yield f"the element {_name(element)}"
            return
        if any(name not in ("Id", "ID", "id") for name in element.attrib):
            yield f"attributes of the element {_name(element)}"
        if _has_text(element.text) or any(_has_text(child.tail) for child in element):
            yield f"text in the element {_name(element)}"
        for child in element.iterchildren(etree.Element):
            yield from self.uncovered(child)

    def _objects(self, signature: XmlElement) -> Iterator[str]:
        """Objects of the signature itself that it is not over."""
        for each in signature.iterfind(f"{{{DSIG}}}Object"):
            for child in each.iterchildren(etree.Element):
                if local_name(child, XADES) != "QualifyingProperties" and not self._is_within_target(child):
                    yield f"the element {_name(child)} in the signature"
            if (
                _has_text(each.text) or any(_has_text(child.tail) for child in each)
            ) and not self._is_within_target(each):
                yield "text in the signature"

    def _is_within_target(self, element: XmlElement) -> bool:
        around = [element, *element.iterancestors()]
        return any(each is target for each in around for target in self._targets)


def _name(element: XmlElement) -> str:
    return etree.QName(element).localname


def _has_text(text: str | None) -> bool:
    return bool(text and text.strip())
