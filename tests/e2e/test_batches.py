"""Batches: one authorisation for a list, results one by one, nothing signed twice, a stop at a PIN error."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pytest

from pecete.batch_calls import BatchResult, BatchTarget
from pecete.channel import open_channel
from pecete.client import Client
from pecete.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    PeceteError,
    PermissionDeniedError,
    ResourceExhaustedError,
)
from pecete.signing.v1.signature_batches_pb2 import BatchItem, SignBatchRequest
from pecete.signing.v1.signature_batches_pb2_grpc import SignatureBatchServiceStub
from pecete.signing.v1.signing_pb2 import SIGNATURE_FORMAT_CADES_DETACHED, SignDocumentRequest
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.wire_errors import from_rpc_error
from pecete.workflow.v1.workflow_pb2 import STEP_STATE_DUE, STEP_STATE_SIGNED
from server.trial import SEAL, Trial, TrialServer
from tests.e2e.observation import count_documents, faults, journal

pytestmark = pytest.mark.e2e

MAYOR = "primar"


@pytest.fixture
def mayor(server: TrialServer) -> Iterator[Client]:
    with server.client(MAYOR) as client:
        yield client


def numbered(content: bytes, count: int) -> Iterator[bytes]:
    """Give documents that differ in a comment at their end."""
    for number in range(count):
        yield content + b"%% certificate %d\n" % number


def upload(client: Client, content: bytes, count: int) -> list[BatchTarget]:
    stored = [client.upload(each, display_name="Adeverință") for each in numbered(content, count)]
    return [BatchTarget(each.name, each.sha256) for each in stored]


def signed_names(results: Sequence[BatchResult]) -> dict[int, str]:
    return {each.index: each.signed.document.name for each in results if each.signed}


def errors(results: Sequence[BatchResult]) -> dict[int, str]:
    return {each.index: each.error.reason for each in results if each.error}


def uses(trial: Trial, request_id: str) -> list[tuple[str, str, str, str | None]]:
    """Give who used which key on what under a batch: request id, actor, key, digest."""
    return [
        (entry.request_id, entry.actor, entry.resource, entry.digest)
        for entry in journal(trial)
        if entry.act == "key.use" and entry.request_id.startswith(f"{request_id}/")
    ]


def test_a_list_is_signed_with_progress_and_every_use_is_journalled(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    trial, key = server.trial, server.trial.signing_key(SEAL)
    targets = upload(department, disposition.read_bytes(), 21)
    results = list(department.sign_batch(targets, key, level="B-T", request_id="list-1"))
    assert [(each.done, each.total) for each in results] == [(n, 21) for n in range(1, 22)]
    assert sorted(signed_names(results)) == list(range(21))
    for each in results:
        assert each.signed is not None
        assert each.signed.signature.level and each.signed.signature.timestamp_token
    for each in results[:2]:
        assert each.signed is not None
        (verdict,) = department.validate(each.signed.document).signatures
        assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, "PAdES-BASELINE-T")

    wanted = [
        (f"list-1/{index}", "principals/registratura", key, each.sha256.hex())
        for index, each in enumerate(targets)
    ]
    assert sorted(uses(trial, "list-1")) == sorted(wanted)
    digest = hashlib.sha256(b"".join(each.sha256 + each.name.encode() + b"\n" for each in targets))
    (authorised,) = [entry for entry in journal(trial) if entry.request_id == "list-1"]
    assert (authorised.act, authorised.actor) == ("batch.authorize", "principals/registratura")
    assert (authorised.resource, authorised.digest) == (key, digest.hexdigest())


def test_a_repeated_batch_gives_the_same_documents_and_uses_no_key(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    key = server.trial.signing_key(SEAL)
    targets = upload(department, disposition.read_bytes(), 10)
    first = list(department.sign_batch(targets, key, level="B-B", request_id="again-1"))
    before = count_documents(server.trial)
    again = list(department.sign_batch(targets, key, level="B-B", request_id="again-1"))
    assert signed_names(again) == signed_names(first)
    assert count_documents(server.trial) == before
    assert len(uses(server.trial, "again-1")) == 10
    with pytest.raises(AlreadyExistsError) as refused:
        list(department.sign_batch(targets[:9], key, level="B-B", request_id="again-1"))
    assert refused.value.reason == "REQUEST_ID_REUSED"


def test_what_is_broken_off_goes_on_where_it_was(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    key = server.trial.signing_key(SEAL)
    targets = upload(department, disposition.read_bytes(), 60)
    stream = department.sign_batch(targets, key, level="B-B", request_id="broken-1")
    seen = signed_names([next(stream) for _ in range(5)])
    stream.close()
    rest = list(department.sign_batch(targets, key, level="B-B", request_id="broken-1"))
    assert sorted(signed_names(rest)) == list(range(60))
    assert seen.items() <= signed_names(rest).items()
    assert len(uses(server.trial, "broken-1")) == 60


def test_another_digest_refuses_the_list_before_anything_is_signed(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    targets = upload(department, disposition.read_bytes(), 12)
    targets[11] = BatchTarget(targets[11].name, targets[0].sha256)
    before = count_documents(server.trial)
    with pytest.raises(FailedPreconditionError) as refused:
        list(
            department.sign_batch(targets, server.trial.signing_key(SEAL), level="B-B", request_id="other-1")
        )
    assert (refused.value.reason, refused.value.field) == ("DOCUMENT_DIFFERS", "items[11].document_sha256")
    assert count_documents(server.trial) == before
    assert uses(server.trial, "other-1") == []


def test_a_bad_document_fails_alone(server: TrialServer, department: Client, disposition: Path) -> None:
    targets = upload(department, disposition.read_bytes(), 10)
    damaged = department.upload(b"%PDF-1.7\nnothing that belongs together")
    text = department.upload(b"no PDF at all")
    targets[3:3] = [BatchTarget(damaged.name, damaged.sha256), BatchTarget(text.name, text.sha256)]
    targets.append(BatchTarget("documents/aaaaaaaaaaaaaaaaaaaaaaaaaa", bytes(32)))
    results = list(department.sign_batch(targets, server.trial.signing_key(SEAL), level="B-B"))
    assert sorted(errors(results)) == [3, 4, 12]
    assert errors(results)[12] == "DOCUMENT_NOT_FOUND"
    assert len(signed_names(results)) == 10


def test_a_wrong_pin_stops_the_batch_at_once(
    server: TrialServer, department: Client, mayor: Client, disposition: Path
) -> None:
    trial = server.trial
    targets = upload(department, disposition.read_bytes(), 30)
    key = trial.signing_key(MAYOR)
    results = list(mayor.sign_batch(targets, key, level="B-B", pin="00000000", request_id="pin-1"))
    assert errors(results)[0] == "PIN_INCORRECT"
    assert {errors(results)[index] for index in range(1, 30)} == {"BATCH_STOPPED"}
    assert uses(trial, "pin-1") == []
    right = list(mayor.sign_batch(targets, key, level="B-B", pin=trial.pin(MAYOR), request_id="pin-1"))
    assert sorted(signed_names(right)) == list(range(30))


def test_without_a_pin_nothing_is_attempted(
    server: TrialServer, department: Client, mayor: Client, disposition: Path
) -> None:
    targets = upload(department, disposition.read_bytes(), 2)
    results = list(mayor.sign_batch(targets, server.trial.signing_key(MAYOR), level="B-B"))
    assert errors(results) == {0: "PIN_REQUIRED", 1: "BATCH_STOPPED"}


def test_a_secretary_signs_acts_and_steps_with_one_pin(
    server: TrialServer, department: Client, mayor: Client, disposition: Path, procedure: str
) -> None:
    persons = {"primar": "persons/primar", "secretar-general": "persons/secretar-general"}
    dossiers = [
        department.create_dossier(content, procedure, persons, display_name="Dispoziție")
        for content in numbered(disposition.read_bytes(), 9)
    ]
    steps = [f"{dossier.name}/steps/1" for dossier in dossiers] + [f"{dossiers[0].name}/steps/2"]
    digests = [department.get_document(dossier.document).sha256 for dossier in dossiers]
    targets = [BatchTarget(step, digest) for step, digest in zip(steps, [*digests, digests[0]], strict=True)]
    targets += upload(department, disposition.read_bytes(), 3)
    pin = server.trial.pin(MAYOR)
    results = list(
        mayor.sign_batch(
            targets, server.trial.signing_key(MAYOR), level="B-B", pin=pin, request_id="evening-1"
        )
    )
    assert errors(results) == {9: "WRONG_SIGNER"}
    for index, dossier in enumerate(dossiers):
        after = department.get_dossier(dossier.name)
        assert [step.state for step in after.steps] == [STEP_STATE_SIGNED, STEP_STATE_DUE]
        assert after.document == signed_names(results)[index]
    again = list(
        mayor.sign_batch(
            targets, server.trial.signing_key(MAYOR), level="B-B", pin=pin, request_id="evening-1"
        )
    )
    assert signed_names(again) == signed_names(results)
    with pytest.raises(PermissionDeniedError):
        list(department.sign_batch(targets, server.trial.signing_key(SEAL)))


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({"count": 0}, InvalidArgumentError, "ITEMS_MISSING"),
        ({"count": 501}, ResourceExhaustedError, "TOO_MANY_ITEMS"),
        ({"name": "documents/x"}, InvalidArgumentError, "ITEM_REPEATED"),
        ({"name": ""}, InvalidArgumentError, "DOCUMENT_MISSING"),
        ({"sha256": bytes(31)}, InvalidArgumentError, "SHA256_INVALID"),
    ],
)
def test_a_list_that_is_none_is_refused(
    server: TrialServer, department: Client, change: dict[str, object], kind: type[PeceteError], reason: str
) -> None:
    given = {"count": 2, "name": None, "sha256": bytes(32)} | change
    targets = [
        BatchTarget(str(f"documents/{number}" if given["name"] is None else given["name"]), given["sha256"])  # type: ignore[arg-type]
        for number in range(int(str(given["count"])))
    ]
    with pytest.raises(kind) as refused:
        list(department.sign_batch(targets, server.trial.signing_key(SEAL)))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "template",
    [
        {"format": SIGNATURE_FORMAT_CADES_DETACHED},
        {"detached": "documents/x"},
        {"pin": "1234"},
        {"request_id": "x"},
        {"document": "documents/x"},
    ],
)
def test_what_a_batch_cannot_do_is_refused_and_never_left_out(
    server: TrialServer, template: dict[str, object]
) -> None:
    credentials = server.credentials("registratura")
    request = SignBatchRequest(
        template=SignDocumentRequest(signing_key=server.trial.signing_key(SEAL), **template),  # type: ignore[arg-type]
        items=[BatchItem(document="documents/y", document_sha256=bytes(32))],
        request_id="template-1",
    )
    with open_channel(server.addresses["grpc"], credentials) as channel:
        stub = SignatureBatchServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.SignBatch(request, metadata=credentials.metadata()))
    error = from_rpc_error(refused.value)
    assert (error.reason, error.field) == ("TEMPLATE_FIELD_NOT_TAKEN", f"template.{next(iter(template))}")


def test_the_journal_and_the_rows_agree(server: TrialServer) -> None:
    assert faults(server.trial) == []
