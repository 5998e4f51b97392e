"""What a signature certifies, locks and commits to, as the wire names it."""

from collections.abc import Mapping
from typing import TypeVar

from pecete.commitment import CommitmentType
from pecete.errors import InvalidArgumentError
from pecete.signing.v1 import signing_pb2 as pb
from signer.pades.options import Certification, Lock

Known = TypeVar("Known")

_CERTIFICATIONS: dict[int, Certification | None] = {
    pb.CERTIFICATION_UNSPECIFIED: None,
    pb.CERTIFICATION_NO_CHANGES: Certification.NO_CHANGES,
    pb.CERTIFICATION_FORM_FILLING: Certification.FORM_FILLING,
    pb.CERTIFICATION_ANNOTATIONS: Certification.ANNOTATIONS,
    pb.CERTIFICATION_NONE: None,
}
_LOCKS: dict[int, Lock | None] = {
    pb.SIGNATURE_LOCK_UNSPECIFIED: None,
    pb.SIGNATURE_LOCK_FIELDS: Lock.FIELDS,
    pb.SIGNATURE_LOCK_DOCUMENT: Lock.DOCUMENT,
    pb.SIGNATURE_LOCK_NONE: None,
}
_COMMITMENTS: dict[int, CommitmentType | None] = {pb.COMMITMENT_TYPE_UNSPECIFIED: None} | {
    commitment.value: commitment for commitment in CommitmentType
}


def certification(code: int, field: str = "certification") -> Certification | None:
    """Read what a signature certifies. Raises InvalidArgumentError CERTIFICATION_UNKNOWN."""
    return _read(_CERTIFICATIONS, code, "CERTIFICATION_UNKNOWN", field)


def lock(code: int, field: str = "lock") -> Lock | None:
    """Read what a signature locks. Raises InvalidArgumentError SIGNATURE_LOCK_UNKNOWN."""
    return _read(_LOCKS, code, "SIGNATURE_LOCK_UNKNOWN", field)


def commitment(code: int) -> CommitmentType | None:
    """Read what a signer commits to. Raises InvalidArgumentError COMMITMENT_TYPE_UNKNOWN."""
    return _read(_COMMITMENTS, code, "COMMITMENT_TYPE_UNKNOWN", "commitment")


def certification_code(certified: Certification | None) -> pb.Certification.ValueType:
    """Give what a signature certifies as the wire names it."""
    return pb.Certification.Value(f"CERTIFICATION_{certified.name if certified else 'NONE'}")


def lock_code(locked: Lock | None) -> pb.SignatureLock.ValueType:
    """Give what a signature locks as the wire names it."""
    return pb.SignatureLock.Value(f"SIGNATURE_LOCK_{locked.name if locked else 'NONE'}")


def commitment_code(stated: CommitmentType | None) -> pb.CommitmentType.ValueType:
    """Give what a signer commits to as the wire names it."""
    return pb.CommitmentType.Value(f"COMMITMENT_TYPE_{stated.name if stated else 'UNSPECIFIED'}")


def _read(known: Mapping[int, Known], code: int, reason: str, field: str) -> Known:
    if code not in known:
        raise InvalidArgumentError(reason, "There is no such value.", field=field)
    return known[code]
