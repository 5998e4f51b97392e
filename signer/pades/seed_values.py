"""What a signature field demands of its signature: seed values (ISO 32000-2 §12.7.5.5, Tables 237 to 239).

Each constraint that the field requires is met by the signature as it was ordered, or the signature is
refused; what a field merely suggests is left to the caller.
"""

from collections.abc import Callable, Iterable

import pikepdf
from pikepdf import Name

from pecete.errors import FailedPreconditionError
from signer.keys import Signatory
from signer.pades.admission import Admitted, damaged
from signer.pades.options import Lock, SignatureOptions

_FILTER, _SUB_FILTER, _VERSION, _REASONS, _LEGAL_ATTESTATION = 1, 2, 4, 8, 16
_ADD_REV_INFO, _DIGEST_METHOD, _LOCK_DOCUMENT, _APPEARANCE_FILTER = 32, 64, 128, 256
_SUBJECT, _ISSUER = 1, 2
_NEWEST_VERSION = 3

Check = Callable[[], bool]


def check_demands(document: Admitted, options: SignatureOptions, signer: Signatory) -> None:
    """Refuse a signature that is not what its field demands.

    Raises FailedPreconditionError SEED_VALUE_NOT_MET, whose metadata `seed_value` is the entry's name;
    InvalidArgumentError DOCUMENT_DAMAGED.
    """
    seed = document.existing.get(Name.SV) if document.existing is not None else None
    if seed is None:
        return
    try:
        _check(seed, document, options, signer)
    except (pikepdf.PdfError, AttributeError, TypeError, ValueError, KeyError):
        # What qpdf gives for objects of another kind than the standard says.
        raise damaged() from None


def _check(seed: pikepdf.Object, document: Admitted, options: SignatureOptions, signer: Signatory) -> None:
    certification, lock = document.certification, document.lock.kind if document.lock else None
    flags = int(seed.get(Name.Ff, 0))
    checks: list[tuple[str, bool, Check]] = [
        ("Filter", bool(flags & _FILTER), lambda: seed.get(Name.Filter) == Name("/Adobe.PPKLite")),
        ("SubFilter", bool(flags & _SUB_FILTER), lambda: "/ETSI.CAdES.detached" in _texts(seed, "SubFilter")),
        ("V", bool(flags & _VERSION), lambda: float(seed.get(Name.V, 0)) <= _NEWEST_VERSION),
        ("Reasons", bool(flags & _REASONS), lambda: _reason_fits(_texts(seed, "Reasons"), options.reason)),
        ("LegalAttestation", bool(flags & _LEGAL_ATTESTATION), lambda: False),
        ("AddRevInfo", bool(flags & _ADD_REV_INFO), lambda: not seed.get(Name.AddRevInfo, False)),
        (
            "DigestMethod",
            bool(flags & _DIGEST_METHOD),
            lambda: signer.algorithm.digest.upper() in _texts(seed, "DigestMethod"),
        ),
        (
            "LockDocument",
            bool(flags & _LOCK_DOCUMENT),
            lambda: _lock_fits(str(seed.get(Name.LockDocument)), lock),
        ),
        ("AppearanceFilter", bool(flags & _APPEARANCE_FILTER), lambda: False),
        ("MDP", Name.MDP in seed, lambda: int(seed.MDP.get(Name.P, 0)) == (certification or 0)),
        ("TimeStamp", Name.TimeStamp in seed, lambda: _time_stamp_fits(seed.TimeStamp, options)),
        ("Cert", Name.Cert in seed, lambda: _certificate_fits(seed.Cert, signer)),
    ]
    for name, required, is_met in checks:
        if required and not is_met():
            raise FailedPreconditionError(
                "SEED_VALUE_NOT_MET",
                f"The field demands of its signature what this one does not have: {name}.",
                field="field_name",
                metadata={"seed_value": name},
            )


def _texts(seed: pikepdf.Object, key: str) -> list[str]:
    """The names or text strings in an array."""
    return [str(value) for value in seed.get(Name("/" + key), pikepdf.Array())]


def _reason_fits(reasons: list[str], reason: str) -> bool:
    """A single full stop, or nothing, means that no reason may be given."""
    return not reason if reasons in ([], ["."]) else reason in reasons


def _lock_fits(wanted: str, lock: Lock | None) -> bool:
    return wanted == "/auto" or (wanted == "/true") == (lock is Lock.DOCUMENT)


def _time_stamp_fits(time_stamp: pikepdf.Object, options: SignatureOptions) -> bool:
    """Which authority gives it is for the service to say."""
    return int(time_stamp.get(Name.Ff, 0)) != 1 or options.timestamp_reserve > 0


def _certificate_fits(wanted: pikepdf.Object, signer: Signatory) -> bool:
    """Subject and issuer are compared; what else may be demanded of a certificate is not known here."""
    flags = int(wanted.get(Name.Ff, 0))
    if flags & ~(_SUBJECT | _ISSUER):
        return False
    subject_fits = not flags & _SUBJECT or _holds(wanted, "Subject", [signer.certificate])
    return subject_fits and (not flags & _ISSUER or _holds(wanted, "Issuer", signer.chain))


def _holds(wanted: pikepdf.Object, key: str, certificates: Iterable[bytes]) -> bool:
    listed = [bytes(value) for value in wanted.get(Name("/" + key), pikepdf.Array())]
    return any(certificate in listed for certificate in certificates)
