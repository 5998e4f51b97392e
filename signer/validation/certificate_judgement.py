"""X.509 certificate validation (EN 319 102-1 §5.2.6): everything that stands against a certificate.

Each obstacle knows whether a proof that the signature existed at some earlier time takes it away (§5.5.4); so
one judgement serves the basic process and the one with time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from signer.algorithms import NEVER_BELIEVED
from signer.validation.certificates import Certificate, CertificatePool, load_certificate
from signer.validation.facts import AlgorithmUse
from signer.validation.indication import PASSED, Conclusion, SubIndication
from signer.validation.path import Path, find_paths, path_fault
from signer.validation.policy import ValidationPolicy
from signer.validation.revocation import RevocationData
from signer.validation.revocation_statement import RevocationStatement
from signer.validation.signature_value import key_size

Use = Literal["signature", "timestamp"]
"""What the certificate's key was used for."""


def _never(_: datetime) -> bool:
    return False


@dataclass(frozen=True)
class Obstacle:
    """What stands against a certificate, and whether existence at a proven time takes it away."""

    conclusion: Conclusion
    is_lifted: Callable[[datetime], bool] = _never


@dataclass(frozen=True)
class CertificateJudgement:
    """All paths of a certificate, each with its obstacles in the order of the standard."""

    certificate: Certificate
    paths: tuple[tuple[Path, tuple[Obstacle, ...]], ...]

    def conclude(self, proven: datetime) -> tuple[Conclusion, Path]:
        """The verdict if the signature is proven to have existed at `proven`, and the path it rests on."""
        if not self.paths:
            missing = "no path leads from the certificate to a trust anchor"
            return Conclusion(SubIndication.NO_CERTIFICATE_CHAIN_FOUND, missing), ()
        verdicts = [(_first(obstacles, proven), path) for path, obstacles in self.paths]
        conclusion, path = next((v for v in verdicts if v[0].passed), verdicts[0])
        lifted_or_bound = conclusion.passed or conclusion.sub_indication in _BY_VALIDITY
        if lifted_or_bound and proven < self.certificate.parsed.not_valid_before_utc:
            early = "the signature is proven to be older than its certificate"
            return Conclusion(SubIndication.NOT_YET_VALID, early), path
        return conclusion, path


_BY_VALIDITY = (SubIndication.OUT_OF_BOUNDS_NO_POE, SubIndication.OUT_OF_BOUNDS_NOT_REVOKED)


def _first(obstacles: tuple[Obstacle, ...], proven: datetime) -> Conclusion:
    return next((o.conclusion for o in obstacles if not o.is_lifted(proven)), PASSED)


class CertificateJudge:
    """Judges certificates under one policy with the validation data at hand, at the policy's time."""

    def __init__(self, policy: ValidationPolicy, pool: CertificatePool, revocation: RevocationData) -> None:
        self.policy = policy
        self._pool = pool
        self._revocation = revocation
        self._anchors = [anchor for der in policy.anchors if (anchor := load_certificate(der))]
        self._judged: dict[tuple[Certificate, Use], CertificateJudgement] = {}

    def judge(self, certificate: Certificate, use: Use) -> CertificateJudgement:
        """All that stands against the use of a certificate."""
        key = (certificate, use)
        if key not in self._judged:
            paths = find_paths(certificate, self._pool, self._anchors)
            judged = tuple((path, tuple(self._obstacles(path, use))) for path in paths)
            self._judged[key] = CertificateJudgement(certificate, judged)
        return self._judged[key]

    def _obstacles(self, path: Path, use: Use) -> list[Obstacle]:
        fault = path_fault(path)
        if fault:
            return [_obstacle(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, fault)]
        statements = [self._revocation.about(path[i], path[i + 1]) for i in range(len(path) - 1)]
        found = self._revoked(path, statements) + self._unproven(path, statements)
        usage = _usage_fault(path[0], use)
        if usage:
            found.append(_obstacle(SubIndication.CHAIN_CONSTRAINTS_FAILURE, usage))
        found += self._weak(path, statements)
        found += self._out_of_bounds(path, statements)
        return found

    def _revoked(self, path: Path, statements: list[list[RevocationStatement]]) -> list[Obstacle]:
        """A revocation that is known once stays, whatever newer data may say; only being on hold can end."""
        found = []
        for index, said in enumerate(statements):
            revoked = [s.revoked_at for s in said if s.revoked_at is not None and not s.on_hold]
            if revoked:
                kind = SubIndication.REVOKED_CA_NO_POE if index else SubIndication.REVOKED_NO_POE
                when = min(revoked)
                sentence = f"the certificate of {path[index].common_name} was revoked at {when.isoformat()}"
                found.append(_obstacle(kind, sentence, _before(when)))
            elif said and said[0].revoked_at is not None:
                since = said[0].revoked_at
                sentence = f"the certificate of {path[index].common_name} is on hold"
                found.append(_obstacle(SubIndication.TRY_LATER, sentence, _before(since)))
        return found

    def _unproven(self, path: Path, statements: list[list[RevocationStatement]]) -> list[Obstacle]:
        """Certificates of which nobody says, or says freshly enough, that they were not revoked."""
        if self.policy.revocation == "off":
            return []
        found, stale = [], []
        for certificate, said in zip(path, statements, strict=False):
            if not said:
                sentence = f"nothing tells whether the certificate of {certificate.common_name} was revoked"
                found.append(_obstacle(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, sentence))
            elif not said[0].is_fresh(self.policy.time, self.policy.freshness):
                sentence = f"the revocation data on the certificate of {certificate.common_name} are too old"
                stale.append(_obstacle(SubIndication.TRY_LATER, sentence, self._fresh(said[0])))
        return found + stale

    def _fresh(self, statement: RevocationStatement) -> Callable[[datetime], bool]:
        return lambda proven: statement.is_fresh(proven, self.policy.freshness)

    def _weak(self, path: Path, statements: list[list[RevocationStatement]]) -> list[Obstacle]:
        """Algorithms of certificates and revocation data, which are judged as of now (§5.5.4)."""
        uses = [_certificate_algorithm(path[i], path[i + 1]) for i in range(len(path) - 1)]
        if self.policy.revocation == "required":
            uses += [said[0].algorithm for said in statements if said]
        ends = [(self.policy.algorithms.end(use), use) for use in uses]
        for end, use in ends:
            if end <= self.policy.time:
                sentence = f"the {use.what} rests on {use.scheme} with {use.digest}, which is not believed"
                return [_obstacle(unreliable(end), sentence)]
        return []

    def _out_of_bounds(self, path: Path, statements: list[list[RevocationStatement]]) -> list[Obstacle]:
        time, leaf, found = self.policy.time, path[0], []
        if not _is_valid(leaf, time):
            known = bool(statements) and bool(statements[0]) and statements[0][0].revoked_at is None
            kind = SubIndication.OUT_OF_BOUNDS_NOT_REVOKED if known else SubIndication.OUT_OF_BOUNDS_NO_POE
            sentence = f"the certificate of {leaf.common_name} is outside its validity period"
            found.append(_obstacle(kind, sentence, _within(leaf) if known else _never))
        for authority in path[1:-1]:
            if not _is_valid(authority, time):
                sentence = f"the certificate of {authority.common_name} is outside its validity period"
                found.append(_obstacle(SubIndication.OUT_OF_BOUNDS_NO_POE, sentence))
        for said in statements if self.policy.revocation == "required" else ():
            if said and said[0].issuer is not path[-1] and not _is_valid(said[0].issuer, time):
                sentence = "the certificate behind the revocation data is outside its validity period"
                found.append(_obstacle(SubIndication.REVOCATION_OUT_OF_BOUNDS_NO_POE, sentence))
        return found


def unreliable(end: datetime) -> SubIndication:
    """What an algorithm of that end is: no proof of existence helps one that was never believed."""
    if end == NEVER_BELIEVED:
        return SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    return SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def _obstacle(
    kind: SubIndication, explanation: str, is_lifted: Callable[[datetime], bool] = _never
) -> Obstacle:
    return Obstacle(Conclusion(kind, explanation), is_lifted)


def _before(moment: datetime) -> Callable[[datetime], bool]:
    return lambda proven: proven < moment


def _within(certificate: Certificate) -> Callable[[datetime], bool]:
    return lambda proven: _is_valid(certificate, proven)


def _is_valid(certificate: Certificate, time: datetime) -> bool:
    return certificate.parsed.not_valid_before_utc <= time <= certificate.parsed.not_valid_after_utc


def _usage_fault(certificate: Certificate, use: Use) -> str | None:
    """Key usage of a signer; the extended one of a time-stamping authority (RFC 3161 §2.3)."""
    usage = certificate.extension(x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        return f"the key of {certificate.common_name} is not for signing"
    if use == "signature":
        return None
    for extension in certificate.parsed.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            only = list(extension.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
            if only and extension.critical:
                return None
    return f"the certificate of {certificate.common_name} is not for time-stamping alone"


def _certificate_algorithm(certificate: Certificate, issuer: Certificate) -> AlgorithmUse:
    if certificate.parsed.signature_algorithm_oid == SignatureAlgorithmOID.ED25519:
        return AlgorithmUse("certificate", "sha512", "ed25519", key_size(issuer.key))
    try:
        digest = certificate.parsed.signature_hash_algorithm
        parameters = certificate.parsed.signature_algorithm_parameters
    except (UnsupportedAlgorithm, ValueError):
        digest, parameters = None, None
    name = (digest.name if digest else "").replace("-", "_")
    if isinstance(parameters, padding.PSS):
        scheme = "rsa_pss"
    elif isinstance(parameters, padding.PKCS1v15):
        scheme = "rsa_pkcs1"
    else:
        scheme = "ecdsa" if parameters is not None else "unknown"
    return AlgorithmUse("certificate", name, scheme, key_size(issuer.key))
