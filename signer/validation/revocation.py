"""Revocation data at hand (RFC 5280 §6.3, RFC 6960): what it says of a certificate, newest first."""

from collections.abc import Iterable

from cryptography import x509

from signer.validation.certificates import Certificate
from signer.validation.crl import crl_statement, load_crl
from signer.validation.ocsp_response import (
    OcspResponse,
    is_delegate,
    load_ocsp_response,
    ocsp_statement,
    signed_by,
    singles_about,
)
from signer.validation.revocation_statement import RevocationStatement


class RevocationData:
    """All CRLs and OCSP responses at hand, DER; what cannot be read is as none."""

    def __init__(self, crls: Iterable[bytes], ocsp_responses: Iterable[bytes]) -> None:
        self._crls = [crl for der in dict.fromkeys(crls) if (crl := load_crl(der))]
        self._responses = [r for der in dict.fromkeys(ocsp_responses) if (r := load_ocsp_response(der))]

    def about(self, certificate: Certificate, issuer: Certificate) -> list[RevocationStatement]:
        """What its issuer, or whom that delegated, says of a certificate, newest first.

        Of two statements of the same moment the one that says revoked comes first.
        """
        found = self._from_crls(certificate, issuer)
        for response in self._responses:
            found += self._from_ocsp(response, certificate, issuer)
        usable = [item for item in found if item.speaks_for(certificate)]
        return sorted(usable, key=lambda item: (item.this_update, item.revoked_at is not None), reverse=True)

    def mentions(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether anything at hand is about a certificate, whoever says it."""
        return any(crl.issuer == certificate.issuer for crl in self._crls) or any(
            singles_about(response, certificate, issuer) for response in self._responses
        )

    def _from_crls(self, certificate: Certificate, issuer: Certificate) -> list[RevocationStatement]:
        found = (crl_statement(crl, certificate, issuer) for crl in self._crls)
        return [statement for statement in found if statement is not None]

    def _from_ocsp(
        self, response: OcspResponse, certificate: Certificate, issuer: Certificate
    ) -> list[RevocationStatement]:
        singles = singles_about(response, certificate, issuer)
        responder = self._responder(response, issuer) if singles else None
        return [ocsp_statement(response, single, responder) for single in singles] if responder else []

    def _responder(self, response: OcspResponse, issuer: Certificate) -> Certificate | None:
        """The certificate whose key signed the response, if the issuer stands behind it."""
        if signed_by(response, issuer):
            return issuer
        for candidate in response.responders:
            if is_delegate(candidate, issuer) and signed_by(response, candidate):
                return candidate if self._is_unrevoked(candidate, issuer) else None
        return None

    def _is_unrevoked(self, responder: Certificate, issuer: Certificate) -> bool:
        """Without id-pkix-ocsp-nocheck a responder must itself be on record as not revoked (§4.2.2.2.1)."""
        if responder.extension(x509.OCSPNoCheck) is not None:
            return True
        newest = max(self._from_crls(responder, issuer), key=lambda s: s.this_update, default=None)
        return newest is not None and newest.revoked_at is None
