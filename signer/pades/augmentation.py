"""Raising the level of signatures that a document has (EN 319 142-1 §6.3): nothing earlier is touched.

Level T of a signature without a time-stamp is a document time-stamp; LT adds validation material; LTA is a
document time-stamp over both, and is renewed by more of the same. Each is one appended section. A document
time-stamp is made in two phases: `prepare_timestamp`, whose digest is stamped, and `finish_timestamp`.
"""

from pathlib import Path

from signer import cms
from signer.algorithms import DigestName
from signer.material import ValidationMaterial
from signer.pades import plain, store
from signer.pades.admission import augmentable
from signer.pades.increment import NotPlainError
from signer.pades.section import AppendedSection, base_state, fill

TIMESTAMP_DIGEST: DigestName = "sha256"
"""What a document time-stamp's messageImprint is made with."""


def append_material(path: Path, material: ValidationMaterial) -> bytes:
    """The octets that add to the document at `path` what its security store lacks; empty where nothing.

    Raises what `admission.augmentable` raises.
    """
    with augmentable(path) as document:
        try:
            return store.append_store(document, material)
        except NotPlainError:
            pass
    from signer.pades import general_store  # brings pyHanko, which is slow to import and seldom needed

    # Opened anew, as the plain writer may have changed what qpdf holds.
    with augmentable(path) as document:
        return general_store.append_store(document, material)


def prepare_timestamp(path: Path, *, reserve: int) -> AppendedSection:
    """A document time-stamp to be appended to the document at `path`, with `reserve` octets for its token.

    The token is to be over the answer's `digest`, by TIMESTAMP_DIGEST. Raises what `admission.augmentable`
    raises.
    """
    with augmentable(path) as document:
        base = base_state(path, document.length, TIMESTAMP_DIGEST)
        try:
            return plain.prepare(document, None, reserve, base)
        except NotPlainError:
            pass
    from signer.pades import general  # as above

    with augmentable(path) as document:
        return general.prepare(document, None, reserve, base)


def finish_timestamp(section: AppendedSection, token: bytes) -> bytes:
    """The octets to append, with a TimeStampToken (DER) in the gap.

    Raises InvalidArgumentError TIMESTAMP_TOKEN_MALFORMED or TIMESTAMP_TOKEN_MISMATCH, and
    FailedPreconditionError SIGNATURE_RESERVE_TOO_SMALL.
    """
    cms.check_message_imprint(token, TIMESTAMP_DIGEST, section.digest)
    return fill(section, token)
