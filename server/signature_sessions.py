"""Signature sessions: prepared signatures that wait for the value that their signer's own token makes.

A session belongs to one principal and one certificate and is completed once: the transaction that registers
the signed document sets its `complete_time`, and only where none is set. Everything that completion needs is
in the row, so that any server that shares the database can do it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from archive.journal import Journal
from pecete.errors import FailedPreconditionError, NotFoundError
from signer import cms
from signer.algorithms import ALGORITHMS, SignatureAlgorithm
from signer.pades.signing import PreparedSection
from workflow.journal import Act

METADATA = MetaData()

LIFETIME = timedelta(minutes=10)
"""How long a signature value is waited for."""

REMEMBERED = timedelta(hours=1)
"""How long after its end a session is kept, so that whoever comes late learns what became of it."""

signature_sessions = Table(
    "signature_sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("principal", String(255), nullable=False),
    Column("document", String(255), nullable=False),
    Column("document_sha256", LargeBinary(32), nullable=False),
    Column("step", String(255), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("chain", Text, nullable=False),
    Column("algorithm", String(32), nullable=False),
    Column("level", String(8), nullable=False),
    Column("signing_time", BigInteger, nullable=False),
    Column("field_name", Text, nullable=False),
    Column("base_length", BigInteger, nullable=False),
    Column("base_digest", LargeBinary, nullable=False),
    Column("tail", LargeBinary, nullable=False),
    Column("gap_position", Integer, nullable=False),
    Column("gap_length", Integer, nullable=False),
    Column("document_digest", LargeBinary, nullable=False),
    Column("signed_attributes", LargeBinary, nullable=False),
    Column("preview", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
    Column("complete_time", BigInteger),
    Column("signed_document", String(255)),
    Index("signature_sessions_expire_time", "expire_time"),
)


@dataclass(frozen=True)
class SignatureSession:
    """One row.

    document, step, signed_document: resource names; step is "" where none is signed. document_sha256: of the
    bytes that were prepared. certificate: DER. chain: JSON array of DER in hex. algorithm: its name.
    base_length, base_digest, tail, gap_position, gap_length, document_digest (over the ByteRange),
    signed_attributes: as in `PreparedSection`. preview: what the signer is shown, JSON of the message.
    Times in microseconds UTC.
    """

    id: str
    principal: str
    document: str
    document_sha256: bytes
    step: str
    certificate: bytes
    chain: str
    algorithm: str
    level: str
    signing_time: int
    field_name: str
    base_length: int
    base_digest: bytes
    tail: bytes
    gap_position: int
    gap_length: int
    document_digest: bytes
    signed_attributes: bytes
    preview: str
    create_time: int
    expire_time: int
    complete_time: int | None = None
    signed_document: str | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return f"signatureSessions/{self.id}"

    @property
    def certificate_sha256(self) -> bytes:
        """SHA-256 of the signer's certificate."""
        return sha256(self.certificate).digest()

    @property
    def signature_algorithm(self) -> SignatureAlgorithm:
        """What the key signs with."""
        return ALGORITHMS[self.algorithm]

    @property
    def byte_range(self) -> tuple[int, int, int, int]:
        """Offsets and lengths of the two signed parts of the document with its section."""
        start = self.base_length + self.gap_position
        end = start + self.gap_length
        return 0, start, end, self.base_length + len(self.tail) - end

    def prepared_section(self) -> PreparedSection:
        """Give back what was prepared."""
        chain = tuple(bytes.fromhex(each) for each in json.loads(self.chain))
        return PreparedSection(
            base_length=self.base_length,
            tail=self.tail,
            gap_position=self.gap_position,
            gap_length=self.gap_length,
            digest=self.document_digest,
            base_digest=self.base_digest,
            field_name=self.field_name,
            signed_attributes=self.signed_attributes,
            certificate=self.certificate,
            cms=cms.cms_constants(self.certificate, chain, self.signature_algorithm),
        )

    def require_open(self, now: int) -> None:
        """Refuse what is over.

        Raises FailedPreconditionError SIGNATURE_SESSION_COMPLETED, with the signed document in its metadata,
        or SIGNATURE_SESSION_EXPIRED.
        """
        if self.complete_time is not None:
            raise _completed(self.signed_document)
        if now >= self.expire_time:
            raise FailedPreconditionError(
                "SIGNATURE_SESSION_EXPIRED",
                "The session has expired; prepare the signature again.",
                field="name",
            )


def chain_text(chain: tuple[bytes, ...]) -> str:
    """Give a chain (DER) as the row keeps it."""
    return json.dumps([each.hex() for each in chain])


def add(connection: Connection, journal: Journal, act: Act, session: SignatureSession) -> None:
    """Write a new session and its act."""
    _journal(connection, journal, act, "session.prepare", session)
    connection.execute(insert(signature_sessions).values(asdict(session)))


def get(connection: Connection, name: str, principal: str) -> SignatureSession:
    """Give a session of this principal's; a foreign one is as unknown as one that is not there.

    Raises NotFoundError SIGNATURE_SESSION_NOT_FOUND.
    """
    collection, _, identifier = name.partition("/")
    table = signature_sessions
    query = select(table).where(table.c.id == identifier, table.c.principal == principal)
    row = connection.execute(query).mappings().first() if collection == "signatureSessions" else None
    if row is None:
        raise NotFoundError(
            "SIGNATURE_SESSION_NOT_FOUND", "There is no such session, or it is not yours.", field="name"
        )
    return SignatureSession(**row)


def complete(
    connection: Connection, journal: Journal, act: Act, session: SignatureSession, signed_document: str
) -> None:
    """Use the session up, in the transaction that registers the signed document.

    Raises FailedPreconditionError SIGNATURE_SESSION_COMPLETED when another transaction was first: the caller
    gives this one up.
    """
    done = replace(session, complete_time=act.time, signed_document=signed_document)
    _journal(connection, journal, act, "session.complete", done)
    table = signature_sessions
    still_open = update(table).where(table.c.id == session.id, table.c.complete_time.is_(None))
    changed = connection.execute(
        still_open.values(complete_time=done.complete_time, signed_document=signed_document)
    )
    if changed.rowcount != 1:
        raise _completed(None)


def due_for_expiry(connection: Connection, now: int, limit: int = 1000) -> list[str]:
    """Give the names of sessions that need not be remembered any longer."""
    table = signature_sessions
    query = select(table.c.id).where(table.c.expire_time < _forgotten(now)).limit(limit)
    return [f"signatureSessions/{identifier}" for identifier in connection.execute(query).scalars()]


def expire(connection: Connection, journal: Journal, act: Act, name: str) -> None:
    """Remove a session that is due; a repeated job finds nothing and does nothing."""
    table = signature_sessions
    here = (table.c.id == name.partition("/")[2], table.c.expire_time < _forgotten(act.time))
    if connection.execute(select(table.c.id).where(*here)).first() is None:
        return
    journal.append(
        connection,
        actor=act.actor,
        act="session.expire",
        resource=name,
        request_id=act.request_id,
        digest=None,
        row=None,
    )
    connection.execute(delete(table).where(*here))


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each session's resource name and row as it was journalled."""
    query = select(signature_sessions).order_by(signature_sessions.c.id).execution_options(yield_per=100)
    for row in connection.execute(query).mappings():
        yield f"signatureSessions/{row['id']}", dict(row)


def _journal(
    connection: Connection, journal: Journal, act: Act, kind: str, session: SignatureSession
) -> None:
    journal.append(
        connection,
        actor=act.actor,
        act=kind,
        resource=session.name,
        request_id=act.request_id,
        digest=session.document_digest,
        row=asdict(session),
    )


def _forgotten(now: int) -> int:
    return now - REMEMBERED // timedelta(microseconds=1)


def _completed(signed_document: str | None) -> FailedPreconditionError:
    return FailedPreconditionError(
        "SIGNATURE_SESSION_COMPLETED",
        "The session was completed; it makes one signature.",
        field="name",
        metadata={"document": signed_document} if signed_document else {},
    )
