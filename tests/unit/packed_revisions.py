"""Revisions with object streams and a cross-reference stream, byte by byte."""

import re
import zlib
from collections.abc import Mapping, Sequence


def object_stream(objects: Sequence[tuple[int, bytes]], *, packed: bool = True) -> bytes:
    """An object stream with these objects."""
    index, body = b"", b""
    for number, value in objects:
        index += b"%d %d " % (number, len(body))
        body += value + b" "
    stored = zlib.compress(index + body) if packed else index + body
    filters = b"/Filter /FlateDecode " if packed else b""
    head = b"<< /Type /ObjStm /N %d /First %d %s/Length %d >>" % (
        len(objects),
        len(index),
        filters,
        len(stored),
    )
    return head + b"stream\n" + stored + b"\nendstream"


def packed_update(
    data: bytes,
    plain: Mapping[int, bytes],
    streams: Mapping[int, Sequence[tuple[int, bytes]]],
    *,
    section: int,
    unlisted: frozenset[int] = frozenset(),
) -> bytes:
    """Append a revision whose section is a stream, object number `section`.

    streams: object streams by their numbers. unlisted: packed objects that the section does not name.
    """
    written = {number: object_stream(objects) for number, objects in streams.items()} | dict(plain)
    body, rows = b"", []
    for number, value in sorted(written.items()):
        rows.append((number, 1, len(data) + len(body), 0))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    for stream, objects in streams.items():
        rows += [(number, 2, stream, at) for at, (number, _) in enumerate(objects) if number not in unlisted]
    start = len(data) + len(body)
    rows.append((section, 1, start, 0))
    rows.sort()
    index = b" ".join(b"%d 1" % row[0] for row in rows)
    entries = b"".join(bytes([kind]) + place.to_bytes(4, "big") + bytes([at]) for _, kind, place, at in rows)
    previous = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    identifier = re.search(rb"/ID \[.*?\]", data)
    head = b"<</Type/XRef/Size %d/Root 1 0 R/W[1 4 1]/Prev %d/Index[%s]%s/Length %d>>" % (
        max(number for number, *_ in rows) + 1,
        previous,
        index,
        identifier[0] if identifier else b"",
        len(entries),
    )
    table = b"%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (section, head, entries)
    return data + body + table + b"startxref\n%d\n%%%%EOF\n" % start
