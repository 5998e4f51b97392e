"""Documents that the service holds: rows over the object store, and when they go.

A document is a name for bytes. It goes when its `expire_time` has passed and nothing holds it; its object
goes with the last row that refers to it. Both happen in one write transaction that the journal's head
serialises with every upload, so that no upload can count on bytes that are about to go.
"""

import secrets
from base64 import b32encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    delete,
    insert,
    literal,
    select,
)

from archive.journal import Journal, NewEntry
from pecete.errors import AbortedError, NotFoundError
from workflow.journal import Act

METADATA = MetaData()

documents = Table(
    "documents",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("owner", String(255), nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
    Index("documents_sha256", "sha256"),
    Index("documents_expire_time", "expire_time"),
)


@dataclass(frozen=True)
class Document:
    """One row: `id` without the collection, SHA-256 and length of the bytes, times in microseconds UTC."""

    id: str
    sha256: bytes
    size_bytes: int
    media_type: str
    display_name: str
    owner: str
    create_time: int
    expire_time: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"documents/{self.id}"


def new_id() -> str:
    """Give an unguessable id of 26 letters and digits (128 bits)."""
    return b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def add(
    connection: Connection,
    journal: Journal,
    act: Act,
    document: Document,
    *,
    kind: str,
    exists: Callable[[str], bool],
) -> None:
    """Write a document's row and its act of `kind`, such as `document.upload`.

    Raises AbortedError OBJECT_GONE when the bytes were swept between their storing and this transaction; the
    caller stores them again.
    """
    journal.append(
        connection,
        actor=act.actor,
        act=kind,
        resource=document.name,
        request_id=act.request_id,
        digest=document.sha256,
        row=asdict(document),
    )
    if not exists(document.sha256.hex()):
        raise _object_gone()
    connection.execute(insert(documents).values(asdict(document)))


def _object_gone() -> AbortedError:
    return AbortedError("OBJECT_GONE", "The stored bytes were removed meanwhile; send them again.")


def get(connection: Connection, name: str) -> Document:
    """Give the document of this resource name. Raises NotFoundError DOCUMENT_NOT_FOUND."""
    collection, _, identifier = name.partition("/")
    row = None
    if collection == "documents" and identifier:
        row = connection.execute(select(documents).where(documents.c.id == identifier)).mappings().first()
    if row is None:
        raise NotFoundError("DOCUMENT_NOT_FOUND", "There is no such document.", field="document")
    return Document(**row)


def add_all(
    connection: Connection,
    journal: Journal,
    made: Sequence[tuple[NewEntry, Document]],
    more: Sequence[NewEntry],
    exists: Callable[[str], bool],
) -> None:
    """Write many documents' rows at once, each with its act, and further acts. Raises as `add`."""
    journal.append_all(connection, [*(entry for entry, _document in made), *more])
    if not all(exists(document.sha256.hex()) for _entry, document in made):
        raise _object_gone()
    connection.execute(insert(documents), [asdict(document) for _entry, document in made])


def find(connection: Connection, names: Sequence[str]) -> dict[str, Document]:
    """Give those of at most some hundred documents that are there, by their resource names."""
    identifiers = [name.removeprefix("documents/") for name in names]
    query = select(documents).where(documents.c.id.in_(identifiers))
    found = (Document(**row) for row in connection.execute(query).mappings())
    return {document.name: document for document in found}


def due_for_expiry(
    connection: Connection, now: int, held: Select[tuple[str]], limit: int = 1000
) -> list[str]:
    """Give the names of documents whose time has passed and that nothing holds.

    held: query for the names of all held documents, of which there are more and more.
    """
    name = literal("documents/") + documents.c.id
    query = select(name).where(documents.c.expire_time < now, name.not_in(held))
    return list(connection.execute(query.order_by(documents.c.expire_time).limit(limit)).scalars())


def expire(
    connection: Connection,
    journal: Journal,
    act: Act,
    name: str,
    is_held: Callable[[Connection, str], bool],
) -> str | None:
    """Remove an expired document's row; give its SHA-256 in hex when no other document refers to the bytes.

    is_held: says whether something holds the document of a name. Does nothing (None) when the document is
    gone, is held or has not expired: a repeated job harms nothing. Raises AbortedError DOCUMENT_HELD when it
    was held meanwhile.
    """
    if is_held(connection, name):
        return None
    try:
        document = get(connection, name)
    except NotFoundError:
        return None
    if document.expire_time >= act.time:
        return None
    journal.append(
        connection,
        actor=act.actor,
        act="document.expire",
        resource=name,
        request_id=act.request_id,
        digest=document.sha256,
        row=None,
    )
    if is_held(connection, name):  # whoever wants to hold it waits for the journal's head from here on
        raise AbortedError("DOCUMENT_HELD", "A dossier has come to hold the document.")
    connection.execute(delete(documents).where(documents.c.id == document.id))
    return None if is_referenced(connection, document.sha256) else document.sha256.hex()


def is_referenced(connection: Connection, sha256: bytes) -> bool:
    """Say whether any document has these bytes."""
    query = select(documents.c.id).where(documents.c.sha256 == sha256).limit(1)
    return connection.execute(query).first() is not None


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each document's resource name and row as it was journalled."""
    query = select(documents).order_by(documents.c.id).execution_options(yield_per=1000)
    for row in connection.execute(query).mappings():
        yield f"documents/{row['id']}", dict(row)


def referenced_objects(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give each document's resource name and the SHA-256 of its bytes in hex; altered ones `fsck` names."""
    query = select(documents.c.id, documents.c.sha256).execution_options(yield_per=1000)
    for identifier, sha256 in connection.execute(query):
        if isinstance(sha256, bytes):
            yield f"documents/{identifier}", sha256.hex()
