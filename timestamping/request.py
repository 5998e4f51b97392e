"""Reading a TimeStampReq (RFC 3161 §2.4.1), strictly DER, without building what it does not need."""

from dataclasses import dataclass

from timestamping.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    element,
    integer,
    object_identifier,
)
from timestamping.refusals import BadAlgError, BadDataFormatError, BadRequestError, UnacceptedExtensionError

DIGEST_IDENTIFIERS = {
    "sha256": object_identifier("2.16.840.1.101.3.4.2.1"),
    "sha384": object_identifier("2.16.840.1.101.3.4.2.2"),
    "sha512": object_identifier("2.16.840.1.101.3.4.2.3"),
}
"""OBJECT IDENTIFIER (DER) of each digest algorithm that is stamped."""

DIGEST_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
"""Octets of each digest."""

_DIGEST_NAMES = {identifier: name for name, identifier in DIGEST_IDENTIFIERS.items()}
_VERSION_1 = b"\x02\x01\x01"
_BOOLEAN = 0x01
_TRUE = b"\xff"
_EXTENSIONS = 0xA0
_NULL = b"\x05\x00"
_MAXIMUM_NONCE = 64


@dataclass(frozen=True)
class TimeStampReq:
    """A request that can be answered.

    message_imprint: MessageImprint, DER, as received. digest_algorithm: `sha256`, `sha384` or `sha512`.
    policy: reqPolicy, OBJECT IDENTIFIER in DER. nonce: INTEGER in DER. cert_req: certReq.
    """

    message_imprint: bytes
    digest_algorithm: str
    digest: bytes
    policy: bytes | None
    nonce: bytes | None
    cert_req: bool


class _Cursor:
    """The elements inside one constructed encoding, taken one after the other."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def next_is(self, tag: int) -> bool:
        """Say whether another element stands here and has this tag octet."""
        return self._data[self._at : self._at + 1] == bytes((tag,))

    def whole(self, tag: int) -> bytes:
        """Take the element, which must have this tag octet, with its tag and length."""
        start = self._at
        self.contents(tag)
        return self._data[start : self._at]

    def contents(self, tag: int) -> bytes:
        """Take the contents of the element, which must have this tag octet."""
        data, at = self._data, self._at
        if at + 2 > len(data) or data[at] != tag:
            raise _malformed()
        start, length = at + 2, data[at + 1]
        if length >= 0x80:
            size = length & 0x7F
            start += size
            length = int.from_bytes(data[at + 2 : start], "big")
            if not 1 <= size <= 2 or length < (0x80 if size == 1 else 0x100):
                raise _malformed()
        if start + length > len(data):
            raise _malformed()
        self._at = start + length
        return data[start : self._at]

    def rest(self) -> bytes:
        """Give what was not taken yet."""
        return self._data[self._at :]

    def finish(self) -> None:
        """Refuse anything that was not taken."""
        if self._at != len(self._data):
            raise _malformed()


def parse_time_stamp_req(der: bytes) -> TimeStampReq:
    """Read a TimeStampReq of at most 64 KiB (RFC 3161 §2.4.1).

    Raises BadDataFormatError TIMESTAMP_REQUEST_MALFORMED or MESSAGE_IMPRINT_LENGTH_WRONG, BadAlgError
    DIGEST_ALGORITHM_NOT_ACCEPTED, BadRequestError TIMESTAMP_VERSION_NOT_SUPPORTED or NONCE_TOO_LONG, and
    UnacceptedExtensionError TIMESTAMP_EXTENSION_NOT_ACCEPTED.
    """
    outer = _Cursor(der)
    fields = _Cursor(outer.contents(SEQUENCE))
    outer.finish()
    version = _integer(fields)
    message_imprint = fields.whole(SEQUENCE)
    policy = _policy(fields) if fields.next_is(OBJECT_IDENTIFIER) else None
    nonce = _integer(fields) if fields.next_is(INTEGER) else None
    cert_req = fields.next_is(_BOOLEAN)
    if cert_req and fields.contents(_BOOLEAN) != _TRUE:
        raise _malformed()
    extensions = fields.contents(_EXTENSIONS) if fields.next_is(_EXTENSIONS) else None
    fields.finish()
    _require_supported(version, nonce, extensions)
    digest_algorithm, digest = _read_message_imprint(message_imprint)
    return TimeStampReq(message_imprint, digest_algorithm, digest, policy, nonce, cert_req)


def write_time_stamp_req(
    digest_algorithm: str, digest: bytes, nonce: int | None = None, policy: str = ""
) -> bytes:
    """Write a TimeStampReq that asks for the certificates (certReq TRUE).

    Raises BadAlgError DIGEST_ALGORITHM_NOT_ACCEPTED and BadDataFormatError MESSAGE_IMPRINT_LENGTH_WRONG.
    """
    identifier = DIGEST_IDENTIFIERS.get(digest_algorithm)
    if identifier is None:
        raise _not_accepted()
    _require_length(digest_algorithm, digest)
    return element(
        SEQUENCE,
        _VERSION_1,
        element(SEQUENCE, element(SEQUENCE, identifier), element(OCTET_STRING, digest)),
        object_identifier(policy) if policy else b"",
        b"" if nonce is None else integer(nonce),
        element(_BOOLEAN, _TRUE),
    )


def _integer(fields: _Cursor) -> bytes:
    whole = fields.whole(INTEGER)
    contents = _Cursor(whole).contents(INTEGER)
    superfluous = len(contents) > 1 and (
        (contents[0] == 0x00 and contents[1] < 0x80) or (contents[0] == 0xFF and contents[1] >= 0x80)
    )
    if not contents or superfluous:
        raise _malformed()
    return whole


def _policy(fields: _Cursor) -> bytes:
    whole = fields.whole(OBJECT_IDENTIFIER)
    _require_object_identifier(whole)
    return whole


def _require_object_identifier(whole: bytes) -> None:
    """Refuse an OBJECT IDENTIFIER whose arcs are not minimal or do not end (X.690 §8.19)."""
    contents = _Cursor(whole).contents(OBJECT_IDENTIFIER)
    if not contents or contents[-1] >= 0x80:
        raise _malformed()
    starts_arc = True
    for octet in contents:
        if starts_arc and octet == 0x80:
            raise _malformed()
        starts_arc = octet < 0x80


def _require_supported(version: bytes, nonce: bytes | None, extensions: bytes | None) -> None:
    if version != _VERSION_1:
        raise BadRequestError(
            "TIMESTAMP_VERSION_NOT_SUPPORTED", "Only version 1 of TimeStampReq is supported.", field="version"
        )
    if nonce is not None and len(nonce) > _MAXIMUM_NONCE + 2:
        raise BadRequestError("NONCE_TOO_LONG", "The nonce is longer than 64 octets.", field="nonce")
    if extensions is not None:
        raise UnacceptedExtensionError(
            "TIMESTAMP_EXTENSION_NOT_ACCEPTED",
            "No extension of TimeStampReq is supported.",
            field="extensions",
        )


def _read_message_imprint(whole: bytes) -> tuple[str, bytes]:
    fields = _Cursor(_Cursor(whole).contents(SEQUENCE))
    algorithm = _Cursor(fields.contents(SEQUENCE))
    digest = fields.contents(OCTET_STRING)
    fields.finish()
    identifier = algorithm.whole(OBJECT_IDENTIFIER)
    _require_object_identifier(identifier)
    name = _DIGEST_NAMES.get(identifier)
    # Parameters may be absent or NULL, and both are kept as received (RFC 5754 §2).
    if name is None or algorithm.rest() not in (b"", _NULL):
        raise _not_accepted()
    _require_length(name, digest)
    return name, digest


def _require_length(name: str, digest: bytes) -> None:
    if len(digest) != DIGEST_LENGTHS[name]:
        raise BadDataFormatError(
            "MESSAGE_IMPRINT_LENGTH_WRONG",
            "The hashed message is not as long as its hash algorithm makes it.",
            field="message_imprint",
        )


def _not_accepted() -> BadAlgError:
    return BadAlgError(
        "DIGEST_ALGORITHM_NOT_ACCEPTED",
        "Only SHA-256, SHA-384 and SHA-512 imprints are stamped.",
        field="message_imprint",
    )


def _malformed() -> BadDataFormatError:
    return BadDataFormatError(
        "TIMESTAMP_REQUEST_MALFORMED",
        "The request is not a DER-encoded TimeStampReq.",
        field="timestamp_request",
    )
