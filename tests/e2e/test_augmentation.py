"""Levels B-LT and B-LTA over the wire: made at once, raised later, renewed, refused."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import select

from archive.tables import journal
from pecete.client import Client
from pecete.errors import FailedPreconditionError, PeceteError
from pecete.signing.v1.signing_pb2 import SignatureLevel, SignDocumentResponse
from pecete.validation.v1 import validation_pb2
from server.config import load
from server.database import Database
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from softhsm.provision import CITY_HALL
from tests.e2e.responder import Responder, running_responder

pytestmark = pytest.mark.e2e

PASSED = validation_pb2.INDICATION_TOTAL_PASSED


def seal(client: Client, server: TrialServer, document: str, level: str) -> SignDocumentResponse:
    return client.sign(document, server.trial.signing_key(SEAL), level=level)


def verdicts(client: Client, document: str) -> list[tuple[int, str]]:
    return [(each.indication, each.level) for each in client.validate(document).signatures]


@pytest.mark.parametrize("level", ["B-LT", "B-LTA"])
def test_a_signature_is_made_at_the_level_in_one_call(
    server: TrialServer, department: Client, disposition: Path, level: str, tmp_path: Path
) -> None:
    name = department.upload(disposition).name
    signed = seal(department, server, name, level)
    assert SignatureLevel.Name(signed.signature.level).endswith(level.replace("-", "_"))
    assert verdicts(department, signed.document.name) == [(PASSED, f"PAdES-BASELINE-{level[2:]}")]
    department.download(signed.document.name, tmp_path / "signed.pdf")
    assert (tmp_path / "signed.pdf").read_bytes().startswith(disposition.read_bytes())


@pytest.mark.parametrize("start", ["B-B", "B-T"])
def test_levels_are_raised_step_by_step_and_renewed(
    server: TrialServer, department: Client, disposition: Path, start: str, tmp_path: Path
) -> None:
    name = seal(department, server, department.upload(disposition).name, start).document.name
    earlier = b""
    for level in ["B-LT", "B-LTA", "B-LTA", "B-LTA"]:
        name = department.augment(name, level=level).document.name
        assert verdicts(department, name) == [(PASSED, f"PAdES-BASELINE-{level[2:]}")]
        target = tmp_path / f"{name[-10:]}.pdf"
        department.download(name, target)
        now = target.read_bytes()
        assert now.startswith(earlier)
        earlier = now
    assert len(department.validate(name).signatures[0].timestamps) == 4


def refusal(call: Callable[[], object]) -> PeceteError:
    with pytest.raises(PeceteError) as refused:
        call()
    return refused.value


def test_a_retry_gets_the_first_answer(server: TrialServer, department: Client, disposition: Path) -> None:
    name = seal(department, server, department.upload(disposition).name, "B-T").document.name
    first = department.augment(name, request_id="raise-once")
    assert department.augment(name, request_id="raise-once") == first
    assert first.level == SignatureLevel.SIGNATURE_LEVEL_B_LTA
    other = refusal(lambda: department.augment(name, level="B-LT", request_id="raise-once"))
    assert other.reason == "REQUEST_ID_REUSED"


def test_it_is_an_act_of_the_journal(server: TrialServer, department: Client, disposition: Path) -> None:
    name = seal(department, server, department.upload(disposition).name, "B-T").document.name
    raised = department.augment(name).document.name
    database = Database(load(server.trial.configuration, {}).database_url())
    with database.begin() as connection:
        entry = connection.execute(select(journal.c.entry).where(journal.c.resource == raised)).scalar_one()
    database.close()
    act = json.loads(entry)
    assert (act["actor"], act["act"]) == ("principals/registratura", "signature.augment")


def test_content_travels_inline(server: TrialServer, department: Client, disposition: Path) -> None:
    signed = department.sign(
        disposition.read_bytes(), server.trial.signing_key(SEAL), level="B-T", return_content=True
    )
    raised = department.augment(signed.content, level="B-LT", return_content=True)
    assert raised.content.startswith(signed.content)
    assert len(raised.content) == raised.document.size_bytes


def test_what_cannot_be_raised_is_refused(server: TrialServer, department: Client, disposition: Path) -> None:
    unsigned = department.upload(disposition).name
    signed = seal(department, server, unsigned, "B-LT").document.name
    broken = department.sign(disposition, server.trial.signing_key(SEAL), return_content=True).content
    broken = broken.replace(b"/MediaBox", b"/MediaBex", 1)
    refusals = {
        ("DOCUMENT_NOT_SIGNED", "document"): lambda: department.augment(unsigned),
        ("SIGNATURE_NOT_FOUND", "field_name"): lambda: department.augment(signed, field_name="Nobody"),
        ("LEVEL_ALREADY_REACHED", "level"): lambda: department.augment(signed, level="B-LT"),
        ("LEVEL_TOO_LOW", "level"): lambda: department.augment(signed, level="B-B"),
        ("SIGNATURE_NOT_VALID", "document"): lambda: department.augment(broken),
        ("UNSUPPORTED_FORMAT", "document"): lambda: department.augment(b"these are words"),
    }
    for expected, call in refusals.items():
        refused = refusal(call)
        assert (refused.reason, refused.field) == expected


def test_signatures_in_series_reach_it_each(
    server: TrialServer, department: Client, disposition: Path
) -> None:
    name = department.upload(disposition).name
    with server.client("primar") as mayor:
        signed = mayor.sign(
            name, server.trial.signing_key("primar"), pin=server.trial.pin("primar"), level="B-LTA"
        )
    assert verdicts(department, signed.document.name) == [(PASSED, "PAdES-BASELINE-LTA")]
    again = seal(department, server, signed.document.name, "B-LTA")
    assert verdicts(department, again.document.name) == [(PASSED, "PAdES-BASELINE-LTA")] * 2


@pytest.fixture
def responder() -> Iterator[Responder]:
    with running_responder() as running:
        yield running


@pytest.fixture
def fetching(responder: Responder, tmp_path: Path) -> Iterator[TrialServer]:
    """A server that has no lists and fetches them."""
    settings = Settings(plans=CITY_HALL[-1:], validation="fetch = true", pki=responder.pki)
    trial = make_trial(tmp_path / "trial", settings)
    with running_server(trial, tmp_path / "server.log") as running:
        yield running


def test_a_level_that_cannot_be_had_is_refused_and_reached_when_it_can(
    fetching: TrialServer, responder: Responder, disposition: Path
) -> None:
    responder.down = True
    with fetching.client(DEPARTMENT) as client:
        name = client.upload(disposition).name
        refused = refusal(lambda: seal(client, fetching, name, "B-LT"))
        assert isinstance(refused, FailedPreconditionError)
        assert (refused.reason, refused.field) == ("VALIDATION_MATERIAL_MISSING", "level")
        assert (refused.metadata["reached"], refused.metadata["resume"]) == ("B-T", "AugmentSignature")
        assert [level for _, level in verdicts(client, refused.metadata["document"])] == ["PAdES-BASELINE-T"]
        holder = fetching.trial.provisioned.token(SEAL).plan.holder.common_name
        assert (refused.metadata["certificate"], refused.metadata["missing"]) == (holder, "revocation")
        assert f"{responder.address}/intermediate.crl: HTTP status 404" in refused.metadata["tried"]
        signed = seal(client, fetching, name, "B-T").document.name
        assert refusal(lambda: client.augment(signed)).reason == "VALIDATION_MATERIAL_MISSING"
        responder.down = False
        raised = client.augment(signed).document.name
        (verdict,) = client.validate(raised).signatures
        assert (verdict.indication, verdict.level) == (PASSED, "PAdES-BASELINE-LTA")
        asked = len(responder.asked)
        client.augment(raised)
        assert len(responder.asked) == asked


def test_a_revoked_certificate_raises_nothing(
    fetching: TrialServer, responder: Responder, disposition: Path
) -> None:
    certificate = x509.load_der_x509_certificate(fetching.trial.provisioned.token(SEAL).certificate)
    with fetching.client(DEPARTMENT) as client:
        responder.down = True
        signed = seal(client, fetching, client.upload(disposition).name, "B-T").document.name
        responder.down = False
        responder.revoked = [(certificate, datetime.now(UTC) - timedelta(days=1))]
        refused = refusal(lambda: client.augment(signed))
    assert refused.reason == "SIGNATURE_NOT_VALID"
    assert refused.metadata["sub_indication"] == "REVOKED_NO_POE"


def test_a_certificate_that_its_issuer_says_is_revoked_signs_nothing(
    fetching: TrialServer, responder: Responder, disposition: Path
) -> None:
    certificate = x509.load_der_x509_certificate(fetching.trial.provisioned.token(SEAL).certificate)
    responder.revoked = [(certificate, datetime.now(UTC) - timedelta(days=1))]
    with fetching.client(DEPARTMENT) as client:
        name = client.upload(disposition).name
        for level in ("B-B", "B-LT"):
            refused = refusal(lambda level=level: seal(client, fetching, name, level))  # type: ignore[misc]
            assert (refused.reason, refused.field) == ("CERTIFICATE_REVOKED", "signing_key")
