"""Levels of signatures (EN 319 142-1 §6, EN 319 122-1 §6) by what they have, whether it holds or not."""

from functools import cached_property

from signer.validation.certificates import CertificatePool, load_certificate
from signer.validation.facts import DocumentFacts, SignatureFacts, StoredData, TimestampFacts, TimestampKind
from signer.validation.revocation import RevocationData

_OWN_STORE = ("CAdES", "XAdES")
"""Formats whose signatures keep their validation data in themselves."""
_OLDER = {"B": "BES", "T": "T", "LT": "T", "LTA": "T"}
"""What is not of the baseline, by its step: kept values are not all that other levels ask for."""


class Levels:
    """Tells the levels of the signatures of one document."""

    def __init__(self, facts: DocumentFacts, pool: CertificatePool) -> None:
        self._facts, self._pool = facts, pool

    @cached_property
    def _document_store(self) -> "_Store":
        return _Store(self._facts.store)

    def covering(self, signature: SignatureFacts) -> list[TimestampFacts]:
        """Well-formed time-stamps that are over the whole signature."""
        return [
            stamp
            for stamp in self._facts.document_timestamps
            if stamp.covers(signature.end, signature.field) and not stamp.faults
        ]

    def name(self, signature: SignatureFacts) -> str:
        """The level reached, such as `PAdES-BASELINE-LT`; of other signatures, the name of what they are."""
        step = self.reached(signature)
        if signature.format in _OWN_STORE:
            return f"{signature.format}-{_own_level(signature, step)}"
        if signature.format == "XML":
            return "XML-NOT-ETSI"
        if signature.cms.faults or signature.malformed:
            return "PDF-NOT-ETSI"
        if signature.baseline:
            return f"PAdES-BASELINE-{step}"
        if signature.format == "PKCS7":
            return f"PKCS7-{step}"
        return "PAdES-LTV" if step == "LTA" else "PAdES-BES"

    def reached(self, signature: SignatureFacts) -> str:
        """The level's last part, `B`, `T`, `LT` or `LTA`, whatever kind of signature it is.

        A counter-signature has the level of what is in itself, whatever is around the one that it signs.
        """
        stamps = [] if signature.countersigns else self.covering(signature)
        if not stamps and all(stamp.kind is TimestampKind.CONTENT for stamp in signature.timestamps):
            return "B"
        own = signature.format in _OWN_STORE
        store = _Store(_own_store(signature)) if own else self._document_store
        if not self._has_revocation_data(signature, store):
            return "T"
        return "LTA" if any(store.first < _reach(stamp) for stamp in stamps) else "LT"

    def _has_revocation_data(self, signature: SignatureFacts, store: "_Store") -> bool:
        """Whether the document keeps revocation data on the signer's certificate."""
        der = signature.cms.signer_certificate
        certificate = load_certificate(der) if der else None
        if certificate is None:
            return False
        issuers = self._pool.named(certificate.issuer)
        return any(store.data.mentions(certificate, issuer) for issuer in issuers)


def _own_level(signature: SignatureFacts, step: str) -> str:
    """The level in the words of EN 319 122-1 and -2; outside the baseline those of TS 101 733 and 101 903."""
    if signature.extension:
        return signature.extension
    return f"BASELINE-{step}" if signature.baseline else _OLDER[step]


def _reach(stamp: TimestampFacts) -> int:
    """Where what a time-stamp is over ends; a PDF's is over what its own revision has behind it too."""
    return max(stamp.end, stamp.covered) if stamp.kind is TimestampKind.DOCUMENT else stamp.covered


class _Store:
    """Kept validation data. first: where the first of it ends."""

    def __init__(self, store: StoredData) -> None:
        kept = (*store.certificates, *store.crls, *store.ocsp_responses)
        self.first = min((position for _, position in kept), default=0)
        self.data = RevocationData(
            (crl for crl, _ in store.crls), (answer for answer, _ in store.ocsp_responses)
        )


def _own_store(signature: SignatureFacts) -> StoredData:
    """What the signature has in itself (EN 319 122-1 §6.3); a container may have several."""
    cms = signature.cms
    kinds = (cms.certificates, cms.crls, cms.ocsp_responses)
    return StoredData(*(tuple((der, 0) for der in ders) for ders in kinds))
