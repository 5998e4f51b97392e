"""HTTP front of the time-stamping authority (RFC 3161 §3.4): TimeStampReq posted, TimeStampResp answered."""

import secrets
from typing import Protocol

from aiohttp import web

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"
_MAXIMUM_REQUEST = 16 * 1024


class Responder(Protocol):
    """The authority, as far as HTTP needs it."""

    async def respond(self, request_der: bytes, *, client: str, request_id: str) -> bytes:
        """Answer a TimeStampReq with a TimeStampResp, DER; refusals are answers too."""


def timestamp_application(authority: Responder) -> web.Application:
    """Give the application that answers POST on `/` and `/tsa`.

    200 with DER for whatever the authority answers, 415 for another content type, 413 beyond 16 KiB, 405 for
    another method.
    """

    async def answer(request: web.Request) -> web.Response:
        if request.content_type != _QUERY:
            raise web.HTTPUnsupportedMediaType(text=f"Content-Type must be {_QUERY}.\n")
        request_id = secrets.token_hex(16)
        client = f"http:{request.remote or 'unknown'}"
        response = await authority.respond(await request.read(), client=client, request_id=request_id)
        return web.Response(body=response, content_type=_REPLY, headers={"X-Request-Id": request_id})

    application = web.Application(client_max_size=_MAXIMUM_REQUEST)
    application.router.add_post("/", answer)
    application.router.add_post("/tsa", answer)
    return application
