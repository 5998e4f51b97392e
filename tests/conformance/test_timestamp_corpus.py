"""Real tokens of other authorities, with the verdicts that their publishers' tests expect."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from asn1crypto import pem, tsp
from cryptography import x509

from pecete.evidence.timestamp import (
    TimestampError,
    check_timestamp_integrity,
    read_timestamp_token,
    token_of_response,
    verify_timestamp_token,
)
from timestamping.request import parse_time_stamp_req

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CASES = CORPUS / "timestamps" / "cases.tsv"
pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not CASES.exists(), reason=f"the corpus is not at {CORPUS}"),
]
FAILURES = {"message imprint": "TIMESTAMP_IMPRINT_MISMATCH", "signature": "TIMESTAMP_SIGNATURE_INVALID"}


@dataclass(frozen=True)
class Case:
    """A row of cases.tsv; `data` None: what was stamped is not known."""

    file: Path
    kind: str
    data: bytes | None
    anchors: Path | None
    verdict: str
    failing_check: str


def read_cases() -> list[Case]:
    if not CASES.exists():
        return []
    with CASES.open(encoding="utf-8", newline="") as rows:
        return [
            Case(
                CORPUS / row["file"],
                row["kind"],
                row["data"].removeprefix('text "').removesuffix('"').encode() if row["data"] else None,
                CORPUS / row["anchors"] if row["anchors"] else None,
                row["expected_verdict"],
                row["failing_check"],
            )
            for row in csv.DictReader(rows, delimiter="\t")
        ]


ROWS = read_cases()


def token_of(case: Case) -> bytes:
    content = case.file.read_bytes()
    return token_of_response(content) if case.kind == "rfc3161-response" else content


def certificates(file: Path) -> tuple[list[bytes], list[bytes]]:
    """The self-signed certificates of a file, to be trusted, and the other ones."""
    content = file.read_bytes()
    ders = [der for _, _, der in pem.unarmor(content, multiple=True)] if pem.detect(content) else [content]
    roots = [der for der in ders if (c := x509.load_der_x509_certificate(der)).issuer == c.subject]
    return roots, [der for der in ders if der not in roots]


@pytest.mark.parametrize("case", [c for c in ROWS if c.verdict], ids=lambda c: f"{c.file.name} {c.data!r}")
def test_expected_verdict(case: Case) -> None:
    assert case.anchors is not None
    trust, others = certificates(case.anchors)
    assert trust
    try:
        verdict = verify_timestamp_token(token_of(case), data=case.data, trust=trust, certificates=others)
    except TimestampError as error:
        assert case.verdict == "invalid"
        assert error.reason == FAILURES[case.failing_check]
        return
    assert case.verdict == "valid"
    assert verdict.path[-1] in trust
    assert len(verdict.path) >= 2


@pytest.mark.parametrize("case", [c for c in ROWS if not c.verdict], ids=lambda c: c.file.name)
def test_tokens_without_a_verdict_are_intact(case: Case) -> None:
    token = token_of(case)
    _, others = certificates(case.anchors) if case.anchors else ([], [])
    digest = read_timestamp_token(token).digest
    facts, _ = check_timestamp_integrity(token, digest=digest, certificates=others)
    assert facts.claims_qualified == (case.kind == "rfc3161-part-of-evidence-record")


def test_pss_signatures_and_pss_certificates_are_read() -> None:
    token = (CORPUS / "timestamps" / "d-trust.tsr").read_bytes()
    facts = read_timestamp_token(token)
    verdict = verify_timestamp_token(token, digest=facts.digest, trust=[facts.certificates[-1]])
    assert len(verdict.path) == 3


@pytest.mark.parametrize("name", ["test_tsa-request", "test_tsa-other_request", "sigstage-request"])
def test_requests_of_other_clients_are_read(name: str) -> None:
    der = (CORPUS / "timestamps" / f"{name}.der").read_bytes()
    parsed, expected = parse_time_stamp_req(der), tsp.TimeStampReq.load(der)
    assert (
        parsed.digest
        == expected["message_imprint"]["hashed_message"].native
        == hashlib.sha512(b"hello").digest()
    )
    assert parsed.nonce == expected["nonce"].dump()
    assert parsed.cert_req == expected["cert_req"].native


def test_a_response_answers_its_own_request_alone() -> None:
    request = parse_time_stamp_req((CORPUS / "timestamps" / "test_tsa-request.der").read_bytes())
    nonces = [
        read_timestamp_token(token_of_response((CORPUS / "timestamps" / name).read_bytes())).nonce
        for name in ("test_tsa-response.tsr", "test_tsa-other_response.tsr")
    ]
    assert request.nonce is not None
    asked = int.from_bytes(request.nonce[2:], "big")
    assert [nonce == asked for nonce in nonces] == [True, False]
