"""Two-phase signing over the wire: the server has no token of these persons, only they see theirs."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pikepdf
import pytest
from sqlalchemy import update

from pecete.client import Client
from pecete.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PeceteError,
    PermissionDeniedError,
)
from pecete.signing.v1.signature_sessions_pb2 import CompleteSignatureResponse, SignatureSession
from pecete.signing.v1.signing_pb2 import (
    CERTIFICATION_FORM_FILLING,
    CERTIFICATION_NO_CHANGES,
    CERTIFICATION_NONE,
    COMMITMENT_TYPE_PROOF_OF_CREATION,
    SIGNATURE_LOCK_FIELDS,
    SignatureLevel,
    VisibleSignature,
)
from pecete.token.session_check import check_session
from pecete.validation.v1.validation_pb2 import INDICATION_TOTAL_PASSED
from pecete.workflow.v1.workflow_pb2 import Dossier
from server import signature_sessions
from server.config import load
from server.database import Database
from server.trial import Trial, TrialServer, running_server, start_server
from tests.conftest import free_port
from tests.e2e.desk import (
    ANA,
    BARBU,
    CORINA,
    Desk,
    make_desk,
    make_dossier,
    make_hall,
    make_procedure,
    prepare,
)
from tests.e2e.observation import acts, count_documents, faults, journal

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="module")
def hall(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return make_hall(tmp_path_factory.mktemp("city"), desk)


@pytest.fixture(scope="module")
def server(hall: Trial, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    with running_server(hall, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running


@pytest.fixture
def ana(server: TrialServer) -> Iterator[Client]:
    with server.client(ANA) as client:
        yield client


def refusal(client: Client, session: str, signature: bytes, request_id: str = "") -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        client.complete_signature(session, signature, request_id=request_id)
    return refused.value


def set_expire_time(trial: Trial, session: SignatureSession, time: int) -> None:
    """Let a session's time pass, as if it had been prepared long ago."""
    table = signature_sessions.signature_sessions
    database = Database(load(trial.configuration, trial.environment).database_url())
    with database.begin() as connection:
        here = table.c.id == session.name.partition("/")[2]
        connection.execute(update(table).where(here).values(expire_time=time))
    database.close()


@pytest.mark.parametrize("level", ["B-B", "B-T"])
@pytest.mark.parametrize("label", [ANA, BARBU, CORINA])
def test_each_kind_of_key_signs_from_its_own_desk(
    server: TrialServer, department: Client, desk: Desk, disposition: Path, label: str, level: str
) -> None:
    document = department.upload(disposition)
    with server.client(label) as person:
        assert list(person.list_signing_keys()) == []
        session = prepare(person, desk, label, document.name, level=level, reason="Avizat")
        check_session(session, disposition, desk.token(label).certificate)
        made = person.complete_signature(session.name, desk.sign(label, session.signed_attributes))
        after = person.get_signature_session(session.name)
    assert (after.state, after.signed_document) == (SignatureSession.STATE_COMPLETED, made.document.name)
    assert SignatureLevel.Name(made.signature.level).endswith(level.replace("-", "_"))
    assert made.signature.signing_key == f"signingKeys/{session.certificate_sha256.hex()}"
    (verdict,) = department.validate(made.document.name).signatures
    assert (verdict.indication, verdict.level) == (INDICATION_TOTAL_PASSED, f"PAdES-BASELINE-{level[-1]}")
    assert verdict.signer == desk.token(label).plan.holder.common_name
    assert verdict.signing_time.seconds == session.signing_time.seconds


def test_what_must_be_shown_is_what_is_there(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    first = prepare(ana, desk, ANA, department.upload(disposition).name, level="B-B")
    signed = ana.complete_signature(first.name, desk.sign(ANA, first.signed_attributes)).document
    shown = VisibleSignature(capacity="Viceprimar", register_number="12/2026")
    with server.client(BARBU) as barbu:
        session = prepare(barbu, desk, BARBU, signed.name, location="Lunca", visible=shown)
    preview = session.preview
    with pikepdf.open(disposition) as pdf:
        assert preview.page_count == len(pdf.pages)
        assert preview.title == str(pdf.docinfo[pikepdf.Name.Title])
    assert (preview.display_name, preview.size_bytes) == (disposition.name, signed.size_bytes)
    assert (preview.document_sha256, preview.signer) == (signed.sha256, "Barbu Știrbei")
    assert (preview.location, preview.visible_signature) == ("Lunca", shown)
    (earlier,) = preview.earlier_signatures
    assert (earlier.signer, earlier.indication) == ("Ana Țepeș", INDICATION_TOTAL_PASSED)
    assert session.expire_time.ToDatetime() - session.create_time.ToDatetime() == timedelta(minutes=10)


def test_a_commitment_is_shown_checked_and_signed(
    department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    wanted = {"commitment": "proof-of-creation", "certification": "no-changes"}
    session = prepare(ana, desk, ANA, department.upload(disposition).name, **wanted)
    assert session.preview.commitment == COMMITMENT_TYPE_PROOF_OF_CREATION
    assert session.preview.certification == CERTIFICATION_NO_CHANGES
    check_session(session, disposition, desk.token(ANA).certificate)
    made = ana.complete_signature(session.name, desk.sign(ANA, session.signed_attributes))
    (verdict,) = department.validate(made.document.name).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED


def test_a_session_makes_one_signature_and_a_retry_gets_it_again(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    session = prepare(ana, desk, ANA, department.upload(disposition).name)
    signature = desk.sign(ANA, session.signed_attributes)
    made = ana.complete_signature(session.name, signature, request_id="complete-once")
    assert ana.complete_signature(session.name, signature, request_id="complete-once") == made
    before = count_documents(server.trial)
    second = refusal(ana, session.name, signature)
    assert isinstance(second, FailedPreconditionError)
    assert (second.reason, second.metadata["document"]) == ("SIGNATURE_SESSION_COMPLETED", made.document.name)
    other = refusal(ana, session.name, signature + b"\0", "complete-once")
    assert isinstance(other, AlreadyExistsError) and other.reason == "REQUEST_ID_REUSED"
    assert count_documents(server.trial) == before
    assert acts(server.trial, session.name) == ["session.prepare", "session.complete"]
    assert acts(server.trial, made.document.name) == ["signature.create"]


def test_preparing_again_with_the_same_request_id_is_one_session(
    department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    document = department.upload(disposition).name
    first = prepare(ana, desk, ANA, document, request_id="prepare-once")
    assert prepare(ana, desk, ANA, document, request_id="prepare-once") == first


def test_wrong_values_are_refused_and_the_right_one_is_still_taken(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    session = prepare(ana, desk, ANA, department.upload(disposition).name)
    before = count_documents(server.trial)
    wrong = (
        b"",
        b"\x30\x00",
        desk.sign(ANA, session.signed_attributes + b"!"),
        desk.sign(BARBU, session.signed_attributes),
    )
    for signature in wrong:
        refused = refusal(ana, session.name, signature)
        assert isinstance(refused, InvalidArgumentError)
        assert (refused.reason, refused.field) == ("SIGNATURE_VALUE_WRONG", "signature")
    assert count_documents(server.trial) == before
    ana.complete_signature(session.name, desk.sign(ANA, session.signed_attributes))


def test_a_session_is_its_callers_alone(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    session = prepare(ana, desk, ANA, department.upload(disposition).name)
    signature = desk.sign(ANA, session.signed_attributes)
    with server.client(BARBU) as barbu:
        for client in (barbu, department):
            refused = refusal(client, session.name, signature)
            assert isinstance(refused, NotFoundError) and refused.reason == "SIGNATURE_SESSION_NOT_FOUND"
            with pytest.raises(NotFoundError):
                client.get_signature_session(session.name)
    ana.complete_signature(session.name, signature)


def test_an_expired_session_is_refused(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    session = prepare(ana, desk, ANA, department.upload(disposition).name)
    signature = desk.sign(ANA, session.signed_attributes)
    set_expire_time(server.trial, session, session.create_time.ToMicroseconds())
    refused = refusal(ana, session.name, signature)
    assert isinstance(refused, FailedPreconditionError) and refused.reason == "SIGNATURE_SESSION_EXPIRED"
    assert ana.get_signature_session(session.name).state == SignatureSession.STATE_EXPIRED
    # fsck has to find the row as it was journalled.
    set_expire_time(server.trial, session, session.expire_time.ToMicroseconds())
    assert faults(server.trial) == []


def test_certificates_that_cannot_sign_are_refused_before_anything_is_prepared(
    server: TrialServer, department: Client, ana: Client, desk: Desk, disposition: Path
) -> None:
    document = department.upload(disposition).name
    certificates = {
        "CERTIFICATE_MALFORMED": b"\x30\x03\x02\x01\x00",
        "CERTIFICATE_USAGE_WRONG": desk.token(ANA).chain[0],
        "CERTIFICATE_TOO_LONG": bytes(70_000),
    }
    for reason, certificate in certificates.items():
        with pytest.raises(PeceteError) as refused:
            ana.prepare_signature(document, certificate)
        assert (refused.value.reason, refused.value.field) == (reason, "certificate")
    for content, reason in ((b"these are words", "NOT_A_PDF"), (b"%PDF-1.7 nothing", "DOCUMENT_DAMAGED")):
        with pytest.raises(InvalidArgumentError, match=reason):
            prepare(ana, desk, ANA, department.upload(content).name)


def test_without_a_time_stamp_nothing_is_lowered_and_the_session_waits(
    desk: Desk, disposition: Path, tmp_path: Path
) -> None:
    trial = make_hall(tmp_path, desk)
    foreign = (
        f'[timestamping]\n[timestamping.external]\nurl = "http://127.0.0.1:{free_port()}/"\n'
        f'trust = ["{trial.provisioned.root}"]\n'
    )
    own = trial.configuration.read_text(encoding="utf-8")
    other = re.sub(r"(?s)\[timestamping\].*?(?=\[validation\])", lambda _found: foreign, own)
    trial.configuration.write_text(other, encoding="utf-8")
    with running_server(trial, tmp_path / "without.log") as server, server.client(ANA) as ana:
        session = prepare(ana, desk, ANA, ana.upload(disposition).name, level="B-T")
        signature = desk.sign(ANA, session.signed_attributes)
        refused = refusal(ana, session.name, signature)
        assert refused.reason == "TIMESTAMP_AUTHORITY_UNREACHABLE"
        assert refused.metadata["reached"] == "B-B"
        assert ana.get_signature_session(session.name) == session
        assert count_documents(trial) == 2
    trial.configuration.write_text(own, encoding="utf-8")
    with running_server(trial, tmp_path / "with.log") as server, server.client(ANA) as ana:
        made = ana.complete_signature(session.name, signature)
        assert made.signature.level == session.level


# A dossier


@pytest.fixture(scope="module")
def procedure(server: TrialServer, desk: Desk) -> str:
    return make_procedure(server, desk)


@pytest.fixture
def dossier(department: Client, procedure: str, disposition: Path) -> Dossier:
    return make_dossier(department, procedure, disposition)


def prepare_step(client: Client, desk: Desk, label: str, dossier: Dossier, number: int) -> SignatureSession:
    token = desk.token(label)
    step = f"{dossier.name}/steps/{number}"
    return client.prepare_step(step, token.certificate, chain=token.chain)


def test_steps_are_signed_from_two_desks(
    server: TrialServer, department: Client, desk: Desk, dossier: Dossier
) -> None:
    for number, label in enumerate((ANA, BARBU), 1):
        with server.client(label) as person:
            session = prepare_step(person, desk, label, dossier, number)
            preview = session.preview
            assert preview.visible_signature.capacity == f"Post {label}"
            assert preview.certification == (CERTIFICATION_NONE if number > 1 else CERTIFICATION_FORM_FILLING)
            assert (session.field_name, preview.lock) == (session.step, SIGNATURE_LOCK_FIELDS)
            assert session.document == department.get_dossier(dossier.name).document
            made = person.complete_signature(session.name, desk.sign(label, session.signed_attributes))
            assert made.dossier == dossier.name
    whole = department.get_dossier(dossier.name)
    assert (whole.state, whole.document) == (Dossier.STATE_SIGNED, made.document.name)
    verdicts = department.validate(whole.document).signatures
    assert [verdict.indication for verdict in verdicts] == [INDICATION_TOTAL_PASSED] * 2
    assert acts(server.trial, f"{dossier.name}/steps/2") == ["step.create", "step.sign"]
    assert faults(server.trial) == []


def test_a_step_is_prepared_only_for_its_signer_in_turn_with_the_enrolled_certificate(
    server: TrialServer, department: Client, ana: Client, desk: Desk, dossier: Dossier
) -> None:
    with server.client(BARBU) as barbu:
        refusals = (
            (barbu, BARBU, 1, "WRONG_SIGNER"),
            (barbu, BARBU, 2, "STEP_OUT_OF_TURN"),
            (ana, CORINA, 1, "WRONG_CERTIFICATE"),
            (department, ANA, 1, "ROLE_REQUIRED"),
        )
        for client, label, number, reason in refusals:
            with pytest.raises((PermissionDeniedError, FailedPreconditionError), match=reason):
                prepare_step(client, desk, label, dossier, number)


def test_a_step_that_was_signed_meanwhile_is_not_signed_again(
    server: TrialServer, ana: Client, desk: Desk, dossier: Dossier
) -> None:
    sessions = [prepare_step(ana, desk, ANA, dossier, 1) for _ in range(2)]
    ana.complete_signature(sessions[0].name, desk.sign(ANA, sessions[0].signed_attributes))
    before = count_documents(server.trial)
    refused = refusal(ana, sessions[1].name, desk.sign(ANA, sessions[1].signed_attributes))
    assert refused.reason == "STEP_ALREADY_SIGNED"
    assert count_documents(server.trial) == before


# Restarts and replicas


def test_a_session_survives_the_server(desk: Desk, disposition: Path, tmp_path: Path) -> None:
    trial = make_hall(tmp_path, desk)
    first = start_server(trial, tmp_path / "first.log")
    with first.client(ANA) as ana:
        session = prepare(ana, desk, ANA, ana.upload(disposition).name)
    first.kill()
    signature = desk.sign(ANA, session.signed_attributes)
    with running_server(trial, tmp_path / "second.log") as second, second.client(ANA) as ana:
        assert ana.get_signature_session(session.name) == session
        made = ana.complete_signature(session.name, signature)
        (verdict,) = ana.validate(made.document.name).signatures
    assert verdict.indication == INDICATION_TOTAL_PASSED
    assert faults(trial) == []


def test_two_replicas_complete_a_session_once(
    desk: Desk, disposition: Path, tmp_path: Path, postgres_database_url: str
) -> None:
    trial = make_hall(tmp_path, desk, database_url=postgres_database_url)
    with ExitStack() as stack:
        servers = [stack.enter_context(running_server(trial, tmp_path / f"{n}.log")) for n in range(2)]
        clients = [stack.enter_context(server.client(ANA)) for server in servers]
        document = clients[0].upload(disposition).name
        pool = stack.enter_context(ThreadPoolExecutor(2))
        for number in range(4):
            session = prepare(clients[0], desk, ANA, document)
            signature = desk.sign(ANA, session.signed_attributes)
            request_ids = (f"same-{number}",) * 2 if number % 2 else (f"one-{number}", f"other-{number}")

            def complete(
                client: Client, request_id: str, name: str = session.name, value: bytes = signature
            ) -> CompleteSignatureResponse | PeceteError:
                try:
                    return client.complete_signature(name, value, request_id=request_id)
                except PeceteError as error:
                    return error

            one, other = pool.map(complete, clients, request_ids)
            if number % 2:
                assert isinstance(one, CompleteSignatureResponse) and one == other
            else:
                (lost,) = [each for each in (one, other) if isinstance(each, PeceteError)]
                assert lost.reason == "SIGNATURE_SESSION_COMPLETED"
    made = [entry.act for entry in journal(trial) if entry.act in ("signature.create", "session.complete")]
    assert sorted(made) == ["session.complete"] * 4 + ["signature.create"] * 4
    assert faults(trial) == []
