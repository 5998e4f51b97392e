"""Judging containers: levels, and everything in which a container may not be what was signed."""

import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pecete.errors import InvalidArgumentError, PeceteError
from signer.validation import SignatureVerdict, ValidationPolicy, validate
from signer.validation.indication import Indication
from signer.validation.pdf.aftermath import Modification
from signer.validation.survey import survey
from tests.unit.asic_containers import FILES, archived, asic_e, asic_s, further, members, with_material
from tests.unit.cades_signatures import KEYS, LATER, LISTS, P256
from tests.unit.validation_documents import ROOT

DAY = timedelta(days=1)
POLICY = ValidationPolicy((ROOT.der,), LATER + 3 * DAY, crls=LISTS)
FIRST, SECOND = FILES
Make = Callable[[Path], Path]


def rezipped(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The container with members changed, added, or taken out (None)."""
    target = path.with_name(f"changed{path.suffix}")
    whole = members(path) | changes
    with zipfile.ZipFile(target, "w") as container:
        for name, content in whole.items():
            if content is not None:
                container.writestr(name, content)
    return target


def verdicts(path: Path) -> tuple[SignatureVerdict, ...]:
    return validate(path, POLICY).signatures


def failure(path: Path, policy: ValidationPolicy = POLICY) -> str:
    """The sub-indication of the first signature, which must not pass."""
    verdict = validate(path, policy).signatures[0]
    assert not verdict.conclusion.passed
    return str(verdict.conclusion.sub_indication)


@pytest.mark.parametrize("make", [asic_e, asic_s])
def test_each_level_is_recognised(tmp_path: Path, make: Callable[..., Path]) -> None:
    suffix = make(tmp_path).suffix
    bare = make(tmp_path, stamped=False, name=f"b{suffix}")
    kept = with_material(make(tmp_path), f"lt{suffix}")
    lasting = archived(kept, f"lta{suffix}")
    renewed = archived(lasting, f"renewed{suffix}", LATER + DAY)
    for path, level, stamps in (
        (bare, "B", 0),
        (make(tmp_path), "T", 1),
        (kept, "LT", 1),
        (lasting, "LTA", 2),
        (renewed, "LTA", 3),
    ):
        (verdict,) = verdicts(path)
        assert verdict.conclusion.passed, verdict.conclusion.explanation
        assert verdict.level == f"CAdES-BASELINE-{level}"
        assert len(verdict.timestamps) == stamps
        assert verdict.field in members(path)
        assert verdict.changes == ()
    found = survey(renewed, POLICY, "")
    assert [each.reached for each in found.signatures] == ["LTA"]
    assert found.gaps == ()


def test_archive_time_stamps_prove_that_signatures_were_there(tmp_path: Path) -> None:
    for make in (asic_e, asic_s):
        path = make(tmp_path, stamped=False)
        (verdict,) = verdicts(archived(path, f"archived{path.suffix}"))
        assert verdict.best_signature_time == LATER


def test_a_file_added_later_and_signed_then_is_named(tmp_path: Path) -> None:
    added = rezipped(asic_e(tmp_path), {"later.txt": b"added"})
    first, second = verdicts(further(added, KEYS["p384"], "two.asice"))
    assert first.conclusion.passed
    assert (first.modification, first.changes) == (
        Modification.ALLOWED,
        ("not under this signature: later.txt",),
    )
    assert second.conclusion.passed
    assert second.changes == ()


MANIFEST, SIGNATURE = "META-INF/ASiCManifest001.xml", "META-INF/signature001.p7s"
ARCHIVE, TOKEN = "META-INF/ASiCArchiveManifest.xml", "META-INF/timestamp001.tst"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({FIRST: b"changed"}, "HASH_FAILURE"),
        ({FIRST: None}, "SIGNED_DATA_NOT_FOUND"),
        ({FIRST: b"changed", SECOND: None}, "HASH_FAILURE"),
        ({"later.txt": b"slipped in"}, "FORMAT_FAILURE"),
        ({MANIFEST: None}, "FORMAT_FAILURE"),
        ({SIGNATURE: None, "META-INF/other.p7s": b""}, "DOCUMENT_DAMAGED"),
    ],
)
def test_what_was_changed_in_an_asic_e_is_noticed(
    tmp_path: Path, changes: dict[str, bytes | None], expected: str
) -> None:
    changed = rezipped(asic_e(tmp_path), changes)
    try:
        assert failure(changed) == expected
    except PeceteError as refusal:
        assert refusal.reason == expected


def test_a_changed_manifest_is_noticed(tmp_path: Path) -> None:
    path = asic_e(tmp_path)
    manifest = members(path)[MANIFEST].replace(b"text/plain", b"text/html", 1)
    assert failure(rezipped(path, {MANIFEST: manifest})) == "HASH_FAILURE"


def test_a_manifest_made_to_fit_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = asic_e(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    forged = members(rezipped(path, {FIRST: b"changed"}))
    new = members(further(rezipped(path, {FIRST: b"changed"}), P256, "forged.asice"))
    manifest = new["META-INF/ASiCManifest002.xml"].replace(b"signature002", b"signature001")
    assert failure(rezipped(path, {FIRST: forged[FIRST], MANIFEST: manifest})) == "HASH_FAILURE"


def test_a_signature_of_files_that_it_does_not_know_covers_nothing_of_the_others(tmp_path: Path) -> None:
    path = rezipped(asic_e(tmp_path), {"later.txt": b"slipped in"})
    manifest = members(path)[MANIFEST].replace(b"signature001", b"signature002")
    added = rezipped(path, {"META-INF/ASiCManifest002.xml": manifest})
    assert failure(added) == "FORMAT_FAILURE"


def test_an_archive_manifest_that_does_not_hold_proves_nothing(tmp_path: Path) -> None:
    lasting = archived(with_material(asic_e(tmp_path), "lt.asice"), "lta.asice")
    forged = members(lasting)[ARCHIVE].replace(b"text/plain", b"text/html", 1)
    for changes in ({ARCHIVE: forged}, {TOKEN: None}, {TOKEN: b"nothing"}):
        changed = dict[str, bytes | None](changes)
        (verdict,) = verdicts(rezipped(lasting, changed))
        stamps = [stamp.conclusion.indication for stamp in verdict.timestamps]
        assert stamps in ([Indication.TOTAL_PASSED], [Indication.TOTAL_PASSED, Indication.TOTAL_FAILED])
        assert verdict.best_signature_time < LATER
    orphan = rezipped(lasting, {"META-INF/ASiCArchiveManifest009.xml": members(lasting)[ARCHIVE]})
    with pytest.raises(InvalidArgumentError) as refused:
        verdicts(orphan)
    assert refused.value.reason == "MANIFEST_MALFORMED"


def test_an_asic_s_with_two_files_or_two_signatures_is_none(tmp_path: Path) -> None:
    path = asic_s(tmp_path)
    with pytest.raises(InvalidArgumentError) as refused:
        verdicts(rezipped(path, {"later.txt": b"slipped in"}))
    assert refused.value.reason == "CONTAINER_AMBIGUOUS"
    second = members(path)["META-INF/signature.p7s"]
    assert failure(rezipped(path, {"META-INF/signature2.p7s": second})) == "FORMAT_FAILURE"
    assert failure(rezipped(path, {FIRST: b"changed"})) == "HASH_FAILURE"


def test_containers_without_a_signature_of_ours(tmp_path: Path) -> None:
    path = asic_s(tmp_path)
    assert verdicts(rezipped(path, {"META-INF/signature.p7s": None})) == ()
    for name in ("META-INF/signatures.xml", "META-INF/signatures0.xml"):
        with pytest.raises(InvalidArgumentError) as refused:
            verdicts(rezipped(path, {name: b"<x/>"}))
        assert refused.value.reason == "CONTAINER_AMBIGUOUS"
