"""A certification authority's lists and OCSP over HTTP on loopback, which can be down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.x509 import ocsp

from softhsm.pki import TestPki


class Responder(ThreadingHTTPServer):
    """What it answers: lists with what is revoked, and OCSP for the certificates of `good`.

    asked: the paths that were asked.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.pki = TestPki(address=self.address)
        self.down = False
        self.revoked: list[tuple[x509.Certificate, datetime]] = []
        self.good: list[x509.Certificate] = []
        self.asked: list[str] = []

    def body(self, path: str, request: bytes) -> bytes | None:
        """What is answered; None: status 404."""
        if self.down:
            return None
        now = datetime.now(UTC)
        if path == "/ocsp":
            number = ocsp.load_der_ocsp_request(request).serial_number
            asked = [each for each in self.good if each.serial_number == number]
            return self.pki.ocsp_response(asked[0], now) if asked else None
        root, intermediate = self.pki.revocation_lists(now, revoked=self.revoked)
        return {"/root.crl": root, "/intermediate.crl": intermediate}.get(path)


class Answering(BaseHTTPRequestHandler):
    """Answers GET and POST alike."""

    server: Responder

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.server.body(self.path, request)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    do_POST = do_GET  # noqa: N815 - likewise

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def running_responder() -> Iterator[Responder]:
    """A responder that answers until the block ends."""
    with Responder() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
