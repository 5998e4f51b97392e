"""What a verdict lacks is fetched from a responder on loopback: through a server, offline, and as time goes by."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from google.protobuf.timestamp_pb2 import Timestamp

from pecete.client import Client
from server.config import ValidationSettings
from server.judging import Judge
from server.revocation_fetching import RevocationFetcher
from server.trial import DEPARTMENT, SEAL, Settings, TrialServer, make_trial, running_server
from server.validation_fetching import FetchingJudge
from signer.validation import SignatureVerdict
from softhsm.provision import CITY_HALL
from tests.e2e.responder import Responder, running_responder
from tests.unit.validation_documents import CA, NOW, ROOT, SIGNED, SIGNING, Identity, blank, crl, issue, sign

pytestmark = pytest.mark.e2e

DAY = timedelta(days=1)


# ---- through a server, and offline


@pytest.fixture(scope="module")
def responder() -> Iterator[Responder]:
    with running_responder() as running:
        yield running


@pytest.fixture(scope="module")
def fetching(responder: Responder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialServer]:
    """A server that has no lists and fetches them."""
    folder = tmp_path_factory.mktemp("fetching")
    settings = Settings(plans=CITY_HALL[-1:], validation="fetch = true", pki=responder.pki)
    with running_server(make_trial(folder / "trial", settings), folder / "server.log") as running:
        yield running


def seal_certificate(server: TrialServer) -> x509.Certificate:
    return x509.load_der_x509_certificate(server.trial.provisioned.token(SEAL).certificate)


def told(client: Client, document: str, **options: object) -> tuple[tuple[str, str | None], list[str]]:
    """The verdict on the only signature, and what was asked."""
    report = json.loads(client.validate(document, **options).report_json)  # type: ignore[arg-type]
    (verdict,) = report["signatures"]
    return (verdict["indication"], verdict["sub_indication"]), report["fetching"]


def test_a_verdict_gets_what_it_lacks_and_keeps_it(
    fetching: TrialServer, responder: Responder, disposition: Path, tmp_path: Path
) -> None:
    responder.down = True
    with fetching.client(DEPARTMENT) as client:
        signed = client.sign(disposition, fetching.trial.signing_key(SEAL), level="B-B").document.name
        verdict, asked = told(client, signed)
        assert verdict == ("INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")
        assert f"{responder.address}/ocsp: HTTP status 404" in asked
        assert f"{responder.address}/intermediate.crl: HTTP status 404" in asked

        responder.down, responder.good = False, [seal_certificate(fetching)]
        responder.asked.clear()
        verdict, asked = told(client, signed)
        assert verdict == ("TOTAL_PASSED", None)
        assert f"{responder.address}/ocsp: answered" in asked
        assert sorted(responder.asked) == ["/ocsp", "/ocsp", "/root.crl"]

        responder.down = True
        responder.asked.clear()
        assert told(client, signed)[0] == ("TOTAL_PASSED", None)
        assert "/root.crl" not in responder.asked
        client.download(signed, tmp_path / "signed.pdf")

    responder.down = False
    root = str(fetching.trial.provisioned.root)
    command = [sys.executable, "-m", "server.cli", "validate", "--trust", root, "--json"]
    verdicts = []
    for options in ([], ["--fetch"]):
        done = subprocess.run(
            [*command, *options, str(tmp_path / "signed.pdf")], capture_output=True, text=True, check=True
        )
        verdicts.append(json.loads(done.stdout)["signatures"][0]["indication"])
    assert verdicts == ["INDETERMINATE", "TOTAL_PASSED"]


def test_a_revocation_is_fetched(fetching: TrialServer, responder: Responder, disposition: Path) -> None:
    pass
