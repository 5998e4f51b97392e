"""CMS SignedData as stored (RFC 5652 §5): a reading of its parts, nothing verified."""

from dataclasses import dataclass

from signer.validation.der import SEQUENCE, SET, DerError, Element, expect, integer, octets, oid, read

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNATURE_POLICY = "1.2.840.113549.1.9.16.2.15"
SIGNATURE_POLICY_STORE = "0.4.0.19122.1.3"
CONTENT_TIME_STAMP = "1.2.840.113549.1.9.16.2.20"
COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
ARCHIVE_TIME_STAMP_V3 = "0.4.0.1733.2.4"
ARCHIVE_TIME_STAMP_V2 = "1.2.840.113549.1.9.16.2.48"
ATS_HASH_INDEX = "0.4.0.1733.2.5"
"""The index of an archive-time-stamp-v3 before EN 319 122-1 (TS 101 733 §6.4.2)."""

ATS_HASH_INDEX_V3 = "0.4.0.19122.1.5"
INTERNAL_EVIDENCE_RECORD = "1.2.840.113549.1.9.16.2.49"
EXTERNAL_EVIDENCE_RECORD = "1.2.840.113549.1.9.16.2.50"
"""Evidence records of a signature with its content inside, and of one that stands apart (RFC 4998 App. A)."""

COMPLETE_REFERENCES = ("1.2.840.113549.1.9.16.2.21", "1.2.840.113549.1.9.16.2.22")
"""complete-certificate-references and complete-revocation-references (EN 319 122-1 §A.1.1, §A.1.2)."""

_OCSP_RESPONSES = ("1.3.6.1.5.5.7.16.2", "1.3.6.1.5.5.7.48.1.1")
"""id-ri-ocsp-response (RFC 5940 §2.1), and id-pkix-ocsp-basic, which some signatures have instead."""
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_CONTEXT_0_PRIMITIVE = 0x80
MAX_SIZE = 64 << 20
"""Largest SignedData, with its content if that is inside, in bytes, that is read."""


@dataclass(frozen=True)
class Attribute:
    """A signed or unsigned attribute: its type, dotted and as a whole element, and its values, each whole.

    stored: all of it.
    """

    kind: str
    kind_element: bytes
    values: tuple[bytes, ...]
    stored: bytes


@dataclass(frozen=True)
class SignerInfo:
    """One signer (RFC 5652 §5.3); `bytes` are DER elements as stored unless said otherwise.

    issuer, serial_number or subject_key_identifier (content octets) name the certificate.
    signed_attributes_element: the whole `[0]` element, None where there is none. digest_algorithm: dotted.
    signature: content octets. fields: version to signature.
    """

    issuer: bytes | None
    serial_number: int | None
    subject_key_identifier: bytes | None
    digest_algorithm: str
    signed_attributes_element: Element | None
    signed_attributes: tuple[Attribute, ...]
    signature_algorithm: Element
    signature: bytes
    unsigned_attributes: tuple[Attribute, ...]
    fields: tuple[bytes, ...]

    def signed(self, kind: str) -> list[Attribute]:
        """Signed attributes of a type."""
        return [attribute for attribute in self.signed_attributes if attribute.kind == kind]

    def unsigned(self, kind: str) -> list[Attribute]:
        """Unsigned attributes of a type."""
        return [attribute for attribute in self.unsigned_attributes if attribute.kind == kind]


@dataclass(frozen=True)
class SignedData:
    """The parts of a SignedData; certificates, CRLs and OCSP responses are DER.

    content_type_element, certificate_choices, revocation_choices: whole elements, of whatever kind.
    """

    content_type: str
    content_type_element: bytes
    content: bytes | None
    certificate_choices: tuple[bytes, ...]
    revocation_choices: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]
    size: int


def read_signed_data(data: bytes) -> SignedData:
    """Read the ContentInfo that `data` begins with; what follows is left to the caller. Raises DerError."""
    if len(data) > MAX_SIZE:
        raise DerError("larger than any signature")
    outer = read(data)
    content_info = outer.parts(SEQUENCE, 2)
    if oid(content_info[0]) != SIGNED_DATA:
        raise DerError("not SignedData")
    wrapped = content_info[1].parts(_CONTEXT_0, 1)
    fields = wrapped[0].parts(SEQUENCE, 4)
    integer(fields[0])
    for algorithm in fields[1].parts(SET):
        oid(algorithm.parts(SEQUENCE, 1)[0])
    encapsulated = fields[2].parts(SEQUENCE, 1)
    content = octets(encapsulated[1].parts(_CONTEXT_0, 1)[0]) if len(encapsulated) > 1 else None
    certificates: list[Element] = []
    revocation: list[Element] = []
    crls: list[bytes] = []
    ocsp_responses: list[bytes] = []
    for element in fields[3:-1]:
        if element.tag == _CONTEXT_0:
            certificates = list(element.children())
        elif element.tag == _CONTEXT_1:
            revocation = list(element.children())
        else:
            raise DerError("an unknown part of SignedData")
    _revocation_data(revocation, crls, ocsp_responses)
    return SignedData(
        content_type=oid(encapsulated[0]),
        content_type_element=encapsulated[0].raw,
        content=content,
        certificate_choices=tuple(each.raw for each in certificates),
        revocation_choices=tuple(each.raw for each in revocation),
        certificates=tuple(each.raw for each in certificates if each.tag == SEQUENCE),
        crls=tuple(crls),
        ocsp_responses=tuple(ocsp_responses),
        signers=tuple(read_signer_info(element) for element in fields[-1].parts(SET)),
        size=outer.end,
    )


def _revocation_data(choices: list[Element], crls: list[bytes], ocsp_responses: list[bytes]) -> None:
    for choice in choices:
        if choice.tag == SEQUENCE:
            crls.append(choice.raw)
        elif choice.tag == _CONTEXT_1:
            other = list(choice.children())
            if len(other) == 2 and oid(other[0]) in _OCSP_RESPONSES:
                ocsp_responses.append(other[1].raw)


def read_signer_info(element: Element) -> SignerInfo:
    """Read a SignerInfo, which a counter-signature is as well (RFC 5652 §11.4). Raises DerError."""
    fields = element.parts(SEQUENCE, 5)
    integer(fields[0])
    issuer, serial_number, key_identifier = _signer_identifier(fields[1])
    digest_algorithm = oid(fields[2].parts(SEQUENCE, 1)[0])
    signed = fields[3] if fields[3].tag == _CONTEXT_0 else None
    rest = fields[4:] if signed else fields[3:]
    if len(rest) < 2 or len(rest) > 3 or (len(rest) == 3 and rest[2].tag != _CONTEXT_1):
        raise DerError("an unknown part of SignerInfo")
    expect(rest[0], SEQUENCE)
    return SignerInfo(
        issuer,
        serial_number,
        key_identifier,
        digest_algorithm,
        signed,
        _attributes(signed) if signed else (),
        rest[0],
        octets(rest[1]),
        _attributes(rest[2]) if len(rest) == 3 else (),
        tuple(field.raw for field in fields[: len(fields) - (len(rest) - 2)]),
    )


def _signer_identifier(element: Element) -> tuple[bytes | None, int | None, bytes | None]:
    if element.tag == _CONTEXT_0_PRIMITIVE:
        return None, None, element.content
    issuer, serial_number = element.parts(SEQUENCE, 2)[:2]
    return issuer.raw, integer(serial_number), None


def _attributes(element: Element) -> tuple[Attribute, ...]:
    found = []
    for attribute in element.children():
        kind, values = attribute.parts(SEQUENCE, 2)[:2]
        members = tuple(value.raw for value in values.parts(SET))
        found.append(Attribute(oid(kind), kind.raw, members, attribute.raw))
    return tuple(found)
