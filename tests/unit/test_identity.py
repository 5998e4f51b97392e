"""Principals: who is known by what, what is kept of it, and that every change is an act."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, select

from pecete.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnauthenticatedError,
)
from server import identity
from server.authorization import Role
from server.database import Database
from server.tables import METADATA, credentials
from workflow.journal import Act

ACT = Act("principals/administrator", "r1", 1_700_000_000_000_000)
NAME = "principals/registry"


@dataclass
class MemoryJournal:
    """Remembers acts, and the present row of every resource."""

    acts: list[str] = field(default_factory=list)
    rows: dict[str, Mapping[str, object]] = field(default_factory=dict)

    def append(
        self,
        connection: Connection,
        *,
        actor: str,
        act: str,
        resource: str,
        request_id: str,
        digest: bytes | None,
        row: Mapping[str, object] | None,
    ) -> int:
        """Append one act."""
        assert (actor, request_id) == (ACT.actor, ACT.request_id)
        self.acts.append(act)
        if row is None:
            del self.rows[resource]
        else:
            self.rows[resource] = row
        return len(self.acts) - 1


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{tmp_path / 'identity.db'}")
    with database.begin() as connection:
        METADATA.create_all(connection)
        yield connection
    database.close()


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def test_a_certificate_leads_to_its_principal(
    connection: Connection, journal: MemoryJournal, certificate: x509.Certificate
) -> None:
    identity.add(connection, journal, ACT, NAME, [Role.DEPARTMENT, Role.AUDITOR])
    fingerprint = identity.add_certificate(connection, journal, ACT, NAME, certificate)
    assert fingerprint == certificate.fingerprint(hashes.SHA256())
    principal = identity.identify_certificate(connection, pem(certificate))
    assert principal.name == NAME
    assert principal.roles == {Role.DEPARTMENT, Role.AUDITOR}
    assert journal.acts == ["principal.create", "credential.create"]


def test_a_token_leads_to_its_principal_and_is_not_kept(
    connection: Connection, journal: MemoryJournal
) -> None:
    identity.add(connection, journal, ACT, NAME, [Role.SIGNER])
    token = identity.add_token(connection, journal, ACT, NAME)
    assert token.startswith("pct_")
    assert identity.identify_token(connection, token).name == NAME
    (row,) = connection.execute(select(credentials)).mappings()
    assert row["sha256"] == hashlib.sha256(token.encode()).digest()
    assert token not in repr(journal.rows) + repr(dict(row))


def test_strangers_are_refused(
    connection: Connection, journal: MemoryJournal, certificate: x509.Certificate
) -> None:
    identity.add(connection, journal, ACT, NAME, [Role.SIGNER])
    token = identity.add_token(connection, journal, ACT, NAME)
    for wrong in ("", "pct_", token[:-1], token + "A", token.removeprefix("pct_"), token.upper()):
        with pytest.raises(UnauthenticatedError, match="TOKEN_INVALID"):
            identity.identify_token(connection, wrong)
    for unknown in (pem(certificate), b"", b"-----BEGIN CERTIFICATE-----"):
        with pytest.raises(UnauthenticatedError, match="CERTIFICATE_NOT_ENROLLED"):
            identity.identify_certificate(connection, unknown)


def test_a_revoked_principal_is_shut_out_for_good(
    connection: Connection, journal: MemoryJournal, certificate: x509.Certificate
) -> None:
    identity.add(connection, journal, ACT, NAME, [Role.SIGNER])
    token = identity.add_token(connection, journal, ACT, NAME)
    identity.add_certificate(connection, journal, ACT, NAME, certificate)
    identity.revoke(connection, journal, ACT, NAME)
    identity.revoke(connection, journal, ACT, NAME)
    with pytest.raises(UnauthenticatedError):
        identity.identify_token(connection, token)
    with pytest.raises(UnauthenticatedError):
        identity.identify_certificate(connection, pem(certificate))
    with pytest.raises(FailedPreconditionError, match="PRINCIPAL_REVOKED"):
        identity.add_token(connection, journal, ACT, NAME)
    with pytest.raises(AlreadyExistsError, match="PRINCIPAL_EXISTS"):
        identity.add(connection, journal, ACT, NAME, [Role.SIGNER])
    assert [principal.revoke_time for principal in identity.list_principals(connection)] == [ACT.time]
    assert journal.acts[3:] == ["credential.remove", "credential.remove", "principal.revoke"]


def test_one_certificate_belongs_to_one_principal(
    connection: Connection, journal: MemoryJournal, certificate: x509.Certificate
) -> None:
    for name in (NAME, "principals/other"):
        identity.add(connection, journal, ACT, name, [Role.SIGNER])
    identity.add_certificate(connection, journal, ACT, NAME, certificate)
    with pytest.raises(AlreadyExistsError, match="CREDENTIAL_EXISTS"):
        identity.add_certificate(connection, journal, ACT, "principals/other", certificate)


@pytest.mark.parametrize(
    "name", ["registry", "principals/", "principals/A", "principals/a b", "principals/-a"]
)
def test_names_are_plain(connection: Connection, journal: MemoryJournal, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="PRINCIPAL_NAME_INVALID"):
        identity.add(connection, journal, ACT, name, [Role.SIGNER])
    assert journal.acts == []


def test_a_principal_has_a_role_and_exists(connection: Connection, journal: MemoryJournal) -> None:
    with pytest.raises(InvalidArgumentError, match="ROLES_MISSING"):
        identity.add(connection, journal, ACT, NAME, [])
    with pytest.raises(NotFoundError, match="PRINCIPAL_NOT_FOUND"):
        identity.add_token(connection, journal, ACT, NAME)


def test_the_present_rows_are_those_journalled(
    connection: Connection, journal: MemoryJournal, certificate: x509.Certificate
) -> None:
    for name in (NAME, "principals/gone"):
        identity.add(connection, journal, ACT, name, [Role.SIGNER, Role.AUDITOR])
        identity.add_token(connection, journal, ACT, name)
    identity.add_certificate(connection, journal, ACT, NAME, certificate)
    identity.revoke(connection, journal, ACT, "principals/gone")
    assert dict(identity.journalled_rows(connection)) == journal.rows
    assert len(journal.rows) == 4
