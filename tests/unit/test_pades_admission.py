"""Documents that may not be signed are refused with a typed error before the key is asked for anything."""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name

from pecete.errors import PeceteError
from signer.pades.admission import admitted
from signer.pades.options import AppearanceText, SignatureOptions

OPTIONS = SignatureOptions(signing_time=datetime(2026, 3, 14, 8, tzinfo=UTC))
VISIBLE = AppearanceText(name="Ana Pop")


def document(
    change: Callable[[pikepdf.Pdf], object] = lambda pdf: None, saving: Mapping[str, Any] | None = None
) -> bytes:
    """A PDF of one page, changed before it is saved."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        change(pdf)
        pdf.save(out, **(saving or {}))
    return out.getvalue()


def form(pdf: pikepdf.Pdf, *fields: Dictionary) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.make_indirect(field) for field in fields]))


def dictionary(**entries: object) -> Dictionary:
    return Dictionary({f"/{key}": value for key, value in entries.items()})


def signature(**entries: object) -> Dictionary:
    return dictionary(Type=Name.Sig, Filter=Name("/Adobe.PPKLite"), **entries)


def transform(method: str, **parameters: object) -> Array:
    return Array([Dictionary(TransformMethod=Name("/" + method), TransformParams=dictionary(**parameters))])


def certified(permission: int | None) -> Callable[[pikepdf.Pdf], None]:
    """A certification as a producer writes it; P is 2 where it is not given (ISO 32000-2 Table 257)."""

    def change(pdf: pikepdf.Pdf) -> None:
        parameters = {} if permission is None else {"P": permission}
        value = pdf.make_indirect(signature(Reference=transform("DocMDP", **parameters)))
        pdf.Root.Perms = Dictionary(DocMDP=value)
        form(pdf, Dictionary(FT=Name.Sig, T="Certified", V=value))

    return change


def signed_with(**entries: object) -> Callable[[pikepdf.Pdf], None]:
    """A field `First` that is signed, with further entries in field (lock) or signature (reference)."""

    def change(pdf: pikepdf.Pdf) -> None:
        reference = entries.pop("Reference", None)
        value = signature(Reference=reference) if reference is not None else signature()
        form(pdf, dictionary(FT=Name.Sig, T="First", V=value, **entries))

    return change


def looped(pdf: pikepdf.Pdf) -> None:
    field = pdf.make_indirect(Dictionary(T="loop"))
    field.Kids = Array([field])
    pdf.Root.AcroForm = Dictionary(Fields=Array([field]))


def text_field(pdf: pikepdf.Pdf) -> None:
    form(pdf, Dictionary(FT=Name.Tx, T="Suma"))


def admit(path: Path, content: bytes, options: SignatureOptions = OPTIONS) -> str:
    path.write_bytes(content)
    with admitted(path, options) as found:
        return found.field_name


def reason_of(path: Path, content: bytes, options: SignatureOptions = OPTIONS) -> tuple[str, str]:
    with pytest.raises(PeceteError) as refusal:
        admit(path, content, options)
    return refusal.value.reason, refusal.value.field


PLAIN = document()
OWNER_PASSWORD = pikepdf.Encryption(owner="secret", user="")
USER_PASSWORD = pikepdf.Encryption(owner="secret", user="secret")

REFUSED = {
    "empty": (b"", "DOCUMENT_EMPTY"),
    "not a PDF": (b"PK\x03\x04" + bytes(100), "NOT_A_PDF"),
    "text before the header": (b"\r\n\r\n" + PLAIN, "DOCUMENT_DAMAGED"),
    "only a header": (b"%PDF-1.7\n", "DOCUMENT_DAMAGED"),
    "truncated": (PLAIN[: len(PLAIN) // 2], "DOCUMENT_DAMAGED"),
    "without its end": (PLAIN[:-40], "DOCUMENT_DAMAGED"),
    "wrong offsets": (PLAIN.replace(b"%PDF-1.3\n", b"%PDF-1.3\n% moved\n"), "DOCUMENT_DAMAGED"),
    "no pages": (document(lambda pdf: pdf.pages.remove(p=1)), "DOCUMENT_DAMAGED"),
    "fields in a circle": (document(looped), "DOCUMENT_DAMAGED"),
    "user password": (document(saving={"encryption": USER_PASSWORD}), "DOCUMENT_ENCRYPTED"),
    "owner password": (document(saving={"encryption": OWNER_PASSWORD}), "DOCUMENT_ENCRYPTED"),
    "XFA": (
        document(lambda pdf: setattr(pdf.Root, "AcroForm", Dictionary(Fields=Array(), XFA="x"))),
        "DOCUMENT_XFA_FORM",
    ),
    "certified, no changes": (document(certified(1)), "DOCUMENT_CERTIFIED_NO_CHANGES"),
    "lock on all": (document(signed_with(Lock=Dictionary(Action=Name.All))), "DOCUMENT_LOCKED"),
    "lock with P": (
        document(signed_with(Lock=Dictionary(Action=Name.Include, Fields=Array(["x"]), P=1))),
        "DOCUMENT_LOCKED",
    ),
    "lock on this name": (
        document(signed_with(Lock=Dictionary(Action=Name.Include, Fields=Array(["Signature1"])))),
        "DOCUMENT_LOCKED",
    ),
    "lock on all but others": (
        document(signed_with(Lock=Dictionary(Action=Name.Exclude, Fields=Array(["Other"])))),
        "DOCUMENT_LOCKED",
    ),
    "FieldMDP on all": (
        document(signed_with(Reference=transform("FieldMDP", Action=Name.All))),
        "DOCUMENT_LOCKED",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    content, reason = REFUSED[case]
    assert reason_of(tmp_path / "document.pdf", content) == (reason, "document")


ADMITTED = {
    "plain": PLAIN,
    "object streams": document(saving={"object_stream_mode": pikepdf.ObjectStreamMode.generate}),
    "linearized": document(saving={"linearize": True}),
    "certified, filling allowed": document(certified(2)),
    "certified, level not given": document(certified(None)),
    "lock on other fields": document(
        signed_with(Lock=Dictionary(Action=Name.Include, Fields=Array(["Suma"])))
    ),
    "lock that is not signed yet": document(
        lambda pdf: form(pdf, Dictionary(FT=Name.Sig, T="First", Lock=Dictionary(Action=Name.All)))
    ),
    "odd form": document(lambda pdf: setattr(pdf.Root, "AcroForm", Dictionary(Fields=Array([1, "x"])))),
}


@pytest.mark.parametrize("case", ADMITTED)
def test_admitted(case: str, tmp_path: Path) -> None:
    assert admit(tmp_path / "document.pdf", ADMITTED[case]) == "Signature1"


def test_visible_new_field_in_a_certified_document_is_refused(tmp_path: Path) -> None:
    options = SignatureOptions(signing_time=OPTIONS.signing_time, appearance=VISIBLE)
    found = reason_of(tmp_path / "document.pdf", document(certified(2)), options)
    assert found == ("DOCUMENT_CERTIFIED_NO_NEW_FIELD", "document")


def named(name: str) -> SignatureOptions:
    return SignatureOptions(signing_time=OPTIONS.signing_time, field_name=name)


@pytest.mark.parametrize("name", ["", " ", "a.b", "x" * 128, "a\x00b"])
def test_names_that_no_new_field_has(name: str, tmp_path: Path) -> None:
    assert reason_of(tmp_path / "d.pdf", PLAIN, named(name)) == ("FIELD_NAME_INVALID", "field_name")


@pytest.mark.parametrize(
    ("name", "content"), [("First", document(signed_with())), ("Suma", document(text_field))]
)
def test_signed_and_other_fields_are_not_filled(name: str, content: bytes, tmp_path: Path) -> None:
    assert reason_of(tmp_path / "d.pdf", content, named(name)) == ("FIELD_EXISTS", "field_name")


def test_next_free_name_is_taken(tmp_path: Path) -> None:
    content = document(
        lambda pdf: form(pdf, Dictionary(FT=Name.Sig, T="Signature1"), Dictionary(FT=Name.Tx, T="Signature2"))
    )
    assert admit(tmp_path / "d.pdf", content) == "Signature3"


def test_signing_time_needs_a_zone(tmp_path: Path) -> None:
    naive = SignatureOptions(signing_time=datetime(2026, 3, 14))  # noqa: DTZ001
    assert reason_of(tmp_path / "d.pdf", PLAIN, naive) == ("SIGNING_TIME_NAIVE", "signing_time")


@pytest.mark.parametrize("text", ["x" * 1001, "two\nlines", "\ud800"])
@pytest.mark.parametrize("field", ["reason", "location"])
def test_texts_that_cannot_be_written(field: str, text: str, tmp_path: Path) -> None:
    given = SignatureOptions(OPTIONS.signing_time, **{field: text})  # type: ignore[arg-type]
    assert reason_of(tmp_path / "d.pdf", PLAIN, given) == ("TEXT_INVALID", field)


@pytest.mark.parametrize("text", ["x" * 1001, "two\nlines"])
@pytest.mark.parametrize("field", ["capacity", "register_number"])
def test_texts_that_would_be_drawn_for_ever(field: str, text: str, tmp_path: Path) -> None:
    shown = AppearanceText("Primar", **{field: text})
    given = SignatureOptions(OPTIONS.signing_time, appearance=shown)
    assert reason_of(tmp_path / "d.pdf", PLAIN, given) == ("TEXT_INVALID", f"visible_signature.{field}")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(PLAIN) - 1), st.integers(1, 255))
def test_a_flipped_octet_is_admitted_or_refused_but_never_anything_else(
    tmp_path: Path, at: int, difference: int
) -> None:
    flipped = bytearray(PLAIN)
    flipped[at] ^= difference
    try:
        assert admit(tmp_path / "d.pdf", bytes(flipped))
    except PeceteError as refusal:
        assert refusal.field == "document"
