"""The items of a batch in the database: whether they may be signed, and what was answered of them.

Each item is a part of the batch's request and is remembered as a request of its own, so that the same batch
goes on after a break: what is answered stands.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from sqlalchemy import Connection

from archive.journal import Journal, locked_head
from pecete.errors import FailedPreconditionError, PeceteError
from pecete.signing.v1 import signature_batches_pb2 as pb
from server import documents
from server.documents import Document
from server.documents_service import document_message
from server.idempotency import (
    RequestKey,
    part_of,
    recall,
    recall_in_turn,
    recall_parts,
    remember,
    remember_all,
)
from server.made_signatures import SignedDocument, reached_key, signature_message
from server.signing import DocumentSigner, SigningOrder
from server.step_orders import step_order
from server.two_phase_signing import Target
from server.workflow_messages import step_signature
from workflow.dossier import get_dossier
from workflow.journal import Act
from workflow.names import DOSSIERS, parse_step_name
from workflow.step_signing import StepAuthorisation, authorise_step, complete_step


@dataclass(frozen=True)
class BatchItem:
    """One thing to sign: position from 0, what it is, the SHA-256 of the document that is meant, and how."""

    index: int
    target: Target
    document_sha256: bytes
    order: SigningOrder

    def key(self, request: RequestKey) -> RequestKey:
        """Give the key under which this item of a batch is answered."""
        return part_of(request, str(self.index))


@dataclass(frozen=True)
class PreparedItem:
    """An item that may be signed: its document, the leave where it is a step, and how it is signed.

    is_signed: whether the batch has signed it before without reaching its level.
    """

    item: BatchItem
    document: Document
    leave: StepAuthorisation | None
    order: SigningOrder
    is_signed: bool


def list_digest(items: Sequence[BatchItem]) -> bytes:
    """SHA-256 of the list that is authorised: of each item its digest, its name and a line feed."""
    lines = (item.document_sha256 + _name(item.target).encode() + b"\n" for item in items)
    return hashlib.sha256(b"".join(lines)).digest()


def answered(
    connection: Connection, request: RequestKey, items: Sequence[BatchItem]
) -> Mapping[int, pb.BatchSignature]:
    """Give what was answered before, by index. Raises AlreadyExistsError REQUEST_ID_REUSED."""
    if recall(connection, request) is None:
        return {}
    first = recall_parts(connection, [item.key(request) for item in items])
    return {
        item.index: pb.BatchSignature.FromString(first[item.key(request).request_id])
        for item in items
        if item.key(request).request_id in first
    }


def authorise(
    connection: Connection,
    journal: Journal,
    act: Act,
    request: RequestKey,
    items: Sequence[BatchItem],
    signing_key: str,
) -> None:
    """Authorise a batch once: every document that is there must be the one that was stated.

    The act `batch.authorize` names the key, who authorises, and `list_digest`. Raises FailedPreconditionError
    DOCUMENT_DIFFERS, AlreadyExistsError REQUEST_ID_REUSED.
    """
    if recall_in_turn(connection, request) is not None:
        return
    present = documents.find(connection, [item.target.document for item in items if item.target.document])
    for item in items:
        digest = _step_digest(connection, item.target.step) if item.target.step else None
        if item.target.document in present:
            digest = present[item.target.document].sha256
        if digest is not None and digest != item.document_sha256:
            raise _differs(item)
    journal.append(
        connection,
        actor=act.actor,
        act="batch.authorize",
        resource=signing_key,
        request_id=act.request_id,
        digest=list_digest(items),
        row=None,
    )
    remember(connection, request, Empty(), act.time)


def prepare(
    connection: Connection, request: RequestKey, items: Sequence[BatchItem], certificate_sha256: bytes
) -> list[PreparedItem | PeceteError]:
    """Look at items before they are signed; give for each what it takes, or what forbids it."""
    kept = [reached_key(item.key(request), item.document_sha256) for item in items]
    reached = recall_parts(connection, kept)
    present = documents.find(connection, [item.target.document for item in items if item.target.document])

    def look(item: BatchItem, key: RequestKey) -> PreparedItem | PeceteError:
        try:
            leave = None
            if item.target.step:
                leave = authorise_step(
                    connection,
                    item.target.step,
                    principal=request.principal,
                    certificate_sha256=certificate_sha256,
                )
            name = leave.document if leave else item.target.document
            document = present.get(name) or documents.get(connection, name)
            if document.sha256 != item.document_sha256:
                return _differs(item)
        except PeceteError as error:
            return error
        order = step_order(item.order, leave) if leave else item.order
        return PreparedItem(item, document, leave, order, key.request_id in reached)

    return [look(item, key) for item, key in zip(items, kept, strict=True)]


def register(
    connection: Connection,
    signer: DocumentSigner,
    journal: Journal,
    request: RequestKey,
    made: Sequence[tuple[PreparedItem, SignedDocument]],
) -> list[pb.BatchSignature]:
    """Register signed items in one transaction, each with its acts and its answer.

    What another server has answered meanwhile stands. Raises what `SignatureRaiser.register_uses` and
    `complete_step` raise; nothing of these items stands then.
    """
    locked_head(connection)
    keys = [prepared.item.key(request) for prepared, _signed in made]
    first = recall_parts(connection, keys)
    new = [(key, *each) for key, each in zip(keys, made, strict=True) if key.request_id not in first]
    if new:
        time = new[0][2].document.create_time
        acts = [Act(key.principal, key.request_id, time) for key, _prepared, _signed in new]
        signer.raiser.register_uses(
            connection, [(act, signed) for act, (_key, _prepared, signed) in zip(acts, new, strict=True)]
        )
        answers = [
            _answer(connection, journal, act, prepared, signed)
            for act, (_key, prepared, signed) in zip(acts, new, strict=True)
        ]
        kept = [(key, answer) for (key, *_rest), answer in zip(new, answers, strict=True)]
        remember_all(connection, kept, time)
        first |= {key.request_id: answer.SerializeToString() for key, answer in kept}
    return [pb.BatchSignature.FromString(first[key.request_id]) for key in keys]


def _answer(
    connection: Connection, journal: Journal, act: Act, prepared: PreparedItem, signed: SignedDocument
) -> pb.BatchSignature:
    """Give the answer of an item; where it is a step, the dossier moves on."""
    answer = pb.BatchSignature(
        document=document_message(signed.document), signature=signature_message(signed.signature)
    )
    if prepared.leave is not None:
        answer.dossier = complete_step(
            connection,
            journal,
            act,
            prepared.leave,
            document=signed.document.name,
            document_sha256=signed.document.sha256,
            signature=step_signature(signed.signature, prepared.leave.certificate_sha256),
        ).name
    return answer


def _name(target: Target) -> str:
    return target.step or target.document


def _step_digest(connection: Connection, step: str) -> bytes | None:
    """SHA-256 of the document that a step would sign now; None where there is none."""
    try:
        dossier = get_dossier(connection, f"{DOSSIERS}/{parse_step_name(step)[0]}")
        return documents.get(connection, dossier.document).sha256
    except PeceteError:
        return None


def _differs(item: BatchItem) -> FailedPreconditionError:
    return FailedPreconditionError(
        "DOCUMENT_DIFFERS",
        f"Item {item.index}, {_name(item.target)}, is not the document whose SHA-256 was stated.",
        field=f"items[{item.index}].document_sha256",
    )
