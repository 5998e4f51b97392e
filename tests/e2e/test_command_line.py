"""`pecete` and `pecete-server` as people and scripts run them: processes, exit codes, JSON, a PIN prompt."""

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pecete.archive.v1.archive_pb2 import DescriptiveRecord
from pecete.client import Client
from server.initialise import CREDENTIALS
from server.trial import DEPARTMENT, ORIGIN, SEAL, Trial, TrialServer
from tests.e2e.observation import pecete_server, until

pytestmark = pytest.mark.e2e

PECETE = Path(sys.executable).with_name("pecete")
MAYOR = "primar"


def environment(server: TrialServer, principal: str = DEPARTMENT) -> dict[str, str]:
    """Give what tells `pecete` where the service is and who calls."""
    return {
        **os.environ,
        "PECETE_SERVER": server.addresses["grpc"],
        "PECETE_CREDENTIALS": str(server.trial.directory / CREDENTIALS),
        "PECETE_TOKEN": server.trial.api_tokens[principal],
    }


def pecete(server: TrialServer, *arguments: str | Path, code: int = 0) -> str:
    """Run a command as the registry and give what it printed."""
    done = subprocess.run(
        [PECETE, *arguments], env=environment(server), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def pecete_json(server: TrialServer, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    shown = json.loads(pecete(server, *arguments, "--json", code=code))
    assert isinstance(shown, dict)
    return shown


def short_key(server: TrialServer, label: str) -> str:
    return server.trial.certificate_sha256(label).hex()[:12]


def test_files_that_are_no_pdf_are_signed_raised_and_judged(server: TrialServer, tmp_path: Path) -> None:
    act, annex = tmp_path / "act.txt", tmp_path / "anexa.txt"
    act.write_text("Hotărârea nr. 7\n", encoding="utf-8")
    annex.write_text("Anexa nr. 1\n", encoding="utf-8")
    key = ("--key", short_key(server, SEAL))
    answer = pecete_json(server, "sign", act, annex, *key, "--format", "asic-e", "--level", "B-LT")
    assert (answer["file"], answer["document"]["display_name"]) == (f"{act}.asice", "act.txt.asice")
    more = pecete_json(server, "sign", f"{act}.asice", *key)
    assert more["file"] == str(tmp_path / "act.txt-signed.asice")
    report = pecete_json(server, "validate", more["file"])
    assert [each["indication"] for each in report["signatures"]] == ["TOTAL_PASSED"] * 2

    pecete(server, "sign", act, *key, "--format", "cades")
    raised = tmp_path / "raised.p7s"
    pecete(server, "augment", f"{act}.p7s", "--detached", act, "--out", raised)
    report = pecete_json(server, "validate", raised, "--detached", act)
    assert [each["level"] for each in report["signatures"]] == ["CAdES-BASELINE-LTA"]
    pecete(server, "validate", raised, code=1)
    pecete(server, "sign", act, annex, *key, "--format", "asic-s", code=1)


def test_a_document_goes_all_the_way(
    server: TrialServer, disposition: Path, description: DescriptiveRecord, tmp_path: Path
) -> None:
    uploaded = pecete_json(server, "upload", disposition)
    assert uploaded["sha256"] == hashlib.sha256(disposition.read_bytes()).hexdigest()
    assert pecete_json(server, "status", str(uploaded["name"])) == uploaded

    (key,) = pecete_json(server, "keys")["signing_keys"]
    assert (key["token"], key["pin_required"]) == (SEAL, False)
    signed = tmp_path / "signed.pdf"
    answer = pecete_json(server, "sign", disposition, "--key", short_key(server, SEAL), "--out", signed)
    assert answer["document"]["sha256"] == hashlib.sha256(signed.read_bytes()).hexdigest()

    report = pecete_json(server, "validate", signed)
    assert [each["indication"] for each in report["signatures"]] == ["TOTAL_PASSED"]
    pecete(server, "validate", disposition, code=1)

    fields = {
        "--owner": description.owner,
        "--issuer": description.issuer,
        "--rights-holder": description.rights_holder,
        "--history": description.history,
        "--type": description.document_type,
        "--classification": description.classification,
        "--keyword": description.keywords[0],
        "--issue-date": description.issue_date,
        "--retention": description.retention,
    }
    options = [part for pair in fields.items() for part in pair]
    record = pecete_json(server, "archive", signed, *options)
    assert record["sha256"] == answer["document"]["sha256"]
    prove(server, str(record["name"]), signed, tmp_path)


def prove(server: TrialServer, record: str, document: Path, folder: Path) -> None:
    """Fetch a record's proof once it is there and check it offline, with the right document and another."""
    proof, key = folder / "proof.json", folder / "journal.pub.pem"

    def fetch() -> bool:
        done = subprocess.run(
            [PECETE, "proof", record, "--out", proof, "--json"],
            env=environment(server),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            key.write_text(json.loads(done.stdout)["journal_public_key"])
        return done.returncode == 0 and json.loads(proof.read_text())["timestamp_token"] is not None

    until("the record's proof", fetch)
    check = (
        "verify-proof",
        proof,
        "--key",
        key,
        "--origin",
        ORIGIN,
        "--trust",
        server.trial.provisioned.root,
    )
    assert pecete_json(server, *check, "--data", document)["record"] == record
    other = folder / "other"
    other.write_bytes(b"other")
    refused = pecete_json(server, *check, "--data", other, code=1)
    assert refused["error"]["reason"] == "DOCUMENT_ALTERED"


def test_the_pin_is_asked_for_on_the_terminal_and_not_shown(
    server: TrialServer, disposition: Path, tmp_path: Path
) -> None:
    pin = server.trial.pin(MAYOR)
    target = tmp_path / "signed.pdf"
    terminal, far_end = pty.openpty()
    with subprocess.Popen(
        [PECETE, "sign", disposition, "--key", short_key(server, MAYOR), "--out", target, "--json"],
        env=environment(server, MAYOR),
        stdin=far_end,
        stdout=subprocess.PIPE,
        stderr=far_end,
        start_new_session=True,
    ) as process:
        os.close(far_end)
        assert process.stdout is not None
        shown = b""
        while b"PIN of primar" not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, pin.encode() + b"\n")
        answer = process.stdout.read()
        assert process.wait() == 0
        try:
            while more := os.read(terminal, 1024):
                shown += more
        except OSError:
            pass  # how a terminal ends whose other side is closed
    os.close(terminal)
    assert json.loads(answer)["signature"]["signing_key"] == server.trial.signing_key(MAYOR)
    assert target.read_bytes().startswith(disposition.read_bytes())
    assert pin.encode() not in shown + answer


def test_a_dossier_is_shown_to_people(
    server: TrialServer, department: Client, procedure: str, disposition: Path
) -> None:
    persons = {MAYOR: "persons/primar", "secretar-general": "persons/secretar-general"}
    dossier = department.create_dossier(disposition, procedure, persons, display_name="Dispoziția nr. 31")
    shown = pecete(server, "status", dossier.name)
    assert "Dispoziția nr. 31: in progress" in shown
    assert re.search(r"1 +Primar +persons/primar +due", shown)
    assert re.search(r"2 +Secretar general +persons/secretar-general +waiting", shown)


def test_an_error_is_json_and_a_sentence(server: TrialServer) -> None:
    refused = pecete_json(server, "status", "documents/nosuch", code=1)
    assert refused["error"]["reason"] == "DOCUMENT_NOT_FOUND"


# pecete-server


def test_init_overwrites_nothing(trial: Trial) -> None:
    before = {path: path.read_bytes() for path in trial.directory.glob("**/*.pem")}
    command = [sys.executable, "-m", "server.cli", "init", str(trial.directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ALREADY_INITIALISED" in done.stderr
    assert {path: path.read_bytes() for path in trial.directory.glob("**/*.pem")} == before


def test_check_reads_everything_and_starts_nothing(trial: Trial) -> None:
    done = pecete_server(trial, "serve", "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("found", "put", "key", "reason"),
    [
        ("[server]", "[server]\nlissen = 1", "server.lissen", "CONFIGURATION_UNKNOWN_KEY"),
        ("[server]", "[sever]\n[server]", "sever", "CONFIGURATION_UNKNOWN_KEY"),
        ('"journal.key"', '"nosuch.key"', "journal.key", "CONFIGURATION_PATH_UNREADABLE"),
        ("/sigiliu.pin", "/nosuch.pin", "tokens[3].pin", "CONFIGURATION_SECRET_MISSING"),
        ('directory = "data"', 'directory = "nosuch"', "storage.directory", "CONFIGURATION_PATH_UNREADABLE"),
        ("checkpoint_seconds = 1", "checkpoint_seconds = 0", "journal.checkpoint_seconds", "WRONG_VALUE"),
    ],
)
@pytest.mark.parametrize("check", [("--check",), ()], ids=["check", "start"])
def test_what_is_wrong_in_the_configuration_is_named_and_stops_the_start(
    trial: Trial, check: tuple[str, ...], found: str, put: str, key: str, reason: str
) -> None:
    text = trial.configuration.read_text(encoding="utf-8")
    assert text.count(found) == 1
    wrong = trial.configuration.with_name(f"wrong-{os.getpid()}.toml")
    wrong.write_text(text.replace(found, put), encoding="utf-8")
    try:
        done = pecete_server(replace(trial, configuration=wrong), "serve", *check)
    finally:
        wrong.unlink()
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert f"({key})" in done.stderr


def test_validate_judges_without_a_server(
    server: TrialServer, department: Client, disposition: Path, tmp_path: Path
) -> None:
    signed, broken = tmp_path / "signed.pdf", tmp_path / "broken.pdf"
    answer = department.sign(disposition, server.trial.signing_key(SEAL))
    department.download(answer.document.name, signed)
    whole = signed.read_bytes()
    broken.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    files = [str(signed), str(broken), str(disposition)]
    root = str(server.trial.provisioned.root)
    command = [sys.executable, "-m", "server.cli", "validate", "--trust", root, "--no-revocation", "--json"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    good, bad, bare = (json.loads(line) for line in done.stdout.splitlines())
    for file, report in zip(files, (good, bad, bare), strict=True):
        assert (report["file"], report["error"]) == (file, None)
        assert report["seconds"] >= 0
    (verdict,) = good["signatures"]
    assert verdict["signer"] == server.trial.provisioned.token(SEAL).plan.holder.common_name
    assert (verdict["field"], verdict["format"], verdict["level"]) == (
        answer.signature.field_name,
        "PAdES",
        "PAdES-BASELINE-T",
    )
    assert (verdict["integrity"], verdict["modification"]) == ("intact", "none")
    assert (verdict["indication"], verdict["sub_indication"]) == ("TOTAL_PASSED", None)
    claimed, proven = (
        datetime.fromisoformat(verdict[f"{kind}_time"]) for kind in ("signing", "best_signature")
    )
    assert claimed <= proven
    assert len(verdict["timestamps"]) == 1
    (verdict,) = bad["signatures"]
    assert (verdict["integrity"], verdict["indication"], verdict["sub_indication"]) == (
        "broken",
        "TOTAL_FAILED",
        "HASH_FAILURE",
    )
    assert bare["signatures"] == []


def test_validate_says_what_it_could_not_read(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("words")
    command = [sys.executable, "-m", "server.cli", "validate", "--json", str(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["error"]["reason"], report["signatures"]) == ("UNSUPPORTED_FORMAT", [])
