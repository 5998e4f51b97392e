"""Who may call what: one table, and whatever is not in it is refused."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pecete.errors import PermissionDeniedError


class Role(StrEnum):
    """What a principal is to the service. A principal may have several."""

    DEPARTMENT = "department"
    """An application of a department: brings documents, has them signed, validated and archived."""
    SIGNER = "signer"
    """A person who signs the steps that are theirs."""
    ARCHIVIST = "archivist"
    """Keeps the archive."""
    AUDITOR = "auditor"
    """Reads records, proofs and dossiers, and changes nothing."""
    ADMINISTRATOR = "administrator"
    """Enrols persons and makes procedures; signs nothing."""


OPEN = frozenset(
    {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/List"}
)
"""Methods for everyone, known or not."""

AUTHENTICATED = frozenset(
    {
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    }
)
"""Methods for every known caller."""

_WORKS = frozenset({Role.DEPARTMENT, Role.SIGNER})
_KEEPS = _WORKS | {Role.ARCHIVIST}
_READS = _KEEPS | {Role.AUDITOR}
_FILES = frozenset({Role.DEPARTMENT, Role.ARCHIVIST})
_PROVES = frozenset({Role.DEPARTMENT, Role.ARCHIVIST, Role.AUDITOR})
_ADMINISTERS = frozenset({Role.ADMINISTRATOR})
_FOLLOWS = _WORKS | {Role.AUDITOR, Role.ADMINISTRATOR}

ROLES: Mapping[str, frozenset[Role]] = {
    "/pecete.documents.v1.DocumentService/CreateDocument": _KEEPS,
    "/pecete.documents.v1.DocumentService/UploadDocument": _KEEPS,
    "/pecete.documents.v1.DocumentService/GetDocument": _READS,
    "/pecete.documents.v1.DocumentService/DownloadDocument": _READS,
    "/pecete.signing.v1.SigningService/ListSigningKeys": _WORKS,
    "/pecete.signing.v1.SigningService/GetSigningKey": _WORKS,
    "/pecete.signing.v1.SigningService/SignDocument": _WORKS,
    "/pecete.signing.v1.SignatureSessionService/PrepareSignature": _WORKS,
    "/pecete.signing.v1.SignatureSessionService/GetSignatureSession": _WORKS,
    "/pecete.signing.v1.SignatureSessionService/CompleteSignature": _WORKS,
    "/pecete.signing.v1.SignatureBatchService/SignBatch": _WORKS,
    "/pecete.signing.v1.SigningService/AugmentSignature": _KEEPS,
    "/pecete.validation.v1.ValidationService/ValidateDocument": _READS,
    "/pecete.timestamping.v1.TimestampingService/CreateTimestamp": _KEEPS,
    "/pecete.archive.v1.ArchiveService/ArchiveDocument": _FILES,
    "/pecete.archive.v1.ArchiveService/GetRecord": _PROVES,
    "/pecete.archive.v1.ArchiveService/ListRecords": _PROVES,
    "/pecete.archive.v1.ArchiveService/DownloadRecord": _PROVES,
    "/pecete.archive.v1.ArchiveService/VerifyRecord": _PROVES,
    "/pecete.archive.v1.ArchiveService/GetRecordProof": _PROVES,
    "/pecete.workflow.v1.WorkflowService/CreatePerson": _ADMINISTERS,
    "/pecete.workflow.v1.WorkflowService/GetPerson": _FOLLOWS,
    "/pecete.workflow.v1.WorkflowService/CreateProcedure": _ADMINISTERS,
    "/pecete.workflow.v1.WorkflowService/GetProcedure": _FOLLOWS,
    "/pecete.workflow.v1.WorkflowService/CreateDossier": frozenset({Role.DEPARTMENT}),
    "/pecete.workflow.v1.WorkflowService/GetDossier": _FOLLOWS,
    "/pecete.workflow.v1.WorkflowService/ListDossiers": _FOLLOWS,
    "/pecete.workflow.v1.WorkflowService/SignStep": frozenset({Role.SIGNER}),
}
"""The roles of which a caller needs one, by full method name."""


def authorize(method: str, roles: Iterable[Role]) -> None:
    """Let a known caller with these roles pass. Raises PermissionDeniedError ROLE_REQUIRED."""
    if method in OPEN or method in AUTHENTICATED:
        return
    _require(method, ROLES.get(method, frozenset()), roles)


def authorize_step(method: str, roles: Iterable[Role]) -> None:
    """Let a caller who signs steps pass, in a method that does so besides. Raises as `authorize`."""
    _require(method, ROLES["/pecete.workflow.v1.WorkflowService/SignStep"], roles)


def _require(method: str, wanted: frozenset[Role], roles: Iterable[Role]) -> None:
    if wanted.isdisjoint(roles):
        raise PermissionDeniedError(
            "ROLE_REQUIRED",
            "None of your roles may call this method.",
            metadata={"method": method, "roles": ",".join(sorted(wanted))},
        )
