"""Revocation data at hand (RFC 5280 §6.3, RFC 6960): what it says of a certificate, newest first."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from cryptography import x509

from signer.validation.certificates import Certificate
from signer.validation.crl import Crl, crl_statement, load_crl
from signer.validation.crl_scope import crl_issuers
from signer.validation.ocsp_response import (
    OcspResponse,
    SingleResponse,
    is_delegate,
    load_ocsp_response,
    ocsp_statement,
    signed_by,
)
from signer.validation.revocation_statement import RevocationStatement


class CrlSigners(Protocol):
    """Who knows which keys may sign lists beside those of the issuers of certificates."""

    def crl_signers(self, name: bytes, issuer: Certificate) -> Sequence[tuple[Certificate, Certificate]]:
        """Certificates of that subject, DER, each with its issuer, with a path to an anchor of `issuer`."""


class RevocationData:
    """All CRLs and OCSP responses at hand, DER; what cannot be read is as none.

    signers: who else may sign lists than the issuer itself; None: nobody.
    """

    def __init__(
        self, crls: Iterable[bytes], ocsp_responses: Iterable[bytes], signers: CrlSigners | None = None
    ) -> None:
        self._signers = signers
        self._crls: dict[bytes, list[Crl]] = {}
        for der in dict.fromkeys(crls):
            if crl := load_crl(der):
                self._crls.setdefault(crl.issuer, []).append(crl)
        self._singles: dict[int, list[tuple[OcspResponse, SingleResponse]]] = {}
        for der in dict.fromkeys(ocsp_responses):
            if response := load_ocsp_response(der):
                for single in response.singles:
                    self._singles.setdefault(single.serial_number, []).append((response, single))
        self._said: dict[tuple[Certificate, Certificate], list[RevocationStatement]] = {}

    def about(self, certificate: Certificate, issuer: Certificate) -> list[RevocationStatement]:
        """What its issuer, or whom that delegated, says of a certificate, newest first.

        Of two statements of the same moment the one that says revoked comes first.
        """
        key = certificate, issuer
        if key not in self._said:
            found = [*self._from_crls(certificate, issuer), *self._from_ocsp(certificate, issuer)]
            usable = [item for item in found if item.speaks_for(certificate)]
            usable.sort(key=lambda item: (item.this_update, item.revoked_at is not None), reverse=True)
            self._said[key] = usable
        return self._said[key]

    def mentions(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether anything at hand is about a certificate, whoever says it."""
        return any(name in self._crls for name in _list_issuers(certificate)) or any(
            single.is_about(certificate, issuer) for _, single in self._about_number(certificate)
        )

    def _about_number(self, certificate: Certificate) -> Sequence[tuple[OcspResponse, SingleResponse]]:
        return self._singles.get(certificate.parsed.serial_number, ())

    def _from_crls(self, certificate: Certificate, issuer: Certificate) -> Iterator[RevocationStatement]:
        for name in _list_issuers(certificate):
            for crl in self._crls.get(name, ()):
                own = crl_statement(crl, certificate, issuer) if name == certificate.issuer else None
                statement = own or self._by_delegate(crl, certificate, issuer)
                if statement is not None:
                    yield statement

    def _by_delegate(
        self, crl: Crl, certificate: Certificate, issuer: Certificate
    ) -> RevocationStatement | None:
        """What a list says that another key than the issuer's signed (RFC 5280 §6.3.3 (f))."""
        if self._signers is None:
            return None
        for signer, above in self._signers.crl_signers(crl.issuer, issuer):
            if signer == issuer:
                continue
            statement = crl_statement(crl, certificate, signer)
            if statement is not None and not self._is_known_revoked(signer, above):
                return statement
        return None

    def _is_known_revoked(self, signer: Certificate, issuer: Certificate) -> bool:
        """A delegate's own status may be only on its own list, so nothing being known will do."""
        return any(said.revoked_at is not None for said in self._direct(signer, issuer))

    def _from_ocsp(self, certificate: Certificate, issuer: Certificate) -> Iterator[RevocationStatement]:
        for response, single in self._about_number(certificate):
            responder = self._responder(response, issuer) if single.is_about(certificate, issuer) else None
            if responder is not None:
                yield ocsp_statement(response, single, responder)

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
        said = self._direct(responder, issuer)
        return bool(said) and max(said, key=lambda s: s.this_update).revoked_at is None

    def _direct(self, certificate: Certificate, issuer: Certificate) -> list[RevocationStatement]:
        """What the issuer's own key says, without any delegate, so that nothing is asked in a circle."""
        lists = (crl_statement(crl, certificate, issuer) for crl in self._crls.get(certificate.issuer, ()))
        answers = (
            ocsp_statement(response, single, issuer)
            for response, single in self._about_number(certificate)
            if single.is_about(certificate, issuer) and signed_by(response, issuer)
        )
        return [statement for statement in (*lists, *answers) if statement is not None]


def _list_issuers(certificate: Certificate) -> list[bytes]:
    """Names, DER, under which lists about a certificate may stand."""
    return sorted({certificate.issuer} | crl_issuers(certificate))
