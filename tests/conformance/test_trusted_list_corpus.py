"""Trusted lists as published, verified from the Official Journal on, and beside what pyHanko reads there."""

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.validation.qualified.assess import QualificationAssessor
from pyhanko.sign.validation.qualified.eutl_parse import (
    ojeu_bootstrap_lotl_tlso_certs,
    parse_lotl_unsafe,
    read_qualified_service_definitions,
)
from pyhanko.sign.validation.qualified.tsp import CAServiceInformation, QualifiedServiceInformation

from pecete.errors import PeceteError
from server import trusted_lists
from server.config import TrustedListSettings
from server.metrics import Metrics
from server.trusted_list_store import ListFetcher
from server.trusted_lists import TrustedLists
from signer.validation import ValidationPolicy, validate
from signer.validation.certificates import load_certificate
from signer.validation.trusted_lists.acceptance import accept
from signer.validation.trusted_lists.certificate_status import status_at
from signer.validation.trusted_lists.model import CA_QC, GRANTED, QTST, Service
from signer.validation.trusted_lists.pivots import (
    accept_list_of_lists,
    accept_national,
    national_pointers,
    own_signers,
)
from signer.validation.trusted_lists.reading import read_list
from signer.validation.trusted_lists.snapshot import snapshot
from tests.unit.trusted_list_maker import statements
from tests.unit.validation_documents import CA, SIGNING, Identity, issue

pytestmark = pytest.mark.conformance

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
LISTS = FOLDER / "trusted-lists"
SAMPLES = LISTS / "samples"
THEN = datetime(2023, 11, 1, tzinfo=UTC)
"""When both the list of lists and the Romanian list of the corpus were in force."""

LOTL_AT = "https://ec.europa.eu/tools/lotl/eu-lotl.xml"
JOURNAL = "https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=uriserv:OJ.C_.2019.276.01.0001.01.ENG"
ISSUER = issue("Issuer", None, *CA)
STARTED = datetime(2019, 1, 1, tzinfo=UTC)
PUBLISHED = {
    LOTL_AT: "EU-LOTL.xml",
    "https://ec.europa.eu/tools/lotl/eu-lotl-pivot-282.xml": "EU-LOTL-pivot-282.xml",
    "https://ec.europa.eu/tools/lotl/eu-lotl-pivot-300.xml": "EU-LOTL-pivot-300.xml",
    "https://www.adr.gov.ro/trustedlist.xml": "RO.xml",
    "https://tsl.gov.cz/publ/TSL_CZ.xtsl": "CZ.xml",
}


@pytest.fixture(autouse=True)
def _corpus() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("no corpus")


@cache
def journal() -> tuple[bytes, ...]:
    """The certificates of the Official Journal C 276 of 16 August 2019, as pyHanko ships them."""
    return tuple(each.dump() for each in ojeu_bootstrap_lotl_tlso_certs())


@cache
def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


# ---- the rows of the table


def rows() -> list[dict[str, str]]:
    path = FOLDER / "cases.tsv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(io.StringIO(lines.read()), delimiter="\t"))
    return [row for row in found if row["file"].startswith("trusted-lists/")]


@pytest.mark.parametrize("row", rows() or [{}], ids=lambda row: row.get("file", "none"))
def test_each_list_of_the_table_is_refused_for_what_the_table_says(row: dict[str, str]) -> None:
    document = (FOLDER / row["file"]).read_bytes()
    allowed = journal() if row["expect_integrity"] or row["expect_error"] else ()
    with pytest.raises(PeceteError) as refusal:
        accept_list_of_lists(document, (), allowed, time=datetime(2019, 10, 1, tzinfo=UTC))
    expected = {
        "trusted-lists/eu-lotl-broken-sig.xml": "TRUSTED_LIST_SIGNATURE_BROKEN",
        "trusted-lists/eu-lotl-no-sig.xml": "TRUSTED_LIST_UNSIGNED",
        "trusted-lists/eu-lotl.xml": "TRUSTED_LIST_WRONG_SIGNER",
    }
    assert refusal.value.reason == expected[row["file"]]
    if "signer certificate" in row["expect_indication"]:
        own = own_signers(read_list(document))
        assert accept(document, own, time=datetime(2019, 10, 1, tzinfo=UTC)).sequence_number == 248


# ---- from the Official Journal to Romania, on a local web server


@asynccontextmanager
async def published(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The lists at their addresses, each of which leads to a server on loopback."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = SAMPLES / request.match_info["name"]
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    application = web.Application()
    application.router.add_get("/{name}", answer)
    async with TestServer(application) as server:

        class LocalFetcher(ListFetcher):
            """Asks the server on loopback for what is published elsewhere."""

            async def fetch(self, location: str) -> bytes:
                return await super().fetch(str(server.make_url("/" + PUBLISHED.get(location, "none"))))

        monkeypatch.setattr(trusted_lists, "ListFetcher", LocalFetcher)
        yield


def lists_at(folder: Path, time: datetime) -> TrustedLists:
    certificates = [x509.load_der_x509_certificate(der) for der in journal()]
    anchors = folder / "journal.pem"
    anchors.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    settings = TrustedListSettings((anchors,), JOURNAL, LOTL_AT)
    return TrustedLists(settings, folder / "lists", lambda: time, Metrics())


async def test_romania_is_believed_by_way_of_both_pivots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with published(monkeypatch):
        lists = lists_at(tmp_path, THEN)
        assert not await lists.refresh()  # the others are not in the corpus, and the Czech one is of 2019
    faults = {state.territory: state.fault for state in lists.states}
    assert faults["EU"] == faults["RO"] == ""
    assert "may not sign it" in faults["CZ"] and "404" in faults["DE"]
    (romania,) = lists.services().lists
    assert (romania.territory, romania.sequence_number, len(romania.services)) == ("RO", 61, 105)
    again = lists_at(tmp_path, THEN)
    await again.load()
    assert again.services() == lists.services()


async def test_in_time_nothing_is_trusted_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with published(monkeypatch):
        late = lists_at(tmp_path, datetime(2024, 5, 1, tzinfo=UTC))
        await late.refresh()
    assert late.services().lists == ()
    with pytest.raises(PeceteError, match="I no longer trust anything"):
        await late.check()


# ---- beside pyHanko


def theirs(name: str) -> list[QualifiedServiceInformation]:
    found: list[QualifiedServiceInformation] = list(read_qualified_service_definitions(sample(name).decode()))
    return found


def theirs_now(name: str) -> dict[frozenset[bytes], list[CAServiceInformation]]:
    """What pyHanko says of services that issue qualified certificates now, by their certificates."""
    found: dict[frozenset[bytes], list[CAServiceInformation]] = {}
    for info in theirs(name):
        if isinstance(info, CAServiceInformation) and info.base_info.valid_until is None:
            certificates = frozenset(each.dump() for each in info.base_info.provider_certs)
            found.setdefault(certificates, []).append(info)
    return found


def ours_now(name: str) -> dict[frozenset[bytes], list[Service]]:
    found: dict[frozenset[bytes], list[Service]] = {}
    for service in read_list(sample(name)).services:
        newest = service.periods[0]
        if newest.type == CA_QC and newest.status == GRANTED:
            found.setdefault(frozenset(service.identity.certificates), []).append(service)
    return found


@pytest.mark.parametrize("name", ["RO.xml", "CZ.xml"])
def test_granted_periods_are_those_that_pyhanko_finds(name: str) -> None:
    found = Counter(
        (info.base_info.service_type, info.base_info.valid_from.astimezone(UTC)) for info in theirs(name)
    )
    mine = Counter(
        (period.type, period.start)
        for service in read_list(sample(name)).services
        for period in service.periods
        if period.type in (CA_QC, QTST) and period.status == GRANTED
    )
    assert mine == found


@pytest.mark.parametrize("name", ["RO.xml", "CZ.xml"])
def test_services_and_qualifiers_are_those_that_pyhanko_finds(name: str) -> None:
    """Of several extensions with qualifiers pyHanko keeps the last alone, as of I.CA's service 78."""
    found, mine = theirs_now(name), ours_now(name)
    assert found.keys() == mine.keys()
    more = 0
    for certificates, infos in found.items():
        wanted = {q.uri for info in infos for each in info.qualifications for q in each.qualifiers}
        have = {
            q
            for service in mine[certificates]
            for each in service.periods[0].qualifications
            for q in each.qualifiers
        }
        assert wanted <= have
        more += wanted != have
    assert more == (1 if name == "CZ.xml" else 0)


def named_policies(name: str) -> list[str]:
    """Every certificate policy that the list's criteria name."""
    listed = [
        element for each in ours_now(name).values() for s in each for element in s.periods[0].qualifications
    ]
    return sorted(
        {policy for each in listed for policies in each.criteria.policy_sets for policy in policies}
    )


def subject(policy: str, *, sscd: bool) -> Identity:
    """A certificate for signatures under a policy, with the statements of a qualified one."""
    named = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(policy), None)])
    declared = statements(sscd=sscd, types=[1])
    return issue("Ana", ISSUER, SIGNING, (named, False), declared, start=STARTED)


@pytest.mark.parametrize("sscd", [True, False])
def test_certificates_of_each_policy_are_judged_as_pyhanko_judges_them(sscd: bool) -> None:
    """Under each service that has its qualifiers in one place and is the only one of its authority."""
    now = datetime(2019, 10, 1, tzinfo=UTC)
    mine, compared = ours_now("CZ.xml"), 0
    pairs = [(infos, mine[certificates]) for certificates, infos in theirs_now("CZ.xml").items()]
    for policy in named_policies("CZ.xml"):
        made = subject(policy, sscd=sscd)
        certificate = load_certificate(made.der)
        assert certificate is not None
        for infos, services in pairs:
            if len(infos) == 1 and "(78)" not in services[0].name:
                have = status_at(certificate, services, now)
                assert (have.qualified, have.qscd) == their_status(made.asn1, infos[0]), services[0].name
                compared += 1
    assert compared > 100


def their_status(certificate: asn1_x509.Certificate, info: CAServiceInformation) -> tuple[bool, bool]:
    assessor = QualificationAssessor
    own = assessor._process_qc_statements(certificate)
    status = assessor._apply_sd_qualifications(certificate, own, info.qualifications)
    if not assessor._check_cd_applicable(info.base_info, status):
        return False, False
    return status.qualified, status.qc_key_security.is_qscd


def test_pointers_are_those_that_pyhanko_finds() -> None:
    parsed = parse_lotl_unsafe(sample("EU-LOTL.xml").decode())
    found = {
        (each.location_uri, frozenset(certificate.dump() for certificate in each.tlso_certs))
        for each in parsed.references
    }
    pointers = read_list(sample("EU-LOTL.xml")).pointers
    mine = {
        (each.location, frozenset(each.signers))
        for each in pointers
        if each.media_type == "application/vnd.etsi.tsl+xml"
    }
    assert mine == found


# ---- what the Romanian list makes of a real document


def test_romanian_officials_signatures_are_qualified_by_the_list_alone() -> None:
    (pointer,) = [
        each for each in national_pointers(read_list(sample("EU-LOTL.xml"))) if each.territory == "RO"
    ]
    services = snapshot([accept_national(sample("RO.xml"), pointer, time=THEN)])
    policy = ValidationPolicy((), datetime(2019, 12, 1, tzinfo=UTC), "off", trusted_services=services)
    report = validate(FOLDER / "cades" / "signedFile.pdf.p7s", policy)
    found = {
        (str(each.conclusion.indication), each.qualification, each.path[-1:]) for each in report.signatures
    }
    assert found == {("TOTAL_PASSED", "QESig", ("certSIGN Qualified CA",))}
