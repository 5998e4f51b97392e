"""`pecete sign --token`: the signer's side, which shows, checks, asks for the PIN and signs."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from pecete.client import Client
from pecete.commands.arguments import document_or_file
from pecete.commands.output import moment, progress_bar
from pecete.commands.pin import ask_hidden
from pecete.errors import FailedPreconditionError
from pecete.session_calls import PreparationOptions
from pecete.signature_statements import CERTIFICATIONS, COMMITMENTS, LOCKS, SignatureStatements
from pecete.signing.v1.signature_sessions_pb2 import (
    CompleteSignatureResponse,
    SignaturePreview,
    SignatureSession,
)
from pecete.signing.v1.signing_pb2 import SignatureLevel
from pecete.token.device import TokenKey, find_key
from pecete.token.session_check import check_session, write_signed_bytes
from pecete.validation.v1.validation_pb2 import Indication, Modification, SignatureVerdict

_STEPS = "dossiers/"
_WARNINGS = {
    "low": "The token says that few PIN tries are left.",
    "one": "The token says that ONE PIN try is left: a wrong PIN locks it.",
}


@dataclass(frozen=True)
class TokenChoice:
    """Which key: the PKCS#11 module, and of its tokens and certificates perhaps only some."""

    module: Path
    label: str = ""
    certificate: str = ""


def sign_with_token(
    client: Client, target: str, choice: TokenChoice, stated: SignatureStatements
) -> tuple[CompleteSignatureResponse, str]:
    """Sign a file, `documents/{id}` or `dossiers/{id}/steps/{number}` with a token in this machine.

    Before the PIN is asked for, the signed bytes are computed and checked here and all is shown on standard
    error. Gives the answer and the signer's name. Raises what the service, the token and `check_session`
    raise.
    """
    key = find_key(choice.module, token_label=choice.label, certificate_sha256=choice.certificate)
    session = prepare(client, target, key, stated)
    with tempfile.TemporaryDirectory(prefix="pecete-") as folder:
        document = fetch_document(client, target, session, Path(folder))
        check_session(session, document, key.certificate)
        shown = Path(folder) / "to-be-signed.pdf"
        write_signed_bytes(session, document, shown)
        for line in _lines(session, key, shown):
            typer.echo(line, err=True)
        signature = key.sign(session.signed_attributes, ask_pin(key))
    return client.complete_signature(session.name, signature), key.common_name


def prepare(
    client: Client, target: str, key: TokenKey, stated: SignatureStatements, request_id: str = ""
) -> SignatureSession:
    """Have the signature of a target prepared; a file is sent first."""
    options = PreparationOptions(
        **stated, chain=key.chain, algorithm=key.method.algorithm, request_id=request_id
    )
    if target.startswith(_STEPS):
        return client.prepare_step(target, key.certificate, **options)
    source = document_or_file(target)
    if isinstance(source, Path):
        sending = f"{request_id}/upload" if request_id else ""
        with progress_bar(f"Sending {source.name}") as progress:
            source = client.upload(source, progress=progress, request_id=sending).name
    return client.prepare_signature(source, key.certificate, **options)


def fetch_document(client: Client, target: str, session: SignatureSession, folder: Path) -> Path:
    """Give the file that the signer has, or download the document."""
    if not target.startswith(_STEPS) and isinstance(file := document_or_file(target), Path):
        return file
    document = folder / "document.pdf"
    with progress_bar("Fetching the document") as progress:
        client.download(session.document, document, progress=progress)
    return document


def ask_pin(key: TokenKey) -> str:
    """Ask for the PIN on the terminal, or on the reader's own pad. Raises as `ask_hidden`."""
    if key.tries_left == "none":
        raise FailedPreconditionError("PIN_LOCKED", "The token has locked its PIN.", field="pin")
    if key.tries_left:
        typer.echo(_WARNINGS[key.tries_left], err=True)
    if key.has_pin_pad:
        typer.echo(f"Type the PIN of {_plain(key.token_label)} on the reader in order to sign.", err=True)
        return ""
    pin = ask_hidden(f"PIN of {_plain(key.token_label)} ({_plain(key.common_name)}), in order to sign: ")
    if not pin:
        raise FailedPreconditionError(
            "SIGNING_CANCELLED", "No PIN was given; nothing is signed.", field="pin"
        )
    return pin


def _lines(session: SignatureSession, key: TokenKey, shown: Path) -> Iterator[str]:
    """Everything that a signer must know, a line each."""
    yield from about_document(session, shown)
    yield from about_earlier(session.preview)
    yield from about_signature(session, key)


def about_document(session: SignatureSession, shown: Path) -> Iterator[str]:
    """What is signed, a line each; `shown` is the file to be read."""
    preview = session.preview
    yield "What is signed"
    yield from _facts(
        ("document", f"{preview.display_name} ({session.document})"),
        ("title", preview.title),
        ("pages", f"{preview.page_count}, {preview.size_bytes} bytes"),
        ("SHA-256", f"{preview.document_sha256.hex()} (computed here)"),
        ("step", session.step),
        ("read it at", f"{shown} (the very bytes that are signed)"),
    )


def about_earlier(preview: SignaturePreview) -> Iterator[str]:
    """The signatures that the document has, a line each."""
    if not preview.earlier_signatures:
        yield "No earlier signatures"
        return
    yield "Earlier signatures, as the service judges them"
    for number, verdict in enumerate(preview.earlier_signatures, 1):
        yield f"  {number}. {_plain(_verdict(verdict))}"


def _verdict(verdict: SignatureVerdict) -> str:
    indication = Indication.Name(verdict.indication).removeprefix("INDICATION_")
    changes = Modification.Name(verdict.modification).removeprefix("MODIFICATION_").lower()
    why = f" ({verdict.sub_indication})" if verdict.sub_indication else ""
    time = moment(verdict.signing_time) if verdict.signing_time != Timestamp() else "at an unknown time"
    return f"{verdict.signer}, {time}: {indication}{why}, {verdict.level}, changes since: {changes}"


def about_signature(session: SignatureSession, key: TokenKey) -> Iterator[str]:
    """What the signature will say, a line each."""
    preview, visible = session.preview, session.preview.visible_signature
    yield "What the signature will say"
    yield from _facts(
        ("signer", f"{key.common_name}, certificate {key.certificate_sha256.hex()[:12]}"),
        ("reason", preview.reason),
        ("location", preview.location),
        ("commitment", _name_of(COMMITMENTS, preview.commitment)),
        ("certifies", _name_of(CERTIFICATIONS, preview.certification)),
        ("locks", _name_of(LOCKS, preview.lock)),
        ("capacity", visible.capacity),
        ("register no.", visible.register_number),
        ("verify at", visible.verification_uri),
        ("shown on", _page(visible.page) if preview.HasField("visible_signature") else "no page"),
        ("time", moment(session.signing_time)),
        ("level", SignatureLevel.Name(session.level).removeprefix("SIGNATURE_LEVEL_").replace("_", "-")),
        ("until", f"{moment(session.expire_time)} it can be signed"),
    )


def _name_of(known: Mapping[str, int], code: int) -> str:
    return next((name for name, value in known.items() if value == code), "")


def _page(number: int) -> str:
    return f"page {number}" if number else "the last page"


def _facts(*facts: tuple[str, str]) -> Iterator[str]:
    """The facts that there are, as a column."""
    for name, value in facts:
        if value:
            yield f"  {name:<13}{_plain(value)}"


def _plain(text: str) -> str:
    """Text of others for the terminal: what would steer it is shown as a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
