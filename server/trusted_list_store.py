"""Where trusted lists come from and are kept: over HTTP, and in files that are whole or not there at all."""

import hashlib
import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from pecete.errors import UnavailableError
from signer.validation.trusted_lists.elements import MAXIMUM_OCTETS

_MOST_REDIRECTS = 3


class ListFetcher:
    """Fetches lists. To be used as an asynchronous context manager.

    A list is believed for its signature and not for where it came from, so redirects are followed.
    """

    def __init__(self, timeout: timedelta = timedelta(seconds=60)) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, location: str) -> bytes:
        """The octets at an http or https address. Raises UnavailableError TRUSTED_LIST_NOT_FETCHED."""
        if self._session is None or not location.startswith(("https://", "http://")):
            raise _not_fetched(location, "this is no address on the web")
        try:
            async with self._session.get(location, max_redirects=_MOST_REDIRECTS) as response:
                if response.status != 200:
                    raise _not_fetched(location, f"HTTP status {response.status}")
                return await _read_limited(location, response.content)
        except TimeoutError:
            raise _not_fetched(location, "no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _not_fetched(location, type(error).__name__) from error


async def _read_limited(location: str, content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > MAXIMUM_OCTETS:
            raise _not_fetched(location, f"longer than {MAXIMUM_OCTETS} bytes")
    return bytes(body)


def _not_fetched(location: str, why: str) -> UnavailableError:
    return UnavailableError(
        "TRUSTED_LIST_NOT_FETCHED", f"Nothing was got from {location}: {why}.", field="trusted_lists"
    )


class ListFolder:
    """A folder with the last good list of each address. Nothing in it is believed before it is verified."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, location: str) -> bytes | None:
        """The list that was kept of an address; None where none was, or where it cannot be read."""
        with suppress(OSError):
            return self._path(location).read_bytes()
        return None

    def write(self, location: str, document: bytes) -> None:
        """Keep a list in place of the one before. Raises UnavailableError TRUSTED_LIST_NOT_KEPT."""
        try:
            self._folder.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                try:
                    file.write(document)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(self._path(location))
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise UnavailableError(
                "TRUSTED_LIST_NOT_KEPT",
                "A trusted list cannot be written to disk.",
                field="storage.directory",
            ) from error

    def _path(self, location: str) -> Path:
        """A name that no address can lead out of the folder with."""
        return self._folder / (hashlib.sha256(location.encode()).hexdigest() + ".xml")
