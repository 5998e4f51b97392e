"""Time-stamps over HTTP, made and verified by openssl, and over gRPC; and everything that is refused."""

import hashlib
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.channel import open_channel
from pecete.client import Client
from pecete.errors import InvalidArgumentError
from pecete.evidence.timestamp import read_timestamp_token, verify_timestamp_token
from pecete.timestamping.v1 import timestamping_pb2
from pecete.timestamping.v1.timestamping_pb2_grpc import TimestampingServiceStub
from server.trial import DEPARTMENT, TrialServer
from tests.e2e.observation import journal

pytestmark = pytest.mark.e2e

DATA = "Dispoziția nr. 12, așa cum a fost semnată.".encode()
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", "ts", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(folder: Path, *options: str) -> Path:
    """Have openssl write a TimeStampReq over DATA."""
    (folder / "data").write_bytes(DATA)
    openssl("-query", "-data", folder / "data", "-cert", *options, "-out", folder / "query.tsq")
    return folder / "query.tsq"


def post(server: TrialServer, body: bytes, content_type: str = QUERY, path: str = "/") -> bytes:
    """Post to the authority and give its answer; raises HTTPError."""
    url = f"http://{server.addresses['timestamps']}{path}"
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        assert answer.headers["Content-Type"] == REPLY
        content: bytes = answer.read()
    return content


BAD_ALGORITHM = "unrecognized or unsupported algorithm identifier"
BAD_FORMAT = "the data submitted has the wrong format"
UNACCEPTED_POLICY = "the requested TSA policy is not supported by the TSA"
"""What openssl says of badAlg, badDataFormat and unacceptedPolicy (RFC 3161 §2.4.2)."""


def assert_refused(response: bytes, failure: str, folder: Path) -> None:
    """Have openssl read a TimeStampResp that has a failInfo and no token."""
    (folder / "answer.tsr").write_bytes(response)
    shown = openssl("-reply", "-in", folder / "answer.tsr", "-text")
    assert "Status: Rejected." in shown
    assert f"Failure info: {failure}" in shown
    assert "Not included." in shown


@pytest.mark.parametrize("path", ["/", "/tsa"])
@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
def test_openssl_verifies_what_it_asked_for(
    server: TrialServer, tmp_path: Path, digest: str, path: str
) -> None:
    asked = query(tmp_path, digest)
    answer = tmp_path / "answer.tsr"
    answer.write_bytes(post(server, asked.read_bytes(), path=path))
    root = server.trial.provisioned.root
    shown = openssl("-verify", "-queryfile", asked, "-in", answer, "-CAfile", root)
    assert "Verification: OK" in shown
    assert "Policy OID: 1.3.6.1.4.1.99999.1.1" in openssl("-reply", "-in", answer, "-text")


@pytest.mark.parametrize(
    ("options", "failure"),
    [(("-sha1",), BAD_ALGORITHM), (("-sha256", "-tspolicy", "1.2.3.4"), UNACCEPTED_POLICY)],
)
def test_a_request_that_is_not_met_is_refused_with_its_failure(
    server: TrialServer, tmp_path: Path, options: tuple[str, ...], failure: str
) -> None:
    assert_refused(post(server, query(tmp_path, *options).read_bytes()), failure, tmp_path)


@pytest.mark.parametrize("body", [b"", b"no request", b"\x30\x80", bytes(1000)])
def test_what_is_no_request_is_refused_with_its_failure(
    server: TrialServer, tmp_path: Path, body: bytes
) -> None:
    assert_refused(post(server, body), BAD_FORMAT, tmp_path)


@pytest.mark.parametrize(
    ("body", "content_type", "path", "status"),
    [
        (DATA, "text/plain", "/", 415),
        (bytes(17 * 1024), QUERY, "/", 413),
        (DATA, QUERY, "/elsewhere", 404),
    ],
)
def test_http_that_is_not_rfc_3161_is_refused(
    server: TrialServer, body: bytes, content_type: str, path: str, status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(server, body, content_type, path)
    with refused.value:
        assert refused.value.code == status


def test_a_token_over_grpc_is_verified_offline_and_journalled(
    server: TrialServer, department: Client
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    digest = hashlib.sha256(DATA).digest()
    token = department.timestamp(digest)
    root = server.trial.provisioned.pki.root.public_bytes(Encoding.DER)
    verdict = verify_timestamp_token(token, data=DATA, trust=[root], at=datetime.now(UTC))
    assert before <= verdict.gen_time <= datetime.now(UTC)
    serial = read_timestamp_token(token).serial_number
    issued = [entry for entry in journal(server.trial) if entry.act == "timestamp.issue"]
    assert [entry.actor for entry in issued if int(entry.resource.rpartition("/")[2], 16) == serial] == [
        f"principals/{DEPARTMENT}"
    ]


def test_a_digest_of_no_accepted_length_is_not_sent(department: Client) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        department.timestamp(hashlib.sha1(DATA, usedforsecurity=False).digest())
    assert refused.value.field == "digest"


def test_a_refusal_over_grpc_is_an_answer(server: TrialServer, tmp_path: Path) -> None:
    credentials = server.credentials(DEPARTMENT)
    request = timestamping_pb2.CreateTimestampRequest(timestamp_request=b"no request")
    with open_channel(server.addresses["grpc"], credentials) as channel:
        stub = TimestampingServiceStub(channel)
        answer = stub.CreateTimestamp(request, metadata=credentials.metadata())
    assert_refused(answer.timestamp_response, BAD_FORMAT, tmp_path)
