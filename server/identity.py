"""Who calls: principals, known by enrolled client certificates (mTLS) or by API tokens.

A certificate counts by its SHA-256 fingerprint: one of the same CA that nobody enrolled opens nothing. Of a
token only its SHA-256 is kept: 256 random bits need no slow hash. Every change is one act in the journal.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from pecete.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnauthenticatedError,
)
from server.authorization import Role
from server.tables import credentials, principals
from workflow.journal import Act, Journal

TOKEN_PREFIX = "pct_"  # noqa: S105 - how a token begins, so that scanners of leaked secrets know it
_NAME = re.compile(r"principals/([a-z0-9][a-z0-9-]{0,62})")


@dataclass(frozen=True)
class Principal:
    """Somebody who calls: resource name `principals/{id}`, roles, times in microseconds UTC."""

    name: str
    roles: frozenset[Role]
    create_time: int
    revoke_time: int | None = None


def add(connection: Connection, journal: Journal, act: Act, name: str, roles: Iterable[Role]) -> Principal:
    """Make a principal, still without a credential.

    Raises InvalidArgumentError PRINCIPAL_NAME_INVALID or ROLES_MISSING, AlreadyExistsError PRINCIPAL_EXISTS.
    """
    identifier, wanted = _id(name), frozenset(roles)
    if not wanted:
        raise InvalidArgumentError("ROLES_MISSING", "A principal has at least one role.", field="roles")
    if connection.execute(select(principals.c.id).where(principals.c.id == identifier)).first():
        raise AlreadyExistsError("PRINCIPAL_EXISTS", "There is a principal of this name.", field="name")
    row: dict[str, object] = {
        "id": identifier,
        "roles": json.dumps(sorted(wanted), separators=(",", ":")),
        "create_time": act.time,
        "revoke_time": None,
    }
    connection.execute(insert(principals).values(row))
    _write(connection, journal, act, "principal.create", name, row, None)
    return Principal(name, wanted, act.time)


def add_certificate(
    connection: Connection, journal: Journal, act: Act, name: str, certificate: x509.Certificate
) -> bytes:
    """Enrol a client certificate and give its SHA-256 fingerprint.

    Raises NotFoundError PRINCIPAL_NOT_FOUND, FailedPreconditionError PRINCIPAL_REVOKED and AlreadyExistsError
    CREDENTIAL_EXISTS.
    """
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    _add_credential(connection, journal, act, name, "certificate", fingerprint)
    return fingerprint


def add_token(connection: Connection, journal: Journal, act: Act, name: str) -> str:
    """Make an API token and give it, this one time. Raises as `add_certificate`."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    _add_credential(connection, journal, act, name, "token", _token_sha256(token))
    return token


def revoke(connection: Connection, journal: Journal, act: Act, name: str) -> None:
    """Shut a principal out for good, with every credential. Raises NotFoundError PRINCIPAL_NOT_FOUND."""
    principal = get(connection, name)
    if principal.revoke_time is not None:
        return
    owned = credentials.c.principal == _id(name)
    for found in connection.execute(select(credentials.c.sha256).where(owned)).scalars().all():
        sha256, resource = bytes(found), _credential_name(bytes(found))
        _write(connection, journal, act, "credential.remove", resource, None, sha256)
    connection.execute(delete(credentials).where(owned))
    one = principals.c.id == _id(name)
    connection.execute(update(principals).where(one).values(revoke_time=act.time))
    row = connection.execute(select(principals).where(one)).mappings().one()
    _write(connection, journal, act, "principal.revoke", name, dict(row), None)


def get(connection: Connection, name: str) -> Principal:
    """Give a principal by name. Raises NotFoundError PRINCIPAL_NOT_FOUND."""
    row = connection.execute(select(principals).where(principals.c.id == _id(name))).mappings().first()
    if row is None:
        raise NotFoundError("PRINCIPAL_NOT_FOUND", "There is no such principal.", field="name")
    return _principal(row)


def list_principals(connection: Connection) -> list[Principal]:
    """Give all principals by name, revoked ones too."""
    return [
        _principal(r) for r in connection.execute(select(principals).order_by(principals.c.id)).mappings()
    ]


def identify_certificate(connection: Connection, certificate_pem: bytes) -> Principal:
    """Give whose client certificate this is. Raises UnauthenticatedError CERTIFICATE_NOT_ENROLLED."""
    try:
        der = x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER)
    except ValueError as error:
        raise UnauthenticatedError("CERTIFICATE_NOT_ENROLLED", "The certificate cannot be read.") from error
    found = _identify(connection, "certificate", hashlib.sha256(der).digest())
    if found is None:
        raise UnauthenticatedError("CERTIFICATE_NOT_ENROLLED", "The certificate belongs to no principal.")
    return found


def identify_token(connection: Connection, token: str) -> Principal:
    """Give whose API token this is. Raises UnauthenticatedError TOKEN_INVALID."""
    found = None
    if token.startswith(TOKEN_PREFIX):
        found = _identify(connection, "token", _token_sha256(token))
    if found is None:
        raise UnauthenticatedError("TOKEN_INVALID", "The API token is not valid.", field="authorization")
    return found


def journalled_rows(connection: Connection) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each principal's and credential's resource name and row as it was journalled."""
    for row in connection.execute(select(principals).order_by(principals.c.id)).mappings():
        yield f"principals/{row['id']}", dict(row)
    for row in connection.execute(select(credentials).order_by(credentials.c.sha256)).mappings():
        yield _credential_name(row["sha256"]), dict(row)


def _add_credential(
    connection: Connection, journal: Journal, act: Act, name: str, kind: str, sha256: bytes
) -> None:
    if get(connection, name).revoke_time is not None:
        raise FailedPreconditionError("PRINCIPAL_REVOKED", "The principal was revoked.", field="name")
    if connection.execute(select(credentials.c.sha256).where(credentials.c.sha256 == sha256)).first():
        raise AlreadyExistsError("CREDENTIAL_EXISTS", "A principal has this credential.", field="certificate")
    row: dict[str, object] = {
        "sha256": sha256,
        "principal": _id(name),
        "kind": kind,
        "create_time": act.time,
    }
    connection.execute(insert(credentials).values(row))
    _write(connection, journal, act, "credential.create", _credential_name(sha256), row, sha256)


def _identify(connection: Connection, kind: str, sha256: bytes) -> Principal | None:
    query = (
        select(principals, credentials.c.sha256)
        .join(credentials, credentials.c.principal == principals.c.id)
        .where(credentials.c.sha256 == sha256, credentials.c.kind == kind, principals.c.revoke_time.is_(None))
    )
    row = connection.execute(query).mappings().first()
    if row is None or not hmac.compare_digest(bytes(row["sha256"]), sha256):
        return None
    return _principal(row)


def _write(
    connection: Connection,
    journal: Journal,
    act: Act,
    kind: str,
    resource: str,
    row: Mapping[str, object] | None,
    digest: bytes | None,
) -> None:
    """Append an act of this kind in the caller's transaction."""
    journal.append(
        connection,
        actor=act.actor,
        act=kind,
        resource=resource,
        request_id=act.request_id,
        digest=digest,
        row=row,
    )


def _principal(row: RowMapping) -> Principal:
    roles = frozenset(Role(role) for role in json.loads(row["roles"]))
    return Principal(f"principals/{row['id']}", roles, row["create_time"], row["revoke_time"])


def _id(name: str) -> str:
    match = _NAME.fullmatch(name)
    if match is None:
        raise InvalidArgumentError(
            "PRINCIPAL_NAME_INVALID",
            "A principal's name is principals/ and up to 63 of a-z, 0-9 and -.",
            field="name",
        )
    return match.group(1)


def _credential_name(sha256: object) -> str:
    """Give a credential's name, also where somebody put something else than a digest into its row."""
    return f"credentials/{sha256.hex() if isinstance(sha256, bytes) else repr(sha256)}"


def _token_sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8")).digest()
