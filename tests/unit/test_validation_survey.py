"""What signatures need to be proven for long: found in the document, given, or named as missing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pecete.errors import InvalidArgumentError
from signer.pades.augmentation import append_material
from signer.validation import ValidationPolicy
from signer.validation.survey import Survey, survey
from tests.unit.validation_documents import (
    NOW,
    ROOT,
    SIGNED,
    SIGNER,
    STAMPER,
    SUB,
    YEAR,
    Identity,
    blank,
    crl,
    issue,
    key_usage,
    plain,
    sign,
    stamped,
)

LISTS = (crl(ROOT), crl(SUB))
RESPONDER_USE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
RESPONDER = issue(
    "Responder", SUB, (key_usage("digital_signature"), True), RESPONDER_USE, (x509.OCSPNoCheck(), False)
)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "d.pdf"
    path.write_bytes(stamped())
    return path


def look(
    path: Path, *crls: bytes, time: datetime = NOW, field: str = "", **given: tuple[bytes, ...]
) -> Survey:
    return survey(path, ValidationPolicy((ROOT.der,), time, crls=crls, **given), field)  # type: ignore[arg-type]


def gaps(found: Survey) -> list[tuple[str, bool]]:
    """Whose certificate, and whether it is the issuer that is missing."""
    return [(gap.common_name, gap.issuer is None) for gap in found.gaps]


def answer(about: Identity, issuer: Identity, responder: Identity) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        about.certificate,
        issuer.certificate,
        hashes.SHA1(),  # noqa: S303 - names the issuer
        ocsp.OCSPCertStatus.GOOD,
        NOW - timedelta(hours=1),
        NOW + timedelta(days=1),
        None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, responder.certificate)
    if responder is not issuer:
        builder = builder.certificates([responder.certificate])
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_every_certificate_below_the_anchor_needs_its_status(document: Path) -> None:
    assert gaps(look(document)) == [
        ("Ana Popescu", False),
        ("Issuing", False),
        ("Time-stamping unit", False),
    ]
    assert gaps(look(document, LISTS[0])) == [("Ana Popescu", False)]


def test_what_proves_a_signature_and_its_time_stamp_is_given(document: Path) -> None:
    found = look(document, *LISTS, crl(STAMPER))
    assert found.gaps == ()
    assert set(found.material.certificates) == {SIGNER.der, SUB.der, STAMPER.der, ROOT.der}
    assert set(found.material.crls) == set(LISTS)
    (signature,) = found.signatures
    assert signature.verdict.conclusion.passed
    assert signature.reached == "T"


def test_an_unknown_issuer_is_named_and_can_be_given(tmp_path: Path) -> None:
    below = issue(
        "Below", SUB, *((x509.BasicConstraints(True, None), True), (key_usage("key_cert_sign"), True))
    )
    path = tmp_path / "d.pdf"
    path.write_bytes(sign(blank(), issue("Stranger", below, (key_usage("digital_signature"), True))))
    assert gaps(look(path)) == [("Stranger", True)]
    assert gaps(look(path, *LISTS, certificates=(below.der,))) == [("Stranger", False)]


def test_old_revocation_data_are_none(document: Path) -> None:
    late = NOW + YEAR / 4
    assert ("Issuing", False) in gaps(look(document, *LISTS, time=late))
    stale = crl(SUB, this_update=SIGNED - timedelta(days=30), next_update=SIGNED - timedelta(days=10))
    assert gaps(look(document, LISTS[0], stale)) == [("Ana Popescu", False)]


def test_what_the_document_keeps_needs_no_asking_for_years_as_far_as_it_is_proven(document: Path) -> None:
    with document.open("ab") as out:
        out.write(append_material(document, look(document, *LISTS).material))
    kept = look(document)
    assert kept.gaps == ()
    assert kept.signatures[0].reached == "LT"
    # Later the lists are too old for the time-stamp, which nothing proves; it proves the signature no more.
    assert gaps(look(document, time=NOW + YEAR / 2))[-1] == ("Time-stamping unit", False)
    fresh = crl(ROOT, this_update=NOW + YEAR / 2, next_update=NOW + YEAR)
    assert look(document, fresh, time=NOW + YEAR / 2).gaps == ()


@pytest.mark.parametrize("responder", [SUB, RESPONDER], ids=["issuer", "delegate"])
def test_an_ocsp_response_will_do_and_its_responder_is_kept(document: Path, responder: Identity) -> None:
    response = answer(SIGNER, SUB, responder)
    found = look(document, LISTS[0], ocsp_responses=(response,))
    assert found.gaps == ()
    assert found.material.ocsp_responses == (response,)
    assert found.material.crls == (LISTS[0],)
    assert responder.der in found.material.certificates


def test_an_answer_by_somebody_else_is_none(document: Path) -> None:
    response = answer(SIGNER, SUB, issue("Stranger", ROOT, RESPONDER_USE))
    assert gaps(look(document, LISTS[0], ocsp_responses=(response,))) == [("Ana Popescu", False)]


def test_one_field_alone_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(
        sign(plain(), issue("Stranger", None, (key_usage("digital_signature"), True)), field="Sig2")
    )
    assert ("Stranger", True) in gaps(look(path, *LISTS))
    found = look(path, *LISTS, field="Sig1")
    assert found.gaps == ()
    assert [each.verdict.field for each in found.signatures] == ["Sig1"]
    assert look(path, field="Sig3").signatures == ()


def test_what_is_no_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(b"words")
    with pytest.raises(InvalidArgumentError) as refused:
        look(path)
    assert refused.value.reason == "UNSUPPORTED_FORMAT"
