"""What openssl, pyHanko and the EU's DSS say of our CAdES signatures, and of theirs once we raised them."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext

from pecete.commitment import CommitmentType
from pecete.errors import PeceteError
from signer.cades.archive_timestamp import finish_archive_timestamp, prepare_archive_timestamp
from signer.cades.augmentation import add_material, add_signature_time_stamp, signature_values
from signer.cades.countersigning import add_countersignature, countersigned_content
from signer.cades.joining import add_signature, joint_content
from signer.cades.signing import ContentDigest, SignerLocation, sign_content
from signer.cades.structure import SignedDataParts, take_apart
from tests.conformance import dss
from tests.conformance.documents import CORPUS, run
from tests.unit.cades_signatures import (
    CONTENT,
    DETACHED,
    KEYS,
    LATER,
    LISTS,
    MATERIAL,
    OPTIONS,
    P256,
    in_ber,
    long_term,
    signed,
    stamp,
    value_token,
    with_archive_timestamp,
)
from tests.unit.validation_documents import ROOT, SIGNED, SUB, crl

pytestmark = pytest.mark.conformance

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TWO_SIGNERS = ("parallel-LTA", "countersigned-T")
STATED = replace(
    OPTIONS,
    mime_type="text/plain",
    commitment=CommitmentType.PROOF_OF_APPROVAL,
    location=SignerLocation("RO", "Lunca Teilor", ("Strada Școlii 1",)),
)


@dataclass(frozen=True)
class Judged:
    """DSS on one file: format and indication of its signatures, indications of time-stamps, complaints."""

    signatures: list[tuple[str, str]]
    timestamps: list[str]
    complaints: list[str]


def pem(path: Path) -> Path:
    path.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    return path


def join(cms: bytes, name: str, detached: ContentDigest | None = DETACHED) -> bytes:
    signature = sign_content(joint_content(cms, detached), KEYS[name], STATED)
    return add_signature(cms, detached, signature, value_token(signature))


def counter(cms: bytes, name: str, index: int = 0) -> bytes:
    target = hashlib.sha256(take_apart(cms).signers[index].signature_value).digest()
    signature = sign_content(countersigned_content(cms, target), KEYS[name], OPTIONS, counter=True)
    return add_countersignature(cms, target, signature, value_token(signature))


def check_with_openssl(cms: bytes, folder: Path, *, detached: bool) -> None:
    (folder / "cms").write_bytes(cms)
    (folder / "content").write_bytes(CONTENT)
    content: tuple[str | Path, ...] = ("-content", folder / "content") if detached else ()
    time = ("-attime", str(int(SIGNED.timestamp())), "-purpose", "any", "-CAfile", pem(folder / "root.pem"))
    answer = run(
        *("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", folder / "cms"),
        *content,
        *time,
        *("-out", folder / "out"),
    )
    assert answer.returncode == 0, answer.stderr
    assert (folder / "out").read_bytes() == CONTENT


@pytest.mark.parametrize("enveloping", [False, True], ids=["detached", "enveloping"])
@pytest.mark.parametrize("name", KEYS)
def test_openssl_verifies_each_key_level_and_form(tmp_path: Path, name: str, enveloping: bool) -> None:
    for made in (
        signed(KEYS[name], stamped=False, enveloping=enveloping),
        signed(KEYS[name], enveloping=enveloping),
        long_term(signed(KEYS[name], enveloping=enveloping), None if enveloping else DETACHED),
    ):
        check_with_openssl(made, tmp_path, detached=not enveloping)


def test_openssl_verifies_parallel_signers_one_of_them_countersigned(tmp_path: Path) -> None:
    for form, detached in ((signed(), DETACHED), (signed(enveloping=True), None)):
        made = counter(join(join(form, "p384", detached), "rsa-pss", detached), "rsa3072", 1)
        assert len(take_apart(made).signers) == 3
        check_with_openssl(made, tmp_path, detached=detached is not None)


@pytest.mark.parametrize("name", KEYS)
def test_pyhanko_reads_and_trusts_them(name: str) -> None:
    for made in (signed(KEYS[name]), long_term(signed(KEYS[name]))):
        context = ValidationContext(trust_roots=[ROOT.asn1], allow_fetching=False, moment=SIGNED)
        signed_data = asn1_cms.ContentInfo.load(made, strict=True)["content"]
        status = asyncio.run(
            async_validate_detached_cms(
                CONTENT, signed_data, signer_validation_context=context, ts_validation_context=context
            )
        )
        assert status.bottom_line, status.pretty_print_details()
        assert status.signer_reported_dt == SIGNED
        assert status.timestamp_validity is not None
        assert status.timestamp_validity.trusted


def by_openssl(folder: Path, *options: str) -> bytes:
    """CONTENT signed by openssl with the key of P256; it is BER where the options ask for streaming."""
    identity = P256.identity
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)
    (folder / "own.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    (folder / "sub.pem").write_bytes(SUB.certificate.public_bytes(Encoding.PEM))
    (folder / "content").write_bytes(CONTENT)
    answer = run(
        *("openssl", "cms", "-sign", "-cades", "-binary", "-outform", "DER", "-in", folder / "content"),
        *("-signer", folder / "own.pem", "-inkey", folder / "key.pem", "-certfile", folder / "sub.pem"),
        *options,
        *("-out", folder / "made"),
    )
    assert answer.returncode == 0, answer.stderr
    return (folder / "made").read_bytes()


def raise_foreign(cms: bytes, time: datetime, detached: ContentDigest | None) -> bytes:
    """A signature from elsewhere at B-LTA, with a parallel signer of ours who is at B-LTA too."""
    (value,) = signature_values(cms)
    cms = add_signature_time_stamp(cms, 0, stamp(value.sha256, time))
    signature = sign_content(joint_content(cms, detached), KEYS["p384"], replace(OPTIONS, signing_time=time))
    cms = add_signature(cms, detached, signature, value_token(signature, time))
    lists = (crl(each, this_update=time + HOUR, next_update=time + 30 * DAY) for each in (ROOT, SUB))
    cms = add_material(cms, replace(MATERIAL, crls=tuple(lists)))
    for index in (0, 1):
        cms = with_archive_timestamp(cms, time + 2 * HOUR, detached, index)
    return cms


def judge(
    folder: Path, files: dict[str, tuple[bytes, bool]], time: datetime, crls: tuple[bytes, ...]
) -> dict[str, Judged]:
    """What DSS says of files: octets, and whether CONTENT is to be given with them."""
    if absence := dss.absence():
        pytest.skip(absence)
    content = folder / "content"
    content.write_bytes(CONTENT)
    pairs: list[tuple[Path, Path | None]] = []
    for name, (octets, detached) in files.items():
        (folder / name).write_bytes(octets)
        pairs.append((folder / name, content if detached else None))
    said = dss.judge(pairs, anchor=ROOT.der, crls=crls, time=time)
    return {
        path.name: Judged(
            [(one["format"], one["indication"]) for one in each["signatures"]],
            [one["indication"] for one in each["timestamps"]],
            [text for one in each["timestamps"] for text in (*one["errors"], *one["warnings"])],
        )
        for path, each in said.items()
    }


def ours() -> dict[str, tuple[bytes, bool]]:
    """Files for DSS with, in their names, the level that each of their signatures has."""
    made: dict[str, tuple[bytes, bool]] = {}
    for name, key in KEYS.items():
        for enveloping in (False, True):
            detached = None if enveloping else DETACHED
            form = "enveloping" if enveloping else "detached"
            stamped = signed(key, enveloping=enveloping)
            made[f"{name}-{form}-B"] = signed(key, stamped=False, enveloping=enveloping), not enveloping
            made[f"{name}-{form}-T"] = stamped, not enveloping
            made[f"{name}-{form}-LT"] = add_material(stamped, MATERIAL), not enveloping
            made[f"{name}-{form}-LTA"] = long_term(stamped, detached), not enveloping
    renewed = with_archive_timestamp(long_term(signed()), LATER + HOUR)
    made["renewed-LTA"] = with_archive_timestamp(renewed, LATER + 2 * HOUR), True
    made["BER-LTA"] = long_term(in_ber(signed(enveloping=True)), None), False
    both = add_material(join(signed(), "rsa-pss"), MATERIAL)
    made["parallel-LTA"] = with_archive_timestamp(with_archive_timestamp(both, LATER), LATER, index=1), True
    made["countersigned-T"] = counter(signed(), "p384"), True
    return made


def damaged() -> dict[str, tuple[bytes, bool]]:
    """An archive time-stamp over a wrong imprint, and one that misses a list that it is over."""
    cms = add_material(signed(), MATERIAL)
    wrong = replace(prepare_archive_timestamp(cms, 0, DETACHED), imprint=bytes(32))
    parts = take_apart(long_term(signed()))
    return {
        "wrong imprint": (finish_archive_timestamp(cms, wrong, stamp(wrong.imprint, LATER)), True),
        "list removed": (replace(parts, revocation=parts.revocation[1:]).encode(), True),
    }


def test_dss_passes_each_key_form_and_level_and_notices_damage(tmp_path: Path) -> None:
    files = ours()
    table = judge(tmp_path, files | damaged(), LATER + DAY, LISTS)
    for name in files:
        level, judged = name.rpartition("-")[2], table[name]
        expected = 2 if name in TWO_SIGNERS else 1
        assert judged.signatures == [(f"CAdES-BASELINE-{level}", "TOTAL_PASSED")] * expected, name
        stamps = {"B": 0, "T": 1, "LT": 1, "LTA": 2}[level] * expected + 2 * (name == "renewed-LTA")
        assert judged.timestamps == ["PASSED"] * stamps, name
        assert judged.complaints == [], name
    assert "FAILED" in table["wrong imprint"].timestamps
    assert any("ats-hash-index" in text for text in table["list removed"].complaints)


def test_dss_passes_signatures_of_openssl_that_we_raised(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    files = {
        "openssl-detached": (raise_foreign(by_openssl(tmp_path), now, DETACHED), True),
        "openssl-BER": (raise_foreign(by_openssl(tmp_path, "-nodetach", "-stream"), now, None), False),
    }
    table = judge(tmp_path, files, now + DAY, ())
    passed = Judged([("CAdES-BASELINE-LTA", "TOTAL_PASSED")] * 2, ["PASSED"] * 4, [])
    assert table == dict.fromkeys(files, passed)


def test_every_signature_of_the_corpus_is_raised_or_refused() -> None:
    found = [path for path in sorted(CORPUS.glob("cades/*")) if path.is_file()]
    if not found:
        pytest.skip("the corpus is not beside the repository")
    reasons = {}
    for path in found:
        cms = path.read_bytes()
        try:
            before = take_apart(cms)
            raised = add_material(cms, MATERIAL)
            check_kept(before, take_apart(raised))
            check_kept(before, take_apart(with_archive_timestamp(raised, SIGNED, None)))
        except PeceteError as refusal:
            reasons[path.name] = refusal.reason
    assert reasons["cades-enveloping-broken.pkcs7"] == "CONTENT_MISMATCH"
    assert reasons["cades-detached.pkcs7"] == "CONTENT_MISSING"
    assert reasons["C-E-ERS-detached.p7s"] == "EVIDENCE_RECORD_INSIDE"
    assert len([reason for reason in reasons.values() if reason != "CONTENT_MISSING"]) < len(found) / 2, (
        reasons
    )


def check_kept(before: SignedDataParts, after: SignedDataParts) -> None:
    """All that signatures and time-stamps are over is as it was."""
    assert after.encapsulated == before.encapsulated
    assert set(before.certificates) <= set(after.certificates)
    assert set(before.revocation) <= set(after.revocation)
    assert after.signers[0].fields == before.signers[0].fields
    assert set(before.signers[0].unsigned) <= set(after.signers[0].unsigned)
    assert after.signers[1:] == before.signers[1:]
