"""`pecete` as people and programs use it; the client behind it is one that only remembers."""

import getpass
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner, Result

from pecete.archive.v1.archive_pb2 import DescriptiveRecord, Record, RecordProof
from pecete.cli import app
from pecete.commands import documents, records, signing, status, validation
from pecete.documents.v1.documents_pb2 import Document
from pecete.errors import FailedPreconditionError, PeceteError
from pecete.signing.v1.signing_pb2 import (
    PIN_TRIES_ONE,
    QC_TYPE_ESEAL,
    SIGNATURE_ALGORITHM_ECDSA_SHA256,
    AugmentSignatureResponse,
    QcStatements,
    Signature,
    SignDocumentResponse,
    SigningKey,
    SigningKeyNotice,
)
from pecete.validation.v1.validation_pb2 import (
    INDICATION_TOTAL_FAILED,
    INDICATION_TOTAL_PASSED,
    SignatureVerdict,
    ValidationReport,
)
from pecete.workflow.v1.workflow_pb2 import STEP_STATE_DUE, STEP_STATE_SIGNED, Dossier, DossierStep

SIGNED = b"%PDF signed"
TIME = Timestamp(seconds=1_741_953_600)  # 2025-03-14T12:00:00Z
KEYS = [
    SigningKey(
        name=f"signingKeys/{start}{'0' * 60}",
        display_name=owner,
        token="hsm",  # noqa: S106 - the name of a token
        pin_required=pin,
        algorithm=SIGNATURE_ALGORITHM_ECDSA_SHA256,
        not_after_time=TIME,
    )
    for start, owner, pin in (("abc1", "Ana Pop", False), ("abd2", "Ion Dobre", True))
]
Run = Callable[..., Result]


class Recorder:
    """Stands for the client: remembers the calls and gives prepared answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.fault: PeceteError | None = None
        self.verdicts = [INDICATION_TOTAL_PASSED]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> object:
            self.calls.append((method, arguments, options))
            if self.fault is not None:
                raise self.fault
            return getattr(self, f"_{method}")(*arguments)

        return call

    def _upload(self, file: Path) -> Document:
        content = file.read_bytes()
        digest = hashlib.sha256(content).digest()
        return Document(name="documents/1", size_bytes=len(content), sha256=digest, create_time=TIME)

    def _download(self, name: str, target: Path) -> Document:
        target.write_bytes(SIGNED)
        return Document(name=name, size_bytes=len(SIGNED), sha256=hashlib.sha256(SIGNED).digest())

    def _list_signing_keys(self) -> Iterator[SigningKey]:
        return iter(KEYS)

    def _sign(self, document: Document, key: str) -> SignDocumentResponse:
        signature = Signature(field_name="Signature1", signing_key=key, signing_time=TIME)
        return SignDocumentResponse(document=Document(name="documents/2"), signature=signature)

    def _augment(self, document: str) -> AugmentSignatureResponse:
        return AugmentSignatureResponse(document=Document(name="documents/3"))

    def _validate(self, document: object) -> ValidationReport:
        verdicts = [SignatureVerdict(field="Signature1", signer="Ana", indication=it) for it in self.verdicts]
        told = [{"explanation": "because"} for _ in verdicts]
        report: dict[str, object] = {"file": "", "error": None, "signatures": told, "seconds": 0.1}
        return ValidationReport(signatures=verdicts, report_json=json.dumps(report))

    def _archive(self, document: object, description: DescriptiveRecord) -> Record:
        return Record(name="records/1", descriptive_record=description, create_time=TIME)

    def _record_proof(self, name: str) -> RecordProof:
        return RecordProof(record=name, proof_json='{"version": 1}', journal_public_key="PEM")

    def _get_dossier(self, name: str) -> Dossier:
        steps = [
            DossierStep(name=f"{name}/steps/1", capacity="Secretar", state=STEP_STATE_SIGNED, sign_time=TIME),
            DossierStep(name=f"{name}/steps/2", capacity="Primar", state=STEP_STATE_DUE),
        ]
        return Dossier(name=name, state=Dossier.STATE_IN_PROGRESS, steps=steps, update_time=TIME)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    for module in (documents, records, signing, status, validation):
        monkeypatch.setattr(module, "connect", lambda context: recorder)
    return recorder


@pytest.fixture
def run() -> Run:
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def act(tmp_path: Path) -> Path:
    (tmp_path / "act.pdf").write_bytes(b"%PDF")
    return tmp_path / "act.pdf"


def test_upload_prints_the_name(client: Recorder, run: Run, act: Path) -> None:
    assert run("upload", act).stdout.splitlines()[0] == "documents/1"
    assert client.calls[0][1] == (act,)


def test_json_is_one_object(client: Recorder, run: Run, act: Path) -> None:
    shown = json.loads(run("upload", act, "--json").stdout)
    assert shown == {
        "name": "documents/1",
        "display_name": "",
        "sha256": hashlib.sha256(b"%PDF").hexdigest(),
        "size_bytes": 4,
        "media_type": "",
        "create_time": "2025-03-14T12:00:00Z",
    }


def test_sign_uploads_signs_and_downloads(client: Recorder, run: Run, act: Path) -> None:
    result = run("sign", act, "--key", "abc", "--capacity", "Primar", "--level", "B-B", "--page", "2")
    assert result.exit_code == 0, result.output
    assert [method for method, *_ in client.calls] == ["list_signing_keys", "upload", "sign", "download"]
    _, arguments, options = client.calls[2]
    assert arguments == (Document(name="documents/1", **_facts(b"%PDF")), KEYS[0].name)
    assert (options["level"], options["visible"].capacity, options["visible"].page) == ("B-B", "Primar", 2)
    assert "pin" not in options
    assert act.with_name("act-signed.pdf").read_bytes() == SIGNED


def test_sign_says_what_the_signature_states(client: Recorder, run: Run, act: Path) -> None:
    stated = ("--certify", "form-filling", "--lock", "fields", "--commitment", "proof-of-approval")
    assert run("sign", act, "--key", "abc", "--field", "Primar", *stated).exit_code == 0
    options = client.calls[2][2]
    assert (options["certification"], options["lock"]) == ("form-filling", "fields")
    assert (options["commitment"], options["field_name"]) == ("proof-of-approval", "Primar")


def _facts(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).digest(), "create_time": TIME}


def test_augment_uploads_raises_and_downloads(client: Recorder, run: Run, act: Path) -> None:
    result = run("augment", act, "--level", "B-LT", "--field", "Primar")
    assert result.exit_code == 0, result.output
    assert [method for method, *_ in client.calls] == ["upload", "augment", "download"]
    assert client.calls[1][1:] == (
        ("documents/1",),
        {"level": "B-LT", "field_name": "Primar", "detached": None},
    )
    assert act.with_name("act-B-LT.pdf").read_bytes() == SIGNED


def test_augment_of_a_document_that_is_there_writes_no_file(client: Recorder, run: Run) -> None:
    result = run("augment", "documents/1", "--json")
    assert [method for method, *_ in client.calls] == ["augment"]
    shown = json.loads(result.stdout)
    assert (shown["document"]["name"], shown["level"]) == ("documents/3", "B-LTA")
    assert "file" not in shown


def test_the_pin_is_asked_for_on_the_terminal(
    client: Recorder, run: Run, act: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "4711"

    monkeypatch.setattr("getpass.getpass", ask)
    result = run("sign", act, "--key", "abd2", "--out", act.with_name("out.pdf"), "--json")
    assert asked == ["PIN of hsm (Ion Dobre): "]
    assert client.calls[2][2]["pin"] == "4711"
    assert "4711" not in result.output
    assert json.loads(result.stdout)["file"] == str(act.with_name("out.pdf"))


def test_the_pin_is_not_asked_for_where_it_would_be_shown(
    client: Recorder, run: Run, act: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(prompt: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return "4711"

    monkeypatch.setattr("getpass.getpass", ask)
    result = run("sign", act, "--key", "abd2")
    assert result.exit_code == 1 and "TERMINAL_MISSING (pin)" in result.stderr
    assert [method for method, *_ in client.calls] == ["list_signing_keys"]


def test_sign_has_no_option_for_the_pin(run: Run, act: Path) -> None:
    assert run("sign", act, "--key", "abc", "--pin", "4711").exit_code == 2


@pytest.mark.parametrize(("key", "reason"), [("ab", "KEY_AMBIGUOUS"), ("ff", "KEY_NOT_FOUND")])
def test_a_key_must_be_one(client: Recorder, run: Run, act: Path, key: str, reason: str) -> None:
    result = run("sign", act, "--key", key)
    assert result.exit_code == 1 and f"{reason} (key)" in result.stderr
    assert [method for method, *_ in client.calls] == ["list_signing_keys"]


def test_a_signed_file_is_not_overwritten_unasked(client: Recorder, run: Run, act: Path) -> None:
    act.with_name("act-signed.pdf").write_bytes(b"before")
    assert "FILE_EXISTS (out)" in run("sign", act, "--key", "abc").stderr
    assert act.with_name("act-signed.pdf").read_bytes() == b"before"
    assert client.calls == []


def test_an_error_is_one_sentence(client: Recorder, run: Run, act: Path) -> None:
    client.fault = FailedPreconditionError(
        "PIN_LOCKED", "The PIN is locked.", field="pin", metadata={"request_id": "abc"}
    )
    result = run("keys")
    assert result.exit_code == 1
    assert result.stderr == "pecete: PIN_LOCKED (pin): The PIN is locked. [request abc]\n"
    assert result.stdout == ""


def test_an_error_is_json_where_json_is_wanted(client: Recorder, run: Run) -> None:
    client.fault = FailedPreconditionError("PIN_LOCKED", "The PIN is locked.", field="pin")
    result = run("keys", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "error": {"reason": "PIN_LOCKED", "message": "The PIN is locked.", "field": "pin", "metadata": {}}
    }


def test_a_missing_file_is_wrong_usage(client: Recorder, run: Run, tmp_path: Path) -> None:
    assert run("upload", tmp_path / "none.pdf").exit_code == 2
    assert run("validate", tmp_path / "none.pdf").exit_code == 1
    assert client.calls == []


def test_keys_are_listed(client: Recorder, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    assert "abc100000000" in (shown := run("keys").stdout)
    assert "ECDSA_SHA256" in shown and "Ion Dobre" in shown
    assert "not qualified" in shown
    assert [key["display_name"] for key in json.loads(run("keys", "--json").stdout)["signing_keys"]] == [
        "Ana Pop",
        "Ion Dobre",
    ]


def test_keys_are_shown_with_what_they_declare_and_what_is_wrong(
    client: Recorder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SigningKey(name="signingKeys/ee", token="hsm", token_fault="TOKEN_NOT_PRESENT", days_left=-3)  # noqa: S106
    key.pin_tries = PIN_TRIES_ONE
    key.qc_statements.CopyFrom(
        QcStatements(compliance=True, sscd=True, types=[QC_TYPE_ESEAL], legislation_countries=["CH"])
    )
    for reason, severity in (
        ("CERTIFICATE_EXPIRED", SigningKeyNotice.SEVERITY_REFUSAL),
        ("ALGORITHM_ENDS", SigningKeyNotice.SEVERITY_WARNING),
    ):
        key.notices.add(reason=reason, message=f"About {reason}.", severity=severity)
    monkeypatch.setattr(client, "_list_signing_keys", lambda: iter([key]))
    monkeypatch.setenv("COLUMNS", "150")
    shown = run("keys").stdout
    assert "-3" in shown and "qualified eseal QSCD CH" in shown and "hsm: TOKEN_NOT_PRESENT" in shown
    assert "not asked, tries left: one" in shown
    assert "ee: refused: About CERTIFICATE_EXPIRED." in shown.splitlines()
    assert "ee: warning: About ALGORITHM_ENDS." in shown.splitlines()
    (listed,) = json.loads(run("keys", "--json").stdout)["signing_keys"]
    assert listed["qc_statements"]["types"] == ["QC_TYPE_ESEAL"]
    assert listed["notices"][0]["severity"] == "SEVERITY_REFUSAL"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([INDICATION_TOTAL_PASSED], 0),
        ([INDICATION_TOTAL_PASSED, INDICATION_TOTAL_FAILED], 1),
        ([], 1),
    ],
)
def test_the_verdict_is_the_exit_code(
    client: Recorder, run: Run, act: Path, verdicts: list[Any], code: int
) -> None:
    client.verdicts = verdicts
    assert run("validate", act).exit_code == code
    result = run("validate", act, "--json")
    assert result.exit_code == code
    told = [{"explanation": "because"} for _ in verdicts]
    assert json.loads(result.stdout) == {"file": str(act), "error": None, "signatures": told, "seconds": 0.1}


def test_a_verdict_is_shown(client: Recorder, run: Run, act: Path) -> None:
    shown = run("validate", act, "--time", "2025-03-14T12:00:00Z").stdout
    assert "TOTAL_PASSED Ana" in shown and "because" in shown
    assert client.calls[0][2]["at"].isoformat() == "2025-03-14T12:00:00+00:00"
    for time in ("yesterday", "2025-03-14T12:00:00"):
        assert "TIME_MALFORMED (time)" in run("validate", act, "--time", time).stderr


def test_archive_sends_the_descriptive_record(client: Recorder, run: Run, act: Path) -> None:
    said = {
        "owner": "o",
        "issuer": "i",
        "rights-holder": "r",
        "history": "h",
        "type": "t",
        "classification": "c",
    }
    said |= {"issue-date": "2025-03-14", "retention": "P", "kind": "copy"}
    options = [part for name, value in said.items() for part in (f"--{name}", value)]
    result = run("archive", act, *options, "--keyword", "a", "--keyword", "b")
    assert result.stdout.splitlines()[0] == "records/1", result.output
    _, arguments, kept = client.calls[0]
    assert arguments[0] == act
    assert arguments[1] == DescriptiveRecord(
        owner="o",
        issuer="i",
        rights_holder="r",
        history="h",
        document_type="t",
        classification="c",
        keywords=["a", "b"],
        issue_date="2025-03-14",
        retention="P",
    )
    assert kept == {"kind": "copy"}


def test_a_proof_is_written(client: Recorder, run: Run, tmp_path: Path) -> None:
    assert run("proof", "records/1", "--out", tmp_path / "proof.json").stdout.endswith("PEM\n")
    assert (tmp_path / "proof.json").read_text() == '{"version": 1}'


def test_status_shows_who_signed_and_whose_turn_it_is(client: Recorder, run: Run) -> None:
    shown = run("status", "dossiers/7").stdout
    assert "in progress since 2025-03-14" in shown
    assert [line.split()[1:3:1] for line in shown.splitlines()[-2:]] == [
        ["Secretar", "signed"],
        ["Primar", "due"],
    ]
    assert "NAME_UNKNOWN (name)" in run("status", "acts/7").stderr


def test_help_names_every_command(run: Run) -> None:
    commands = ["upload", "download", "sign", "validate", "archive", "status", "keys", "proof"]
    shown = run("--help").stdout
    assert all(f"  {command} " in shown for command in [*commands, "verify-timestamp", "verify-proof"])


def test_plaintext_leaves_no_machine(run: Run) -> None:
    result = run("--server", "example.ro:7443", "--plaintext", "keys")
    assert result.exit_code == 1 and "PLAINTEXT_NOT_LOOPBACK (server)" in result.stderr
