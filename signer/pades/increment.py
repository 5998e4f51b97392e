"""One incremental update of a plain document (ISO 32000-2 §7.5.6): objects, cross-references, trailer.

qpdf reads the structure through a memory map and only where it must, so a large scan is never in memory; this
module writes what follows the document.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pikepdf
from pikepdf import Array, Name

from signer.pades import crossreference
from signer.pades.admission import Admitted

Objects = Mapping[tuple[int, int], bytes]
"""Bodies of new and changed objects, by number and generation."""


class NotPlainError(Exception):
    """The document needs the general writer; this error never leaves the package."""


@contextmanager
def structural_doubt() -> Iterator[None]:
    """What qpdf raises for objects that are not what the standard says sends the document on."""
    try:
        yield
    except (pikepdf.PdfError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        raise NotPlainError from None


def is_streamed(document: Admitted) -> bool:
    """Whether the last cross-reference section is a stream. Hybrids of both are not plain.

    To be asked before anything in the document is changed. Raises NotPlainError.
    """
    if document.startxref < 0 or Name.XRefStm in document.pdf.trailer:
        raise NotPlainError
    with document.path.open("rb") as file:
        file.seek(document.startxref)
        head = file.read(32)
    if head.startswith(b"xref"):
        if document.length > crossreference.LONGEST_FOR_TABLE:
            raise NotPlainError
        return False
    words = head.split()
    if len(words) < 3 or not words[0].isdigit() or not words[2].startswith(b"obj"):
        raise NotPlainError
    return True


def allocate(document: Admitted) -> pikepdf.Object:
    """A new indirect object, a dictionary still empty. Raises NotPlainError where its number is in doubt."""
    new = document.pdf.make_indirect(pikepdf.Dictionary())
    if new.objgen[0] < int(document.pdf.trailer.Size):
        raise NotPlainError
    return new


def append(owner: pikepdf.Object, key: Name, item: pikepdf.Object, written: pikepdf.Object) -> pikepdf.Object:
    """Append to an array entry of `owner`; the answer is the indirect object that must be written anew.

    written: the indirect object that holds `owner`, or is it. Raises NotPlainError.
    """
    array = owner.get(key)
    if array is None:
        owner[key] = Array([item])
        return written
    if not isinstance(array, Array):
        raise NotPlainError
    array.append(item)
    return array if array.is_indirect else written


def write(document: Admitted, objects: Objects, *, streamed: bool) -> tuple[bytearray, dict[int, int]]:
    """The octets of the update, and by object number where in them each body begins.

    streamed: whether the cross-reference section is a stream, as the document's last one is. Raises
    NotPlainError.
    """
    if document.pdf.get_warnings():
        raise NotPlainError
    out = bytearray(b"\n")
    offsets: dict[int, tuple[int, int]] = {}
    bodies: dict[int, int] = {}
    for (number, generation), body in sorted(objects.items()):
        offsets[number] = (document.length + len(out), generation)
        out += b"%d %d obj\n" % (number, generation)
        bodies[number] = len(out)
        out += body
        out += b"\nendobj\n"
    startxref = document.length + len(out)
    trailer = _trailer(document)
    size = max(int(document.pdf.trailer.Size), max(offsets) + 1)
    if streamed:
        offsets[size] = (startxref, 0)
        out += crossreference.stream(offsets, trailer, size)
    else:
        out += crossreference.table(offsets, trailer, size)
    out += b"startxref\n%d\n%%%%EOF\n" % startxref
    return out, bodies


def _trailer(document: Admitted) -> bytes:
    trailer = document.pdf.trailer
    parts = [b"/Root %d %d R" % document.pdf.Root.objgen]
    information = trailer.get(Name.Info)
    if information is not None and information.is_indirect:
        parts.append(b"/Info %d %d R" % information.objgen)
    identifiers = trailer.get(Name.ID)
    first = bytes(identifiers[0]) if identifiers is not None else os.urandom(16)
    parts.append(b"/ID [<%s> <%s>]" % (first.hex().encode(), os.urandom(16).hex().encode()))
    parts.append(b"/Prev %d" % document.startxref)
    return b" ".join(parts)
