"""Our own engine on CAdES signatures: levels, archive time-stamps, and damage to what those are over."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pecete.errors import InvalidArgumentError
from signer.cades.archive_timestamp import finish_archive_timestamp, prepare_archive_timestamp
from signer.cades.augmentation import add_material
from signer.cades.joining import add_signature, joint_content
from signer.cades.signing import sign_content
from signer.cades.structure import SignedDataParts, take_apart
from signer.der import SEQUENCE, SET, tlv
from signer.material import ValidationMaterial
from signer.validation import ValidationPolicy, ValidationReport, validate
from signer.validation.crl import load_crl
from signer.validation.facts import Integrity, TimestampKind
from signer.validation.indication import SubIndication
from signer.validation.sandbox import ValidationWorker
from signer.validation.survey import survey
from tests.unit.cades_signatures import (
    CONTENT,
    DETACHED,
    KEYS,
    LATER,
    LISTS,
    MATERIAL,
    OPTIONS,
    P256,
    SoftwareKey,
    in_ber,
    long_term,
    signed,
    stamp,
    value_token,
    with_archive_timestamp,
)
from tests.unit.validation_documents import BORN, CRL_START, ROOT, SIGNER, SUB, YEAR, crl

DAY = timedelta(days=1)
RENEWED = with_archive_timestamp(long_term(signed()), LATER + DAY)


def judged(
    cms: bytes, folder: Path, time: datetime = LATER + DAY, crls: tuple[bytes, ...] = ()
) -> ValidationReport:
    (folder / "content").write_bytes(CONTENT)
    detached = [folder / "content"] if take_apart(cms).content is None else []
    return validate(cms, ValidationPolicy((ROOT.der,), time, crls=crls), detached=detached)


def join(cms: bytes) -> bytes:
    signature = sign_content(joint_content(cms, DETACHED), KEYS["p384"], OPTIONS)
    return add_signature(cms, DETACHED, signature, value_token(signature))


LEVELS = {
    "B": signed(stamped=False),
    "T": signed(),
    "LT": add_material(signed(), MATERIAL),
    "LTA": long_term(signed()),
}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_recognised_and_passes(tmp_path: Path, level: str) -> None:
    crls = () if level.startswith("LT") else LISTS
    (verdict,) = judged(LEVELS[level], tmp_path, crls=crls).signatures
    assert verdict.level == f"CAdES-BASELINE-{level}"
    assert verdict.conclusion.passed, verdict.conclusion


@pytest.mark.parametrize("made", [long_term(signed(enveloping=True), None), long_term(in_ber(signed()))])
def test_content_inside_and_ber_around_are_judged_alike(tmp_path: Path, made: bytes) -> None:
    (verdict,) = judged(made, tmp_path).signatures
    assert (verdict.level, verdict.conclusion.passed) == ("CAdES-BASELINE-LTA", True)


def test_renewals_keep_a_signature_whose_lists_have_run_out(tmp_path: Path) -> None:
    short = SoftwareKey(SIGNER, P256.algorithm)
    made = long_term(signed(short))
    moments = [LATER + 25 * DAY, LATER + 50 * DAY, BORN + 3 * YEAR]
    for time in moments:
        fresh = (crl(ROOT, this_update=time - DAY, next_update=time + 3 * YEAR),)
        made = with_archive_timestamp(add_material(made, ValidationMaterial(crls=fresh)), time)
    report = judged(made, tmp_path, BORN + 4 * YEAR)
    (verdict,) = report.signatures
    assert verdict.conclusion.passed, verdict.conclusion
    assert [each.generation_time for each in report.document_timestamps] == [LATER, *moments]
    assert all(each.kind is TimestampKind.ARCHIVE for each in report.document_timestamps)
    (late,) = judged(signed(short), tmp_path, BORN + 4 * YEAR, LISTS).signatures
    assert not late.conclusion.passed


def edit(parts: SignedDataParts, what: str) -> SignedDataParts:
    """One thing changed that an archive time-stamp is over."""
    signer = parts.signers[0]
    if what == "revocation":
        return replace(parts, revocation=parts.revocation[1:])
    if what == "certificates":
        return replace(parts, certificates=tuple(each for each in parts.certificates if each != ROOT.der))
    kept = tuple(each for each in signer.unsigned if b"\x09\x10\x02\x0e" not in each[:24])
    assert len(kept) == len(signer.unsigned) - 1
    stored = tlv(SEQUENCE, *signer.fields, tlv(0xA1, *kept))
    return parts.with_signer(0, replace(signer, stored=stored))


@pytest.mark.parametrize("what", ["revocation", "certificates", "unsigned attributes"])
def test_what_a_time_stamp_lists_cannot_be_taken_away(tmp_path: Path, what: str) -> None:
    cut = edit(take_apart(LEVELS["LTA"]), what).encode()
    report = judged(cut, tmp_path, crls=LISTS)
    (stamped,) = report.document_timestamps
    assert stamped.integrity is Integrity.BROKEN
    assert stamped.conclusion.sub_indication is SubIndication.HASH_FAILURE


def test_what_came_later_changes_nothing(tmp_path: Path) -> None:
    parts = take_apart(LEVELS["LTA"])
    attribute = tlv(SEQUENCE, bytes.fromhex("06022a03"), tlv(SET, b"\x05\x00"))
    grown = parts.with_signer(0, parts.signers[0].with_unsigned(attribute)).encode()
    more = add_material(grown, ValidationMaterial((SIGNER.der,), (crl(SUB, this_update=CRL_START + DAY),)))
    (verdict,) = judged(more, tmp_path).signatures
    assert (verdict.level, verdict.conclusion.passed) == ("CAdES-BASELINE-LTA", True)


def test_an_archive_time_stamp_over_something_else_is_broken(tmp_path: Path) -> None:
    cms = LEVELS["LT"]
    prepared = replace(prepare_archive_timestamp(cms, 0, DETACHED), imprint=bytes(32))
    (stamped,) = judged(
        finish_archive_timestamp(cms, prepared, stamp(bytes(32), LATER)), tmp_path
    ).document_timestamps
    assert stamped.integrity is Integrity.BROKEN


def test_an_archive_time_stamp_is_for_its_own_signer(tmp_path: Path) -> None:
    cms = add_material(join(signed()), MATERIAL)
    first, second = judged(with_archive_timestamp(cms, LATER), tmp_path).signatures
    assert (first.level, second.level) == ("CAdES-BASELINE-LTA", "CAdES-BASELINE-LT")
    assert first.conclusion.passed
    assert second.conclusion.passed
    assert len(second.timestamps) == 1
    both = with_archive_timestamp(with_archive_timestamp(cms, LATER), LATER, index=1)
    assert [each.level for each in judged(both, tmp_path).signatures] == ["CAdES-BASELINE-LTA"] * 2


def test_a_signer_who_joins_later_is_not_covered(tmp_path: Path) -> None:
    first, second = judged(join(LEVELS["LTA"]), tmp_path).signatures
    assert (first.level, second.level) == ("CAdES-BASELINE-LTA", "CAdES-BASELINE-LT")
    assert first.conclusion.passed


@pytest.mark.parametrize("content", ["inside", "apart"])
def test_a_survey_finds_what_a_signature_needs(tmp_path: Path, content: str) -> None:
    path, apart = tmp_path / "signature", tmp_path / "content"
    path.write_bytes(signed(enveloping=content == "inside"))
    apart.write_bytes(CONTENT)
    detached = [apart] if content == "apart" else []
    empty = survey(path, ValidationPolicy((ROOT.der,), LATER), "", detached=detached)
    assert len(empty.gaps) == 3  # the signer's, the stamper's and the issuing certificate
    found = survey(path, ValidationPolicy((ROOT.der,), LATER, crls=LISTS), "", detached=detached)
    assert found.gaps == ()
    assert [each.reached for each in found.signatures] == ["T"]
    path.write_bytes(add_material(path.read_bytes(), found.material))
    (after,) = survey(path, ValidationPolicy((ROOT.der,), LATER), "", detached=detached).signatures
    assert (after.reached, after.verdict.conclusion.passed) == ("LT", True)


def test_a_survey_runs_in_the_sandbox_with_content_apart(tmp_path: Path) -> None:
    (tmp_path / "signature").write_bytes(LEVELS["LTA"])
    (tmp_path / "content").write_bytes(CONTENT)
    worker = ValidationWorker()
    try:
        found = worker.survey(
            tmp_path / "signature",
            ValidationPolicy((ROOT.der,), LATER),
            "",
            detached=[tmp_path / "content"],
        )
    finally:
        worker.close()
    assert [each.reached for each in found.signatures] == ["LTA"]


def test_a_revocation_list_of_an_unknown_version_says_nothing() -> None:
    der = crl(ROOT)
    assert load_crl(der) is not None
    assert load_crl(der.replace(b"\x02\x01\x01", b"\x02\x01\x5d", 1)) is None


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_damaged_signature_is_judged_or_refused_with_a_typed_error(data: st.DataObject) -> None:
    damaged = bytearray(RENEWED)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        validate(bytes(damaged), ValidationPolicy((ROOT.der,), LATER + 2 * DAY))
    except InvalidArgumentError as refusal:
        assert refusal.reason in {"DOCUMENT_DAMAGED", "UNSUPPORTED_FORMAT"}
