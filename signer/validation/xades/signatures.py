"""XML signatures (W3C XML Signature 1.1): the facts of each, per reference; no trust and no time."""

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from signer.validation.certificates import Certificate, load_certificate
from signer.validation.facts import AlgorithmUse
from signer.validation.signature_value import Scheme, key_size
from signer.validation.xades.algorithms import DSIG, SCHEMES, base64_octets, value_matches
from signer.validation.xades.canonical import canonical, prefixes
from signer.validation.xades.document import (
    TooMuchError,
    XmlDocument,
    XmlElement,
    XmlError,
    local_name,
    parse,
    text_of,
)
from signer.validation.xades.references import Reference, ReferenceReader, Resolve

SIGNATURE = f"{{{DSIG}}}Signature"
_MAX_SIGNATURES = 200
_MAX_REFERENCES = 10_000


@dataclass(frozen=True, eq=False)
class XmlSignature:
    """A Signature element.

    references: those of its SignedInfo in order, each one of a Manifest followed by what that refers to.
    signed_info: the canonical octets that the value is over. scheme: None for an algorithm that is not known.
    certificates: those in KeyInfo, DER, in order. fault: why it is no signature; "" where it is well-formed.
    """

    element: XmlElement
    method: str
    scheme: Scheme | None
    signed_info: bytes
    value: bytes
    references: tuple[Reference, ...]
    certificates: tuple[bytes, ...]
    fault: str = ""

    @property
    def digest_matches(self) -> bool | None:
        """Whether all that it refers to is as it says; None where something is missing or not checkable."""
        answers = [reference.matches for reference in self.references]
        if False in answers:
            return False
        return None if None in answers or not answers else True

    def signature_matches(self, certificate: Certificate) -> bool | None:
        """Whether the value is by the certificate's key; None where that cannot be checked."""
        if self.scheme is None or self.fault:
            return None
        return value_matches(self.scheme, certificate.key, self.value, self.signed_info)

    def verifying_certificate(self, further: Iterable[bytes] = ()) -> Certificate | None:
        """The first certificate of KeyInfo, or of `further`, whose key verifies the value."""
        for der in dict.fromkeys((*self.certificates, *further)):
            certificate = load_certificate(der)
            if certificate is not None and self.signature_matches(certificate):
                return certificate
        return None

    def algorithms(self, certificate: Certificate | None) -> tuple[AlgorithmUse, ...]:
        """What it leans on, with the strength of the certificate's key."""
        bits = key_size(certificate.key) if certificate else 0
        digests = sorted({reference.digest or "unknown" for reference in self.references})
        uses = [AlgorithmUse("digest of what is signed", digest) for digest in digests]
        if self.scheme is None:
            return (*uses, AlgorithmUse("signature value", "", "unknown", bits))
        return (*uses, AlgorithmUse("signature value", self.scheme.digest, self.scheme.name, bits))


def read_xml_signatures(document: bytes, resolve: Resolve) -> list[XmlSignature]:
    """Every Signature element of a document, in document order, those inside of others with them.

    resolve: see `Resolve`. Raises XmlError for what is no XML, or none that is read here.
    """
    return signatures_of(XmlDocument(document), resolve)


def signatures_of(document: XmlDocument, resolve: Resolve) -> list[XmlSignature]:
    """The same of a document that was parsed."""
    elements = list(document.root.iter(SIGNATURE))
    if len(elements) > _MAX_SIGNATURES:
        raise XmlError("it has too many signatures")
    return [_signature(document, element, resolve) for element in elements]


def _signature(document: XmlDocument, element: XmlElement, resolve: Resolve) -> XmlSignature:
    try:
        return _read(document, element, resolve)
    except TooMuchError:
        raise
    except XmlError as error:
        return XmlSignature(element, "", None, b"", b"", (), (), str(error))


def _read(document: XmlDocument, element: XmlElement, resolve: Resolve) -> XmlSignature:
    info, value, key_info = _parts(element)
    method = info.find(f"{{{DSIG}}}CanonicalizationMethod")
    if method is None:
        raise XmlError("the signature names no canonicalisation")
    octets = canonical(document, info, method.get("Algorithm") or "", prefixes(method))
    signed = parse(octets)  # what is read is what was signed, not what surrounds it
    algorithm, stated = _signed_parts(signed)
    reader = ReferenceReader(document, element, resolve)
    references: list[Reference] = []
    for each in stated:
        reference = reader.read(each)
        references += [reference, *_manifest(reader, reference)]
    return XmlSignature(
        element,
        algorithm,
        SCHEMES.get(algorithm),
        octets,
        base64_octets(text_of(value)),
        tuple(references),
        _certificates(key_info),
    )


def _parts(element: XmlElement) -> tuple[XmlElement, XmlElement, XmlElement | None]:
    """SignedInfo, SignatureValue and KeyInfo, in the one order that §4.2 allows."""
    children = list(element.iterchildren(etree.Element))
    names = [local_name(child, DSIG) for child in children]
    has_key = names[2:3] == ["KeyInfo"]
    rest = names[3:] if has_key else names[2:]
    if names[:2] != ["SignedInfo", "SignatureValue"] or set(rest) - {"Object"}:
        raise XmlError("the signature's parts are not those that it has, in their order")
    return children[0], children[1], children[2] if has_key else None


def _signed_parts(signed: XmlElement) -> tuple[str, list[XmlElement]]:
    """The signature algorithm and the references of a SignedInfo (§4.4)."""
    children = list(signed.iterchildren(etree.Element))
    names = [local_name(child, DSIG) for child in children]
    if names[:2] != ["CanonicalizationMethod", "SignatureMethod"] or set(names[2:]) != {"Reference"}:
        raise XmlError("what is signed has not the parts that it has, in their order")
    if len(names) > _MAX_REFERENCES:
        raise XmlError("the signature has too many references")
    return children[1].get("Algorithm") or "", children[2:]


def _manifest(reader: ReferenceReader, reference: Reference) -> list[Reference]:
    """What a signed Manifest refers to (§5.1): signed by way of it."""
    is_manifest = reference.target is not None and local_name(reference.target, DSIG) == "Manifest"
    if not is_manifest or reference.octets is None:
        return []
    listed = parse(reference.octets).findall(f"{{{DSIG}}}Reference")
    if len(listed) > _MAX_REFERENCES:
        raise XmlError("the signature has too many references")
    return [reader.read(each) for each in listed]


def _certificates(key_info: XmlElement | None) -> tuple[bytes, ...]:
    if key_info is None:
        return ()
    found = key_info.iterfind(f"{{{DSIG}}}X509Data/{{{DSIG}}}X509Certificate")
    return tuple(base64_octets(text_of(each)) for each in found)
