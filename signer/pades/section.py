"""A signature or document time-stamp as one appended section: the original octets stay, and it follows them.

ISO 32000-2 §7.5.6 (incremental updates) and §12.8.1 (ByteRange). Two writers make sections: `plain` for most
documents and `general` for the others.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pikepdf

from pecete.errors import AbortedError, FailedPreconditionError, InternalError
from signer.algorithms import DigestName
from signer.pades.admission import Admitted
from signer.pades.appearance import Appearance, EmptyAppearance, draw
from signer.pades.options import SignatureOptions
from signer.pades.pages import geometry
from signer.pades.placement import Rectangle

_CHUNK = 256 * 1024


class HashState(Protocol):
    """A hashlib object that was fed with the whole document."""

    @property
    def name(self) -> str:
        """Such as "sha256"."""

    def copy(self) -> "HashState":
        """A second state that goes its own way."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Feed more octets."""

    def digest(self) -> bytes:
        """The digest of what was fed."""


@dataclass(frozen=True)
class AppendedSection:
    """What follows a document's `base_length` octets, with a gap where /Contents will stand.

    gap_position: of the gap's `<` in `tail`. gap_length: from `<` to after `>`.
    digest: over the ByteRange, which is everything but the gap. base_digest: over the original document; both
    with the signature's digest algorithm.
    """

    base_length: int
    tail: bytes
    gap_position: int
    gap_length: int
    digest: bytes
    base_digest: bytes
    field_name: str


def base_state(path: Path, length: int, digest: DigestName) -> HashState:
    """Hash the document at `path`, which must have `length` octets. Raises AbortedError DOCUMENT_CHANGED."""
    state = hashlib.new(digest)
    left = length
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
            left -= len(chunk)
    if left:
        raise AbortedError("DOCUMENT_CHANGED", "The document changed while it was read.", field="document")
    return state


def seal(
    document: Admitted, tail: bytes, gap_position: int, gap_length: int, base: HashState
) -> AppendedSection:
    """Hash a written `tail` around its gap; `base` is fed with the document."""
    return AppendedSection(
        base_length=document.length,
        tail=tail,
        gap_position=gap_position,
        gap_length=gap_length,
        digest=byte_range_digest(document.length, tail, gap_position, gap_length, base),
        base_digest=base.digest(),
        field_name=document.field_name,
    )


def byte_range_text(base_length: int, tail_length: int, gap_position: int, gap_length: int) -> bytes:
    """The ByteRange array of everything but the gap."""
    start = base_length + gap_position
    end = start + gap_length
    return b"[0 %d %d %d]" % (start, end, base_length + tail_length - end)


def byte_range_digest(
    base_length: int, tail: bytes, gap_position: int, gap_length: int, base: HashState
) -> bytes:
    """Digest over everything but the gap, if `tail` says that this is its ByteRange.

    Raises InternalError BYTE_RANGE_WRONG.
    """
    end = gap_position + gap_length
    written = b"/ByteRange " + byte_range_text(base_length, len(tail), gap_position, gap_length)
    if written not in tail or tail[gap_position : gap_position + 1] != b"<" or tail[end - 1 : end] != b">":
        raise InternalError("BYTE_RANGE_WRONG", "The signature's byte range does not fit the file.")
    state = base.copy()
    with memoryview(tail) as octets:
        state.update(octets[:gap_position])
        state.update(octets[end:])
    return state.digest()


def fill(section: AppendedSection, contents: bytes) -> bytes:
    """The octets of the section with `contents` in its gap. Raises SIGNATURE_RESERVE_TOO_SMALL."""
    reserve = section.gap_length // 2 - 1
    if len(contents) > reserve:
        raise FailedPreconditionError(
            "SIGNATURE_RESERVE_TOO_SMALL",
            f"The signature with its time-stamp takes {len(contents)} octets and {reserve} were reserved.",
            field="timestamp_reserve",
            metadata={"needed": str(len(contents)), "reserved": str(reserve)},
        )
    start = section.gap_position + 1
    digits = contents.hex().encode()
    return section.tail[:start] + digits + section.tail[start + len(digits) :]


def appearance_for(
    page: pikepdf.Object, rectangle: Rectangle, options: SignatureOptions
) -> Appearance | EmptyAppearance:
    """How the signature looks in `rectangle` (in user space) on `page`."""
    if options.appearance is None:
        return EmptyAppearance(size_of(rectangle))
    rotation = geometry(page).rotation
    width, height = size_of(rectangle)
    return draw(
        options.appearance,
        signing_time=options.signing_time,
        reason=options.reason,
        commitment=options.commitment,
        size=(width, height) if rotation in (0, 180) else (height, width),
        rotation=rotation,
    )


def size_of(rectangle: Rectangle) -> tuple[float, float]:
    """Width and height of a rectangle."""
    return rectangle[2] - rectangle[0], rectangle[3] - rectangle[1]
