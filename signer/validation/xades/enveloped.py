"""The one signature around a whole document, as trusted lists have it (TS 119 612 §5.7.1, Annex B)."""

from dataclasses import dataclass

from signer.validation.facts import AlgorithmUse, Integrity
from signer.validation.xades.canonical import METHODS
from signer.validation.xades.document import XmlDocument, XmlError
from signer.validation.xades.references import ENVELOPED, Reference
from signer.validation.xades.signatures import XmlSignature, signatures_of

SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"


@dataclass(frozen=True)
class EnvelopedSignature:
    """What a document's signature shows; whether the signer may sign it is for others to say.

    integrity: INTACT where the one signature is over the whole document and verifies with
    `signer_certificate`, a DER certificate of its KeyInfo. content: the canonical octets that it is over,
    without the signature; read these, and nothing else. Empty unless intact. algorithms: for whoever judges
    them by date. fault: in a sentence, why it is not intact.
    """

    integrity: Integrity
    signer_certificate: bytes | None
    content: bytes
    algorithms: tuple[AlgorithmUse, ...]
    fault: str


def read_enveloped(document: bytes) -> EnvelopedSignature:
    """Check the signature of a document that must have exactly one, over all of it. Raises nothing."""
    try:
        parsed = XmlDocument(document)
        signatures = signatures_of(parsed, lambda _: None)
        if len(signatures) != 1:
            raise XmlError(f"the document has {len(signatures)} signatures instead of one")
        (signature,) = signatures
        return _judge(signature, _whole(parsed, signature))
    except XmlError as error:
        return EnvelopedSignature(Integrity.UNVERIFIABLE, None, b"", (), f"{error}")


def _whole(document: XmlDocument, signature: XmlSignature) -> Reference:
    """The reference over the whole document; beside it there may be one over the signed properties."""
    if signature.fault:
        raise XmlError(signature.fault)
    others = [each for each in signature.references if each.type != SIGNED_PROPERTIES]
    properties = [each for each in signature.references if each.type == SIGNED_PROPERTIES]
    if len(others) != 1 or len(properties) > 1:
        raise XmlError("the signature is not over the document alone")
    if signature.element.getparent() is not document.root:
        raise XmlError("the signature is not a child of the root element")
    for each in properties:
        if each.target is None or signature.element not in each.target.iterancestors():
            raise XmlError("the signed properties are not the signature's own")
    (whole,) = others
    if whole.target is not None and whole.target is not document.root:
        raise XmlError("the signature is not over the root element")
    canonicalisations = [name for name in whole.transforms if name != ENVELOPED]
    if whole.transforms[:1] != (ENVELOPED,) or not set(canonicalisations) <= set(METHODS):
        raise XmlError("the signature is not enveloped, or transforms what it is over in other ways")
    if len(whole.transforms) > 2:
        raise XmlError("the signature transforms what it is over more than it may")
    return whole


def _judge(signature: XmlSignature, whole: Reference) -> EnvelopedSignature:
    signer = signature.verifying_certificate()
    algorithms = signature.algorithms(signer)
    digests = signature.digest_matches
    if digests and signer is not None:
        return EnvelopedSignature(Integrity.INTACT, signer.der, whole.octets or b"", algorithms, "")
    if digests is False:
        fault = "what was signed has changed: its digest differs"
    elif digests is None:
        fault = next((each.fault for each in signature.references if each.fault), "nothing is signed")
    else:
        fault = "no certificate in the signature verifies it"
    is_checkable = digests is False or (signature.scheme is not None and digests)
    integrity = Integrity.BROKEN if is_checkable else Integrity.UNVERIFIABLE
    return EnvelopedSignature(integrity, signer.der if signer else None, b"", algorithms, fault)
