"""Asking a time-stamping authority: the TimeStampReq for a digest, and the token out of its TimeStampResp."""

import secrets
from dataclasses import dataclass

from asn1crypto import tsp

from pecete.errors import InvalidArgumentError
from pecete.evidence.timestamp import TimestampError, check_timestamp_integrity, token_of_response

_DIGESTS = {32: "sha256", 48: "sha384", 64: "sha512"}


@dataclass(frozen=True)
class TimestampQuestion:
    """One TimeStampReq over a digest, with the nonce that its token must repeat (RFC 3161 §2.4.1)."""

    digest: bytes
    nonce: int

    @classmethod
    def over(cls, digest: bytes) -> "TimestampQuestion":
        """Ask for a SHA-256, SHA-384 or SHA-512 digest. Raises InvalidArgumentError DIGEST_LENGTH_UNKNOWN."""
        if len(digest) not in _DIGESTS:
            raise InvalidArgumentError(
                "DIGEST_LENGTH_UNKNOWN", "A SHA-2 digest has 32, 48 or 64 octets.", field="digest"
            )
        return cls(digest, secrets.randbits(64))

    def to_der(self) -> bytes:
        """Give the TimeStampReq; it asks for the authority's certificate."""
        imprint = {"hash_algorithm": {"algorithm": _DIGESTS[len(self.digest)]}, "hashed_message": self.digest}
        request = tsp.TimeStampReq(
            {"version": "v1", "message_imprint": imprint, "nonce": self.nonce, "cert_req": True}
        )
        return bytes(request.dump())

    def token_of(self, response: bytes) -> bytes:
        """Take the TimeStampToken out of a TimeStampResp and check that it answers this question.

        Its signature is checked too; whether its authority is to be trusted is for `verify_timestamp_token`.
        Raises TimestampError, TIMESTAMP_NONCE_MISMATCH among its reasons.
        """
        token = token_of_response(response)
        facts, _ = check_timestamp_integrity(token, digest=self.digest)
        if facts.nonce != self.nonce:
            raise TimestampError(
                "TIMESTAMP_NONCE_MISMATCH", "The time-stamp answers another request.", field="timestamp"
            )
        return token
