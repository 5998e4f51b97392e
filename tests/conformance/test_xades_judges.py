"""What the EU's DSS says of XAdES signatures that we read, beside what we say of them."""

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from signer.validation import SignatureVerdict, ValidationPolicy, judge_facts, read_facts
from signer.validation.certificates import load_certificate
from signer.validation.facts import Integrity
from signer.validation.xades.enveloped import read_enveloped
from tests.conformance import dss
from tests.conformance.documents import CORPUS
from tests.unit.cades_signatures import LATER, LISTS
from tests.unit.test_validation_xades import LT, LTA, OVER_PART, SECOND, B, T, container
from tests.unit.validation_documents import ROOT
from tests.unit.xades_signatures import (
    DOCUMENT,
    DS,
    EXCLUSIVE,
    Part,
    archived,
    countersigned,
    sign,
    signed_octets,
    stamped,
    with_material,
)

pytestmark = pytest.mark.conformance

POLICY = ValidationPolicy((ROOT.der,), LATER + timedelta(days=3), crls=LISTS)
OBJECT = f'<ds:Object xmlns:ds="{DS}" Id="o"><act xmlns="urn:primarie">7</act></ds:Object>'
ENVELOPING = sign(b"", Part("#o", None, (EXCLUSIVE,)), objects=OBJECT)
BOTH = countersigned(T, SECOND)
STATED = {
    "b.xml": B,
    "t.xml": T,
    "lt.xml": LT,
    "lta.xml": LTA,
    "lta-renewed.xml": archived(LTA, signed_octets(LTA), LATER + timedelta(days=1)),
    "enveloping-lta.xml": archived(
        with_material(stamped(ENVELOPING)),
        signed_octets(with_material(stamped(ENVELOPING)), Part("#o")),
        LATER,
    ),
    "countersigned.xml": BOTH,
    "countersigned-lta.xml": archived(with_material(BOTH), signed_octets(with_material(BOTH)), LATER),
    "part.xml": OVER_PART,
    "plain.xml": sign(DOCUMENT, properties=False),
    "files.asice": container(),
    "other-certificate.xml": sign(DOCUMENT, certificate_reference=SECOND.der),
    "changed.xml": LTA.replace(b"Se aprob", b"Se resping"),
    "changed-properties.xml": LTA.replace(b"T12:00:00Z", b"T13:00:00Z", 1),
    "changed-signed-info.xml": LTA.replace(b'Id="sig-1-r0"', b'Id="sig-1-r9"'),
    "changed-crl.xml": LTA.replace(b"<xades:RevocationValues>", b'<xades:RevocationValues Id="new">'),
    "changed.asice": container({"anexa.xml": b"<b/>"}),
    "missing.asice": container(without="anexa.xml"),
    "wrapped.xml": OVER_PART.replace(b'<suma Id="s">10</suma>', b"<suma>9999</suma>").replace(
        b"</ds:Signature>", b'<ds:Object><suma Id="s">10</suma></ds:Object></ds:Signature>'
    ),
    "doubled-id.xml": OVER_PART.replace(b"<cerere>", b'<cerere><suma Id="s">9999</suma>'),
    "stranger.asice": container({"strain.txt": b""}),
    "no-manifest.asice": container(without="META-INF/manifest.xml"),
}
Verdict = tuple[str, str, str | None]
"""Level, indication and sub-indication."""

PASSED, INDETERMINATE, FAILED = "TOTAL_PASSED", "INDETERMINATE", "TOTAL_FAILED"
DIFFERENT: dict[str, tuple[str, list[Verdict]]] = {
    "wrapped.xml": (
        "DSS passes it with a partial scope; what now stands where the signed element stood is not signed",
        [("XAdES-BASELINE-B", INDETERMINATE, "CUSTOM")],
    ),
    "stranger.asice": (
        "DSS warns; a file that nobody signed would be trusted with the container",
        [("XAdES-BASELINE-LTA", FAILED, "FORMAT_FAILURE")],
    ),
    "no-manifest.asice": (
        "DSS wants META-INF/manifest.xml, which may be missing (EN 319 162-1 §4.4.3.2) and is not signed",
        [("XAdES-BASELINE-LTA", PASSED, None)],
    ),
    "changed-signed-info.xml": (
        "the properties describe a reference that is called otherwise now: XAdES, but no baseline signature",
        [("XAdES-T", FAILED, "SIG_CRYPTO_FAILURE")],
    ),
    "doubled-id.xml": (
        "what cannot be followed is not counted as a reference of a baseline signature",
        [("XAdES-BES", FAILED, "FORMAT_FAILURE")],
    ),
}
"""File: why we say otherwise than DSS, and what we say."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    if absence := dss.absence():
        pytest.skip(absence)
    folder = tmp_path_factory.mktemp("xades")
    for name, content in STATED.items():
        (folder / name).write_bytes(content)
    said = dss.judge(
        [(folder / name, None) for name in STATED], anchor=ROOT.der, crls=LISTS, time=POLICY.time
    )
    return {path.name: each for path, each in said.items()}


@cache
def ours(name: str) -> tuple[SignatureVerdict, ...]:
    return judge_facts(read_facts(STATED[name]), POLICY).signatures


def verdict(signature: SignatureVerdict) -> Verdict:
    sub_indication = signature.conclusion.sub_indication
    return (
        signature.level,
        str(signature.conclusion.indication),
        str(sub_indication) if sub_indication else None,
    )


@pytest.mark.parametrize("name", STATED)
def test_dss_says_the_same(name: str, theirs: Mapping[str, Mapping[str, Any]]) -> None:
    found = [verdict(each) for each in ours(name)]
    said = [
        (each["format"], each["indication"], each.get("subIndication")) for each in theirs[name]["signatures"]
    ]
    if name in DIFFERENT:
        assert found == DIFFERENT[name][1]
        assert found != said, "no difference any more"
    else:
        assert found == said


@pytest.mark.parametrize("name", STATED)
def test_dss_finds_the_same_time_stamps(name: str, theirs: Mapping[str, Mapping[str, Any]]) -> None:
    stamps = [each for signature in ours(name) for each in signature.timestamps]
    found = {(str(each.kind), str(each.integrity), str(each.generation_time)) for each in stamps}
    said = {
        (
            str(each["type"]).removesuffix("_TIMESTAMP").lower(),
            "intact" if each["imprintIntact"] else "broken" if each["imprintFound"] else "unverifiable",
            str(datetime.fromisoformat(each["productionTime"])),
        )
        for each in theirs[name]["timestamps"]
    }
    assert found == said


# ---- files of others


def first_type(name: str) -> bytes:
    """A container of the corpus with its media type as first member, as containers must have it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(CORPUS / "asic" / name) as given, zipfile.ZipFile(stream, "w") as made:
        for member in sorted(given.namelist(), key=lambda each: each != "mimetype"):
            made.writestr(member, given.read(member))
    return stream.getvalue()


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the repository")
@pytest.mark.parametrize(
    ("name", "levels", "integrity", "fault"),
    [
        ("multifiles-too-much-files", ["B", "B"], "intact", "nobody signed the file cef-portal-esig.png"),
        ("no-signed-file", ["B", "B"], "intact", "the container has no file that could be signed"),
        ("onefile-wrong-file", ["B"], "broken", "nobody signed the file cef-portal-esig.png"),
    ],
)
def test_containers_of_others(name: str, levels: list[str], integrity: str, fault: str) -> None:
    found = judge_facts(read_facts(first_type(f"{name}.asice")), POLICY).signatures
    assert [each.level for each in found] == [f"XAdES-BASELINE-{level}" for level in levels]
    for each in found:
        assert (str(each.integrity), each.faults[-1]) == (integrity, fault)
        assert str(each.conclusion.sub_indication) == "FORMAT_FAILURE"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the repository")
def test_trusted_lists() -> None:
    folder = CORPUS / "trusted-lists"
    found = {path.name: read_enveloped(path.read_bytes()) for path in folder.rglob("*.xml")}
    broken = {name for name, each in found.items() if each.integrity is not Integrity.INTACT}
    assert broken == {"eu-lotl-broken-sig.xml", "eu-lotl-no-sig.xml"}
    assert found["eu-lotl-broken-sig.xml"].integrity is Integrity.BROKEN
    assert found["RO.xml"].content.startswith(b"<")
    for each in found.values():
        signer = load_certificate(each.signer_certificate) if each.signer_certificate else None
        assert (signer is not None) is bool(each.content) or each.integrity is Integrity.BROKEN
