"""The qualifying properties of a XAdES signature (EN 319 132-1): what was signed with it, what came later."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from signer.validation.xades.algorithms import DIGESTS, DSIG, base64_octets
from signer.validation.xades.document import XmlElement, XmlError, local_name, parse, text_of
from signer.validation.xades.references import Reference
from signer.validation.xades.signatures import XmlSignature

XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, eq=False)
class SignedProperties:
    """What the signer signed beside the data, read from the octets that were signed.

    root: the SignedProperties, in a document of its own. names: of all properties in it. signing_time: None
    where it is missing, or has no time zone. certificate_references: for each SigningCertificate property,
    (hashlib's name, hash) of each certificate. described: Ids of the references that have a DataObjectFormat
    with a media type.
    """

    root: XmlElement
    names: tuple[str, ...]
    signing_time: datetime | None
    certificate_references: tuple[tuple[tuple[str, bytes], ...], ...]
    described: frozenset[str]


@dataclass(frozen=True, eq=False)
class Qualified:
    """What qualifies a signature. element: its QualifyingProperties; None of a plain XML signature.

    signed: None where nothing was signed beside the data. unsigned: the unsigned signature properties in
    order. faults: sentences on what a signature must not look like.
    """

    element: XmlElement | None = None
    signed: SignedProperties | None = None
    unsigned: tuple[XmlElement, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValidationData:
    """DER that is kept for the validation of a signature (§5.4)."""

    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]


def validation_data(properties: Iterable[XmlElement]) -> ValidationData:
    """All that unsigned properties keep, whatever each is called, without counter-signatures' own.

    Raises XmlError.
    """
    own = [each for each in properties if local_name(each, XADES) != "CounterSignature"]
    return ValidationData(
        _encapsulated(own, "EncapsulatedX509Certificate"),
        _encapsulated(own, "EncapsulatedCRLValue"),
        _encapsulated(own, "EncapsulatedOCSPValue"),
    )


def _encapsulated(properties: Iterable[XmlElement], name: str) -> tuple[bytes, ...]:
    found = (each for element in properties for each in element.iter(f"{{{XADES}}}{name}"))
    return tuple(base64_octets(text_of(each)) for each in found)


def qualified(signature: XmlSignature) -> Qualified:
    """Read the qualifying properties of a signature. Raises XmlError where they cannot be read."""
    found = signature.element.findall(f"{{{DSIG}}}Object/{{{XADES}}}QualifyingProperties")
    stated = [each for each in signature.direct if each.type == SIGNED_PROPERTIES]
    if not found:
        missing = ("the signed properties are not in the signature",) if stated else ()
        return Qualified(faults=missing)
    element = found[0]
    own = element.findall(f"{{{XADES}}}SignedProperties")
    faults: list[str] = []
    if len(found) > 1 or len(own) > 1:
        faults.append("the signature has its properties twice")
    identifier = signature.element.get("Id")
    if identifier is not None and element.get("Target") != f"#{identifier}":
        faults.append("the properties say that they are another signature's")
    if len(stated) != len(own) or any(each.target is not own[0] for each in stated if each.octets):
        faults.append("the properties in the signature are not those that it is over")
    signed = _signed(stated[0]) if stated and not faults else None
    return Qualified(element, signed, tuple(_unsigned(element)), tuple(faults))


def _unsigned(element: XmlElement) -> Iterator[XmlElement]:
    groups = element.iterfind(f"{{{XADES}}}UnsignedProperties/{{{XADES}}}UnsignedSignatureProperties")
    for group in groups:
        yield from group.iterchildren(etree.Element)


def _signed(reference: Reference) -> SignedProperties | None:
    if reference.octets is None:
        return None
    root = parse(reference.octets)
    properties = [
        each for group in root.iterchildren(etree.Element) for each in group.iterchildren(etree.Element)
    ]
    return SignedProperties(
        root,
        tuple(local_name(each, XADES) or str(each.tag) for each in properties),
        _signing_time(root),
        tuple(_certificates(each) for each in properties if _is_certificate_property(each)),
        frozenset(_described(root)),
    )


def _signing_time(root: XmlElement) -> datetime | None:
    found = list(root.iter(f"{{{XADES}}}SigningTime"))
    return date_time(text_of(found[0])) if len(found) == 1 else None


def date_time(text: str) -> datetime | None:
    """An xs:dateTime with a time zone; None for anything else."""
    if not _DATE_TIME.fullmatch(text.strip()):
        return None
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_certificate_property(element: XmlElement) -> bool:
    return local_name(element, XADES) in ("SigningCertificate", "SigningCertificateV2")


def _certificates(element: XmlElement) -> tuple[tuple[str, bytes], ...]:
    """The certificates of a SigningCertificate property (§5.2.2)."""
    found = []
    for digest in element.iterfind(f"{{{XADES}}}Cert/{{{XADES}}}CertDigest"):
        method, value = digest.find(f"{{{DSIG}}}DigestMethod"), digest.find(f"{{{DSIG}}}DigestValue")
        if method is None or value is None:
            raise XmlError("a reference to a certificate has no digest")
        found.append((DIGESTS.get(method.get("Algorithm") or "", ""), base64_octets(text_of(value))))
    return tuple(found)


def _described(root: XmlElement) -> Iterator[str]:
    for each in root.iter(f"{{{XADES}}}DataObjectFormat"):
        if each.find(f"{{{XADES}}}MimeType") is not None:
            yield (each.get("ObjectReference") or "").removeprefix("#")
