"""What runs in a token's worker process: one signature, of a stored PDF or of the digest of anything else.

This module imports little: every worker process imports it when it starts.
"""

from pathlib import Path

from pecete.errors import FailedPreconditionError
from signer.cades import signing as cades
from signer.pades.options import SignatureOptions
from signer.pades.signing import SignedSection, sign_section
from signer.tokens import worker


def sign_section_with_token(
    path: Path, certificate_sha256: str, pin: str | None, options: SignatureOptions
) -> SignedSection:
    """Sign the PDF at `path` with the worker's token. Raises as `worker.token_key` and `sign_section`."""
    with worker.token_key(certificate_sha256, pin) as key:
        return sign_section(path, key, options)


def sign_digest_with_token(
    algorithm: str,
    digest: bytes,
    certificate_sha256: str,
    pin: str | None,
    options: cades.SignatureOptions,
    *,
    counter: bool,
) -> cades.CompletedSignature:
    """Sign content of which the digest is known, by an algorithm as hashlib names it.

    Raises as `worker.token_key` and `cades.sign_content`; FailedPreconditionError TOKEN_MECHANISM_MISSING
    where this token signs with another digest.
    """

    def content(asked: str) -> bytes:
        if asked != algorithm:
            raise FailedPreconditionError(
                "TOKEN_MECHANISM_MISSING", f"The token does not sign with {algorithm}.", field="signing_key"
            )
        return digest

    with worker.token_key(certificate_sha256, pin) as key:
        return cades.sign_content(content, key, options, counter=counter)
