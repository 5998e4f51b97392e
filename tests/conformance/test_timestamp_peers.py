"""Our tokens before openssl ts, rfc3161-client, pyHanko, and our own client of foreign authorities."""

import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from aiohttp.test_utils import BaseTestServer, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import HTTPTimeStamper

from pecete.evidence.timestamp import verify_timestamp_token
from server.timestamp_http import timestamp_application
from timestamping.authority import Authority, IssuedTimestamp
from timestamping.clock import TrustedClock
from timestamping.external import ExternalTimeStamper, ForeignAuthority
from timestamping.software_key import SoftwareKey
from timestamping.timestamper import TimeStamper

pytestmark = pytest.mark.conformance
NOW = datetime.now(UTC)
POLICY = "1.3.6.1.4.1.99999.1"
DATA = b"Petitie nr. 12"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def issue(name: str, key: Key, issuer: str, issuer_key: Key, *, ca: bool) -> x509.Certificate:
    subject, issuer_name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)
    )
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if not ca:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    return builder.sign(issuer_key, hashes.SHA256())


class Unit:
    """A three-level chain with its authority on the system clock."""

    def __init__(self, key: Key) -> None:
        root_key, middle_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = issue("Root", root_key, "Root", root_key, ca=True)
        self.middle = issue("Middle", middle_key, "Root", root_key, ca=True)
        self.leaf = issue("Unit", key, "Middle", middle_key, ca=False)
        self.recorded: list[IssuedTimestamp] = []
        accuracy = timedelta(seconds=1)
        self.authority = Authority(
            SoftwareKey(key, self.leaf, (self.middle,)),
            clock=TrustedClock("system", accuracy=accuracy),
            record=self.record,
            policies=(POLICY,),
            accuracy=accuracy,
            time=NOW,
        )

    async def record(self, issued: IssuedTimestamp) -> None:
        self.recorded.append(issued)

    @property
    def anchor(self) -> bytes:
        """The root, DER."""
        return self.root.public_bytes(Encoding.DER)


KINDS: dict[str, Callable[[], Key]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
}


@pytest.fixture(params=sorted(KINDS))
def unit(request: pytest.FixtureRequest) -> Unit:
    return Unit(KINDS[request.param]())


@pytest.fixture
async def server(unit: Unit) -> AsyncIterator[BaseTestServer]:
    async with TestServer(timestamp_application(unit.authority)) as running:
        yield running


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@needs_openssl
@pytest.mark.parametrize("options", [("-cert", "-sha256"), ("-cert", "-sha512", "-no_nonce"), ("-sha384",)])
async def test_openssl_asks_and_verifies(unit: Unit, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "data").write_bytes(DATA)
    openssl("ts", "-query", "-data", tmp_path / "data", "-out", tmp_path / "query", *options)
    query = (tmp_path / "query").read_bytes()
    (tmp_path / "reply").write_bytes(await unit.authority.respond(query, client="openssl", request_id="r"))
    (tmp_path / "root.pem").write_bytes(unit.root.public_bytes(Encoding.PEM))
    chain = [certificate.public_bytes(Encoding.PEM) for certificate in (unit.leaf, unit.middle)]
    (tmp_path / "chain.pem").write_bytes(b"".join(chain))
    text = openssl("ts", "-reply", "-in", tmp_path / "reply", "-text")
    assert "Status: Granted." in text
    assert f"Policy OID: {POLICY}" in text
    verification: list[str | Path] = [
        "ts",
        "-verify",
        "-in",
        tmp_path / "reply",
        "-CAfile",
        tmp_path / "root.pem",
    ]
    verification += [] if "-cert" in options else ["-untrusted", tmp_path / "chain.pem"]
    for option, file in (("-data", "data"), ("-queryfile", "query")):
        assert "Verification: OK" in openssl(*verification, option, tmp_path / file)


@needs_openssl
async def test_openssl_reads_a_refusal(unit: Unit, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    openssl("ts", "-query", "-data", tmp_path / "data", "-out", tmp_path / "query", "-tspolicy", "1.2.3.4")
    reply = await unit.authority.respond((tmp_path / "query").read_bytes(), client="openssl", request_id="r")
    (tmp_path / "reply").write_bytes(reply)
    text = openssl("ts", "-reply", "-in", tmp_path / "reply", "-text")
    assert "Status: Rejected." in text
    assert "Failure info: the requested TSA policy is not supported by the TSA" in text
    assert f"Status description: The policy is not one of this authority: {POLICY}." in text


@pytest.mark.parametrize(
    "algorithm", [rfc3161_client.HashAlgorithm.SHA256, rfc3161_client.HashAlgorithm.SHA512]
)
async def test_rfc3161_client_verifies(unit: Unit, algorithm: rfc3161_client.HashAlgorithm) -> None:
    query = rfc3161_client.TimestampRequestBuilder().data(DATA).hash_algorithm(algorithm).build()
    reply = await unit.authority.respond(query.as_bytes(), client="rfc3161-client", request_id="r")
    verifier = (
        rfc3161_client.VerifierBuilder.from_request(query)
        .add_root_certificate(unit.root)
        .add_intermediate_certificate(unit.middle)
        .build()
    )
    response = rfc3161_client.decode_timestamp_response(reply)
    verifier.verify_message(response, DATA)
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(response, DATA + b"!")


async def test_pyhanko_takes_a_token_over_http(unit: Unit, server: BaseTestServer) -> None:
    stamper = HTTPTimeStamper(str(server.make_url("/tsa")))
    token = (await stamper.async_timestamp(hashlib.sha256(DATA).digest(), "sha256")).dump()
    assert token == unit.recorded[0].token
    verdict = verify_timestamp_token(token, data=DATA, trust=[unit.anchor])
    assert abs(verdict.gen_time - datetime.now(UTC)) < timedelta(minutes=1)


async def test_our_client_believes_our_authority(unit: Unit, server: BaseTestServer) -> None:
    authority = ForeignAuthority(str(server.make_url("/")), trust=(unit.anchor,), policy=POLICY)
    async with ExternalTimeStamper(authority) as foreign:
        stampers: tuple[TimeStamper, ...] = (foreign, unit.authority)
        for stamper in stampers:
            token = await stamper.stamp("sha384", hashlib.sha384(DATA).digest(), client="c", request_id="r")
            verdict = verify_timestamp_token(token, data=DATA, trust=[unit.anchor])
            assert len(verdict.path) == 3
