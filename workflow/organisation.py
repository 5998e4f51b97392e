"""Persons who sign: the principal they call as, and the certificates they sign with."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from pecete.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from workflow.creation import first_answer, new_row, write_row
from workflow.journal import Act, Journal
from workflow.names import PERSONS, check_text, id_of
from workflow.state import Signer
from workflow.tables import persons, row_of

PRINCIPAL_MAXIMUM = 255


@dataclass(frozen=True)
class Person:
    """Somebody who signs. `certificate_sha256`: sorted, 32 octets each; `create_time`: microseconds UTC."""

    id: str
    display_name: str
    principal: str
    certificate_sha256: tuple[bytes, ...]
    create_time: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"{PERSONS}/{self.id}"

    @property
    def signer(self) -> Signer:
        """The person as the state machine sees them."""
        return Signer(self.name, self.principal, frozenset(self.certificate_sha256))


def create_person(
    connection: Connection,
    journal: Journal,
    act: Act,
    *,
    display_name: str,
    principal: str,
    certificate_sha256: Iterable[bytes],
    person_id: str = "",
) -> Person:
    """Enrol a person; a request id that was used for the same before gets the first answer.

    Raises InvalidArgumentError TEXT_INVALID, PRINCIPAL_INVALID, CERTIFICATE_SHA256_INVALID or ID_INVALID,
    AlreadyExistsError ID_TAKEN, PRINCIPAL_TAKEN or REQUEST_ID_REUSED, AbortedError CREATED_MEANWHILE.
    """
    wanted: dict[str, object] = {
        "display_name": check_text(display_name, "person.display_name"),
        "principal": _check_principal(principal),
        "certificates": json.dumps(_fingerprints(certificate_sha256)),
    }
    earlier = first_answer(connection, persons, act, person_id, wanted)
    if earlier is not None:
        return _person(earlier)
    row = new_row(connection, persons, act, person_id, "person_id", wanted)
    if connection.execute(select(persons.c.id).where(persons.c.principal == principal)).first():
        raise AlreadyExistsError(
            "PRINCIPAL_TAKEN", "Another person calls as this principal.", field="person.principal"
        )
    write_row(connection, journal, act, "person.create", persons, row)
    return _person(row)


def get_person(connection: Connection, name: str, field: str = "name") -> Person:
    """Give the person of this resource name, which stands in the request's `field`.

    Raises InvalidArgumentError NAME_INVALID, NotFoundError PERSON_NOT_FOUND.
    """
    row = row_of(connection, persons, id_of(name, PERSONS, field))
    if row is None:
        raise NotFoundError("PERSON_NOT_FOUND", "There is no such person.", field=field)
    return _person(row)


def _check_principal(principal: str) -> str:
    if not 1 <= len(principal) <= PRINCIPAL_MAXIMUM or not principal.isprintable():
        raise InvalidArgumentError(
            "PRINCIPAL_INVALID",
            f"The principal a person calls as has 1 to {PRINCIPAL_MAXIMUM} printable characters.",
            field="person.principal",
        )
    return principal


def _fingerprints(values: Iterable[bytes]) -> list[str]:
    fingerprints = sorted({value.hex() for value in values})
    if not fingerprints or any(len(value) != 64 for value in fingerprints):
        raise InvalidArgumentError(
            "CERTIFICATE_SHA256_INVALID",
            "At least one certificate is enrolled, by its SHA-256 fingerprint of 32 octets.",
            field="person.certificate_sha256",
        )
    return fingerprints


def _person(row: Mapping[str, Any]) -> Person:
    return Person(
        id=row["id"],
        display_name=row["display_name"],
        principal=row["principal"],
        certificate_sha256=tuple(map(bytes.fromhex, json.loads(row["certificates"]))),
        create_time=row["create_time"],
    )
