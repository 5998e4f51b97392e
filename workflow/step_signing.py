"""Signing a step in two calls: leave is asked before a key is touched, and asked again with the result.

Between the two the signature is made, which takes as long as a token takes; no transaction stays open for it.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from pecete.errors import AbortedError, PermissionDeniedError
from signer.pades.options import Certification, Lock, PlannedField
from workflow.creation import request_reused
from workflow.dossier import Dossier, StepSignature, get_dossier
from workflow.journal import Act, Journal
from workflow.names import DOCUMENTS, DOSSIERS, id_of, parse_step_name, step_name
from workflow.organisation import get_person
from workflow.procedure import get_procedure
from workflow.tables import dossier_steps, dossiers


@dataclass(frozen=True)
class StepAuthorisation:
    """Leave to sign one step: what is to be signed, and how the signer is shown.

    document: the dossier's document at that moment, which is what must be signed.
    capacity (such as „Primar”) and person_display_name: shown in the signature's appearance.
    certificate_sha256: the certificate that was allowed; the signature must be made with it.
    certification, lock: what it certifies, where it is the document's first, and locks.
    planned_fields: those of the later steps; each has its step's name, as this one's has `name`.
    """

    dossier_id: str
    number: int
    document: str
    post: str
    capacity: str
    person: str
    person_display_name: str
    certificate_sha256: bytes
    certification: Certification | None
    lock: Lock | None
    planned_fields: tuple[PlannedField, ...]

    @property
    def name(self) -> str:
        """Resource name of the step."""
        return step_name(self.dossier_id, self.number)

    @property
    def dossier(self) -> str:
        """Resource name of the dossier."""
        return f"{DOSSIERS}/{self.dossier_id}"


def recall_step(connection: Connection, act: Act, name: str, *, certificate_sha256: bytes) -> Dossier | None:
    """Give the dossier as it is now when this very request has signed this step before, otherwise None.

    Raises InvalidArgumentError NAME_INVALID, AlreadyExistsError REQUEST_ID_REUSED when the same caller signed
    another step, or with another certificate, under this request id.
    """
    wanted = parse_step_name(name)
    if not act.request_id:
        return None
    steps = dossier_steps
    query = select(steps.c.dossier, steps.c.number, steps.c.certificate_sha256).where(
        steps.c.principal == act.actor, steps.c.request_id == act.request_id
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if (row.dossier, row.number) != wanted or bytes(row.certificate_sha256) != certificate_sha256:
        raise request_reused()
    return get_dossier(connection, f"{DOSSIERS}/{row.dossier}")


def authorise_step(
    connection: Connection, name: str, *, principal: str, certificate_sha256: bytes
) -> StepAuthorisation:
    """Give leave to sign the step `dossiers/{id}/steps/{number}`, or refuse with the reason. Changes nothing.

    Raises InvalidArgumentError NAME_INVALID, NotFoundError DOSSIER_NOT_FOUND, and what `state.Chain.sign`
    raises: STEP_NOT_FOUND, WRONG_SIGNER, STEP_ALREADY_SIGNED, STEP_OUT_OF_TURN, WRONG_CERTIFICATE.
    """
    dossier_id, number = parse_step_name(name)
    dossier = get_dossier(connection, f"{DOSSIERS}/{dossier_id}")
    dossier.chain.step_state(number)
    step = dossier.steps[number - 1]
    person = get_person(connection, step.person)
    dossier.chain.sign(number, person.signer, principal=principal, certificate_sha256=certificate_sha256)
    planned = get_procedure(connection, dossier.procedure).steps
    return StepAuthorisation(
        dossier_id=dossier_id,
        number=number,
        document=dossier.document,
        post=step.post,
        capacity=step.capacity,
        person=person.name,
        person_display_name=person.display_name,
        certificate_sha256=certificate_sha256,
        certification=planned[number - 1].certification,
        lock=planned[number - 1].lock,
        planned_fields=tuple(
            PlannedField(step_name(dossier_id, later), each.lock)
            for later, each in enumerate(planned[number:], number + 1)
        ),
    )


def complete_step(
    connection: Connection,
    journal: Journal,
    act: Act,
    authorisation: StepAuthorisation,
    *,
    document: str,
    document_sha256: bytes,
    signature: StepSignature,
) -> Dossier:
    """Take the signature in; `document` is the new document, whose row is written in the same transaction.

    Leave is asked again for the state as it is now. Raises AbortedError DOSSIER_CHANGED when the dossier's
    document is no longer the one that was signed: the caller gives up the transaction, and with it the new
    document. Raises also AlreadyExistsError REQUEST_ID_REUSED and what `authorise_step` raises.
    """
    id_of(document, DOCUMENTS, "document")
    certificate = signature.certificate_sha256
    if certificate != authorisation.certificate_sha256:
        raise PermissionDeniedError(
            "WRONG_CERTIFICATE",
            "The step was signed with another certificate than was allowed.",
            field="signing_key",
        )
    if get_dossier(connection, authorisation.dossier).document != authorisation.document:
        raise _dossier_changed()
    recall_step(connection, act, authorisation.name, certificate_sha256=certificate)
    authorise_step(connection, authorisation.name, principal=act.actor, certificate_sha256=certificate)
    _write_step(connection, journal, act, authorisation, document_sha256, signature)
    _write_dossier(connection, journal, act, authorisation, document)
    return get_dossier(connection, authorisation.dossier)


def _write_step(
    connection: Connection,
    journal: Journal,
    act: Act,
    authorisation: StepAuthorisation,
    document_sha256: bytes,
    signature: StepSignature,
) -> None:
    table = dossier_steps
    place = (table.c.dossier == authorisation.dossier_id, table.c.number == authorisation.number)
    signed = {
        "sign_time": act.time,
        "principal": act.actor,
        "request_id": act.request_id or None,
        **asdict(signature),
    }
    row = dict(connection.execute(select(table).where(*place)).mappings().one()) | signed
    journal.append(
        connection,
        actor=act.actor,
        act="step.sign",
        resource=authorisation.name,
        request_id=act.request_id,
        digest=document_sha256,
        row=row,
    )
    try:
        connection.execute(update(table).where(*place).values(signed))
    except IntegrityError as error:
        raise _dossier_changed() from error


def _write_dossier(
    connection: Connection, journal: Journal, act: Act, authorisation: StepAuthorisation, document: str
) -> None:
    table = dossiers
    moved = {"document": document, "update_time": act.time}
    here = table.c.id == authorisation.dossier_id
    row = dict(connection.execute(select(table).where(here)).mappings().one()) | moved
    journal.append(
        connection,
        actor=act.actor,
        act="dossier.update",
        resource=authorisation.dossier,
        request_id=act.request_id,
        digest=None,
        row=row,
    )
    unchanged = table.c.document == authorisation.document
    if connection.execute(update(table).where(here, unchanged).values(moved)).rowcount != 1:
        raise _dossier_changed()


def _dossier_changed() -> AbortedError:
    return AbortedError(
        "DOSSIER_CHANGED", "The dossier has moved on since the signature was begun; read it again."
    )
