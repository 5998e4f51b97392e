"""What a certificate declares of its own qualification: QCStatements (RFC 3739 §3.2.6, ETSI EN 319 412-5).

A declaration is its issuer's claim. Whether it holds, only a trusted list says (ETSI TS 119 615).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from asn1crypto import parser
from asn1crypto.core import ObjectIdentifier
from cryptography import x509

from pecete.errors import InvalidArgumentError

QcType = Literal["esign", "eseal", "web"]

QC_STATEMENTS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
"""The certificate extension."""

MAXIMUM_OCTETS = 16 * 1024
"""Longest extension that is read; real ones have some hundred octets."""

_OBJECT_IDENTIFIER, _PRINTABLE_STRING, _SEQUENCE = (0, 6), (0, 19), (1, 16)
"""Method (1: constructed) and number of universal tags."""

_COMPLIANCE = "0.4.0.1862.1.1"
_SSCD = "0.4.0.1862.1.4"
_TYPE = "0.4.0.1862.1.6"
_LEGISLATION = "0.4.0.1862.1.7"
_TYPES: dict[str, QcType] = {
    "0.4.0.1862.1.6.1": "esign",
    "0.4.0.1862.1.6.2": "eseal",
    "0.4.0.1862.1.6.3": "web",
}


@dataclass(frozen=True)
class QcStatements:
    """What the statements say (EN 319 412-5 §4.2); the others, such as limits and texts, are passed over.

    compliance: the certificate claims to be qualified. sscd: its key is in a qualified device. types: what it
    is qualified for. legislation_countries: under whose law (ISO 3166-1 alpha-2); empty: the EU's.
    """

    compliance: bool = False
    sscd: bool = False
    types: tuple[QcType, ...] = ()
    legislation_countries: tuple[str, ...] = ()


def qc_statements(certificate: x509.Certificate) -> QcStatements:
    """Read a certificate's statements; without the extension it declares nothing.

    Raises InvalidArgumentError QC_STATEMENTS_MALFORMED.
    """
    try:
        extension = certificate.extensions.get_extension_for_oid(QC_STATEMENTS)
    except x509.ExtensionNotFound:
        return QcStatements()
    except (ValueError, x509.DuplicateExtension) as error:
        raise _malformed() from error
    return read_qc_statements(extension.value.public_bytes())


def read_qc_statements(der: bytes) -> QcStatements:
    """Read the extension's value. Strict: what is not DER, or says a thing twice, says nothing at all.

    Raises InvalidArgumentError QC_STATEMENTS_MALFORMED.
    """
    if len(der) > MAXIMUM_OCTETS:
        raise _malformed()
    found: dict[str, bytes] = {}
    for statement in _items(der):
        identifier, *info = _items(statement)
        dotted = _identifier(identifier)
        if dotted in found or len(info) > 1:
            raise _malformed()
        found[dotted] = b"".join(info)
    return QcStatements(
        compliance=_is_stated(found, _COMPLIANCE),
        sscd=_is_stated(found, _SSCD),
        types=_types(found),
        legislation_countries=_countries(found),
    )


def _is_stated(found: Mapping[str, bytes], identifier: str) -> bool:
    """Say whether a statement that has no statementInfo is there."""
    if found.get(identifier):
        raise _malformed()
    return identifier in found


def _types(found: Mapping[str, bytes]) -> tuple[QcType, ...]:
    """Give the types that are stated; EN 319 412-5 knows no others than these three."""
    if _TYPE not in found:
        return ()
    try:
        return tuple(_TYPES[_identifier(each)] for each in _items(found[_TYPE]))
    except KeyError as error:
        raise _malformed() from error


def _countries(found: Mapping[str, bytes]) -> tuple[str, ...]:
    if _LEGISLATION not in found:
        return ()
    countries = [_content(each, *_PRINTABLE_STRING) for each in _items(found[_LEGISLATION])]
    if not all(len(each) == 2 and each.isalpha() and each.isupper() for each in countries):
        raise _malformed()
    return tuple(each.decode("ascii") for each in countries)


def _items(der: bytes) -> list[bytes]:
    """Give the elements of a SEQUENCE SIZE (1..MAX) that is all of these octets."""
    rest = _content(der, *_SEQUENCE)
    items = []
    while rest:
        try:
            length: int = parser.peek(rest)
        except ValueError as error:
            raise _malformed() from error
        items.append(rest[:length])
        rest = rest[length:]
    if not items:
        raise _malformed()
    return items


def _content(der: bytes, method: int, tag: int) -> bytes:
    """Give the content of one universal element, if DER would write just these octets (X.690 §10)."""
    try:
        class_, is_constructed, number, _, content, _ = parser.parse(der, strict=True)
        is_der = parser.emit(class_, is_constructed, number, content) == der
    except ValueError as error:
        raise _malformed() from error
    if not is_der or (class_, is_constructed, number) != (0, method, tag):
        raise _malformed()
    return bytes(content)


def _identifier(der: bytes) -> str:
    """Give an OBJECT IDENTIFIER's dotted form."""
    _content(der, *_OBJECT_IDENTIFIER)
    try:
        dotted: str = ObjectIdentifier.load(der).dotted
        is_der = ObjectIdentifier(dotted).dump() == der
    except ValueError as error:
        raise _malformed() from error
    if not is_der:
        raise _malformed()
    return dotted


def _malformed() -> InvalidArgumentError:
    return InvalidArgumentError(
        "QC_STATEMENTS_MALFORMED",
        "The certificate's qualified certificate statements cannot be read.",
        field="certificate",
    )
