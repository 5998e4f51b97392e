"""What is asked of the service for a batch of signatures, and what comes back of it item by item."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from pecete.calls import new_request_id
from pecete.document_calls import stated_request
from pecete.errors import PeceteError
from pecete.retry import Attempts
from pecete.signature_statements import SignatureStatements
from pecete.signing.v1 import signature_batches_pb2 as pb
from pecete.wire_errors import from_batch_error, from_rpc_error

STEPS = "dossiers/"
"""How the name of a step begins."""


@dataclass(frozen=True)
class BatchTarget:
    """One thing to sign in a batch.

    name: `documents/{id}` or `dossiers/{id}/steps/{number}`. sha256: of the document that is meant, 32
    octets; any other one is refused. register_number, verification_uri: shown on this one's page.
    """

    name: str
    sha256: bytes
    register_number: str = ""
    verification_uri: str = ""


@dataclass(frozen=True)
class BatchResult:
    """What became of one item: `signed`, or the `error` for which it is not; `done` of `total` are told of.

    error: `BATCH_STOPPED` where the item was not attempted.
    """

    index: int
    target: BatchTarget
    signed: pb.BatchSignature | None
    error: PeceteError | None
    done: int
    total: int


class BatchOptions(SignatureStatements, total=False):
    """How every item of a batch is signed; the PIN, where the key asks for it, serves for one login."""

    pin: str
    request_id: str


class Batch:
    """A batch on its way: what is asked, what has come, and whether it may be asked again after a break.

    Raises as `document_calls.sign`.
    """

    def __init__(self, targets: Sequence[BatchTarget], signing_key: str, options: BatchOptions) -> None:
        self._targets = targets
        self._signed: set[int] = set()
        self.request = pb.SignBatchRequest(
            template=stated_request(signing_key, options),
            items=map(_item, targets),
            pin=options.get("pin", ""),
            request_id=options.get("request_id") or new_request_id(),
        )

    def take(self, message: pb.SignBatchResponse) -> BatchResult | None:
        """Give the result that a message tells of; None for one that was given before a break."""
        if message.index in self._signed:
            return None
        signed, error = None, None
        if message.HasField("signed"):
            signed = message.signed
            self._signed.add(message.index)
        else:
            error = from_batch_error(message.error)
        target = self._targets[message.index]
        return BatchResult(message.index, target, signed, error, message.done_count, message.total_count)

    def delay_after(self, failure: grpc.RpcError, attempts: Attempts) -> float:
        """Seconds to wait before the batch goes on; raises the PeceteError of `failure` when it does not.

        A PIN is sent again only after it has signed something: a lost answer could hide that it was refused.
        """
        if self.request.pin and not self._signed:
            raise from_rpc_error(failure)
        return attempts.delay_after(failure)


def _item(target: BatchTarget) -> pb.BatchItem:
    is_step = target.name.startswith(STEPS)
    return pb.BatchItem(
        **{"step" if is_step else "document": target.name},
        document_sha256=target.sha256,
        register_number=target.register_number,
        verification_uri=target.verification_uri,
    )
