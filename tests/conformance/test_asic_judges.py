"""What others say of our containers, and of theirs once we raised them: the EU's DSS, openssl, zip."""

import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from pecete.errors import PeceteError
from signer.asic.container import open_container
from signer.asic.layout import Layout
from signer.cades.signing import sign_content
from signer.forms import AsicE, Countersigner, FurtherAsicS
from signer.signature_files import SignatureFile
from signer.validation import validate
from tests.conformance import dss
from tests.conformance.documents import CORPUS, run
from tests.conformance.test_cades_judges import pem
from tests.unit.asic_containers import (
    FILES,
    archived,
    asic_e,
    asic_s,
    further,
    members,
    put,
    with_material,
)
from tests.unit.cades_signatures import KEYS, LATER, LISTS, MATERIAL, OPTIONS, stamp, value_token
from tests.unit.validation_documents import OFF, ROOT, SIGNED, SUB, crl

pytestmark = pytest.mark.conformance

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Judged = tuple[list[tuple[str, str]], list[str], list[str]]
"""Of each signature its level and indication, of each time-stamp its indication, and all complaints."""


def judge(files: list[Path], time: datetime) -> dict[str, Judged]:
    if absence := dss.absence():
        pytest.skip(absence)
    said = dss.judge([(file, None) for file in files], anchor=ROOT.der, crls=LISTS, time=time)
    return {
        path.name: (
            [(one["format"], one["indication"]) for one in each["signatures"]],
            [one["indication"] for one in each["timestamps"]],
            [
                str(text)
                for one in (*each["signatures"], *each["timestamps"])
                for text in (*one["errors"], *one["warnings"])
                if not str(text).startswith("BBB_XCV_")
            ],
        )
        for path, each in said.items()
    }


def renewable(path: Path) -> Path:
    """An archived container with newer revocation lists, as they prove the last time-stamp."""
    lists = tuple(crl(each, this_update=LATER + HOUR, next_update=LATER + 30 * DAY) for each in (ROOT, SUB))
    file = SignatureFile(path)
    names = sorted({place.name for place in file.signers(())})
    pieces = file.with_material(names, replace(MATERIAL, crls=lists), LATER)
    before, after = members(path), members(put(path.with_name(f"newer-{path.name}"), pieces))
    changed = {name for name, content in after.items() if before[name] != content}
    assert changed == ({"META-INF/timestamp001.tst"} if path.suffix == ".asice" else set(names))
    return path.with_name(f"newer-{path.name}")


def made(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Containers, with the level, the signatures and the time-stamps that each has."""
    table: dict[str, tuple[str, int, int]] = {}
    for suffix, make in (("asice", asic_e), ("asics", asic_s)):
        for key in KEYS:
            bare = make(folder, KEYS[key], stamped=False, name=f"{key}-B.{suffix}")
            stamped = make(folder, KEYS[key], name=f"{key}-T.{suffix}")
            kept = with_material(stamped, f"{key}-LT.{suffix}")
            lasting = archived(kept, f"{key}-LTA.{suffix}")
            table |= {bare.name: ("B", 1, 0), stamped.name: ("T", 1, 1)}
            table |= {kept.name: ("LT", 1, 1), lasting.name: ("LTA", 1, 2)}
        two = further(folder / f"p256-T.{suffix}", KEYS["rsa-pss"], f"two-T.{suffix}")
        both = with_material(two, f"two-LT.{suffix}")
        lasting = archived(both, f"two-LTA.{suffix}")
        renewed = archived(
            archived(lasting, f"once.{suffix}", LATER + HOUR), f"renewed.{suffix}", LATER + DAY
        )
        stamps = 3 if suffix == "asice" else 4
        table |= {two.name: ("T", 2, 2), both.name: ("LT", 2, 2), lasting.name: ("LTA", 2, stamps)}
        table[renewed.name] = ("LTA", 2, stamps + 2 * (stamps - 2))
    return table


def test_dss_passes_each_container_key_and_level(tmp_path: Path) -> None:
    table = made(tmp_path)
    judged = judge([tmp_path / name for name in table], LATER + 2 * DAY)
    for name, (level, count, stamps) in table.items():
        signatures, stamped, complaints = judged[name]
        assert signatures == [(f"CAdES-BASELINE-{level}", "TOTAL_PASSED")] * count, (name, complaints)
        assert stamped == ["PASSED"] * stamps, (name, complaints)
        assert complaints == [], name


def test_dss_passes_a_countersigned_container_and_fails_a_changed_one(tmp_path: Path) -> None:
    asic_e(tmp_path), asic_s(tmp_path)
    for path in (tmp_path / "made.asice", tmp_path / "made.asics"):
        form = Countersigner(path, SignatureFile(path).signers(())[0].signature_sha256)
        signature = sign_content(form.digest, KEYS["p384"], OPTIONS, counter=True)
        pieces = form.pieces(signature, value_token(signature), SIGNED)
        put(path.with_name(f"countersigned{path.suffix}"), pieces)
        with zipfile.ZipFile(path.with_name(f"changed{path.suffix}"), "w") as container:
            for name, content in members(path).items():
                container.writestr(name, content.replace(b"nr. 7", b"nr. 8"))
    files = [tmp_path / f"{kind}.asic{letter}" for letter in "es" for kind in ("countersigned", "changed")]
    judged = judge(files, LATER + DAY)
    for letter in "es":
        passed, failed = judged[f"countersigned.asic{letter}"], judged[f"changed.asic{letter}"]
        assert set(passed[0]) == {("CAdES-BASELINE-T", "TOTAL_PASSED")}
        assert passed[1] == ["PASSED"] * 2
        assert failed[0] == [("CAdES-BASELINE-T", "TOTAL_FAILED")]


def test_dss_passes_containers_of_its_own_that_we_signed_and_raised(tmp_path: Path) -> None:
    if absence := dss.absence():
        pytest.skip(absence)
    identity = KEYS["p256"].identity
    (tmp_path / "key.p12").write_bytes(
        serialize_key_and_certificates(
            b"key",
            identity.key,
            identity.certificate,
            [SUB.certificate],
            BestAvailableEncryption(b"password"),
        )
    )
    (tmp_path / "act.txt").write_bytes(next(iter(FILES.values())))
    now = datetime.now(UTC).replace(microsecond=0)
    lasting = []
    for suffix in ("asice", "asics"):
        target = tmp_path / f"theirs.{suffix}"
        key = ("--p12", tmp_path / "key.p12", "--password", "password")
        answer = run(dss.JUDGE, "sign", *key, "--format", suffix, "--out", target, tmp_path / "act.txt")
        assert answer.returncode == 0, answer.stdout + answer.stderr
        before = members(target)
        lasting.append(_raised(target, now))
        after = members(lasting[-1])
        assert {name for name in before if before[name] != after[name]} <= set(signature_names(target))
    judged = judge(lasting, now + DAY)
    assert [judged[path.name][0] for path in lasting] == [[("CAdES-BASELINE-LTA", "TOTAL_PASSED")] * 2] * 2


def _raised(path: Path, now: datetime) -> Path:
    """Their container with a signature of ours, and both at B-LTA."""
    file = SignatureFile(path)
    (place,) = file.signers(())
    stamped = put(
        path.with_name(f"stamped.{path.suffix[1:]}"),
        file.with_time_stamps([place], [stamp(place.signature_sha256, now)], now),
    )
    form = AsicE.of_container(stamped) if path.suffix == ".asice" else FurtherAsicS(stamped)
    signature = sign_content(form.digest, KEYS["p384"], replace(OPTIONS, signing_time=now))
    joined = put(
        path.with_name(f"joined{path.suffix}"), form.pieces(signature, value_token(signature, now), now)
    )
    lists = tuple(crl(each, this_update=now + HOUR, next_update=now + 30 * DAY) for each in (ROOT, SUB))
    names = sorted({each.name for each in SignatureFile(joined).signers(())})
    pieces = SignatureFile(joined).with_material(names, replace(MATERIAL, crls=lists), now)
    kept = put(path.with_name(f"kept{path.suffix}"), pieces)
    return archived(kept, f"lasting{path.suffix}", now + 2 * HOUR)


def signature_names(path: Path) -> tuple[str, ...]:
    with open_container(path) as container:
        return Layout(container).signatures


def test_openssl_verifies_what_is_in_the_containers(tmp_path: Path) -> None:
    for name, key in KEYS.items():
        for made_one in (asic_e(tmp_path, key), asic_s(tmp_path, key)):
            found, cms = members(made_one), tmp_path / "cms"
            cms.write_bytes(found[signature_names(made_one)[0]])
            content = found.get("META-INF/ASiCManifest001.xml", found[next(iter(FILES))])
            (tmp_path / "content").write_bytes(content)
            answer = run(
                *(
                    "openssl",
                    "cms",
                    "-verify",
                    "-cades",
                    "-binary",
                    "-inform",
                    "DER",
                    "-in",
                    tmp_path / "cms",
                ),
                *("-content", tmp_path / "content", "-attime", str(int(SIGNED.timestamp()))),
                *("-purpose", "any", "-CAfile", pem(tmp_path / "root.pem"), "-out", tmp_path / "out"),
            )
            assert answer.returncode == 0, (name, answer.stderr)


def test_zip_tools_read_them_and_the_media_type_stands_at_its_place(tmp_path: Path) -> None:
    for path, kind in ((asic_e(tmp_path), b"e"), (asic_s(tmp_path), b"s")):
        two = further(path, KEYS["p384"], f"two{path.suffix}")
        lasting = archived(with_material(two, f"kept{path.suffix}"), f"lasting{path.suffix}")
        head = lasting.read_bytes()[:80]
        assert head[30:].startswith(b"mimetypeapplication/vnd.etsi.asic-" + kind + b"+zipPK\x03\x04")
        assert (head[8:10], head[28:30]) == (b"\0\0", b"\0\0")
        assert list(members(lasting).values())[1] == next(iter(FILES.values()))
        if shutil.which("unzip") is None:
            pytest.skip("no unzip on this machine")
        answer = run("unzip", "-tq", lasting)
        assert answer.returncode == 0, answer.stdout
        assert "No errors detected" in answer.stdout


def test_no_container_of_the_corpus_passes_for_what_it_is_not() -> None:
    found = sorted(CORPUS.glob("asic/*"))
    if not found:
        pytest.skip("the corpus is not beside the repository")
    seen = {}
    for path in found:
        try:
            report = validate(path, OFF)
            seen[path.name] = [str(each.conclusion.indication) for each in report.signatures]
        except PeceteError as refusal:
            seen[path.name] = [refusal.reason]
    assert seen["removed-doc.asice"] == ["INDETERMINATE"]
    assert not any("TOTAL_PASSED" in verdicts for verdicts in seen.values()), seen
