"""What runs in a token's worker process: signatures of stored PDFs, and of the digest of anything else.

This module imports little: every worker process imports it when it starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pecete.errors import FailedPreconditionError, PeceteError, UnavailableError
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


@dataclass(frozen=True)
class SectionOrder:
    """One signature of a job: the PDF's path, and how it is signed."""

    path: Path
    options: SignatureOptions


def sign_sections_with_token(
    certificate_sha256: str, pin: str | None, series: str, orders: Sequence[SectionOrder]
) -> list[SignedSection | PeceteError]:
    """Sign PDFs one after the other with one login; give for each its section, or what is wrong with it.

    Fewer are given when the token is at fault: those before that. With the error itself at the end it is one
    of the PIN, which must not be tried again. Raises as `worker.token_key`; the token's fault when it comes
    first.
    """
    made: list[SignedSection | PeceteError] = []
    with worker.token_key(certificate_sha256, pin, series) as key:
        for order in orders:
            try:
                made.append(sign_section(order.path, key, order.options))
            except UnavailableError:
                if not made:
                    raise
                break
            except PeceteError as error:
                made.append(error)
                if error.field == "pin":
                    break
    return made


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
