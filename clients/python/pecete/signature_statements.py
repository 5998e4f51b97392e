"""What may be said of any signature, with short names for what it certifies, locks and commits to."""

from collections.abc import Mapping
from typing import TypedDict, TypeVar

from pecete.errors import InvalidArgumentError
from pecete.signing.v1 import signing_pb2

Code = TypeVar("Code")

CERTIFICATIONS = {
    "no-changes": signing_pb2.CERTIFICATION_NO_CHANGES,
    "form-filling": signing_pb2.CERTIFICATION_FORM_FILLING,
    "annotations": signing_pb2.CERTIFICATION_ANNOTATIONS,
}
LOCKS = {
    "fields": signing_pb2.SIGNATURE_LOCK_FIELDS,
    "document": signing_pb2.SIGNATURE_LOCK_DOCUMENT,
}
COMMITMENTS = {
    "proof-of-origin": signing_pb2.COMMITMENT_TYPE_PROOF_OF_ORIGIN,
    "proof-of-receipt": signing_pb2.COMMITMENT_TYPE_PROOF_OF_RECEIPT,
    "proof-of-delivery": signing_pb2.COMMITMENT_TYPE_PROOF_OF_DELIVERY,
    "proof-of-sender": signing_pb2.COMMITMENT_TYPE_PROOF_OF_SENDER,
    "proof-of-approval": signing_pb2.COMMITMENT_TYPE_PROOF_OF_APPROVAL,
    "proof-of-creation": signing_pb2.COMMITMENT_TYPE_PROOF_OF_CREATION,
}


class SignatureStatements(TypedDict, total=False):
    """What may be said of any signature; everything may be left out.

    level: `B-T` (the default), `B-B`, `B-LT` or `B-LTA`; it is never silently lowered. reason, location:
    entries of the signature dictionary. field_name: an empty signature field of the document or a new one,
    else the next free `SignatureN`. visible: what is shown on the page, else nothing is. certification: a key
    of CERTIFICATIONS; only the first signature of a document can certify it. lock: a key of LOCKS.
    commitment: a key of COMMITMENTS, and then no reason. A signature in a format other than PAdES has a level
    and a commitment only.
    """

    level: str
    reason: str
    location: str
    field_name: str
    visible: signing_pb2.VisibleSignature | None
    certification: str
    lock: str
    commitment: str


def certification_named(name: str) -> signing_pb2.Certification.ValueType:
    """Give a certification; "": none is asked for. Raises InvalidArgumentError CERTIFICATION_UNKNOWN."""
    return _named(CERTIFICATIONS, name, "certification", signing_pb2.CERTIFICATION_UNSPECIFIED)


def lock_named(name: str) -> signing_pb2.SignatureLock.ValueType:
    """Give a lock; "": none is asked for. Raises InvalidArgumentError LOCK_UNKNOWN."""
    return _named(LOCKS, name, "lock", signing_pb2.SIGNATURE_LOCK_UNSPECIFIED)


def commitment_named(name: str) -> signing_pb2.CommitmentType.ValueType:
    """Give a commitment; "": none. Raises InvalidArgumentError COMMITMENT_UNKNOWN."""
    return _named(COMMITMENTS, name, "commitment", signing_pb2.COMMITMENT_TYPE_UNSPECIFIED)


def _named(known: Mapping[str, Code], name: str, field: str, unspecified: Code) -> Code:
    if not name:
        return unspecified
    if name not in known:
        names = ", ".join(known)
        raise InvalidArgumentError(f"{field.upper()}_UNKNOWN", f"It is one of {names}.", field=field)
    return known[name]
