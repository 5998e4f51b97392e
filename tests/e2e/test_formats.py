"""Signatures of everything that is not a PDF: CAdES and ASiC over the wire, on real tokens."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pecete.client import Client
from pecete.errors import PeceteError
from pecete.signing.v1.signing_pb2 import (
    SignatureFormat,
    SignatureLevel,
    SignDocumentResponse,
    VisibleSignature,
)
from pecete.validation.v1 import validation_pb2
from server.trial import SEAL, TrialServer
from tests.e2e.observation import count_documents

pytestmark = pytest.mark.e2e

PASSED = validation_pb2.INDICATION_TOTAL_PASSED
LEVELS = ("B-B", "B-T", "B-LT", "B-LTA")
FORMATS = ("cades", "cades-enveloping", "asic-s", "asic-e")
MEDIA = {
    "cades": "application/pkcs7-signature",
    "cades-enveloping": "application/pkcs7-mime",
    "asic-s": "application/vnd.etsi.asic-s+zip",
    "asic-e": "application/vnd.etsi.asic-e+zip",
}
TEXT = "Hotărârea nr. 7 a Consiliului Local\n".encode() * 50


@pytest.fixture
def mayor(server: TrialServer) -> Iterator[Client]:
    with server.client("primar") as client:
        yield client


@pytest.fixture
def decision(tmp_path: Path) -> Path:
    """A decision of the local council, as text."""
    path = tmp_path / "hotărârea 7.txt"
    path.write_bytes(TEXT)
    return path


def seal(
    client: Client, server: TrialServer, document: Path | str, **options: object
) -> SignDocumentResponse:
    return client.sign(document, server.trial.signing_key(SEAL), **options)  # type: ignore[arg-type]


def fetch(client: Client, name: str, folder: Path) -> bytes:
    path = folder / name.replace("/", "-")
    client.download(name, path)
    return path.read_bytes()


def judged(client: Client, name: str, detached: str | None = None) -> list[tuple[int, str]]:
    return [(each.indication, each.level) for each in client.validate(name, detached=detached).signatures]


def refusal(call: Callable[[], object]) -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        call()
    return refused.value


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", FORMATS)
def test_each_format_reaches_each_level(
    server: TrialServer, department: Client, decision: Path, form: str, level: str
) -> None:
    source = department.upload(decision)
    signed = seal(department, server, source.name, format=form, level=level, commitment="proof-of-approval")
    assert signed.document.media_type == MEDIA[form]
    assert signed.document.display_name.startswith("hotărârea 7.txt.")
    assert SignatureLevel.Name(signed.signature.level).endswith(level.replace("-", "_"))
    assert len(signed.signature.signature_sha256) == 32
    detached = source.name if form == "cades" else None
    expected = f"CAdES-BASELINE-{level.removeprefix('B-')}"
    assert judged(department, signed.document.name, detached) == [(PASSED, expected)]


@pytest.mark.parametrize("form", FORMATS)
def test_levels_are_raised_step_by_step_and_renewed(
    server: TrialServer, department: Client, decision: Path, form: str
) -> None:
    source = department.upload(decision)
    detached = source.name if form == "cades" else None
    name = seal(department, server, source.name, format=form, level="B-B").document.name
    for level in ("B-T", "B-LT", "B-LTA", "B-LTA", "B-LTA"):
        name = department.augment(name, level=level, detached=detached).document.name
        assert judged(department, name, detached) == [(PASSED, f"CAdES-BASELINE-{level[2:]}")]
    reached = refusal(lambda: department.augment(name, level="B-T", detached=detached))
    assert reached.reason == "LEVEL_ALREADY_REACHED"
    assert len(department.validate(name, detached=detached).signatures[0].timestamps) == 4


@pytest.mark.parametrize("form", FORMATS)
def test_two_sign_the_same_and_both_are_raised(
    server: TrialServer, mayor: Client, department: Client, decision: Path, form: str
) -> None:
    source = department.upload(decision)
    first = seal(department, server, source.name, format=form, level="B-LT").document.name
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    detached = {"detached": source.name} if form == "cades" else {}
    second = mayor.sign(first, key, pin=pin, level="B-T", **detached)  # type: ignore[arg-type]
    assert second.document.media_type == MEDIA[form]
    content = source.name if form == "cades" else None
    verdicts = department.validate(second.document.name, detached=content).signatures
    assert {each.level[15:] for each in verdicts} <= {"T", "LT"}
    assert [each.indication for each in verdicts] == [PASSED, PASSED]
    assert second.signature.field_name in [each.field for each in verdicts]
    raised = department.augment(second.document.name, level="B-LTA", detached=content).document.name
    assert judged(department, raised, content) == [(PASSED, "CAdES-BASELINE-LTA")] * 2


def test_a_dossier_goes_into_one_container_and_a_second_signature_leaves_its_members_alone(
    server: TrialServer, mayor: Client, department: Client, decision: Path, scan: Path, tmp_path: Path
) -> None:
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    first = mayor.sign(decision, key, pin=pin, format="asic-e", further_documents=[scan, decision])
    before = fetch(department, first.document.name, tmp_path)
    signed = seal(department, server, first.document.name)
    after = fetch(department, signed.document.name, tmp_path)
    with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(io.BytesIO(after)) as new:
        assert old.namelist()[0] == "mimetype"
        assert old.namelist()[1:4] == ["hotărârea 7.txt", scan.name, "hotărârea 7 (2).txt"]
        assert old.read(scan.name) == scan.read_bytes()
        assert new.testzip() is None
        assert new.namelist()[: len(old.namelist())] == old.namelist()
        assert new.namelist()[-2:] == ["META-INF/ASiCManifest002.xml", "META-INF/signature002.p7s"]
    assert after.startswith(before[: before.index(b"PK\x01\x02")])
    assert judged(department, signed.document.name) == [(PASSED, "CAdES-BASELINE-T")] * 2


@pytest.mark.parametrize("form", FORMATS)
def test_a_signature_is_countersigned(
    server: TrialServer, mayor: Client, department: Client, decision: Path, form: str, tmp_path: Path
) -> None:
    source = department.upload(decision)
    key, pin = server.trial.signing_key("primar"), server.trial.pin("primar")
    first = seal(department, server, source.name, format=form)
    target = first.signature.signature_sha256
    second = mayor.sign(first.document.name, key, pin=pin, countersigned_signature=target)
    content = source.name if form == "cades" else None
    assert judged(department, second.document.name, content) == [(PASSED, "CAdES-BASELINE-T")] * 2
    countersignature = bytes.fromhex("06092a864886f70d010906")
    made = fetch(department, second.document.name, tmp_path)
    assert (made.count(countersignature), first.signature.field_name) == (1, second.signature.field_name)
    unknown = refusal(
        lambda: mayor.sign(first.document.name, key, pin=pin, countersigned_signature=bytes(32))
    )
    assert (unknown.reason, unknown.field) == ("SIGNATURE_NOT_FOUND", "countersigned_signature")
    high = refusal(
        lambda: mayor.sign(first.document.name, key, pin=pin, countersigned_signature=target, level="B-LT")
    )
    assert (high.reason, high.field) == ("COUNTERSIGNATURE_LEVEL", "level")


def test_a_retry_gets_the_first_answer(server: TrialServer, department: Client, decision: Path) -> None:
    source = department.upload(decision).name
    first = seal(department, server, source, format="asic-e", request_id="container-once")
    assert seal(department, server, source, format="asic-e", request_id="container-once") == first
    other = refusal(lambda: seal(department, server, source, format="asic-s", request_id="container-once"))
    assert other.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("reason", {"reason": "Emitere"}),
        ("location", {"location": "Lunca Teilor"}),
        ("field_name", {"field_name": "Primar"}),
        ("visible_signature", {"visible": VisibleSignature(page=1)}),
        ("certification", {"certification": "no-changes"}),
        ("lock", {"lock": "document"}),
        ("further_documents", {"further_documents": [b"x"]}),
        ("detached", {"detached": b"x"}),
        ("countersigned_signature", {"countersigned_signature": bytes(32)}),
    ],
)
def test_what_belongs_to_another_format_is_refused_by_name(
    server: TrialServer, department: Client, decision: Path, field: str, options: dict[str, object]
) -> None:
    source = department.upload(decision).name
    refused = refusal(lambda: seal(department, server, source, format="cades", **options))
    assert (refused.reason, refused.field) == ("FIELD_NOT_FOR_FORMAT", field)


def test_a_text_without_a_format_and_a_stranger_are_refused(
    server: TrialServer, department: Client, decision: Path
) -> None:
    source = department.upload(decision).name
    refused = refusal(lambda: seal(department, server, source))
    assert (refused.reason, refused.field) == ("NOT_A_PDF", "document")
    missing = refusal(
        lambda: department.sign(
            source,
            server.trial.signing_key(SEAL),
            format="asic-e",
            further_documents=["documents/nobody"],
        )
    )
    assert (missing.reason, missing.field) == ("DOCUMENT_NOT_FOUND", "further_documents[0]")


def test_content_that_is_not_what_was_signed_is_refused(
    server: TrialServer, department: Client, decision: Path
) -> None:
    source = department.upload(decision).name
    name = seal(department, server, source, format="cades").document.name
    other = department.upload(b"other words").name
    documents = count_documents(server.trial)
    assert refusal(lambda: seal(department, server, name)).reason == "CONTENT_MISSING"
    assert refusal(lambda: seal(department, server, name, detached=other)).reason == "CONTENT_MISMATCH"
    assert refusal(lambda: department.augment(name, detached=other)).reason == "SIGNATURE_NOT_VALID"
    assert refusal(lambda: department.augment(name, level="B-LT")).reason == "SIGNATURE_NOT_VALID"
    assert count_documents(server.trial) == documents
    (verdict,) = department.validate(name, detached=other).signatures
    assert verdict.indication == validation_pb2.INDICATION_TOTAL_FAILED


def test_a_file_that_nobody_signed_fails_every_signature(
    server: TrialServer, department: Client, decision: Path, tmp_path: Path
) -> None:
    signed = seal(department, server, decision, format="asic-e")
    assert signed.signature.format == SignatureFormat.SIGNATURE_FORMAT_ASIC_E_CADES
    made = io.BytesIO(fetch(department, signed.document.name, tmp_path))
    assert hashlib.sha256(made.getvalue()).digest() == signed.document.sha256
    with zipfile.ZipFile(made, "a") as container:
        container.writestr("anexa.txt", b"slipped in")
    (verdict,) = department.validate(made.getvalue()).signatures
    assert (verdict.indication, verdict.sub_indication) == (
        validation_pb2.INDICATION_TOTAL_FAILED,
        "FORMAT_FAILURE",
    )
