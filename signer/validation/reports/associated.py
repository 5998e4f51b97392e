"""AssociatedValidationReportData (TS 119 102-2 §4.3): what a verdict of a report rests on."""

from datetime import UTC, datetime

from signer.algorithms import BELIEVED_FOR_NOW
from signer.validation.facts import CmsFacts
from signer.validation.indication import Conclusion, SubIndication
from signer.validation.path import Path
from signer.validation.reports import vocabulary as words
from signer.validation.reports.elements import Element, add, add_moment, add_reference
from signer.validation.reports.evidence import Evidence
from signer.validation.reports.references import References

_ABOUT_ALGORITHMS = (
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
)
_FIRST_MOMENT = datetime(1, 1, 2, tzinfo=UTC)


class Associated:
    """Fills the data of one verdict. path: of the signer's certificate."""

    def __init__(self, data: Element, evidence: Evidence, objects: References, path: Path) -> None:
        self._data, self._evidence, self._objects, self._path = data, evidence, objects, path

    def chain(self) -> None:
        """The trust anchor, where one was reached, and the chain of certificates up to it."""
        if not self._path:
            return
        names = [self._objects.certificate(certificate) for certificate in self._path]
        anchored = self._evidence.is_anchor(self._path[-1])
        if anchored:
            add_reference(self._data, "TrustAnchor", names[-1])
        chain = add(self._data, "CertificateChain")
        add_reference(chain, "SigningCertificate", names[0])
        for name in names[1 : -1 if anchored else None]:
            add_reference(chain, "IntermediateCertificate", name)
        if anchored:
            add_reference(chain, "TrustAnchor", names[-1])

    def revocation(self) -> None:
        """The first certificate of the chain that was revoked, when, and what says so."""
        revocation = self._evidence.revocation(self._path)
        if revocation is None:
            return
        element = add(self._data, "RevocationStatusInformation")
        add_reference(element, "ValidationObjectId", self._objects.certificate(revocation.certificate))
        add_moment(element, "RevocationTime", revocation.time)
        add_reference(element, "RevocationObject", self._objects.revocation_data(revocation.statement.der))

    def crypto(self, cms: CmsFacts, subject: str, conclusion: Conclusion) -> None:
        """The algorithm that ends first; mandatory where the verdict is about algorithms.

        subject: name of what was signed with the signer's key.
        """
        weakest = self._evidence.weakest(cms, self._path)
        if weakest is None:
            return
        element = add(self._data, "CryptoInformation")
        name = self._objects.certificate(weakest.subject) if weakest.subject else subject
        add_reference(element, "ValidationObjectId", name)
        add(element, "Algorithm", words.algorithm(weakest.use))
        is_secure = (
            weakest.end > self._evidence.policy.time and conclusion.sub_indication not in _ABOUT_ALGORITHMS
        )
        add(element, "SecureAlgorithm", "true" if is_secure else "false")
        if _FIRST_MOMENT < weakest.end < BELIEVED_FOR_NOW:
            add_moment(element, "NotAfter", weakest.end)
        if weakest.use.key_bits:
            add(element, "OtherInformation", f"key size {weakest.use.key_bits} bits")
