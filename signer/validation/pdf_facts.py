"""Collecting the facts of a signed PDF."""

import hashlib
from dataclasses import replace

from signer.validation.byte_ranges import Coverage, RangeDigests
from signer.validation.der import DerError
from signer.validation.enumerate import FoundSignature, Kind, enumerate_signatures
from signer.validation.facts import (
    AlgorithmUse,
    CmsFacts,
    DocumentFacts,
    Malformed,
    SignatureFacts,
    SignerBinding,
    StoredData,
    TimestampFacts,
    TimestampKind,
)
from signer.validation.integrity import cms_facts, undecodable
from signer.validation.pdf.aftermath import Aftermaths
from signer.validation.pdf.appearance.steps import PageWatch
from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.mapped import Buffer
from signer.validation.pdf.objects import decoded
from signer.validation.pdf.permissions import certifies
from signer.validation.pdf.revisions import Document
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Reference, Stream, Value
from signer.validation.signed_data import (
    DATA,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
    SignedData,
    read_signed_data,
)
from signer.validation.times import pdf_date
from signer.validation.timestamps import (
    content_timestamps,
    signature_timestamps,
    timestamp_facts,
    unreadable_timestamp,
)
from signer.validation.visual_facts import with_appearance

_DETACHED = frozenset({"ETSI.CAdES.detached", "adbe.pkcs7.detached"})
_SHA1_INSIDE = "adbe.pkcs7.sha1"


def collect(data: Buffer, *, rendering: bool = False) -> DocumentFacts:
    """Read a PDF whole and collect what a judgement needs; `rendering`: draw pages that later changes touch.

    Raises PdfSyntaxError, and of it PasswordRequiredError where the document asks for a password.
    """
    pages = PageWatch() if rendering else None
    analysis = ChangeAnalysis(data, pages.note if pages else None)
    found = enumerate_signatures(analysis)
    digests = RangeDigests(data, [item.coverage for item in found])
    aftermaths = Aftermaths(analysis)
    signatures = [_signature(item, digests, aftermaths) for item in found if item.kind is Kind.SIGNATURE]
    stamps = [
        _document_timestamp(item, digests, aftermaths) for item in found if item.kind is not Kind.SIGNATURE
    ]
    facts = DocumentFacts(
        digests.whole("sha256"),
        len(data),
        tuple(sorted(signatures, key=lambda signature: signature.end)),
        tuple(sorted(stamps, key=lambda stamp: stamp.end)),
        _store(analysis.document),
    )
    if pages is None:
        return facts
    certifying = [item for item in found if certifies(item.dictionary, analysis.document.now)]
    certifications = frozenset(item.coverage.end for item in certifying)
    return with_appearance(facts, analysis.document, pages.steps, certifications)


def _signature(found: FoundSignature, digests: RangeDigests, aftermaths: Aftermaths) -> SignatureFacts:
    coverage = found.coverage
    aftermath = aftermaths.of(found.dictionary, coverage.strict)
    form = str(found.dictionary.get("/SubFilter") or "")[1:]
    faults = list(found.faults)
    if form not in _DETACHED and form != _SHA1_INSIDE:
        faults.append(f"the signature is of an unknown kind, /SubFilter {form or 'missing'}")
    cms = undecodable("the signature cannot be decoded")
    stamps: tuple[TimestampFacts, ...] = ()
    malformed: Malformed | None = None
    try:
        signed_data = read_signed_data(found.contents)
        faults += _form_faults(signed_data, form, found.contents)
        if form in _DETACHED and signed_data.content is not None:
            malformed = Malformed.CONTENT_ENCAPSULATED
        cms = _cms(signed_data, form, coverage, digests)
        for signer in signed_data.signers[:1]:
            stamps = content_timestamps(signer, lambda name: digests.digest(coverage, name))
            stamps += signature_timestamps(signer)
    except DerError as error:
        faults.append(f"the signature cannot be decoded: {error}")
        malformed = Malformed.UNDECODABLE
    claimed = found.dictionary.get("/M")
    time = pdf_date(claimed) if isinstance(claimed, bytes) else None
    return SignatureFacts(
        field=found.field,
        format="PAdES" if form.startswith("ETSI.") else "PKCS7",
        form=form,
        cms=cms,
        claimed_time=time or cms.signing_time,
        end=coverage.end,
        baseline=_is_baseline(found.dictionary, cms, time is not None),
        modification=aftermath.modification,
        changes=aftermath.changes,
        timestamps=stamps,
        faults=tuple([*faults, *cms.faults]),
        malformed=malformed,
        findings=tuple(found.findings) + aftermath.findings,
    )


def _form_faults(signed_data: SignedData, form: str, contents: bytes) -> list[str]:
    faults = []
    if contents[signed_data.size :].strip(b"\0"):
        faults.append("bytes after the signature within its /Contents")
    if form != _SHA1_INSIDE and signed_data.content is not None:
        faults.append("a detached signature with content of its own")
    if signed_data.content_type != DATA:
        faults.append("the signed content is not stated to be plain data")
    return faults


def _cms(signed_data: SignedData, form: str, coverage: Coverage, digests: RangeDigests) -> CmsFacts:
    if form != _SHA1_INSIDE:
        return cms_facts(signed_data, signed_data.content_type, lambda name: digests.digest(coverage, name))
    content = signed_data.content or b""
    facts = cms_facts(signed_data, DATA, lambda name: hashlib.new(name, content).digest())
    # What is signed is a SHA-1 alone, however strong the digest of that may be.
    facts = replace(facts, algorithms=(*facts.algorithms, AlgorithmUse("digest of the document", "sha1")))
    return facts if content == digests.digest(coverage, "sha1") else replace(facts, digest_matches=False)


def _is_baseline(dictionary: Dictionary, cms: CmsFacts, has_time: bool) -> bool:
    """EN 319 142-1 Table 1, what a PAdES-BASELINE-B signature must and must not have."""
    references = cms.attributes.count(SIGNING_CERTIFICATE) + cms.attributes.count(SIGNING_CERTIFICATE_V2)
    return (
        dictionary.get("/SubFilter") == "/ETSI.CAdES.detached"
        and dictionary.get("/Type") == "/Sig"
        and has_time
        and "/Cert" not in dictionary
        and references == 1
        and SIGNING_TIME not in cms.attributes
        and cms.binding is not SignerBinding.ABSENT
        and cms.signer_certificate is not None
        and not cms.faults
    )


def _document_timestamp(
    found: FoundSignature, digests: RangeDigests, aftermaths: Aftermaths
) -> TimestampFacts:
    coverage = found.coverage
    aftermath = aftermaths.of(found.dictionary, coverage.strict)
    if found.dictionary.get("/Type") not in ("/DocTimeStamp", None):
        facts = unreadable_timestamp(
            TimestampKind.DOCUMENT, "the document time-stamp is typed as something else"
        )
    else:
        facts = timestamp_facts(
            found.contents, TimestampKind.DOCUMENT, lambda name: digests.digest(coverage, name)
        )
    return replace(
        facts,
        field=found.field,
        end=coverage.end,
        covered=coverage.strict.gap_start if coverage.strict else 0,
        modification=aftermath.modification,
        changes=aftermath.changes,
        faults=facts.faults + tuple(found.faults),
        findings=tuple(found.findings) + aftermath.findings,
    )


def _store(document: Document) -> StoredData:
    """The document security store of the last revision (EN 319 142-1 §5.4.2)."""
    catalog = document.now(document.trailer.get("/Root"))
    store = document.now(catalog.get("/DSS")) if isinstance(catalog, dict) else None
    if not isinstance(store, dict):
        return StoredData()
    entries = [store]
    index = document.now(store.get("/VRI"))
    for item in index.values() if isinstance(index, dict) else ():
        entry = document.now(item)
        if isinstance(entry, dict):
            entries.append(entry)
    return StoredData(
        _streams(document, entries, ("/Certs", "/Cert")),
        _streams(document, entries, ("/CRLs", "/CRL")),
        _streams(document, entries, ("/OCSPs", "/OCSP")),
    )


def _streams(
    document: Document, entries: list[Dictionary], keys: tuple[str, str]
) -> tuple[tuple[bytes, int], ...]:
    found: dict[bytes, int] = {}
    for entry in entries:
        for key in keys:
            items = document.now(entry.get(key))
            for item in items if isinstance(items, list) else ():
                plain = _plain(document.now(item))
                if plain is not None and plain not in found:
                    found[plain] = _position(document, item)
    return tuple(found.items())


def _plain(value: Value) -> bytes | None:
    if not isinstance(value, Stream):
        return None
    try:
        return decoded(value)
    except PdfSyntaxError:
        return None


def _position(document: Document, value: Value) -> int:
    """Where an object stands; a position beyond the file for what has none."""
    entry = document.entries.get(value.number) if isinstance(value, Reference) else None
    return entry.place if entry and entry.kind == "used" else len(document.data)
