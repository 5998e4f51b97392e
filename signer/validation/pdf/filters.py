"""Stream filters (ISO 32000-2 §7.4) and predictors (§7.4.4.4), none of which writes more than it is let."""

import base64
import re
import zlib
from collections.abc import Callable

from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Value

MAX_DECODED = 64 << 20
"""Largest decoded stream, in bytes, that is looked into."""
_MAX_FILTERS = 8
_BLANKS = b"\0\t\n\f\r "
_NOT_HEX = re.compile(rb"[^0-9A-Fa-f]")
_CLEAR, _END_OF_DATA = 256, 257
_LARGEST_CODE = 4096


def decode(data: bytes, filters: Value, parameters: Value) -> bytes:
    """Undo a stream's /Filter with its /DecodeParms: one of each, or arrays.

    Raises PdfSyntaxError for a filter that makes no bytes (pictures), for damage, and beyond MAX_DECODED.
    """
    names = filters if isinstance(filters, list) else [filters] if filters is not None else []
    settings = parameters if isinstance(parameters, list) else [parameters]
    if len(names) > _MAX_FILTERS:
        raise PdfSyntaxError("a stream with too many filters")
    for index, name in enumerate(names):
        given = settings[index] if index < len(settings) else None
        if not isinstance(name, str) or name not in _FILTERS:
            raise PdfSyntaxError("a stream with a filter that is not known")
        data = _FILTERS[name](data, given if isinstance(given, dict) else {})
    return data


def _flate(data: bytes, parameters: Dictionary) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, MAX_DECODED)
    except zlib.error as error:
        raise PdfSyntaxError("bad FlateDecode data") from error
    if inflater.unconsumed_tail:
        raise _too_large()
    return _unpredicted(plain, parameters)


def _too_large() -> PdfSyntaxError:
    return PdfSyntaxError("a stream too large to read")


def _ascii_hex(data: bytes, _: Dictionary) -> bytes:
    digits = data.partition(b">")[0].translate(None, _BLANKS)
    if _NOT_HEX.search(digits):
        raise PdfSyntaxError("bad ASCIIHexDecode data")
    return bytes.fromhex((digits + b"0" * (len(digits) & 1)).decode("ascii"))


def _ascii_85(data: bytes, _: Dictionary) -> bytes:
    digits = data.partition(b"~")[0].translate(None, _BLANKS)
    if len(digits) + 4 * digits.count(b"z") > MAX_DECODED:
        raise _too_large()
    try:
        return base64.a85decode(digits)
    except ValueError as error:
        raise PdfSyntaxError("bad ASCII85Decode data") from error


def _run_length(data: bytes, _: Dictionary) -> bytes:
    out, position = bytearray(), 0
    while position < len(data) and (length := data[position]) != 128:
        if length < 128:
            run = data[position + 1 : position + 2 + length]
            complete, position = len(run) == length + 1, position + 2 + length
        else:
            run = data[position + 1 : position + 2] * (257 - length)
            complete, position = bool(run), position + 2
        if not complete:
            raise PdfSyntaxError("bad RunLengthDecode data")
        out += run
        if len(out) > MAX_DECODED:
            raise _too_large()
    return bytes(out)


def _lzw(data: bytes, parameters: Dictionary) -> bytes:
    """LZWDecode (§7.4.4.2): codes of 9 to 12 bits, the highest bit first."""
    early = parameters.get("/EarlyChange", 1)
    if early not in (0, 1) or not isinstance(early, int):
        raise PdfSyntaxError("bad LZWDecode parameters")
    table, out, before = _first_codes(), bytearray(), b""
    width, pending, bits = 9, 0, 0
    for octet in data:
        pending, bits = pending << 8 | octet, bits + 8
        if bits < width:
            continue
        bits -= width
        code, pending = pending >> bits, pending & ((1 << bits) - 1)
        if code == _END_OF_DATA:
            break
        if code == _CLEAR:
            table, before, width = _first_codes(), b"", 9
            continue
        before = _take_code(code, before, table)
        out += before
        if len(out) > MAX_DECODED:
            raise _too_large()
        width = min(12, max(9, (len(table) + early).bit_length()))
    return _unpredicted(bytes(out), parameters)


def _first_codes() -> list[bytes]:
    return [bytes([code]) for code in range(256)] + [b"", b""]


def _take_code(code: int, before: bytes, table: list[bytes]) -> bytes:
    """What a code stands for; the code after it is entered into the table."""
    if code < len(table):
        found = table[code]
    elif code == len(table) and before:
        found = before + before[:1]
    else:
        raise PdfSyntaxError("bad LZWDecode data")
    if before and len(table) < _LARGEST_CODE:
        table.append(before + found[:1])
    return found


def _unchanged(data: bytes, _: Dictionary) -> bytes:
    """A Crypt filter has been undone where the stream was decrypted."""
    return data


_FILTERS: dict[str, Callable[[bytes, Dictionary], bytes]] = {
    "/FlateDecode": _flate,
    "/LZWDecode": _lzw,
    "/ASCIIHexDecode": _ascii_hex,
    "/ASCII85Decode": _ascii_85,
    "/RunLengthDecode": _run_length,
    "/Crypt": _unchanged,
}


def _unpredicted(plain: bytes, parameters: Dictionary) -> bytes:
    predictor = parameters.get("/Predictor", 1)
    if predictor == 1:
        return plain
    columns, colors, bits = (
        _size(parameters.get(key, default))
        for key, default in (("/Columns", 1), ("/Colors", 1), ("/BitsPerComponent", 8))
    )
    if bits not in (1, 2, 4, 8, 16):
        raise PdfSyntaxError("a predictor over odd samples")
    width = (columns * colors * bits + 7) // 8
    if predictor == 2:
        rows = (plain[start : start + width] for start in range(0, len(plain), width))
        return b"".join(_tiff_row(row, colors, bits) for row in rows)
    if not isinstance(predictor, int) or not 10 <= predictor <= 15:
        raise PdfSyntaxError("a predictor that is not known")
    return _png(plain, width, max(1, colors * bits // 8))


def _size(value: Value) -> int:
    if not isinstance(value, int) or not 0 < value < 1 << 16:
        raise PdfSyntaxError("a predictor over rows of no size")
    return value


def _tiff_row(row: bytes, colors: int, bits: int) -> bytes:
    """Undo the differences of TIFF 6.0 §14: each sample is the difference to the pixel before."""
    per_octet, mask = max(1, 8 // bits), (1 << bits) - 1
    if bits == 16:
        samples = [int.from_bytes(row[at : at + 2], "big") for at in range(0, len(row), 2)]
    else:
        shifts = range(8 - bits, -1, -bits)
        samples = [octet >> shift & mask for octet in row for shift in shifts]
    for index in range(colors, len(samples)):
        samples[index] = (samples[index] + samples[index - colors]) & mask
    if bits == 16:
        return b"".join(sample.to_bytes(2, "big") for sample in samples)[: len(row)]
    out = bytearray()
    for at in range(0, len(samples), per_octet):
        octet = 0
        for sample in samples[at : at + per_octet]:
            octet = octet << bits | sample
        out.append(octet)
    return bytes(out)


def _png(plain: bytes, width: int, step: int) -> bytes:
    rows, before = [], bytes(width)
    for start in range(0, len(plain), width + 1):
        before = _png_row(plain[start], plain[start + 1 : start + 1 + width], before, step)
        rows.append(before)
    return b"".join(rows)


def _png_row(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """Undo one PNG filter (RFC 2083 §6)."""
    if kind == 0:
        return row
    if kind == 2:
        return bytes([(here + up) & 255 for here, up in zip(row, above, strict=False)])
    if kind > 4:
        raise PdfSyntaxError("a PNG filter that is not known")
    out = bytearray(row)
    for index in range(len(out)):
        left = out[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        guess = {1: left, 3: (left + above[index]) // 2}.get(kind)
        out[index] = (out[index] + (_paeth(left, above[index], corner) if guess is None else guess)) & 255
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    """The PNG predictor that takes the neighbour nearest to left + up - corner."""
    target = left + up - corner
    return min((left, up, corner), key=lambda neighbour: abs(target - neighbour))
