"""`pecete verify-timestamp` and `pecete verify-proof`: offline, the service takes no part."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pecete.commands.arguments import Time, aware_time
from pecete.commands.output import Json, command, local, say, show_json
from pecete.errors import InvalidArgumentError
from pecete.evidence.record_proof import verify_record_proof
from pecete.evidence.timestamp import check_timestamp_integrity, read_timestamp_token, verify_timestamp_token
from pecete.evidence.timestamp_signature import DIGESTS

_Data = Annotated[Path, typer.Option("--data", exists=True, dir_okay=False, help="The document itself.")]
Trust = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust",
        exists=True,
        dir_okay=False,
        help="Certificate of a trusted authority, PEM or DER; may be given again.",
    ),
]


@command
def verify_timestamp(
    token: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="TimeStampToken, DER (RFC 3161 §2.4.2); not the TimeStampResp around it.",
        ),
    ],
    data: _Data,
    trust: Trust = None,
    time: Time = "",
    as_json: Json = False,
) -> None:
    """Verify a time-stamp token offline.

    Without --trust only that it is intact is shown, not that its authority is one to be trusted. With --trust
    its certificates must be valid as of --time.
    """
    encoded = token.read_bytes()
    facts = read_timestamp_token(encoded)
    digest = _digest(data, facts.digest_algorithm)
    trusted = anchors(trust)
    if trusted:
        verify_timestamp_token(
            encoded, digest=digest, trust=trusted, at=aware_time(time) or datetime.now(UTC)
        )
    else:
        check_timestamp_integrity(encoded, digest=digest)
    if as_json:
        show_json(
            {
                "gen_time": facts.gen_time.isoformat(),
                "serial_number": str(facts.serial_number),
                "policy": facts.policy,
                "digest_algorithm": facts.digest_algorithm,
                "digest": facts.digest.hex(),
                "trusted": bool(trusted),
            }
        )
        return
    claim = f"{data} existed at {local(facts.gen_time)} (serial number {facts.serial_number})"
    if trusted:
        say(claim)
    else:
        say(f"An intact time-stamp says that {claim};")
        say("whether its authority is trusted was not asked (--trust).")


@command
def verify_proof(
    proof: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The proof, JSON.")],
    data: _Data,
    key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Public key of the city hall's journal, PEM.")
    ],
    origin: Annotated[str, typer.Option(help="Name of the journal, such as primaria.example.ro/journal.")],
    trust: Trust = None,
    time: Time = "",
    as_json: Json = False,
) -> None:
    """Verify a record's proof offline.

    The journal's key and name must be known from elsewhere than the proof. With --trust the journal's
    checkpoint must carry a time-stamp of such an authority as well.
    """
    verdict = verify_record_proof(
        proof.read_bytes(),
        data,
        journal_key=key.read_bytes(),
        origin=origin,
        trust=anchors(trust),
        at=aware_time(time),
    )
    if as_json:
        show_json(
            {
                "record": verdict.record,
                "sha256": verdict.sha256,
                "descriptive_record": dict(verdict.descriptive_record),
                "archive_time": verdict.archive_time.isoformat(),
                "archivist": verdict.archivist,
                "tree_size": verdict.checkpoint.size,
                "existed_by": verdict.existed_by and verdict.existed_by.isoformat(),
            }
        )
        return
    say(f"{data} is the document of {verdict.record}, archived by {verdict.archivist}")
    say(f"archived at {local(verdict.archive_time)} by the journal's own clock")
    if verdict.existed_by:
        say(f"existed by {local(verdict.existed_by)} by a trusted time-stamp")


def _digest(file: Path, algorithm: str) -> bytes:
    if algorithm not in DIGESTS:
        return b""  # No digest fits, and the verification says that the algorithm is the fault.
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).digest()


def anchors(files: list[Path] | None) -> list[bytes]:
    """The certificates in files, PEM or DER. Raises InvalidArgumentError TRUST_ANCHOR_UNREADABLE."""
    return [der for file in files or [] for der in _certificates(file)]


def _certificates(file: Path) -> list[bytes]:
    encoded = file.read_bytes()
    if b"-----BEGIN" not in encoded:
        return [encoded]
    try:
        return [found.public_bytes(Encoding.DER) for found in x509.load_pem_x509_certificates(encoded)]
    except ValueError as error:
        raise InvalidArgumentError(
            "TRUST_ANCHOR_UNREADABLE", f"{file} holds no readable certificate.", field="trust"
        ) from error
