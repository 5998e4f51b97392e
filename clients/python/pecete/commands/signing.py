"""`pecete keys` and `pecete sign`."""

import getpass
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pecete.calls import LEVELS
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, plain, progress_bar, say, show_json, show_table
from pecete.document_calls import SigningOptions
from pecete.errors import FailedPreconditionError, InvalidArgumentError
from pecete.signing.v1.signing_pb2 import SignatureAlgorithm, SigningKey, VisibleSignature

_COLLECTION = "signingKeys/"
_SHORT = 12


@command
def keys(context: typer.Context, as_json: Json = False) -> None:
    """List the keys that you may sign with."""
    with connect(context) as client:
        found = list(client.list_signing_keys())
    if as_json:
        show_json({"signing_keys": [plain(key) for key in found]})
        return
    if not found:
        say("You may sign with no key: no token that answers names you in its `allowed`.")
        return
    show_table(("KEY", "OWNER", "ALGORITHM", "VALID UNTIL", "TOKEN", "PIN"), [_row(key) for key in found])


def _row(key: SigningKey) -> tuple[str, ...]:
    return (
        key.name.removeprefix(_COLLECTION)[:_SHORT],
        key.display_name,
        SignatureAlgorithm.Name(key.algorithm).removeprefix("SIGNATURE_ALGORITHM_"),
        moment(key.not_after_time).partition(" ")[0],
        key.token,
        "asked" if key.pin_required else "not asked",
    )


@command
def sign(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="PDF to sign.", exists=True, dir_okay=False)],
    key: Annotated[
        str, typer.Option(help="Key, or as much of its id as makes it unique (see `pecete keys`).")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; without it FILE-signed.pdf.", dir_okay=False)
    ] = None,
    level: Annotated[str, typer.Option(help=f"{' or '.join(LEVELS)}.")] = "B-T",
    visible: Annotated[bool, typer.Option("--visible", help="Show the signature on the page.")] = False,
    capacity: Annotated[str, typer.Option(help="Shown: the signer's capacity, such as „Primar”.")] = "",
    register_number: Annotated[str, typer.Option(help="Shown: number in the register.")] = "",
    verification_uri: Annotated[str, typer.Option(help="Shown as a QR code: where readers verify.")] = "",
    page: Annotated[int, typer.Option(help="Page to show it on, from 1; 0: the last.", min=0)] = 0,
    reason: Annotated[str, typer.Option(help="Reason, kept in the signature.")] = "",
    location: Annotated[str, typer.Option(help="Location, kept in the signature.")] = "",
    as_json: Json = False,
) -> None:
    """Sign a PDF and write the signed one beside it.

    Where the key needs its PIN with each call, the PIN is asked for on the terminal.
    """
    target = out or _free_target(file)
    options = SigningOptions(level=level, reason=reason, location=location)
    if visible or capacity or register_number or verification_uri or page:
        options["visible"] = VisibleSignature(
            capacity=capacity,
            register_number=register_number,
            verification_uri=verification_uri,
            page=page,
        )
    with connect(context) as client:
        signing_key = _choose(client.list_signing_keys(), key)
        if signing_key.pin_required:
            options["pin"] = _ask_pin(signing_key)
        with progress_bar(f"Sending {file.name}") as progress:
            document = client.upload(file, progress=progress)
        answer = client.sign(document, signing_key.name, **options)
        with progress_bar(f"Fetching {target.name}") as progress:
            client.download(answer.document.name, target, progress=progress)
    if as_json:
        shown = {"document": plain(answer.document), "signature": plain(answer.signature)}
        show_json(shown | {"file": str(target)})
        return
    say(f"{target}: signed by {signing_key.display_name} at {moment(answer.signature.signing_time)}")
    say(f"{answer.document.name}, field {answer.signature.field_name}, level {level}")


def _ask_pin(key: SigningKey) -> str:
    """Ask for a token's PIN. Raises FailedPreconditionError TERMINAL_MISSING where it would be shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"PIN of {key.token} ({key.display_name}): ")
        except getpass.GetPassWarning as error:
            raise FailedPreconditionError(
                "TERMINAL_MISSING", "The PIN is asked for on a terminal, and there is none.", field="pin"
            ) from error


def _free_target(file: Path) -> Path:
    target = file.with_stem(f"{file.stem}-signed")
    if target.exists():
        raise InvalidArgumentError(
            "FILE_EXISTS", f"{target} exists; name another file with --out.", field="out"
        )
    return target


def _choose(found: Iterable[SigningKey], wanted: str) -> SigningKey:
    start = wanted.removeprefix(_COLLECTION).lower()
    fitting = [key for key in found if key.name.removeprefix(_COLLECTION).startswith(start)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidArgumentError("KEY_AMBIGUOUS", f"{len(fitting)} keys begin with {wanted}.", field="key")
    raise InvalidArgumentError(
        "KEY_NOT_FOUND", f"None of your keys begins with {wanted}; `pecete keys` lists them.", field="key"
    )
