"""A SignedData taken apart so that something can be added, and put together again (RFC 5652 §5).

BER is accepted around what is kept. Every SignerInfo, certificate, revocation list, attribute and the content
keep the octets they came in, as signatures and archive time-stamps are over them; only the headers around
them are written anew, with definite lengths.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from pecete.errors import FailedPreconditionError, InvalidArgumentError, ResourceExhaustedError
from signer.cms import ID_DATA, ID_SIGNED_DATA
from signer.der import INTEGER, SEQUENCE, SET, tlv
from signer.validation.der import OBJECT_IDENTIFIER, DerError, Element, expect, integer, octets, read

MAX_SIZE = 64 << 20
"""Octets of the largest signature, with its content if that is inside, that is taken apart."""

_CERTIFICATES, _REVOCATION, _SIGNED, _UNSIGNED = 0xA0, 0xA1, 0xA0, 0xA1
_OTHER_CERTIFICATE, _ATTRIBUTE_CERTIFICATE_V2, _OTHER_REVOCATION = 0xA3, 0xA2, 0xA1
_ATTRIBUTE_CERTIFICATE_V1 = 0xA1
_LEGACY = {
    bytes.fromhex("060b2a864886f70d010910021b"),
    bytes.fromhex("060b2a864886f70d0109100230"),
    bytes.fromhex("060604008d450202"),
}
"""archive-time-stamp, archive-time-stamp-v2 and long-term-validation."""

_EVIDENCE_RECORDS = {
    bytes.fromhex("060b2a864886f70d0109100231"),
    bytes.fromhex("060b2a864886f70d0109100232"),
}
"""internal-evidence-record and external-evidence-record."""


@dataclass(frozen=True)
class Attribute:
    """An attribute: its DER OBJECT IDENTIFIER, and its values, each a whole element as stored."""

    kind: bytes
    values: tuple[bytes, ...]


@dataclass(frozen=True)
class SignerParts:
    """One SignerInfo (RFC 5652 §5.3). stored: the whole element. fields: version to signature, as stored.

    digest_algorithm: the DER OBJECT IDENTIFIER. signature_value: content octets. signed, unsigned: whole
    Attributes, as stored.
    """

    stored: bytes
    fields: tuple[bytes, ...]
    digest_algorithm: bytes
    signature_value: bytes
    signed: tuple[bytes, ...]
    unsigned: tuple[bytes, ...]

    @cached_property
    def signed_attributes(self) -> tuple[Attribute, ...]:
        """The signed attributes, taken apart."""
        return tuple(_attribute(read(each)) for each in self.signed)

    @cached_property
    def unsigned_attributes(self) -> tuple[Attribute, ...]:
        """The unsigned attributes, taken apart."""
        return tuple(_attribute(read(each)) for each in self.unsigned)

    @property
    def version(self) -> int:
        """The SignerInfo's version."""
        return integer(read(self.fields[0]))

    def with_unsigned(self, attribute: bytes) -> "SignerParts":
        """The same with one more unsigned Attribute (DER)."""
        unsigned = with_member(self.unsigned, attribute, once=False)
        stored = tlv(SEQUENCE, *self.fields, tlv(_UNSIGNED, *unsigned))
        return replace(self, stored=stored, unsigned=unsigned)


@dataclass(frozen=True)
class SignedDataParts:
    """A SignedData (RFC 5652 §5.1); `bytes` are whole elements as stored.

    revocation: RevocationInfoChoices, CRLs and others. content_type: DER OBJECT IDENTIFIER.
    """

    version: int
    digest_algorithms: tuple[bytes, ...]
    encapsulated: bytes
    content_type: bytes
    certificates: tuple[bytes, ...]
    revocation: tuple[bytes, ...]
    signers: tuple[SignerParts, ...]

    def require_extensible(self) -> None:
        """Refuse to add to what an old archive time-stamp, or an evidence record inside, is over as a whole.

        Raises FailedPreconditionError ARCHIVE_TIME_STAMP_LEGACY or EVIDENCE_RECORD_INSIDE. An
        archive-time-stamp-v3 is over what it lists, so more may come (EN 319 122-1 §5.5.3); its predecessors
        (ETSI TS 101 733 §6.4) are not.
        """
        self.require_stampable()
        if self._has_attribute(_LEGACY):
            raise FailedPreconditionError(
                "ARCHIVE_TIME_STAMP_LEGACY",
                "The signature has an archive time-stamp of an old kind that any addition would break.",
                field="document",
            )

    def require_stampable(self) -> None:
        """Refuse an archive time-stamp where an evidence record inside is over everything (RFC 4998 App. A).

        Raises FailedPreconditionError EVIDENCE_RECORD_INSIDE.
        """
        if self._has_attribute(_EVIDENCE_RECORDS):
            raise FailedPreconditionError(
                "EVIDENCE_RECORD_INSIDE",
                "The signature has an evidence record inside, which any addition would break.",
                field="document",
            )

    def _has_attribute(self, kinds: set[bytes]) -> bool:
        return any(each.kind in kinds for signer in self.signers for each in signer.unsigned_attributes)

    @property
    def content(self) -> bytes | None:
        """The content octets, None in a detached signature."""
        return _content(read(self.encapsulated))

    def with_signer(self, index: int, signer: SignerParts) -> "SignedDataParts":
        """The same with another SignerInfo at `index`."""
        return replace(self, signers=(*self.signers[:index], signer, *self.signers[index + 1 :]))

    def encode(self) -> bytes:
        """The ContentInfo. SignerInfos stay in their order, which is that of signing."""
        signed_data = tlv(
            SEQUENCE,
            tlv(INTEGER, bytes((max(self.version, self._required_version()),))),
            tlv(SET, *self.digest_algorithms),
            self.encapsulated,
            tlv(_CERTIFICATES, *self.certificates) if self.certificates else b"",
            tlv(_REVOCATION, *self.revocation) if self.revocation else b"",
            tlv(SET, *(signer.stored for signer in self.signers)),
        )
        return tlv(SEQUENCE, ID_SIGNED_DATA, tlv(0xA0, signed_data))

    def _required_version(self) -> int:
        """CMSVersion by what is in it (RFC 5652 §5.1)."""
        kinds = {certificate[0] for certificate in self.certificates}
        if _OTHER_CERTIFICATE in kinds or any(each[0] == _OTHER_REVOCATION for each in self.revocation):
            return 5
        if _ATTRIBUTE_CERTIFICATE_V2 in kinds:
            return 4
        is_plain = self.content_type == ID_DATA and all(signer.version == 1 for signer in self.signers)
        return 1 if is_plain and _ATTRIBUTE_CERTIFICATE_V1 not in kinds else 3


def with_member(members: tuple[bytes, ...], member: bytes, *, once: bool = True) -> tuple[bytes, ...]:
    """A SET OF with one more member: in DER order (X.690 §11.6) where it stood in that, at the end otherwise.

    once: a member that is there already is not added.
    """
    if once and member in members:
        return members
    if list(members) == sorted(members):
        return tuple(sorted((*members, member)))
    return (*members, member)


def with_members(members: tuple[bytes, ...], further: Iterable[bytes]) -> tuple[bytes, ...]:
    """A SET OF with those of `further` that it lacks."""
    for member in further:
        members = with_member(members, member)
    return members


def take_apart(cms: bytes) -> SignedDataParts:
    """Read a ContentInfo with a SignedData in it.

    Raises InvalidArgumentError DOCUMENT_NOT_CMS or DOCUMENT_DAMAGED, ResourceExhaustedError
    SIGNATURE_TOO_LARGE.
    """
    if len(cms) > MAX_SIZE:
        raise ResourceExhaustedError(
            "SIGNATURE_TOO_LARGE",
            f"A CMS signature with its content has at most {MAX_SIZE >> 20} MiB here.",
            field="document",
        )
    _require_signed_data(cms)
    try:
        return _signed_data(cms)
    except DerError as error:
        raise InvalidArgumentError(
            "DOCUMENT_DAMAGED", f"The CMS signature cannot be decoded: {error}.", field="document"
        ) from None


def read_signer(signer_info: bytes) -> SignerParts:
    """A SignerInfo that was made here (DER)."""
    return _signer(read(signer_info))


def _require_signed_data(cms: bytes) -> None:
    """Tell what is something else from what is a damaged signature."""
    if cms[:1] != bytes((SEQUENCE,)) or ID_SIGNED_DATA not in cms[:32]:
        raise InvalidArgumentError("DOCUMENT_NOT_CMS", "This is no CMS signature.", field="document")


def _signed_data(cms: bytes) -> SignedDataParts:
    outer = read(cms)
    if outer.end != len(cms):
        raise DerError(f"octets after the signature, at {outer.end}")
    content_type, wrapped = _exactly(outer.parts(SEQUENCE), 2)
    if _oid(content_type) != ID_SIGNED_DATA:
        raise DerError("not SignedData")
    (signed_data,) = _exactly(wrapped.parts(0xA0), 1)
    fields = signed_data.parts(SEQUENCE, 4)
    encapsulated = fields[2].parts(SEQUENCE, 1)
    _content(fields[2])
    certificates: tuple[bytes, ...] = ()
    revocation: tuple[bytes, ...] = ()
    middle = fields[3:-1]
    if middle and middle[0].tag == _CERTIFICATES:
        certificates = _raw(middle.pop(0))
    if middle and middle[0].tag == _REVOCATION:
        revocation = _raw(middle.pop(0))
    if middle:
        raise DerError("an unknown part of SignedData")
    return SignedDataParts(
        _version(fields[0]),
        tuple(algorithm.raw for algorithm in fields[1].parts(SET)),
        fields[2].raw,
        _oid(encapsulated[0]),
        certificates,
        revocation,
        tuple(_signer(element) for element in fields[-1].parts(SET)),
    )


def _signer(element: Element) -> SignerParts:
    fields = element.parts(SEQUENCE, 5)
    expect(fields[0], INTEGER)
    algorithm, *_ = fields[2].parts(SEQUENCE, 1)
    signed = fields[3] if fields[3].tag == _SIGNED else None
    split = 6 if signed else 5
    if not split <= len(fields) <= split + 1:
        raise DerError("an unknown part of SignerInfo")
    expect(fields[split - 2], SEQUENCE)
    return SignerParts(
        stored=element.raw,
        fields=tuple(field.raw for field in fields[:split]),
        digest_algorithm=_oid(algorithm),
        signature_value=octets(fields[split - 1]),
        signed=_attributes(signed) if signed else (),
        unsigned=_attributes(expect(fields[split], _UNSIGNED)) if len(fields) > split else (),
    )


def _attributes(element: Element) -> tuple[bytes, ...]:
    """Attributes as stored, each of which can be taken apart."""
    for attribute in element.children():
        _attribute(attribute)
    return _raw(element)


def _attribute(element: Element) -> Attribute:
    kind, values = _exactly(element.parts(SEQUENCE), 2)
    return Attribute(_oid(kind), tuple(value.raw for value in values.parts(SET)))


def _content(encapsulated: Element) -> bytes | None:
    parts = encapsulated.parts(SEQUENCE, 1)
    if len(parts) == 1:
        return None
    (content,) = _exactly(_exactly(parts, 2)[1].parts(0xA0), 1)
    return octets(content)


def _version(element: Element) -> int:
    version = integer(element)
    if not 0 <= version <= 5:
        raise DerError("an unknown version of SignedData")
    return version


def _raw(element: Element) -> tuple[bytes, ...]:
    return tuple(child.raw for child in element.children())


def _oid(element: Element) -> bytes:
    """The whole OBJECT IDENTIFIER."""
    return expect(element, OBJECT_IDENTIFIER).raw


def _exactly(elements: list[Element], number: int) -> list[Element]:
    if len(elements) != number:
        raise DerError("too many or too few elements")
    return elements
