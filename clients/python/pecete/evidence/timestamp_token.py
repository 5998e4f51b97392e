"""Reading RFC 3161 responses and tokens: what they claim, before anything of it is believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asn1crypto import cms, core, tsp

from pecete.errors import InvalidArgumentError

QUALIFIED_STATEMENT = bytes.fromhex("0607040081975e0101")
"""Identifier of esi4-qtstStatement-1, DER (EN 319 422)."""

_QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"
_UNDERSTOOD_EXTENSIONS = frozenset({_QC_STATEMENTS})
_MAXIMUM_LENGTH = 1 << 20


class TimestampError(InvalidArgumentError):
    """A time-stamp response or token that is malformed, refused or not to be believed; `reason` says which.

    The reasons: `TIMESTAMP_MALFORMED`, `TIMESTAMP_REFUSED`, `TIMESTAMP_ALGORITHM_NOT_ALLOWED`,
    `TIMESTAMP_IMPRINT_MISMATCH`, `TIMESTAMP_CERTIFICATE_MISSING`,
    `TIMESTAMP_CERTIFICATE_MISMATCH`, `TIMESTAMP_SIGNATURE_INVALID`, `TIMESTAMP_KEY_USAGE_WRONG`,
    `TIMESTAMP_OUTSIDE_KEY_USAGE_PERIOD` and, only when all else holds, `TIMESTAMP_PATH_NOT_FOUND`.
    """


@contextmanager
def malformed_when_unreadable(what: str) -> Iterator[None]:
    """Turn what the ASN.1 reader raises on bytes that are not what they claim to be into one typed error."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise TimestampError(
            "TIMESTAMP_MALFORMED", f"This is not a readable {what}.", field="timestamp"
        ) from error


class _TimeStampResp(core.Sequence):  # type: ignore[misc] # asn1crypto has no types
    """TimeStampResp; asn1crypto's own cannot be without a token, as every refusal is."""

    _fields = [  # noqa: RUF012 - the form that asn1crypto wants
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True)
class TimestampFacts:
    """What a TimeStampToken says (TSTInfo, RFC 3161 §2.4.2), not yet verified.

    digest_algorithm, digest: the messageImprint, such as `sha256` and 32 bytes. accuracy: None when unstated.
    claims_qualified: it carries esi4-qtstStatement-1 (EN 319 422). certificates: embedded ones, DER, as
    they stand. tst_info: the TSTInfo that was signed, DER.
    """

    token: bytes = field(repr=False)
    policy: str
    digest_algorithm: str
    digest: bytes
    serial_number: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None
    claims_qualified: bool
    certificates: tuple[bytes, ...] = field(repr=False)
    tst_info: bytes = field(repr=False)


def token_of_response(response: bytes) -> bytes:
    """Give the TimeStampToken of a TimeStampResp (RFC 3161 §2.4.2), byte for byte as it stands there.

    Raises TimestampError TIMESTAMP_MALFORMED, or TIMESTAMP_REFUSED with the `status`, `failure_info` and
    `status_string` of the PKIStatusInfo as metadata.
    """
    _refuse_oversize(response)
    with malformed_when_unreadable("TimeStampResp"):
        parsed = _TimeStampResp.load(response, strict=True)
        status = parsed["status"]["status"].native
        granted = status in ("granted", "granted_with_mods")
        if granted:
            return _stored(parsed["time_stamp_token"])
        failure = ",".join(sorted(parsed["status"]["fail_info"].native or ()))
        text = " ".join(parsed["status"]["status_string"].native or ())
    raise TimestampError(
        "TIMESTAMP_REFUSED",
        "The time-stamping authority refused the request.",
        field="timestamp",
        metadata={"status": str(status), "failure_info": failure, "status_string": text[:200]},
    )


def read_timestamp_token(token: bytes) -> TimestampFacts:
    """Read what a TimeStampToken claims; nothing is verified. Raises TimestampError TIMESTAMP_MALFORMED."""
    signed_data = load_signed_data(token)
    with malformed_when_unreadable("TimeStampToken"):
        tst_info = bytes(signed_data["encap_content_info"]["content"])
        parsed = tsp.TSTInfo.load(tst_info, strict=True)
        if parsed["version"].native != "v1":
            raise ValueError("version")
        imprint = parsed["message_imprint"]
        return TimestampFacts(
            token=token,
            policy=parsed["policy"].dotted,
            digest_algorithm=imprint["hash_algorithm"]["algorithm"].native,
            digest=imprint["hashed_message"].native,
            serial_number=parsed["serial_number"].native,
            gen_time=_gen_time(parsed),
            accuracy=_accuracy(parsed),
            ordering=parsed["ordering"].native,
            nonce=parsed["nonce"].native,
            claims_qualified=_claims_qualified(parsed),
            certificates=tuple(
                choice.chosen.dump()
                for choice in signed_data["certificates"] or ()
                if choice.name == "certificate"
            ),
            tst_info=tst_info,
        )


def load_signed_data(token: bytes) -> cms.SignedData:
    """Give the SignedData over a TSTInfo that a token is (RFC 3161 §2.4.2). Raises TIMESTAMP_MALFORMED."""
    _refuse_oversize(token)
    with malformed_when_unreadable("TimeStampToken"):
        content_info = cms.ContentInfo.load(token, strict=True)
        if content_info["content_type"].native != "signed_data":
            raise ValueError("contentType")
        signed_data = content_info["content"]
        if signed_data["encap_content_info"]["content_type"].native != "tst_info":
            raise ValueError("eContentType")
        return signed_data


def _stored(token: cms.ContentInfo) -> bytes:
    if not isinstance(token, cms.ContentInfo):
        raise ValueError("granted without a token")
    return bytes(token.dump())


def _refuse_oversize(data: bytes) -> None:
    if len(data) > _MAXIMUM_LENGTH:
        raise TimestampError("TIMESTAMP_MALFORMED", "A time-stamp is never this long.", field="timestamp")


def _gen_time(parsed: tsp.TSTInfo) -> datetime:
    element = parsed["gen_time"]
    if not element.contents.endswith(b"Z"):
        raise ValueError("genTime is not UTC")
    time = element.native
    if not isinstance(time, datetime):
        raise ValueError("genTime is not a time")
    return time.astimezone(UTC)


def _accuracy(parsed: tsp.TSTInfo) -> timedelta | None:
    accuracy = parsed["accuracy"]
    if accuracy.native is None:
        return None
    parts = (accuracy[name].native or 0 for name in ("seconds", "millis", "micros"))
    seconds, millis, micros = parts
    if seconds < 0 or not 0 <= millis <= 999 or not 0 <= micros <= 999:
        raise ValueError("accuracy")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _claims_qualified(parsed: tsp.TSTInfo) -> bool:
    claimed = False
    for extension in parsed["extensions"] or ():
        name = extension["extn_id"].dotted
        if extension["critical"].native and name not in _UNDERSTOOD_EXTENSIONS:
            raise ValueError("critical extension")
        if name == _QC_STATEMENTS:
            claimed = QUALIFIED_STATEMENT in extension["extn_value"].native
    return claimed
