"""The documents that are attacked: a decision of two pages with a form, by the project's own signer."""

import io
import tempfile
from functools import cache
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf

from signer.pades.signing import AppearanceText, SignatureOptions, finish, sign_section
from tests.attacks.updates import Signed
from tests.unit.cades_signatures import P256, P384, SoftwareKey
from tests.unit.validation_documents import SIGNED

VICTIM = "Primar"
"""Field of the signature that every attack is after."""
_LINES = (
    b"Primaria Orasului",
    b"DISPOZITIE privind plata",
    b"Se aproba plata sumei de 1000 lei",
    b"catre furnizorul Exemplu SRL",
)
_UNICODE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def
1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <20> <7E> <0020> endbfrange
endcmap end end"""


@cache
def unsigned() -> bytes:
    """Two pages of text; a layer that is off, a link, a comment, a text field, and empty signature fields."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type1,
            BaseFont=Name.Helvetica,
            Encoding=Name.WinAnsiEncoding,
            ToUnicode=pdf.make_stream(_UNICODE),
        )
    )
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Ascuns"))
    for number in (1, 2):
        pdf.add_blank_page(page_size=(400, 300))
        page = pdf.pages[-1].obj
        page.Contents = pdf.make_stream(_content(number))
        page.Resources = Dictionary(Font=Dictionary(F1=font), Properties=Dictionary(L1=layer))
    pdf.Root.OCProperties = pdf.make_indirect(
        Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer]), Order=Array([layer])))
    )
    pdf.Root.Names = pdf.make_indirect(Dictionary(Dests=Dictionary(Names=Array([]))))
    _add_form(pdf, font)
    return saved(pdf)


def saved(pdf: Pdf) -> bytes:
    """The document with every object plain in the file."""
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False, static_id=True)
    return out.getvalue()


def _content(number: int) -> bytes:
    lines = b" ".join(b"(%s) Tj T*" % line for line in _LINES)
    hidden = b"/OC /L1 BDC BT /F1 16 Tf 40 60 Td (ANULAT) Tj ET EMC"
    return b"BT /F1 14 Tf 18 TL 40 260 Td %s (pagina %d) Tj ET %s" % (lines, number, hidden)


def _add_form(pdf: Pdf, font: Object) -> None:
    page = pdf.pages[0].obj
    look = pdf.make_stream(
        b"BT /F1 10 Tf 2 4 Td (Ana) Tj ET",
        Dictionary(
            Type=Name.XObject,
            Subtype=Name.Form,
            BBox=Array([0, 0, 120, 16]),
            Resources=Dictionary(Font=Dictionary(F1=font)),
        ),
    )
    entries = [
        Dictionary(FT=Name.Tx, T="nume", V="Ana", DA="/F1 10 Tf", Rect=[40, 130, 160, 146]),
        Dictionary(FT=Name.Tx, T="functia", DA="/F1 10 Tf", Rect=[40, 108, 160, 124]),
        Dictionary(FT=Name.Sig, T=VICTIM, Rect=[40, 10, 180, 50]),
        Dictionary(FT=Name.Sig, T="Secretar", Rect=[220, 10, 360, 50]),
    ]
    fields = []
    for entry in entries:
        entry.update(Dictionary(Type=Name.Annot, Subtype=Name.Widget, F=4, P=page))
        fields.append(pdf.make_indirect(entry))
    fields[0].AP = Dictionary(N=look)
    comment = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot, Subtype=Name.Text, Rect=[370, 270, 390, 290], Contents="de verificat", P=page
        )
    )
    page.Annots = pdf.make_indirect(Array([*fields, comment]))
    pdf.Root.AcroForm = pdf.make_indirect(
        Dictionary(Fields=Array(fields), SigFlags=3, DR=Dictionary(Font=Dictionary(F1=font)), DA="/F1 10 Tf")
    )


def sign(document: bytes, key: SoftwareKey = P256, **options: object) -> bytes:
    """The document with a signature of the project's own signer appended, at level B-B."""
    given: dict[str, object] = {"signing_time": SIGNED, "timestamp_reserve": 0} | options
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.pdf"
        path.write_bytes(document)
        return document + finish(sign_section(path, key, SignatureOptions(**given)), None)  # type: ignore[arg-type]


@cache
def signed(**options: object) -> bytes:
    """The decision with the mayor's signature."""
    return sign(unsigned(), P256, **({"field_name": VICTIM} | options))


def opened(**options: object) -> Signed:
    """The signed decision, for an update."""
    return Signed(signed(**options))


def countersigned(document: bytes, **options: object) -> bytes:
    """The document with the secretary's signature, visible, in the field that was made for it."""
    shown: dict[str, object] = {"field_name": "Secretar", "appearance": AppearanceText("Ion Ionescu")}
    return sign(document, P384, **(shown | options))
