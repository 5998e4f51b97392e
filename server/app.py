"""The wiring: every part is made here, once, and handed to whoever needs it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from google.protobuf.descriptor import ServiceDescriptor

from archive.checkpoint import CheckpointSigner
from archive.journal import Journal
from archive.objects import FileObjectStore
from pecete.archive.v1 import archive_pb2, archive_pb2_grpc
from pecete.documents.v1 import documents_pb2, documents_pb2_grpc
from pecete.errors import InvalidArgumentError
from pecete.signing.v1 import (
    signature_batches_pb2,
    signature_batches_pb2_grpc,
    signature_sessions_pb2,
    signature_sessions_pb2_grpc,
    signing_pb2,
    signing_pb2_grpc,
)
from pecete.timestamping.v1 import timestamping_pb2, timestamping_pb2_grpc
from pecete.validation.v1 import validation_pb2, validation_pb2_grpc
from pecete.workflow.v1 import workflow_pb2, workflow_pb2_grpc
from server import document_work
from server.archive_service import ArchiveService
from server.augmenting import DocumentAugmenter
from server.authorities import open_authority, open_time_stamper
from server.batch_signing import BatchSigner
from server.cades_signing import CadesSigner
from server.config import Configuration
from server.database import Database
from server.document_keeping import DocumentKeeper
from server.documents_service import DocumentService
from server.health import Check, Health
from server.idempotency import RequestLocks
from server.judging import Judge
from server.made_signatures import SignatureRaiser
from server.material_collecting import ConfiguredLists, RevocationSource
from server.metrics import Metrics
from server.migrations import require_newest
from server.revocation_check import KnownRevocations
from server.revocation_fetching import RevocationFetcher
from server.signature_batch_service import SignatureBatchService
from server.signature_session_service import SignatureSessionService
from server.signing import DocumentSigner
from server.signing_service import SigningService
from server.stamping import Stamping
from server.timestamping_service import TimestampingService
from server.token_registry import TokenRegistry
from server.trusted_lists import TrustedLists, open_trusted_lists
from server.two_phase_signing import TwoPhaseSigner
from server.validation_fetching import FetchingJudge
from server.validation_service import ValidationService
from server.workers import WorkerPool
from server.workflow_service import WorkflowService
from timestamping.authority import Authority
from timestamping.timestamper import TimeStamper


@dataclass(frozen=True)
class House:
    """All parts of a running server."""

    configuration: Configuration
    clock: Callable[[], datetime]
    database: Database
    journal: Journal
    checkpoint_signer: CheckpointSigner
    keeper: DocumentKeeper
    tokens: TokenRegistry
    judge: Judge
    fetcher: RevocationFetcher | None
    trusted_lists: TrustedLists | None
    document_workers: WorkerPool
    authority: Authority | None
    time_stamper: TimeStamper | None
    revocation: KnownRevocations
    augmenter: DocumentAugmenter
    metrics: Metrics
    health: Health

    def services(self) -> Iterator[tuple[Callable[[Any, Any], None], object, ServiceDescriptor]]:
        """Give for each service: what adds it to a server, its servicer, and its descriptor."""
        locks = RequestLocks()
        raiser = SignatureRaiser(self.keeper, self.database, self.augmenter, self.clock)
        signer = DocumentSigner(self.keeper, self.tokens, Stamping(self.time_stamper), raiser, self.clock)
        yield (
            documents_pb2_grpc.add_DocumentServiceServicer_to_server,
            DocumentService(self.database, self.keeper, locks),
            documents_pb2.DESCRIPTOR.services_by_name["DocumentService"],
        )
        yield (
            signing_pb2_grpc.add_SigningServiceServicer_to_server,
            SigningService(
                self.database,
                self.keeper,
                signer,
                self._cades_signer(raiser),
                self.augmenter,
                locks,
                self.clock,
            ),
            signing_pb2.DESCRIPTOR.services_by_name["SigningService"],
        )
        yield (
            signature_sessions_pb2_grpc.add_SignatureSessionServiceServicer_to_server,
            SignatureSessionService(self.database, self._two_phase_signer(signer), locks),
            signature_sessions_pb2.DESCRIPTOR.services_by_name["SignatureSessionService"],
        )
        yield (
            signature_batches_pb2_grpc.add_SignatureBatchServiceServicer_to_server,
            SignatureBatchService(self._batch_signer(signer), locks),
            signature_batches_pb2.DESCRIPTOR.services_by_name["SignatureBatchService"],
        )
        yield (
            validation_pb2_grpc.add_ValidationServiceServicer_to_server,
            ValidationService(self.database, self.keeper, FetchingJudge(self.judge, self.fetcher)),
            validation_pb2.DESCRIPTOR.services_by_name["ValidationService"],
        )
        yield (
            timestamping_pb2_grpc.add_TimestampingServiceServicer_to_server,
            TimestampingService(self.authority),
            timestamping_pb2.DESCRIPTOR.services_by_name["TimestampingService"],
        )
        yield (
            archive_pb2_grpc.add_ArchiveServiceServicer_to_server,
            self._archive_service(locks),
            archive_pb2.DESCRIPTOR.services_by_name["ArchiveService"],
        )
        yield (
            workflow_pb2_grpc.add_WorkflowServiceServicer_to_server,
            self._workflow_service(signer, locks),
            workflow_pb2.DESCRIPTOR.services_by_name["WorkflowService"],
        )

    def _archive_service(self, locks: RequestLocks) -> ArchiveService:
        public_key = self.checkpoint_signer.public_key
        return ArchiveService(
            database=self.database,
            keeper=self.keeper,
            journal=self.journal,
            judge=self.judge,
            signer=self.checkpoint_signer,
            journal_public_key=public_key.public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ).decode("ascii"),
            carrier_location=self.configuration.storage.location,
            locks=locks,
            clock=self.clock,
        )

    def _cades_signer(self, raiser: SignatureRaiser) -> CadesSigner:
        return CadesSigner(
            keeper=self.keeper,
            tokens=self.tokens,
            stamping=Stamping(self.time_stamper),
            raiser=raiser,
            workers=self.document_workers,
            clock=self.clock,
        )

    def _two_phase_signer(self, signer: DocumentSigner) -> TwoPhaseSigner:
        return TwoPhaseSigner(
            database=self.database,
            journal=self.journal,
            keeper=self.keeper,
            signer=signer,
            judge=self.judge,
            workers=self.document_workers,
            revocation=self.revocation,
            clock=self.clock,
        )

    def _batch_signer(self, signer: DocumentSigner) -> BatchSigner:
        return BatchSigner(self.database, self.journal, self.keeper, signer, self.clock)

    def _workflow_service(self, signer: DocumentSigner, locks: RequestLocks) -> WorkflowService:
        return WorkflowService(
            database=self.database,
            journal=self.journal,
            keeper=self.keeper,
            signer=signer,
            locks=locks,
            clock=self.clock,
        )


@asynccontextmanager
async def open_house(configuration: Configuration, clock: Callable[[], datetime]) -> AsyncIterator[House]:
    """Make every part, and close them in reverse order. Raises what keeps the server from starting."""
    async with AsyncExitStack() as stack:
        database = Database(configuration.database_url())
        stack.callback(database.close)
        metrics = Metrics()
        lists = await open_trusted_lists(configuration, clock, metrics)
        judge = Judge(
            configuration.validation,
            configuration.server.workers,
            clock,
            lists.services if lists else lambda: None,
        )
        stack.push_async_callback(judge.close)
        workers = WorkerPool(configuration.server.workers, document_work.prepare)
        stack.push_async_callback(workers.close)
        require_newest(database)
        journal = Journal(clock)
        keeper = _keeper(configuration, database, journal, clock)
        sources = await stack.enter_async_context(_open_sources(configuration, judge, clock, metrics))
        revocation = KnownRevocations(judge.revocation_lists, judge.anchors, sources.fetcher)
        tokens = TokenRegistry(configuration.tokens, metrics, revocation)
        stack.push_async_callback(tokens.close)
        authority = await open_authority(configuration.timestamping, tokens, database, journal, clock)
        stamper = await stack.enter_async_context(open_time_stamper(authority, configuration.timestamping))
        yield House(
            configuration=configuration,
            clock=clock,
            database=database,
            journal=journal,
            checkpoint_signer=checkpoint_signer(configuration),
            keeper=keeper,
            tokens=tokens,
            judge=judge,
            fetcher=sources.fetcher,
            trusted_lists=lists,
            document_workers=workers,
            authority=authority,
            time_stamper=stamper,
            revocation=revocation,
            augmenter=DocumentAugmenter(keeper, judge, sources.all, Stamping(stamper), workers, clock),
            metrics=metrics,
            health=_health(database, tokens, authority.clock if authority else None, lists, judge.anchors),
        )


@dataclass(frozen=True)
class _Sources:
    """Where validation material comes from: configured lists, then the network if that is configured."""

    lists: ConfiguredLists
    fetcher: RevocationFetcher | None

    @property
    def all(self) -> tuple[RevocationSource, ...]:
        return (self.lists,) if self.fetcher is None else (self.lists, self.fetcher)


@asynccontextmanager
async def _open_sources(
    configuration: Configuration, judge: Judge, clock: Callable[[], datetime], metrics: Metrics
) -> AsyncIterator[_Sources]:
    lists = ConfiguredLists(judge.revocation_lists)
    if not configuration.validation.fetch:
        yield _Sources(lists, None)
        return
    async with RevocationFetcher(clock, count=metrics.fetched) as fetcher:
        yield _Sources(lists, fetcher)


def checkpoint_signer(configuration: Configuration) -> CheckpointSigner:
    """Give who signs the journal's checkpoints. Raises InvalidArgumentError CONFIGURATION_KEY_UNREADABLE."""
    try:
        key = load_pem_private_key(configuration.journal.key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise _not_a_journal_key() from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_journal_key()
    return CheckpointSigner(key, configuration.journal.origin)


def _not_a_journal_key() -> InvalidArgumentError:
    return InvalidArgumentError(
        "CONFIGURATION_KEY_UNREADABLE", "This must be an unencrypted Ed25519 key, PEM.", field="journal.key"
    )


def _keeper(
    configuration: Configuration, database: Database, journal: Journal, clock: Callable[[], datetime]
) -> DocumentKeeper:
    return DocumentKeeper(
        store=FileObjectStore(configuration.storage.directory),
        database=database,
        journal=journal,
        clock=clock,
        maximum_bytes=configuration.documents.maximum_bytes,
        expire_after=timedelta(hours=configuration.documents.expire_after_hours),
    )


def _health(
    database: Database,
    tokens: TokenRegistry,
    clock: str | None,
    lists: TrustedLists | None,
    anchors: tuple[bytes, ...],
) -> Health:
    """The database is needed for everything; a token that is away leaves the others at work.

    Trusted lists are needed where nothing else is trusted.
    """

    async def look_at_database() -> None:
        await database.fetch(lambda connection: connection.exec_driver_sql("SELECT 1"))

    required: dict[str, Check] = {"database": look_at_database}
    optional: dict[str, Check] = {f"tokens/{name}": token.check for name, token in tokens.tokens.items()}
    if lists is not None:
        (optional if anchors else required)["trusted-lists"] = lists.check
    return Health(
        required,
        optional,
        {"timestamping/clock": clock} if clock else {},
    )
