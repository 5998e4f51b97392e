"""What the signatures of a document need to be proven for a long time, and what of it is missing.

A signature and each of its time-stamps need the certificates of a path to a trust anchor and, for each of
them but the anchor, a CRL or an OCSP response that was fresh when the thing was proven to exist (EN 319 142-1
§6.3, Table 1, level LT).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path as FilePath

from signer.material import ValidationMaterial
from signer.validation.certificate_constraints import Use
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.engine import document_facts, fenced
from signer.validation.facts import CmsFacts, Integrity, SignatureFacts, TimestampFacts
from signer.validation.judgement import Judgement
from signer.validation.path import MAX_LENGTH, is_issued_by
from signer.validation.policy import ValidationPolicy
from signer.validation.report import SignatureVerdict
from signer.validation.trusted_lists.joining import trusting


@dataclass(frozen=True)
class Gap:
    """A certificate (DER) whose issuer, or whose status by `issuer`, is not known.

    common_name: whose certificate it is. issuer: DER, on a path to a trust anchor; None where it is missing.
    """

    certificate: bytes
    common_name: str
    issuer: bytes | None


@dataclass(frozen=True)
class SurveyedSignature:
    """A signature's verdict, and what it has of a level: `B`, `T`, `LT` or `LTA`."""

    verdict: SignatureVerdict
    reached: str


@dataclass(frozen=True)
class Survey:
    """What was found: the signatures asked for, the material that proves them, and what of it is missing."""

    signatures: tuple[SurveyedSignature, ...]
    material: ValidationMaterial
    gaps: tuple[Gap, ...]


def survey(
    document: FilePath, policy: ValidationPolicy, field: str, *, detached: Sequence[FilePath] = ()
) -> Survey:
    """Look at the signature in `field`, or with "" at all signatures, and at the time-stamps around them.

    detached: the signed file of a signature that stands apart from it. Raises what `engine.validate` raises.
    """
    with fenced():
        facts = document_facts(document, detached, rendering=policy.rendering)
        judgement = Judgement(facts, trusting(policy, facts))
        # A counter-signature has no level of its own that could be raised.
        chosen = [item for item in facts.signatures if field in ("", item.field) and not item.countersigns]
        signatures = tuple(
            SurveyedSignature(judgement.signature(item), judgement.levels.reached(item)) for item in chosen
        )
        surveyor = _Surveyor(judgement)
        for item, surveyed in zip(chosen, signatures, strict=True):
            surveyor.look(item.cms, "signature", surveyed.verdict.best_signature_time)
        for cms, proven in _stamps(judgement, chosen):
            surveyor.look(cms, "timestamp", proven)
        return Survey(signatures, surveyor.material, tuple(surveyor.gaps))


@dataclass(frozen=True)
class Missing:
    """What a verdict on a document lacks, as far as it could be had from elsewhere."""

    gaps: tuple[Gap, ...]


def missing(document: FilePath, policy: ValidationPolicy, *, detached: Sequence[FilePath] = ()) -> Missing:
    """Look at what a verdict on the document lacks: issuers' certificates, and revocation data if required.

    Unlike a survey it looks at all that is judged, counter-signatures and the time-stamps of evidence records
    too, but only at what is intact: nothing else could be mended. detached: as of `engine.validate`. Raises
    what that raises.
    """
    with fenced():
        facts = document_facts(document, detached, rendering=False)
        policy = replace(trusting(policy, facts), rendering=False)
        judgement = Judgement(facts, policy)
        surveyor = _Surveyor(judgement)
        for signature in facts.signatures:
            if signature.malformed is None and signature.cms.integrity is Integrity.INTACT:
                best = judgement.signature(signature).best_signature_time
                surveyor.look(signature.cms, "signature", best)
            for stamp in signature.timestamps:
                surveyor.look_at_stamp(stamp, judgement.existed(signature))
        for stamp in facts.document_timestamps:
            surveyor.look_at_stamp(stamp, judgement.stamp_existed(stamp))
        for stamp in (stamp for record in facts.evidence_records for stamp in record.timestamps):
            surveyor.look_at_stamp(stamp, policy.time)
        required = policy.revocation == "required"
        return Missing(tuple(gap for gap in surveyor.gaps if required or gap.issuer is None))


def _stamps(judgement: Judgement, chosen: list[SignatureFacts]) -> Iterator[tuple[CmsFacts, datetime]]:
    """Each time-stamp of the signatures with the time at which it is proven to have existed."""
    for signature in chosen:
        for stamp in signature.timestamps:
            yield stamp.cms, judgement.existed(signature)
    around = {id(stamp): stamp for item in chosen for stamp in judgement.levels.covering(item)}
    for stamp in around.values():
        yield stamp.cms, judgement.stamp_existed(stamp)


class _Surveyor:
    """Gathers material and gaps, certificate by certificate."""

    def __init__(self, judgement: Judgement) -> None:
        self._judgement = judgement
        self.material = ValidationMaterial()
        self.gaps: dict[Gap, None] = {}

    def look(self, cms: CmsFacts, use: Use, proven: datetime | None) -> None:
        """Look at the certificate of a signer who is proven to have signed at `proven`."""
        leaf = load_certificate(cms.signer_certificate) if cms.signer_certificate else None
        if leaf is None:
            return  # what has no readable signer has a verdict that says so
        proven = proven or self._judgement.policy.time
        path = self._judgement.path(leaf, use, proven)
        if not path:
            self._miss(self._topmost(leaf), None)
        self.material += ValidationMaterial(tuple(certificate.der for certificate in path))
        for certificate, issuer in pairwise(path):
            self._look_for_status(certificate, issuer, proven)

    def look_at_stamp(self, stamp: TimestampFacts, proven: datetime) -> None:
        """Look at the certificate of an intact time-stamp that is proven to have existed at `proven`."""
        if stamp.imprint_matches and stamp.cms.integrity is Integrity.INTACT:
            self.look(stamp.cms, "timestamp", proven)

    def _look_for_status(self, certificate: Certificate, issuer: Certificate, proven: datetime) -> None:
        said = self._judgement.revocation.about(certificate, issuer)
        if not said or not said[0].is_fresh(proven, self._judgement.policy.freshness):
            self._miss(certificate, issuer)
            return
        self._take(said[0].source, said[0].der)
        responder = said[0].issuer
        if responder != issuer:
            self.material += ValidationMaterial((responder.der,))
            for statement in self._judgement.revocation.about(responder, issuer)[:1]:
                self._take(statement.source, statement.der)

    def _take(self, source: str, der: bytes) -> None:
        self.material += (
            ValidationMaterial(crls=(der,)) if source == "CRL" else ValidationMaterial(ocsp_responses=(der,))
        )

    def _miss(self, certificate: Certificate, issuer: Certificate | None) -> None:
        gap = Gap(certificate.der, certificate.common_name, issuer.der if issuer else None)
        self.gaps[gap] = None

    def _topmost(self, certificate: Certificate) -> Certificate:
        """The last certificate upwards whose issuer is not known."""
        for _ in range(MAX_LENGTH):
            issuers = self._judgement.pool.named(certificate.issuer)
            issuer = next((item for item in issuers if is_issued_by(certificate, item)), certificate)
            if issuer == certificate:
                break
            certificate = issuer
        return certificate
