"""What signatures certify and lock, and what the fields of a document demand."""

import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import cms as asn1_cms
from pikepdf import Array, Dictionary, Name

from pecete.commitment import CommitmentType
from pecete.errors import PeceteError
from signer.pades.options import AppearanceText, Certification, Lock, PlannedField
from signer.pades.permissions import FieldLock
from tests.unit import test_pades_signing as signing
from tests.unit.test_pades_signing import empty_field, write_document

MAYOR = AppearanceText("Ștefan Țurcanu", "Primar")


def sign(path: Path, **given: object) -> pikepdf.Pdf:
    """Sign the document in place and open what came of it."""
    return pikepdf.open(io.BytesIO(signing.sign(path, **given)[1]))


def refusal(path: Path, **given: object) -> tuple[str, str | None]:
    with pytest.raises(PeceteError) as refused:
        signing.sign(path, **given)
    return refused.value.reason, refused.value.field


def field_of(pdf: pikepdf.Pdf, name: str) -> pikepdf.Object:
    return {str(field.T): field for field in pdf.Root.AcroForm.Fields}[name]


def references(field: pikepdf.Object) -> dict[str, pikepdf.Object]:
    """Transform parameters of a field's signature by the transform's method."""
    return {str(each.TransformMethod): each.TransformParams for each in field.V.get(Name.Reference, Array())}


def locking(**entries: object) -> Callable[[pikepdf.Pdf], None]:
    """An empty field „Primar” with further entries."""

    def change(pdf: pikepdf.Pdf) -> None:
        empty_field(pdf)
        for name, value in entries.items():
            pdf.Root.AcroForm.Fields[0][f"/{name}"] = value

    return change


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("certification", Certification)
def test_a_certification_is_named_in_signature_and_catalog(
    tmp_path: Path, certification: Certification, streams: bool
) -> None:
    path = write_document(tmp_path / "d.pdf", streams=streams)
    with sign(path, certification=certification) as pdf:
        field = field_of(pdf, "Signature1")
        assert certification == references(field)["/DocMDP"].P
        assert pdf.Root.Perms.DocMDP.objgen == field.V.objgen
        assert "/FieldMDP" not in references(field) and Name.Lock not in field


def test_only_the_first_signature_certifies(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf")
    sign(path).close()
    wanted = {"certification": Certification.FORM_FILLING}
    assert refusal(path, **wanted) == ("DOCUMENT_HAS_SIGNATURES", "certification")
    with sign(path, **wanted, certify_first_only=True) as pdf:
        assert Name.Perms not in pdf.Root and not references(field_of(pdf, "Signature2"))


def test_usage_rights_stay_beside_a_certification(tmp_path: Path) -> None:
    def grant(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Perms = Dictionary(UR3=pdf.make_indirect(Dictionary()))

    with sign(write_document(tmp_path / "d.pdf", grant), certification=Certification.ANNOTATIONS) as pdf:
        assert set(pdf.Root.Perms.keys()) == {"/UR3", "/DocMDP"}


def test_a_lock_names_the_fields_that_are_settled(tmp_path: Path) -> None:
    def form(pdf: pikepdf.Pdf) -> None:
        empty_field(pdf)
        pdf.Root.AcroForm.Fields.append(pdf.make_indirect(Dictionary(FT=Name.Tx, T="Sumă (lei)")))

    path = write_document(tmp_path / "d.pdf", form)
    with sign(path, lock=Lock.FIELDS) as pdf:
        field = field_of(pdf, "Signature1")
        for lock in (field.Lock, references(field)["/FieldMDP"]):
            assert (str(lock.Action), [str(name) for name in lock.Fields]) == (
                "/Include",
                ["Sumă (lei)", "Signature1"],
            )
            assert Name.P not in lock
    with sign(path, field_name="Primar", lock=Lock.DOCUMENT) as pdf:
        field = field_of(pdf, "Primar")
        assert references(field)["/FieldMDP"].P == 1
        assert Name.Lock not in field  # a field that is signed over keeps the entries that it had
    assert refusal(path) == ("DOCUMENT_LOCKED", "document")


@pytest.mark.parametrize("shown", [MAYOR, None])
def test_planned_fields_are_made_once_each_with_its_lock(
    tmp_path: Path, shown: AppearanceText | None
) -> None:
    path = write_document(tmp_path / "d.pdf")
    planned = (PlannedField("two", Lock.FIELDS), PlannedField("three", Lock.DOCUMENT), PlannedField("four"))
    wanted = {"field_name": "one", "appearance": shown, "planned_fields": planned, "lock": Lock.FIELDS}
    with sign(path, **wanted) as pdf:
        names = [str(field.T) for field in pdf.Root.AcroForm.Fields]
        assert names == ["one", "two", "three", "four"] == [str(each.T) for each in pdf.pages[1].Annots]
        locks = {name: field_of(pdf, name).get(Name.Lock) for name in names}
        assert [str(name) for name in locks["two"].Fields] == ["one", "two"]  # type: ignore[union-attr]
        assert locks["three"].P == 1  # type: ignore[union-attr]
        assert locks["four"] is None
        areas = {tuple(float(edge) for edge in field_of(pdf, name).Rect) for name in names}
        assert len(areas) == (1 if shown is None else 4)
        assert all(Name.V not in field_of(pdf, name) and Name.AP in field_of(pdf, name) for name in names[1:])
    with sign(path, field_name="two", appearance=shown, planned_fields=planned[1:], lock=None) as pdf:
        assert len(pdf.Root.AcroForm.Fields) == 4
        assert [str(name) for name in references(field_of(pdf, "two"))["/FieldMDP"].Fields] == ["one", "two"]
    assert refusal(path, field_name="one") == ("FIELD_EXISTS", "field_name")


def test_a_fields_own_lock_stands(tmp_path: Path) -> None:
    lock = Dictionary(Action=Name.Exclude, Fields=Array(["Sumă"]))
    path = write_document(tmp_path / "d.pdf", locking(Lock=lock))
    assert refusal(path, field_name="Primar", lock=Lock.DOCUMENT) == ("FIELD_LOCK_DIFFERS", "lock")
    with sign(path, field_name="Primar", lock=Lock.FIELDS) as pdf:
        assert str(references(field_of(pdf, "Primar"))["/FieldMDP"].Action) == "/Exclude"
    assert refusal(path) == ("DOCUMENT_LOCKED", "document")


def test_a_lock_that_says_nothing_is_damage(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf", locking(Lock=Dictionary(Fields=Array(["x"]))))
    assert refusal(path, field_name="Primar") == ("DOCUMENT_DAMAGED", "document")


def test_certification_and_lock_of_the_document_exclude_each_other(tmp_path: Path) -> None:
    wanted = {"certification": Certification.FORM_FILLING, "lock": Lock.DOCUMENT}
    assert refusal(write_document(tmp_path / "d.pdf"), **wanted) == ("LOCK_WITH_CERTIFICATION", "lock")


@pytest.mark.parametrize(
    ("lock", "covered"),
    [
        (FieldLock("/All"), {"a", "a.b", "c"}),
        (FieldLock("/Include", ("a",)), {"a", "a.b"}),
        (FieldLock("/Exclude", ("a",)), {"c"}),
        (FieldLock("/Include", ("a",), 1), {"a", "a.b", "c"}),
        (FieldLock("/Include", ("a",), 2), {"a", "a.b"}),
    ],
)
def test_what_a_lock_covers(lock: FieldLock, covered: set[str]) -> None:
    assert {name for name in ("a", "a.b", "c") if lock.covers(name)} == covered
    assert FieldLock.read(pikepdf.Object.parse(lock.dictionary())) == lock


@pytest.mark.parametrize("commitment", CommitmentType)
def test_a_commitment_is_a_signed_attribute(tmp_path: Path, commitment: CommitmentType) -> None:
    section, _ = signing.sign(write_document(tmp_path / "d.pdf"), commitment=commitment)
    attributes = asn1_cms.CMSAttributes.load(section.signed_attributes, strict=True)
    (found,) = [each for each in attributes if each.dump() == commitment.attribute]
    assert found["type"].dotted == "1.2.840.113549.1.9.16.2.16"
    assert len(attributes) == 5 and attributes.dump(force=True) == section.signed_attributes


def test_a_commitment_excludes_a_reason(tmp_path: Path) -> None:
    wanted = {"commitment": CommitmentType.PROOF_OF_APPROVAL, "reason": "Aprob"}
    assert refusal(write_document(tmp_path / "d.pdf"), **wanted) == ("COMMITMENT_WITH_REASON", "commitment")


def seed(**entries: object) -> Dictionary:
    return Dictionary({f"/{key}": value for key, value in entries.items()})


REFUSED_SEEDS = {
    "Filter": seed(Ff=1, Filter=Name("/Entrust.PPKEF")),
    "SubFilter": seed(Ff=2, SubFilter=Array([Name("/adbe.pkcs7.detached")])),
    "V": seed(Ff=4, V=4),
    "Reasons": seed(Ff=8, Reasons=Array(["Avizez"])),
    "LegalAttestation": seed(Ff=16, LegalAttestation=Array(["x"])),
    "AddRevInfo": seed(Ff=32, AddRevInfo=True),
    "DigestMethod": seed(Ff=64, DigestMethod=Array(["SHA512"])),
    "LockDocument": seed(Ff=128, LockDocument=Name.true),
    "AppearanceFilter": seed(Ff=256, AppearanceFilter="Stampila"),
    "MDP": seed(MDP=Dictionary(P=2)),
    "TimeStamp": seed(TimeStamp=Dictionary(URL="http://tsa.ro", Ff=1)),
    "Cert": seed(Cert=Dictionary(Ff=1, Subject=Array([b"someone else"]))),
}


@pytest.mark.parametrize("demand", REFUSED_SEEDS)
def test_a_demand_that_is_not_met_is_a_refusal(tmp_path: Path, demand: str) -> None:
    path = write_document(tmp_path / "d.pdf", locking(SV=REFUSED_SEEDS[demand]))
    with pytest.raises(PeceteError) as refused:
        signing.sign(path, field_name="Primar", reason="Aprob")
    assert (refused.value.reason, refused.value.field) == ("SEED_VALUE_NOT_MET", "field_name")
    assert refused.value.metadata == {"seed_value": demand}


MET_SEEDS: dict[str, tuple[Dictionary, dict[str, object]]] = {
    "suggestions": (seed(SubFilter=Array([Name("/adbe.pkcs7.detached")]), Reasons=Array(["x"])), {}),
    "form": (
        seed(
            Ff=1 | 2 | 64,
            Filter=Name("/Adobe.PPKLite"),
            SubFilter=Array([Name("/ETSI.CAdES.detached")]),
            DigestMethod=Array(["SHA384", "SHA256"]),
        ),
        {},
    ),
    "reason": (seed(Ff=8, Reasons=Array(["Avizez", "Aprob"])), {"reason": "Aprob"}),
    "no reason": (seed(Ff=8, Reasons=Array(["."])), {}),
    "certification": (seed(MDP=Dictionary(P=2)), {"certification": Certification.FORM_FILLING}),
    "no certification": (seed(MDP=Dictionary(P=0)), {}),
    "time-stamp": (seed(TimeStamp=Dictionary(Ff=1)), {"timestamp_reserve": 100}),
    "lock": (seed(Ff=128, LockDocument=Name.true), {"lock": Lock.DOCUMENT}),
    "certificate": (seed(Cert=Dictionary(Ff=1, Subject=Array([signing.KEY.certificate]))), {}),
}


@pytest.mark.parametrize("demand", MET_SEEDS)
def test_demands_that_are_met(tmp_path: Path, demand: str) -> None:
    entries, given = MET_SEEDS[demand]
    path = write_document(tmp_path / "d.pdf", locking(SV=entries))
    with sign(path, field_name="Primar", **given) as pdf:
        assert Name.V in field_of(pdf, "Primar")


def test_demands_that_are_none_are_damage(tmp_path: Path) -> None:
    path = write_document(tmp_path / "d.pdf", locking(SV=seed(Ff="x")))
    assert refusal(path, field_name="Primar") == ("DOCUMENT_DAMAGED", "document")
