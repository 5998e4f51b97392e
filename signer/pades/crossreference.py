"""Cross-reference sections of an incremental update (ISO 32000-2 §7.5.4, §7.5.6 and §7.5.8)."""

import zlib
from collections.abc import Iterator, Mapping

Offsets = Mapping[int, tuple[int, int]]
"""By object number: byte offset in the whole file, and generation."""

LONGEST_FOR_TABLE = 9_990_000_000
"""Documents of so many octets leave room for a section within the ten digits of a table's entries."""


def table(offsets: Offsets, trailer: bytes, size: int) -> bytes:
    """A cross-reference table with its trailer, whose dictionary has the entries `trailer` besides Size.

    size: one more than the highest object number of the whole file.
    """
    parts = [b"xref\n0 1\n0000000000 65535 f \n"]
    for first, numbers in _runs(offsets):
        parts.append(b"%d %d\n" % (first, len(numbers)))
        parts += [b"%010d %05d n \n" % offsets[number] for number in numbers]
    parts.append(b"trailer\n<< /Size %d %s >>\n" % (size, trailer))
    return b"".join(parts)


def stream(offsets: Offsets, trailer: bytes, number: int) -> bytes:
    """A cross-reference stream as object `number`, the file's highest, which `offsets` must list too."""
    rows = b"".join(
        b"\x01" + offset.to_bytes(5, "big") + generation.to_bytes(2, "big")
        for _, (offset, generation) in sorted(offsets.items())
    )
    index = b" ".join(b"%d %d" % (first, len(numbers)) for first, numbers in _runs(offsets))
    data = zlib.compress(rows)
    return (
        b"%d 0 obj\n<< /Type /XRef /W [1 5 2] /Index [%s] /Size %d %s /Filter /FlateDecode /Length %d >>\n"
        b"stream\n%s\nendstream\nendobj\n"
    ) % (number, index, number + 1, trailer, len(data), data)


def _runs(offsets: Offsets) -> Iterator[tuple[int, list[int]]]:
    """Subsections: first object number, and the consecutive numbers from it on."""
    run: list[int] = []
    for number in sorted(offsets):
        if run and number != run[-1] + 1:
            yield run[0], run
            run = []
        run.append(number)
    if run:
        yield run[0], run
