"""Collecting the facts of XAdES and plain XML signatures: in an XML document, or in an ASiC container."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pecete.errors import InvalidArgumentError
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.facts import (
    CmsFacts,
    DocumentFacts,
    SignatureFacts,
    SignerBinding,
    StoredData,
    TimestampFacts,
)
from signer.validation.integrity import undecodable
from signer.validation.pdf.aftermath import Modification
from signer.validation.xades.algorithms import DSIG
from signer.validation.xades.coverage import uncovered
from signer.validation.xades.document import TooMuchError, XmlDocument, XmlElement, XmlError, local_name
from signer.validation.xades.policy import signature_policy
from signer.validation.xades.properties import (
    COUNTERSIGNED,
    SIGNED_PROPERTIES,
    XADES,
    Qualified,
    ValidationData,
    qualified,
    validation_data,
)
from signer.validation.xades.references import External, Reference, Resolve
from signer.validation.xades.signatures import SIGNATURE, XmlSignature, signatures_of
from signer.validation.xades.timestamps import SIGNATURE_END, Timestamps


@dataclass(frozen=True, eq=False)
class FoundSignature:
    """A signature, its facts, and the archive time-stamps over it."""

    signature: XmlSignature
    facts: SignatureFacts
    archive_timestamps: tuple[TimestampFacts, ...]


def collect(data: bytes, detached: Sequence[bytes]) -> DocumentFacts:
    """Facts of every signature in an XML document.

    detached: the signed file, one, where it stands apart. Raises InvalidArgumentError DOCUMENT_DAMAGED or
    DETACHED_CONTENT_AMBIGUOUS.
    """
    if len(detached) > 1:
        raise InvalidArgumentError(
            "DETACHED_CONTENT_AMBIGUOUS",
            "Beside an XML signature one file can stand; several were given.",
            field="detached",
        )
    try:
        document = XmlDocument(data)
        found = collect_signatures(document, _resolver(document, detached), "")
        whole = [_with_coverage(document, each) for each in found]
    except XmlError as error:
        raise undecodable_xml(error) from error
    stamps = tuple(stamp for each in found for stamp in each.archive_timestamps)
    return DocumentFacts(hashlib.sha256(data).digest(), len(data), tuple(whole), stamps, StoredData())


def undecodable_xml(error: XmlError) -> InvalidArgumentError:
    """The error of XML that cannot be read."""
    return InvalidArgumentError("DOCUMENT_DAMAGED", f"The XML cannot be read: {error}.", field="document")


def collect_signatures(document: XmlDocument, resolve: Resolve, name: str) -> list[FoundSignature]:
    """Every signature of a document; `name` is the file's in a container. Raises XmlError."""
    signatures = signatures_of(document, resolve)
    count = len(signatures)
    fields = {
        each.element: f"{name} signature {number + 1}".strip() if count > 1 else name
        for number, each in enumerate(signatures)
    }
    return [_found(document, each, fields) for each in signatures]


def _resolver(document: XmlDocument, detached: Sequence[bytes]) -> Resolve:
    """The one file stands for the one URI that leads out of the document; of two it cannot be told which."""
    uris = {
        each.get("URI")
        for each in document.root.iter(f"{{{DSIG}}}Reference")
        if not (each.get("URI") or "#").startswith("#") or "URI" not in each.attrib
    }
    if not detached or len(uris) != 1:
        return lambda _: None
    content = External(lambda: detached)
    return lambda _: content


def _with_coverage(document: XmlDocument, found: FoundSignature) -> SignatureFacts:
    """A signature over a part of a document says nothing of the rest, which may have been added later."""
    if found.facts.countersigns or found.signature.fault:
        return found.facts
    parts = uncovered(document.root, found.signature)
    changes = tuple(f"not under this signature: {part}" for part in parts)
    return replace(
        found.facts, changes=changes, modification=Modification.UNKNOWN if parts else Modification.NONE
    )


def _found(document: XmlDocument, signature: XmlSignature, fields: dict[XmlElement, str]) -> FoundSignature:
    field = fields[signature.element]
    if signature.fault:
        return FoundSignature(signature, _unreadable(field, signature.fault), ())
    try:
        properties = qualified(signature)
        kept = validation_data(properties.unsigned)
        stamps = Timestamps(document, signature, properties)
        countersigned = _countersigned(signature.element)
        cms = _cms(signature, properties, kept, countersigned)
        facts = SignatureFacts(
            field=field,
            format="XAdES" if properties.element is not None else "XML",
            form="XML",
            cms=cms,
            claimed_time=cms.signing_time,
            end=SIGNATURE_END,
            baseline=_is_baseline(signature, properties, cms),
            modification=Modification.NONE,
            changes=(),
            timestamps=(*stamps.content(), *stamps.signature()),
            faults=cms.faults,
            countersigns=fields.get(countersigned, "") if countersigned is not None else "",
            findings=(*stamps.unjudged(), *_findings(signature)),
        )
        archive = stamps.archive(field, lambda each: _fields_in(each, fields))
    except TooMuchError:
        raise
    except XmlError as error:
        return FoundSignature(signature, _unreadable(field, str(error)), ())
    return FoundSignature(signature, facts, tuple(archive))


def _unreadable(field: str, fault: str) -> SignatureFacts:
    return SignatureFacts(
        field, "XML", "XML", undecodable(fault), None, 0, False, Modification.NONE, (), (), (fault,)
    )


def _fields_in(element: XmlElement, fields: dict[XmlElement, str]) -> Iterable[str]:
    return (fields[each] for each in element.iter(SIGNATURE) if each in fields)


# ---- what a signature is over, and by whom


def _cms(
    signature: XmlSignature, properties: Qualified, kept: ValidationData, countersigned: XmlElement | None
) -> CmsFacts:
    candidates = tuple(dict.fromkeys((*signature.certificates, *kept.certificates)))
    certificate, binding = _signer(signature, properties, candidates)
    signed = properties.signed
    return CmsFacts(
        digest_matches=signature.digest_matches,
        signature_matches=signature.signature_matches(certificate) if certificate else None,
        signer_certificate=certificate.der if certificate else None,
        binding=binding,
        algorithms=signature.algorithms(certificate),
        attributes=signed.names if signed else (),
        certificates=candidates,
        crls=kept.crls,
        ocsp_responses=kept.ocsp_responses,
        signing_time=signed.signing_time if signed else None,
        faults=(
            *properties.faults,
            *_faults(signature),
            *_countersignature_faults(signature, countersigned),
        ),
        policy=signature_policy(signed.root) if signed else None,
    )


def _signer(
    signature: XmlSignature, properties: Qualified, candidates: Sequence[bytes]
) -> tuple[Certificate | None, SignerBinding]:
    """The certificate that the signed properties name (EN 319 132-1 §5.2.2), or else one that verifies."""
    loaded = [each for each in map(load_certificate, candidates) if each is not None]
    verifying = [each for each in loaded if signature.signature_matches(each)]
    references = properties.signed.certificate_references if properties.signed else ()
    if not references:
        return next(iter((*verifying, *loaded)), None), SignerBinding.ABSENT
    for each in (*verifying, *loaded):
        if all(_is_named(group, each.der) for group in references):
            return each, SignerBinding.BOUND
    return next(iter((*verifying, *loaded)), None), SignerBinding.MISMATCH


def _is_named(group: Sequence[tuple[str, bytes]], der: bytes) -> bool:
    """Whether a SigningCertificate property has the certificate's digest, be it among those of its path."""
    return any(
        name and hashlib.new(name, der, usedforsecurity=False).digest() == value for name, value in group
    )


def _faults(signature: XmlSignature) -> list[str]:
    faults = [each.fault for each in signature.references if each.is_ambiguous]
    if all(each.type == SIGNED_PROPERTIES for each in signature.direct):
        faults.append("the signature is over nothing but its own properties")
    return faults


def _findings(signature: XmlSignature) -> list[str]:
    return [
        f"{each.uri or 'something without a URI'} could not be checked: {each.fault}"
        for each in signature.references
        if each.fault and not each.is_ambiguous
    ]


def _countersigned(element: XmlElement) -> XmlElement | None:
    """The signature in whose CounterSignature property a signature stands (§5.2.7.2)."""
    parent = element.getparent()
    if parent is None or local_name(parent, XADES) != "CounterSignature":
        return None
    return next((each for each in parent.iterancestors(SIGNATURE)), None)


def _countersignature_faults(signature: XmlSignature, countersigned: XmlElement | None) -> list[str]:
    if countersigned is None:
        return []
    value = countersigned.find(f"{{{DSIG}}}SignatureValue")
    if value is not None and any(_is_over(each, value) for each in signature.direct):
        return []
    return ["a counter-signature that is not over the signature's value"]


def _is_over(reference: Reference, element: XmlElement) -> bool:
    return reference.target is element and reference.type in (COUNTERSIGNED, "")


def _is_baseline(signature: XmlSignature, properties: Qualified, cms: CmsFacts) -> bool:
    """EN 319 132-1 Table 2, level B."""
    signed = properties.signed
    return (
        signed is not None
        and not cms.faults
        and cms.signing_time is not None
        and len(signed.certificate_references) == 1
        and cms.signer_certificate in signature.certificates
        and all(_is_described(each, signed.described) for each in signature.direct)
    )


def _is_described(reference: Reference, described: frozenset[str]) -> bool:
    """Whether the media type of what it is over was signed; a counter-signature's value has none."""
    return reference.type in (SIGNED_PROPERTIES, COUNTERSIGNED) or reference.identifier in described
