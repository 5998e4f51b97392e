"""Collecting the facts of the XAdES signatures in an ASiC container (EN 319 162-1 §4.3.3 and §4.4.3)."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from urllib.parse import unquote

from signer.asic.container import META_INF, Container
from signer.asic.directory import Member, is_safe_name
from signer.validation.facts import SignatureFacts, TimestampFacts
from signer.validation.pdf.aftermath import Modification
from signer.validation.xades.document import XmlDocument, XmlError
from signer.validation.xades.references import External
from signer.validation.xades_facts import FoundSignature, collect_signatures, undecodable_xml

SIMPLE_SIGNATURES = "META-INF/signatures.xml"
MANIFEST = "META-INF/manifest.xml"
"""Lists the files for those who unpack them; nothing signs it, and it may be missing (§4.4.3.2)."""

_SIGNATURES = re.compile(rf"{META_INF}[^/]*signatures[^/]*\.xml", re.IGNORECASE)
Found = tuple[tuple[SignatureFacts, ...], tuple[TimestampFacts, ...]]


def signature_files(container: Container) -> tuple[str, ...]:
    """Names of the members that hold XAdES signatures."""
    return tuple(name for name in container.meta_names if _SIGNATURES.fullmatch(name))


def collect_container(container: Container) -> Found:
    """Facts of every signature, and the archive time-stamps over them.

    A file that nobody signed is a fault of every signature: who trusts the container would trust the file.
    Raises what `Container` raises for damaged members, and InvalidArgumentError DOCUMENT_DAMAGED.
    """
    members = _Members(container)
    found: list[FoundSignature] = []
    for name in signature_files(container):
        try:
            found += collect_signatures(XmlDocument(container.read(name)), members.resolve, name)
        except XmlError as error:
            raise undecodable_xml(error) from error
    whole = _Whole(container, found)
    signatures = tuple(whole.around(each) for each in found)
    return signatures, tuple(stamp for each in found for stamp in each.archive_timestamps)


class _Members:
    """The members as references mean them; each digest of one is computed once."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._known: dict[str, External] = {}

    def resolve(self, uri: str | None) -> External | None:
        name = _member_name(uri)
        member = self._container.find(name) if name else None
        if member is None:
            return None
        if name not in self._known:
            self._known[name] = External(_chunks(self._container, member))
        return self._known[name]


def _chunks(container: Container, member: Member) -> Callable[[], Iterable[bytes]]:
    return lambda: container.chunks(member)


def _member_name(uri: str | None) -> str:
    """The member that a URI means, relative to the container and never outside of it (Annex A.6)."""
    if uri is None or "#" in uri or "?" in uri:
        return ""
    try:
        name = unquote(uri, errors="strict").removeprefix("./")
    except UnicodeDecodeError:
        return ""
    return name if is_safe_name(name) else ""


class _Whole:
    """The container as all of its signatures together are over it."""

    def __init__(self, container: Container, found: list[FoundSignature]) -> None:
        self._files = {member.name for member in container.signed_files}
        self._unsigned = sorted(self._files.difference(*map(_names, found)))
        self._faults = (
            *(f"nobody signed the file {name}" for name in self._unsigned),
            *_layout_faults(container),
        )
        self._findings = () if container.find(MANIFEST) else (f"the container has no {MANIFEST}",)

    def around(self, found: FoundSignature) -> SignatureFacts:
        """The facts of a signature with what it is not over.

        Where a signed file is missing and there is one that nobody signed, the signed one was replaced.
        """
        facts, names = found.facts, _names(found)
        others = sorted(self._files - names)
        cms = facts.cms
        if cms.digest_matches is None and self._unsigned and not names <= self._files:
            cms = replace(cms, digest_matches=False)
        return replace(
            facts,
            cms=cms,
            faults=(*facts.faults, *self._faults),
            findings=(*facts.findings, *self._findings),
            changes=tuple(f"not under this signature: {each}" for each in others),
            modification=Modification.ALLOWED if others else Modification.NONE,
        )


def _names(found: FoundSignature) -> set[str]:
    """Names of the members that a signature says it is over."""
    return {_member_name(each.uri) for each in found.signature.references if each.is_external}


def _layout_faults(container: Container) -> Iterator[str]:
    if not container.signed_files:
        yield "the container has no file that could be signed"
    if container.kind == "ASiC-S":
        if len(container.signed_files) > 1:
            yield "an ASiC-S with more than one file"
        if signature_files(container) != (SIMPLE_SIGNATURES,):
            yield "an ASiC-S with other signatures than its one file of them"
