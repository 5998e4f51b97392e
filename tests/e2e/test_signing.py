"""Signing over the wire: every key type, series, retries, and everything that may be wrong."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest

from pecete.client import Client
from pecete.commitment import CommitmentType
from pecete.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, PeceteError
from pecete.signing.v1.signing_pb2 import SignatureLevel, VisibleSignature
from pecete.validation.v1 import validation_pb2
from server.trial import SEAL, TrialServer
from tests.e2e.observation import count_documents

pytestmark = pytest.mark.e2e

PASSED = validation_pb2.INDICATION_TOTAL_PASSED
SIGNERS = ("primar", "secretar-general", "contabil")


@pytest.fixture
def mayor(server: TrialServer) -> Iterator[Client]:
    with server.client("primar") as client:
        yield client


def refusal(client: Client, document: str, server: TrialServer, **changes: str) -> PeceteError:
    """Sign as the mayor with something changed, and give what the service says."""
    arguments = {
        "signing_key": server.trial.signing_key("primar"),
        "pin": server.trial.pin("primar"),
        **changes,
    }
    with pytest.raises(PeceteError) as refused:
        client.sign(document, arguments.pop("signing_key"), pin=arguments["pin"])
    return refused.value


@pytest.mark.parametrize("level", ["B-B", "B-T"])
@pytest.mark.parametrize("label", [*SIGNERS, SEAL])
def test_each_key_type_gives_a_valid_signature(
    server: TrialServer, department: Client, disposition: Path, label: str, level: str
) -> None:
    document = department.upload(disposition)
    principal, pin = ("registratura", "") if label == SEAL else (label, server.trial.pin(label))
    with server.client(principal) as signer:
        signed = signer.sign(document.name, server.trial.signing_key(label), level=level, pin=pin)
    assert SignatureLevel.Name(signed.signature.level).endswith(level.replace("-", "_"))
    (verdict,) = department.validate(signed.document.name).signatures
    assert (verdict.indication, verdict.level) == (PASSED, f"PAdES-BASELINE-{level[-1]}")
    assert verdict.signer == server.trial.provisioned.token(label).plan.holder.common_name


def test_three_signatures_in_series_leave_earlier_bytes_alone(
    server: TrialServer, department: Client, disposition: Path, tmp_path: Path
) -> None:
    name = department.upload(disposition).name
    earlier = disposition.read_bytes()
    for number, label in enumerate(SIGNERS, 1):
        with server.client(label) as signer:
            signed = signer.sign(name, server.trial.signing_key(label), pin=server.trial.pin(label))
        name = signed.document.name
        department.download(name, tmp_path / f"{number}.pdf")
        now = (tmp_path / f"{number}.pdf").read_bytes()
        assert now.startswith(earlier)
        earlier = now
    verdicts = department.validate(name).signatures
    assert [verdict.indication for verdict in verdicts] == [PASSED] * 3
    modifications = [validation_pb2.Modification.Name(verdict.modification) for verdict in verdicts]
    assert modifications == ["MODIFICATION_ALLOWED", "MODIFICATION_ALLOWED", "MODIFICATION_NONE"]


def test_a_retry_gets_the_first_signature_and_never_a_second(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    document = department.upload(disposition)
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    first = mayor.sign(document.name, key, pin=pin, request_id="sign-once")
    again = mayor.sign(document.name, key, pin=pin, request_id="sign-once")
    assert again == first
    with pytest.raises(PeceteError) as refused:
        mayor.sign(document.name, key, pin=pin, request_id="sign-once", level="B-B")
    assert (refused.value.reason, refused.value.field) == ("REQUEST_ID_REUSED", "request_id")


def test_keys_are_listed_by_certificate_and_only_to_those_who_may_use_them(
    server: TrialServer, mayor: Client, department: Client
) -> None:
    assert [key.name for key in mayor.list_signing_keys()] == [server.trial.signing_key("primar")]
    (seal,) = department.list_signing_keys()
    assert (seal.name, seal.pin_required) == (server.trial.signing_key(SEAL), False)
    assert seal.certificate == server.trial.provisioned.token(SEAL).certificate


def test_a_foreign_key_is_as_unknown_as_one_that_is_not_there(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    document = department.upload(disposition).name
    for key in (server.trial.signing_key(SEAL), "signingKeys/" + "0" * 64):
        refused = refusal(mayor, document, server, signing_key=key)
        assert isinstance(refused, NotFoundError)
        assert (refused.reason, refused.field) == ("SIGNING_KEY_NOT_FOUND", "signing_key")


def test_a_wrong_pin_is_refused_once_and_the_right_one_still_works(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    document = department.upload(disposition).name
    refused = refusal(mayor, document, server, pin="00000000")
    assert isinstance(refused, FailedPreconditionError)
    assert (refused.reason, refused.field) == ("PIN_INCORRECT", "pin")
    mayor.sign(document, server.trial.signing_key("primar"), pin=server.trial.pin("primar"))


def test_a_missing_pin_is_asked_for(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    refused = refusal(mayor, department.upload(disposition).name, server, pin="")
    assert isinstance(refused, InvalidArgumentError)
    assert (refused.reason, refused.field) == ("PIN_REQUIRED", "pin")


def encrypted(path: Path, source: Path) -> bytes:
    with pikepdf.open(source) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user="user"))
    return path.read_bytes()


def test_documents_that_cannot_be_signed_are_refused_with_their_reason(
    server: TrialServer, mayor: Client, department: Client, disposition: Path, tmp_path: Path
) -> None:
    whole = disposition.read_bytes()
    bad = {
        "NOT_A_PDF": b"these are words",
        "DOCUMENT_ENCRYPTED": encrypted(tmp_path / "locked.pdf", disposition),
        "DOCUMENT_DAMAGED": whole[: len(whole) // 2],
    }
    for reason, content in bad.items():
        document = department.upload(content).name
        before = count_documents(server.trial)
        refused = refusal(mayor, document, server)
        assert (refused.reason, refused.field) == (reason, "document")
        assert count_documents(server.trial) == before


def test_a_document_sent_inline_comes_back_signed_and_visibly(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    visible = VisibleSignature(
        capacity="Primar", register_number="87/16.11.2026", verification_uri="https://example.org/87", page=1
    )
    whole = disposition.read_bytes()
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    signed = mayor.sign(
        whole, key, pin=pin, visible=visible, field_name="Primar", reason="Emitere", return_content=True
    )
    assert signed.content.startswith(whole)
    assert hashlib.sha256(signed.content).digest() == signed.document.sha256
    assert signed.signature.field_name == "Primar"
    (verdict,) = department.validate(signed.content).signatures
    assert (verdict.field, verdict.indication) == ("Primar", PASSED)
    with pikepdf.open(BytesIO(signed.content)) as pdf:
        (shown,) = (each for each in pdf.pages[0].Annots if each.get("/FT") == "/Sig")
        assert shown.V.Reason == "Emitere"
        left, bottom, right, top = (float(each) for each in shown.Rect)
    assert right - left > 50
    assert top - bottom > 20


def test_a_taken_field_or_a_page_that_is_not_there_is_refused(
    server: TrialServer, mayor: Client, department: Client, disposition: Path
) -> None:
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    first = mayor.sign(disposition, key, pin=pin, field_name="Primar").document.name
    with pytest.raises(PeceteError) as taken:
        mayor.sign(first, key, pin=pin, field_name="Primar")
    assert taken.value.field == "field_name"
    with pytest.raises(PeceteError) as no_page:
        mayor.sign(first, key, pin=pin, visible=VisibleSignature(page=99))
    assert no_page.value.field == "visible_signature.page"


def test_a_certified_document_takes_no_second_certification(
    server: TrialServer, mayor: Client, department: Client, disposition: Path, tmp_path: Path
) -> None:
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    certified = mayor.sign(disposition, key, pin=pin, certification="form-filling", lock="fields")
    with pytest.raises(FailedPreconditionError) as refused:
        mayor.sign(certified.document.name, key, pin=pin, certification="annotations")
    assert (refused.value.reason, refused.value.field) == ("DOCUMENT_HAS_SIGNATURES", "certification")
    locked = mayor.sign(certified.document.name, key, pin=pin, lock="document")
    with pytest.raises(FailedPreconditionError, match="DOCUMENT_LOCKED"):
        mayor.sign(locked.document.name, key, pin=pin)
    verdicts = department.validate(locked.document.name).signatures
    assert [verdict.indication for verdict in verdicts] == [PASSED] * 2
    department.download(locked.document.name, tmp_path / "locked.pdf")
    with pikepdf.open(tmp_path / "locked.pdf") as pdf:
        first, second = (field.V.Reference for field in pdf.Root.AcroForm.Fields)
        assert [str(each.TransformMethod) for each in first] == ["/DocMDP", "/FieldMDP"]
        assert [int(each.TransformParams.P) for each in second] == [1]


def test_a_commitment_takes_the_place_of_a_reason(
    server: TrialServer, mayor: Client, department: Client, disposition: Path, tmp_path: Path
) -> None:
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    with pytest.raises(InvalidArgumentError, match="COMMITMENT_WITH_REASON"):
        mayor.sign(disposition, key, pin=pin, commitment="proof-of-approval", reason="Aprob")
    signed = mayor.sign(disposition, key, pin=pin, commitment="proof-of-approval")
    (verdict,) = department.validate(signed.document.name).signatures
    assert verdict.indication == PASSED
    department.download(signed.document.name, tmp_path / "signed.pdf")
    contents = (tmp_path / "signed.pdf").read_bytes().rpartition(b"/Contents <")[2]
    assert CommitmentType.PROOF_OF_APPROVAL.attribute.hex().encode() in contents
