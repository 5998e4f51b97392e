"""How `pecete-server keys` shows keys: lines for people, JSON values for programs."""

from collections.abc import Iterator

from cryptography import x509

from server.key_changes import ListedKey, ListedToken
from signer.algorithms import SignatureAlgorithm, key_bits
from signer.key_notices import KeyNotice, days_left
from signer.tokens.contents import KeptKey
from signer.tokens.inventory import key_type


def token_json(token: ListedToken) -> dict[str, object]:
    """Give a token with its keys; fault: null, or why they cannot be read."""
    fault = token.fault and {"reason": token.fault.reason, "message": token.fault.message}
    return {"name": token.name, "fault": fault, "keys": [key_json(key) for key in token.keys]}


def token_lines(token: ListedToken) -> Iterator[str]:
    """Give a token with its keys."""
    if token.fault is not None:
        yield f"{token.name}: {token.fault}"
    elif not token.keys:
        yield f"{token.name}: no keys"
    for key in token.keys:
        yield from key_lines(key)


def key_json(listed: ListedKey) -> dict[str, object]:
    """Give a key; days_left and what belongs to a certificate are null without one."""
    key, certificate = listed.key, listed.key.certificate
    kind, bits = _kind(key)
    return {
        "token": listed.token,
        "id": key.key_id.hex(),
        "label": key.label,
        "key_type": kind,
        "key_bits": bits,
        "algorithm": _algorithm(key.algorithm),
        "purpose": key.purpose,
        "subject": certificate and certificate.subject.rfc4514_string(),
        "not_before": certificate and certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate and certificate.not_valid_after_utc.isoformat(),
        "days_left": certificate and days_left(certificate.not_valid_after_utc, listed.time),
        "notices": [_notice_json(notice) for notice in listed.notices],
    }


def key_lines(listed: ListedKey) -> Iterator[str]:
    """Give a key as a block of lines."""
    key = listed.key
    kind, bits = _kind(key)
    yield f"{listed.token}: {key.label or 'without label'}"
    yield f"  id           {key.key_id.hex()}"
    yield f"  key          {kind} {bits or ''}".rstrip()
    yield f"  signs with   {_algorithm(key.algorithm) or 'nothing that is known'}"
    if key.certificate is not None:
        yield from _certificate_lines(key.certificate, listed)
    for notice in listed.notices:
        yield f"  {'refused     ' if notice.refused else 'warning     '} {notice.message} ({notice.reason})"


def _certificate_lines(certificate: x509.Certificate, listed: ListedKey) -> Iterator[str]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    yield f"  certificate  {certificate.subject.rfc4514_string()}"
    yield f"  purpose      {listed.key.purpose or 'none'}"
    yield f"  valid        {start:%Y-%m-%d} to {end:%Y-%m-%d}, {days_left(end, listed.time)} days left"


def _notice_json(notice: KeyNotice) -> dict[str, object]:
    return {
        "reason": notice.reason,
        "message": notice.message,
        "refused": notice.refused,
        "time": notice.time and notice.time.isoformat(),
    }


def _kind(key: KeptKey) -> tuple[str, int | None]:
    """Give a key's type and bits; a key of an unknown type has no bits."""
    if key.algorithm is None:
        return "unknown", None
    return key_type(key.algorithm), key_bits(key.public_key)


def _algorithm(algorithm: SignatureAlgorithm | None) -> str | None:
    if algorithm is None:
        return None
    return algorithm.name if algorithm.scheme == "ed25519" else f"{algorithm.scheme} {algorithm.digest}"
