"""Sections that raise a level: what they add, what they reuse, what they refuse, and what stays as it was."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import cms as asn1_cms
from pikepdf import Array, Dictionary, Name

from pecete.errors import FailedPreconditionError, InvalidArgumentError
from signer.material import ValidationMaterial
from signer.pades import plain, store
from signer.pades.augmentation import append_material, finish_timestamp, prepare_timestamp
from signer.pades.increment import NotPlainError
from signer.validation import read_facts
from signer.validation.pdf.aftermath import Modification
from tests.unit.validation_documents import ROOT, SIGNER, SUB, crl, stamped, stamper

MATERIAL = ValidationMaterial((SIGNER.der, SUB.der, ROOT.der), (crl(ROOT), crl(SUB)))
STAMPED_AT = datetime(2024, 6, 2, tzinfo=UTC)
KEYS = ("/Certs", "/CRLs", "/OCSPs")


def file(
    path: Path, change: Callable[[pikepdf.Pdf], None] = lambda pdf: None, *, streams: bool = False
) -> Path:
    """A PDF of one page with a cross-reference table or stream."""
    mode = pikepdf.ObjectStreamMode.generate if streams else pikepdf.ObjectStreamMode.disable
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        change(pdf)
        pdf.save(path, object_stream_mode=mode)
    return path


def append(path: Path, tail: bytes) -> bytes:
    with path.open("ab") as out:
        out.write(tail)
    return path.read_bytes()


def contents(document: bytes) -> dict[str, list[bytes]]:
    """What the store holds, by key; read by qpdf without repair."""
    with pikepdf.open(io.BytesIO(document), attempt_recovery=False) as pdf:
        assert pdf.check_pdf_syntax() == []
        return {key: [item.read_bytes() for item in pdf.Root.DSS.get(Name(key), [])] for key in KEYS}


def token_over(digest: bytes) -> bytes:
    token: bytes = asyncio.run(stamper(STAMPED_AT).async_timestamp(digest, "sha256")).dump()
    return token


def stamp(path: Path) -> bytes:
    section = prepare_timestamp(path, reserve=8192)
    token = token_over(section.digest)
    return append(path, finish_timestamp(section, token))


@pytest.mark.parametrize("streams", [False, True])
def test_a_store_is_added_behind_the_document(tmp_path: Path, streams: bool) -> None:
    path = file(tmp_path / "d.pdf", streams=streams)
    before = path.read_bytes()
    after = append(path, append_material(path, MATERIAL))
    assert after.startswith(before)
    assert contents(after) == {
        "/Certs": list(MATERIAL.certificates),
        "/CRLs": list(MATERIAL.crls),
        "/OCSPs": [],
    }


def test_nothing_is_written_where_nothing_is_lacking(tmp_path: Path) -> None:
    path = file(tmp_path / "d.pdf")
    append(path, append_material(path, MATERIAL))
    assert append_material(path, MATERIAL) == b""
    assert append_material(file(tmp_path / "e.pdf"), ValidationMaterial()) == b""


def test_only_what_is_lacking_is_written(tmp_path: Path) -> None:
    path = file(tmp_path / "d.pdf")
    append(path, append_material(path, MATERIAL))
    tail = append_material(path, MATERIAL + ValidationMaterial(ocsp_responses=(b"an answer",)))
    assert tail.count(b"/FlateDecode /Length") == 1
    assert contents(append(path, tail)) == {
        "/Certs": list(MATERIAL.certificates),
        "/CRLs": list(MATERIAL.crls),
        "/OCSPs": [b"an answer"],
    }


def test_what_an_index_entry_names_is_referred_to_and_not_repeated(tmp_path: Path) -> None:
    def index(pdf: pikepdf.Pdf) -> None:
        held = pdf.make_stream(SUB.der)
        entry = Dictionary(Cert=Array([held]))
        pdf.Root.DSS = Dictionary(VRI=Dictionary({"/" + "A" * 40: entry}), Certs=Array([]))

    path = file(tmp_path / "d.pdf", index)
    tail = append_material(path, ValidationMaterial((SUB.der,)))
    assert b"stream" not in tail.replace(b"startxref", b"")
    document = append(path, tail)
    assert contents(document)["/Certs"] == [SUB.der]
    with pikepdf.open(io.BytesIO(document)) as pdf:
        assert pdf.Root.DSS.Certs[0].objgen == pdf.Root.DSS.VRI["/" + "A" * 40].Cert[0].objgen


@pytest.mark.parametrize("arrays_apart", [False, True])
@pytest.mark.parametrize("store_apart", [False, True])
def test_an_existing_store_is_added_to_wherever_its_parts_stand(
    tmp_path: Path, store_apart: bool, arrays_apart: bool
) -> None:
    def existing(pdf: pikepdf.Pdf) -> None:
        array = Array([pdf.make_stream(ROOT.der), pdf.make_stream(b"odd", Filter=Name.FlateDecode)])
        made = Dictionary(Certs=pdf.make_indirect(array) if arrays_apart else array)
        pdf.Root.DSS = pdf.make_indirect(made) if store_apart else made

    path = file(tmp_path / "d.pdf", existing)
    document = append(path, append_material(path, MATERIAL))
    with pikepdf.open(io.BytesIO(document), attempt_recovery=False) as pdf:
        certificates = list(pdf.Root.DSS.Certs)
        assert [item.read_bytes() for item in (certificates[0], *certificates[2:])] == [
            ROOT.der,
            SIGNER.der,
            SUB.der,
        ]
        assert certificates[1].read_raw_bytes() == b"odd"


@pytest.mark.parametrize("streams", [False, True])
def test_a_time_stamp_covers_everything_but_its_token(tmp_path: Path, streams: bool) -> None:
    path = file(tmp_path / "d.pdf", streams=streams)
    before = path.read_bytes()
    document = stamp(path)
    assert document.startswith(before)
    with pikepdf.open(io.BytesIO(document), attempt_recovery=False) as pdf:
        assert pdf.check_pdf_syntax() == []
        (field,) = pdf.Root.AcroForm.Fields
        value = field.V
        assert tuple(map(str, (field.T, value.Type, value.SubFilter))) == (
            "DocTimeStamp1",
            "/DocTimeStamp",
            "/ETSI.RFC3161",
        )
        assert [float(edge) for edge in field.Rect] == [0, 0, 0, 0]
        _, start, end, rest = (int(number) for number in value.ByteRange)
        token = asn1_cms.ContentInfo.load(bytes(value.Contents))
    assert end + rest == len(document)
    imprint = token["content"]["encap_content_info"]["content"].parsed["message_imprint"]
    assert imprint["hashed_message"].native == hashlib.sha256(document[:start] + document[end:]).digest()


def test_fields_are_numbered(tmp_path: Path) -> None:
    path = file(tmp_path / "d.pdf")
    stamp(path)
    with pikepdf.open(io.BytesIO(stamp(path))) as pdf:
        assert [str(field.T) for field in pdf.Root.AcroForm.Fields] == ["DocTimeStamp1", "DocTimeStamp2"]


def test_a_signature_made_elsewhere_stays_valid_and_gains(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(stamped())
    append(path, append_material(path, MATERIAL))
    facts = read_facts(stamp(path))
    (signature,) = facts.signatures
    assert signature.modification is Modification.ALLOWED
    (around,) = facts.document_timestamps
    assert (around.gen_time, around.integrity, around.faults) == (STAMPED_AT, "intact", ())
    assert {der for der, _ in facts.store.certificates} == set(MATERIAL.certificates)
    assert all(position < around.covered for _, position in facts.store.crls)


def test_a_token_over_something_else_is_refused(tmp_path: Path) -> None:
    section = prepare_timestamp(file(tmp_path / "d.pdf"), reserve=8192)
    other = token_over(hashlib.sha256(b"other").digest())
    for token, reason in ((other, "TIMESTAMP_TOKEN_MISMATCH"), (b"\x30\x00", "TIMESTAMP_TOKEN_MALFORMED")):
        with pytest.raises(InvalidArgumentError) as refused:
            finish_timestamp(section, token)
        assert refused.value.reason == reason


def test_a_token_that_has_no_room_is_refused(tmp_path: Path) -> None:
    section = prepare_timestamp(file(tmp_path / "d.pdf"), reserve=100)
    token = token_over(section.digest)
    with pytest.raises(FailedPreconditionError) as refused:
        finish_timestamp(section, token)
    assert refused.value.reason == "SIGNATURE_RESERVE_TOO_SMALL"


def certified(pdf: pikepdf.Pdf) -> None:
    """A certification that allows no changes, which validation data and time-stamps are not."""
    parameters = Dictionary(Type=Name.TransformParams, P=1, V=Name("/1.2"))
    reference = Dictionary(Type=Name.SigRef, TransformMethod=Name.DocMDP, TransformParams=parameters)
    pdf.Root.Perms = Dictionary(DocMDP=pdf.make_indirect(Dictionary(Reference=Array([reference]))))


def test_a_certification_against_changes_does_not_keep_out_proofs(tmp_path: Path) -> None:
    path = file(tmp_path / "d.pdf", certified)
    append(path, append_material(path, MATERIAL))
    assert b"/DocTimeStamp" in stamp(path)


def xfa(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=pdf.make_stream(b"<xdp/>"))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    whole = file(tmp_path / "whole.pdf").read_bytes()
    secret = tmp_path / "secret.pdf"
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        pdf.save(secret, encryption=pikepdf.Encryption(owner="o", user=""))
    documents = {
        "DOCUMENT_ENCRYPTED": secret.read_bytes(),
        "DOCUMENT_DAMAGED": whole[: len(whole) // 2],
        "DOCUMENT_XFA_FORM": file(tmp_path / "xfa.pdf", xfa).read_bytes(),
        "NOT_A_PDF": b"words",
        "DOCUMENT_EMPTY": b"",
    }
    path = tmp_path / "d.pdf"
    for reason, content in documents.items():
        path.write_bytes(content)
        for attempt in (lambda: append_material(path, MATERIAL), lambda: prepare_timestamp(path, reserve=10)):
            with pytest.raises(InvalidArgumentError) as refused:
                attempt()
            assert refused.value.reason == reason


def refuse_all(*_: object, **__: object) -> bytes:
    raise NotPlainError


def test_the_general_writer_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path / "d.pdf")
    before = path.read_bytes()
    monkeypatch.setattr(store, "append_store", refuse_all)
    monkeypatch.setattr(plain, "prepare", refuse_all)
    first = append(path, append_material(path, ValidationMaterial((ROOT.der,), MATERIAL.crls[:1])))
    second = append(path, append_material(path, MATERIAL))
    assert second.startswith(first)
    assert append_material(path, MATERIAL) == b""
    document = stamp(path)
    assert document.startswith(before)
    held = contents(document)
    assert [set(held[key]) for key in KEYS] == [set(MATERIAL.certificates), set(MATERIAL.crls), set()]
    assert len(held["/Certs"]) == 3
    (around,) = read_facts(document).document_timestamps
    assert (around.integrity, around.faults) == ("intact", ())
