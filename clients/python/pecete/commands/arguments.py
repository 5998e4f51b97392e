"""Reading what was typed: documents and times."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pecete.errors import InvalidArgumentError

Time = Annotated[
    str,
    typer.Option("--time", help="Judge as of this time, such as 2025-03-14T10:00:00Z; without it as of now."),
]
"""The option for when a verdict is to hold; `aware_time` reads it."""

Detached = Annotated[
    str,
    typer.Option(help="Of a detached signature (.p7s): the file that it is of, or documents/ID."),
]
"""The option for the content of a signature that stands apart from it."""


def document_or_file(text: str) -> str | Path:
    """Read an argument that is a document's name or the path of a file.

    Raises InvalidArgumentError FILE_NOT_FOUND.
    """
    path = Path(text)
    if path.is_file():
        return path
    if text.startswith("documents/"):
        return text
    raise InvalidArgumentError("FILE_NOT_FOUND", f"There is no file {text}.", field="file")


def aware_time(text: str) -> datetime | None:
    """Read a `Time`; None where it was not given. Raises InvalidArgumentError TIME_MALFORMED."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidArgumentError(
            "TIME_MALFORMED", f"{text} is not an ISO 8601 time with its zone.", field="time"
        )
    return time
