"""CMS tricks: SignedData that verifiers have read in two ways, in a PDF or in a file beside its content."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import SignatureAlgorithm
from signer.cades.joining import add_signature
from signer.cades.signing import finish, octets_content, sign_content
from signer.cades.structure import SignedDataParts, SignerParts, read_signer, take_apart
from signer.cms import ID_MESSAGE_DIGEST, attribute, signature_time_stamp
from signer.der import OCTET_STRING, SEQUENCE, SET, tlv
from tests.attacks.cases import Attack
from tests.attacks.documents import signed as signed_pdf
from tests.unit.cades_signatures import (
    DETACHED,
    OPTIONS,
    P256,
    P384,
    SoftwareKey,
    stamp,
    value_token,
)
from tests.unit.validation_documents import SIGNED, SIGNER, SUB

Trick = Callable[[SignedDataParts], bytes]

_OTHER = b"DISPOZITIE nr. 5: plata a 9000 lei\n"
_SHA512 = bytes.fromhex("0609608648016503040203")
_SHA256 = bytes.fromhex("0609608648016503040201")
_ECDSA_SHA256, _ECDSA_SHA512 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040304")
_UNKNOWN = bytes.fromhex("06082b06010401868d1f")
_SIGNED, _UNSIGNED = 0xA0, 0xA1
_ATTRIBUTES, _VALUE = 3, 5
"""Places of the signed attributes and of the signature value in a SignerInfo."""


@cache
def _cms() -> bytes:
    """CONTENT signed by the signer whose certificate expires, detached, at B-B."""
    key = SoftwareKey(SIGNER, SignatureAlgorithm("ecdsa", "sha256"))
    return finish(sign_content(DETACHED, key, OPTIONS), None)


def in_pdf(trick: Trick) -> bytes:
    """The signed decision with another SignedData in the gap, which the signature does not cover."""
    data = signed_pdf(timestamp_reserve=4096)
    match = re.search(rb"/Contents ?<([0-9a-fA-F]+)>", data)
    assert match is not None
    held = bytes.fromhex(match[1].decode())
    length = 4 + int.from_bytes(held[2:4], "big")
    made = trick(take_apart(held[:length])).hex().encode()
    assert len(made) <= len(match[1]), "no room in the gap"
    return data[: match.start(1)] + made.ljust(len(match[1]), b"0") + data[match.end(1) :]


def beside(trick: Trick) -> bytes:
    """The signature beside CONTENT with the trick played on it."""
    return trick(take_apart(_cms()))


def _signer(parts: SignedDataParts, place: int, written: bytes) -> SignedDataParts:
    """With another element at a place of the only SignerInfo."""
    return _fields(parts, {place: written})


def _fields(parts: SignedDataParts, written: dict[int, bytes]) -> SignedDataParts:
    fields = list(parts.signers[0].fields)
    for place, value in written.items():
        fields[place] = value
    rest = tlv(_UNSIGNED, *parts.signers[0].unsigned) if parts.signers[0].unsigned else b""
    return replace(parts, signers=(_raw(parts.signers[0], tlv(SEQUENCE, *fields, rest)),))


def _raw(signer: SignerParts, stored: bytes) -> SignerParts:
    return replace(signer, stored=stored)


def as_it_is(parts: SignedDataParts) -> bytes:
    return parts.encode()


def second_signer(parts: SignedDataParts) -> bytes:
    """The SignerInfo of somebody else, over other content."""
    other = take_apart(finish(sign_content(octets_content(_OTHER), P384, OPTIONS), None))
    both = (*other.signers, *parts.signers)
    return replace(parts, signers=both, certificates=(*parts.certificates, *other.certificates)).encode()


def parallel_signer(parts: SignedDataParts) -> bytes:
    """The SignerInfo of somebody else, over the same content."""
    return add_signature(parts.encode(), DETACHED, sign_content(DETACHED, P256, OPTIONS), None)


def attributes_as_set(parts: SignedDataParts) -> bytes:
    """Signed attributes with the tag that they are signed with, not that they are stored with."""
    return _signer(parts, _ATTRIBUTES, tlv(SET, *parts.signers[0].signed)).encode()


def attributes_turned(parts: SignedDataParts) -> bytes:
    return _signer(parts, _ATTRIBUTES, tlv(_SIGNED, *parts.signers[0].signed[::-1])).encode()


def attributes_as_content(parts: SignedDataParts) -> bytes:
    """Without signed attributes: the value is right over their octets as content (Strenzke, 2023)."""
    fields = [field for place, field in enumerate(parts.signers[0].fields) if place != _ATTRIBUTES]
    content = tlv(SET, *parts.signers[0].signed)
    enclosed = tlv(SEQUENCE, parts.content_type, tlv(0xA0, tlv(OCTET_STRING, content)))
    signer = _raw(parts.signers[0], tlv(SEQUENCE, *fields))
    return replace(parts, signers=(signer,), encapsulated=enclosed).encode()


def without_attributes(parts: SignedDataParts) -> bytes:
    fields = [field for place, field in enumerate(parts.signers[0].fields) if place != _ATTRIBUTES]
    return replace(parts, signers=(_raw(parts.signers[0], tlv(SEQUENCE, *fields)),)).encode()


def attribute_taken_out(parts: SignedDataParts) -> bytes:
    return _signer(parts, _ATTRIBUTES, tlv(_SIGNED, *parts.signers[0].signed[:-1])).encode()


def digest_twice(parts: SignedDataParts) -> bytes:
    """A message-digest of other content beside the right one."""
    forged = attribute(ID_MESSAGE_DIGEST, tlv(OCTET_STRING, sha256(_OTHER).digest()))
    return _signer(parts, _ATTRIBUTES, tlv(_SIGNED, forged, *parts.signers[0].signed)).encode()


def digest_replaced(parts: SignedDataParts) -> bytes:
    """The message-digest of other content in place of the right one."""
    forged = attribute(ID_MESSAGE_DIGEST, tlv(OCTET_STRING, sha256(_OTHER).digest()))
    kept = [each for each in parts.signers[0].signed if ID_MESSAGE_DIGEST not in each]
    return _signer(parts, _ATTRIBUTES, tlv(_SIGNED, *sorted([forged, *kept]))).encode()


def digest_algorithm(parts: SignedDataParts) -> bytes:
    """Another digest algorithm in the SignerInfo."""
    return _signer(parts, 2, parts.signers[0].fields[2].replace(_SHA256, _SHA512)).encode()


def signature_algorithm(parts: SignedDataParts) -> bytes:
    """Another signature algorithm in the SignerInfo."""
    return _signer(parts, 4, parts.signers[0].fields[4].replace(_ECDSA_SHA256, _ECDSA_SHA512)).encode()


def digest_set_confused(parts: SignedDataParts) -> bytes:
    """Another digest algorithm where all are listed, which nobody needs."""
    return replace(parts, digest_algorithms=(tlv(SEQUENCE, _SHA512), *parts.digest_algorithms)).encode()


def value_of_another(parts: SignedDataParts) -> bytes:
    value = sign_content(octets_content(_OTHER), P256, OPTIONS).signature
    return _signer(parts, _VALUE, tlv(OCTET_STRING, value)).encode()


def certificate_substituted(parts: SignedDataParts) -> bytes:
    """A certificate of the same key, issuer and serial number in another name."""
    return replace(parts, certificates=(_twin(parts.certificates), *parts.certificates[1:])).encode()


def _twin(certificates: tuple[bytes, ...]) -> bytes:
    former = x509.load_der_x509_certificate(certificates[0])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Altcineva")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(former.issuer)
        .public_key(former.public_key())
        .serial_number(former.serial_number)
        .not_valid_before(former.not_valid_before_utc)
        .not_valid_after(former.not_valid_after_utc)
    )
    for extension in former.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(SUB.key, hashes.SHA256()).public_bytes(Encoding.DER)


def certificate_taken_out(parts: SignedDataParts) -> bytes:
    return replace(parts, certificates=parts.certificates[1:]).encode()


def certificate_added(parts: SignedDataParts) -> bytes:
    return replace(parts, certificates=(*parts.certificates, P384.certificate)).encode()


def content_inside(content: bytes) -> Trick:
    def trick(parts: SignedDataParts) -> bytes:
        enclosed = tlv(SEQUENCE, parts.content_type, tlv(0xA0, tlv(OCTET_STRING, content)))
        return replace(parts, encapsulated=enclosed).encode()

    return trick


def foreign_timestamp(parts: SignedDataParts) -> bytes:
    """A time-stamp of another signature value among the unsigned attributes."""
    other = sign_content(octets_content(_OTHER), P256, OPTIONS)
    unsigned = signature_time_stamp(value_token(other), other.signature)
    return _with_unsigned(parts, unsigned)


def own_timestamp(parts: SignedDataParts) -> bytes:
    value = parts.signers[0].signature_value
    return _with_unsigned(parts, signature_time_stamp(stamp(sha256(value).digest(), SIGNED), value))


def _with_unsigned(parts: SignedDataParts, attribute_added: bytes) -> bytes:
    return parts.with_signer(0, parts.signers[0].with_unsigned(attribute_added)).encode()


def signed_attribute_unsigned(parts: SignedDataParts) -> bytes:
    """The reference to the certificate among what is not signed."""
    *kept, last = parts.signers[0].signed
    changed = _signer(parts, _ATTRIBUTES, tlv(_SIGNED, *kept))
    signer = read_signer(changed.signers[0].stored)
    return changed.with_signer(0, signer.with_unsigned(last)).encode()


def unknown_attribute(parts: SignedDataParts) -> bytes:
    """An attribute that nobody knows among what is not signed."""
    return _with_unsigned(parts, attribute(_UNKNOWN, tlv(OCTET_STRING, sha256(_OTHER).digest())))


def digest_unsigned(parts: SignedDataParts) -> bytes:
    """A message-digest of other content among what is not signed (RFC 5652 §11.2)."""
    return _with_unsigned(parts, attribute(ID_MESSAGE_DIGEST, tlv(OCTET_STRING, sha256(_OTHER).digest())))


def bytes_after(parts: SignedDataParts) -> bytes:
    return parts.encode() + b"9000 lei"


HASH, CRYPTO, FORMAT = "HASH_FAILURE", "SIG_CRYPTO_FAILURE", "FORMAT_FAILURE"
_NO_CERTIFICATE = "NO_SIGNING_CERTIFICATE_FOUND"
_TRICKS: tuple[tuple[str, Trick, str, str, Trick, str], ...] = (
    # name, trick, word of a file beside its content ("" where it is no attack there), of a PDF, innocent, why
    ("second SignerInfo", second_signer, HASH, FORMAT, as_it_is, "one"),
    (
        "attributes stored as SET",
        attributes_as_set,
        "DOCUMENT_DAMAGED",
        "SIGNATURE_UNDECODABLE",
        as_it_is,
        "as they are",
    ),
    (
        "attributes as content",
        attributes_as_content,
        CRYPTO,
        "SIGNATURE_CONTENT_ENCAPSULATED",
        as_it_is,
        "as they are",
    ),
    ("no attributes", without_attributes, CRYPTO, CRYPTO, as_it_is, "as they are"),
    ("an attribute taken out", attribute_taken_out, CRYPTO, CRYPTO, as_it_is, "as they are"),
    ("message-digest twice", digest_twice, FORMAT, FORMAT, unknown_attribute, "an unknown one, unsigned"),
    ("message-digest replaced", digest_replaced, HASH, HASH, unknown_attribute, "an unknown one, unsigned"),
    ("another digest algorithm", digest_algorithm, HASH, HASH, digest_set_confused, "one that nobody needs"),
    (
        "another signature algorithm",
        signature_algorithm,
        CRYPTO,
        CRYPTO,
        digest_set_confused,
        "one that nobody needs",
    ),
    ("the value of another signature", value_of_another, CRYPTO, CRYPTO, as_it_is, "its own"),
    (
        "certificate substituted",
        certificate_substituted,
        _NO_CERTIFICATE,
        _NO_CERTIFICATE,
        certificate_added,
        "one more",
    ),
    (
        "certificate taken out",
        certificate_taken_out,
        _NO_CERTIFICATE,
        _NO_CERTIFICATE,
        certificate_added,
        "one more",
    ),
    (
        "signed attribute made unsigned",
        signed_attribute_unsigned,
        CRYPTO,
        CRYPTO,
        unknown_attribute,
        "one more",
    ),
    ("content inside", content_inside(_OTHER), HASH, "SIGNATURE_CONTENT_ENCAPSULATED", as_it_is, "detached"),
    ("message-digest unsigned", digest_unsigned, FORMAT, FORMAT, unknown_attribute, "an unknown one"),
    ("bytes after it", bytes_after, FORMAT, FORMAT, as_it_is, "none"),
)
ATTACKS = tuple(
    Attack(name, partial(in_pdf, trick), word, partial(in_pdf, innocent), permits)
    for name, trick, _, word, innocent, permits in _TRICKS
)
"""Tricks in the gap of a signed PDF."""
ATTACKS_BESIDE = (
    *(
        Attack(name, partial(beside, trick), word, partial(beside, innocent), permits)
        for name, trick, word, _, innocent, permits in _TRICKS
        if word
    ),
    Attack(
        "time-stamp of another",
        partial(beside, foreign_timestamp),
        "OUT_OF_BOUNDS_NOT_REVOKED",
        partial(beside, own_timestamp),
        "its own",
        late=True,
    ),
)
"""Tricks on a signature in a file of its own, judged with CONTENT beside it."""
OTHER_CONTENT = _OTHER
