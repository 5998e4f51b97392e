"""Levels of signatures (EN 319 142-1 §6, EN 319 122-1 §6) by what they have, whether it holds or not."""

from signer.validation.certificates import CertificatePool, load_certificate
from signer.validation.facts import DocumentFacts, SignatureFacts, StoredData, TimestampFacts, TimestampKind
from signer.validation.revocation import RevocationData

_OWN_STORE = ("CAdES", "XAdES")
"""Formats whose signatures keep their validation data in themselves."""


def covering(signature: SignatureFacts, document: DocumentFacts) -> list[TimestampFacts]:
    """Well-formed time-stamps that are over the whole signature."""
    return [
        stamp
        for stamp in document.document_timestamps
        if stamp.covers(signature.end, signature.field) and not stamp.faults
    ]


def level(signature: SignatureFacts, document: DocumentFacts, pool: CertificatePool) -> str:
    """The level reached, such as `PAdES-BASELINE-LT`; of other signatures, the name of what they are."""
    step = reached(signature, document, pool)
    if signature.format in _OWN_STORE:
        return f"{signature.format}-BASELINE-{step}" if signature.baseline else f"{signature.format}-BES"
    if signature.format == "XML":
        return "XML-NOT-ETSI"
    if signature.cms.faults or signature.malformed:
        return "PDF-NOT-ETSI"
    if signature.baseline:
        return f"PAdES-BASELINE-{step}"
    if signature.format == "PKCS7":
        return f"PKCS7-{step}"
    return "PAdES-LTV" if step == "LTA" else "PAdES-BES"


def reached(signature: SignatureFacts, document: DocumentFacts, pool: CertificatePool) -> str:
    """The level's last part, `B`, `T`, `LT` or `LTA`, whatever kind of signature it is."""
    stamps = covering(signature, document)
    own = [stamp for stamp in signature.timestamps if stamp.kind is TimestampKind.SIGNATURE]
    if not own and not stamps:
        return "B"
    store = _own_store(signature) if signature.format in _OWN_STORE else document.store
    if not _has_revocation_data(signature, store, pool):
        return "T"
    return "LTA" if any(_covers_store(stamp, store) for stamp in stamps) else "LT"


def _own_store(signature: SignatureFacts) -> StoredData:
    """What the signature has in itself (EN 319 122-1 §6.3); a container may have several."""
    cms = signature.cms
    kinds = (cms.certificates, cms.crls, cms.ocsp_responses)
    return StoredData(*(tuple((der, 0) for der in ders) for ders in kinds))


def _has_revocation_data(signature: SignatureFacts, store: StoredData, pool: CertificatePool) -> bool:
    """Whether the document keeps revocation data on the signer's certificate."""
    der = signature.cms.signer_certificate
    certificate = load_certificate(der) if der else None
    if certificate is None or not (store.crls or store.ocsp_responses):
        return False
    data = RevocationData((crl for crl, _ in store.crls), (answer for answer, _ in store.ocsp_responses))
    return any(data.mentions(certificate, issuer) for issuer in pool.named(certificate.issuer))


def _covers_store(stamp: TimestampFacts, store: StoredData) -> bool:
    kept = (*store.certificates, *store.crls, *store.ocsp_responses)
    return any(position < stamp.covered for _, position in kept)
