"""Collecting the facts of a signed PDF."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from signer.validation.der import DerError
from signer.validation.enumerate import FoundSignature, Kind, enumerate_signatures
from signer.validation.facts import (
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
from signer.validation.pdf.aftermath import Aftermaths, ByteRange
from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.objects import decoded
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

_DETACHED = frozenset({"ETSI.CAdES.detached", "adbe.pkcs7.detached"})
_SHA1_INSIDE = "adbe.pkcs7.sha1"


def collect(data: bytes) -> DocumentFacts:
    """Read a PDF whole and collect what a judgement needs. Raises PdfSyntaxError."""
    analysis = ChangeAnalysis(data)
    found = enumerate_signatures(analysis)
    digests = RangeDigests(data, found)
    aftermaths = Aftermaths(analysis)
    signatures = [_signature(item, digests, aftermaths) for item in found if item.kind is Kind.SIGNATURE]
    stamps = [
        _document_timestamp(item, digests, aftermaths) for item in found if item.kind is not Kind.SIGNATURE
    ]
    return DocumentFacts(
        hashlib.sha256(data).digest(),
        len(data),
        tuple(sorted(signatures, key=lambda signature: signature.end)),
        tuple(sorted(stamps, key=lambda stamp: stamp.end)),
        _store(analysis.document),
    )


@dataclass(frozen=True)
class _Coverage:
    """What a /ByteRange says: its ranges as (start, length), and its strict reading if it has one."""

    ranges: tuple[tuple[int, int], ...]
    strict: ByteRange | None
    beyond_file: bool = False

    @property
    def end(self) -> int:
        return max((start + length for start, length in self.ranges), default=0)


class RangeDigests:
    """Digests of the byte ranges of many signatures.

    All begin at the first byte, so one running state per algorithm is copied where each gap begins, and the
    file is hashed once up to the last gap.
    """

    def __init__(self, data: bytes, found: Iterable[FoundSignature]) -> None:
        self._data = memoryview(data)
        self.coverage: dict[int, _Coverage] = {id(item): _coverage(data, item) for item in found}
        self._gaps = sorted({c.ranges[0][1] for c in self.coverage.values() if _is_common(c)})
        self._states: dict[str, Mapping[int, hashlib._Hash]] = {}

    def digest(self, coverage: _Coverage, name: str) -> bytes | None:
        """Digest of what is covered, by hashlib's name; None where nothing is."""
        if not coverage.ranges:
            return None
        if coverage.beyond_file:
            return b""  # what is covered is not all there, so that no digest can match
        if not _is_common(coverage):
            hasher = hashlib.new(name, usedforsecurity=False)
            for start, length in coverage.ranges:
                hasher.update(self._data[start : start + length])
            return hasher.digest()
        hasher = self._prefixes(name)[coverage.ranges[0][1]].copy()
        start, length = coverage.ranges[1]
        hasher.update(self._data[start : start + length])
        return hasher.digest()

    def _prefixes(self, name: str) -> Mapping[int, "hashlib._Hash"]:
        if name not in self._states:
            hasher, position, states = hashlib.new(name, usedforsecurity=False), 0, {}
            for gap in self._gaps:
                hasher.update(self._data[position:gap])
                states[gap], position = hasher.copy(), gap
            self._states[name] = states
        return self._states[name]


def _is_common(coverage: _Coverage) -> bool:
    return len(coverage.ranges) == 2 and coverage.ranges[0][0] == 0 and not coverage.beyond_file


def _coverage(data: bytes, found: FoundSignature) -> _Coverage:
    """Whatever even list of numbers within the file is hashed; only the standard form is strict."""
    numbers = found.dictionary.get("/ByteRange")
    known = [n for n in numbers if isinstance(n, int) and n >= 0] if isinstance(numbers, list) else []
    if not isinstance(numbers, list) or len(known) != len(numbers) or not known or len(known) % 2:
        return _Coverage((), None)
    ranges = tuple(zip(known[::2], known[1::2], strict=True))
    inside = all(start + length <= len(data) for start, length in ranges)
    return (
        _Coverage(ranges, _strict(data, ranges, found.contents)) if inside else _Coverage(ranges, None, True)
    )


def _strict(data: bytes, ranges: tuple[tuple[int, int], ...], contents: bytes) -> ByteRange | None:
    """Two ranges from the first byte around a gap that holds exactly /Contents (ISO 32000-2 §12.8.1)."""
    if len(ranges) != 2 or ranges[0][0] != 0 or ranges[0][1] >= ranges[1][0]:
        return None
    gap_start, gap_end = ranges[0][1], ranges[1][0]
    if data[gap_start : gap_start + 1] != b"<" or data[gap_end - 1 : gap_end] != b">":
        return None
    try:
        held = bytes.fromhex(data[gap_start + 1 : gap_end - 1].decode("ascii"))
    except ValueError:
        return None
    return ByteRange(gap_start, gap_end, gap_end + ranges[1][1]) if held == contents else None


def _signature(found: FoundSignature, digests: RangeDigests, aftermaths: Aftermaths) -> SignatureFacts:
    coverage = digests.coverage[id(found)]
    aftermath = aftermaths.of(found.dictionary, coverage.strict)
    form = str(found.dictionary.get("/SubFilter") or "")[1:]
    faults = (
        [] if coverage.strict else ["the byte range is not the whole file around the signature's /Contents"]
    )
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


def _cms(signed_data: SignedData, form: str, coverage: _Coverage, digests: RangeDigests) -> CmsFacts:
    if form != _SHA1_INSIDE:
        return cms_facts(signed_data, signed_data.content_type, lambda name: digests.digest(coverage, name))
    content = signed_data.content or b""
    facts = cms_facts(signed_data, DATA, lambda name: hashlib.new(name, content).digest())
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
    coverage = digests.coverage[id(found)]
    aftermath = aftermaths.of(found.dictionary, coverage.strict)
    if found.dictionary.get("/Type") not in ("/DocTimeStamp", None):
        facts = unreadable_timestamp(
            TimestampKind.DOCUMENT, "the document time-stamp is typed as something else"
        )
    else:
        facts = timestamp_facts(
            found.contents, TimestampKind.DOCUMENT, lambda name: digests.digest(coverage, name)
        )
    odd = () if coverage.strict else ("the byte range is not the whole file around the token",)
    return replace(
        facts,
        field=found.field,
        end=coverage.end,
        covered=coverage.strict.gap_start if coverage.strict else 0,
        modification=aftermath.modification,
        changes=aftermath.changes,
        faults=facts.faults + odd,
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
