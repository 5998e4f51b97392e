"""Signatures as appended sections: what is written, what is checked, what stays as it was."""

import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pikepdf import Array, Dictionary, Name

from pecete.errors import PeceteError
from signer.algorithms import SignatureAlgorithm
from signer.pades.signing import (
    AppearanceText,
    SignatureOptions,
    SignedSection,
    finish,
    sign_section,
    signature_value,
)

NOW = datetime(2026, 3, 14, 8, 15, 32, tzinfo=UTC)
MAYOR = AppearanceText("Ștefan Țurcanu", "Primar")


class SoftwareKey:
    """A P-256 key with a self-signed certificate; counts its signatures."""

    chain: tuple[bytes, ...] = ()
    algorithm = SignatureAlgorithm("ecdsa", "sha256")

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ștefan Țurcanu")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(self._key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
        made = builder.sign(self._key, hashes.SHA256())
        self.certificate = made.public_bytes(serialization.Encoding.DER)
        self.signatures = 0

    def sign(self, data: bytes) -> bytes:
        self.signatures += 1
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


KEY = SoftwareKey()


def options(**given: object) -> SignatureOptions:
    return SignatureOptions(**({"signing_time": NOW, "timestamp_reserve": 0} | given))  # type: ignore[arg-type]


def write_document(
    path: Path, change: Callable[[pikepdf.Pdf], None] = lambda pdf: None, *, streams: bool = False
) -> Path:
    """A PDF of two pages, with a cross-reference table or stream."""
    mode = pikepdf.ObjectStreamMode.generate if streams else pikepdf.ObjectStreamMode.disable
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        pdf.add_blank_page(page_size=(595, 842))
        change(pdf)
        pdf.save(path, object_stream_mode=mode)
    return path


def empty_field(pdf: pikepdf.Pdf) -> None:
    """An unsigned field „Primar” on the first page, as a form designer leaves it."""
    page = pdf.pages[0].obj
    field = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Sig,
            T="Primar",
            F=4,
            Rect=Array([100, 100, 300, 160]),
            P=page,
        )
    )
    page.Annots = Array([field])
    pdf.Root.AcroForm = Dictionary(Fields=Array([field]))


def sign(path: Path, **given: object) -> tuple[SignedSection, bytes]:
    """Sign the document in place, as a caller does: append what `finish` gives."""
    before = path.read_bytes()
    section = sign_section(path, KEY, options(**given))
    assert path.read_bytes() == before
    signed = before + finish(section, None)
    path.write_bytes(signed)
    return section, signed


@contextmanager
def fields(content: bytes) -> Iterator[dict[str, pikepdf.Object]]:
    """The document's form fields by name, while it is open."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        yield {str(field.T): field for field in pdf.Root.AcroForm.Fields}


@pytest.mark.parametrize("streams", [False, True])
def test_byte_range_covers_everything_but_contents(tmp_path: Path, streams: bool) -> None:
    section, signed = sign(write_document(tmp_path / "d.pdf", streams=streams))
    with fields(signed) as found:
        value = found["Signature1"].V
        zero, start, end, rest = (int(number) for number in value.ByteRange)
        stored = bytes(value.Contents)
    assert (zero, end + rest) == (0, len(signed))
    contents = bytes.fromhex(signed[start:end].strip(b"<>").decode())
    assert contents == stored
    content_info = asn1_cms.ContentInfo.load(contents)
    (signer_info,) = content_info["content"]["signer_infos"]
    digest = hashlib.sha256(signed[:start] + signed[end:]).digest()
    attributes = {item["type"].native: item["values"].native for item in signer_info["signed_attrs"]}
    assert attributes["message_digest"] == [digest] == [section.digest]
    assert signer_info["signature"].native == signature_value(section)
    assert not contents[len(content_info.dump()) :].strip(b"\0")


@pytest.mark.parametrize("streams", [False, True])
def test_the_document_keeps_its_kind_of_cross_reference(tmp_path: Path, streams: bool) -> None:
    section, signed = sign(write_document(tmp_path / "d.pdf", streams=streams))
    assert (b"/Type /XRef" in section.tail) == streams
    assert (b"\ntrailer\n" in section.tail) == (not streams)
    with pikepdf.open(io.BytesIO(signed), attempt_recovery=False) as pdf:
        assert pdf.check_pdf_syntax() == []


def test_signature_dictionary_states_what_was_given(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf")
    _, signed = sign(path, reason="Aprob în ședință (1)", location="Târgu Mureș", field_name="Primar")
    with fields(signed) as found:
        value = found["Primar"].V
        assert value.SubFilter == Name("/ETSI.CAdES.detached")
        assert str(value.M) == "D:20260314081532+00'00'"
        assert str(value.Reason) == "Aprob în ședință (1)"
        assert str(value.Location) == "Târgu Mureș"
        assert Name.Cert not in value


def test_further_signatures_leave_earlier_octets_alone(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf")
    revisions = [path.read_bytes()]
    for appearance in (MAYOR, None, MAYOR):
        revisions.append(sign(path, appearance=appearance)[1])
    for earlier, later in pairwise(revisions):
        assert later.startswith(earlier)
    with fields(revisions[-1]) as found:
        rectangles = {name: [float(edge) for edge in field.Rect] for name, field in found.items()}
    assert list(rectangles) == ["Signature1", "Signature2", "Signature3"]
    assert rectangles["Signature2"] == [0, 0, 0, 0]
    first, third = rectangles["Signature1"], rectangles["Signature3"]
    assert first[2] < third[0] and first[1] == third[1]


@pytest.mark.parametrize(("page", "index"), [(0, 1), (1, 0), (2, 1)])
def test_page_is_counted_from_one_and_zero_is_the_last(tmp_path: Path, page: int, index: int) -> None:
    _, signed = sign(write_document(tmp_path / "d.pdf"), appearance=MAYOR, page=page)
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        assert [Name.Annots in shown.obj for shown in pdf.pages] == [index == 0, index == 1]


def test_annotations_and_fields_in_arrays_of_their_own(tmp_path: Path) -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        empty_field(pdf)
        pdf.pages[0].obj.Annots = pdf.make_indirect(pdf.pages[0].obj.Annots)
        pdf.Root.AcroForm.Fields = pdf.make_indirect(pdf.Root.AcroForm.Fields)

    section, signed = sign(write_document(tmp_path / "d.pdf", change), page=1)
    with fields(signed) as found:
        assert list(found) == ["Primar", "Signature1"]
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        assert len(pdf.pages[0].obj.Annots) == 2
        assert pdf.Root.AcroForm.SigFlags == 3
    assert b"/Type /Page " not in section.tail


@pytest.mark.parametrize("appearance", [None, MAYOR])
def test_an_empty_field_is_filled_where_it_is(tmp_path: Path, appearance: AppearanceText | None) -> None:
    path = write_document(tmp_path / "d.pdf", empty_field)
    before = path.read_bytes()
    _, signed = sign(path, field_name="Primar", appearance=appearance)
    assert signed.startswith(before)
    with fields(signed) as found:
        field = found["Primar"]
        assert [int(edge) for edge in field.Rect] == [100, 100, 300, 160]
        assert field.V.SubFilter == Name("/ETSI.CAdES.detached")
        assert (Name.AP in field) == (appearance is not None)


def test_an_invisible_field_cannot_show_a_signature(tmp_path: Path) -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        empty_field(pdf)
        pdf.Root.AcroForm.Fields[0].Rect = Array([0, 0, 0, 0])

    path = write_document(tmp_path / "d.pdf", change)
    assert refusal_of(path, field_name="Primar", appearance=MAYOR) == "FIELD_WITHOUT_EXTENT"


def refusal_of(path: Path, **given: object) -> str:
    """The reason of a refusal for which the key was not used."""
    before = KEY.signatures
    with pytest.raises(PeceteError) as refusal:
        sign_section(path, KEY, options(**given))
    assert KEY.signatures == before
    return refusal.value.reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"page": 3, "appearance": MAYOR}, "PAGE_NOT_FOUND"),
        ({"page": -1}, "PAGE_NOT_FOUND"),
        ({"appearance": AppearanceText("")}, "APPEARANCE_NAME_MISSING"),
        ({"signing_time": NOW + timedelta(days=2)}, "CERTIFICATE_EXPIRED"),
        ({"signing_time": NOW - timedelta(days=2)}, "CERTIFICATE_NOT_YET_VALID"),
    ],
)
def test_refused_before_the_key_is_used(tmp_path: Path, given: dict[str, object], reason: str) -> None:
    assert refusal_of(write_document(tmp_path / "d.pdf"), **given) == reason


def test_bad_documents_are_refused_before_the_key_is_used(tmp_path: Path) -> None:
    path = tmp_path / "d.pdf"
    path.write_bytes(b"")
    assert refusal_of(path) == "DOCUMENT_EMPTY"


def test_a_section_is_small_and_survives_pickling(tmp_path: Path) -> None:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].obj.Scan = pdf.make_stream(bytes(range(256)) * 40_000)

    path = write_document(tmp_path / "d.pdf", change)
    section = sign_section(path, KEY, options(timestamp_reserve=8192))
    pickled = pickle.dumps(section)
    assert len(pickled) < 40_000
    assert finish(pickle.loads(pickled), None) == finish(section, None)  # noqa: S301
    assert section.base_length == path.stat().st_size


def test_a_known_hash_state_spares_reading_the_document(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf")
    state = hashlib.sha256(path.read_bytes())
    known = sign_section(path, KEY, options(), prefix=state)
    assert known.base_digest == state.digest() == hashlib.sha256(path.read_bytes()).digest()
    signed = path.read_bytes() + finish(known, None)
    start, end = (
        known.base_length + known.gap_position,
        known.base_length + known.gap_position + known.gap_length,
    )
    assert known.digest == hashlib.sha256(signed[:start] + signed[end:]).digest()


def test_a_hash_state_of_another_digest_is_a_fault(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf")
    with pytest.raises(PeceteError) as fault:
        sign_section(path, KEY, options(), prefix=hashlib.sha512(path.read_bytes()))
    assert fault.value.reason == "PREFIX_DIGEST_WRONG"


def test_a_reference_to_nothing_never_becomes_one_to_a_new_object(tmp_path: Path) -> None:
    def leave_room(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Marker = Array([pikepdf.String("x" * 20)])

    path = write_document(tmp_path / "d.pdf", leave_room)
    octets = path.read_bytes()
    with pikepdf.open(path) as pdf:
        size = int(pdf.trailer.Size)
    room = b"(" + b"x" * 20 + b")"
    assert octets.count(room) == 1
    path.write_bytes(octets.replace(room, (b"%d 0 R" % (size + 1)).ljust(len(room))))
    _, signed = sign(path)
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        assert pdf.Root.AcroForm.Fields[0].objgen[0] > size
        assert list(pdf.Root.Marker.as_list()) == [None]


def test_a_token_larger_than_the_reserve_is_an_error_and_not_cut(tmp_path: Path) -> None:
    section = sign_section(write_document(tmp_path / "d.pdf"), KEY, options(timestamp_reserve=10))
    imprint = hashlib.sha256(signature_value(section)).digest()
    with pytest.raises(PeceteError) as refusal:
        finish(section, token(imprint))
    assert refusal.value.reason == "SIGNATURE_RESERVE_TOO_SMALL"
    assert int(refusal.value.metadata["needed"]) > int(refusal.value.metadata["reserved"])


def token(imprint: bytes) -> bytes:
    """A TimeStampToken over `imprint`, complete but for its signature."""
    tst_info = {
        "version": "v1",
        "policy": "1.3.6.1.4.1.99999.1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint},
        "serial_number": 1,
        "gen_time": NOW,
    }
    signed_data = {
        "version": "v3",
        "digest_algorithms": [],
        "encap_content_info": {"content_type": "tst_info", "content": tsp.TSTInfo(tst_info)},
        "signer_infos": [],
    }
    made: bytes = asn1_cms.ContentInfo({"content_type": "signed_data", "content": signed_data}).dump()
    return made


def test_octets_that_look_like_a_byte_range_do_no_harm(tmp_path: Path) -> None:
    section, signed = sign(write_document(tmp_path / "d.pdf"), reason="/ByteRange [0 1 2 3] /Contents <00>")
    with fields(signed) as found:
        assert int(found["Signature1"].V.ByteRange[1]) == section.base_length + section.gap_position


@pytest.mark.parametrize("field_name", ["Primar", "Other"])
def test_the_document_s_metadata_stay_as_they_are(tmp_path: Path, field_name: str) -> None:
    """Both writers: the general one fills `Primar`, the plain one makes `Other`."""

    def change(pdf: pikepdf.Pdf) -> None:
        empty_field(pdf)
        pdf.docinfo["/Producer"] = "LibreOffice"
        pdf.Root.Metadata = pdf.make_stream(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", Type=Name.Metadata)

    section, signed = sign(write_document(tmp_path / "d.pdf", change), field_name=field_name)
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        assert str(pdf.docinfo["/Producer"]) == "LibreOffice"
        information, metadata = pdf.trailer.Info.objgen[0], pdf.Root.Metadata.objgen[0]
    assert b"\n%d 0 obj" % information not in section.tail
    assert b"\n%d 0 obj" % metadata not in section.tail


def seen(content: bytes) -> tuple[int, bytes]:
    """Width in pixels and grey values of the last page as a reader sees it, widgets and all."""
    document = pypdfium2.PdfDocument(content)
    document.init_forms()
    image = document[len(document) - 1].render(scale=1, grayscale=True, may_draw_forms=True)
    pixels = bytes(image.buffer)
    starts = range(0, len(pixels), image.stride)
    return image.width, b"".join(pixels[start : start + image.width] for start in starts)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_signatures_stand_upright_on_turned_pages(tmp_path: Path, rotation: int) -> None:
    """Square pages look alike however they are turned."""

    def turned(by: int) -> Callable[[pikepdf.Pdf], None]:
        def change(pdf: pikepdf.Pdf) -> None:
            pdf.pages[1].obj.MediaBox = Array([-50, 20, 550, 620])
            pdf.pages[1].obj.Rotate = by

        return change

    _, upright = sign(write_document(tmp_path / "0.pdf", turned(0)), appearance=MAYOR)
    _, other = sign(write_document(tmp_path / "1.pdf", turned(rotation)), appearance=MAYOR)
    (width, expected), (other_width, pixels) = seen(upright), seen(other)
    assert width == other_width
    ink = sum(255 - grey for grey in expected)
    difference = sum(abs(first - second) for first, second in zip(expected, pixels, strict=True))
    assert ink > 100_000
    assert difference < ink / 5
