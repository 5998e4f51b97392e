"""Manifests of ASiC-E with CAdES (EN 319 162-1 Annex A): which files a signature or a time-stamp is over."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pecete.errors import InvalidArgumentError
from signer.asic.directory import is_safe_name

SIGNATURE_TYPE = "application/pkcs7-signature"
TIMESTAMP_TYPE = "application/vnd.etsi.timestamp-token"
ARCHIVE_MANIFEST = "META-INF/ASiCArchiveManifest.xml"
"""The newest archive manifest; earlier ones have a number in their names (Annex A)."""

_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGEST_URIS = {
    _SHA256: "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2001/04/xmldsig-more#sha224": "sha224",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-256": "sha3_256",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-384": "sha3_384",
    "http://www.w3.org/2007/05/xmldsig-more#sha3-512": "sha3_512",
}
"""hashlib names by URI; what is not here is not believed."""

MAX_SIZE = 4 << 20
"""Octets of the largest manifest that is read."""

_MAX_DEPTH = 20


@dataclass(frozen=True)
class Reference:
    """A file and its digest. digest_algorithm: as hashlib names it; "" for an unknown one.

    is_root: it is the file with which a reader begins; in an archive manifest, the manifest before it.
    """

    name: str
    mime_type: str
    digest_algorithm: str
    digest: bytes
    is_root: bool = False


@dataclass(frozen=True)
class Manifest:
    """signature: name of the member with the signature or time-stamp over this manifest."""

    signature: str
    references: tuple[Reference, ...]

    def find(self, name: str) -> Reference | None:
        """The reference to a file, if there is one."""
        return next((each for each in self.references if each.name == name), None)


def write_manifest(manifest: Manifest, signature_type: str = SIGNATURE_TYPE) -> bytes:
    """The XML of a manifest all of whose digests are by SHA-256."""
    rows = "".join(map(_row, manifest.references))
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<asic:ASiCManifest xmlns:asic="{_ASIC}" xmlns:ds="{_DSIG}">'
        f'<asic:SigReference MimeType="{signature_type}" URI={_uri(manifest.signature)}/>'
        f"{rows}</asic:ASiCManifest>"
    ).encode()


def _row(reference: Reference) -> str:
    mime = f" MimeType={quoteattr(reference.mime_type)}" if reference.mime_type else ""
    root = ' Rootfile="true"' if reference.is_root else ""
    value = escape(base64.b64encode(reference.digest).decode("ascii"))
    return (
        f"<asic:DataObjectReference{mime}{root} URI={_uri(reference.name)}>"
        f'<ds:DigestMethod Algorithm="{_SHA256}"/><ds:DigestValue>{value}</ds:DigestValue>'
        "</asic:DataObjectReference>"
    )


def _uri(name: str) -> str:
    return quoteattr(quote(name, safe="/!$()*,;=@~-._+"))


def read_manifest(octets: bytes) -> Manifest:
    """Read a manifest.

    Raises InvalidArgumentError MANIFEST_MALFORMED, also where an extension must be understood and is not.
    """
    if len(octets) > MAX_SIZE:
        raise malformed("it is too long")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = reader.refuse_declaration
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError):
        raise malformed("it is no such XML") from None
    return reader.manifest()


class _Reader:
    """Takes what the parser finds."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._signatures: list[str] = []
        self._references: list[Reference] = []
        self._attributes: dict[str, str] = {}
        self._algorithm, self._value = "", ""

    def refuse_declaration(self, *declaration: object) -> None:
        """A manifest has no document type, so no entities either."""
        raise malformed("it declares a document type")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise malformed("it is nested too deeply")
        match self._local():
            case ["ASiCManifest", "SigReference"]:
                self._signatures.append(_member_name(attributes.get("URI", "")))
            case ["ASiCManifest", "DataObjectReference"]:
                self._attributes, self._algorithm, self._value = attributes, "", ""
            case ["ASiCManifest", "DataObjectReference", "DigestMethod"]:
                self._algorithm = attributes.get("Algorithm", "")
            case [*_, "Extension"] if attributes.get("Critical", "false").strip() in ("true", "1"):
                raise malformed("it has a critical extension that is not known here")
            case [root] if root != "ASiCManifest":
                raise malformed("it is something else")

    def text(self, text: str) -> None:
        """Text within an element."""
        if self._local()[1:] == ["DataObjectReference", "DigestValue"]:
            self._value += text

    def end(self, name: str) -> None:
        """An element ends."""
        if self._local() == ["ASiCManifest", "DataObjectReference"]:
            self._references.append(self._reference())
        self._path.pop()

    def manifest(self) -> Manifest:
        """What was read."""
        names = [reference.name for reference in self._references]
        if len(self._signatures) != 1 or not names or len(set(names)) != len(names):
            raise malformed("it does not name one signature and each file once")
        return Manifest(self._signatures[0], tuple(self._references))

    def _local(self) -> list[str]:
        """The names of the elements around, those of other namespaces with them."""
        return [name.removeprefix(f"{_ASIC} ").removeprefix(f"{_DSIG} ") for name in self._path]

    def _reference(self) -> Reference:
        try:
            digest = base64.b64decode("".join(self._value.split()), validate=True)
        except (binascii.Error, ValueError):
            raise malformed("a digest cannot be read") from None
        return Reference(
            _member_name(self._attributes.get("URI", "")),
            self._attributes.get("MimeType", ""),
            DIGEST_URIS.get(self._algorithm, ""),
            digest,
            self._attributes.get("Rootfile", "false").strip() in ("true", "1"),
        )


def _member_name(uri: str) -> str:
    """The member that a URI means, relative to the container and never outside of it (Annex A)."""
    try:
        name = unquote(uri, errors="strict").removeprefix("./")
    except UnicodeDecodeError:
        name = ""
    if not is_safe_name(name) or "#" in uri or "?" in uri:
        raise malformed("it names something outside of the container")
    return name


def malformed(why: str) -> InvalidArgumentError:
    """The error of a manifest that cannot be followed."""
    return InvalidArgumentError(
        "MANIFEST_MALFORMED", f"A manifest of the container cannot be followed: {why}.", field="document"
    )


def free_number(names: Iterable[str], *patterns: str) -> int:
    """The first number, from 1, with which none of the patterns, such as `signature{:03}.p7s`, is taken."""
    taken = set(names)
    number = 1
    while any(pattern.format(number) in taken for pattern in patterns):
        number += 1
    return number
