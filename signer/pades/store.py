"""The document security store (EN 319 142-1 §5.4.2): validation material appended to a plain document.

What the document has stays and is referred to, never repeated; only what it lacks is written.
"""

import hashlib
import zlib
from collections.abc import Iterator

import pikepdf
from pikepdf import Array, Dictionary, Name

from signer.material import ValidationMaterial
from signer.pades.admission import Admitted
from signer.pades.increment import Update, structural_doubt

_VRI_KEYS = (Name.Cert, Name.CRL, Name.OCSP)


def append_store(document: Admitted, material: ValidationMaterial) -> bytes:
    """The update that adds what the store lacks; empty where it lacks nothing.

    Raises NotPlainError where the general writer is needed.
    """
    with structural_doubt():
        update = Update(document)
        return bytes(update.octets()[0]) if _fill(update, document, material) else b""


def by_key(material: ValidationMaterial) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    """The store's arrays by their keys."""
    return (
        ("/Certs", material.certificates),
        ("/CRLs", material.crls),
        ("/OCSPs", material.ocsp_responses),
    )


def _fill(update: Update, document: Admitted, material: ValidationMaterial) -> bool:
    """Add what the store lacks; whether that is anything."""
    root = document.pdf.Root
    store = root.get(Name.DSS)
    is_new = store is None
    if store is None:
        store = Dictionary(Type=Name.DSS)
    written = None if is_new else store if store.is_indirect else root
    known: dict[bytes, pikepdf.Object] = dict(_digests(_streams(store)))
    is_filled = False
    for key, ders in by_key(material):
        listed = {digest for digest, _ in _digests(_items(store.get(Name(key))))}
        for der in ders:
            digest = hashlib.sha256(der).digest()
            if digest in listed:
                continue
            if digest not in known:
                known[digest] = update.add(_stream(der))
            listed.add(digest)
            update.append(store, Name(key), known[digest], written)
            is_filled = True
    if is_filled and is_new:
        root.DSS = update.add(store.unparse())
        update.change(root)
    return is_filled


def _streams(store: pikepdf.Object) -> Iterator[pikepdf.Object]:
    """All material in the store, also what only an entry of /VRI names."""
    for key in ("/Certs", "/CRLs", "/OCSPs"):
        yield from _items(store.get(Name(key)))
    index = store.get(Name.VRI, Dictionary())
    for name in index.keys():  # noqa: SIM118 - iterating a pikepdf dictionary is something else
        for entry_key in _VRI_KEYS:
            yield from _items(index[name].get(entry_key))


def _items(array: pikepdf.Object | None) -> list[pikepdf.Object]:
    return [item for item in array if isinstance(item, pikepdf.Stream)] if isinstance(array, Array) else []


def _digests(
    streams: Iterator[pikepdf.Object] | list[pikepdf.Object],
) -> Iterator[tuple[bytes, pikepdf.Object]]:
    """SHA-256 of what each stream holds; one that cannot be decoded is as none."""
    for stream in streams:
        try:
            yield hashlib.sha256(stream.read_bytes()).digest(), stream
        except pikepdf.PdfError:
            continue


def _stream(der: bytes) -> bytes:
    data = zlib.compress(der, 9)
    return b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(data), data)
