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
from signer.pades.increment import allocate, append, is_streamed, structural_doubt, write

_VRI_KEYS = (Name.Cert, Name.CRL, Name.OCSP)


def append_store(document: Admitted, material: ValidationMaterial) -> bytes:
    """The update that adds what the store lacks; empty where it lacks nothing.

    Raises NotPlainError where the general writer is needed.
    """
    with structural_doubt():
        streamed = is_streamed(document)
        objects = _objects(document, material)
        return bytes(write(document, objects, streamed=streamed)[0]) if objects else b""


def by_key(material: ValidationMaterial) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    """The store's arrays by their keys."""
    return (
        ("/Certs", material.certificates),
        ("/CRLs", material.crls),
        ("/OCSPs", material.ocsp_responses),
    )


def _objects(document: Admitted, material: ValidationMaterial) -> dict[tuple[int, int], bytes]:
    root = document.pdf.Root
    store = root.get(Name.DSS)
    made: list[pikepdf.Object] = []
    if store is None:
        store = allocate(document)
        store.Type = Name.DSS
        root.DSS = store
        made = [store, root]
    written = store if store.is_indirect else root
    known = dict(_digests(_streams(store)))
    bodies: dict[tuple[int, int], bytes] = {}
    changed: list[pikepdf.Object] = []
    for key, ders in by_key(material):
        listed = {digest for digest, _ in _digests(_items(store.get(Name(key))))}
        for der in ders:
            digest = hashlib.sha256(der).digest()
            if digest in listed:
                continue
            if digest not in known:
                known[digest] = allocate(document)
                bodies[known[digest].objgen] = _stream(der)
            listed.add(digest)
            changed.append(append(store, Name(key), known[digest], written))
    if not changed:
        return {}
    return bodies | {item.objgen: item.unparse(resolved=True) for item in (*made, *changed)}


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
