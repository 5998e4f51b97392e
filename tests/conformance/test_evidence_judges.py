"""Evidence records: ours judged by DSS and BouncyCastle, and those that BouncyCastle makes judged here."""

import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from pecete.evidence.evidence_verification import Renewal, Verdict, digests_of_file, verify_evidence_record
from tests.conformance import dss
from tests.unit.evidence_writer import archive_timestamp, record
from tests.unit.test_evidence_record import (
    AT,
    BROKEN,
    FIRST_CHAIN,
    H1,
    INITIAL,
    ONE,
    T1,
    TWO,
    WHOLE,
    A,
    B,
    renewals,
)
from tests.unit.validation_documents import ROOT, STAMPER, STAMPER_KEY

pytestmark = [pytest.mark.conformance, pytest.mark.skipif(bool(dss.absence()), reason=dss.absence())]

RECORDS = {name: encoded for name, (encoded, _) in BROKEN.items()} | {
    "initial": record([INITIAL]),
    "time-stamp renewal": record(FIRST_CHAIN),
    "both renewals": WHOLE,
    "no tree": record([archive_timestamp([], T1, imprint=H1)]),
    "an object dropped at the renewal": renewals(b"x" * 64),
}
UNLIKE = {
    "a hash of no digest's length": "DSS takes hashes of any length, so that two joined ones pass for one",
    "an algorithm that nobody believes any more": "DSS leaves SHA-1 to its policy of algorithms",
    "renewal before what it renews": "DSS gives the order of time-stamps no say in the record's indication",
}


def judged(folder: Path, records: dict[str, bytes]) -> dict[str, bool]:
    """Whether DSS passes each record over the first object, with every one of its time-stamps."""
    (folder / "one").write_bytes(ONE)
    (folder / "root.der").write_bytes(ROOT.der)
    lines = []
    for number, encoded in enumerate(records.values()):
        (folder / f"{number}.ers").write_bytes(encoded)
        lines.append(json.dumps({"file": str(folder / f"{number}.ers"), "data": [str(folder / "one")]}))
    options = ["--trust", str(folder / "root.der"), "--no-revocation", "--time", f"{AT:%Y-%m-%dT%H:%M:%SZ}"]
    answer = subprocess.run(
        [dss.JUDGE, "er", "--batch", *options],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    said = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    assert len(said) == len(records), answer.stdout + answer.stderr
    return {name: _passes(each) for name, each in zip(records, said, strict=True)}


def _passes(said: dict[str, list[dict[str, str]]]) -> bool:
    parts = [*said["evidenceRecords"], *said["timestamps"]]
    return bool(said["evidenceRecords"]) and all(each["indication"] == "PASSED" for each in parts)


def test_dss_passes_what_is_intact_and_nothing_else(tmp_path: Path) -> None:
    ours = {
        name: verify_evidence_record(encoded, [A], trust=[ROOT.der], at=AT).verdict is Verdict.INTACT
        for name, encoded in RECORDS.items()
    }
    theirs = judged(tmp_path, RECORDS)
    assert {name for name in RECORDS if ours[name] != theirs[name]} <= UNLIKE.keys()
    assert not any(ours[name] for name in UNLIKE)


def made(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [dss.JUDGE, "er-make", "--tsa", folder / "unit.p12", "--password", "test", *arguments],
        capture_output=True,
        cwd=folder,
        check=True,
    )


def test_what_bouncy_castle_makes_and_renews_is_intact(tmp_path: Path) -> None:
    sealed = pkcs12.serialize_key_and_certificates(
        b"unit", STAMPER_KEY, STAMPER.certificate, [ROOT.certificate], BestAvailableEncryption(b"test")
    )
    (tmp_path / "unit.p12").write_bytes(sealed)
    for name, octets in (("one", ONE), ("two", TWO)):
        (tmp_path / name).write_bytes(octets)
    made(tmp_path, "--group", "--out", "group.ers", "one", "two")
    made(tmp_path, "one", "two")
    made(tmp_path, "--er", "one.er", "--out", "renewed.ers", "one")
    made(tmp_path, "--er", "renewed.ers", "--rehash", "SHA512", "--out", "rehashed.ers", "one")
    group = verify_evidence_record((tmp_path / "group.ers").read_bytes(), [A, B], trust=[ROOT.der])
    assert (group.verdict, group.covered, group.unknown) == (Verdict.INTACT, ("A", "B"), 0)
    one = digests_of_file(tmp_path / "one", ["sha256", "sha512"])
    kinds = list(Renewal)
    for count, name in enumerate(("one.er", "renewed.ers", "rehashed.ers"), 1):
        found = verify_evidence_record((tmp_path / name).read_bytes(), [one], trust=[ROOT.der])
        assert found.verdict is Verdict.INTACT, found.fault
        assert [stamp.renewal for stamp in found.timestamps] == kinds[:count]
