"""Documents over the wire: streams, claims, limits, memory."""

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pecete.channel import open_channel
from pecete.client import Client
from pecete.documents.v1 import documents_pb2 as pb
from pecete.documents.v1.documents_pb2_grpc import DocumentServiceStub
from pecete.errors import InvalidArgumentError, NotFoundError, PeceteError, ResourceExhaustedError
from pecete.wire_errors import from_rpc_error
from server.trial import DEPARTMENT, TrialServer
from tests.e2e.observation import count_documents, incoming, until

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024


def resident_bytes(process: int) -> int:
    """Present memory of a process that no file stands behind (RssAnon)."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def refusal_of_upload(server: TrialServer, *messages: pb.UploadDocumentRequest) -> PeceteError:
    """Send messages that the client would not send, and give what the service says."""
    credentials = server.credentials(DEPARTMENT)
    with (
        open_channel(server.addresses["grpc"], credentials) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        DocumentServiceStub(channel).UploadDocument(iter(messages), metadata=credentials.metadata())
    return from_rpc_error(refused.value)


def test_upload_and_download_give_the_same_bytes(
    department: Client, disposition: Path, tmp_path: Path
) -> None:
    document = department.upload(disposition)
    assert document.sha256 == hashlib.sha256(disposition.read_bytes()).digest()
    assert document.media_type == "application/pdf"
    target = tmp_path / "back.pdf"
    department.download(document.name, target)
    assert target.read_bytes() == disposition.read_bytes()


def test_the_media_type_is_sniffed_and_not_believed(department: Client) -> None:
    assert department.upload(b"plain words", display_name="act.pdf").media_type == "text/plain"


def test_an_empty_document_is_refused_with_its_field(department: Client) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        department.upload(b"")
    assert (refused.value.reason, refused.value.field) == ("DOCUMENT_EMPTY", "content")


def test_an_unknown_document_is_not_found(department: Client) -> None:
    with pytest.raises(NotFoundError) as refused:
        department.get_document("documents/nosuch")
    assert refused.value.reason == "DOCUMENT_NOT_FOUND"


def test_a_claim_of_5_gib_is_refused_at_the_first_message(server: TrialServer) -> None:
    metadata = pb.DocumentMetadata(size_bytes=5 * 1024 * MIB)
    start = pb.UploadDocumentRequest(start=pb.UploadDocumentStart(metadata=metadata))
    refused = refusal_of_upload(server, start)
    assert isinstance(refused, ResourceExhaustedError)
    assert (refused.reason, refused.field) == ("DOCUMENT_TOO_LARGE", "metadata.size_bytes")


def test_bytes_that_are_not_the_claimed_ones_are_refused(server: TrialServer) -> None:
    metadata = pb.DocumentMetadata(sha256=hashlib.sha256(b"promised").digest())
    start = pb.UploadDocumentRequest(start=pb.UploadDocumentStart(metadata=metadata))
    refused = refusal_of_upload(server, start, pb.UploadDocumentRequest(chunk=b"delivered"))
    assert (refused.reason, refused.field) == ("SHA256_MISMATCH", "metadata.sha256")


def test_an_upload_that_breaks_off_leaves_nothing(server: TrialServer) -> None:
    begun, broken = threading.Event(), threading.Event()

    def messages() -> Iterator[pb.UploadDocumentRequest]:
        yield pb.UploadDocumentRequest(start=pb.UploadDocumentStart())
        yield pb.UploadDocumentRequest(chunk=b"the first half")
        begun.set()
        broken.wait(60)

    before = count_documents(server.trial)
    credentials = server.credentials(DEPARTMENT)
    with open_channel(server.addresses["grpc"], credentials) as channel:
        stub = DocumentServiceStub(channel)
        call = stub.UploadDocument.future(messages(), metadata=credentials.metadata())
        assert begun.wait(60)
        until("the half upload", lambda: incoming(server.trial))
        call.cancel()
        broken.set()
        until("the half upload's end", lambda: not incoming(server.trial))
    assert count_documents(server.trial) == before


def test_a_short_document_travels_inline_and_a_long_one_does_not(server: TrialServer) -> None:
    credentials = server.credentials(DEPARTMENT)
    with open_channel(server.addresses["grpc"], credentials) as channel:
        stub = DocumentServiceStub(channel)
        longest = pb.CreateDocumentRequest(content=bytes(4 * MIB))
        assert stub.CreateDocument(longest, metadata=credentials.metadata()).size_bytes == 4 * MIB
        with pytest.raises(grpc.RpcError) as refused:
            stub.CreateDocument(
                pb.CreateDocumentRequest(content=bytes(4 * MIB + 1)), metadata=credentials.metadata()
            )
    error = from_rpc_error(refused.value)
    assert (error.reason, error.field) == ("CONTENT_TOO_LARGE", "content")


def test_a_retry_under_the_same_request_id_gets_the_first_answer(department: Client) -> None:
    first = department.upload(b"once", request_id="upload-once")
    again = department.upload(b"once", request_id="upload-once")
    assert again == first


def test_350_mb_up_and_down_grow_the_servers_memory_by_less_than_64_mib(
    server: TrialServer, department: Client, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    block = os.urandom(MIB)
    with big.open("wb") as file:
        for number in range(350):
            file.write(number.to_bytes(4, "big") + block[4:])
    department.upload(b"warm up")
    before = resident_bytes(server.process.pid)
    peak = before

    def watch(_done: int, _total: int) -> None:
        nonlocal peak
        peak = max(peak, resident_bytes(server.process.pid))

    document = department.upload(big, progress=watch)
    department.download(document.name, tmp_path / "back.bin", progress=watch)
    assert peak - before < 64 * MIB
    with (tmp_path / "back.bin").open("rb") as back:
        assert hashlib.file_digest(back, "sha256").digest() == document.sha256
