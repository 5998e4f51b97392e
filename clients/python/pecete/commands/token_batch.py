"""`pecete sign --token` of many targets: all is prepared, checked and shown, then one PIN signs it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from pecete.client import Client
from pecete.commands.batch_output import SignedTarget, counting_bar
from pecete.commands.token_signing import (
    TokenChoice,
    about_document,
    about_earlier,
    about_signature,
    ask_pin,
    fetch_document,
    prepare,
)
from pecete.errors import AbortedError, DataLossError, PeceteError, UnavailableError
from pecete.signature_statements import SignatureStatements
from pecete.signing.v1.signature_sessions_pb2 import SignatureSession
from pecete.signing.v1.signing_pb2 import Signature
from pecete.token.device import TokenKey, find_key
from pecete.token.session_check import check_session, write_signed_bytes

_TIME_TO_SIGN = timedelta(seconds=60)
"""A session that expires sooner is prepared anew before the key is used."""

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True)
class _Waiting:
    """A target that was checked and shown: its session, and the document's bytes."""

    index: int
    target: str
    session: SignatureSession
    document: Path


class TokenBatch:
    """Many targets on their way to one token's signatures.

    Under the same request id what was prepared or signed before is found again and not signed twice;
    `goes_on` says that there may be such.
    """

    def __init__(
        self,
        client: Client,
        targets: Sequence[str],
        choice: TokenChoice,
        stated: SignatureStatements,
        request_id: str,
        *,
        goes_on: bool,
    ) -> None:
        self._client = client
        self._targets = targets
        self._key: TokenKey = find_key(
            choice.module, token_label=choice.label, certificate_sha256=choice.certificate
        )
        self._stated = stated
        self._request_id = request_id
        self._goes_on = goes_on
        self._results: dict[int, SignedTarget] = {}

    def sign(self) -> list[SignedTarget]:
        """Prepare, show, ask for the PIN and sign; give what became of each target in its order.

        Raises what the token and its PIN are at fault with before anything is signed.
        """
        with tempfile.TemporaryDirectory(prefix="pecete-") as folder:
            waiting = self._prepare_all(Path(folder))
            if waiting:
                self._show(waiting, Path(folder))
                self._sign_all(waiting, ask_pin(self._key))
        return [self._results[index] for index in range(len(self._targets))]

    def _prepare_all(self, folder: Path) -> list[_Waiting]:
        waiting = []
        with counting_bar("Preparing") as progress:
            for index, target in enumerate(self._targets):
                try:
                    found = self._prepare(index, target, folder)
                    waiting += [found] if found else []
                except PeceteError as error:
                    self._results[index] = SignedTarget(target, error=error)
                progress(index + 1, len(self._targets))
        return waiting

    def _prepare(self, index: int, target: str, folder: Path) -> _Waiting | None:
        """Give a target that is to be signed; None where an earlier try has signed it."""
        request_id = f"{self._request_id}/{index}"
        session = prepare(self._client, target, self._key, self._stated, request_id)
        session = self._client.get_signature_session(session.name)
        if session.state == SignatureSession.STATE_COMPLETED:
            self._results[index] = SignedTarget(target, session.signed_document, _signature(session))
            return None
        if self._goes_on and self._is_finished(index, target, session, request_id):
            return None
        own = folder / str(index)
        own.mkdir()
        document = fetch_document(self._client, target, session, own)
        check_session(session, document, self._key.certificate)
        return _Waiting(index, target, session, document)

    def _is_finished(self, index: int, target: str, session: SignatureSession, request_id: str) -> bool:
        """Finish a signature that was made and did not reach its level; False: there is none."""
        try:
            made = self._client.complete_signature(session.name, b"", request_id=f"{request_id}/finish")
        except PeceteError as error:
            if error.reason in ("SIGNATURE_VALUE_WRONG", "SIGNATURE_SESSION_EXPIRED"):
                return False
            raise
        self._results[index] = SignedTarget(target, made.document.name, made.signature)
        return True

    def _show(self, waiting: Sequence[_Waiting], folder: Path) -> None:
        for line in self._lines(waiting, folder):
            typer.echo(line, err=True)

    def _lines(self, waiting: Sequence[_Waiting], folder: Path) -> Iterator[str]:
        for number, each in enumerate(waiting, 1):
            shown = folder / str(each.index) / "to-be-signed.pdf"
            write_signed_bytes(each.session, each.document, shown)
            yield f"[{number} of {len(waiting)}] {each.target}"
            yield from about_document(each.session, shown)
            yield from about_earlier(each.session.preview)
        yield from about_signature(waiting[0].session, self._key)

    def _sign_all(self, waiting: Sequence[_Waiting], pin: str) -> None:
        """Sign one after the other in one login; the first error of token or authority stops the rest."""
        try:
            self._sign_logged_in(waiting, pin)
        except PeceteError as error:  # of the login
            self._results[waiting[0].index] = SignedTarget(waiting[0].target, error=error)
            self._stop(waiting[1:], error)

    def _sign_logged_in(self, waiting: Sequence[_Waiting], pin: str) -> None:
        with self._key.logged_in(pin) as sign, counting_bar("Signing") as progress:
            for number, each in enumerate(waiting):
                try:
                    self._results[each.index] = self._sign_one(each, sign)
                except PeceteError as error:
                    self._results[each.index] = SignedTarget(each.target, error=error)
                    if error.field in ("pin", "token") or isinstance(error, UnavailableError):
                        self._stop(waiting[number + 1 :], error)
                        return
                progress(number + 1, len(waiting))

    def _sign_one(self, waiting: _Waiting, sign: Sign) -> SignedTarget:
        session = self._in_time(waiting)
        signature = sign(session.signed_attributes)
        request_id = f"{self._request_id}/{waiting.index}/complete"
        made = self._client.complete_signature(session.name, signature, request_id=request_id)
        return SignedTarget(waiting.target, made.document.name, made.signature)

    def _in_time(self, waiting: _Waiting) -> SignatureSession:
        """Give a session that does not expire now; one that is new must be over what was shown."""
        session = waiting.session
        if session.expire_time.ToDatetime(UTC) - datetime.now(UTC) > _TIME_TO_SIGN:
            return session
        target = waiting.target if waiting.session.step else waiting.session.document
        renewed = prepare(self._client, target, self._key, self._stated)
        if renewed.preview.document_sha256 != session.preview.document_sha256:
            raise DataLossError("DOCUMENT_DIFFERS", "The document is no longer what was shown.", field="name")
        check_session(renewed, waiting.document, self._key.certificate)
        return renewed

    def _stop(self, left: Sequence[_Waiting], cause: PeceteError) -> None:
        for each in left:
            error = AbortedError(
                "BATCH_STOPPED",
                "The batch was stopped before this item; it was not attempted.",
                metadata={"cause": cause.reason},
            )
            self._results[each.index] = SignedTarget(each.target, error=error)


def _signature(session: SignatureSession) -> Signature:
    """What is known of a signature that an earlier try has completed."""
    return Signature(
        field_name=session.field_name,
        signing_key=f"signingKeys/{session.certificate_sha256.hex()}",
        level=session.level,
        signing_time=session.signing_time,
    )
