"""Whether a trusted list may be believed: whole, signed by whom it must be, in force, and not outdated."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pecete.errors import InvalidArgumentError
from signer.validation.certificates import load_certificate
from signer.validation.facts import Integrity
from signer.validation.policy import AlgorithmPolicy
from signer.validation.trusted_lists.elements import read_root
from signer.validation.trusted_lists.model import TrustedList
from signer.validation.trusted_lists.reading import read_list
from signer.validation.xades.enveloped import EnvelopedSignature, read_enveloped

VERSIONS = frozenset({5, 6})
"""Versions of ETSI TS 119 612 that are read: 5 since version 2.1.1, 6 since 2.3.1."""


@dataclass(frozen=True)
class Known:
    """The newest list of a scheme that was believed before."""

    sequence_number: int
    issue_time: datetime


def accept(
    document: bytes, signers: Iterable[bytes], *, time: datetime | None, known: Known | None = None
) -> TrustedList:
    """Read what is signed of a list and believe it, or refuse it (ETSI TS 119 615 §4.1).

    signers: certificates (DER), one of which must have signed it. time: when it must be in force, aware;
    None: at its own issue time, as of a pivot. known: what it must not be older than.

    Raises InvalidArgumentError TRUSTED_LIST_MALFORMED, _TOO_LARGE, _UNSIGNED, _SIGNATURE_BROKEN,
    _WRONG_SIGNER, _VERSION_UNKNOWN, _SIGNER_EXPIRED, _ALGORITHM_WEAK, _NOT_YET_ISSUED, _EXPIRED or
    _ROLLED_BACK.
    """
    read_root(document)
    signature = read_enveloped(document)
    if signature.integrity is Integrity.BROKEN:
        raise refused("SIGNATURE_BROKEN", f"The trusted list's signature does not verify: {signature.fault}.")
    if signature.integrity is not Integrity.INTACT:
        raise refused("UNSIGNED", f"The trusted list has no signature over all of it: {signature.fault}.")
    if signature.signer_certificate not in frozenset(signers):
        raise refused("WRONG_SIGNER", "The trusted list is signed by somebody who may not sign it.")
    found = read_list(signature.content)
    if found.version not in VERSIONS:
        raise refused("VERSION_UNKNOWN", f"The trusted list has version {found.version}, which is not known.")
    _require_believed(signature, found.issue_time)
    if time is not None:
        _require_in_force(found, time)
    if known is not None and (found.sequence_number, found.issue_time) < (
        known.sequence_number,
        known.issue_time,
    ):
        raise refused("ROLLED_BACK", "The trusted list is older than one that was seen before.")
    return found


def _require_believed(signature: EnvelopedSignature, time: datetime) -> None:
    """The signer's certificate must have been valid, and the algorithms believed, at the issue time."""
    signer = load_certificate(signature.signer_certificate or b"")
    if signer is None:
        raise refused("WRONG_SIGNER", "The certificate of the trusted list's signer cannot be read.")
    if not signer.parsed.not_valid_before_utc <= time <= signer.parsed.not_valid_after_utc:
        raise refused(
            "SIGNER_EXPIRED", "The certificate of the trusted list's signer was not valid when it was issued."
        )
    algorithms = AlgorithmPolicy()
    if any(algorithms.end(use) <= time for use in signature.algorithms):
        raise refused("ALGORITHM_WEAK", "The trusted list is signed with an algorithm that is not believed.")


def _require_in_force(found: TrustedList, time: datetime) -> None:
    if found.issue_time > time:
        raise refused("NOT_YET_ISSUED", "The trusted list is issued only in the future.")
    if found.next_update is not None and found.next_update < time:
        raise refused("EXPIRED", "The trusted list should have been replaced by a newer one.")


def refused(reason: str, sentence: str) -> InvalidArgumentError:
    """The error of a list that is not believed; the reason follows `TRUSTED_LIST_`."""
    return InvalidArgumentError("TRUSTED_LIST_" + reason, sentence, field="trusted_list")
