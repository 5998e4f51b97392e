"""Certificates and CRLs from files as people keep them: PEM with any number of them, or DER."""

import base64
import binascii
import re

from pecete.errors import InvalidArgumentError
from signer.validation.certificates import load_certificate
from signer.validation.crl import load_crl


def read_ders(data: bytes, kind: str, field: str) -> list[bytes]:
    """The DER objects of a PEM file with blocks of `kind` (`CERTIFICATE` or `X509 CRL`), or of a DER file.

    Raises InvalidArgumentError CERTIFICATE_UNREADABLE or CRL_UNREADABLE for `field`, also when there is none.
    """
    label = re.escape(kind.encode("ascii"))
    blocks = re.findall(
        rb"-----BEGIN " + label + rb"-----(.*?)-----END " + label + rb"-----", data, re.DOTALL
    )
    load = load_certificate if kind == "CERTIFICATE" else load_crl
    try:
        ders = [base64.b64decode(block, validate=False) for block in blocks] or [data]
    except binascii.Error:
        ders = []
    if not ders or not all(load(der) for der in ders):
        reason = "CERTIFICATE_UNREADABLE" if kind == "CERTIFICATE" else "CRL_UNREADABLE"
        raise InvalidArgumentError(reason, f"A file given as {field} holds no readable {kind}.", field=field)
    return ders
