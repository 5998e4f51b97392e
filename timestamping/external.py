"""A client of one foreign RFC 3161 authority over HTTP; nothing that it answers is believed unverified."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import aiohttp

from pecete.errors import PeceteError, UnavailableError
from pecete.evidence.timestamp import TimestampError, token_of_response, verify_timestamp_token
from timestamping.request import write_time_stamp_req

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_MAXIMUM_RESPONSE = 64 * 1024


@dataclass(frozen=True)
class ForeignAuthority:
    """Where a foreign authority is and what is believed of it.

    trust: trust anchors, DER. certificates: further ones, DER, for the path. policy: the one to ask for,
    dotted, "" for the authority's own default. timeout: for the whole exchange.
    """

    url: str
    trust: tuple[bytes, ...]
    certificates: tuple[bytes, ...] = ()
    policy: str = ""
    timeout: timedelta = timedelta(seconds=10)


class ExternalTimeStamper:
    """Gets tokens from a foreign authority; a TimeStamper. To be used as an asynchronous context manager."""

    def __init__(self, authority: ForeignAuthority) -> None:
        self._authority = authority
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._authority.timeout.total_seconds())
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def stamp(self, digest_algorithm: str, digest: bytes, *, client: str, request_id: str) -> bytes:
        """Give a verified TimeStampToken, DER, over a digest; `client` and `request_id` are not passed on.

        Raises UnavailableError TIMESTAMP_AUTHORITY_UNREACHABLE, TIMESTAMP_REFUSED (with the authority's
        `failure_info` and `status_string` as metadata) or TIMESTAMP_NOT_BELIEVED (with `cause`), each with
        the field `timestamp_authority`; and RefusalError subclasses for a digest that is not stamped at all.
        """
        nonce = secrets.randbits(63) + 1
        query = write_time_stamp_req(digest_algorithm, digest, nonce, self._authority.policy)
        response = await self._exchange(query)
        try:
            token = token_of_response(response)
            self._verify(token, digest_algorithm, digest, nonce)
        except TimestampError as error:
            if error.reason == "TIMESTAMP_REFUSED":
                raise _unavailable(error.reason, error.message, error.metadata) from error
            raise _not_believed(error.reason) from error
        return token

    async def _exchange(self, query: bytes) -> bytes:
        if self._session is None:
            raise _unreachable("The client is not open.")
        try:
            async with self._session.post(
                self._authority.url, data=query, headers={"Content-Type": _QUERY}, allow_redirects=False
            ) as response:
                if response.status != 200 or response.content_type != _REPLY:
                    raise _unreachable(f"HTTP status {response.status}, {response.content_type}.")
                return await _read_limited(response.content)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(type(error).__name__) from error

    def _verify(self, token: bytes, digest_algorithm: str, digest: bytes, nonce: int) -> None:
        authority = self._authority
        facts = verify_timestamp_token(
            token, digest=digest, trust=authority.trust, certificates=authority.certificates
        ).facts
        expected = (digest_algorithm, nonce, authority.policy or facts.policy)
        if (facts.digest_algorithm, facts.nonce, facts.policy) != expected:
            raise _not_believed("TIMESTAMP_ANSWERS_ANOTHER_REQUEST")


async def _read_limited(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > _MAXIMUM_RESPONSE:
            raise _unreachable("The response is longer than any time-stamp.")
    return bytes(body)


def _not_believed(cause: str) -> PeceteError:
    return _unavailable(
        "TIMESTAMP_NOT_BELIEVED",
        "The answer of the time-stamping authority does not verify.",
        {"cause": cause},
    )


def _unreachable(detail: str) -> PeceteError:
    return _unavailable(
        "TIMESTAMP_AUTHORITY_UNREACHABLE",
        "The time-stamping authority gives no usable answer.",
        {"detail": detail},
    )


def _unavailable(reason: str, message: str, metadata: Mapping[str, str]) -> UnavailableError:
    return UnavailableError(reason, message, field="timestamp_authority", metadata=metadata)
