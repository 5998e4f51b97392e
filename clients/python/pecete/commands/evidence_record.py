"""`pecete verify-evidence`: an evidence record (RFC 4998) checked offline, the service takes no part."""

from pathlib import Path
from typing import Annotated

import typer

from pecete.commands.arguments import Time, aware_time
from pecete.commands.evidence import Trust, anchors
from pecete.commands.output import Json, command, local, say, show_json
from pecete.errors import InvalidArgumentError
from pecete.evidence.evidence_record import (
    DIGEST_ALGORITHMS,
    EvidenceRecordError,
    hashed,
    read_evidence_record,
)
from pecete.evidence.evidence_verification import (
    DataObject,
    EvidenceVerdict,
    Verdict,
    digests_of_file,
    verify_evidence_record,
)


@command
def verify_evidence(
    record: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="The EvidenceRecord, DER (RFC 4998)."),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", exists=True, dir_okay=False, help="A file that it is to protect; may be given again."
        ),
    ] = None,
    digest: Annotated[
        list[str] | None,
        typer.Option(
            "--digest",
            metavar="ALG:HEX[+ALG:HEX]...",
            help="A file by its digests, one for each algorithm of the record; may be given again.",
        ),
    ] = None,
    trust: Trust = None,
    time: Time = "",
    as_json: Json = False,
) -> None:
    """Verify an evidence record offline.

    Without --trust only that it is intact is shown, not that its authorities are ones to be trusted. With
    --trust each time-stamp must be by such an authority, with certificates that were valid when it was
    renewed, those of the last one as of --time. The exit code is 0 for the verdict intact alone.
    """
    encoded = record.read_bytes()
    objects = [*_files(encoded, data or []), *map(_digests, digest or [])]
    verdict = verify_evidence_record(encoded, objects, trust=anchors(trust), at=aware_time(time))
    if as_json:
        show_json(_plain(verdict))
    else:
        _say(record, verdict, bool(trust))
    if verdict.verdict is not Verdict.INTACT:
        raise typer.Exit(1)


def _files(record: bytes, files: list[Path]) -> list[DataObject]:
    try:
        algorithms = read_evidence_record(record).digest_algorithms
    except EvidenceRecordError:
        return []  # what is no record has its own verdict, whatever it is to protect
    return [digests_of_file(file, algorithms) for file in files]


def _digests(text: str) -> DataObject:
    """An object by its digests, written `sha256:HEX+sha512:HEX`."""
    digests: dict[str, bytes] = {}
    for part in text.split("+"):
        name, _, value = part.partition(":")
        algorithm = name.lower().replace("sha-", "sha").replace("-", "_")
        if algorithm in digests:
            raise _malformed()
        digests[algorithm] = _digest(algorithm, value)
    return DataObject(text, digests)


def _digest(algorithm: str, value: str) -> bytes:
    try:
        digest = bytes.fromhex(value)
    except ValueError:
        raise _malformed() from None
    if algorithm not in DIGEST_ALGORITHMS.values() or len(digest) != len(hashed(algorithm)):
        raise _malformed()
    return digest


def _malformed() -> InvalidArgumentError:
    return InvalidArgumentError(
        "DIGEST_MALFORMED", "A digest is written ALG:HEX, such as sha256: and 64 digits.", field="digest"
    )


def _plain(verdict: EvidenceVerdict) -> dict[str, object]:
    existed_by = verdict.existed_by
    return {
        "verdict": str(verdict.verdict),
        "failing_check": str(verdict.fault.check) if verdict.fault else None,
        "explanation": verdict.fault.explanation if verdict.fault else None,
        "existed_by": existed_by and existed_by.isoformat(),
        "timestamps": [
            {
                "kind": str(each.renewal),
                "gen_time": each.time.isoformat(),
                "digest_algorithm": each.digest_algorithm,
                "signature": str(each.signature),
                "trusted": each.trusted,
            }
            for each in verdict.timestamps
        ],
        "covered": list(verdict.covered),
        "unknown": verdict.unknown,
    }


def _say(record: Path, verdict: EvidenceVerdict, trusted: bool) -> None:
    say(f"{record}: {verdict.verdict}" + (f" ({verdict.fault.explanation})" if verdict.fault else ""))
    for each in verdict.timestamps:
        say(f"{each.renewal} at {local(each.time)}, {each.digest_algorithm}, signature {each.signature}")
    if verdict.existed_by:
        for name in verdict.covered:
            say(f"{name} existed by {local(verdict.existed_by)}")
        if not trusted:
            say("whether the authorities are trusted was not asked (--trust).")
