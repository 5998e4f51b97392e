"""Who gets in and may do what, over the wire; health for all, and reflection for who is known."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from pecete.archive.v1.archive_pb2 import DescriptiveRecord
from pecete.channel import open_channel
from pecete.client import Client
from pecete.credentials import Credentials
from pecete.errors import PeceteError, PermissionDeniedError, UnauthenticatedError, UnavailableError
from pecete.retry import RetryPolicy
from pecete.workflow.v1.workflow_pb2 import Person
from server.local_authority import KeyPair, make_authority, make_client_certificate
from server.times import utc_now
from server.trial import DEPARTMENT, SEAL, Trial, TrialServer
from tests.e2e.observation import acts, pecete_server

pytestmark = pytest.mark.e2e

SERVICES = {
    "pecete.documents.v1.DocumentService",
    "pecete.signing.v1.SigningService",
    "pecete.signing.v1.SignatureSessionService",
    "pecete.signing.v1.SignatureBatchService",
    "pecete.validation.v1.ValidationService",
    "pecete.timestamping.v1.TimestampingService",
    "pecete.archive.v1.ArchiveService",
    "pecete.workflow.v1.WorkflowService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
}


@contextmanager
def caller(server: TrialServer, credentials: Credentials) -> Iterator[Client]:
    """Connect with these credentials; nothing is tried twice."""
    with Client(server.addresses["grpc"], credentials, retry=RetryPolicy(attempts=1)) as client:
        yield client


def refusal(server: TrialServer, credentials: Credentials) -> PeceteError:
    """Ask for something harmless and give what the service says."""
    with caller(server, credentials) as client, pytest.raises(PeceteError) as refused:
        client.get_document("documents/nosuch")
    return refused.value


def authority(trial: Trial) -> KeyPair:
    """Give the authority of the trial's channels, with its key."""
    folder = trial.directory / "tls"
    key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return KeyPair(x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key)


def certified(server: TrialServer, issuer: KeyPair) -> Credentials:
    """Give credentials with a new certificate of this issuer."""
    made = make_client_certificate(issuer, "principals/administrator", utc_now())
    return Credentials(server.credentials().ca, made.certificate_pem, made.key_pem)


# Who gets in


def test_without_a_certificate_there_is_no_channel(server: TrialServer) -> None:
    refused = refusal(server, Credentials(ca=server.credentials().ca))
    assert isinstance(refused, UnavailableError)
    assert refused.reason == "SERVER_UNREACHABLE"


def test_a_certificate_of_another_authority_opens_no_channel(server: TrialServer) -> None:
    stranger = make_authority("Pecete local authority", utc_now())
    refused = refusal(server, certified(server, stranger))
    assert isinstance(refused, UnavailableError)
    assert refused.reason == "SERVER_UNREACHABLE"


def test_a_certificate_that_nobody_enrolled_is_refused_whatever_its_name(server: TrialServer) -> None:
    refused = refusal(server, certified(server, authority(server.trial)))
    assert isinstance(refused, UnauthenticatedError)
    assert refused.reason == "CERTIFICATE_NOT_ENROLLED"


@pytest.mark.parametrize("token", ["pct_" + "A" * 43, "no token"])
def test_a_token_that_is_none_is_refused_even_on_a_known_channel(server: TrialServer, token: str) -> None:
    refused = refusal(server, replace(server.credentials(), token=token))
    assert isinstance(refused, UnauthenticatedError)
    assert (refused.reason, refused.field) == ("TOKEN_INVALID", "authorization")


def principals(trial: Trial, *arguments: str) -> str:
    done = pecete_server(trial, "principals", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_revoked_principal_is_out_at_once(server: TrialServer) -> None:
    name = "principals/plecat"
    token = principals(server.trial, "add", name, "--role", "auditor", "--token")
    credentials = replace(server.credentials(), token=token)
    assert refusal(server, credentials).reason == "DOCUMENT_NOT_FOUND"
    principals(server.trial, "revoke", name)
    assert refusal(server, credentials).reason == "TOKEN_INVALID"
    assert acts(server.trial, name) == ["principal.create", "principal.revoke"]


# Who may do what


def test_what_a_role_does_not_allow_is_refused(
    server: TrialServer, department: Client, disposition: Path, description: DescriptiveRecord
) -> None:
    document = department.upload(disposition).name
    token = principals(server.trial, "add", "principals/curtea-de-conturi", "--role", "auditor", "--token")
    with (
        caller(server, replace(server.credentials(), token=token)) as auditor,
        server.client("primar") as signer,
    ):
        assert auditor.get_document(document).name == document
        forbidden: dict[str, Callable[[], object]] = {
            "UploadDocument": lambda: auditor.upload(b"words"),
            "SignDocument": lambda: auditor.sign(document, server.trial.signing_key(SEAL)),
            "CreateTimestamp": lambda: auditor.timestamp(bytes(32)),
            "ArchiveDocument": lambda: signer.archive(document, description),
            "CreatePerson": lambda: signer.create_person(Person(display_name="Eu")),
            "CreateDossier": lambda: signer.create_dossier(document, "procedures/x", {}, display_name="x"),
        }
        for method, call in forbidden.items():
            with pytest.raises(PermissionDeniedError) as refused:
                call()
            assert refused.value.reason == "ROLE_REQUIRED"
            assert refused.value.metadata["method"].endswith(f"/{method}")


# Health and reflection


def test_health_is_told_to_every_channel(server: TrialServer) -> None:
    stranger = certified(server, authority(server.trial))
    with open_channel(server.addresses["grpc"], stranger) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        for part in ("", "tokens/primar", "tokens/marca-temporala"):
            answer = check(health_pb2.HealthCheckRequest(service=part))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            check(health_pb2.HealthCheckRequest(service="tokens/nosuch"))
    assert isinstance(unknown.value, grpc.Call)
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_and_figures_are_told_over_http(server: TrialServer, department: Client) -> None:
    department.upload(b"counted")
    base = f"http://{server.addresses['metrics']}"
    with urllib.request.urlopen(f"{base}/healthz") as answer:  # noqa: S310 - our own server
        assert json.load(answer)["database"] == "ok"
    with urllib.request.urlopen(f"{base}/metrics") as answer:  # noqa: S310 - our own server
        figures = answer.read().decode()
    counted = 'pecete_calls_total{code="OK",method="/pecete.documents.v1.DocumentService/UploadDocument"}'
    assert counted in figures


def reflected(server: TrialServer, credentials: Credentials) -> set[str]:
    """Ask the service by reflection for the names of its services."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with open_channel(server.addresses["grpc"], credentials) as channel:
        ask = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = ask(iter([request]), metadata=credentials.metadata())
    return {service.name for service in answer.list_services_response.service}


def test_reflection_names_every_service_to_who_is_known(server: TrialServer) -> None:
    assert reflected(server, server.credentials(DEPARTMENT)) == SERVICES
    with pytest.raises(grpc.RpcError) as refused:
        reflected(server, certified(server, authority(server.trial)))
    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
