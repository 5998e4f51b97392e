"""What runs in a token's worker process: one signature from the stored document to the finished section.

This module imports little: every worker process imports it when it starts.
"""

from pathlib import Path

from signer.pades.options import SignatureOptions
from signer.pades.signing import SignedSection, sign_section
from signer.tokens import worker


def sign_section_with_token(
    path: Path, certificate_sha256: str, pin: str | None, options: SignatureOptions
) -> SignedSection:
    """Sign the PDF at `path` with the worker's token. Raises as `worker.token_key` and `sign_section`."""
    with worker.token_key(certificate_sha256, pin) as key:
        return sign_section(path, key, options)
