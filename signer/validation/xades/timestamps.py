"""Time-stamps in a XAdES signature (EN 319 132-1 §5.2.9, §5.3, §5.5.2) and what each must be over."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from lxml import etree

from signer.validation.facts import TimestampFacts, TimestampKind
from signer.validation.timestamps import timestamp_facts, unreadable_timestamp
from signer.validation.xades.algorithms import DSIG, base64_octets
from signer.validation.xades.canonical import DEFAULT, METHODS, canonical, prefixes, write
from signer.validation.xades.document import (
    TooMuchError,
    XmlDocument,
    XmlElement,
    XmlError,
    local_name,
    parse,
    text_of,
)
from signer.validation.xades.properties import SIGNED_PROPERTIES, XADES, XADES_141, Qualified, validation_data
from signer.validation.xades.references import Reference
from signer.validation.xades.signatures import XmlSignature

SIGNATURE_END = 1
"""Where a XAdES signature ends: archive time-stamps follow it as 2, 3 and so on, in their order."""

_MAX_TOKENS = 100
_REFERENCES_ONLY = (
    "SigAndRefsTimeStamp",
    "SigAndRefsTimeStampV2",
    "RefsOnlyTimeStamp",
    "RefsOnlyTimeStampV2",
)
Octets = Iterable[bytes]


@dataclass(frozen=True)
class _Canonicalisation:
    """How a time-stamp's property says that what it is over was canonicalised (§4.5)."""

    algorithm: str
    inclusive: tuple[str, ...]


class Timestamps:
    """The time-stamps of one signature."""

    def __init__(self, document: XmlDocument, signature: XmlSignature, qualified: Qualified) -> None:
        self._document, self._signature, self._qualified = document, signature, qualified
        self._tokens_read = 0

    def content(self) -> list[TimestampFacts]:
        """Those over the signed data, which are signed themselves."""
        signed = self._qualified.signed
        found: list[TimestampFacts] = []
        for element in signed.root.iter(etree.Element) if signed else ():
            if local_name(element, XADES) == "AllDataObjectsTimeStamp":
                found += self._tokens(element, TimestampKind.CONTENT, self._all_data)
            elif local_name(element, XADES) == "IndividualDataObjectsTimeStamp":
                found += self._tokens(element, TimestampKind.CONTENT, self._individual_data)
        return found

    def signature(self) -> list[TimestampFacts]:
        """Those over the signature value."""
        return [
            stamp
            for element in self._qualified.unsigned
            if local_name(element, XADES) == "SignatureTimeStamp"
            for stamp in self._tokens(element, TimestampKind.SIGNATURE, self._value)
        ]

    def archive(self, field: str, fields: Callable[[XmlElement], Iterable[str]]) -> list[TimestampFacts]:
        """Those over the whole signature, in their order; `field` is the signature's.

        fields: gives those of the counter-signatures in a property. One after which a signature time-stamp
        was put in is not over all that is in the signature, and proves nothing of it.
        """
        found: list[TimestampFacts] = []
        for number, element in enumerate(self._qualified.unsigned):
            if not _is_archive(element):
                continue
            before, after = self._qualified.unsigned[:number], self._qualified.unsigned[number + 1 :]
            is_whole = not any(local_name(each, XADES) == "SignatureTimeStamp" for each in after)
            end = SIGNATURE_END + 1 + len(found)
            found += [
                replace(
                    stamp,
                    field=field,
                    end=end,
                    covered=end - 1 if is_whole else 0,
                    protected=self._protected(before),
                    countersignatures=tuple(name for each in before for name in fields(each)),
                )
                for stamp in self._tokens(element, TimestampKind.ARCHIVE, self._archived)
            ]
        return found

    def _protected(self, properties: Iterable[XmlElement]) -> tuple[bytes, ...]:
        """SHA-256 of the certificates, CRLs and OCSP responses that are covered with the signature."""
        data = validation_data(properties)
        ders = (*self._signature.certificates, *data.certificates, *data.crls, *data.ocsp_responses)
        return tuple(sorted({hashlib.sha256(der).digest() for der in ders}))

    def unjudged(self) -> list[str]:
        """Sentences on time-stamps that are there but not judged."""
        names = (local_name(each, XADES) or local_name(each, XADES_141) for each in self._qualified.unsigned)
        return [f"a time-stamp is not judged: {name}" for name in names if name in _REFERENCES_ONLY]

    # ---- tokens

    def _tokens(
        self,
        element: XmlElement,
        kind: TimestampKind,
        octets: Callable[[XmlElement, _Canonicalisation], Iterable[bytes]],
    ) -> Iterator[TimestampFacts]:
        """The tokens in a time-stamp property; one that holds none is a time-stamp that cannot be read."""
        tokens = element.findall(f"{{{XADES}}}EncapsulatedTimeStamp")
        self._tokens_read += len(tokens)
        if self._tokens_read > _MAX_TOKENS:
            raise TooMuchError("a signature has too many time-stamps")
        if not tokens:
            yield unreadable_timestamp(kind, "there is no time-stamp token")
        for token in tokens:
            try:
                der = base64_octets(text_of(token))
            except XmlError as error:
                yield unreadable_timestamp(kind, f"the time-stamp token cannot be read: {error}")
                continue
            yield timestamp_facts(
                der, kind, lambda name: _digest(name, lambda: octets(element, _method(element)))
            )

    # ---- what they are over

    def _value(self, _: XmlElement, method: _Canonicalisation) -> Octets:
        return (self._part("SignatureValue", method),)

    def _all_data(self, _: XmlElement, method: _Canonicalisation) -> Octets:
        for reference in self._signature.direct:
            if reference.type != SIGNED_PROPERTIES:
                yield from self._referenced(reference, method)

    def _individual_data(self, element: XmlElement, method: _Canonicalisation) -> Octets:
        by_identifier = {each.identifier: each for each in self._signature.direct if each.identifier}
        for include in element.iterfind(f"{{{XADES}}}Include"):
            reference = by_identifier.get((include.get("URI") or "").removeprefix("#"))
            if reference is None or include.get("referencedData") not in ("true", "1"):
                raise XmlError("a time-stamp includes what cannot be found")
            yield from self._referenced(reference, method)

    def _archived(self, element: XmlElement, method: _Canonicalisation) -> Octets:
        """§5.5.2.2, where all is in one place; and TS 101 903 v1.3.2 §7.7, without signed Objects."""
        for reference in self._signature.direct:
            yield from self._referenced(reference, method)
        for name in ("SignedInfo", "SignatureValue", "KeyInfo"):
            if name != "KeyInfo" or self._signature.element.find(f"{{{DSIG}}}{name}") is not None:
                yield self._part(name, method)
        for each in self._qualified.unsigned:
            if each is element:
                break
            yield self._canonical(each, method)
        for each in self._objects(with_signed=local_name(element, XADES_141) != ""):
            yield self._canonical(each, method)

    def _referenced(self, reference: Reference, method: _Canonicalisation) -> Octets:
        """What a reference is over; a node-set is canonicalised as the time-stamp says."""
        if reference.content is None:
            raise XmlError("what a time-stamp is over is missing")
        if not reference.is_node_set:
            yield from reference.content()
            return
        if method.algorithm not in METHODS:
            raise XmlError(f"the canonicalisation {method.algorithm} is not known")
        octets = b"".join(reference.content())
        self._document.spend(len(octets))
        yield write(parse(octets), METHODS[method.algorithm], method.inclusive)

    def _objects(self, *, with_signed: bool) -> list[XmlElement]:
        """The Objects of the signature, without the one with its properties."""
        signed = [each.target for each in self._signature.references]
        return [
            each
            for each in self._signature.element.iterfind(f"{{{DSIG}}}Object")
            if each.find(f"{{{XADES}}}QualifyingProperties") is None
            and (with_signed or not any(each is target for target in signed))
        ]

    def _part(self, name: str, method: _Canonicalisation) -> bytes:
        part = self._signature.element.find(f"{{{DSIG}}}{name}")
        if part is None:
            raise XmlError(f"there is no {name}")
        return self._canonical(part, method)

    def _canonical(self, element: XmlElement, method: _Canonicalisation) -> bytes:
        return canonical(self._document, element, method.algorithm, method.inclusive)


def _is_archive(element: XmlElement) -> bool:
    return "ArchiveTimeStamp" in (local_name(element, XADES), local_name(element, XADES_141))


def _method(element: XmlElement) -> _Canonicalisation:
    stated = element.find(f"{{{DSIG}}}CanonicalizationMethod")
    if stated is None:
        return _Canonicalisation(DEFAULT, ())
    return _Canonicalisation(stated.get("Algorithm") or "", prefixes(stated))


def _digest(name: str, octets: Callable[[], Octets]) -> bytes | None:
    """The digest of what a time-stamp must be over; None where that is missing or cannot be computed."""
    digest = hashlib.new(name, usedforsecurity=False)
    try:
        for part in octets():
            digest.update(part)
    except TooMuchError:
        raise
    except XmlError:
        return None
    return digest.digest()
