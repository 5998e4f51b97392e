"""What a CAdES signature is put into: its own file, one around its content, a container, other signatures.

Each form gives the digest that is to be signed and, with the signature, the pieces of the new file. Forms are
plain values over paths: they are made where documents are read, and travel to where they are completed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, Self

from pecete.errors import FailedPreconditionError, ResourceExhaustedError
from signer.asic import signing as asic
from signer.asic.container import Container, open_container
from signer.asic.layout import SIMPLE_SIGNATURE, Layout
from signer.asic.signing import DataFile, SignedManifest
from signer.asic.writing import NewMember, changed_container
from signer.cades.content import ContentDigest, file_content, octets_content
from signer.cades.countersigning import add_countersignature, countersigned_content
from signer.cades.joining import add_signature, joint_content
from signer.cades.signing import CompletedSignature, enclose, finish
from signer.cades.structure import take_apart
from signer.pieces import FileSlice, Piece
from signer.signature_files import SignatureFile, SignerPlace, read_signature
from signer.validation.cades_facts import signer_field

Format = Literal["PAdES", "CAdES-detached", "CAdES-enveloping", "ASiC-S", "ASiC-E"]
"""What a signature is and where it is put; PAdES has a way of its own and no form here."""

MAX_ENVELOPED_SIZE = 48 << 20
"""Octets of the largest content that a signature is put around."""

Pieces = tuple[Piece, ...]


class Form(Protocol):
    """One form for one signature."""

    def digest(self, algorithm: str) -> bytes:
        """What is signed, by an algorithm as hashlib names it. Refuses what cannot be signed so."""

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The new file. token: over the signature value, DER. time: stated of new files in a container."""

    def field(self) -> str:
        """What validating the new file calls the signature; "" where it is the only one in a CMS file."""


@dataclass(frozen=True)
class Detached:
    """A signature of the file at `path`, in a file of its own."""

    path: Path

    def digest(self, algorithm: str) -> bytes:
        """Of the file. Raises as `file_content`."""
        return file_content(self.path)(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The signature. Raises as `finish`."""
        return (finish(signature, token),)

    def field(self) -> str:
        """The only one."""
        return ""


@dataclass(frozen=True)
class Enveloping(Detached):
    """A signature around the file at `path`, whose SHA-256 is known."""

    sha256: bytes

    def digest(self, algorithm: str) -> bytes:
        """Of the file. Raises as `file_content`; ResourceExhaustedError ENVELOPED_CONTENT_TOO_LARGE.

        What is larger could be made, and neither judged nor raised: CMS parsers hold a signature as a whole.
        """
        if self.path.stat().st_size > MAX_ENVELOPED_SIZE:
            raise ResourceExhaustedError(
                "ENVELOPED_CONTENT_TOO_LARGE",
                f"More than {MAX_ENVELOPED_SIZE >> 20} MiB are signed detached or in a container.",
                field="format",
            )
        return super().digest(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The signature with the file inside. Raises as `enclose`."""
        length = self.path.stat().st_size
        around = enclose(signature, token, length)
        return (around.head, FileSlice(self.path, 0, length, self.sha256), around.tail)


@dataclass(frozen=True)
class FurtherSigner:
    """One more signer in the CMS signature at `path`; detached: its content where that stands apart."""

    path: Path
    detached: Path | None

    def digest(self, algorithm: str) -> bytes:
        """Of the content that all signers sign. Raises as `joint_content`."""
        return joint_content(read_signature(self.path), self._content())(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The signature with one signer more. Raises as `add_signature`."""
        return (add_signature(read_signature(self.path), self._content(), signature, token),)

    def field(self) -> str:
        """The last signer of those that there will be."""
        return _next_field("", read_signature(self.path))

    def _content(self) -> ContentDigest | None:
        return file_content(self.detached) if self.detached else None


@dataclass(frozen=True)
class Countersigner:
    """A countersignature of the signature value with this SHA-256, in a CMS file or a container at `path`."""

    path: Path
    signature_sha256: bytes

    def digest(self, algorithm: str) -> bytes:
        """Of the signature value.

        Raises FailedPreconditionError SIGNATURE_NOT_FOUND or SIGNATURE_ARCHIVED, and as
        `countersigned_content`.
        """
        name, cms = self._target()
        SignatureFile(self.path).require_changeable([name])
        return countersigned_content(cms, self.signature_sha256)(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The file with the countersignature. Raises as `add_countersignature`."""
        name, cms = self._target()
        made = add_countersignature(cms, self.signature_sha256, signature, token)
        return SignatureFile(self.path).replaced({name: made}, time)

    def field(self) -> str:
        """That of the signature in which it is."""
        return self._place().field

    def _target(self) -> tuple[str, bytes]:
        name = self._place().name
        return name, SignatureFile(self.path).signatures()[name]

    def _place(self) -> SignerPlace:
        for place in SignatureFile(self.path).signers(()):
            if place.signature_sha256 == self.signature_sha256:
                return place
        raise FailedPreconditionError(
            "SIGNATURE_NOT_FOUND", "The document has no such signature.", field="countersigned_signature"
        )


@dataclass(frozen=True)
class NewAsicS:
    """An ASiC-S of one file."""

    file: DataFile

    def digest(self, algorithm: str) -> bytes:
        """Of the file."""
        return file_content(self.file.content.path)(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The container. Raises as `asic_s`."""
        return asic.asic_s(self.file, finish(signature, token), time)

    def field(self) -> str:
        """The only signature."""
        return SIMPLE_SIGNATURE


@dataclass(frozen=True)
class FurtherAsicS:
    """One more signer in the ASiC-S at `path`."""

    path: Path

    def digest(self, algorithm: str) -> bytes:
        """Of the file that all signers sign. Raises as `joint_content`, and what reading raises."""
        with self._opened() as (_, content, cms):
            return joint_content(cms, content)(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The container with one signer more. Raises as `add_signature`."""
        with self._opened() as (container, content, cms):
            member = NewMember(SIMPLE_SIGNATURE, add_signature(cms, content, signature, token))
            return changed_container(self.path, container, [member], time)

    def field(self) -> str:
        """The last signer of those that there will be."""
        with self._opened() as (_, _, cms):
            return _next_field(SIMPLE_SIGNATURE, cms)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Container, ContentDigest, bytes]]:
        with open_container(self.path) as container:
            layout = Layout(container)
            layout.require_cades()
            member = layout.file
            content = cache(lambda algorithm: container.digest(member, algorithm))
            yield container, content, container.read(SIMPLE_SIGNATURE)


@dataclass(frozen=True)
class AsicE:
    """A signature over a manifest: of new files in a new ASiC-E, or of all files in the one at `path`."""

    manifest: SignedManifest
    files: tuple[DataFile, ...] = ()
    path: Path | None = None

    @classmethod
    def of_files(cls, files: tuple[DataFile, ...]) -> Self:
        """A new container. Raises as `new_manifest`."""
        return cls(asic.new_manifest(files), files=files)

    @classmethod
    def of_container(cls, path: Path) -> Self:
        """One more signature. Raises as `further_manifest`, and what reading the container raises."""
        with open_container(path) as container:
            return cls(asic.further_manifest(container), path=path)

    def digest(self, algorithm: str) -> bytes:
        """Of the manifest."""
        return octets_content(self.manifest.octets)(algorithm)

    def pieces(self, signature: CompletedSignature, token: bytes | None, time: datetime) -> Pieces:
        """The container. Raises as `asic_e` and `add_signature`."""
        cms = finish(signature, token)
        if self.path is None:
            return asic.asic_e(self.files, self.manifest, cms, time)
        return asic.add_signature(self.path, self.manifest, cms, time)

    def field(self) -> str:
        """By the name of the signature's file."""
        return self.manifest.signature_name


def _next_field(name: str, cms: bytes) -> str:
    count = len(take_apart(cms).signers)
    return signer_field(name, count, count + 1)
