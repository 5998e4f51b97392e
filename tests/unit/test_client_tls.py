"""Over TLS each side is recognised by its certificate, and strangers are not served."""

import datetime
import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pecete.client import Client
from pecete.credentials import Credentials
from pecete.documents.v1.documents_pb2 import Document, GetDocumentRequest
from pecete.errors import UnavailableError
from pecete.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)


@dataclass
class Holder:
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def hold(name: str, issuer: Holder | None = None) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name = issuer.certificate.subject if issuer else subject
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Holder(key, certificate)


AUTHORITY = hold("Authority")
SERVER = hold("Server", AUTHORITY)
DEPARTMENT = hold("department", AUTHORITY)


class Service(grpc.GenericRpcHandler):
    """Answers GetDocument with the common name of who calls."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[GetDocumentRequest, Document]":
        """Take any method for GetDocument."""
        return grpc.unary_unary_rpc_method_handler(
            self.answer, GetDocumentRequest.FromString, Document.SerializeToString
        )

    def answer(self, request: GetDocumentRequest, context: grpc.ServicerContext) -> Document:
        """Name the caller."""
        (name,) = context.auth_context()["x509_common_name"]
        return Document(name=bytes(name).decode())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = grpc.server(ThreadPoolExecutor(2), handlers=[Service()])
    credentials = grpc.ssl_server_credentials(
        [(SERVER.key_pem, SERVER.pem)], root_certificates=AUTHORITY.pem, require_client_auth=True
    )
    port = running.add_secure_port("127.0.0.1:0", credentials)
    running.start()
    yield f"127.0.0.1:{port}"
    running.stop(None).wait()


def test_a_department_is_known_by_its_folder(server: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.pem)
    (tmp_path / "client.pem").write_bytes(DEPARTMENT.pem)
    (tmp_path / "client-key.pem").write_bytes(DEPARTMENT.key_pem)
    with Client(server, Credentials.from_folder(tmp_path), retry=ONCE) as client:
        assert client.get_document("documents/1").name == "department"


STRANGER = hold("Stranger")


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(ca=AUTHORITY.pem),
        Credentials(ca=AUTHORITY.pem, certificate=STRANGER.pem, key=STRANGER.key_pem),
        Credentials(ca=STRANGER.pem, certificate=DEPARTMENT.pem, key=DEPARTMENT.key_pem),
        Credentials(plaintext=True),
    ],
    ids=["no certificate", "another authority's certificate", "server not trusted", "plaintext"],
)
def test_nobody_else_gets_through(server: str, credentials: Credentials) -> None:
    with (
        Client(server, credentials, retry=ONCE) as client,
        pytest.raises(UnavailableError, match="SERVER_UNREACHABLE"),
    ):
        client.get_document("documents/1")
