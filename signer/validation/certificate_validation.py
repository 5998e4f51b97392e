"""X.509 certificate validation (EN 319 102-1 §5.2.6): what stands against a certificate when it is judged.

All that stands against each path is kept in the order in which the standard looks for it: the first of it is
what the block concludes, and what a proof of existence takes away later (§5.5.4, §5.6.2) must be all of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise

from signer.algorithms import NEVER_BELIEVED
from signer.validation.certificate_constraints import Use, usage_fault
from signer.validation.certificates import Certificate, CertificatePool, load_certificate
from signer.validation.facts import AlgorithmUse
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.path import Path, find_paths, is_issued_by, path_fault
from signer.validation.policy import ValidationPolicy
from signer.validation.revocation import RevocationData
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_algorithms import certificate_algorithm


@dataclass(frozen=True)
class Finding:
    """One thing that stands against a signature, and what a later process needs to know of it.

    moment: of a revocation, a suspension, an anchor's sunset or an algorithm's end. statement: revocation
    data that are too old. material: DER of what rests on an algorithm; b"" for the signature itself.
    certificate: whose validity period has passed.
    """

    conclusion: Conclusion
    moment: datetime | None = None
    statement: RevocationStatement | None = None
    material: bytes = b""
    certificate: Certificate | None = None

    @property
    def kind(self) -> SubIndication | None:
        """Its sub-indication."""
        return self.conclusion.sub_indication


@dataclass(frozen=True)
class ValidatedPath:
    """A path, what revocation data say of each certificate but the anchor, newest first, and the findings."""

    path: Path
    statements: tuple[tuple[RevocationStatement, ...], ...]
    findings: tuple[Finding, ...]

    @property
    def leaf(self) -> Certificate:
        """The certificate in question."""
        return self.path[0]


@dataclass(frozen=True)
class CertificateValidation:
    """A certificate with all paths to trust anchors."""

    certificate: Certificate
    paths: tuple[ValidatedPath, ...]

    @cached_property
    def conclusion(self) -> Conclusion:
        """Of the block: a pass if any path passes, otherwise what is against the first."""
        if not self.paths:
            missing = "no path leads from the certificate to a trust anchor"
            return Conclusion(SubIndication.NO_CERTIFICATE_CHAIN_FOUND, missing)
        if any(not each.findings for each in self.paths):
            return PASSED
        return self.paths[0].findings[0].conclusion


class CertificateValidator:
    """Validates certificates under one policy with the validation data at hand, at the policy's time."""

    def __init__(
        self,
        policy: ValidationPolicy,
        pool: CertificatePool,
        crls: Sequence[bytes] = (),
        ocsp_responses: Sequence[bytes] = (),
    ) -> None:
        self.policy = policy
        self.revocation = RevocationData(crls, ocsp_responses, self)
        self._pool = pool
        self._anchors = [anchor for der in policy.anchors if (anchor := load_certificate(der))]
        self._validated: dict[tuple[Certificate, Use], CertificateValidation] = {}
        self._trusted_by: dict[Certificate, frozenset[Certificate]] = {}

    def validate(self, certificate: Certificate, use: Use) -> CertificateValidation:
        """All that stands against the use of a certificate at the policy's time."""
        key = (certificate, use)
        if key not in self._validated:
            paths = find_paths(certificate, self._pool, self._anchors)
            self._validated[key] = CertificateValidation(
                certificate, tuple(self._validated_path(path, use) for path in paths)
            )
        return self._validated[key]

    def crl_signers(self, name: bytes, issuer: Certificate) -> list[tuple[Certificate, Certificate]]:
        """Who else may sign lists under a name: RFC 5280 §6.3.3 (f) asks for the anchor of `issuer`.

        Under the issuer's own name only a key that it, or who issued it, certified; a stranger of the same
        name elsewhere below the anchor is none.
        """
        return [
            (signer, above)
            for signer in self._pool.named(name)
            for above in self._pool.named(signer.issuer)
            if is_issued_by(signer, above)
            and (name != issuer.subject or above == issuer or is_issued_by(issuer, above))
            and self._shares_anchor(signer, issuer)
        ]

    def _shares_anchor(self, signer: Certificate, issuer: Certificate) -> bool:
        return bool(self._anchors_of(signer) & self._anchors_of(issuer))

    def _anchors_of(self, certificate: Certificate) -> frozenset[Certificate]:
        if certificate not in self._trusted_by:
            paths = find_paths(certificate, self._pool, self._anchors)
            self._trusted_by[certificate] = frozenset(path[-1] for path in paths if path_fault(path) is None)
        return self._trusted_by[certificate]

    def _validated_path(self, path: Path, use: Use) -> ValidatedPath:
        fault = path_fault(path)
        if fault:
            found = Finding(Conclusion(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, fault))
            return ValidatedPath(path, (), (found,))
        statements = tuple(tuple(self.revocation.about(path[i], path[i + 1])) for i in range(len(path) - 1))
        findings = (
            *self._sunset(path),
            *_revoked(path, statements),
            *self._unproven(path, statements),
            *_unusable(path, use),
            *self._weak(path, statements),
            *self._out_of_bounds(path, statements),
        )
        return ValidatedPath(path, statements, findings)

    def _sunset(self, path: Path) -> Iterator[Finding]:
        date = self.policy.sunset(path[-1].der)
        if date is not None and date <= self.policy.time:
            kind = SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE
            sentence = (
                f"the trust anchor {path[-1].common_name} is trusted only for what is older than "
                f"{date.isoformat()}"
            )
            yield Finding(Conclusion(kind, sentence), date)

    def _unproven(self, path: Path, statements: "_Statements") -> Iterator[Finding]:
        """Certificates of which nobody says, or says freshly enough, that they were not revoked (§5.2.5)."""
        if self.policy.revocation == "off":
            return
        stale = []
        for certificate, said in zip(path, statements, strict=False):
            if not said:
                sentence = f"nothing tells whether the certificate of {certificate.common_name} was revoked"
                yield Finding(Conclusion(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, sentence))
            elif not said[0].is_fresh(self.policy.time, self.policy.freshness):
                sentence = f"the revocation data on the certificate of {certificate.common_name} are too old"
                stale.append(Finding(Conclusion(SubIndication.TRY_LATER, sentence), statement=said[0]))
        yield from stale

    def _weak(self, path: Path, statements: "_Statements") -> Iterator[Finding]:
        """Algorithms of certificates and revocation data, which are judged as of now (§5.5.4)."""
        for certificate, issuer in pairwise(path):
            yield from self._weakness(certificate_algorithm(certificate, issuer), certificate.der)
        if self.policy.revocation == "required":
            for said in statements:
                for statement in said[:1]:
                    yield from self._weakness(statement.algorithm, statement.der)

    def _weakness(self, use: AlgorithmUse, material: bytes) -> Iterator[Finding]:
        end = self.policy.algorithms.end(use)
        if end <= self.policy.time:
            yield weakness(use, end, material)

    def _out_of_bounds(self, path: Path, statements: "_Statements") -> Iterator[Finding]:
        time, leaf = self.policy.time, path[0]
        if not leaf.is_valid_at(time):
            known = bool(statements) and bool(statements[0]) and statements[0][0].revoked_at is None
            kind = SubIndication.OUT_OF_BOUNDS_NOT_REVOKED if known else SubIndication.OUT_OF_BOUNDS_NO_POE
            yield _outside(kind, leaf)
        for authority in path[1:-1]:
            if not authority.is_valid_at(time):
                yield _outside(SubIndication.OUT_OF_BOUNDS_NO_POE, authority)
        for said in statements if self.policy.revocation == "required" else ():
            if said and said[0].issuer != path[-1] and not said[0].issuer.is_valid_at(time):
                sentence = "the certificate behind the revocation data is outside its validity period"
                conclusion = Conclusion(SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE, sentence)
                yield Finding(conclusion, certificate=said[0].issuer)


_Statements = tuple[tuple[RevocationStatement, ...], ...]


def _revoked(path: Path, statements: _Statements) -> Iterator[Finding]:
    """A revocation that is known once stays, whatever newer data may say; only being on hold can end."""
    for index, said in enumerate(statements):
        revoked = [s.revoked_at for s in said if s.revoked_at is not None and not s.on_hold]
        name = path[index].common_name
        if revoked:
            kind = SubIndication.REVOKED_CA_NO_POE if index else SubIndication.REVOKED_NO_POE
            when = min(revoked)
            sentence = f"the certificate of {name} was revoked at {when.isoformat()}"
            yield Finding(Conclusion(kind, sentence), when)
        elif said and said[0].revoked_at is not None:
            sentence = f"the certificate of {name} is on hold"
            yield Finding(Conclusion(SubIndication.TRY_LATER, sentence), said[0].revoked_at)


def _unusable(path: Path, use: Use) -> Iterator[Finding]:
    fault = usage_fault(path[0], use)
    if fault:
        yield Finding(Conclusion(SubIndication.CHAIN_CONSTRAINTS_FAILURE, fault))


def _outside(kind: SubIndication, certificate: Certificate) -> Finding:
    sentence = f"the certificate of {certificate.common_name} is outside its validity period"
    return Finding(Conclusion(kind, sentence), certificate=certificate)


def weakness(use: AlgorithmUse, end: datetime, material: bytes = b"") -> Finding:
    """The finding that an algorithm is not believed; no proof of existence helps one that never was."""
    never = end == NEVER_BELIEVED
    kind = (
        SubIndication.CRYPTO_CONSTRAINTS_FAILURE if never else SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
    )
    name = " with ".join(part for part in (use.scheme, use.digest) if part)
    sentence = f"the {use.what} rests on {name or 'an unknown algorithm'}, which is not believed"
    return Finding(Conclusion(kind, sentence), end, material=material)
