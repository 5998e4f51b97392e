"""What a document is, found by looking at its first bytes and never by what its sender claims."""

SNIFF_BYTES = 2048
"""How many of a document's first bytes `media_type` wants to see."""

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_SUFFIXES = {
    "application/pdf": ".pdf",
    "application/xml": ".xml",
    "application/rtf": ".rtf",
    "application/zip": ".zip",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "text/plain": ".txt",
}


def media_type(head: bytes) -> str:
    """Give the media type of a document from its first `SNIFF_BYTES` bytes; what is not known is octets."""
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head.startswith(b"PK\x03\x04"):
        return _zip_type(head)
    if head[:1] == b"\x30" and _SIGNED_DATA in head[:20]:
        return "application/pkcs7-signature" if _is_detached(head) else "application/pkcs7-mime"
    return _text_type(head)


def file_suffix(media: str) -> str:
    """Give what the names of files of a media type end in; nothing for one that is not told apart."""
    return _SUFFIXES.get(media, "")


def _is_detached(head: bytes) -> bool:
    """Whether a SignedData says that it is of data and does not hold them (RFC 5652 §5.2), in DER or BER."""
    return b"\x30\x0b" + _DATA in head[:512] or b"\x30\x80" + _DATA + b"\0\0" in head[:512]


def _zip_type(head: bytes) -> str:
    """ZIP containers that begin with a stored `mimetype` entry name themselves (EN 319 162-1 A.1)."""
    if head[30:38] != b"mimetype":
        return "application/zip"
    size = int.from_bytes(head[18:22], "little")
    claimed = head[38 : 38 + min(size, 100)]
    plain = claimed.isascii() and b"/" in claimed and claimed.decode("ascii").isprintable()
    return claimed.decode("ascii") if plain else "application/zip"


def _text_type(head: bytes) -> str:
    """Text is UTF-8 (cut anywhere) without NUL; what begins as XML is XML."""
    if not head or b"\x00" in head:
        return "application/octet-stream"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return "application/octet-stream"
        text = head[: error.start].decode("utf-8")
    return "application/xml" if text.lstrip("\ufeff").startswith("<?xml") else "text/plain"
