"""XML signatures of the small authority of `validation_documents`, made with lxml alone; XAdES if wanted."""

import base64
import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from lxml import etree

from tests.unit.cades_signatures import LISTS, stamp
from tests.unit.validation_documents import ROOT, SIGNED, SIGNER, STAMPER, SUB, Identity

DS, XADES, XADES141 = (
    "http://www.w3.org/2000/09/xmldsig#",
    "http://uri.etsi.org/01903/v1.3.2#",
    "http://uri.etsi.org/01903/v1.4.1#",
)
ENVELOPED = f"{DS}enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
DOCUMENT = '<act nr="7" xmlns="urn:primarie"><titlu>Hotărâre</titlu><text>Se aprobă.</text></act>'.encode()
PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"


@dataclass(frozen=True)
class Part:
    """Something to be signed. content: of what stands outside of the document."""

    uri: str = ""
    content: bytes | None = None
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE)
    type: str = ""
    mime: str = "text/xml"


def base64_text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def sign(
    document: bytes,
    *parts: Part,
    signer: Identity = SIGNER,
    identifier: str = "sig-1",
    properties: bool = True,
    certificate_reference: bytes | None = None,
    time: datetime = SIGNED,
    objects: str = "",
    below: str = ".",
) -> bytes:
    """The document with a signature as last child of what `below` finds; a signature alone where it is b"".

    certificate_reference: the certificate that the signed properties name instead of the signer's.
    objects: further Object elements.
    """
    parts = parts or (Part(),)
    text = _signature(
        parts, signer, identifier, properties, certificate_reference or signer.der, time, objects
    )
    signature = etree.fromstring(text)
    root = etree.fromstring(document) if document else signature
    if document:
        place = root.find(below)
        assert place is not None
        place.append(signature)
    return finish(etree.tostring(root), identifier, parts, signer, properties)


def finish(
    document: bytes, identifier: str, parts: Sequence[Part], signer: Identity, properties: bool
) -> bytes:
    """Fill in the digests and the value of a signature that stands where it will stand."""
    root = etree.fromstring(document)
    signature = only(root, f"//*[@Id='{identifier}']")
    own = [Part(f"#{identifier}-properties", None, (EXCLUSIVE,))] if properties else []
    for reference, part in zip(
        signature.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference"), [*parts, *own], strict=True
    ):
        value = child(reference, "DigestValue")
        value.text = base64_text(hashlib.sha256(_content(root, signature, part)).digest())
    info = child(signature, "SignedInfo")
    value = child(signature, "SignatureValue")
    value.text = base64_text(_value(etree.tostring(info, method="c14n", exclusive=True), signer))
    return etree.tostring(root)


def every(root: etree._Element, expression: str) -> list[etree._Element]:
    """The elements that an XPath finds."""
    found = root.xpath(expression)
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, etree._Element)]


def only(root: etree._Element, expression: str) -> etree._Element:
    """The one element that an XPath finds."""
    (element,) = every(root, expression)
    return element


def child(element: etree._Element, name: str) -> etree._Element:
    """The child of that name in the namespace of signatures."""
    found = element.find(f"{{{DS}}}{name}")
    assert found is not None
    return found


def _value(signed: bytes, signer: Identity) -> bytes:
    if isinstance(signer.key, rsa.RSAPrivateKey):
        return signer.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    r, s = utils.decode_dss_signature(signer.key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _content(root: etree._Element, signature: etree._Element, part: Part) -> bytes:
    if part.content is not None:
        return part.content
    if part.uri == "":
        copy = deepcopy(root)
        own = only(copy, f"//*[@Id='{signature.get('Id')}']")
        parent = own.getparent()
        assert parent is not None
        parent.remove(own)
        return etree.tostring(copy, method="c14n", exclusive=True)
    target = only(root, f"//*[@Id='{part.uri[1:]}']")
    return etree.tostring(target, method="c14n", exclusive=True, with_tail=False)


def _signature(
    parts: Sequence[Part],
    signer: Identity,
    identifier: str,
    properties: bool,
    named: bytes,
    time: datetime,
    objects: str,
) -> str:
    rows = "".join(_reference(number, part, identifier) for number, part in enumerate(parts))
    method = RSA if isinstance(signer.key, rsa.RSAPrivateKey) else ECDSA
    if properties:
        own = Part(f"#{identifier}-properties", None, (EXCLUSIVE,), PROPERTIES)
        rows += _reference(len(parts), own, identifier)
        objects += f"<ds:Object>{_properties(parts, identifier, named, time)}</ds:Object>"
    return (
        f'<ds:Signature xmlns:ds="{DS}" Id="{identifier}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><ds:SignatureMethod Algorithm="{method}"/>'
        f'{rows}</ds:SignedInfo><ds:SignatureValue Id="{identifier}-value"/><ds:KeyInfo><ds:X509Data>'
        f"<ds:X509Certificate>{base64_text(signer.der)}</ds:X509Certificate>"
        f"<ds:X509Certificate>{base64_text(SUB.der)}</ds:X509Certificate>"
        f"</ds:X509Data></ds:KeyInfo>{objects}</ds:Signature>"
    )


def _reference(number: int, part: Part, identifier: str) -> str:
    transforms = "".join(f'<ds:Transform Algorithm="{each}"/>' for each in part.transforms)
    kind = f' Type="{part.type}"' if part.type else ""
    return (
        f'<ds:Reference Id="{identifier}-r{number}"{kind} URI="{part.uri}">'
        + (f"<ds:Transforms>{transforms}</ds:Transforms>" if transforms else "")
        + f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue/></ds:Reference>'
    )


def _properties(parts: Sequence[Part], identifier: str, named: bytes, time: datetime) -> str:
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#{identifier}-r{number}">'
        f"<xades:MimeType>{part.mime}</xades:MimeType></xades:DataObjectFormat>"
        for number, part in enumerate(parts)
        if part.type != COUNTERSIGNED
    )
    data = (
        f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties>" if formats else ""
    )
    return (
        f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{identifier}">'
        f'<xades:SignedProperties Id="{identifier}-properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{time:%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime>"
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{base64_text(hashlib.sha256(named).digest())}</ds:DigestValue>"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        f"</xades:SignedSignatureProperties>{data}</xades:SignedProperties></xades:QualifyingProperties>"
    )


# ---- what is added to a signature later


def with_unsigned(document: bytes, properties: str, identifier: str = "sig-1") -> bytes:
    """The signature with further unsigned signature properties, given as XML."""
    root = etree.fromstring(document)
    signature = only(root, f"//*[@Id='{identifier}']")
    qualifying = only(signature, "./*/*[local-name()='QualifyingProperties']")
    unsigned = qualifying.find(f"{{{XADES}}}UnsignedProperties")
    if unsigned is None:
        unsigned = etree.SubElement(qualifying, f"{{{XADES}}}UnsignedProperties")
        etree.SubElement(unsigned, f"{{{XADES}}}UnsignedSignatureProperties")
    around = f'<a xmlns:ds="{DS}" xmlns:xades="{XADES}" xmlns:xades141="{XADES141}">{properties}</a>'
    for each in etree.fromstring(around):
        unsigned[0].append(each)
    return etree.tostring(root)


def timestamp_element(name: str, imprint: bytes, time: datetime) -> str:
    """A time-stamp property over octets."""
    token = base64_text(stamp(hashlib.sha256(imprint).digest(), time))
    return (
        f'<{name}><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f"<xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp></{name}>"
    )


def stamped(document: bytes, time: datetime = SIGNED, identifier: str = "sig-1") -> bytes:
    """The signature at B-T."""
    value = only(etree.fromstring(document), f"//*[@Id='{identifier}-value']")
    imprint = etree.tostring(value, method="c14n", exclusive=True, with_tail=False)
    return with_unsigned(document, timestamp_element("xades:SignatureTimeStamp", imprint, time), identifier)


def with_material(document: bytes, lists: Sequence[bytes] = LISTS, identifier: str = "sig-1") -> bytes:
    """The signature at B-LT."""
    certificates = "".join(
        f"<xades:EncapsulatedX509Certificate>{base64_text(der)}</xades:EncapsulatedX509Certificate>"
        for der in (SUB.der, ROOT.der, STAMPER.der)
    )
    crls = "".join(
        f"<xades:EncapsulatedCRLValue>{base64_text(der)}</xades:EncapsulatedCRLValue>" for der in lists
    )
    return with_unsigned(
        document,
        f"<xades:CertificateValues>{certificates}</xades:CertificateValues>"
        f"<xades:RevocationValues><xades:CRLValues>{crls}</xades:CRLValues></xades:RevocationValues>",
        identifier,
    )


def archived(document: bytes, parts: Sequence[bytes], time: datetime, identifier: str = "sig-1") -> bytes:
    """The signature with an archive time-stamp; parts: what its references are over, in order."""
    root = etree.fromstring(document)
    signature = only(root, f"//*[@Id='{identifier}']")
    imprint = b"".join(parts)
    for name in ("SignedInfo", "SignatureValue", "KeyInfo"):
        imprint += _exclusive(child(signature, name))
    unsigned = "./*/*/*/*[local-name()='UnsignedSignatureProperties']/*"
    objects = "./*[local-name()='Object'][not(*[local-name()='QualifyingProperties'])]"
    for each in (*every(signature, unsigned), *every(signature, objects)):
        imprint += _exclusive(each)
    return with_unsigned(document, timestamp_element("xades141:ArchiveTimeStamp", imprint, time), identifier)


def _exclusive(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)


def signed_octets(document: bytes, *parts: Part, identifier: str = "sig-1") -> list[bytes]:
    """The octets of what the signature's references are over, those of the signed properties at the end."""
    root = etree.fromstring(document)
    signature = only(root, f"//*[@Id='{identifier}']")
    own = Part(f"#{identifier}-properties")
    return [_content(root, signature, part) for part in (*(parts or (Part(),)), own)]


def holder(certificate: bytes) -> str:
    """The common name in a certificate."""
    name = x509.load_der_x509_certificate(certificate).subject
    return str(name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
