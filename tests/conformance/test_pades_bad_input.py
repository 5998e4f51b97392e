"""Odd, broken and hostile PDFs: signed correctly or refused with the reason, and never damaged."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from pecete.errors import PeceteError
from signer.validation.facts import Integrity
from signer.validation.pdf.aftermath import Modification
from signer.validation.pdf.values import PdfSyntaxError
from signer.validation.pdf_facts import collect
from tests.conformance import documents
from tests.conformance import test_pades_judges as judges

pytestmark = pytest.mark.conformance

DISPOSITION = "dispozitia-primarului.pdf"
SEVERITY = (Modification.NONE, Modification.ALLOWED, Modification.UNKNOWN, Modification.FORBIDDEN)


def complaints(path: Path) -> set[str]:
    """What qpdf complains of, without what it says of any file."""
    done = documents.run("qpdf", "--check", path)
    if done.returncode == 0:
        return set()
    lines = (done.stdout + done.stderr).replace(str(path), "").splitlines()
    return {line for line in lines if line.startswith(("WARNING", "ERROR", ":"))}


def verdicts(content: bytes) -> dict[str, tuple[Integrity, Modification]]:
    """What our own validator finds of each signature; nothing of a document that it cannot read."""
    try:
        facts = collect(content)
    except PdfSyntaxError:
        return {}
    # A signature outside the form has no field, and one that stands in several has one name of them.
    names = [each.field or f"#{at}" for at, each in enumerate(facts.signatures)]
    assert len(set(names)) == len(names)
    found = zip(names, facts.signatures, strict=True)
    return {name: (each.cms.integrity, each.modification) for name, each in found}


def check_signed(content: bytes, signed: bytes, folder: Path) -> None:
    """The original stands in the new document as it was, and nothing that is said of it got worse."""
    original, new = folder / "original.pdf", folder / "signed.pdf"
    original.write_bytes(content)
    new.write_bytes(signed)
    assert signed.startswith(content)
    assert complaints(new) <= complaints(original)
    before, after = verdicts(content), verdicts(signed)
    assert len(after) == len(before) + 1
    for field, (integrity, modification) in before.items():
        assert after[field][0] is integrity
        allowed = max(SEVERITY.index(modification), SEVERITY.index(Modification.ALLOWED))
        assert SEVERITY.index(after[field][1]) <= allowed, field
    (new_field,) = after.keys() - before.keys()
    assert after[new_field][0] is Integrity.INTACT
    answer = documents.run("pdfsig", "-nocert", new).stdout
    assert "Total document signed" in answer.rpartition("Signature #")[2], answer


def changed(change: Callable[[pikepdf.Pdf], object], name: str = DISPOSITION) -> bytes:
    """A sample after a change."""
    out = io.BytesIO()
    with pikepdf.open(documents.SAMPLES / name) as pdf:
        change(pdf)
        pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def encrypted(user: str) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(documents.SAMPLES / DISPOSITION) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(owner="secret", user=user))
    return out.getvalue()


def with_section(content: bytes, number: int, *, loops: bool = False) -> bytes:
    """The document with a further section that adds an object; its Prev may point at itself."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        root, size = pdf.Root.objgen[0], int(pdf.trailer.Size)
    added = b"\n%d 0 obj\n(added)\nendobj\n" % number
    position = len(content) + len(added)
    previous = position if loops else int(content.rpartition(b"startxref")[2].split()[0])
    table = b"xref\n%d 1\n%010d 00000 n \ntrailer\n" % (number, len(content) + 1)
    trailer = b"<< /Size %d /Root %d 0 R /Prev %d >>\n" % (max(size, number + 1), root, previous)
    return content + added + table + trailer + b"startxref\n%d\n%%%%EOF\n" % position


def form_with_xfa(pdf: pikepdf.Pdf, *, needs_rendering: bool) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array(), XFA=pdf.make_stream(b"<xdp:xdp/>"))
    if needs_rendering:
        pdf.Root.NeedsRendering = True


def inherit(pdf: pikepdf.Pdf) -> None:
    """Media box, resources and turn stand in the page tree's root."""
    tree = pdf.Root.Pages
    for page in pdf.pages:
        del page.MediaBox
    tree.MediaBox, tree.Rotate = Array([0, 0, 595, 842]), 90


def crop(pdf: pikepdf.Pdf) -> None:
    page = pdf.pages[-1]
    page.MediaBox, page.CropBox = Array([100, 200, 695, 1042]), Array([150, 250, 645, 992])


def turn(degrees: int) -> Callable[[pikepdf.Pdf], None]:
    return lambda pdf: setattr(pdf.pages[-1], "Rotate", degrees)


def enlarge(pdf: pikepdf.Pdf) -> None:
    pdf.pages[-1].UserUnit = 2.5


def broken_signature() -> bytes:
    """A signed document in which one byte of the signed content was changed."""
    return judges.by_pyhanko(documents.sample()).replace(b"/Title", b"/Titla", 1)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "user password": (lambda: encrypted("secret"), "DOCUMENT_ENCRYPTED"),
    "empty user password": (lambda: encrypted(""), "DOCUMENT_ENCRYPTED"),
    "static XFA": (lambda: changed(lambda p: form_with_xfa(p, needs_rendering=False)), "DOCUMENT_XFA_FORM"),
    "dynamic XFA": (lambda: changed(lambda p: form_with_xfa(p, needs_rendering=True)), "DOCUMENT_XFA_FORM"),
    "truncated": (lambda: documents.sample()[:-100], "DOCUMENT_DAMAGED"),
    "header offset": (lambda: b"junk\n" + documents.sample(), "DOCUMENT_DAMAGED"),
    "much garbage": (lambda: documents.sample() + b"x" * 5000, "DOCUMENT_DAMAGED"),
    "loop of sections": (lambda: with_section(documents.sample(), 1, loops=True), "DOCUMENT_DAMAGED"),
    "largest object number": (
        lambda: with_section(documents.sample(), 2**31 - 2),
        "OBJECT_NUMBERS_TOO_LARGE",
    ),
    "large object number": (lambda: with_section(documents.sample(), 30_000), "OBJECT_NUMBERS_TOO_LARGE"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, reason = REFUSED[case]
    with pytest.raises(PeceteError) as refusal:
        judges.sign(make(), tmp_path / "d.pdf", appearance=judges.MAYOR)
    assert (refusal.value.reason, refusal.value.field) == (reason, "document")


SIGNED: dict[str, Callable[[], bytes]] = {
    "hybrid": lambda: documents.hybrid(documents.sample()),
    "linearized": lambda: documents.saved(documents.sample(), linearize=True),
    "object streams": lambda: documents.saved(documents.sample(), streams=True),
    "garbage at the end": lambda: documents.sample() + b"garbage\n" * 20,
    "garbage after object streams": lambda: documents.saved(documents.sample(), streams=True) + b"zzz",
    "high object number": lambda: with_section(documents.sample(), 20_000),
    "broken signature": broken_signature,
    "inherited page attributes": lambda: changed(inherit),
    "cropped": lambda: changed(crop),
    "turned by 90": lambda: changed(turn(90)),
    "turned by 180": lambda: changed(turn(180)),
    "turned by -90": lambda: changed(turn(-90)),
    "user unit": lambda: changed(enlarge),
}


@pytest.mark.parametrize("shown", [True, False], ids=["visible", "invisible"])
@pytest.mark.parametrize("case", SIGNED)
def test_signed(case: str, shown: bool, tmp_path: Path) -> None:
    content = SIGNED[case]()
    look = judges.MAYOR if shown else None
    signed = judges.sign(content, tmp_path / "d.pdf", stamped=False, appearance=look)
    check_signed(content, signed, tmp_path)
    check_signed(signed, judges.sign(signed, tmp_path / "d.pdf", stamped=False), tmp_path)


def test_pages_keep_what_they_inherit(tmp_path: Path) -> None:
    """Neither copied down nor replaced by a reference to an object that is not in the file."""
    signed = judges.sign(changed(inherit), tmp_path / "d.pdf", stamped=False, appearance=judges.MAYOR)
    with pikepdf.open(io.BytesIO(signed), inherit_page_attributes=False) as pdf:
        page = pdf.pages[-1].obj
        assert Name.MediaBox not in page and Name.Rotate not in page
        assert [int(edge) for edge in page.Parent.MediaBox] == [0, 0, 595, 842]


def test_a_hundred_signatures(tmp_path: Path) -> None:
    path, content = tmp_path / "d.pdf", documents.sample()
    for _ in range(100):
        content = judges.sign(content, path, stamped=False)
    signed = judges.sign(content, path, stamped=False, appearance=judges.MAYOR)
    check_signed(content, signed, tmp_path)
    assert documents.run("pdfsig", "-nocert", path).stdout.count("Signature is Valid") == 101


def corpus() -> dict[str, dict[str, str]]:
    """Rows of the corpus table by file, PDFs only."""
    table = documents.CORPUS / "cases.tsv"
    if not table.exists():
        pytest.skip("the corpus is not beside the repository")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    key = next(iter(rows[0]))
    return {row[key]: row for row in rows if row[key].endswith(".pdf")}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_every_pdf_of_the_corpus_is_signed_or_refused(tmp_path: Path) -> None:
    reasons = {}
    for name in corpus():
        content = (documents.CORPUS / name).read_bytes()
        for look in (judges.MAYOR, None):
            try:
                signed = judges.sign(content, tmp_path / "d.pdf", stamped=False, appearance=look)
            except PeceteError as refusal:
                reasons[Path(name).name, look is not None] = refusal.reason
                continue
            check_signed(content, signed, tmp_path)
    assert reasons == {
        ("annotation-and-visible-change.pdf", True): "DOCUMENT_LOCKED",
        ("annotation-and-visible-change.pdf", False): "DOCUMENT_LOCKED",
        ("certified-changes-permitted.pdf", True): "DOCUMENT_CERTIFIED_NO_NEW_FIELD",
        ("certified-no-change-permitted.pdf", True): "DOCUMENT_CERTIFIED_NO_CHANGES",
        ("certified-no-change-permitted.pdf", False): "DOCUMENT_CERTIFIED_NO_CHANGES",
        ("encrypted.pdf", True): "DOCUMENT_ENCRYPTED",
        ("encrypted.pdf", False): "DOCUMENT_ENCRYPTED",
        ("malformed-pades.pdf", True): "NOT_A_PDF",
        ("malformed-pades.pdf", False): "NOT_A_PDF",
        ("pades_infinite_loop.pdf", True): "DOCUMENT_DAMAGED",
        ("pades_infinite_loop.pdf", False): "DOCUMENT_DAMAGED",
        ("pdf-eof.pdf", True): "DOCUMENT_CERTIFIED_NO_NEW_FIELD",
        ("extensions-indirect-not-all-paths.pdf", True): "NO_ROOM_FOR_SIGNATURE",
        ("form-update-no-override-appearance-stream-ap-indirect-sneaky.pdf", True): "NO_ROOM_FOR_SIGNATURE",
        ("form-update-override-appearance-stream-ap-indirect-sneaky.pdf", True): "NO_ROOM_FOR_SIGNATURE",
        ("form-update-override-appearance-stream.pdf", True): "NO_ROOM_FOR_SIGNATURE",
    }
