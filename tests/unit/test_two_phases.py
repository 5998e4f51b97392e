"""A signature in two phases: prepared without a key, checked on the desk, completed with its value."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pecete.commitment import CommitmentType
from pecete.errors import PeceteError
from pecete.signing.v1.signature_sessions_pb2 import SignaturePreview, SignatureSession
from pecete.signing.v1.signing_pb2 import (
    COMMITMENT_TYPE_PROOF_OF_APPROVAL,
    COMMITMENT_TYPE_PROOF_OF_RECEIPT,
    SIGNATURE_ALGORITHM_ECDSA_SHA256,
    SIGNATURE_ALGORITHM_ECDSA_SHA512,
    SIGNATURE_ALGORITHM_ED25519,
)
from pecete.signing.v1.signing_pb2 import CommitmentType as CommitmentTypeCode
from pecete.signing.v1.signing_pb2 import SignatureAlgorithm as SignatureAlgorithmCode
from pecete.token.session_check import check_session, write_signed_bytes
from server.documents import Document
from server.signature_sessions import SignatureSession as SessionRow
from server.signature_sessions import chain_text
from signer import cms
from signer.algorithms import ALGORITHMS, ED25519, SignatureAlgorithm
from signer.external import ExternalSigner, external_signer
from signer.pades.options import SignatureOptions
from signer.pades.signing import PreparedSection, complete_section, finish, prepare_section, sign_section
from softhsm.pki import Holder, TestPki

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "adeverinta.pdf"
NOW = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
OPTIONS = SignatureOptions(signing_time=NOW, timestamp_reserve=0, reason="Avizat")
PKI = TestPki()
KEY = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = PKI.issue_signer(Holder("Ana Țepeș"), KEY.public_key())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


ANA = external_signer(der(CERTIFICATE), PKI.chain, None)


def value(message: bytes) -> bytes:
    """Sign as the token on the desk does."""
    return KEY.sign(message, ec.ECDSA(hashes.SHA256()))


@pytest.fixture(scope="module")
def prepared() -> PreparedSection:
    return prepare_section(SAMPLE, ANA, OPTIONS)


def refusal(run: Callable[[], object]) -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        run()
    return refused.value


# The service's side


def test_both_ways_make_the_same_signature(prepared: PreparedSection) -> None:
    class Key:
        certificate, chain, algorithm = ANA.certificate, ANA.chain, ANA.algorithm

        def sign(self, data: bytes) -> bytes:
            return value(data)

    signed = sign_section(SAMPLE, Key(), OPTIONS)
    away = pickle.loads(pickle.dumps(prepared))  # noqa: S301 - as a worker process gives it
    completed = complete_section(SAMPLE, away, value(away.signed_attributes), NOW)
    assert completed.cms == signed.cms
    assert (completed.base_digest, completed.gap_length) == (signed.base_digest, signed.gap_length)
    assert len(finish(completed, None)) == len(prepared.tail) == len(finish(signed, None))


def test_the_value_is_checked_before_anything_else(prepared: PreparedSection, tmp_path: Path) -> None:
    refused = refusal(lambda: complete_section(tmp_path / "none.pdf", prepared, value(b"other"), NOW))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "SIGNATURE_VALUE_WRONG")


def test_the_certificate_must_hold_when_the_value_comes(prepared: PreparedSection) -> None:
    signature = value(prepared.signed_attributes)
    late = CERTIFICATE.not_valid_after_utc + timedelta(seconds=1)
    assert (
        refusal(lambda: complete_section(SAMPLE, prepared, signature, late)).reason == "CERTIFICATE_EXPIRED"
    )


def test_the_document_must_be_the_same(prepared: PreparedSection, tmp_path: Path) -> None:
    signature, octets = value(prepared.signed_attributes), SAMPLE.read_bytes()
    changed = tmp_path / "changed.pdf"
    changed.write_bytes(octets[:-20] + b"?" + octets[-19:])
    assert refusal(lambda: complete_section(changed, prepared, signature, NOW)).reason == "BYTE_RANGE_WRONG"
    changed.write_bytes(octets + b"\n")
    assert refusal(lambda: complete_section(changed, prepared, signature, NOW)).reason == "DOCUMENT_CHANGED"


def test_a_section_that_was_altered_meanwhile_is_not_completed(prepared: PreparedSection) -> None:
    signature = value(prepared.signed_attributes)
    altered = replace(prepared, tail=prepared.tail.replace(b"Avizat", b"Anulat"))
    assert altered.tail != prepared.tail
    assert refusal(lambda: complete_section(SAMPLE, altered, signature, NOW)).reason == "BYTE_RANGE_WRONG"


def test_a_session_row_gives_back_what_was_prepared(prepared: PreparedSection) -> None:
    assert row(prepared).prepared_section() == prepared


def row(prepared: PreparedSection) -> SessionRow:
    return SessionRow(
        id="s",
        principal="principals/ana",
        document="documents/d",
        document_sha256=prepared.base_digest,
        step="",
        certificate=ANA.certificate,
        chain=chain_text(ANA.chain),
        algorithm=ANA.algorithm.name,
        level="B-B",
        signing_time=0,
        field_name=prepared.field_name,
        base_length=prepared.base_length,
        base_digest=prepared.base_digest,
        tail=prepared.tail,
        gap_position=prepared.gap_position,
        gap_length=prepared.gap_length,
        document_digest=prepared.digest,
        signed_attributes=prepared.signed_attributes,
        preview="{}",
        create_time=0,
        expire_time=1,
    )


# Certificates of keys that are elsewhere


def test_of_the_chain_stays_what_issued_without_the_root() -> None:
    stranger = der(TestPki().intermediate)
    signer = external_signer(der(CERTIFICATE), (der(PKI.root), stranger, der(PKI.intermediate)), None)
    assert signer.chain == (der(PKI.intermediate),)
    assert signer.common_name == "Ana Țepeș"


@pytest.mark.parametrize(("bits", "scheme"), [(2048, "rsa_pkcs1"), (3072, "rsa_pss")])
def test_the_usual_algorithm_of_an_rsa_key(bits: int, scheme: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = der(PKI.issue_signer(Holder("Barbu"), key.public_key()))
    assert external_signer(certificate, (), None).algorithm.name == f"{scheme}_sha256"
    wanted = ALGORITHMS["rsa_pss_sha384"]
    assert external_signer(certificate, (), wanted).algorithm == wanted


def test_certificates_that_are_not_for_signatures_are_refused() -> None:
    stamping = PKI.issue_timestamping(Holder("Stamps"), KEY.public_key())
    for certificate in (PKI.intermediate, stamping):
        refused = refusal(partial(external_signer, der(certificate), (), None))
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "CERTIFICATE_USAGE_WRONG")
    version_93 = der(CERTIFICATE).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x5c", 1)
    for malformed in (b"\x30\x00", version_93):
        refused = refusal(partial(external_signer, der(CERTIFICATE), (malformed,), None))
        assert (refused.reason, refused.field) == ("CERTIFICATE_MALFORMED", "chain")


def test_an_algorithm_of_another_kind_of_key_is_refused() -> None:
    other = ExternalSigner(ANA.certificate, (), SignatureAlgorithm("rsa_pss", "sha256"), "")
    assert refusal(lambda: prepare_section(SAMPLE, other, OPTIONS)).reason == "ALGORITHM_KEY_MISMATCH"


# The signer's side


@pytest.fixture
def session(prepared: PreparedSection) -> SignatureSession:
    """What the service sends."""
    document = Document("d", prepared.base_digest, prepared.base_length, "", "", "", 0, 0)
    kept = row(prepared)
    return SignatureSession(
        certificate_sha256=kept.certificate_sha256,
        algorithm=SIGNATURE_ALGORITHM_ECDSA_SHA256,
        signed_attributes=kept.signed_attributes,
        document_digest=kept.document_digest,
        byte_range=kept.byte_range,
        section=kept.tail,
        preview=SignaturePreview(document_sha256=document.sha256),
    )


def test_what_is_as_it_should_be_is_signed(session: SignatureSession, tmp_path: Path) -> None:
    check_session(session, SAMPLE, ANA.certificate)
    write_signed_bytes(session, SAMPLE, tmp_path / "shown.pdf")
    assert (tmp_path / "shown.pdf").read_bytes() == SAMPLE.read_bytes() + session.section


def test_a_session_of_ed25519_is_signed_and_one_that_states_another_algorithm_is_not(
    session: SignatureSession,
) -> None:
    certificate = der(PKI.issue_signer(Holder("Dan"), ed25519.Ed25519PrivateKey.generate().public_key()))
    dan = external_signer(certificate, PKI.chain, None)
    kept = replace(row(prepare_section(SAMPLE, dan, OPTIONS)), certificate=certificate, algorithm="ed25519")
    assert kept.signature_algorithm == ED25519
    session.certificate_sha256, session.section = kept.certificate_sha256, kept.tail
    session.byte_range[:], session.signed_attributes = kept.byte_range, kept.signed_attributes
    session.algorithm = SIGNATURE_ALGORITHM_ED25519
    assert len(kept.document_digest) == 64  # SHA-512 (RFC 8419 §3.1)
    check_session(session, SAMPLE, certificate)
    session.algorithm = SIGNATURE_ALGORITHM_ECDSA_SHA512
    refused = refusal(lambda: check_session(session, SAMPLE, certificate))
    assert refused.reason == "SIGNED_ATTRIBUTES_WRONG"


def attributes(digest: bytes, signer: ExternalSigner = ANA, *further: bytes) -> bytes:
    constants = cms.cms_constants(signer.certificate, signer.chain, signer.algorithm)
    return cms.signed_attributes(constants, digest, further)


def test_the_commitment_that_is_shown_is_signed(session: SignatureSession) -> None:
    approval = CommitmentType.PROOF_OF_APPROVAL
    session.preview.commitment = COMMITMENT_TYPE_PROOF_OF_APPROVAL
    session.signed_attributes = attributes(session.document_digest, ANA, approval.attribute)
    check_session(session, SAMPLE, ANA.certificate)


def other_section(session: SignatureSession) -> None:
    session.section = session.section.replace(b"Avizat", b"Anulat")


def filled_gap(session: SignatureSession) -> None:
    start = session.section.index(b"/Contents <") + len(b"/Contents <")
    session.section = session.section[:start] + b"1" + session.section[start + 1 :]


def longer_gap(session: SignatureSession) -> None:
    session.byte_range[1] -= 1


def shorter_document(session: SignatureSession) -> None:
    session.byte_range[0] = 1


def part_after_the_gap_left_out(session: SignatureSession) -> None:
    session.byte_range[3] -= 1


def no_byte_range(session: SignatureSession) -> None:
    del session.byte_range[:]


def other_digest(session: SignatureSession) -> None:
    session.signed_attributes = attributes(bytes(32))
    session.document_digest = bytes(32)


def other_certificate(session: SignatureSession) -> None:
    certificate = der(PKI.issue_signer(Holder("Barbu"), KEY.public_key()))
    other = ExternalSigner(certificate, (), ANA.algorithm, "Barbu")
    session.signed_attributes = attributes(session.document_digest, other)


def other_certificate_named(session: SignatureSession) -> None:
    session.certificate_sha256 = bytes(32)


def other_algorithm(session: SignatureSession) -> None:
    other = ExternalSigner(ANA.certificate, (), ALGORITHMS["ecdsa_sha384"], "")
    session.signed_attributes = attributes(session.document_digest, other)


def one_attribute_more(session: SignatureSession) -> None:
    extra = bytes.fromhex("301c06092a864886f70d010905310f170d3236303930313038303030305a")  # signing-time
    content = session.signed_attributes[3:] + extra
    session.signed_attributes = b"\x31\x81" + bytes((len(content),)) + content


def commitment_that_is_not_shown(session: SignatureSession) -> None:
    commitment = CommitmentType.PROOF_OF_APPROVAL.attribute
    session.signed_attributes = attributes(session.document_digest, ANA, commitment)


def other_commitment_than_shown(session: SignatureSession) -> None:
    commitment_that_is_not_shown(session)
    session.preview.commitment = COMMITMENT_TYPE_PROOF_OF_RECEIPT


def commitment_only_shown(session: SignatureSession) -> None:
    session.preview.commitment = COMMITMENT_TYPE_PROOF_OF_RECEIPT


def unknown_commitment(session: SignatureSession) -> None:
    session.preview.commitment = CommitmentTypeCode.ValueType(77)


def unknown_algorithm(session: SignatureSession) -> None:
    session.algorithm = SignatureAlgorithmCode.ValueType(99)


def octets_behind(session: SignatureSession) -> None:
    session.signed_attributes += b"\0"


def no_attributes(session: SignatureSession) -> None:
    session.signed_attributes = b"a message of the attacker's"


def another_document(session: SignatureSession) -> None:
    session.preview.document_sha256 = bytes(32)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (other_section, "MESSAGE_DIGEST_WRONG"),
        (other_digest, "MESSAGE_DIGEST_WRONG"),
        (filled_gap, "BYTE_RANGE_WRONG"),
        (longer_gap, "BYTE_RANGE_WRONG"),
        (shorter_document, "BYTE_RANGE_WRONG"),
        (part_after_the_gap_left_out, "BYTE_RANGE_WRONG"),
        (no_byte_range, "BYTE_RANGE_WRONG"),
        (other_certificate, "SIGNING_CERTIFICATE_WRONG"),
        (other_certificate_named, "SIGNING_CERTIFICATE_WRONG"),
        (other_algorithm, "SIGNED_ATTRIBUTES_WRONG"),
        (one_attribute_more, "SIGNED_ATTRIBUTES_WRONG"),
        (commitment_that_is_not_shown, "SIGNED_ATTRIBUTES_WRONG"),
        (other_commitment_than_shown, "SIGNED_ATTRIBUTES_WRONG"),
        (commitment_only_shown, "SIGNED_ATTRIBUTES_WRONG"),
        (unknown_commitment, "SIGNED_ATTRIBUTES_WRONG"),
        (unknown_algorithm, "SIGNED_ATTRIBUTES_WRONG"),
        (octets_behind, "SIGNED_ATTRIBUTES_WRONG"),
        (no_attributes, "SIGNED_ATTRIBUTES_WRONG"),
        (another_document, "DOCUMENT_DIFFERS"),
    ],
)
def test_whatever_a_service_gets_wrong_is_not_signed(
    session: SignatureSession, tamper: Callable[[SignatureSession], None], reason: str
) -> None:
    tamper(session)
    refused = refusal(lambda: check_session(session, SAMPLE, ANA.certificate))
    assert (refused.code, refused.reason) == ("DATA_LOSS", reason)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(octets=st.binary(max_size=200), place=st.integers(0, 200))
def test_no_octets_in_place_of_attributes_are_signed(
    session: SignatureSession, octets: bytes, place: int
) -> None:
    right = attributes(session.document_digest)
    altered = right[:place] + octets + right[place + len(octets) :]
    session.signed_attributes = altered
    if altered == right:
        check_session(session, SAMPLE, ANA.certificate)
        return
    assert refusal(lambda: check_session(session, SAMPLE, ANA.certificate)).code == "DATA_LOSS"
