"""Faults of what the service leans on: each is a typed error, nothing half stays, and the server goes on."""

import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pikepdf
import pytest
from cryptography import x509

from pecete.client import Client
from pecete.errors import (
    FailedPreconditionError,
    PeceteError,
    ResourceExhaustedError,
    UnavailableError,
)
from pecete.retry import RetryPolicy
from server.trial import DEPARTMENT, SEAL, Settings, Trial, TrialServer, make_trial, running_server
from softhsm.pki import Holder
from softhsm.provision import CITY_HALL, TokenPlan
from tests.conftest import free_port
from tests.e2e.observation import calls_in_flight, count_documents, until, workers

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
MAYOR = "primar"
EXPIRED = TokenPlan("expirat", "p256", Holder("Ion Fost", "Primar", "Ion", "Fost"), life=timedelta(days=30))
MISTYPED = TokenPlan("gresit", "p256", Holder("Ana Grabă", "Viceprimar", "Ana", "Grabă"))
WRONG_PIN = "00000000"


def signing_refusal(
    client: Client, document: str, key: str, pin: str = "", level: str = "B-B"
) -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        client.sign(document, key, pin=pin, level=level)
    return refused.value


@contextmanager
def once(server: TrialServer, principal: str) -> Iterator[Client]:
    """Connect a client that tries nothing again: what is unavailable shows at once."""
    credentials = server.credentials(principal)
    with Client(server.addresses["grpc"], credentials, retry=RetryPolicy(attempts=1)) as client:
        yield client


# A time-stamping authority of others


class Babbler(BaseHTTPRequestHandler):
    """An authority that answers with what is no time-stamp."""

    body: ClassVar[bytes] = b"\x30\x03\x02\x01\x00"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def poor(
    tmp_path_factory: pytest.TempPathFactory, authority_port: int, trial: Trial
) -> Iterator[TrialServer]:
    """A city hall that has its time-stamps from elsewhere, an expired certificate and a mistyped PIN."""
    seal = next(plan for plan in CITY_HALL if plan.label == SEAL)
    folder = tmp_path_factory.mktemp("poor")
    made = make_trial(folder, Settings(plans=(seal, EXPIRED, MISTYPED), workers=2))
    pin = folder / "mistyped.pin"
    pin.write_text(WRONG_PIN)
    foreign = (
        "[timestamping.external]\n"
        f'url = "http://127.0.0.1:{authority_port}/"\ntrust = ["{trial.provisioned.root}"]\n'
    )
    text = made.configuration.read_text(encoding="utf-8")
    text = re.sub(r"(?s)\[timestamping\].*?(?=\[validation\])", lambda _found: foreign, text)
    token = f'token_label = "{MISTYPED.label}"\n'
    text = text.replace(token, token + f'pin = {{ file = "{pin}" }}\n')
    owner = f'"principals/{MISTYPED.label}"'
    text = text.replace(f"owner = {owner}", f"allowed = [{owner}]")
    made.configuration.write_text(text, encoding="utf-8")
    with running_server(made, folder / "server.log") as server:
        yield server


def test_an_unreachable_authority_lowers_no_level_and_loses_no_signature(
    poor: TrialServer, disposition: Path
) -> None:
    key = poor.trial.signing_key(SEAL)
    with once(poor, DEPARTMENT) as department:
        document = department.upload(disposition)
        before = count_documents(poor.trial)
        refused = signing_refusal(department, document.name, key, level="B-T")
        assert isinstance(refused, UnavailableError)
        assert (refused.reason, refused.field) == ("TIMESTAMP_AUTHORITY_UNREACHABLE", "timestamp_authority")
        assert (refused.metadata["reached"], refused.metadata["resume"]) == ("B-B", "AugmentSignature")
        assert count_documents(poor.trial) == before + 1
        (verdict,) = department.validate(refused.metadata["document"]).signatures
        assert (verdict.level, list(verdict.timestamps)) == ("PAdES-BASELINE-B", [])
        signed = department.sign(document.name, key, level="B-B")
        (verdict,) = department.validate(signed.document.name).signatures
        assert (verdict.level, list(verdict.timestamps)) == ("PAdES-BASELINE-B", [])


def test_an_authority_that_babbles_is_not_believed(
    poor: TrialServer, disposition: Path, authority_port: int
) -> None:
    babbling = ThreadingHTTPServer(("127.0.0.1", authority_port), Babbler)
    threading.Thread(target=babbling.serve_forever, daemon=True).start()
    try:
        with once(poor, DEPARTMENT) as department:
            document = department.upload(disposition)
            before = count_documents(poor.trial)
            key = poor.trial.signing_key(SEAL)
            refused = signing_refusal(department, document.name, key, level="B-T")
            assert isinstance(refused, UnavailableError)
            assert (refused.reason, refused.field) == ("TIMESTAMP_NOT_BELIEVED", "timestamp_authority")
            assert count_documents(poor.trial) == before + 1
            (verdict,) = department.validate(refused.metadata["document"]).signatures
            assert list(verdict.timestamps) == []
    finally:
        babbling.shutdown()
        babbling.server_close()


# Tokens


def test_an_expired_certificate_signs_nothing(poor: TrialServer, disposition: Path) -> None:
    trial = poor.trial
    with once(poor, DEPARTMENT) as department, once(poor, EXPIRED.label) as former:
        document = department.upload(disposition)
        key, pin = trial.signing_key(EXPIRED.label), trial.pin(EXPIRED.label)
        refused = signing_refusal(former, document.name, key, pin)
    assert isinstance(refused, FailedPreconditionError)
    assert (refused.reason, refused.field) == ("CERTIFICATE_EXPIRED", "signing_key")


FLAGS = """
import sys
from signer.tokens.module import load
module, label, pin = sys.argv[1:]
token = load(module).get_token(token_label=label)
if pin:
    token.open(user_pin=pin).close()
print(int(token.slot.get_token().flags))
"""
"""Tells a token's flags from a process of its own, after a login where a PIN is given."""

USER_PIN_COUNT_LOW = 0x10000
"""Flag of a token whose PIN was tried wrongly since the last right login (PKCS#11 v2.40 §3.2)."""


def was_tried_wrongly(trial: Trial, label: str, pin: str = "") -> bool:
    """Ask the token; with its right PIN it forgets the tries."""
    command = [sys.executable, "-c", FLAGS, str(trial.provisioned.module), label, pin]
    done = subprocess.run(command, env=trial.environment, check=True, capture_output=True, text=True)
    return bool(int(done.stdout) & USER_PIN_COUNT_LOW)


def test_a_wrong_configured_pin_is_tried_once_and_harms_nobody_else(
    poor: TrialServer, disposition: Path
) -> None:
    trial = poor.trial
    with once(poor, DEPARTMENT) as department, once(poor, MISTYPED.label) as deputy:
        document = department.upload(disposition).name
        key = trial.signing_key(MISTYPED.label)
        first = signing_refusal(deputy, document, key)
        assert isinstance(first, FailedPreconditionError)
        assert (first.reason, first.field) == ("PIN_INCORRECT", "pin")
        assert was_tried_wrongly(trial, MISTYPED.label)
        assert not was_tried_wrongly(trial, MISTYPED.label, trial.pin(MISTYPED.label))
        with ThreadPoolExecutor(8) as pool:
            refusals = list(pool.map(lambda _number: signing_refusal(deputy, document, key), range(8)))
        assert {each.reason for each in refusals} == {"PIN_INCORRECT"}
        assert not was_tried_wrongly(trial, MISTYPED.label)
        department.sign(document, trial.signing_key(SEAL), level="B-B")


def token_folder(trial: Trial, label: str) -> Path:
    """Find the folder in which SoftHSM keeps a token."""
    folders = (trial.provisioned.configuration.parent / "tokens").iterdir()
    return next(each for each in folders if label.encode() in (each / "token.object").read_bytes())


def test_a_token_that_vanishes_is_unavailable_and_works_when_it_is_back(
    server: TrialServer, department: Client, disposition: Path, tmp_path: Path
) -> None:
    trial, label = server.trial, "contabil"
    document = department.upload(disposition).name
    key, pin = trial.signing_key(label), trial.pin(label)
    folder, away = token_folder(trial, label), tmp_path / "away"
    with once(server, label) as accountant:
        accountant.sign(document, key, pin=pin)
        folder.rename(away)
        try:
            for _ in range(2):
                refused = signing_refusal(accountant, document, key, pin)
                assert isinstance(refused, UnavailableError)
                assert (refused.reason, refused.field) == ("TOKEN_NOT_PRESENT", "signing_key")
            department.sign(document, trial.signing_key(SEAL))
        finally:
            away.rename(folder)
        accountant.sign(document, key, pin=pin)


def replace_file(file: Path, content: bytes) -> None:
    """Put a new file in a file's place, as whoever fetches lists does."""
    successor = file.with_suffix(".new")
    successor.write_bytes(content)
    successor.replace(file)


def test_a_certificate_that_a_configured_list_revokes_signs_nothing(
    poor: TrialServer, disposition: Path
) -> None:
    made, key = poor.trial.provisioned, poor.trial.signing_key(SEAL)
    seal = x509.load_der_x509_certificate(made.token(SEAL).certificate)
    now = datetime.now(UTC)
    _, revoking = made.pki.revocation_lists(now, revoked=[(seal, now - timedelta(days=1))])
    file = made.revocation_lists[1]
    clean = file.read_bytes()
    with once(poor, DEPARTMENT) as department:
        document = department.upload(disposition).name
        replace_file(file, revoking)
        try:
            refused = signing_refusal(department, document, key)
        finally:
            replace_file(file, clean)
        assert (refused.reason, refused.field) == ("CERTIFICATE_REVOKED", "signing_key")
        department.sign(document, key, level="B-B")


# Worker processes


def test_work_of_killed_workers_is_done_by_new_ones(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    document = department.upload(disposition).name
    key = server.trial.signing_key(SEAL)
    department.sign(document, key)
    doomed = workers(server)
    for worker in doomed:
        worker.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(department.sign, document, key) for _ in range(8)]
        until("the calls under way", lambda: calls_in_flight(server) >= len(calls))
        for worker in doomed:
            worker.kill()
        signed = {call.result().document.name for call in calls}
    assert len(signed) == len(calls)
    assert {worker.pid for worker in workers(server)}.isdisjoint(worker.pid for worker in doomed)


def test_a_lost_judge_is_an_error_of_one_call(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    document = department.upload(disposition).name
    department.validate(document)
    before = workers(server)
    with ThreadPoolExecutor(1) as pool:
        for worker in before:
            worker.send_signal(signal.SIGSTOP)
        call = pool.submit(department.validate, document)
        until("the call under way", lambda: calls_in_flight(server) >= 1)
        for worker in before:
            worker.kill()
        error = call.exception()
    assert isinstance(error, ResourceExhaustedError | None)
    assert list(department.validate(document).signatures) == []


# Disks


@contextmanager
def full_disk(server: TrialServer, limit: int) -> Iterator[None]:
    """Let no file of the server grow beyond a limit, as if the disk were full."""
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def padded(source: Path, target: Path, size: int) -> bytes:
    """Give a PDF that is a few hundred bytes longer than the source and the padding of this size."""
    with pikepdf.open(source) as pdf:
        pdf.Root.Padding = pdf.make_stream(bytes(size))
        pdf.save(target, compress_streams=False, object_stream_mode=pikepdf.ObjectStreamMode.preserve)
    return target.read_bytes()


def test_a_full_disk_refuses_what_is_too_long_and_keeps_nothing_of_it(
    server: TrialServer, department: Client, disposition: Path, tmp_path: Path
) -> None:
    limit = 16 * MIB
    key = server.trial.signing_key(SEAL)
    bare = len(padded(disposition, tmp_path / "bare.pdf", 0))
    whole = padded(disposition, tmp_path / "padded.pdf", limit - bare - 1024)
    assert limit - 2048 < len(whole) < limit
    with full_disk(server, limit):
        before = count_documents(server.trial)
        with pytest.raises(ResourceExhaustedError) as refused:
            department.upload(bytes(limit + 1))
        assert refused.value.reason == "STORAGE_FULL"
        assert count_documents(server.trial) == before
        document = department.upload(whole).name
        full = signing_refusal(department, document, key)
        assert isinstance(full, ResourceExhaustedError)
        assert full.reason == "STORAGE_FULL"
        assert count_documents(server.trial) == before + 1
        department.sign(department.upload(disposition).name, key)
    department.sign(document, key)
