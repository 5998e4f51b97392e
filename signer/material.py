"""Validation material: what proves certificates, kept in a document beside its signatures."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ValidationMaterial:
    """Certificates, CRLs and OCSP responses (RFC 6960 OCSPResponse), DER."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()

    def __add__(self, other: Self) -> "ValidationMaterial":
        """Both together, nothing twice."""
        return ValidationMaterial(
            tuple(dict.fromkeys((*self.certificates, *other.certificates))),
            tuple(dict.fromkeys((*self.crls, *other.crls))),
            tuple(dict.fromkeys((*self.ocsp_responses, *other.ocsp_responses))),
        )

    def __bool__(self) -> bool:
        return bool(self.certificates or self.crls or self.ocsp_responses)
