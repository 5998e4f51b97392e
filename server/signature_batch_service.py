"""gRPC front of signing in batches: translates the list, and what becomes of each item."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import grpc

from pecete.errors import InvalidArgumentError, PeceteError, ResourceExhaustedError
from pecete.signing.v1 import signature_batches_pb2 as pb
from pecete.signing.v1 import signature_batches_pb2_grpc as rpc
from pecete.signing.v1 import signing_pb2
from pecete.wire_errors import to_batch_error
from server.authorization import authorize_step
from server.batch_items import BatchItem
from server.batch_signing import BatchSigner, Outcome
from server.idempotency import RequestLocks, request_key
from server.interceptors import caller
from server.signing import SigningOrder, Visible
from server.signing_service import signing_order
from server.two_phase_signing import Target

SIGN_BATCH = "/pecete.signing.v1.SignatureBatchService/SignBatch"

MAXIMUM_ITEMS = 500
"""Items of one batch; a longer list is more than one."""

_STATED = frozenset(
    (
        "signing_key",
        "level",
        "reason",
        "location",
        "field_name",
        "visible_signature",
        "certification",
        "lock",
        "commitment",
    )
)
"""Fields of the template that are taken: what any PAdES signature may say."""


class SignatureBatchService(rpc.SignatureBatchServiceServicer):
    """Signs lists of documents and steps."""

    def __init__(self, signer: BatchSigner, locks: RequestLocks) -> None:
        self._signer = signer
        self._locks = locks

    async def SignBatch(
        self, request: pb.SignBatchRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncIterator[pb.SignBatchResponse]:
        """Sign each item and tell of it as it comes."""
        who = caller()
        if any(item.WhichOneof("target") == "step" for item in request.items):
            authorize_step(SIGN_BATCH, who.roles)
        items = list(_items(request))
        key = request_key(who.principal, "SignBatch", request)
        async with self._locks.hold(key):
            done = 0
            async for index, outcome in self._signer.sign(key, items, request.pin or None):
                done += 1
                yield _message(index, outcome, done, len(items))


def _items(request: pb.SignBatchRequest) -> Iterator[BatchItem]:
    """Read the list.

    Raises InvalidArgumentError REQUEST_ID_MISSING, ITEMS_MISSING, TEMPLATE_FIELD_NOT_TAKEN, DOCUMENT_MISSING,
    SHA256_INVALID or ITEM_REPEATED, ResourceExhaustedError TOO_MANY_ITEMS, and as `signing_order`.
    """
    _check_list(request)
    order = _order(request.template)
    known: set[str] = set()
    for index, item in enumerate(request.items):
        name = item.document or item.step
        if not name:
            raise InvalidArgumentError(
                "DOCUMENT_MISSING", "Name a document or a step.", field=f"items[{index}].document"
            )
        if name in known:
            raise InvalidArgumentError(
                "ITEM_REPEATED", f"{name} stands in the list twice.", field=f"items[{index}]"
            )
        known.add(name)
        if len(item.document_sha256) != 32:
            raise InvalidArgumentError(
                "SHA256_INVALID", "A SHA-256 has 32 octets.", field=f"items[{index}].document_sha256"
            )
        target = Target(item.document, item.step)
        yield BatchItem(index, target, item.document_sha256, _shown(order, item))


def _check_list(request: pb.SignBatchRequest) -> None:
    if not request.request_id:
        raise InvalidArgumentError(
            "REQUEST_ID_MISSING", "A batch goes on after a break by its request id.", field="request_id"
        )
    if not request.items:
        raise InvalidArgumentError("ITEMS_MISSING", "A batch has at least one item.", field="items")
    if len(request.items) > MAXIMUM_ITEMS:
        raise ResourceExhaustedError(
            "TOO_MANY_ITEMS",
            f"A batch has at most {MAXIMUM_ITEMS} items.",
            field="items",
            metadata={"maximum_items": str(MAXIMUM_ITEMS)},
        )


def _order(template: signing_pb2.SignDocumentRequest) -> SigningOrder:
    """Read the template. Nothing that is given is silently left out."""
    for descriptor, value in template.ListFields():
        is_pades = descriptor.name == "format" and value == signing_pb2.SIGNATURE_FORMAT_PADES
        if descriptor.name not in _STATED and not is_pades:
            raise InvalidArgumentError(
                "TEMPLATE_FIELD_NOT_TAKEN",
                "This stays unset in a template; batches make PAdES signatures.",
                field=f"template.{descriptor.name}",
            )
    copy = signing_pb2.SignDocumentRequest()
    copy.CopyFrom(template)
    copy.document = "documents/-"
    return signing_order(copy)


def _shown(order: SigningOrder, item: pb.BatchItem) -> SigningOrder:
    """Give how one item is signed, with its own number and address shown."""
    if not item.register_number and not item.verification_uri:
        return order
    shown = order.visible or Visible()
    own = replace(
        shown,
        register_number=item.register_number or shown.register_number,
        verification_uri=item.verification_uri or shown.verification_uri,
    )
    return replace(order, visible=own)


def _message(index: int, outcome: Outcome, done: int, total: int) -> pb.SignBatchResponse:
    answer = pb.SignBatchResponse(index=index, done_count=done, total_count=total)
    if isinstance(outcome, PeceteError):
        answer.error.CopyFrom(to_batch_error(outcome))
    else:
        answer.signed.CopyFrom(outcome)
    return answer
