"""gRPC front of the workflow: translates; a step is signed on the same journey as any document."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

import grpc
from sqlalchemy import Connection

from archive.journal import Journal, locked_head
from pecete.errors import InvalidArgumentError
from pecete.workflow.v1 import workflow_pb2 as pb
from pecete.workflow.v1 import workflow_pb2_grpc as rpc
from server import documents
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.idempotency import RequestLocks, check_request_id, request_key
from server.interceptors import caller
from server.made_signatures import SignedDocument
from server.signature_statements import commitment
from server.signing import DocumentSigner, SigningOrder, Visible
from server.signing_service import level_name, page_size
from server.step_orders import step_order
from server.times import microseconds
from server.workflow_messages import (
    dossier_message,
    person_message,
    procedure_message,
    procedure_steps,
    step_signature,
)
from workflow.dossier import Assignment, Dossier, create_dossier, get_dossier, list_dossiers
from workflow.journal import Act
from workflow.organisation import create_person, get_person
from workflow.procedure import create_procedure, get_procedure
from workflow.step_signing import StepAuthorisation, authorise_step, complete_step, recall_step

P = ParamSpec("P")
Made = TypeVar("Made")


class WorkflowService(rpc.WorkflowServiceServicer):
    """Persons, procedures, dossiers and their steps."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        keeper: DocumentKeeper,
        signer: DocumentSigner,
        locks: RequestLocks,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._journal = journal
        self._keeper = keeper
        self._signer = signer
        self._locks = locks
        self._clock = clock

    def _act(self, request_id: str) -> Act:
        """Give the caller's act at this moment. Raises InvalidArgumentError REQUEST_ID_TOO_LONG."""
        return Act(caller().principal, check_request_id(request_id), microseconds(self._clock()))

    async def CreatePerson(
        self, request: pb.CreatePersonRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Person:
        """Enrol a person."""
        person = await self._database.run(
            _in_turn(create_person),
            self._journal,
            self._act(request.request_id),
            display_name=request.person.display_name,
            principal=request.person.principal,
            certificate_sha256=request.person.certificate_sha256,
            person_id=request.person_id,
        )
        return person_message(person)

    async def GetPerson(
        self, request: pb.GetPersonRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Person:
        """Describe a person."""
        return person_message(await self._database.fetch(get_person, request.name))

    async def CreateProcedure(
        self, request: pb.CreateProcedureRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Procedure:
        """Make a procedure."""
        procedure = await self._database.run(
            _in_turn(create_procedure),
            self._journal,
            self._act(request.request_id),
            display_name=request.procedure.display_name,
            steps=procedure_steps(request.procedure.steps),
            procedure_id=request.procedure_id,
        )
        return procedure_message(procedure)

    async def GetProcedure(
        self, request: pb.GetProcedureRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Procedure:
        """Describe a procedure."""
        return procedure_message(await self._database.fetch(get_procedure, request.name))

    async def CreateDossier(
        self, request: pb.CreateDossierRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Dossier:
        """Open a dossier with a document that is there."""
        dossier = await self._database.run(self._open_dossier, request, self._act(request.request_id))
        return dossier_message(dossier)

    def _open_dossier(self, connection: Connection, request: pb.CreateDossierRequest, act: Act) -> Dossier:
        locked_head(connection)  # from here on the document cannot expire, nor an equal request overtake
        document = documents.get(connection, request.document)
        if document.media_type != "application/pdf":
            raise InvalidArgumentError(
                "NOT_A_PDF", "Steps are signed on a PDF; this document is none.", field="document"
            )
        dossier = create_dossier(
            connection,
            self._journal,
            act,
            display_name=request.display_name or document.display_name,
            procedure=request.procedure,
            document=request.document,
            assignments=[Assignment(each.post, each.person) for each in request.assignments],
            dossier_id=request.dossier_id,
        )
        self._keeper.store.path(document.sha256.hex())
        return dossier

    async def GetDossier(
        self, request: pb.GetDossierRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Dossier:
        """Show where a document is."""
        return dossier_message(await self._database.fetch(get_dossier, request.name))

    async def ListDossiers(
        self, request: pb.ListDossiersRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.ListDossiersResponse:
        """List dossiers, newest first."""
        size = page_size(request.page_size)
        found = await self._database.fetch(_page_of_dossiers, size + 1, request.page_token)
        page = found[:size]
        more = _page_token(page[-1]) if len(found) > size else ""
        return pb.ListDossiersResponse(dossiers=map(dossier_message, page), next_page_token=more)

    async def SignStep(
        self, request: pb.SignStepRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> pb.Dossier:
        """Sign the step that is due; leave is asked before the key is touched and again with the result."""
        who = caller()
        act = self._act(request.request_id)
        key = await self._signer.tokens.find(request.signing_key, who.principal)
        certificate = bytes.fromhex(key.info.id)
        request_id = request_key(who.principal, "SignStep", request)
        async with self._locks.hold(request_id):
            signed_before = await self._database.fetch(
                recall_step, act, request.name, certificate_sha256=certificate
            )
            if signed_before is not None:
                return dossier_message(signed_before)
            leave = await self._database.fetch(
                authorise_step, request.name, principal=who.principal, certificate_sha256=certificate
            )
            document = await self._database.fetch(documents.get, leave.document)
            signed = await self._signer.sign(key, document, _order(request, leave), request_id)
            dossier = await self._database.run(self._complete, self._act(request.request_id), leave, signed)
        return dossier_message(dossier)

    def _complete(
        self, connection: Connection, act: Act, leave: StepAuthorisation, signed: SignedDocument
    ) -> Dossier:
        """Register the new document and the step in one transaction: both stand or neither.

        When another server has answered the same request meanwhile, its answer stands and nothing is added.
        """
        locked_head(connection)
        signed_before = recall_step(connection, act, leave.name, certificate_sha256=leave.certificate_sha256)
        if signed_before is not None:
            return signed_before
        self._signer.raiser.register_uses(connection, [(act, signed)])
        return complete_step(
            connection,
            self._journal,
            act,
            leave,
            document=signed.document.name,
            document_sha256=signed.document.sha256,
            signature=step_signature(signed.signature, leave.certificate_sha256),
        )


def _in_turn(
    create: Callable[Concatenate[Connection, P], Made],
) -> Callable[Concatenate[Connection, P], Made]:
    """Let equal requests to several servers pass one after the other, so that the second finds the first."""

    def create_in_turn(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> Made:
        locked_head(connection)
        return create(connection, *args, **kwargs)

    return create_in_turn


def _order(request: pb.SignStepRequest, leave: StepAuthorisation) -> SigningOrder:
    order = SigningOrder(
        signing_key=request.signing_key,
        level=level_name(request.level),
        pin=request.pin or None,
        visible=Visible("", request.register_number, request.verification_uri),
        commitment=commitment(request.commitment),
    )
    return step_order(order, leave)


def _page_of_dossiers(connection: Connection, limit: int, page_token: str) -> list[Dossier]:
    after = get_dossier(connection, _read_page_token(page_token), "page_token") if page_token else None
    return list_dossiers(connection, limit=limit, after=after)


def _page_token(last: Dossier) -> str:
    return urlsafe_b64encode(last.name.encode()).decode()


def _read_page_token(token: str) -> str:
    try:
        return urlsafe_b64decode(token).decode()
    except ValueError as error:
        raise InvalidArgumentError(
            "PAGE_TOKEN_INVALID", "The page token is not ours.", field="page_token"
        ) from error
