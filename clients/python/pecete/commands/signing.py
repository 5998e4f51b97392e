"""`pecete keys`, `pecete sign` and `pecete augment`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pecete.batch_calls import STEPS
from pecete.calls import FORMATS, LEVELS, Source, new_request_id
from pecete.client import Client
from pecete.commands.arguments import Detached, document_or_file
from pecete.commands.batch_output import fetch_signed, free, free_target, free_targets, show_results
from pecete.commands.batch_signing import sign_many
from pecete.commands.connection import connect
from pecete.commands.output import Json, command, moment, plain, progress_bar, say, show_json, show_table
from pecete.commands.pin import ask_hidden
from pecete.commands.token_batch import TokenBatch
from pecete.commands.token_signing import TokenChoice, sign_with_token
from pecete.document_calls import SigningOptions
from pecete.errors import InvalidArgumentError
from pecete.signature_statements import CERTIFICATIONS, COMMITMENTS, LOCKS, SignatureStatements
from pecete.signing.v1.signature_sessions_pb2 import CompleteSignatureResponse
from pecete.signing.v1.signing_pb2 import (
    PIN_TRIES_UNSPECIFIED,
    PinTries,
    QcStatements,
    QcType,
    SignatureAlgorithm,
    SignDocumentResponse,
    SigningKey,
    SigningKeyNotice,
    VisibleSignature,
)

_COLLECTION = "signingKeys/"
_SHORT = 12
_SUFFIXES = {"cades": ".p7s", "cades-enveloping": ".p7m", "asic-s": ".asics", "asic-e": ".asice"}


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
    columns = ("KEY", "OWNER", "ALGORITHM", "VALID UNTIL", "DAYS", "DECLARED", "TOKEN", "PIN")
    show_table(columns, [_row(key) for key in found])
    for key in found:
        for notice in key.notices:
            word = "refused" if notice.severity == SigningKeyNotice.SEVERITY_REFUSAL else "warning"
            say(f"{_short(key)}: {word}: {notice.message}")


def _row(key: SigningKey) -> tuple[str, ...]:
    return (
        _short(key),
        key.display_name,
        SignatureAlgorithm.Name(key.algorithm).removeprefix("SIGNATURE_ALGORITHM_"),
        moment(key.not_after_time).partition(" ")[0],
        str(key.days_left),
        _declared(key.qc_statements),
        f"{key.token}: {key.token_fault}" if key.token_fault else key.token,
        _pin(key),
    )


def _pin(key: SigningKey) -> str:
    """Say whether the PIN is asked for, and what the token says of its tries."""
    asked = "asked" if key.pin_required else "not asked"
    tries = PinTries.Name(key.pin_tries).removeprefix("PIN_TRIES_").lower()
    return asked if key.pin_tries == PIN_TRIES_UNSPECIFIED else f"{asked}, tries left: {tries}"


def _short(key: SigningKey) -> str:
    return key.name.removeprefix(_COLLECTION)[:_SHORT]


def _declared(statements: QcStatements) -> str:
    """Give what a certificate says of its qualification, as its issuer claims it."""
    if not statements.compliance:
        return "not qualified"
    types = [QcType.Name(each).removeprefix("QC_TYPE_").lower() for each in statements.types]
    device = ["QSCD"] if statements.sscd else []
    law = [",".join(statements.legislation_countries)] if statements.legislation_countries else []
    return " ".join(["qualified", *types, *device, *law])


@command
def sign(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files, documents/ID or dossiers/ID/steps/NUMBER; up to 500, or those of one ASiC-E.",
        ),
    ],
    key: Annotated[
        str, typer.Option(help="Key, or as much of its id as makes it unique (see `pecete keys`).")
    ] = "",
    token: Annotated[
        Path | None,
        typer.Option(help="Sign with a token in this machine: its PKCS#11 module.", dir_okay=False),
    ] = None,
    token_label: Annotated[str, typer.Option(help="With --token: only the token of this label.")] = "",
    certificate: Annotated[
        str, typer.Option(help="With --token: how the SHA-256 of the certificate begins, in hex.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, or for several a folder; without it FILE-signed.pdf, FILE.p7s…"),
    ] = None,
    signature_format: Annotated[
        str,
        typer.Option(
            "--format",
            help=f"{', '.join(FORMATS)}; without it pades, or one more signature in a .p7s or ASiC.",
        ),
    ] = "",
    detached: Detached = "",
    level: Annotated[str, typer.Option(help=f"{', '.join(LEVELS)}.")] = "B-T",
    visible: Annotated[bool, typer.Option("--visible", help="Show the signature on the page.")] = False,
    capacity: Annotated[str, typer.Option(help="Shown: the signer's capacity, such as „Primar”.")] = "",
    register_number: Annotated[str, typer.Option(help="Shown: number in the register.")] = "",
    verification_uri: Annotated[str, typer.Option(help="Shown as a QR code: where readers verify.")] = "",
    page: Annotated[int, typer.Option(help="Page to show it on, from 1; 0: the last.", min=0)] = 0,
    reason: Annotated[str, typer.Option(help="Reason, kept in the signature.")] = "",
    location: Annotated[str, typer.Option(help="Location, kept in the signature.")] = "",
    commitment: Annotated[
        str, typer.Option(help=f"What you commit to, instead of a reason: {', '.join(COMMITMENTS)}.")
    ] = "",
    certify: Annotated[
        str, typer.Option(help=f"Certify, as the first to sign; may follow: {', '.join(CERTIFICATIONS)}.")
    ] = "",
    lock: Annotated[str, typer.Option(help=f"Lock against changes: {' or '.join(LOCKS)}.")] = "",
    field: Annotated[str, typer.Option(help="Signature field to fill, or name of the new one.")] = "",
    request_id: Annotated[
        str, typer.Option(help="Of several that broke off: go on, with the same arguments.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Sign a PDF, or any file with --format, and write the signed one; or several PDFs, with one PIN.

    With --key the service holds the key; where that needs its PIN with each call, it is asked for on the
    terminal. With --token the key is in a token in this machine: what is to be signed is computed and shown
    here, the PIN is asked for on the terminal and goes to the token alone.
    """
    if bool(key) == (token is not None):
        raise InvalidArgumentError("KEY_MISSING", "Name a key with either --key or --token.", field="key")
    shown = VisibleSignature(
        capacity=capacity, register_number=register_number, verification_uri=verification_uri, page=page
    )
    look = shown if visible or shown != VisibleSignature() else None
    options = SigningOptions(
        level=level,
        reason=reason,
        location=location,
        field_name=field,
        visible=look,
        commitment=commitment,
        certification=certify,
        lock=lock,
    )
    choice = TokenChoice(token, token_label, certificate) if token else None
    _require_fitting(targets, signature_format, choice)
    if signature_format != "asic-e" and (len(targets) > 1 or (not choice and targets[0].startswith(STEPS))):
        with connect(context) as client:
            _sign_many(client, targets, choice or key, options, out, request_id, as_json=as_json)
        return
    file = out or _signed_file(targets[0], signature_format)
    with connect(context) as client:
        answer: SignDocumentResponse | CompleteSignatureResponse
        if choice is None:
            further: list[Source] = [document_or_file(each) for each in targets[1:]]
            options["format"] = signature_format
            options["further_documents"] = further
            if detached:
                options["detached"] = document_or_file(detached)
            answer, signer = _sign_with_key(client, targets[0], key, options)
        else:
            answer, signer = sign_with_token(client, targets[0], choice, options)
        with progress_bar(f"Fetching {file.name}") as progress:
            client.download(answer.document.name, file, progress=progress)
    if as_json:
        show_json(
            {"document": plain(answer.document), "signature": plain(answer.signature), "file": str(file)}
        )
        return
    say(f"{file}: signed by {signer} at {moment(answer.signature.signing_time)}")
    place = f", field {answer.signature.field_name}" if answer.signature.field_name else ""
    say(f"{answer.document.name}{place}, level {level}")


@command
def augment(
    context: typer.Context,
    document: Annotated[str, typer.Argument(help="PDF, .p7s, .p7m, ASiC, or documents/ID.")],
    level: Annotated[str, typer.Option(help="B-T, B-LT or B-LTA; at B-LTA already: renewed.")] = "B-LTA",
    field: Annotated[str, typer.Option(help="Field of the signature; without it every signature.")] = "",
    detached: Detached = "",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; without it FILE-B-LTA.pdf beside a file.", dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Raise the level of signatures, wherever they were made; no key is needed."""
    source = document_or_file(document)
    target = out or (free_target(document, level) if isinstance(source, Path) else None)
    with connect(context) as client:
        if isinstance(source, Path):
            with progress_bar(f"Sending {source.name}") as progress:
                source = client.upload(source, progress=progress).name
        content = document_or_file(detached) if detached else None
        answer = client.augment(source, level=level, field_name=field, detached=content)
        if target is not None:
            with progress_bar(f"Fetching {target.name}") as progress:
                client.download(answer.document.name, target, progress=progress)
    if as_json:
        shown = {"document": plain(answer.document), "level": level}
        show_json(shown | ({"file": str(target)} if target else {}))
        return
    if target is not None:
        say(f"{target}: written")
    say(f"{answer.document.name}, level {level}")


def _ask_pin(key: SigningKey) -> str:
    return ask_hidden(f"PIN of {key.token} ({key.display_name}): ")


def _sign_with_key(
    client: Client, target: str, key: str, options: SigningOptions
) -> tuple[SignDocumentResponse, str]:
    """Sign with a key that the service holds; give the answer and the signer's name."""
    source: Source = document_or_file(target)
    signing_key = _choose(client.list_signing_keys(), key)
    if signing_key.pin_required:
        options["pin"] = _ask_pin(signing_key)
    if isinstance(source, Path):
        with progress_bar(f"Sending {source.name}") as progress:
            source = client.upload(source, progress=progress)
    return client.sign(source, signing_key.name, **options), signing_key.display_name


def _require_fitting(targets: Sequence[str], signature_format: str, choice: TokenChoice | None) -> None:
    if len(targets) > 1 and signature_format not in ("", "pades", "asic-e"):
        raise InvalidArgumentError(
            "TARGETS_TOO_MANY", "Several files are signed as PDFs, or together as asic-e.", field="format"
        )
    if choice is not None and signature_format not in ("", "pades"):
        raise InvalidArgumentError(
            "FORMAT_NOT_FOR_TOKEN", "With --token only PDFs are signed.", field="format"
        )


def _signed_file(target: str, signature_format: str) -> Path:
    """Give the file to write: a new format's suffix goes behind a name that does not end in it."""
    suffix = _SUFFIXES.get(signature_format, "")
    source = Path(target)
    if not suffix or source.suffix == suffix:
        return free_target(target, "signed")
    if source.is_file():
        return free(source.with_name(source.name + suffix))
    return free(Path("-".join(target.split("/")[1:]) + suffix))


def _sign_many(
    client: Client,
    targets: Sequence[str],
    with_what: TokenChoice | str,
    stated: SignatureStatements,
    out: Path | None,
    request_id: str,
    *,
    as_json: bool,
) -> None:
    """Sign several targets, or a step, with a token in this machine, or with a key of the service."""
    files = [out] if out and len(targets) == 1 else free_targets(targets, out)
    batch_id = request_id or new_request_id()
    if isinstance(with_what, TokenChoice):
        results = TokenBatch(client, targets, with_what, stated, batch_id, goes_on=bool(request_id)).sign()
    else:
        key = _choose(client.list_signing_keys(), with_what)
        pin = _ask_pin(key) if key.pin_required else ""
        results = sign_many(client, targets, key.name, stated, pin, batch_id)
    fetch_signed(client, results, files)
    show_results(results, files, batch_id, as_json=as_json)


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
