"""QcStatements: what certificates declare, and what of it is not believed because it is not DER."""

from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto.core import ObjectIdentifier
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.qc_statements import (
    MAXIMUM_OCTETS,
    QC_STATEMENTS,
    QcStatements,
    qc_statements,
    read_qc_statements,
)

ESI4 = "0.4.0.1862.1."
KEY = ec.generate_private_key(ec.SECP256R1())


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    long = bytes((0x80 | len(length),)) if len(body) > 127 else b""
    return bytes((tag,)) + long + length + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def oid(dotted: str) -> bytes:
    der: bytes = ObjectIdentifier(dotted).dump()
    return der


def statement(number: str, *info: bytes) -> bytes:
    return sequence(oid(ESI4 + number), *info)


def text(value: bytes) -> bytes:
    return tlv(0x13, value)


COMPLIANCE, SSCD = statement("1"), statement("4")
SEAL = statement("6", sequence(oid(ESI4 + "6.2")))
LIMIT = statement("2", sequence(text(b"RON"), b"\x02\x01\x05", b"\x02\x01\x03"))
RETENTION = statement("3", b"\x02\x01\x0a")
DISCLOSURE = statement("5", sequence(sequence(tlv(0x16, b"https://pki.example/pds.pdf"), text(b"ro"))))
SEMANTICS = sequence(oid("1.3.6.1.5.5.7.11.2"), sequence(oid("0.4.0.194121.1.2")))
SWISS = statement("7", sequence(text(b"CH")))
WHOLE = sequence(SEMANTICS, COMPLIANCE, LIMIT, RETENTION, SSCD, DISCLOSURE, SEAL)


@pytest.mark.parametrize(
    ("der", "declared"),
    [
        (WHOLE, QcStatements(compliance=True, sscd=True, types=("eseal",))),
        (sequence(COMPLIANCE), QcStatements(compliance=True)),
        (sequence(SEMANTICS), QcStatements()),
        (sequence(COMPLIANCE, SWISS), QcStatements(compliance=True, legislation_countries=("CH",))),
        (
            sequence(statement("6", sequence(oid(ESI4 + "6.1"), oid(ESI4 + "6.3")))),
            QcStatements(types=("esign", "web")),
        ),
    ],
)
def test_statements_are_read(der: bytes, declared: QcStatements) -> None:
    assert read_qc_statements(der) == declared


def test_statements_are_those_of_a_written_out_vector() -> None:
    """A value with every octet written by hand: compliance, SSCD, type eSign, one disclosure statement."""
    der = bytes.fromhex(
        "3058 3008060604008e460101 3008060604008e460104 3013060604008e460106 3009060704008e46010601"
        "302d060604008e460105 3023 3021161b68747470733a2f2f706b692e6578616d706c652f7064732e706466 1302656e"
    )
    assert read_qc_statements(der) == QcStatements(compliance=True, sscd=True, types=("esign",))


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(sequence(), id="no statement"),
        pytest.param(b"\x02\x01\x05", id="an integer"),
        pytest.param(tlv(0x31, COMPLIANCE), id="a set"),
        pytest.param(WHOLE[:-1], id="cut short"),
        pytest.param(WHOLE + b"\x00", id="octets after it"),
        pytest.param(sequence(COMPLIANCE, COMPLIANCE), id="said twice"),
        pytest.param(sequence(statement("1", b"\x05\x00")), id="compliance with information"),
        pytest.param(sequence(statement("4", b"\x01\x01\x00")), id="SSCD with FALSE"),
        pytest.param(sequence(statement("2", b"\x05\x00", b"\x05\x00")), id="two informations"),
        pytest.param(b"\x30\x81" + sequence(COMPLIANCE)[1:], id="long form of a short length"),
        pytest.param(b"\x30\x80" + COMPLIANCE + b"\x00\x00", id="indefinite length"),
        pytest.param(
            sequence(b"\x30\x80" + oid(ESI4 + "1") + b"\x00\x00"), id="indefinite length of a statement"
        ),
        pytest.param(sequence(sequence(b"\x06\x00")), id="empty identifier"),
        pytest.param(sequence(sequence(b"\x06\x02\x04\x80")), id="identifier that breaks off"),
        pytest.param(sequence(sequence(b"\x06\x03\x80\x04\x00")), id="identifier with leading zeros"),
        pytest.param(sequence(sequence(b"\x06\x82\x30\x00" + b"\x83" * 0x2FFF + b"\x01")), id="endless arc"),
        pytest.param(sequence(statement("6")), id="type without information"),
        pytest.param(sequence(statement("6", sequence())), id="no type"),
        pytest.param(sequence(statement("6", sequence(oid(ESI4 + "6.9")))), id="unknown type"),
        pytest.param(
            sequence(statement("6", b"\x30\x81\x09" + oid(ESI4 + "6.2"))), id="long length inside a type"
        ),
        pytest.param(sequence(statement("7", sequence(text(b"ch")))), id="country in small letters"),
        pytest.param(sequence(statement("7", sequence(text(b"CHE")))), id="country of three letters"),
        pytest.param(sequence(statement("7", sequence(text(b"\xff\xfe")))), id="country of no letters"),
        pytest.param(sequence(statement("7", sequence(tlv(0x0C, b"CH")))), id="country in UTF-8"),
        pytest.param(sequence(COMPLIANCE, statement("9", tlv(0x04, bytes(MAXIMUM_OCTETS)))), id="too long"),
    ],
)
def test_what_is_not_der_of_the_standard_is_refused(der: bytes) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_qc_statements(der)
    assert (refused.value.reason, refused.value.field) == ("QC_STATEMENTS_MALFORMED", "certificate")


def test_depth_is_no_danger() -> None:
    nested = b""
    for _ in range(3000):
        nested = tlv(0x30, nested)
    der = sequence(COMPLIANCE, statement("9", nested))
    assert len(der) < MAXIMUM_OCTETS
    assert read_qc_statements(der).compliance


@given(st.binary(max_size=64) | st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)))
def test_anything_is_read_or_refused_with_a_typed_error(hostile: bytes | tuple[int, int]) -> None:
    if isinstance(hostile, tuple):
        position, difference = hostile
        changed = bytearray(WHOLE)
        changed[position] ^= difference
        hostile = bytes(changed)
    try:
        read_qc_statements(hostile)
    except InvalidArgumentError as error:
        assert error.reason == "QC_STATEMENTS_MALFORMED"


def certificate(*values: bytes) -> x509.Certificate:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    for value in values:
        builder = builder.add_extension(x509.UnrecognizedExtension(QC_STATEMENTS, value), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def test_a_certificate_declares_what_its_extension_says() -> None:
    assert qc_statements(certificate(WHOLE)).types == ("eseal",)
    assert qc_statements(certificate()) == QcStatements()
    with pytest.raises(InvalidArgumentError, match="QC_STATEMENTS_MALFORMED"):
        qc_statements(certificate(b"\x05\x00"))
