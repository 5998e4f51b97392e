"""The document security store written through pyHanko, for documents that are not plain."""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import suppress

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError

from signer.material import ValidationMaterial
from signer.pades.admission import Admitted
from signer.pades.growing import written_anew
from signer.pades.store import by_key


def append_store(document: Admitted, material: ValidationMaterial) -> bytes:
    """As `store.append_store`. Raises InvalidArgumentError DOCUMENT_DAMAGED."""
    with written_anew(document) as (writer, stream):
        if _write(writer, material):
            writer.write_in_place()
        return bytes(stream.tail)


def _write(writer: IncrementalPdfFileWriter, material: ValidationMaterial) -> bool:
    """Whether anything was added."""
    added = False
    for key, ders in by_key(material):
        for der in ders:
            digest = hashlib.sha256(der).digest()
            store = _store(writer)
            array = store[key] if key in store else None  # noqa: SIM401 - get follows no reference
            if digest in _digests(array):
                continue
            item = writer.add_object(generic.StreamObject(stream_data=der))
            if array is None:
                store[key] = generic.ArrayObject([item])
                writer.update_container(store)
            else:
                array.append(item)
                writer.update_container(array)
            added = True
    return added


def _store(writer: IncrementalPdfFileWriter) -> generic.DictionaryObject:
    root = writer.root
    if "/DSS" not in root:
        root["/DSS"] = writer.add_object(generic.DictionaryObject({"/Type": generic.pdf_name("/DSS")}))
        writer.update_root()
    store: generic.DictionaryObject = root["/DSS"]
    return store


def _digests(array: generic.ArrayObject | None) -> Iterator[bytes]:
    if array is None:
        return
    for index in range(len(array)):
        item = array[index]  # unlike iterating, this follows references
        if isinstance(item, generic.StreamObject):
            with suppress(zlib.error, PdfError):  # one that cannot be decoded is as none
                yield hashlib.sha256(item.data).digest()
