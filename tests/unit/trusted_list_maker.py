"""Makes small signed trusted lists (ETSI TS 119 612), and certificates with the statements they overrule."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto.core import ObjectIdentifier
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from signer.validation.trusted_lists.model import (
    CA_QC,
    GRANTED,
    INFORMATION,
    LIST_OF_LISTS,
    NATIONAL_LIST,
    Criteria,
    DigitalIdentity,
    QualificationElement,
    Service,
    ServicePeriod,
)
from tests.unit.validation_documents import Identity, issue, key_usage

ISSUED = datetime(2024, 5, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
NEXT_UPDATE = ISSUED + timedelta(days=90)
SERVICES_BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
FOR_SIGNATURES = INFORMATION + "ForeSignatures"
FOR_SEALS = INFORMATION + "ForeSeals"
FOR_WEB = INFORMATION + "ForWebSiteAuthentication"

_LIST = "http://uri.etsi.org/02231/v2#"
_SIE = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"
_MORE = "http://uri.etsi.org/02231/v2/additionaltypes#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


# ---- certificates


def der(tag: int, *contents: bytes) -> bytes:
    """An element of fewer than 128 octets."""
    content = b"".join(contents)
    assert len(content) < 128
    return bytes((tag, len(content))) + content


def oid(dotted: str) -> bytes:
    encoded: bytes = ObjectIdentifier(dotted).dump()
    return encoded


def statements(
    *, compliance: bool = True, sscd: bool = False, types: Sequence[int] = (), countries: Sequence[str] = ()
) -> tuple[x509.ExtensionType, bool]:
    """The qcStatements extension (EN 319 412-5). types: 1 signatures, 2 seals, 3 web sites."""
    found = []
    if compliance:
        found.append(der(0x30, oid("0.4.0.1862.1.1")))
    if sscd:
        found.append(der(0x30, oid("0.4.0.1862.1.4")))
    if types:
        named = der(0x30, *(oid(f"0.4.0.1862.1.6.{each}") for each in types))
        found.append(der(0x30, oid("0.4.0.1862.1.6"), named))
    if countries:
        listed = der(0x30, *(der(0x13, each.encode()) for each in countries))
        found.append(der(0x30, oid("0.4.0.1862.1.7"), listed))
    value = der(0x30, *found)
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), value), False


def operator(name: str, start: datetime = datetime(2023, 1, 1, tzinfo=UTC), years: int = 10) -> Identity:
    """A scheme operator with a certificate for signing lists."""
    return issue(name, None, (key_usage("digital_signature"), True), start=start, end=start + years * YEAR)


# ---- values


def period(
    status: str = GRANTED,
    start: datetime = SERVICES_BEGAN,
    *elements: QualificationElement,
    type_: str = CA_QC,
    information: Sequence[str] = (FOR_SIGNATURES,),
) -> ServicePeriod:
    return ServicePeriod(type_, status, start, elements, tuple(information))


def service(
    authority: Identity, *periods: ServicePeriod, name: str = "Issuing qualified certificates"
) -> Service:
    return Service("Furnizor SRL", name, DigitalIdentity((authority.der,)), periods or (period(),))


@dataclass(frozen=True)
class MadePointer:
    """A pointer to another list."""

    location: str
    territory: str
    signers: Sequence[Identity]
    type: str = NATIONAL_LIST


@dataclass(frozen=True)
class MadeList:
    """What a list shall say."""

    territory: str = "RO"
    type: str = NATIONAL_LIST
    sequence_number: int = 1
    version: int = 5
    issue_time: datetime = ISSUED
    next_update: datetime | None = NEXT_UPDATE
    information_uris: Sequence[str] = ()
    pointers: Sequence[MadePointer] = ()
    services: Sequence[Service] = ()


def list_of_lists(*pointers: MadePointer, **others: object) -> MadeList:
    return MadeList(territory="EU", type=LIST_OF_LISTS, pointers=pointers, **others)  # type: ignore[arg-type]


# ---- XML


def signed(made: MadeList, signer: Identity) -> bytes:
    """The list with an enveloped signature (TS 119 612 §5.7.1)."""
    root = unsigned(made)
    digest = hashlib.sha256(etree.tostring(root, method="c14n", exclusive=True)).digest()
    signature = etree.SubElement(root, f"{{{_DS}}}Signature", nsmap={"ds": _DS})
    info = etree.SubElement(signature, f"{{{_DS}}}SignedInfo")
    etree.SubElement(info, f"{{{_DS}}}CanonicalizationMethod", Algorithm=_EXCLUSIVE)
    etree.SubElement(info, f"{{{_DS}}}SignatureMethod", Algorithm=_ECDSA)
    reference = etree.SubElement(info, f"{{{_DS}}}Reference", URI="")
    transforms = etree.SubElement(reference, f"{{{_DS}}}Transforms")
    etree.SubElement(transforms, f"{{{_DS}}}Transform", Algorithm=_DS + "enveloped-signature")
    etree.SubElement(transforms, f"{{{_DS}}}Transform", Algorithm=_EXCLUSIVE)
    etree.SubElement(reference, f"{{{_DS}}}DigestMethod", Algorithm=_SHA256)
    _put(reference, f"{{{_DS}}}DigestValue", _base64(digest))
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    octets = etree.tostring(info, method="c14n", exclusive=True)
    r, s = decode_dss_signature(signer.key.sign(octets, ec.ECDSA(hashes.SHA256())))
    _put(signature, f"{{{_DS}}}SignatureValue", _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big")))
    data = etree.SubElement(etree.SubElement(signature, f"{{{_DS}}}KeyInfo"), f"{{{_DS}}}X509Data")
    _put(data, f"{{{_DS}}}X509Certificate", _base64(signer.der))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def unsigned(made: MadeList) -> etree._Element:
    root = etree.Element(f"{{{_LIST}}}TrustServiceStatusList", nsmap={None: _LIST}, Id="list")  # type: ignore[dict-item]
    scheme = _sub(root, "SchemeInformation")
    _put(scheme, "TSLVersionIdentifier", str(made.version))
    _put(scheme, "TSLSequenceNumber", str(made.sequence_number))
    _put(scheme, "TSLType", made.type)
    _named(scheme, "SchemeOperatorName", f"Operator of {made.territory}")
    uris = _sub(scheme, "SchemeInformationURI")
    for uri in made.information_uris:
        _put(uris, "URI", uri)
    _put(scheme, "SchemeTerritory", made.territory)
    if made.pointers:
        pointers = _sub(scheme, "PointersToOtherTSL")
        for pointer in made.pointers:
            _pointer(pointers, pointer)
    _put(scheme, "ListIssueDateTime", _time(made.issue_time))
    next_update = _sub(scheme, "NextUpdate")
    if made.next_update:
        _put(next_update, "dateTime", _time(made.next_update))
    if made.services:
        provider = _sub(_sub(root, "TrustServiceProviderList"), "TrustServiceProvider")
        _named(_sub(provider, "TSPInformation"), "TSPName", made.services[0].provider)
        services = _sub(provider, "TSPServices")
        for each in made.services:
            _service(services, each)
    return root


def _pointer(parent: etree._Element, made: MadePointer) -> None:
    pointer = _sub(parent, "OtherTSLPointer")
    identities = _sub(pointer, "ServiceDigitalIdentities")
    for signer in made.signers:
        identity = _sub(_sub(identities, "ServiceDigitalIdentity"), "DigitalId")
        _put(identity, "X509Certificate", _base64(signer.der))
    _put(pointer, "TSLLocation", made.location)
    about = _sub(pointer, "AdditionalInformation")
    _put(_sub(about, "OtherInformation"), "TSLType", made.type)
    _put(_sub(about, "OtherInformation"), "SchemeTerritory", made.territory)
    media_type = _sub(about, "OtherInformation")
    _put(media_type, f"{{{_MORE}}}MimeType", "application/vnd.etsi.tsl+xml")


def _service(parent: etree._Element, made: Service) -> None:
    element = _sub(parent, "TSPService")
    newest, *earlier = made.periods
    _service_period(_sub(element, "ServiceInformation"), made, newest)
    if earlier:
        history = _sub(element, "ServiceHistory")
        for each in earlier:
            _service_period(_sub(history, "ServiceHistoryInstance"), made, each)


def _service_period(parent: etree._Element, made: Service, is_: ServicePeriod) -> None:
    _put(parent, "ServiceTypeIdentifier", is_.type)
    _named(parent, "ServiceName", made.name)
    identity = _sub(parent, "ServiceDigitalIdentity")
    for certificate in made.identity.certificates:
        _put(_sub(identity, "DigitalId"), "X509Certificate", _base64(certificate))
    for identifier in made.identity.key_identifiers:
        _put(_sub(identity, "DigitalId"), "X509SKI", _base64(identifier))
    _put(parent, "ServiceStatus", is_.status)
    _put(parent, "StatusStartingTime", _time(is_.start))
    extensions = _sub(parent, "ServiceInformationExtensions")
    if is_.qualifications:
        qualifications = etree.SubElement(_extension(extensions), f"{{{_SIE}}}Qualifications")
        for each in is_.qualifications:
            _qualification(qualifications, each)
    for uri in is_.information:
        _put(_sub(_extension(extensions), "AdditionalServiceInformation"), "URI", uri)
    if is_.taken_over_by:
        taken = _sub(_extension(extensions), f"{{{_MORE}}}TakenOverBy")
        _named(taken, f"{{{_MORE}}}TSPName", is_.taken_over_by)
    for name in is_.not_understood:
        etree.SubElement(_extension(extensions), name)


def _extension(parent: etree._Element) -> etree._Element:
    return etree.SubElement(parent, f"{{{_LIST}}}Extension", Critical="true")


def _qualification(parent: etree._Element, made: QualificationElement) -> None:
    element = etree.SubElement(parent, f"{{{_SIE}}}QualificationElement")
    qualifiers = etree.SubElement(element, f"{{{_SIE}}}Qualifiers")
    for uri in made.qualifiers:
        etree.SubElement(qualifiers, f"{{{_SIE}}}Qualifier", uri=uri)
    _criteria(element, made.criteria)


def _criteria(parent: etree._Element, made: Criteria) -> None:
    element = etree.SubElement(parent, f"{{{_SIE}}}CriteriaList")
    element.set("assert", made.assertion)
    for bits in made.key_usages:
        usage = etree.SubElement(element, f"{{{_SIE}}}KeyUsage")
        for bit in bits:
            item = etree.SubElement(usage, f"{{{_SIE}}}KeyUsageBit", name=bit.name)
            item.text = "true" if bit.value else "false"
    for policies in made.policy_sets:
        _identifiers(
            etree.SubElement(element, f"{{{_SIE}}}PolicySet"), f"{{{_SIE}}}PolicyIdentifier", policies
        )
    for each in made.lists:
        _criteria(element, each)
    others = etree.SubElement(element, f"{{{_SIE}}}otherCriteriaList")
    for purposes in made.extended_key_usages:
        item = etree.SubElement(others, f"{{{_MORE}}}ExtendedKeyUsage")
        _identifiers(item, f"{{{_MORE}}}KeyPurposeId", purposes)
    for attributes in made.subject_attributes:
        item = etree.SubElement(others, f"{{{_MORE}}}CertSubjectDNAttribute")
        _identifiers(item, f"{{{_MORE}}}AttributeOID", attributes)
    for name in made.unknown:
        etree.SubElement(others, name)


def _identifiers(parent: etree._Element, name: str, dotted: Sequence[str]) -> None:
    for each in dotted:
        item = etree.SubElement(
            etree.SubElement(parent, name), f"{{{_XADES}}}Identifier", Qualifier="OIDAsURN"
        )
        item.text = f"urn:oid:{each}"


def _sub(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, name if name.startswith("{") else f"{{{_LIST}}}{name}")


def _put(parent: etree._Element, name: str, text: str) -> None:
    _sub(parent, name).text = text


def _named(parent: etree._Element, name: str, text: str) -> None:
    item = etree.SubElement(_sub(parent, name), f"{{{_LIST}}}Name")
    item.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    item.text = text


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
