"""Writing TimeStampToken and TimeStampResp (RFC 3161 §2.4.2, RFC 5816): DER, around one signature.

What is the same in every token of one key is encoded once; a token costs two hashes and a few joins.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asn1crypto import x509

from timestamping.der import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    element,
    integer,
    object_identifier,
)
from timestamping.keys import TimestampingKey
from timestamping.refusals import RefusalError
from timestamping.request import DIGEST_IDENTIFIERS, DIGEST_LENGTHS, TimeStampReq

_SIGNED_DATA = object_identifier("1.2.840.113549.1.7.2")
_TST_INFO = object_identifier("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = object_identifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = object_identifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = object_identifier("1.2.840.113549.1.9.16.2.47")

_VERSION_1 = integer(1)
_VERSION_3 = integer(3)
_GENERALIZED_TIME = 0x18
_CONTEXT_0 = 0xA0
_MILLIS = 0x80
_MICROS = 0x81
_UTF8_STRING = 0x0C
_BIT_STRING = 0x03
_GRANTED = element(SEQUENCE, integer(0))
_REJECTION = integer(2)


@dataclass(frozen=True)
class PreparedToken:
    """A token that lacks its signature; `signed_attributes` is the DER SET OF that has to be signed."""

    tst_info: bytes
    signed_attributes: bytes
    cert_req: bool


class TokenWriter:
    """Writes the tokens of one key. `accuracy` is stated in each."""

    def __init__(self, key: TimestampingKey, accuracy: timedelta) -> None:
        digest_algorithm = element(SEQUENCE, DIGEST_IDENTIFIERS[key.digest])
        self._hash = getattr(hashlib, key.digest)
        self._accuracy = _encode_accuracy(accuracy)
        self._signer_head = _VERSION_1 + _signer_identifier(key.certificate) + digest_algorithm
        self._signature_algorithm = key.signature_algorithm_identifier
        self._signed_data_head = _VERSION_3 + element(SET, digest_algorithm)
        self._certificates = element(_CONTEXT_0, *sorted({key.certificate, *key.chain}))
        self._before_digest, self._after_digest = _around_digest(key.certificate, DIGEST_LENGTHS[key.digest])

    def prepare(
        self, request: TimeStampReq, *, policy: bytes, serial: bytes, gen_time: datetime
    ) -> PreparedToken:
        """Write the TSTInfo and the signed attributes over it.

        policy: OBJECT IDENTIFIER, DER. serial: contents of a positive INTEGER. gen_time: aware.
        """
        tst_info = element(
            SEQUENCE,
            _VERSION_1,
            policy,
            request.message_imprint,
            element(INTEGER, serial),
            element(_GENERALIZED_TIME, encode_gen_time(gen_time)),
            self._accuracy,
            request.nonce or b"",
        )
        attributes = self._before_digest + self._hash(tst_info).digest() + self._after_digest
        return PreparedToken(tst_info, element(SET, attributes), request.cert_req)

    def assemble(self, prepared: PreparedToken, signature: bytes) -> bytes:
        """Write the TimeStampToken: ContentInfo of SignedData with one SignerInfo (RFC 5652 §5)."""
        signer_info = element(
            SEQUENCE,
            self._signer_head,
            # IMPLICIT [0] has the same length octets as the SET that was signed.
            b"\xa0",
            prepared.signed_attributes[1:],
            self._signature_algorithm,
            element(OCTET_STRING, signature),
        )
        signed_data = element(
            SEQUENCE,
            self._signed_data_head,
            element(SEQUENCE, _TST_INFO, element(_CONTEXT_0, element(OCTET_STRING, prepared.tst_info))),
            self._certificates if prepared.cert_req else b"",
            element(SET, signer_info),
        )
        return element(SEQUENCE, _SIGNED_DATA, element(_CONTEXT_0, signed_data))


def granted(token: bytes) -> bytes:
    """Write the TimeStampResp that grants `token`."""
    return element(SEQUENCE, _GRANTED, token)


def rejected(refusal: RefusalError) -> bytes:
    """Write the TimeStampResp that refuses: status rejection, statusString and one failInfo bit."""
    octet, bit = divmod(refusal.failure_info, 8)
    failure_info = bytes((7 - bit,)) + bytes(octet) + bytes((0x80 >> bit,))
    text = element(SEQUENCE, element(_UTF8_STRING, refusal.message.encode()))
    return element(SEQUENCE, element(SEQUENCE, _REJECTION, text, element(_BIT_STRING, failure_info)))


def encode_gen_time(time: datetime) -> bytes:
    """Give the contents of a genTime: UTC, to the millisecond, without trailing zeros (RFC 3161 §2.4.2)."""
    utc = time.astimezone(UTC)
    fraction = f".{utc.microsecond // 1000:03d}".rstrip("0").rstrip(".")
    return f"{utc:%Y%m%d%H%M%S}{fraction}Z".encode("ascii")


def _encode_accuracy(accuracy: timedelta) -> bytes:
    seconds, fraction = divmod(accuracy, timedelta(seconds=1))
    millis, micros = divmod(fraction // timedelta(microseconds=1), 1000)
    return element(
        SEQUENCE,
        integer(seconds) if seconds else b"",
        integer(millis, _MILLIS) if millis else b"",
        integer(micros, _MICROS) if micros else b"",
    )


def _signer_identifier(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber, with the issuer's name byte for byte as the certificate has it."""
    to_be_signed = x509.Certificate.load(certificate)["tbs_certificate"]
    return element(SEQUENCE, to_be_signed["issuer"].dump(), to_be_signed["serial_number"].dump())


def _around_digest(certificate: bytes, digest_length: int) -> tuple[bytes, bytes]:
    """The signed attributes in DER order, split where the message digest goes."""
    placeholder = bytes(digest_length)
    message_digest = element(SEQUENCE, _MESSAGE_DIGEST, element(SET, element(OCTET_STRING, placeholder)))
    # The hash algorithm of ESSCertIDv2 is SHA-256, its default, and so left out (RFC 5035 §4).
    ess_cert_id = element(SEQUENCE, element(OCTET_STRING, hashlib.sha256(certificate).digest()))
    signing_certificate = element(SEQUENCE, element(SEQUENCE, ess_cert_id))
    attributes = sorted(
        (
            element(SEQUENCE, _CONTENT_TYPE, element(SET, _TST_INFO)),
            message_digest,
            element(SEQUENCE, _SIGNING_CERTIFICATE_V2, element(SET, signing_certificate)),
        )
    )
    at = attributes.index(message_digest)
    before = b"".join(attributes[:at]) + message_digest[:-digest_length]
    return before, b"".join(attributes[at + 1 :])
