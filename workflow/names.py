"""Ids, resource names and the texts that people read: made and checked in one place."""

import re
import secrets
import unicodedata
from base64 import b32encode

from pecete.errors import InvalidArgumentError

PERSONS = "persons"
PROCEDURES = "procedures"
DOSSIERS = "dossiers"
DOCUMENTS = "documents"

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_STEP_NAME = re.compile(r"dossiers/([^/]+)/steps/([1-9][0-9]?)", re.ASCII)


def check_id(value: str, field: str) -> str:
    """Give back an id of at most 63 lower-case letters, digits and inner hyphens (AIP-122).

    Raises InvalidArgumentError ID_INVALID.
    """
    if not _ID.fullmatch(value):
        raise InvalidArgumentError(
            "ID_INVALID",
            "An id has 1 to 63 lower-case letters, digits or hyphens, with no hyphen at its ends.",
            field=field,
        )
    return value


def id_or_new(value: str, field: str) -> str:
    """Give the wanted id, or where none is wanted an unguessable one of 26 characters (128 bits).

    Raises InvalidArgumentError ID_INVALID.
    """
    if value:
        return check_id(value, field)
    return b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def id_of(name: str, collection: str, field: str) -> str:
    """Give the id in a resource name such as `persons/{id}`.

    Raises InvalidArgumentError NAME_INVALID when the name is not of this collection.
    """
    start, _, identifier = name.partition("/")
    if start != collection or not _ID.fullmatch(identifier):
        raise InvalidArgumentError(
            "NAME_INVALID", f"A resource name of the form {collection}/{{id}} is needed.", field=field
        )
    return identifier


def step_name(dossier_id: str, number: int) -> str:
    """Give the resource name of a dossier's step; steps count from 1."""
    return f"{DOSSIERS}/{dossier_id}/steps/{number}"


def parse_step_name(name: str) -> tuple[str, int]:
    """Give dossier id and step number of `dossiers/{id}/steps/{number}`.

    Raises InvalidArgumentError NAME_INVALID.
    """
    match = _STEP_NAME.fullmatch(name)
    if match is None or not _ID.fullmatch(match[1]):
        raise InvalidArgumentError(
            "NAME_INVALID",
            f"A resource name of the form {DOSSIERS}/{{id}}/steps/{{number}} is needed.",
            field="name",
        )
    return match[1], int(match[2])


def check_text(value: str, field: str, maximum: int = 200) -> str:
    """Give back one line of text for people, 1 to `maximum` characters, in Unicode's composed form (NFC).

    NFC, because „ș” typed as s and a combining comma must be found and drawn as the same letter.
    Raises InvalidArgumentError TEXT_INVALID.
    """
    text = unicodedata.normalize("NFC", value)
    if not text.strip() or len(text) > maximum or not text.isprintable():
        raise InvalidArgumentError(
            "TEXT_INVALID", f"One line of 1 to {maximum} printable characters is needed.", field=field
        )
    return text
