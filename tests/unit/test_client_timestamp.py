"""A time-stamp is taken only when it answers the question that was asked."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pecete.errors import InvalidArgumentError
from pecete.evidence.timestamp import TimestampError, read_timestamp_token
from pecete.timestamp_exchange import TimestampQuestion
from timestamping.der import object_identifier
from timestamping.issuing import TokenWriter, granted
from timestamping.request import parse_time_stamp_req
from timestamping.software_key import SoftwareKey

GEN_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGEST = hashlib.sha256(b"act").digest()


def make_unit() -> SoftwareKey:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Unit")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(GEN_TIME).not_valid_after(GEN_TIME + timedelta(days=1))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return SoftwareKey(key, builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))


UNIT = make_unit()


def answer(question: TimestampQuestion) -> bytes:
    """Give the TimeStampResp of an authority."""
    writer = TokenWriter(UNIT, timedelta(seconds=1))
    request = parse_time_stamp_req(question.to_der())
    prepared = writer.prepare(request, policy=object_identifier("1.2.3"), serial=b"\x01", gen_time=GEN_TIME)
    return granted(writer.assemble(prepared, asyncio.run(UNIT.sign(prepared.signed_attributes))))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_question_is_a_request_with_a_nonce(algorithm: str) -> None:
    question = TimestampQuestion.over(hashlib.new(algorithm, b"act").digest())
    request = tsp.TimeStampReq.load(question.to_der(), strict=True)
    imprint = request["message_imprint"]
    assert imprint["hash_algorithm"]["algorithm"].native == algorithm
    assert imprint["hashed_message"].native == question.digest
    assert (request["nonce"].native, request["cert_req"].native) == (question.nonce, True)
    assert TimestampQuestion.over(question.digest).nonce != question.nonce


def test_the_answer_gives_its_token() -> None:
    question = TimestampQuestion.over(DIGEST)
    facts = read_timestamp_token(question.token_of(answer(question)))
    assert (facts.digest, facts.nonce, facts.gen_time) == (DIGEST, question.nonce, GEN_TIME)


def test_the_answer_to_another_question_is_refused() -> None:
    question = TimestampQuestion.over(DIGEST)
    with pytest.raises(TimestampError, match="TIMESTAMP_NONCE_MISMATCH"):
        question.token_of(answer(replace(question, nonce=question.nonce ^ 1)))
    with pytest.raises(TimestampError, match="TIMESTAMP_IMPRINT_MISMATCH"):
        question.token_of(answer(replace(question, digest=hashlib.sha256(b"other").digest())))


def test_only_sha2_digests_are_asked_about() -> None:
    with pytest.raises(InvalidArgumentError, match="DIGEST_LENGTH_UNKNOWN"):
        TimestampQuestion.over(hashlib.sha1(b"act").digest())  # noqa: S324
