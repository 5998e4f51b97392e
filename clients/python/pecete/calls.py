"""What each call of the service asks: pure values, which the sync and the aio client send alike.

Calls that change something carry a request id, a fresh UUID where none is given. A caller that keeps ids of
its own can repeat a call after a crash and gets the first answer.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc

from pecete.channel import Stubs
from pecete.documents.v1 import documents_pb2
from pecete.errors import InvalidArgumentError
from pecete.signing.v1 import signing_pb2
from pecete.transfer import Description, Upload

INLINE_LIMIT = 4 << 20
"""Longest document, in bytes, that travels inside a request."""

LEVELS = {
    "B-B": signing_pb2.SIGNATURE_LEVEL_B_B,
    "B-T": signing_pb2.SIGNATURE_LEVEL_B_T,
    "B-LT": signing_pb2.SIGNATURE_LEVEL_B_LT,
    "B-LTA": signing_pb2.SIGNATURE_LEVEL_B_LTA,
}
"""Levels of a signature (EN 319 142-1, EN 319 122-1) by their short names."""

FORMATS = {
    "pades": signing_pb2.SIGNATURE_FORMAT_PADES,
    "cades": signing_pb2.SIGNATURE_FORMAT_CADES_DETACHED,
    "cades-enveloping": signing_pb2.SIGNATURE_FORMAT_CADES_ENVELOPING,
    "asic-s": signing_pb2.SIGNATURE_FORMAT_ASIC_S_CADES,
    "asic-e": signing_pb2.SIGNATURE_FORMAT_ASIC_E_CADES,
}
"""Formats of signatures by their short names."""

Source = documents_pb2.Document | str | bytes | Path
"""A document: one that the service holds or its name `documents/{id}`, the bytes, or the path of a file."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Page = TypeVar("Page")
Item = TypeVar("Item")
Message = TypeVar("Message")


@dataclass(frozen=True)
class Call(Generic[Response]):
    """One question with one answer.

    once: never sent a second time by the client itself. A lost answer could hide a refused PIN, and another
    try would cost one of the few that a token has.
    """

    method: "Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Any, Response]]"
    request: object
    once: bool


@dataclass(frozen=True)
class Listing(Generic[Page, Item]):
    """One question whose answers come in pages."""

    page: Callable[[str], Call[Page]]
    items: Callable[[Page], Iterable[Item]]
    next_page_token: Callable[[Page], str]


@dataclass(frozen=True)
class Download(Generic[Message, Description]):
    """One question with a stream as its answer: a description, then chunks."""

    method: "Callable[[Stubs], grpc.UnaryStreamMultiCallable[Any, Message]]"
    request: object
    unpack: Callable[[Message], tuple[Description | None, bytes]]


def new_request_id() -> str:
    """Make the id that one call carries through all its tries."""
    return str(uuid.uuid4())


def name_or_upload(source: Source) -> str | Upload:
    """Decide how a document travels to a call that only takes names.

    Raises InvalidArgumentError DOCUMENT_NAME_MALFORMED, FILE_UNREADABLE.
    """
    match source:
        case documents_pb2.Document():
            return source.name
        case bytes() | Path():
            return Upload(source, "", new_request_id())
    if not source.startswith("documents/"):
        raise InvalidArgumentError(
            "DOCUMENT_NAME_MALFORMED",
            "A document is named documents/{id}; a file is given as a pathlib.Path.",
            field="document",
        )
    return source


def name_or_bytes_or_upload(source: Source) -> str | bytes | Upload:
    """Decide how a document travels to a call that takes it inline as well: short ones do.

    Raises what `name_or_upload` raises.
    """
    settled = name_or_upload(source)
    if isinstance(settled, Upload) and settled.start.metadata.size_bytes <= INLINE_LIMIT:
        return settled.read()
    return settled


def ask(
    method: "Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Response]]",
    request: Request,
    *,
    once: bool = False,
) -> Call[Response]:
    """Make a call whose request is one of its method."""
    return Call(method, request, once)


def level_named(name: str) -> signing_pb2.SignatureLevel.ValueType:
    """Give a level by its short name. Raises InvalidArgumentError LEVEL_UNKNOWN."""
    if name not in LEVELS:
        raise InvalidArgumentError("LEVEL_UNKNOWN", f"The levels are {', '.join(LEVELS)}.", field="level")
    return LEVELS[name]


def format_named(name: str) -> signing_pb2.SignatureFormat.ValueType:
    """Give a format by its short name, "" for the service's choice.

    Raises InvalidArgumentError SIGNATURE_FORMAT_UNKNOWN.
    """
    if not name:
        return signing_pb2.SIGNATURE_FORMAT_UNSPECIFIED
    if name not in FORMATS:
        raise InvalidArgumentError(
            "SIGNATURE_FORMAT_UNKNOWN", f"The formats are {', '.join(FORMATS)}.", field="format"
        )
    return FORMATS[name]
