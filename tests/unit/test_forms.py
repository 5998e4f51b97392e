"""Forms of CAdES signatures: what stays, what is refused, and that content is never held whole."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from pecete.errors import AbortedError, FailedPreconditionError, PeceteError, ResourceExhaustedError
from signer.asic.signing import DataFile, member_names, new_manifest
from signer.asic.writing import measure
from signer.cades.signing import sign_content
from signer.forms import (
    AsicE,
    Countersigner,
    Detached,
    Enveloping,
    Form,
    FurtherAsicS,
    FurtherSigner,
)
from signer.pieces import octets
from signer.signature_files import SignatureFile
from signer.validation import validate
from tests.unit.asic_containers import (
    FILES,
    archived,
    asic_e,
    asic_s,
    data_files,
    further,
    members,
    put,
    sign_form,
    with_material,
)
from tests.unit.cades_signatures import CONTENT, KEYS, MATERIAL, OPTIONS, P256
from tests.unit.validation_documents import GOOD, SIGNED

FIRST, SECOND = FILES


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return path


def test_a_cms_file_is_detached_or_enveloping_and_gets_more_signers(tmp_path: Path, content: Path) -> None:
    forms: tuple[Form, ...] = (Detached(content), Enveloping(content, measure(content).sha256))
    for form, detached in zip(forms, (content, None), strict=True):
        assert pickle.loads(pickle.dumps(form)) == form  # noqa: S301 - our own octets
        path = put(tmp_path / "cms", sign_form(form))
        joint = FurtherSigner(path, detached)
        two = put(tmp_path / "two", sign_form(joint, KEYS["rsa-pss"]))
        assert (form.field(), joint.field()) == ("", "signer 2")
        given = [detached] if detached else []
        fields = [each.field for each in validate(two, GOOD, detached=given).signatures]
        assert fields == ["signer 1", "signer 2"]
        assert all(each.conclusion.passed for each in validate(two, GOOD, detached=given).signatures)


def test_the_members_of_a_container_stay_octet_for_octet(tmp_path: Path) -> None:
    path = asic_e(tmp_path)
    before = path.read_bytes()
    after = further(path, KEYS["p384"], "two.asice").read_bytes()
    directory = before.index(b"PK\x01\x02")
    assert after[:directory] == before[:directory]
    assert after.count(b"PK\x03\x04") == before.count(b"PK\x03\x04") + 2
    again = further(path, KEYS["rsa3072"], "again.asice")
    twice = further(path, KEYS["rsa3072"], "twice.asice")
    kept = [name for name in members(again) if "002" not in name]
    assert [members(again)[name] for name in kept] == [members(twice)[name] for name in kept]


def test_the_same_order_gives_the_same_octets(tmp_path: Path) -> None:
    files = data_files(tmp_path)
    form = AsicE.of_files(files)
    signature = sign_content(form.digest, P256, OPTIONS)
    made = {b"".join(octets(form.pieces(signature, None, SIGNED))) for _ in range(2)}
    assert len(made) == 1


def test_one_file_is_no_root_and_the_first_of_several_is(tmp_path: Path) -> None:
    files = data_files(tmp_path)
    assert new_manifest(files).octets.count(b'Rootfile="true" URI="act') == 1
    assert b"Rootfile" not in new_manifest(files[:1]).octets


def test_a_changed_file_never_gets_into_a_container(tmp_path: Path) -> None:
    files = data_files(tmp_path)
    files[1].content.path.write_bytes(bytes(files[1].content.size))
    form = AsicE.of_files(files)
    with pytest.raises(AbortedError) as refused:
        put(tmp_path / "x", sign_form(form))
    assert refused.value.reason == "DOCUMENT_CHANGED"
    files[1].content.path.write_bytes(b"")
    with pytest.raises(AbortedError):
        put(tmp_path / "x", sign_form(form))


def test_names_that_no_container_has_are_refused(tmp_path: Path) -> None:
    good = data_files(tmp_path)[0]
    for name in ("", "mimetype", "META-INF/a", "../a", "a/"):
        with pytest.raises(PeceteError) as refused:
            new_manifest([DataFile(name, "", good.content)])
        assert refused.value.reason == "DATA_FILE_NAME_INVALID"
    with pytest.raises(PeceteError):
        new_manifest([good, good])


def test_titles_become_safe_names() -> None:
    names = {
        "Dispoziția nr. 5/2026.pdf": "Dispoziția nr. 5-2026.pdf",
        "mimetype": "document-mimetype",
        "META-INF/x": "META-INF-x",
        "..": "document",
        "C:\\x\\y.txt": "C--x-y.txt",
        "a\u202eb": "ab",
        "Y.TXT": "Y.TXT",
        "y.txt": "y (2).txt",
        "y.txt ": "y (3).txt",
        "": "document (2)",
    }
    assert member_names(names) == list(names.values())


def test_what_an_archive_manifest_is_over_does_not_change(tmp_path: Path) -> None:
    lasting = archived(with_material(asic_e(tmp_path), "lt.asice"), "lta.asice")
    (place,) = SignatureFile(lasting).signers(())
    with pytest.raises(FailedPreconditionError) as refused:
        Countersigner(lasting, place.signature_sha256).digest("sha256")
    assert refused.value.reason == "SIGNATURE_ARCHIVED"
    two = further(lasting, KEYS["p384"], "two.asice")
    names = [place.name for place in SignatureFile(two).signers(())]
    kept = put(tmp_path / "kept.asice", SignatureFile(two).with_material(names, MATERIAL, SIGNED))
    before, after = members(two), members(kept)
    assert {name for name in before if before[name] != after[name]} == {"META-INF/signature002.p7s"}
    assert SignatureFile(kept).with_material(names, MATERIAL, SIGNED) == ()
    renewed = archived(kept, "renewed.asice")
    found = members(renewed)
    assert found["META-INF/ASiCArchiveManifest001.xml"] == before["META-INF/ASiCArchiveManifest.xml"]
    assert found["META-INF/ASiCArchiveManifest.xml"].count(b'Rootfile="true"') == 1


def test_signing_into_what_is_no_container_of_cades_is_refused(tmp_path: Path, content: Path) -> None:
    with pytest.raises(PeceteError) as refused:
        AsicE.of_container(content)
    assert refused.value.reason == "DOCUMENT_NOT_ASIC"
    with pytest.raises(PeceteError) as missing:
        FurtherAsicS(tmp_path / "missing").digest("sha256")
    assert missing.value.reason == "DOCUMENT_UNREADABLE"
    path = asic_s(tmp_path)
    with pytest.raises(PeceteError) as unknown:
        Countersigner(path, bytes(32)).digest("sha256")
    assert (unknown.value.reason, unknown.value.field) == ("SIGNATURE_NOT_FOUND", "countersigned_signature")


_LARGE = """
import resource, sys
from pathlib import Path
from tests.unit.asic_containers import put, sign_form
from signer.asic.signing import DataFile
from signer.asic.writing import measure
from signer.forms import AsicE, Enveloping
from signer.pieces import octets
from signer.validation import validate
from tests.unit.validation_documents import GOOD
path, kind = Path(sys.argv[1]), sys.argv[2]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
content = measure(path)
form = Enveloping(path, content.sha256)
if kind == "asic":
    form = AsicE.of_files((DataFile("large", "", content),))
size = 0
with path.with_suffix(".out").open("wb") as target:
    for chunk in octets(sign_form(form)):
        target.write(chunk)
if kind == "asic":
    for chunk in octets(sign_form(AsicE.of_container(path.with_suffix(".out")))):
        size += len(chunk)
if kind == "asic":
    report = validate(path.with_suffix(".out"), GOOD)
    assert [str(each.integrity) for each in report.signatures] == ["intact"]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(("kind", "size"), [("asic", 200), ("enveloping", 48)])
def test_content_is_never_held_whole(tmp_path: Path, kind: str, size: int) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        os.truncate(file.fileno(), size << 20)
    answer = subprocess.run(
        [sys.executable, "-c", _LARGE, str(path), kind], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) < 20


def test_what_is_too_large_to_be_judged_is_not_enveloped(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        os.truncate(file.fileno(), (48 << 20) + 1)
    with pytest.raises(ResourceExhaustedError) as refused:
        Enveloping(path, bytes(32)).digest("sha256")
    assert (refused.value.reason, refused.value.field) == ("ENVELOPED_CONTENT_TOO_LARGE", "format")
