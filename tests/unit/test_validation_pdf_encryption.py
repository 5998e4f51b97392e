"""Encrypted documents that ask nobody for a password are judged like any other; what asks is refused."""

import hashlib
import io
import re
from contextlib import nullcontext
from functools import cache

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import NameObject, NumberObject, TextStringObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from pecete.errors import InvalidArgumentError
from signer.validation import read_facts
from signer.validation.facts import DocumentFacts, Integrity
from signer.validation.pdf.changes import ChangeAnalysis
from signer.validation.pdf.encryption import PasswordRequiredError, unlock
from signer.validation.pdf.objects import decoded
from signer.validation.pdf.values import Dictionary, PdfSyntaxError, Stream, Value
from signer.validation.pdf_facts import collect
from tests.unit.validation_documents import blank, sign

PLAIN = pikepdf.ObjectStreamMode.disable
PACKED = pikepdf.ObjectStreamMode.generate
SCHEMES: dict[str, dict[str, object]] = {
    "RC4, 40 bits": {"R": 2, "aes": False, "metadata": False},
    "RC4, 128 bits": {"R": 3, "aes": False, "metadata": False},
    "crypt filter, RC4": {"R": 4, "aes": False, "metadata": False},
    "crypt filter, AES-128": {"R": 4, "aes": True, "metadata": True},
    "AES-128, metadata open": {"R": 4, "aes": True, "metadata": False},
    "AES-256, revision 5": {"R": 5, "aes": True, "metadata": True},
    "AES-256": {"R": 6, "aes": True, "metadata": True},
    "AES-256, metadata open": {"R": 6, "aes": True, "metadata": False},
}
OWNER = "what the owner alone knows"
WRITTEN = [name for name in SCHEMES if name != "AES-256, revision 5"]
"""What pyHanko appends to; revision 5 was Adobe's own and is only read."""


def encrypted(scheme: str, *, user: str = "", packed: bool = False, described: bool = False) -> bytes:
    """A page with a text field, and metadata if it is to be described."""
    pdf = pikepdf.open(io.BytesIO(blank()))
    field = pdf.make_indirect(
        pikepdf.Dictionary(
            FT=pikepdf.Name.Tx,
            T="name",
            TU="a name that is told",
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            Rect=[10, 10, 90, 30],
        )
    )
    pdf.pages[0].Annots = pdf.make_indirect(pikepdf.Array([field]))
    pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Dictionary(Fields=[field]))
    if described:
        with pdf.open_metadata() as metadata:
            metadata["dc:title"] = "a title that is told"
    out = io.BytesIO()
    how = pikepdf.Encryption(owner=OWNER, user=user, **SCHEMES[scheme])  # type: ignore[arg-type]
    pdf.save(out, encryption=how, object_stream_mode=PACKED if packed else PLAIN, compress_streams=False)
    return out.getvalue()


def updated(data: bytes, change: str) -> bytes:
    """A revision appended as other software would, its strings and streams encrypted."""
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    writer.encrypt(b"")
    page = writer.root["/Pages"]["/Kids"][0]
    field = writer.root["/AcroForm"]["/Fields"][0]
    if change == "turn the page":
        page[NameObject("/Rotate")] = NumberObject(90)
        writer.update_container(page)
    elif change == "rename the field":
        field[NameObject("/TU")] = TextStringObject("another name that is told")
        writer.update_container(field)
    elif change == "fill the field in":
        field[NameObject("/V")] = TextStringObject("Ana")
        writer.update_container(field)
    else:
        writer.update_container(field)
        writer.update_container(page["/Contents"])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def first(facts: DocumentFacts) -> str:
    found = next(signature for signature in facts.signatures if signature.field == "Sig1")
    assert found.cms.integrity is Integrity.INTACT
    assert not found.faults
    return str(found.modification)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("scheme", WRITTEN)
def test_later_revisions_are_compared(scheme: str, *, packed: bool) -> None:
    once = sign(encrypted(scheme, packed=packed), encrypted=True)
    assert first(read_facts(once)) == "none"
    twice = read_facts(sign(once, field="Sig2", encrypted=True))
    assert first(twice) == "allowed"
    assert [signature.field for signature in twice.signatures] == ["Sig1", "Sig2"]
    assert first(read_facts(updated(once, "fill the field in"))) == "allowed"
    assert first(read_facts(updated(once, "turn the page"))) == "forbidden"
    assert first(read_facts(updated(once, "rename the field"))) == "forbidden"


@pytest.mark.parametrize(("code", "expected"), [(b"/AuthCode", "allowed"), (b"/AuthCodf", "forbidden")])
def test_a_document_with_an_authentication_code_in_each_revision(code: bytes, expected: str) -> None:
    """ISO/TS 32004, as pyHanko writes it; the trailer has it anew for each signature."""
    writer = copy_into_new_writer(PdfFileReader(io.BytesIO(blank())))
    writer.encrypt(OWNER, "")
    out = io.BytesIO()
    writer.write(out)
    once = sign(out.getvalue(), encrypted=True)
    twice = sign(once, field="Sig2", encrypted=True)
    later = twice[len(once) :]
    assert b"/AuthCode" in later
    facts = collect(once + later.replace(b"/AuthCode", code))
    assert str(facts.signatures[0].modification) == expected


@pytest.mark.parametrize("scheme", WRITTEN)
def test_what_is_encrypted_anew_is_not_changed(scheme: str) -> None:
    """The same words with another initialisation vector are the same words."""
    once = sign(encrypted(scheme), encrypted=True)
    facts = read_facts(updated(once, "nothing"))
    assert first(facts) == "allowed"
    dated = {"document information changed", "metadata changed"}  # pyHanko may note the time of its change
    assert set(facts.signatures[0].changes) <= dated


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strings_and_streams_are_decrypted(scheme: str) -> None:
    document = ChangeAnalysis(encrypted(scheme, described=True)).document
    catalog = document.now(document.trailer["/Root"])
    assert isinstance(catalog, dict)
    form, metadata = document.now(catalog["/AcroForm"]), document.now(catalog["/Metadata"])
    assert isinstance(form, dict) and isinstance(metadata, Stream)
    fields = document.now(form["/Fields"])
    assert isinstance(fields, list)
    field = document.now(fields[0])
    assert isinstance(field, dict)
    assert field["/TU"] == b"a name that is told"
    assert b"a title that is told" in decoded(metadata)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_document_that_asks_for_a_password_is_refused(scheme: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(encrypted(scheme, user="secret"))
    assert refused.value.reason == "DOCUMENT_ENCRYPTED"


def test_a_document_encrypted_for_recipients_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(encrypted("RC4, 128 bits").replace(b"/Filter /Standard", b"/Filter /Adobe_PS"))
    assert refused.value.reason == "DOCUMENT_ENCRYPTED"


def test_a_revision_without_the_encryption_is_refused() -> None:
    once = sign(encrypted("AES-256"), encrypted=True)
    twice = sign(once, field="Sig2", encrypted=True)
    head, _, tail = twice.rpartition(b"/Encrypt ")
    with pytest.raises(InvalidArgumentError) as refused:
        read_facts(head + b"/Encrypx " + tail)
    assert refused.value.reason == "DOCUMENT_DAMAGED"


@pytest.mark.parametrize(("words", "refused"), [(b"", False), (b"/Other 1", True)])
def test_an_encryption_that_a_later_revision_replaces_is_refused(words: bytes, *, refused: bool) -> None:
    """Written once more with the same words it is the same."""
    once = encrypted("RC4, 128 bits")
    number = re.search(rb"/Encrypt (\d+) 0 R", once)
    assert number is not None
    written = re.search(rb"\n%s 0 obj\n(<<.*?>>)\nendobj" % number[1], once, re.DOTALL)
    assert written is not None
    body = b"%s 0 obj\n%s%s>>\nendobj\n" % (number[1], written[1][:-2], words)
    previous = int(re.findall(rb"startxref\s+(\d+)", once)[-1])
    trailer = re.search(rb"trailer (<<.*?)>>\nstartxref", once, re.DOTALL)
    assert trailer is not None
    table = b"xref\n%s 1\n%010d 00000 n \ntrailer %s/Prev %d>>\n" % (
        number[1],
        len(once),
        trailer[1],
        previous,
    )
    twice = once + body + table + b"startxref\n%d\n%%%%EOF\n" % (len(once) + len(body))
    with pytest.raises(PdfSyntaxError, match="not encrypted alike") if refused else nullcontext():
        collect(twice)


def test_a_stream_may_be_left_open_by_its_own_crypt_filter() -> None:
    handler = unlock(dictionary_of(encrypted("crypt filter, AES-128")), identifier(), lambda value: value)
    crypt: Dictionary = {"/Filter": ["/Crypt"], "/DecodeParms": [{"/Name": "/Identity"}]}
    stream = Stream(crypt, b"open")
    handler.decrypt(stream, 5, 0)
    assert decoded(stream) == b"open"


@pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 33])
def test_bad_aes_data_is_the_typed_error(size: int) -> None:
    handler = unlock(dictionary_of(encrypted("AES-128, metadata open")), identifier(), lambda value: value)
    with pytest.raises(PdfSyntaxError):
        handler.decrypt([bytes(size)], 5, 0)
    stream = Stream({}, bytes(size))
    handler.decrypt(stream, 5, 0)
    with pytest.raises(PdfSyntaxError):
        decoded(stream)
    assert stream != Stream({}, b"")


def dictionary_of(data: bytes) -> Dictionary:
    document = ChangeAnalysis(data).document
    found = document.now(document.trailer["/Encrypt"])
    assert isinstance(found, dict)
    return found


def identifier() -> bytes:
    document = ChangeAnalysis(encrypted("crypt filter, AES-128")).document
    identifiers = document.trailer["/ID"]
    assert isinstance(identifiers, list) and isinstance(identifiers[0], bytes)
    return identifiers[0]


scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.integers(-(2**40), 2**40),
    st.binary(max_size=60),
    st.sampled_from(
        ["/Standard", "/V2", "/AESV2", "/AESV3", "/None", "/StdCF", "/Identity", "true", "false"]
    ),
)
entries = st.dictionaries(
    st.sampled_from(["/V", "/R", "/Length", "/P", "/O", "/U", "/UE", "/OE", "/CF", "/StmF", "/StrF", "/EFF"]),
    st.one_of(scalars, st.just({"/StdCF": {"/CFM": "/AESV3"}}), st.integers(0, 6)),
)


@given(entries, st.binary(max_size=20))
def test_only_the_typed_error_leaves_a_hostile_dictionary(given_entries: Dictionary, first_id: bytes) -> None:
    for base in ({}, KNOWN_256):
        try:
            handler = unlock({"/Filter": "/Standard", **base, **given_entries}, first_id, lambda value: value)
            handler.decrypt({"/A": b"x" * 32}, 1, 0)
        except PdfSyntaxError:
            continue


def known_256() -> Dictionary:
    """A dictionary of revision 5 that opens, whatever else it says."""
    user = hashlib.sha256(b"validate").digest() + b"validate" + b"keysalts"
    return {"/V": 5, "/R": 5, "/U": user, "/UE": bytes(32), "/StmF": "/StdCF", "/StrF": "/StdCF"}


KNOWN_256 = known_256()


def test_keys_of_sizes_between() -> None:
    """RC4 of 56 bits; one of 72 bits is more than the library has, and is refused as such."""
    for bits in (56, 72):
        known: Dictionary = {"/Filter": "/Standard", "/V": 2, "/R": 3, "/Length": bits, "/P": -4}
        known |= {"/O": bytes(32), "/U": bytes(32)}
        with pytest.raises(PasswordRequiredError if bits == 56 else PdfSyntaxError):
            unlock(known, b"", lambda value: value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WRITTEN), st.data())
def test_only_the_typed_error_leaves_a_damaged_document(scheme: str, data: st.DataObject) -> None:
    document = bytearray(chain(scheme))
    at = data.draw(st.integers(0, len(document) - 1))
    document[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert collect(bytes(document)).signatures
    except PdfSyntaxError:
        return


@cache
def chain(scheme: str) -> bytes:
    return sign(sign(encrypted(scheme, packed=True), encrypted=True), field="Sig2", encrypted=True)
