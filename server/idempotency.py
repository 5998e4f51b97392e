"""Retries get the first answer: what was answered under which request id (AIP-155).

The answer is written in the transaction of its effect, so there is never one without the other. Of two
equal requests at the same time the second waits in this process (`RequestLocks`), and on another machine at
the journal's head (`recall_in_turn`); then it takes nothing into effect and reads the first one's answer.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from archive.journal import locked_head
from pecete.errors import AbortedError, AlreadyExistsError, InvalidArgumentError

METADATA = MetaData()

answered_requests = Table(
    "answered_requests",
    METADATA,
    Column("principal", String(255), primary_key=True),
    Column("request_id", String(128), primary_key=True),
    Column("method", String(128), nullable=False),
    Column("request_sha256", LargeBinary(32), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Index("answered_requests_create_time", "create_time"),
)

MAXIMUM_LENGTH = 128


@dataclass(frozen=True)
class RequestKey:
    """A caller's request: who, under which id, which method, and the SHA-256 of what was asked."""

    principal: str
    request_id: str
    method: str
    request_sha256: bytes


def request_key(principal: str, method: str, request: Message, *, extra: bytes = b"") -> RequestKey:
    """Make the key of a request message that has the fields `request_id` and perhaps `pin`.

    The PIN takes no part: it is kept nowhere, not even as a digest. `extra`: what else was asked, such as the
    digest of streamed bytes. Raises InvalidArgumentError REQUEST_ID_TOO_LONG.
    """
    copy = type(request)()
    copy.CopyFrom(request)
    request_id = check_request_id(getattr(copy, "request_id"))  # noqa: B009 - checked by the descriptor
    for field in ("pin", "request_id"):
        if field in copy.DESCRIPTOR.fields_by_name:
            copy.ClearField(field)
    digest = hashlib.sha256(copy.SerializeToString(deterministic=True) + extra).digest()
    return RequestKey(principal, request_id, method, digest)


def part_of(key: RequestKey, part: str) -> RequestKey:
    """Give the key of a part of a request, which is answered on its own: `{request id}/{part}`.

    One that would be too long to be kept is replaced by its SHA-256; a part of a request without an id has
    none either.
    """
    if not key.request_id:
        return key
    name = f"{key.request_id}/{part}"
    if len(name) > MAXIMUM_LENGTH:
        name = hashlib.sha256(name.encode()).hexdigest()
    return replace(key, request_id=name)


def check_request_id(request_id: str) -> str:
    """Give back an id that can be kept. Raises InvalidArgumentError REQUEST_ID_TOO_LONG."""
    if len(request_id) > MAXIMUM_LENGTH:
        raise InvalidArgumentError(
            "REQUEST_ID_TOO_LONG", f"At most {MAXIMUM_LENGTH} characters are taken.", field="request_id"
        )
    return request_id


def recall(connection: Connection, key: RequestKey) -> bytes | None:
    """Give the first answer to this request, serialised, or None.

    Raises AlreadyExistsError REQUEST_ID_REUSED when the id was used for something else.
    """
    if not key.request_id:
        return None
    table = answered_requests
    query = select(table.c.method, table.c.request_sha256, table.c.answer).where(
        table.c.principal == key.principal, table.c.request_id == key.request_id
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    _require_same(key, row.method, row.request_sha256)
    return bytes(row.answer)


def recall_parts(connection: Connection, parts: Sequence[RequestKey]) -> dict[str, bytes]:
    """Give the first answers to parts of one request, serialised, by request id. Raises as `recall`."""
    table = answered_requests
    known = {key.request_id: key for key in parts}
    query = select(table.c.request_id, table.c.method, table.c.request_sha256, table.c.answer).where(
        table.c.principal.in_({key.principal for key in parts}), table.c.request_id.in_(known)
    )
    rows = connection.execute(query).all()
    for row in rows:
        _require_same(known[row.request_id], row.method, row.request_sha256)
    return {row.request_id: bytes(row.answer) for row in rows}


def _require_same(key: RequestKey, method: str, request_sha256: bytes) -> None:
    if method != key.method or bytes(request_sha256) != key.request_sha256:
        raise AlreadyExistsError(
            "REQUEST_ID_REUSED", "The request id was used for another request.", field="request_id"
        )


def recall_in_turn(connection: Connection, key: RequestKey) -> bytes | None:
    """Recall in the transaction that will take the request into effect, after all that were begun before it.

    Raises as `recall` and `archive.journal.locked_head`.
    """
    locked_head(connection)
    return recall(connection, key)


def remember(connection: Connection, key: RequestKey, answer: Message, now: int) -> None:
    """Keep the answer in the transaction of its effect, which began with `recall_in_turn`.

    Raises AbortedError REQUEST_ANSWERED when the same request was answered all the same.
    """
    if key.request_id:
        remember_all(connection, [(key, answer)], now)


def remember_all(connection: Connection, answers: Sequence[tuple[RequestKey, Message]], now: int) -> None:
    """Keep several answers at once, to requests that have ids. Raises as `remember`."""
    rows = [
        {
            "principal": key.principal,
            "request_id": key.request_id,
            "method": key.method,
            "request_sha256": key.request_sha256,
            "answer": answer.SerializeToString(),
            "create_time": now,
        }
        for key, answer in answers
    ]
    try:
        connection.execute(insert(answered_requests), rows)
    except IntegrityError as error:
        raise AbortedError("REQUEST_ANSWERED", "The same request was answered meanwhile.") from error


def forget(connection: Connection, before: int) -> int:
    """Remove answers older than `before` (microseconds UTC) and give their number."""
    return connection.execute(
        delete(answered_requests).where(answered_requests.c.create_time < before)
    ).rowcount


class RequestLocks:
    """One lock for each request that is under way in this process."""

    def __init__(self) -> None:
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: defaultdict[tuple[str, str], int] = defaultdict(int)

    @asynccontextmanager
    async def hold(self, key: RequestKey) -> AsyncIterator[None]:
        """Let equal requests pass one after the other; requests without an id pass freely."""
        if not key.request_id:
            yield
            return
        name = (key.principal, key.request_id)
        self._users[name] += 1
        try:
            async with self._locks[name]:
                yield
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name], self._locks[name]
