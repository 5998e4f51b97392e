"""One incremental update of a plain document (ISO 32000-2 §7.5.6): objects, cross-references, trailer.

qpdf reads the structure through a memory map and only where it must, so a large scan is never in memory; this
module writes what follows the document. qpdf numbers the new objects, for which it reads every object once: a
document may refer to objects that it does not have, also beyond the trailer's Size, and a new one with such a
number would become part of what the document shows.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pikepdf
from pikepdf import Array, Name

from signer.pades import crossreference
from signer.pades.admission import Admitted


class NotPlainError(Exception):
    """The document needs the general writer; this error never leaves the package."""


@contextmanager
def structural_doubt() -> Iterator[None]:
    """What qpdf raises for objects that are not what the standard says sends the document on."""
    try:
        yield
    except (pikepdf.PdfError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        raise NotPlainError from None


class Update:
    """The new and changed objects of one update; to be made before anything in the document is changed.

    Raises NotPlainError for hybrids of both kinds of cross-reference sections, and unusual ends of file.
    """

    def __init__(self, document: Admitted) -> None:
        self._document = document
        self._is_streamed = _is_streamed(document)
        self._new: dict[int, bytes] = {}
        self._changed: dict[tuple[int, int], pikepdf.Object] = {}

    def add(self, body: bytes = b"") -> pikepdf.Object:
        """Take in a new object with the number that follows; gives what refers to it."""
        new = self._document.pdf.make_indirect(pikepdf.Dictionary())
        number = new.objgen[0]
        if number < int(self._document.pdf.trailer.Size):
            raise NotPlainError
        self._new[number] = body
        return new

    def fill(self, new: pikepdf.Object, body: bytes) -> None:
        """Give a new object its body, once it is known."""
        self._new[new.objgen[0]] = body

    def change(self, changed: pikepdf.Object) -> None:
        """Have an object of the document written anew. Raises NotPlainError when it is in none."""
        if not changed.is_indirect or changed.objgen[0] in self._new:
            raise NotPlainError
        self._changed[changed.objgen] = changed

    def append(
        self, owner: pikepdf.Object, key: Name, item: pikepdf.Object, written: pikepdf.Object | None
    ) -> None:
        """Append to an array entry of `owner`, and have written what holds the array.

        written: the object of the document that holds `owner`, or is it; None where `owner` is a new one.
        Raises NotPlainError.
        """
        array = owner.get(key)
        if array is None:
            owner[key] = Array([item])
        elif isinstance(array, Array):
            array.append(item)
            written = array if array.is_indirect else written
        else:
            raise NotPlainError
        if written is not None:
            self.change(written)

    def octets(self) -> tuple[bytearray, dict[int, int]]:
        """The update, and by object number where in it each body begins.

        Raises NotPlainError where qpdf had to guess.
        """
        if self._document.pdf.get_warnings():
            raise NotPlainError
        out = bytearray(b"\n")
        offsets: dict[int, tuple[int, int]] = {}
        bodies: dict[int, int] = {}
        for (number, generation), body in self._bodies():
            offsets[number] = (self._document.length + len(out), generation)
            out += b"%d %d obj\n" % (number, generation)
            bodies[number] = len(out)
            out += body
            out += b"\nendobj\n"
        startxref = self._document.length + len(out)
        trailer = _trailer(self._document)
        size = max(int(self._document.pdf.trailer.Size), max(offsets) + 1)
        if self._is_streamed:
            offsets[size] = (startxref, 0)
            out += crossreference.stream(offsets, trailer, size)
        else:
            out += crossreference.table(offsets, trailer, size)
        out += b"startxref\n%d\n%%%%EOF\n" % startxref
        return out, bodies

    def _bodies(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        for objgen, changed in sorted(self._changed.items()):
            yield objgen, changed.unparse(resolved=True)
        for number, body in self._new.items():
            yield (number, 0), body


def _is_streamed(document: Admitted) -> bool:
    """Whether the last cross-reference section is a stream."""
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
